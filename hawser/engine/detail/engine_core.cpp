// The owner's calls, the flush, and the callbacks that need no kernel. Completions are in
// completions.cpp, the end of sockets in closing.cpp.
#include <hawser/base/check.hpp>
#include <hawser/base/faults.hpp>
#include <hawser/engine/detail/engine_core.hpp>
#include <hawser/engine/detail/kernel_random.hpp>

#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hawser::detail {

namespace {

StreamEvents& stream_events(const Socket& socket) noexcept {
  return *static_cast<StreamEvents*>(socket.events);
}

std::unexpected<Error> stale(const char* operation) {
  return std::unexpected(
      Error{ErrorKind::not_found, 0, operation, "no such socket: it was closed"});
}

std::unexpected<Error> not_releasable(const char* why) {
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "release", why});
}

}  // namespace

void EngineCore::give_memory_back() noexcept {
  send_pool_.trim(calm_send_bytes);
  // The heap by itself gives back only what lies above its topmost block in use, and a single small
  // one from the time of the burst pins all below it.
  ::malloc_trim(0);
}

// ---- what not every backend has
// ------------------------------------------------------------------

namespace {
std::unexpected<Error> unsupported(const char* operation) {
  return std::unexpected(
      Error{ErrorKind::unsupported, 0, operation, "this engine has no such thing"});
}
}  // namespace

Result<Address> EngineCore::prepare_listener(int, const ListenOptions&) {
  return unsupported("adopt listener");
}
Result<int> EngineCore::duplicate_listener(int) const { return unsupported("share listener"); }
Result<PeerCredentials> EngineCore::native_credentials(int) const {
  return unsupported("peer credentials");
}
Result<void> EngineCore::transmit_sockets(Socket&, BytesView, std::span<const NativeSocket>) {
  return unsupported("send sockets");
}

EngineCore::EngineCore(std::uint64_t seed) noexcept : Engine(seed) {}
EngineCore::~EngineCore() = default;

std::uint64_t EngineCore::secret_bits() {
  const auto bits = kernel_random();
  check(bits.has_value(), "the kernel has chance");
  return *bits;
}

// ---- the loop
// ------------------------------------------------------------------------------------

void EngineCore::poll(Instant until) {
  check(!polling_, "Engine::poll called from inside a callback");
  polling_ = true;
  ++counters_.polls;
  flush();
  Instant limit = now();
  if (dirty_.empty() && notices_.empty()) {
    limit = std::min(until, deadlines_.next([this](SocketId id) { return is_graceful(id); }));
  }
  if (limit > now()) ++counters_.waits;
  wait_and_collect(limit);
  dispatch_completions();
  run_notices();
  run_deadlines();
  polling_ = false;
}

void EngineCore::mark_dirty(Socket& socket) {
  if (socket.dirty) return;
  socket.dirty = true;
  dirty_.push_back(socket.index);
}

void EngineCore::flush() {
  flushing_.swap(dirty_);
  for (const std::uint32_t index : flushing_) {
    Socket& socket = table_.at(index);
    socket.dirty = false;  // what becomes dirty again from here on is for the next poll
    advancing_ = &socket;
    advance(socket);
  }
  advancing_ = nullptr;
  flushing_.clear();
}

void EngineCore::advance(Socket& socket) {
  switch (socket.phase) {
    case SocketPhase::connecting:
      if ((socket.pending & connect_operation) == 0) {
        socket.pending |= connect_operation;
        begin_connect(socket, socket.extra->address);
      }
      break;
    case SocketPhase::open:
    case SocketPhase::flushing:
    case SocketPhase::draining:
      if (socket.kind == SocketKind::stream) {
        advance_stream(socket);
      } else {
        begin_or_cancel(socket, socket.wanted,
                        socket.kind == SocketKind::listener ? accept_operation : receive_operation);
      }
      break;
    case SocketPhase::failed:
    case SocketPhase::cancelling:
    case SocketPhase::vacant:
      break;
  }
}

