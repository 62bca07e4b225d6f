// How sockets end: failures, the closing state machine (one for all engines) and its deadlines.
#include <hawser/engine/detail/engine_core.hpp>

#include <cerrno>

namespace hawser::detail {

void EngineCore::fail(Socket& socket, Operations operation, int code) {
  if (socket.phase != SocketPhase::open && socket.phase != SocketPhase::connecting) return;
  socket.phase = SocketPhase::failed;
  socket.failure = code;
  socket.failed_operation = operation;
  socket.notify = false;
  if (socket.kind == SocketKind::stream && operation != connect_operation) socket.extra.reset();
  if ((socket.pending & send_operation) == 0) socket.queue.clear();
  cancel_pending(socket);
  mark_noticed(socket);
}

void EngineCore::close(SocketId id, CloseMode mode, Instant deadline) {
  Socket* socket = find_owned(id);
  if (socket == nullptr) return;
  const bool stream = socket->kind == SocketKind::stream;
  if (stream) socket->extra.reset();
  socket->events = nullptr;
  socket->notify = false;
  const bool both_ended = socket->ended && socket->shutdown_done;
  if (mode == CloseMode::graceful && stream && socket->phase == SocketPhase::open && !both_ended) {
    begin_graceful(*socket, deadline);
    return;
  }
  socket->reset = mode == CloseMode::reset && stream;
  begin_cancelling(*socket);
}

void EngineCore::begin_graceful(Socket& socket, Instant deadline) {
  socket.phase = SocketPhase::flushing;
  mark_dirty(socket);
  if (deadline == Instant::never()) return;
  socket.timed = true;
  ++graceful_;
  deadlines_.add(deadline, socket.id());
}

bool EngineCore::received_while_closing(Socket& socket, int result, bool more) {
  switch (socket.phase) {
    case SocketPhase::flushing:
    case SocketPhase::draining:
      if (result > 0) return true;  // dropped: nobody is left to read it
      if (result == 0) {
        socket.ended = true;
        if (socket.phase == SocketPhase::draining) begin_cancelling(socket);
      } else if (result != -EAGAIN && result != -EINTR && result != -ENOBUFS &&
                 result != -ECANCELED) {
        begin_cancelling(socket);
      }
      return false;
    case SocketPhase::cancelling:
      if (!more) finish_if_idle(socket);
      return false;
    default:
      return false;
  }
}

void EngineCore::begin_cancelling(Socket& socket) {
  socket.phase = SocketPhase::cancelling;
  if (socket.timed) {
    socket.timed = false;
    --graceful_;
    deadlines_.compact(graceful_, [this](SocketId id) { return is_graceful(id); });
  }
  stop_listening_unless_left(socket);
  if ((socket.pending & send_operation) == 0) socket.queue.clear();
  cancel_pending(socket);
  finish_if_idle(socket);
}

void EngineCore::stop_listening_unless_left(Socket& socket) noexcept {
  if (socket.kind == SocketKind::listener && !socket.leave) stop_listening(socket);
}

void EngineCore::cancel_pending(Socket& socket) {
  const auto operations = static_cast<Operations>(socket.pending & ~socket.cancelled);
  if (operations == 0) return;
  socket.cancelled |= operations;
  operation_ended(socket, cancel(socket, operations));
}

void EngineCore::finish_if_idle(Socket& socket) {
  if (socket.phase != SocketPhase::cancelling || socket.pending != 0) return;
  // Closing a descriptor does not take a socket out of an epoll set while others hold it.
  if (socket.leave) detach(socket);
  close_socket(socket, socket.reset);
  table_.erase(socket);
}

bool EngineCore::is_graceful(SocketId id) noexcept {
  const Socket* socket = table_.find(id);
  return socket != nullptr &&
         (socket->phase == SocketPhase::flushing || socket->phase == SocketPhase::draining);
}

void EngineCore::run_deadlines() {
  SocketId id;
  while (deadlines_.take_due(now(), id)) {
    if (is_graceful(id)) begin_cancelling(table_.at(id.index));
  }
}

void EngineCore::abandon_all() noexcept {
  for (std::uint32_t index = 0; index < table_.used(); ++index) {
    Socket& socket = table_.at(index);
    if (socket.phase == SocketPhase::vacant) continue;
    if (socket.phase != SocketPhase::cancelling) stop_listening_unless_left(socket);
    close_socket(socket, false);
    table_.erase(socket);
  }
}

}  // namespace hawser::detail
