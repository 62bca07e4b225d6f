// What the kernel says: each completion of a backend ends here, and the callbacks that belong to it
// run from here.
#include <hawser/engine/accept_errors.hpp>
#include <hawser/engine/detail/engine_core.hpp>

#include <cerrno>
#include <utility>

namespace hawser::detail {

namespace {

/// Not a failure of the socket: the operation begins again if it is still wanted.
bool is_transient(int code) noexcept {
  return code == EAGAIN || code == EINTR || code == ENOBUFS || code == ECANCELED;
}

/// Errors after which a datagram socket is of no use; any other belongs to one datagram.
bool ends_datagrams(int code) noexcept {
  return code == EBADF || code == ENOTSOCK || code == EINVAL || code == EOPNOTSUPP ||
         code == EFAULT;
}

}  // namespace

bool EngineCore::receive_completed(SocketId id, int result, const char* bytes, bool more) {
  Socket* socket = table_.find(id);
  if (socket == nullptr) return false;
  if (!more) {
    operation_ended(*socket, receive_operation);
    mark_dirty(*socket);  // the flush begins again, or not
  }
  if (socket->phase != SocketPhase::open) [[unlikely]] {
    return received_while_closing(*socket, result, more);
  }
  if (result > 0) [[likely]] {
    const auto size = static_cast<std::size_t>(result);
    counters_.received_bytes += size;
    if (!socket->wanted || socket->has_stash()) [[unlikely]] {
      socket->with_extra().stash.append(bytes, size);
      return false;
    }
    ++counters_.receives;
    static_cast<StreamEvents*>(socket->events)->on_received({bytes, size});
    socket = table_.find(id);
    return socket != nullptr && !socket->ended &&
           (socket->phase == SocketPhase::open ? socket->wanted
                                               : socket->phase == SocketPhase::flushing);
  }
  if (result == 0) {
    if (socket->ended) return false;
    socket->ended = true;
    if (!socket->wanted || socket->has_stash()) return false;  // held until resumed
    socket->end_reported = true;
    static_cast<StreamEvents*>(socket->events)->on_end_of_stream();
    return false;
  }
  if (is_transient(-result)) return false;
  fail(*socket, receive_operation, -result);
  return false;
}

void EngineCore::send_completed(SocketId id, int result) {
  Socket* found = table_.find(id);
  if (found == nullptr) return;
  Socket& socket = *found;
  operation_ended(socket, send_operation);
  if (socket.phase == SocketPhase::cancelling || socket.phase == SocketPhase::failed) {
    socket.queue.clear();
    finish_if_idle(socket);
    return;
  }
  if (result < 0) {
    if (is_transient(-result)) {
      mark_dirty(socket);
    } else if (socket.phase == SocketPhase::open) {
      fail(socket, send_operation, -result);
    } else {
      begin_cancelling(socket);
    }
    return;
  }
  counters_.sent_bytes += static_cast<std::size_t>(result);
  socket.queue.consume(static_cast<std::size_t>(result));
  const bool last = socket.shutdown_wanted || socket.phase == SocketPhase::flushing;
  // Inside the flush of this very socket, the FIN follows without another turn.
  if (!socket.queue.empty() || (last && advancing_ != &socket)) mark_dirty(socket);
  check_drained(socket);
}

bool EngineCore::accept_completed(SocketId id, int result, bool more) {
  Socket* socket = table_.find(id);
  if (socket != nullptr && !more) {
    operation_ended(*socket, accept_operation);
    mark_dirty(*socket);
  }
  if (socket == nullptr || socket->phase != SocketPhase::open) {
    if (result >= 0) family_closer().close_native(result);
    if (socket != nullptr) finish_if_idle(*socket);
    return false;
  }
  auto& events = *static_cast<AcceptEvents*>(socket->events);
  if (result >= 0) {
    ++counters_.accepts;
    configure_accepted(result, socket->extra->accepted);
    events.on_accepted(NativeSocket(result, family_closer()));
  } else {
    if (is_transient(-result) && result != -ENOBUFS) return false;
    const bool paused = accept_reaction(-result) != AcceptReaction::retry;
    if (paused) {
      socket->wanted = false;
      mark_dirty(*socket);
    }
    events.on_accept_failed(address_error(-result, "accept", socket->extra->address), paused);
  }
  socket = find_owned(id);
  return socket != nullptr && socket->wanted;
}

void EngineCore::connect_completed(SocketId id, int result) {
  Socket* socket = table_.find(id);
  if (socket == nullptr) return;
  operation_ended(*socket, connect_operation);
  if (socket->phase != SocketPhase::connecting) {
    finish_if_idle(*socket);
    return;
  }
  if (result < 0) {
    fail(*socket, connect_operation, -result);
    return;
  }
  socket->phase = SocketPhase::open;
  socket->extra.reset();
  mark_dirty(*socket);  // what was queued meanwhile
  check_drained(*socket);
  static_cast<StreamEvents*>(socket->events)->on_connected();
}

bool EngineCore::datagram_completed(SocketId id, const Datagram* datagram, int result, bool more) {
  Socket* socket = table_.find(id);
  if (socket == nullptr) return false;
  if (!more) {
    operation_ended(*socket, receive_operation);
    mark_dirty(*socket);
  }
  if (socket->phase != SocketPhase::open) {
    finish_if_idle(*socket);
    return false;
  }
  if (datagram != nullptr) {
    counters_.received_bytes += datagram->bytes.size();
    ++counters_.receives;
    static_cast<DatagramEvents*>(socket->events)->on_datagram(*datagram);
    socket = find_owned(id);
    return socket != nullptr && socket->wanted;
  }
  if (ends_datagrams(-result)) {
    fail(*socket, receive_operation, -result);
    return false;
  }
  return true;
}

}  // namespace hawser::detail
