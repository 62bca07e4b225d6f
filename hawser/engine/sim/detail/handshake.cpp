// How simulated streams come to be: binding, listening, the three steps of the handshake,
// accepting.
#include <hawser/engine/sim/detail/streams.hpp>

#include <algorithm>
#include <cerrno>

namespace hawser::sim::detail {

namespace {

constexpr std::size_t somaxconn = 4096;

}  // namespace

// ---- listening
// -----------------------------------------------------------------------------------

Result<std::uint16_t> Streams::choose_listening_port(HostState& host, const Address& address,
                                                     const ListenOptions& options) {
  if (address.port() == 0) {
    const std::uint16_t port = host.take_ephemeral();
    if (port == 0) return std::unexpected(system_error(EADDRINUSE, "listen", "no port is free"));
    return port;
  }
  const auto [begin, end] = host.listeners.equal_range(address.port());
  for (auto at = begin; at != end; ++at) {
    const Descriptor* other = host.find(at->second);
    if (other == nullptr || !other->listener) continue;
    const Listener& taken = *other->listener;
    if (options.reuse_port && taken.options.reuse_port) continue;
    if (overlap(address, options.ipv6_only, taken.bound, taken.options.ipv6_only)) {
      return std::unexpected(
          system_error(EADDRINUSE, "listen", address.text() + " has a listener already"));
    }
  }
  return address.port();
}

Result<void> Streams::bind_unix(HostState& host, const std::string& path) {
  const auto place = host.unix_paths.find(path);
  if (place == host.unix_paths.end() || place->second < 0) return {};  // free, or left by the dead
  return std::unexpected(
      system_error(EADDRINUSE, "listen", "another program answers on unix:" + path));
}

Result<int> Streams::listen(HostIndex index, const Address& address, const ListenOptions& options) {
  HostState& host = ground_.host(index);
  Address bound = address;
  if (address.is_unix()) {
    if (auto free_path = bind_unix(host, address.path()); !free_path) {
      return std::unexpected(free_path.error());
    }
  } else if (address.family() == Address::Family::none) {
    return std::unexpected(system_error(EINVAL, "listen", "no address"));
  } else {
    if (!host.owns(Ip::of(address))) {
      return std::unexpected(system_error(EADDRNOTAVAIL, "listen",
                                          address.text() + " is not an address of " + host.name()));
    }
    auto port = choose_listening_port(host, address, options);
    if (!port) return std::unexpected(port.error());
    bound = address.with_port(*port);
  }
  const int number = host.take_descriptor(DescriptorKind::listener);
  if (number < 0) {
    if (address.port() == 0 && !address.is_unix()) host.free_ephemeral(bound.port());
    return std::unexpected(system_error(EMFILE, "listen", "raise the limit of open files"));
  }
  auto listener = std::make_unique<Listener>();
  listener->bound = bound;
  listener->options = options;
  listener->credentials = host.credentials;
  listener->backlog = std::min(static_cast<std::size_t>(std::max(options.backlog, 0)), somaxconn);
  host.find(number)->listener = std::move(listener);
  if (bound.is_unix()) {
    host.unix_paths[bound.path()] = number;
  } else {
    host.listeners.emplace(bound.port(), number);
  }
  return number;
}

void Streams::stop_listening(HostIndex index, int number, bool leave_file) noexcept {
  HostState& host = ground_.host(index);
  Descriptor* descriptor = host.find(number);
  if (descriptor == nullptr || !descriptor->listener) return;
  Listener& listener = *descriptor->listener;
  if (listener.bound.is_unix()) {
    const auto place = host.unix_paths.find(listener.bound.path());
    if (place != host.unix_paths.end() && place->second == number) {
      if (leave_file && !listener.bound.path().starts_with('@')) {
        place->second = -1;
      } else {
        host.unix_paths.erase(place);
      }
    }
  } else {
    const auto [begin, end] = host.listeners.equal_range(listener.bound.port());
    for (auto at = begin; at != end; ++at) {
      if (at->second != number) continue;
      host.listeners.erase(at);
      break;
    }
    if (!host.listeners.contains(listener.bound.port())) {
      host.free_ephemeral(listener.bound.port());
    }
  }
  // Whoever was ready but never accepted is reset; the half-open find nobody at their last step.
  const auto waiting = std::move(listener.ready);
  listener.ready.clear();
  for (const StreamRef ref : waiting) {
    if (Stream* stream = find(ref)) abort(*stream);
  }
  for (const auto& stream : streams_) {
    if (stream->state == StreamState::half_open && stream->host == index &&
        stream->listener == number) {
      free(*stream);
    }
  }
}

Result<Address> Streams::relisten(HostIndex index, int number, const ListenOptions& options) {
  const Descriptor* descriptor = ground_.host(index).find(number);
  if (descriptor == nullptr) return std::unexpected(system_error(EBADF, "adopt listener"));
  if (!descriptor->listener) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "adopt listener", "the socket does not listen"});
  }
  descriptor->listener->options.accepted = options.accepted;
  return descriptor->listener->bound;
}