void EngineCore::advance_stream(Socket& socket) {
  if (!socket.queue.empty() && (socket.pending & send_operation) == 0) {
    const SocketId id = socket.id();
    socket.pending |= send_operation;
    ++counters_.sends;
    begin_send(socket, socket.queue);
    if (table_.find(id) == nullptr || socket.phase == SocketPhase::failed ||
        socket.phase == SocketPhase::cancelling) {
      return;  // it completed at once, with an error
    }
  }
  if (socket.queue.empty() && (socket.pending & send_operation) == 0) {
    const bool flushing = socket.phase == SocketPhase::flushing;
    if ((socket.shutdown_wanted || flushing) && !socket.shutdown_done) {
      socket.shutdown_done = true;
      if (const int result = shutdown_write(socket); result < 0) {
        if (flushing) {
          begin_cancelling(socket);
        } else {
          fail(socket, send_operation, -result);
        }
        return;
      }
    }
    if (flushing) {
      socket.phase = SocketPhase::draining;
      if (socket.ended) {
        begin_cancelling(socket);
        return;
      }
    }
  }
  // A closing socket is read even while it is still sending: a peer that first wants to be rid of
  // its own bytes would otherwise never come to read ours.
  const bool wanted =
      !socket.ended &&
      (socket.phase == SocketPhase::open ? socket.wanted && !socket.has_stash() : true);
  begin_or_cancel(socket, wanted, receive_operation);
}

void EngineCore::begin_or_cancel(Socket& socket, bool wanted, Operations operation) {
  if (wanted) {
    // One that is being cancelled comes here again after its final completion.
    if ((socket.pending & operation) != 0) return;
    socket.pending |= operation;
    switch (socket.kind) {
      case SocketKind::stream:
        begin_receive(socket);
        break;
      case SocketKind::listener:
        begin_accept(socket);
        break;
      case SocketKind::datagram:
        begin_receive_datagrams(socket);
        break;
    }
  } else if ((socket.pending & operation & ~socket.cancelled) != 0) {
    socket.cancelled |= operation;
    operation_ended(socket, cancel(socket, operation));
  }
}

// ---- callbacks that need no kernel
// ---------------------------------------------------------------

void EngineCore::mark_noticed(Socket& socket) {
  if (socket.noticed) return;
  socket.noticed = true;
  notices_.push_back(socket.index);
}

void EngineCore::run_notices() {
  // Notices that arise meanwhile are for the next poll: a callback that asks for another one each
  // time cannot hold the thread.
  running_notices_.swap(notices_);
  for (const std::uint32_t index : running_notices_) {
    Socket& socket = table_.at(index);
    socket.noticed = false;
    notice(socket);
  }
  running_notices_.clear();
}

void EngineCore::notice(Socket& socket) {
  if (socket.phase == SocketPhase::failed) {
    report_failure(socket);
    return;
  }
  if (socket.phase != SocketPhase::open || socket.kind != SocketKind::stream) return;
  const SocketId id = socket.id();
  const auto gone = [&] { return find_owned(id) == nullptr; };
  if (socket.wanted && socket.has_stash()) {
    const std::unique_ptr<SocketExtra> held = std::exchange(socket.extra, nullptr);
    mark_dirty(socket);  // receiving was held back for these bytes
    ++counters_.receives;
    stream_events(socket).on_received(held->stash);
    if (gone()) return;
  }
  if (socket.wanted && socket.ended && !socket.end_reported && !socket.has_stash()) {
    socket.end_reported = true;
    stream_events(socket).on_end_of_stream();
    if (gone()) return;
  }
  if (socket.notify && socket.queue.size() <= socket.drain_mark) {
    socket.notify = false;
    stream_events(socket).on_drained();
  }
}

void EngineCore::report_failure(Socket& socket) {
  const int code = std::exchange(socket.failure, 0);
  if (code == 0) return;  // reported before
  if (socket.kind == SocketKind::datagram) {
    static_cast<DatagramEvents*>(socket.events)->on_failed(system_error(code, "receive datagram"));
    return;
  }
  switch (socket.failed_operation) {
    case connect_operation:
      stream_events(socket).on_failed(
          address_error(code, "connect", socket.extra ? socket.extra->address : Address{}));
      break;
    case send_operation:
      stream_events(socket).on_failed(system_error(code, "send"));
      break;
    default:
      stream_events(socket).on_failed(system_error(code, "receive"));
      break;
  }
}

