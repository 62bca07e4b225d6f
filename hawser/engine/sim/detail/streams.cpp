// The data path of simulated streams: segments on the wire, windows, ends and resets.
#include <hawser/engine/sim/detail/streams.hpp>

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace hawser::sim::detail {

// ---- the table
// -----------------------------------------------------------------------------------

Stream* Streams::find(StreamRef ref) noexcept {
  if (ref.index >= streams_.size()) return nullptr;
  Stream& stream = *streams_[ref.index];
  return stream.generation == ref.generation && stream.state != StreamState::vacant ? &stream
                                                                                    : nullptr;
}

Stream* Streams::of(HostIndex host, int number) noexcept {
  const Descriptor* descriptor = ground_.host(host).find(number);
  return descriptor == nullptr ? nullptr : find(descriptor->stream);
}

Stream& Streams::make(HostIndex host) {
  if (vacant_.empty()) {
    vacant_.push_back(static_cast<std::uint32_t>(streams_.size()));
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->index = vacant_.back();
  }
  Stream& stream = *streams_[vacant_.back()];
  vacant_.pop_back();
  stream.host = host;
  stream.send_capacity = default_send_buffer;
  stream.receive_capacity = default_receive_buffer;
  ++alive_;
  return stream;
}

void Streams::free(Stream& stream) noexcept {
  if (stream.state == StreamState::vacant) return;
  if (stream.state == StreamState::half_open) {
    if (Listener* listener = listener_of(stream)) --listener->half_open;
  }
  if (stream.ephemeral_port) ground_.host(stream.host).free_ephemeral(stream.local.port());
  Stream fresh;
  fresh.index = stream.index;
  fresh.generation = stream.generation + 1;
  // A recycled entry keeps its memory: opening and closing in a loop allocates nothing.
  fresh.out = std::move(stream.out);
  fresh.in = std::move(stream.in);
  fresh.wire = std::move(stream.wire);
  fresh.out.clear();
  fresh.in.clear();
  fresh.wire.clear();
  stream = std::move(fresh);
  vacant_.push_back(stream.index);
  --alive_;
}

Listener* Streams::listener_of(const Stream& stream) noexcept {
  Descriptor* descriptor = ground_.host(stream.host).find(stream.listener);
  return descriptor == nullptr ? nullptr : descriptor->listener.get();
}

void Streams::apply(Stream& stream, const StreamOptions& options) {
  // As Linux: what is asked for is doubled for bookkeeping, and a floor holds.
  constexpr int least = 2304;
  if (options.send_buffer > 0) {
    stream.send_capacity = static_cast<std::size_t>(std::max(options.send_buffer, least)) * 2;
  }
  if (options.receive_buffer > 0) {
    stream.receive_capacity = static_cast<std::size_t>(std::max(options.receive_buffer, least)) * 2;
  }
  stream.options = options;
  stream.last_heard = ground_.now;
  if (options.keep_alive) ask_later(stream, options.keep_alive_idle);
}

Result<void> Streams::change(HostIndex host, int number, const StreamChanges& changes) {
  Stream* stream = of(host, number);
  if (stream == nullptr) {
    return std::unexpected(system_error(ENOTCONN, "change stream", "not connected"));
  }
  StreamOptions options = stream->options;
  const auto set = [](auto& where, const auto& what) {
    if (what) where = *what;
  };
  set(options.no_delay, changes.no_delay);
  set(options.keep_alive, changes.keep_alive);
  set(options.keep_alive_idle, changes.keep_alive_idle);
  set(options.keep_alive_interval, changes.keep_alive_interval);
  set(options.keep_alive_probes, changes.keep_alive_probes);
  set(options.user_timeout, changes.user_timeout);
  set(options.send_buffer, changes.send_buffer);
  set(options.receive_buffer, changes.receive_buffer);
  const Instant heard = stream->last_heard;
  ++stream->asking;  // the timer that runs is over
  apply(*stream, options);
  stream->last_heard = heard;
  if (changes.receive_low_water && !stream->is_unix) {
    stream->low_water = static_cast<std::size_t>(*changes.receive_low_water);
    tell_readable(*stream);
  }
  return {};
}

Result<Duration> Streams::silence(HostIndex host, int number) {
  const Stream* stream = of(host, number);
  if (stream == nullptr) return std::unexpected(system_error(EBADF, "last arrival"));
  if (stream->is_unix)
    return std::unexpected(system_error(EOPNOTSUPP, "last arrival", "only TCP streams tell"));
  return ground_.now - stream->last_data;
}

void Streams::configure(HostIndex host, int number, const StreamOptions& options) {
  if (Stream* stream = of(host, number)) apply(*stream, options);
}

// ---- calls
// ---------------------------------------------------------------------------------------

Streams::Received Streams::receive(HostIndex host, int number) {
  Stream* stream = of(host, number);
  if (stream == nullptr) return {-ENOTCONN, {}};
  if (!stream->in.empty()) {
    return {static_cast<int>(stream->in.size()), stream->in.view()};
  }
  if (stream->fin_received) return {0, {}};
  if (stream->error != 0) return {-stream->error, {}};
  return {-EAGAIN, {}};
}

void Streams::consume(HostIndex host, int number, std::size_t count) {
  Stream* stream = of(host, number);
  if (stream == nullptr) return;
  stream->in.consume(count);
  window_opened(*stream);
}

void Streams::window_opened(Stream& receiver) {
  Stream* sender = find(receiver.peer);
  if (sender == nullptr || !sender->window_closed) return;
  // No update for a few bytes, or a slow reader would be sent one byte at a time.
  if (receiver.receive_capacity - receiver.in.size() < receiver.receive_capacity / 4) return;
  sender->window_closed = false;
  ground_.after(ground_.links.delay(receiver.host, sender->host, ground_.random), EventKind::pump,
                sender->index, sender->generation);
}

int Streams::send(HostIndex host, int number, std::span<const iovec> vectors, std::size_t most) {
  Stream* stream = of(host, number);
  if (stream == nullptr) return -ENOTCONN;
  if (stream->state == StreamState::connecting) return -EAGAIN;
  if (stream->error != 0) return -std::exchange(stream->error, EPIPE);
  if (stream->fin_wanted || stream->sending_broken) return -EPIPE;
  const std::size_t used = stream->out.size();
  if (used >= stream->send_capacity) return -EAGAIN;
  std::size_t room = std::min(stream->send_capacity - used, most);
  const std::size_t before = room;
  for (const iovec& vector : vectors) {
    const std::size_t part = std::min(room, vector.iov_len);
    stream->out.append({static_cast<const char*>(vector.iov_base), part});
    room -= part;
    if (room == 0) break;
  }
  pump(*stream);
  return static_cast<int>(before - room);
}

bool Streams::writable(HostIndex host, int number) {
  const Stream* stream = of(host, number);
  return stream == nullptr || stream->error != 0 ||
         (stream->state == StreamState::established && stream->out.size() < stream->send_capacity);
}

int Streams::shutdown(HostIndex host, int number) {
  Stream* stream = of(host, number);
  if (stream == nullptr || stream->state != StreamState::established) return -ENOTCONN;
  if (stream->sending_broken) return 0;
  stream->fin_wanted = true;
  pump(*stream);
  return 0;
}

void Streams::close(HostIndex host, int number, bool reset) {
  HostState& state = ground_.host(host);
  const Descriptor* descriptor = state.find(number);
  if (descriptor == nullptr) return;
  ground_.trace.add(ground_.now, TraceKind::closed, static_cast<std::uint64_t>(number), host);
  Stream* stream = find(descriptor->stream);
  // One that close() has stopped before has left its address: then this does nothing more.
  if (descriptor->listener) stop_listening(host, number, true);
  state.free_descriptor(number);
  if (stream == nullptr) return;
  stream->descriptor = -1;
  // Bytes that nobody has read make the close a reset: that is how Linux tells the peer that they
  // were lost.
  if (reset || stream->state != StreamState::established || !stream->in.empty()) {
    abort(*stream);
    return;
  }
  stream->orphan = true;
  stream->fin_wanted = true;
  ground_.after(orphan_limit, EventKind::orphan_end, stream->index, stream->generation);
  pump(*stream);
  finish_if_done(*stream);
}

void Streams::abort(Stream& stream) {
  stream.orphan = true;
  if (stream.state == StreamState::established && !stream.held && !stream.reset_sent) {
    stream.out.truncate(stream.in_flight);
    stream.in.clear();
    stream.reset_sent = true;
    push(stream, Segment::Kind::reset, 0);
    return;
  }
  if (Stream* other = find(stream.peer); other != nullptr && stream.error == 0) {
    ground_.after(ground_.links.delay(stream.host, other->host, ground_.random),
                  EventKind::reset_in, other->index, other->generation);
  }
  free(stream);
}

// ---- sending
// -------------------------------------------------------------------------------------

void Streams::pump(Stream& stream) {
  if (stream.state != StreamState::established || stream.reset_sent) return;
  const Stream* receiver = find(stream.peer);
  const std::size_t largest =
      std::max<std::size_t>(1, ground_.links.faults(stream.host, stream.peer_host).segment_bytes);
  while (stream.unsent() > 0) {
    std::size_t room = stream.unsent();
    if (receiver != nullptr) {
      const std::size_t used = receiver->in.size() + stream.in_flight;
      room = used >= receiver->receive_capacity ? 0 : receiver->receive_capacity - used;
    }
    if (room == 0) {
      // What is in flight may find a reader quicker than we look again; deliver() looks too.
      close_window(stream);
      return;
    }
    stream.window_closed = false;  // some of it was opened: a new wait begins
    push(stream, Segment::Kind::data, std::min({room, stream.unsent(), largest}));
  }
  stream.window_closed = false;
  if ((stream.fin_wanted || stream.sending_broken) && !stream.fin_sent) {
    stream.fin_sent = true;
    push(stream, Segment::Kind::fin, 0);
  }
}

void Streams::push(Stream& stream, Segment::Kind kind, std::size_t bytes) {
  constexpr std::size_t header = 40;
  const Instant arrives = ground_.links.arrival(stream.host, stream.peer_host, bytes + header,
                                                ground_.now, ground_.random);
  stream.last_arrival = std::max(stream.last_arrival, arrives);
  stream.wire.push_back({stream.last_arrival, static_cast<std::uint32_t>(bytes), kind, false});
  stream.in_flight += bytes;
  schedule_arrival(stream);
}

void Streams::schedule_arrival(Stream& stream) {
  if (stream.arrival_scheduled || stream.held || stream.wire_empty()) return;
  stream.arrival_scheduled = true;
  const Segment& front = stream.wire[stream.wire_head];
  ground_.events.add(std::max({front.arrives, ground_.now, stream.stalled_until}),
                     EventKind::segment, stream.index, stream.generation);
}

void Streams::segment_arrives(Stream& stream) {
  stream.arrival_scheduled = false;
  if (stream.wire_empty() || stream.state != StreamState::established) return;
  if (stream.stalled_until > ground_.now) {
    schedule_arrival(stream);
    return;
  }
  Segment& front = stream.wire[stream.wire_head];
  if (ground_.unreachable(stream.host, stream.peer_host) || has_lost_its_address(stream)) {
    if (front.kind == Segment::Kind::reset) {
      free(stream);  // nobody repeats a reset
    } else {
      hold(stream);
    }
    return;
  }
  if (!front.judged && !judge(stream)) return;
  const Segment segment = stream.wire[stream.wire_head];  // judging may have moved the wire
  ++stream.wire_head;
  if (stream.wire_empty()) {
    stream.wire.clear();
    stream.wire_head = 0;
  } else if (stream.wire_head >= 1024 && stream.wire_head * 2 >= stream.wire.size()) {
    stream.wire.erase(stream.wire.begin(),
                      stream.wire.begin() + static_cast<std::ptrdiff_t>(stream.wire_head));
    stream.wire_head = 0;
  }
  const StreamRef self = stream.ref();
  deliver(stream, segment);
  if (Stream* still = find(self)) schedule_arrival(*still);
}

bool Streams::judge(Stream& stream) {
  Segment& segment = stream.wire[stream.wire_head];
  segment.judged = true;
  if (stream.host == stream.peer_host) return true;
  const Faults& faults = ground_.links.faults(stream.host, stream.peer_host);
  if (segment.kind != Segment::Kind::data) return true;
  if (ground_.strikes(faults.reset, FaultKind::reset, stream.index)) {
    if (Stream* other = find(stream.peer)) fail(*other, ECONNRESET);
    answer_with_reset(stream);
    hold(stream);  // nothing of this connection moves any more
    return false;
  }
  if (ground_.strikes(faults.stall, FaultKind::stall, stream.index)) {
    stream.stalled_until = ground_.now + ground_.drawn(faults.stall_length);
    schedule_arrival(stream);
    return false;
  }
  if (!stream.fin_wanted && !stream.sending_broken &&
      ground_.strikes(faults.half_close, FaultKind::half_close, stream.index)) {
    stream.sending_broken = true;
    pump(stream);
    ground_.host(stream.host).notify(stream.descriptor, Readiness::writable);
  }
  return true;
}

void Streams::deliver(Stream& stream, const Segment& segment) {
  Stream* other = find(stream.peer);
  stream.last_heard = ground_.now;  // the acknowledgement
  stream.unanswered = 0;
  if (other != nullptr) {
    other->last_heard = ground_.now;
    other->unanswered = 0;
  }
  const auto drop_front = [&stream, &segment] {
    stream.out.consume(segment.bytes);
    stream.in_flight -= segment.bytes;
  };
  if (other == nullptr || other->state == StreamState::failed) {
    if (segment.kind == Segment::Kind::reset) {
      free(stream);
      return;
    }
    drop_front();
    answer_with_reset(stream);
    return;
  }
  switch (segment.kind) {
    case Segment::Kind::handshake:
      handshake_done(*other);
      return;
    case Segment::Kind::reset: {
      const StreamRef self = stream.ref();
      fail(*other, ECONNRESET);
      if (Stream* still = find(self)) free(*still);
      return;
    }
    case Segment::Kind::fin:
      stream.fin_delivered = true;
      other->fin_received = true;
      ground_.trace.add(ground_.now, TraceKind::end_of_stream, other->index);
      ground_.host(other->host).notify(other->descriptor, Readiness::readable);
      finish_if_done(*other);
      finish_if_done(stream);
      return;
    case Segment::Kind::data:
      break;
  }
  if (other->orphan) {  // bytes for a program that has closed: the whole connection is reset
    drop_front();
    answer_with_reset(stream);
    free(*other);
    return;
  }
  ground_.trace.add(ground_.now, TraceKind::segment, other->index, segment.bytes);
  other->in.append(stream.out.view().substr(0, segment.bytes));
  other->last_data = ground_.now;
  drop_front();
  tell_readable(*other);
  if (stream.descriptor >= 0) {
    ground_.host(stream.host).notify(stream.descriptor, Readiness::writable);
  }
  if (stream.window_closed) window_opened(*other);
}

void Streams::tell_readable(const Stream& stream) {
  if (stream.in.size() >= std::min(stream.low_water, stream.receive_capacity))
    ground_.host(stream.host).notify(stream.descriptor, Readiness::readable);
}

// ---- what goes wrong
// -----------------------------------------------------------------------------

void Streams::hold(Stream& stream) {
  stream.held = true;
  stream.held_since = ground_.now;
  ++stream.hold;
  ground_.trace.add(ground_.now, TraceKind::held, stream.index);
  const Duration patience = stream.options.user_timeout;
  ground_.after(patience > Duration::zero() ? patience : retransmission_limit, EventKind::give_up,
                stream.index, stream.generation, stream.hold);
}

void Streams::kick(Stream& stream) {
  if (stream.state != StreamState::established) return;
  if (stream.held) {
    // The longer nothing got through, the longer the next repetition is away; a second at most.
    const Duration most = std::min<Duration>(ground_.now - stream.held_since, 1s);
    stream.held = false;
    ++stream.hold;
    stream.stalled_until =
        std::max(stream.stalled_until, ground_.now + ground_.drawn({Duration{0}, most}));
    schedule_arrival(stream);
  }
  if (stream.window_closed) pump(stream);
}

void Streams::kick_all() {
  for (const auto& stream : streams_) kick(*stream);
}

void Streams::answer_with_reset(Stream& stream) {
  ground_.after(ground_.links.delay(stream.peer_host, stream.host, ground_.random),
                EventKind::reset_in, stream.index, stream.generation);
}

void Streams::fail(Stream& stream, int error) {
  if (stream.state == StreamState::failed || stream.state == StreamState::vacant) return;
  ground_.trace.add(ground_.now, TraceKind::reset, stream.index, static_cast<std::uint64_t>(error));
  if (stream.orphan || stream.state == StreamState::half_open) {
    free(stream);
    return;
  }
  stream.state = StreamState::failed;
  // After the peer's FIN the read side has had its end: only writing still fails.
  stream.error = error == ECONNRESET && stream.fin_received ? EPIPE : error;
  stream.out.clear();
  stream.wire.clear();
  stream.wire_head = 0;
  stream.in_flight = 0;
  if (error == ECONNRESET && !stream.in.empty()) {
    const double rate = ground_.links.faults(stream.peer_host, stream.host).reset_discards;
    if (rate > 0 && ground_.random.chance(rate)) {
      stream.in.clear();
      if (stream.fin_received) {  // the end would make the loss look like a proper close
        stream.fin_received = false;
        stream.error = ECONNRESET;
      }
    }
  }
  HostState& host = ground_.host(stream.host);
  const int descriptor = stream.descriptor;
  host.notify(descriptor, Readiness::readable);
  host.notify(descriptor, Readiness::writable);
}

void Streams::finish_if_done(Stream& stream) {
  if (stream.orphan && stream.fin_delivered && stream.fin_received) free(stream);
}

bool Streams::has_lost_its_address(const Stream& stream) {
  const auto gone = [this](HostIndex host, const Address& address) {
    const bool is_ip =
        address.family() == Address::Family::ipv4 || address.family() == Address::Family::ipv6;
    return is_ip && !ground_.host(host).owns(Ip::of(address));
  };
  return gone(stream.host, stream.local) || gone(stream.peer_host, stream.remote);
}

void Streams::ask_later(Stream& stream, Duration wait) {
  ground_.after(wait, EventKind::keep_alive, stream.index, stream.generation, ++stream.asking);
}

/// As Linux: with a user time-out the questions go on until it is over, else so many are asked.
void Streams::probe(Stream& stream) {
  if (stream.state != StreamState::established) return;
  const StreamOptions& options = stream.options;
  if (stream.unanswered == 0) {
    const Duration silence = ground_.now - stream.last_heard;
    if (silence < options.keep_alive_idle) {
      ask_later(stream, options.keep_alive_idle - silence);
      return;
    }
  }
  const Stream* other = find(stream.peer);
  const bool silent = has_lost_its_address(stream) ||
                      ground_.unreachable(stream.host, stream.peer_host) ||
                      ground_.unreachable(stream.peer_host, stream.host);
  if (!silent && (other == nullptr || other->state == StreamState::failed)) {
    answer_with_reset(stream);
  } else if (!silent) {
    stream.unanswered = 0;
    stream.last_heard = ground_.now;
    ask_later(stream, options.keep_alive_idle);
  } else if (options.user_timeout > Duration::zero()
                 ? stream.unanswered > 0 && ground_.now - stream.last_heard >= options.user_timeout
                 : stream.unanswered >= static_cast<unsigned>(options.keep_alive_probes)) {
    fail(stream, ETIMEDOUT);
  } else {
    ++stream.unanswered;
    ask_later(stream, options.keep_alive_interval);
  }
}

void Streams::close_window(Stream& stream) {
  if (stream.window_closed) return;
  stream.window_closed = true;
  ++stream.wait;
  if (stream.options.user_timeout > Duration::zero()) {
    ground_.after(stream.options.user_timeout, EventKind::no_room, stream.index, stream.generation,
                  stream.wait);
  }
}

void Streams::handle(const Event& event) {
  Stream* stream = find({event.index, event.generation});
  if (stream == nullptr) return;
  switch (event.kind) {
    case EventKind::segment:
      segment_arrives(*stream);
      return;
    case EventKind::pump:
      if (ground_.unreachable(stream->peer_host, stream->host)) {
        close_window(*stream);  // the update is lost; kick_all() asks again
      } else {
        pump(*stream);
      }
      return;
    case EventKind::syn:
      syn_arrives(*stream);
      return;
    case EventKind::syn_again:
      send_syn(*stream);
      return;
    case EventKind::syn_answer:
      syn_answered(*stream, static_cast<int>(event.extra));
      return;
    case EventKind::reset_in:
      if (!ground_.unreachable(stream->peer_host, stream->host)) fail(*stream, ECONNRESET);
      return;
    case EventKind::give_up:
      if (!stream->held || stream->hold != event.extra) return;
      if (stream->wire.size() - stream->wire_head == 1 &&
          stream->wire[stream->wire_head].kind == Segment::Kind::handshake) {
        // Nobody waits for an answer to that: who has sent nothing notices nothing.
        ground_.after(retransmission_limit, EventKind::give_up, stream->index, stream->generation,
                      event.extra);
        return;
      }
      fail(*stream, ETIMEDOUT);
      return;
    case EventKind::orphan_end:
      if (stream->orphan || stream->state == StreamState::half_open) free(*stream);
      return;
    case EventKind::keep_alive:
      if (event.extra == stream->asking) probe(*stream);
      return;
    case EventKind::no_room:
      if (stream->window_closed && event.extra == stream->wait) fail(*stream, ETIMEDOUT);
      return;
    case EventKind::datagram:
    case EventKind::engine:
      return;
  }
}

void Streams::crash(HostIndex host) {
  for (const auto& stream : streams_) {
    if (stream->state != StreamState::vacant && stream->host == host) free(*stream);
  }
}

void Streams::reset_between(HostIndex left, HostIndex right) {
  for (const auto& stream : streams_) {
    const bool between = (stream->host == left && stream->peer_host == right) ||
                         (stream->host == right && stream->peer_host == left);
    if (between && stream->state == StreamState::established) fail(*stream, ECONNRESET);
  }
}

void Streams::stall_between(HostIndex from, HostIndex to, Instant until) {
  for (const auto& stream : streams_) {
    if (stream->state == StreamState::established && stream->host == from &&
        stream->peer_host == to) {
      stream->stalled_until = std::max(stream->stalled_until, until);
    }
  }
}

}  // namespace hawser::sim::detail