int Streams::find_listener(HostIndex index, const Address& to, const Address& from) {
  const HostState& host = ground_.host(index);
  const Ip ip = Ip::of(to);
  int found = -1;
  int exact = -1;
  std::vector<int> same;  // listeners that share the port by reuse_port
  const auto [begin, end] = host.listeners.equal_range(to.port());
  for (auto at = begin; at != end; ++at) {
    const Descriptor* descriptor = ground_.host(index).find(at->second);
    if (descriptor == nullptr || !descriptor->listener) continue;
    const Listener& listener = *descriptor->listener;
    if (!serves(listener.bound, listener.options.ipv6_only, ip)) continue;
    found = at->second;
    if (Ip::of(listener.bound) == ip) exact = at->second;
    if (listener.options.reuse_port) same.push_back(at->second);
  }
  if (same.size() > 1) {  // spread as the kernel does, by a hash of the connection
    return same[(from.port() * std::size_t{2654435761U} >> 16U) % same.size()];
  }
  return exact >= 0 ? exact : found;
}

bool Streams::has_accepts(HostIndex host, int number) {
  const Descriptor* descriptor = ground_.host(host).find(number);
  return descriptor != nullptr && descriptor->listener && !descriptor->listener->ready.empty();
}

int Streams::accept(HostIndex index, int number) {
  HostState& host = ground_.host(index);
  Descriptor* descriptor = host.find(number);
  if (descriptor == nullptr || !descriptor->listener) return -EINVAL;
  Listener* listener = descriptor->listener.get();
  while (!listener->ready.empty()) {
    Stream* stream = find(listener->ready.front());
    if (stream == nullptr) {
      listener->ready.pop_front();
      continue;
    }
    if (!host.accept_failures.empty()) {
      const int code = host.accept_failures.front();
      host.accept_failures.pop_front();
      return -code;
    }
    const Faults& faults = ground_.links.host_faults(index);
    if (ground_.strikes(faults.accept_aborted, FaultKind::accept_aborted, stream->index)) {
      listener->ready.pop_front();
      abort(*stream);
      return -ECONNABORTED;
    }
    if (ground_.strikes(faults.accept_exhausted, FaultKind::accept_exhausted, stream->index)) {
      return -EMFILE;
    }
    const int accepted = host.take_descriptor(DescriptorKind::stream);
    if (accepted < 0) return -EMFILE;
    // Taking a descriptor may have moved the others: the listener itself stays where it is.
    listener->ready.pop_front();
    host.find(accepted)->stream = stream->ref();
    stream->descriptor = accepted;
    stream->listener = -1;
    return accepted;
  }
  return -EAGAIN;
}

// ---- connecting
// ----------------------------------------------------------------------------------

Result<int> Streams::open(HostIndex index, const Address& to, const StreamOptions& options,
                          const std::optional<Address>& from) {
  HostState& host = ground_.host(index);
  if (to.family() == Address::Family::none) {
    return std::unexpected(system_error(EINVAL, "connect", "no address"));
  }
  if (from && !to.is_unix()) {
    if (from->family() != to.family()) {
      return std::unexpected(
          system_error(EINVAL, "connect", "the local address is of another family"));
    }
    if (!host.owns(Ip::of(*from))) {
      return std::unexpected(system_error(EADDRNOTAVAIL, "connect",
                                          from->text() + " is not an address of " + host.name()));
    }
    if (from->port() != 0 &&
        (host.ephemeral_taken(from->port()) || host.listeners.contains(from->port()))) {
      return std::unexpected(system_error(EADDRINUSE, "connect", from->text() + " is taken"));
    }
  }
  const int number = host.take_descriptor(DescriptorKind::fresh_stream);
  if (number < 0) {
    return std::unexpected(system_error(EMFILE, "connect", "raise the limit of open files"));
  }
  Descriptor* descriptor = host.find(number);
  descriptor->bind_to = from;
  descriptor->options = options;
  return number;
}