void EngineCore::check_drained(Socket& socket) {
  if (socket.notify && socket.queue.size() <= socket.drain_mark) mark_noticed(socket);
}

// ---- sockets come in
// -----------------------------------------------------------------------------

Socket* EngineCore::find_owned(SocketId id) const noexcept {
  Socket* socket = table_.find(id);
  return socket != nullptr && socket->owned() ? socket : nullptr;
}

Socket* EngineCore::find_owned(SocketId id, SocketKind kind) const noexcept {
  Socket* socket = find_owned(id);
  return socket != nullptr && socket->kind == kind ? socket : nullptr;
}

Result<Socket*> EngineCore::take_in(SocketKind kind, SocketPhase phase, int number, void* events) {
  if (table_.size() >= SocketTable::max_sockets) {
    family_closer().close_native(number);
    return std::unexpected(Error{ErrorKind::exhausted, 0, "open a socket",
                                 "this engine already holds 16777216 sockets"});
  }
  Socket& socket = table_.insert(kind, phase, number);
  if (Result<void> attached = attach(socket); !attached) {
    stop_listening_unless_left(socket);
    close_socket(socket, false);
    table_.erase(socket);
    return std::unexpected(std::move(attached).error());
  }
  socket.events = events;
  return &socket;
}

Engine::Listening EngineCore::listed(Socket& socket, Address bound) {
  socket.with_extra().address = bound;
  if (socket.wanted) mark_dirty(socket);
  return {socket.id(), std::move(bound)};
}

Result<Engine::Listening> EngineCore::listen(const Address& address, const ListenOptions& options,
                                             AcceptEvents& events) {
  Result<OpenedSocket> opened = open_listener(address, options);
  if (!opened) return std::unexpected(std::move(opened).error());
  return take_listener(*std::move(opened), options, events);
}

Result<Engine::Listening> EngineCore::take_listener(OpenedSocket opened,
                                                    const ListenOptions& options,
                                                    AcceptEvents& events) {
  Result<Socket*> socket = take_in(SocketKind::listener, SocketPhase::open, opened.number, &events);
  if (!socket) return std::unexpected(std::move(socket).error());
  (*socket)->with_extra().accepted = options.accepted;
  (*socket)->wanted = !options.start_paused;
  (*socket)->leave = options.leave_at_close;
  return listed(**socket, std::move(opened.bound));
}

Result<Engine::Listening> EngineCore::adopt_listener(NativeSocket socket,
                                                     const ListenOptions& options,
                                                     AcceptEvents& events) {
  if (!socket) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "adopt listener", "there is no socket"});
  }
  Result<Address> bound = prepare_listener(socket.number(), options);
  if (!bound) return std::unexpected(std::move(bound).error());
  return take_listener({socket.release(), *std::move(bound)}, options, events);
}

Result<NativeSocket> EngineCore::share_listener(SocketId id) {
  const Socket* socket = find_owned(id, SocketKind::listener);
  if (socket == nullptr) return stale("share listener");
  const Result<int> number = duplicate_listener(socket->number);
  if (!number) return std::unexpected(number.error());
  return NativeSocket(*number, family_closer());
}

void EngineCore::set_leave_at_close(SocketId id, bool leave) {
  Socket* socket = find_owned(id, SocketKind::listener);
  if (socket == nullptr) return;
  socket->leave = leave;
  // io_uring wakes one of those who wait on a listening socket. Whoever held it with us and has let
  // go may have been woken for a client and not have come to accept it: so look again, by beginning
  // anew (the flush does, after the final completion).
  if ((socket->pending & accept_operation & ~socket->cancelled) == 0) return;
  socket->cancelled |= accept_operation;
  operation_ended(*socket, cancel(*socket, accept_operation));
  mark_dirty(*socket);
}

Result<Engine::Listening> EngineCore::open_datagram(const Address& bind,
                                                    const DatagramOptions& options,
                                                    DatagramEvents& events) {
  Result<OpenedSocket> opened = open_datagram_socket(bind, options);
  if (!opened) return std::unexpected(std::move(opened).error());
  Result<Socket*> socket =
      take_in(SocketKind::datagram, SocketPhase::open, opened->number, &events);
  if (!socket) return std::unexpected(std::move(socket).error());
  (*socket)->wanted = true;
  return listed(**socket, std::move(opened->bound));
}

