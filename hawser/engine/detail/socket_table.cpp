// Pages of sockets that never move, and the list of free ones.
#include <hawser/base/check.hpp>
#include <hawser/engine/detail/socket_table.hpp>

#include <new>

namespace hawser::detail {

SocketTable::~SocketTable() {
  for (std::uint32_t index = 0; index < used_; ++index) at(index).~Socket();
  for (Socket* page : pages_) ::operator delete(page);
}

Socket& SocketTable::insert(SocketKind kind, SocketPhase phase, int number) {
  std::uint32_t index = used_;
  if (!vacant_.empty()) {
    index = vacant_.back();
    vacant_.pop_back();
  } else {
    check(used_ < max_sockets, "SocketTable::insert: the table is full");
    if (used_ % page_size == 0) {
      pages_.push_back(static_cast<Socket*>(::operator new(page_size * sizeof(Socket))));
    }
    Socket* socket = ::new (&at(index)) Socket(pool_);
    socket->index = index;
    ++used_;
    vacant_.reserve(pages_.size() * page_size);  // so that erase() never allocates
  }
  Socket& socket = at(index);
  ++socket.generation;  // so that no id of a former life matches
  socket.events = nullptr;
  socket.drain_mark = 0;
  socket.number = number;
  socket.failure = 0;
  socket.kind = kind;
  socket.phase = phase;
  socket.pending = 0;
  socket.cancelled = 0;
  socket.failed_operation = 0;
  socket.wanted = false;
  socket.shutdown_wanted = false;
  socket.notify = false;
  socket.timed = false;
  socket.reset = false;
  socket.shutdown_done = false;
  socket.ended = false;
  socket.end_reported = false;
  socket.backend_bits = 0;
  socket.backend_number = 0;
  socket.backend_pointer = nullptr;
  ++size_;
  return socket;
}

void SocketTable::erase(Socket& socket) noexcept {
  socket.phase = SocketPhase::vacant;
  socket.events = nullptr;
  socket.number = -1;
  socket.queue.clear();
  socket.extra.reset();
  vacant_.push_back(socket.index);
  --size_;
}

}  // namespace hawser::detail