int Streams::connect(HostIndex index, int number, const Address& to) {
  HostState& host = ground_.host(index);
  Descriptor* descriptor = host.find(number);
  if (descriptor == nullptr) return -EBADF;
  if (descriptor->kind != DescriptorKind::fresh_stream) return -EISCONN;
  HostIndex target = index;
  Address remote = to;
  Address local;
  bool ephemeral = false;
  if (!to.is_unix()) {
    const auto source = host.source_for(to);
    if (!source) return -ENETUNREACH;
    if (Ip::of(to).is_any()) remote = source->with_port(to.port());
    if (!host.owns(Ip::of(to))) {
      const auto place = ground_.addresses.find(Ip::of(to));
      if (place == ground_.addresses.end()) return -EHOSTUNREACH;
      target = place->second;
    }
    local = descriptor->bind_to && !Ip::of(*descriptor->bind_to).is_any() ? *descriptor->bind_to
                                                                          : *source;
    std::uint16_t port = descriptor->bind_to ? descriptor->bind_to->port() : std::uint16_t{0};
    if (port == 0) {
      port = host.take_ephemeral();
      if (port == 0) return -EADDRNOTAVAIL;
      ephemeral = true;
    }
    local = local.with_port(port);
  }
  Stream& stream = make(index);
  stream.state = StreamState::connecting;
  stream.peer_host = target;
  stream.descriptor = number;
  stream.remote = std::move(remote);
  stream.local = std::move(local);
  stream.ephemeral_port = ephemeral;
  stream.is_unix = to.is_unix();
  stream.own_credentials = host.credentials;
  descriptor->kind = DescriptorKind::stream;
  descriptor->stream = stream.ref();
  apply(stream, descriptor->options);
  ground_.trace.add(ground_.now, TraceKind::connecting, stream.index, index, target);
  if (index != target && ground_.strikes(ground_.links.faults(index, target).connect_black_holed,
                                         FaultKind::connect_black_holed, stream.index)) {
    stream.black_holed = true;
  }
  send_syn(stream);
  return 0;
}

int Streams::connect_result(HostIndex host, int number) {
  const Stream* stream = of(host, number);
  if (stream == nullptr) return -ENOTCONN;
  if (stream->state == StreamState::connecting) return -EINPROGRESS;
  return -stream->error;
}

void Streams::send_syn(Stream& stream) {
  if (stream.state != StreamState::connecting) return;
  if (stream.attempts >= 7) {
    fail(stream, ETIMEDOUT);
    return;
  }
  ++stream.attempts;
  if (stream.black_holed || ground_.unreachable(stream.host, stream.peer_host)) {
    try_again_later(stream);
    return;
  }
  ground_.after(ground_.links.delay(stream.host, stream.peer_host, ground_.random), EventKind::syn,
                stream.index, stream.generation);
}

void Streams::try_again_later(Stream& stream) {
  // 1, 2, 4 … 64 seconds: 127 in all. Unix sockets wait for room in the backlog instead.
  const Duration pause =
      stream.is_unix ? Duration{1ms} : Duration{1s} * (1 << (stream.attempts - 1));
  if (stream.is_unix) stream.attempts = 0;
  ground_.after(pause, EventKind::syn_again, stream.index, stream.generation);
}