Result<SocketId> EngineCore::adopt(NativeSocket socket, StreamEvents& events) {
  if (!socket) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "adopt", "there is no socket"});
  }
  Result<Socket*> taken = take_in(SocketKind::stream, SocketPhase::open, socket.release(), &events);
  if (!taken) return std::unexpected(std::move(taken).error());
  return (*taken)->id();
}

Result<SocketId> EngineCore::connect(const Address& to, const StreamOptions& options,
                                     StreamEvents& events, const std::optional<Address>& from) {
  Result<int> number = open_stream(to, options, from);
  if (!number) return std::unexpected(std::move(number).error());
  Result<Socket*> taken = take_in(SocketKind::stream, SocketPhase::connecting, *number, &events);
  if (!taken) return std::unexpected(std::move(taken).error());
  (*taken)->with_extra().address = to;
  mark_dirty(**taken);
  return (*taken)->id();
}

Result<NativeSocket> EngineCore::release(SocketId id) {
  Socket* socket = find_owned(id);
  if (socket == nullptr) return stale("release");
  if (socket->kind == SocketKind::listener) return release_listener(*socket);
  if (socket->kind != SocketKind::stream) return not_releasable("a datagram socket stays here");
  if (socket->phase != SocketPhase::open) return not_releasable("the socket is not connected");
  if (socket->wanted) return not_releasable("receiving: call pause_receiving first");
  if (!socket->queue.empty()) return not_releasable("bytes are still queued");
  if (socket->shutdown_wanted) return not_releasable("the write side is shut down");
  if (socket->has_stash()) return not_releasable("received bytes wait to be delivered");
  if (socket->pending != 0) {
    return not_releasable("the kernel still works on the socket: release after another poll()");
  }
  return give_away(*socket);
}

Result<NativeSocket> EngineCore::release_listener(Socket& socket) {
  if (socket.wanted) return not_releasable("accepting: call pause_accepting first");
  if (socket.phase != SocketPhase::open || socket.pending != 0) {
    return not_releasable("the kernel still works on the socket: release after another poll()");
  }
  return give_away(socket);
}

NativeSocket EngineCore::give_away(Socket& socket) {
  detach(socket);
  NativeSocket native(socket.number, family_closer());
  table_.erase(socket);
  return native;
}

// ---- sockets at work
// -----------------------------------------------------------------------------

void EngineCore::pause_accepting(SocketId id) {
  Socket* socket = find_owned(id, SocketKind::listener);
  if (socket == nullptr || !socket->wanted) return;
  socket->wanted = false;
  mark_dirty(*socket);
}

void EngineCore::resume_accepting(SocketId id) {
  Socket* socket = find_owned(id, SocketKind::listener);
  if (socket == nullptr || socket->wanted) return;
  socket->wanted = true;
  mark_dirty(*socket);
}

void EngineCore::set_events(SocketId id, StreamEvents& events) {
  if (Socket* socket = find_owned(id, SocketKind::stream)) socket->events = &events;
}

void EngineCore::pause_receiving(SocketId id) {
  Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr || !socket->wanted) return;
  socket->wanted = false;
  mark_dirty(*socket);
}

void EngineCore::resume_receiving(SocketId id) {
  Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr || socket->wanted) return;
  socket->wanted = true;
  mark_dirty(*socket);
  if (socket->has_stash() || (socket->ended && !socket->end_reported)) mark_noticed(*socket);
}

SendQueue* EngineCore::outgoing(SocketId id) {
  Socket* socket = table_.find(id);
  if (socket == nullptr || socket->kind != SocketKind::stream || socket->shutdown_wanted ||
      (socket->phase != SocketPhase::open && socket->phase != SocketPhase::connecting)) {
    return nullptr;
  }
  mark_dirty(*socket);
  return &socket->queue;
}

std::size_t EngineCore::unsent(SocketId id) const {
  const Socket* socket = find_owned(id, SocketKind::stream);
  return socket == nullptr ? 0 : socket->queue.size();
}

void EngineCore::notify_below(SocketId id, std::size_t bytes) {
  Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr || socket->phase == SocketPhase::failed) return;
  socket->notify = true;
  socket->drain_mark = bytes;
  if (socket->phase == SocketPhase::open) check_drained(*socket);
}

void EngineCore::shutdown_sending(SocketId id) {
  Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr || socket->phase == SocketPhase::failed) return;
  socket->shutdown_wanted = true;
  mark_dirty(*socket);
}

Result<Address> EngineCore::peer(SocketId id) const {
  const Socket* socket = find_owned(id);
  if (socket == nullptr) return stale("peer");
  return native_peer(socket->number);
}

Result<Address> EngineCore::local(SocketId id) const {
  const Socket* socket = find_owned(id);
  if (socket == nullptr) return stale("local");
  if (socket->kind != SocketKind::stream) return socket->extra->address;
  return native_local(socket->number);
}

Result<void> EngineCore::change_stream(SocketId id, const StreamChanges& changes) {
  const Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr) return stale("change stream");
  if (const auto faults = changes.faults(); !faults.empty())
    return std::unexpected(faulty("change stream", faults));
  return native_change(socket->number, changes);
}

Result<Instant> EngineCore::last_arrival(SocketId id) const {
  const Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr) return stale("last arrival");
  Result<Duration> silence = native_silence(socket->number);
  if (!silence) return std::unexpected(std::move(silence.error()));
  return now() - *silence;
}

Result<PeerCredentials> EngineCore::peer_credentials(SocketId id) const {
  const Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr) return stale("peer credentials");
  return native_credentials(socket->number);
}

Result<void> EngineCore::send_sockets(SocketId id, BytesView bytes,
                                      std::span<const NativeSocket> sockets) {
  constexpr std::size_t bytes_maximum = 1024, sockets_maximum = 64;
  const auto invalid = [](const char* why) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "send sockets", why});
  };
  Socket* socket = find_owned(id, SocketKind::stream);
  if (socket == nullptr) return stale("send sockets");
  if (socket->phase != SocketPhase::open || socket->shutdown_wanted) {
    return invalid("the stream is not connected, or its write side is shut down");
  }
  if (!socket->queue.empty()) return invalid("bytes are still queued: they would be overtaken");
  if (bytes.empty() || bytes.size() > bytes_maximum) return invalid("needs 1 to 1024 bytes");
  if (sockets.size() > sockets_maximum) return invalid("takes at most 64 sockets at once");
  for (const NativeSocket& given : sockets) {
    if (!given) return invalid("one of the sockets is none");
  }
  ++counters_.sends;
  Result<void> sent = transmit_sockets(*socket, bytes, sockets);
  if (sent) counters_.sent_bytes += bytes.size();
  return sent;
}

Result<void> EngineCore::join_group(SocketId id, const Address& group,
                                    std::uint32_t interface_index) {
  Socket* socket = find_owned(id, SocketKind::datagram);
  if (socket == nullptr || socket->phase != SocketPhase::open) return stale("join group");
  return join_datagram_group(*socket, group, interface_index);
}

int EngineCore::descriptor(SocketId id) const {
  const Socket* socket = find_owned(id);
  return socket == nullptr ? -1 : socket->number;
}

Result<SocketId> EngineCore::watch_interfaces(DatagramEvents& events) {
  Result<int> opened = open_interface_watch();
  if (!opened) return std::unexpected(std::move(opened).error());
  Result<Socket*> socket = take_in(SocketKind::datagram, SocketPhase::open, *opened, &events);
  if (!socket) return std::unexpected(std::move(socket).error());
  (*socket)->wanted = true;
  return listed(**socket, Address{}).id;
}

Result<void> EngineCore::send_datagram(SocketId id, const Address& to, BytesView bytes,
                                       std::uint32_t interface_index) {
  Socket* socket = find_owned(id, SocketKind::datagram);
  if (socket == nullptr || socket->phase != SocketPhase::open) return stale("send datagram");
  ++counters_.sends;
  Result<void> sent = transmit_datagram(*socket, to, bytes, interface_index);
  if (sent) counters_.sent_bytes += bytes.size();
  return sent;
}

}  // namespace hawser::detail