void Streams::syn_arrives(Stream& stream) {
  if (stream.state != StreamState::connecting) return;
  const HostIndex target = stream.peer_host;
  if (ground_.unreachable(stream.host, target)) {
    try_again_later(stream);
    return;
  }
  const Duration back = ground_.links.delay(target, stream.host, ground_.random);
  const auto answer = [&](int error) {
    ground_.after(back, EventKind::syn_answer, stream.index, stream.generation,
                  static_cast<std::uint64_t>(error));
  };
  if (find(stream.peer) != nullptr) {  // an attempt repeated: the first answer was lost
    answer(0);
    return;
  }
  if (stream.host != target &&
      ground_.strikes(ground_.links.faults(stream.host, target).connect_refused,
                      FaultKind::connect_refused, stream.index)) {
    answer(ECONNREFUSED);
    return;
  }
  HostState& host = ground_.host(target);
  int number = -1;
  if (stream.is_unix) {
    const auto place = host.unix_paths.find(stream.remote.path());
    if (place == host.unix_paths.end()) {
      answer(ENOENT);
      return;
    }
    number = place->second;
  } else {
    number = find_listener(target, stream.remote, stream.local);
  }
  Descriptor* descriptor = host.find(number);
  if (descriptor == nullptr || !descriptor->listener) {
    answer(ECONNREFUSED);
    return;
  }
  Listener& listener = *descriptor->listener;
  if (listener.full()) {  // Linux says nothing and lets the client repeat itself
    try_again_later(stream);
    return;
  }
  Stream& other = make(target);
  other.state = StreamState::half_open;
  other.peer_host = stream.host;
  other.peer = stream.ref();
  other.listener = number;
  other.local = stream.remote;
  other.remote = stream.local;
  other.is_unix = stream.is_unix;
  other.remote_credentials = stream.own_credentials;
  stream.remote_credentials = listener.credentials;
  ++listener.half_open;
  stream.peer = other.ref();
  // Linux repeats its answer for about so long and then forgets the attempt.
  ground_.after(63s, EventKind::orphan_end, other.index, other.generation);
  answer(0);
}

void Streams::syn_answered(Stream& stream, int error) {
  if (stream.state != StreamState::connecting) return;
  if (ground_.unreachable(stream.peer_host, stream.host)) {
    try_again_later(stream);
    return;
  }
  if (error == 0 && find(stream.peer) == nullptr) error = ECONNREFUSED;  // the listener went
  if (error != 0) {
    ground_.trace.add(ground_.now, TraceKind::refused, stream.index,
                      static_cast<std::uint64_t>(error));
    fail(stream, error);
    return;
  }
  stream.state = StreamState::established;
  stream.last_data = ground_.now;
  push(stream, Segment::Kind::handshake, 0);
  ground_.host(stream.host).notify(stream.descriptor, Readiness::writable);
}

void Streams::handshake_done(Stream& stream) {
  if (stream.state != StreamState::half_open) return;
  Listener* listener = listener_of(stream);
  if (listener == nullptr) {
    free(stream);
    return;
  }
  --listener->half_open;
  stream.state = StreamState::established;
  stream.last_data = ground_.now;
  listener->ready.push_back(stream.ref());
  ground_.trace.add(ground_.now, TraceKind::connected, stream.peer.index, stream.index);
  ground_.host(stream.host).notify(stream.listener, Readiness::readable);
}

Result<Address> Streams::local(HostIndex host, int number) {
  if (const Stream* stream = of(host, number)) return stream->local;
  const Descriptor* descriptor = ground_.host(host).find(number);
  if (descriptor != nullptr && descriptor->listener) return descriptor->listener->bound;
  if (descriptor != nullptr && descriptor->datagram) return descriptor->datagram->bound;
  if (descriptor != nullptr && descriptor->bind_to) return *descriptor->bind_to;
  if (descriptor != nullptr) return Address{};
  return std::unexpected(system_error(EBADF, "local"));
}

Result<Address> Streams::peer(HostIndex host, int number) {
  const Stream* stream = of(host, number);
  if (stream == nullptr || stream->state == StreamState::connecting) {
    return std::unexpected(system_error(ENOTCONN, "peer"));
  }
  return stream->remote;
}

Result<PeerCredentials> Streams::credentials(HostIndex host, int number) {
  const Stream* stream = of(host, number);
  if (stream == nullptr || stream->state != StreamState::established) {
    return std::unexpected(system_error(ENOTCONN, "peer credentials"));
  }
  if (!stream->is_unix) {
    return std::unexpected(Error{ErrorKind::unsupported, 0, "peer credentials",
                                 "only Unix sockets tell who is at their other end"});
  }
  return stream->remote_credentials;
}

}  // namespace hawser::sim::detail
