// Who gets a datagram, and what becomes of it on its way.
#include <hawser/engine/sim/detail/datagrams.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace hawser::sim::detail {

namespace {
constexpr std::uint32_t loopback_interface = 1;
}

DatagramSocket* Datagrams::of(HostIndex host, int number) {
  Descriptor* descriptor = ground_.host(host).find(number);
  return descriptor == nullptr ? nullptr : descriptor->datagram.get();
}

Result<int> Datagrams::open(HostIndex index, const Address& bind, const DatagramOptions& options) {
  HostState& host = ground_.host(index);
  const Ip ip = Ip::of(bind);
  const bool is_ip =
      bind.family() == Address::Family::ipv4 || bind.family() == Address::Family::ipv6;
  if (!is_ip) {
    return std::unexpected(system_error(EINVAL, "open_datagram", "an IP address is needed"));
  }
  if (!host.owns(ip) && !ip.is_multicast() && broadcast_interface(host, ip) == nullptr) {
    return std::unexpected(system_error(EADDRNOTAVAIL, "open_datagram",
                                        bind.text() + " is not an address of " + host.name()));
  }
  std::uint16_t port = bind.port();
  if (port == 0) {
    // Datagram ports are another set than TCP's: only those taken by datagram sockets count.
    for (std::uint16_t candidate = 32'768; candidate < 61'000 && port == 0; ++candidate) {
      if (!host.datagrams.contains(candidate)) port = candidate;
    }
    if (port == 0) {
      return std::unexpected(system_error(EADDRINUSE, "open_datagram", "no port is free"));
    }
  }
  const auto [begin, end] = host.datagrams.equal_range(port);
  for (auto at = begin; at != end; ++at) {
    const DatagramSocket* other = of(index, at->second);
    if (other == nullptr || (options.reuse_address && other->options.reuse_address)) continue;
    if (overlap(bind, options.ipv6_only, other->bound, other->options.ipv6_only)) {
      return std::unexpected(system_error(EADDRINUSE, "open_datagram", bind.text() + " is taken"));
    }
  }
  for (const Address& group : options.multicast_groups) {
    if (!Ip::of(group).is_multicast()) {
      return std::unexpected(
          system_error(EINVAL, "open_datagram", group.text() + " is not a multicast group"));
    }
  }
  const int number = host.take_descriptor(DescriptorKind::datagram);
  if (number < 0) {
    return std::unexpected(system_error(EMFILE, "open_datagram", "raise the limit of open files"));
  }
  auto socket = std::make_unique<DatagramSocket>();
  socket->bound = bind.with_port(port);
  socket->options = options;
  host.find(number)->datagram = std::move(socket);
  host.datagrams.emplace(port, number);
  return number;
}

void Datagrams::close(HostIndex index, int number) {
  HostState& host = ground_.host(index);
  const DatagramSocket* socket = of(index, number);
  if (socket == nullptr) return;
  std::erase(host.interface_watches, number);
  const auto [begin, end] = host.datagrams.equal_range(socket->bound.port());
  for (auto at = begin; at != end; ++at) {
    if (at->second != number) continue;
    host.datagrams.erase(at);
    break;
  }
  host.free_descriptor(number);
}

Result<void> Datagrams::join(HostIndex index, int number, const Address& group,
                             std::uint32_t interface_index) {
  const HostState& host = ground_.host(index);
  DatagramSocket* socket = of(index, number);
  const Ip ip = Ip::of(group);
  if (socket == nullptr || !ip.is_multicast()) {
    return std::unexpected(
        system_error(EINVAL, "join group", group.text() + " is not a multicast group"));
  }
  if (interface_index != loopback_interface &&
      std::ranges::find(host.interfaces, interface_index, &Interface::index) ==
          host.interfaces.end()) {
    return std::unexpected(Error{ErrorKind::not_found, ENODEV, "join group",
                                 "there is no interface " + std::to_string(interface_index)});
  }
  // An index is never given to a second interface: what is gone needs no leaving.
  const std::pair membership{ip, interface_index};
  if (std::ranges::find(socket->memberships, membership) == socket->memberships.end())
    socket->memberships.push_back(membership);
  return {};
}

Result<int> Datagrams::open_watch(HostIndex index) {
  HostState& host = ground_.host(index);
  const int number = host.take_descriptor(DescriptorKind::datagram);
  if (number < 0) {
    return std::unexpected(
        system_error(EMFILE, "watch interfaces", "raise the limit of open files"));
  }
  host.find(number)->datagram = std::make_unique<DatagramSocket>();
  host.interface_watches.push_back(number);
  return number;
}

void Datagrams::interfaces_changed(HostIndex index) {
  HostState& host = ground_.host(index);
  for (const int number : host.interface_watches) {
    of(index, number)->waiting.emplace_back();
    of(index, number)->waiting_bytes += 1;
    host.notify(number, Readiness::readable);
  }
}

const Interface* Datagrams::broadcast_interface(const HostState& host, const Ip& to,
                                                std::uint32_t interface_index) const {
  if (!to.is_v4()) return nullptr;
  for (const Interface& interface : host.interfaces) {
    if (interface_index != 0 && interface.index != interface_index) continue;
    const Ip own = Ip::of(interface.address);
    if (!own.is_v4()) continue;
    if (to.v4() == UINT32_MAX) return &interface;
    const std::uint32_t host_bits = interface.prefix >= 32 ? 0 : UINT32_MAX >> interface.prefix;
    if (host_bits != 0 && to.v4() == (own.v4() | host_bits)) return &interface;
  }
  return nullptr;
}

Result<void> Datagrams::send(HostIndex index, int number, const Address& to, BytesView bytes,
                             std::uint32_t interface_index) {
  const auto refuse = [&to](int code, const char* detail) {
    return std::unexpected(system_error(code, "send_datagram", to.text() + ": " + detail));
  };
  HostState& host = ground_.host(index);
  const DatagramSocket* socket = of(index, number);
  if (socket == nullptr) return refuse(EBADF, "no such socket");
  if (bytes.size() > largest) return refuse(EMSGSIZE, "at most 65507 bytes fit");
  const Ip ip = Ip::of(to);
  const bool v4_socket = socket->bound.family() == Address::Family::ipv4;
  if (to.port() == 0 || to.is_unix() || to.family() == Address::Family::none) {
    return refuse(EINVAL, "not an address to send to");
  }
  if (v4_socket != ip.is_v4() && (v4_socket || socket->options.ipv6_only)) {
    return refuse(EAFNOSUPPORT, "the socket is of the other family");
  }
  const bool on_loopback = interface_index == loopback_interface;
  if (interface_index != 0 && !on_loopback &&
      std::ranges::none_of(host.interfaces, [&](const Interface& interface) {
        return interface.index == interface_index;
      })) {
    return std::unexpected(Error{ErrorKind::not_found, ENODEV, "send_datagram",
                                 "there is no interface " + std::to_string(interface_index)});
  }
  Parcel parcel;
  parcel.from_host = index;
  parcel.to = to;
  parcel.bytes.assign(bytes);
  const Ip bound = Ip::of(socket->bound);
  const auto sent_from = [&](const Address& usual) {
    return (bound.is_any() || bound.is_multicast() ? usual : socket->bound)
        .with_port(socket->bound.port());
  };
  if (ip.is_v4() && (ip.v4() == UINT32_MAX || ip.v4() == 0x7fffffffU ||
                     broadcast_interface(host, ip) != nullptr)) {
    if (!socket->options.broadcast) return refuse(EACCES, "broadcast was not asked for");
    parcel.reach = Reach::broadcast;
    const Interface* way = broadcast_interface(host, ip, interface_index);
    if (ip.v4() == 0x7fffffffU || bound.is_loopback() || on_loopback) way = nullptr;
    parcel.from = sent_from(way == nullptr ? Address::loopback(0) : way->address);
    if (way == nullptr) {
      parcel.to_host = index;
      parcel.interface_index = loopback_interface;
      post(std::move(parcel));
    } else {
      post_to_segment(*way, parcel);
    }
    return {};
  }
  if (ip.is_multicast()) {
    parcel.reach = Reach::multicast;
    const Interface* way = nullptr;
    const std::uint32_t scope = interface_index != 0 ? interface_index : to.scope();
    for (const Interface& interface : host.interfaces) {
      const bool fits =
          scope == 0 ? interface.address.family() == to.family() : interface.index == scope;
      if (fits && way == nullptr) way = &interface;
    }
    if (way == nullptr && scope != loopback_interface) return refuse(ENETUNREACH, "no way");
    if (scope == loopback_interface || bound.is_loopback()) {
      parcel.from = sent_from(Address::loopback(0));
      parcel.to_host = index;
      parcel.interface_index = loopback_interface;
      post(std::move(parcel));
    } else {
      parcel.from = sent_from(way->address);
      post_to_segment(*way, parcel);
    }
    return {};
  }
  const auto source = host.source_for(to);
  if (!source) return refuse(ENETUNREACH, "no way");
  parcel.from = sent_from(*source);
  if (host.owns(ip)) {
    parcel.to_host = index;
    parcel.interface_index = loopback_interface;
    if (ip.is_any()) parcel.to = source->with_port(to.port());
  } else {
    const auto place = ground_.addresses.find(ip);
    if (place == ground_.addresses.end()) return {};  // nobody there: lost, as on a real wire
    parcel.to_host = place->second;
    const Interface* incoming = ground_.host(parcel.to_host).interface_of(ip);
    parcel.interface_index = incoming == nullptr ? 0 : incoming->index;
  }
  post(std::move(parcel));
  return {};
}

void Datagrams::post_to_segment(const Interface& way, const Parcel& parcel) {
  for (const auto& host : ground_.hosts) {
    const auto place = std::ranges::find_if(host->interfaces, [&](const Interface& interface) {
      return interface.segment == way.segment && interface.address.family() == way.address.family();
    });
    if (place == host->interfaces.end()) continue;
    Parcel copy = parcel;
    copy.to_host = host->index;
    copy.interface_index = place->index;
    post(std::move(copy));
  }
}

void Datagrams::post(Parcel parcel) {
  const HostIndex from = parcel.from_host;
  const HostIndex to = parcel.to_host;
  if (from != to) {
    const Faults& faults = ground_.links.faults(from, to);
    if (ground_.strikes(faults.datagram_loss, FaultKind::datagram_loss, to)) return;
    if (ground_.strikes(faults.datagram_duplication, FaultKind::datagram_duplication, to)) {
      schedule(parcel);
    }
  }
  schedule(parcel);
}

void Datagrams::schedule(const Parcel& parcel) {
  const HostIndex from = parcel.from_host;
  const HostIndex to = parcel.to_host;
  constexpr std::size_t header = 28;
  Instant at =
      ground_.links.arrival(from, to, parcel.bytes.size() + header, ground_.now, ground_.random);
  if (from != to) {
    const Faults& faults = ground_.links.faults(from, to);
    if (ground_.strikes(faults.datagram_reordering, FaultKind::datagram_reordering, to)) {
      at = at + ground_.drawn({Duration{0}, faults.reordering_delay});
    }
  }
  if (vacant_.empty()) {
    vacant_.push_back(static_cast<std::uint32_t>(parcels_.size()));
    parcels_.emplace_back();
  }
  const std::uint32_t place = vacant_.back();
  vacant_.pop_back();
  parcels_[place] = parcel;
  ground_.events.add(at, EventKind::datagram, place, 0);
}

void Datagrams::arrive(std::uint32_t place) {
  const Parcel parcel = std::move(parcels_[place]);
  vacant_.push_back(place);
  if (ground_.unreachable(parcel.from_host, parcel.to_host)) return;
  HostState& host = ground_.host(parcel.to_host);
  const Ip to = Ip::of(parcel.to);
  const auto [begin, end] = host.datagrams.equal_range(parcel.to.port());
  int chosen = -1;
  bool exact = false;
  for (auto at = begin; at != end; ++at) {
    const DatagramSocket* socket = of(host.index, at->second);
    if (socket == nullptr) continue;
    const Ip bound = Ip::of(socket->bound);
    if (!serves(socket->bound, socket->options.ipv6_only, to)) {
      // A socket of the loopback address hears what is broadcast on loopback.
      if (!(parcel.reach == Reach::broadcast && bound.is_loopback() && to.v4() == 0x7fffffffU)) {
        continue;
      }
    }
    switch (parcel.reach) {
      case Reach::broadcast:
        deliver(host, at->second, parcel);
        break;
      case Reach::multicast: {
        const auto& groups = socket->options.multicast_groups;
        const bool joined = std::ranges::any_of(groups, [&](const Address& group) {
          return Ip::of(group) == to &&
                 (group.scope() == 0 || group.scope() == parcel.interface_index);
        });
        const bool is_member =
            std::ranges::find(socket->memberships, std::pair{to, parcel.interface_index}) !=
            socket->memberships.end();
        if (joined || is_member) deliver(host, at->second, parcel);
        break;
      }
      case Reach::one:  // the closest binding, and of equals the newest
        if (bound == to || !exact) {
          chosen = at->second;
          exact = bound == to;
        }
        break;
    }
  }
  if (chosen >= 0) deliver(host, chosen, parcel);
}

void Datagrams::deliver(HostState& host, int number, const Parcel& parcel) {
  DatagramSocket* socket = of(host.index, number);
  if (socket == nullptr) return;
  if (socket->waiting_bytes + parcel.bytes.size() > receive_capacity) return;  // reader too slow
  ground_.trace.add(ground_.now, TraceKind::datagram, parcel.bytes.size(), parcel.from_host,
                    parcel.to_host);
  socket->waiting_bytes += parcel.bytes.size() + 1;  // empty ones count too
  socket->waiting.push_back({parcel.from, parcel.to, parcel.interface_index, parcel.bytes});
  host.notify(number, Readiness::readable);
}

DatagramSocket::Waiting* Datagrams::front(HostIndex host, int number) {
  DatagramSocket* socket = of(host, number);
  return socket == nullptr || socket->waiting.empty() ? nullptr : &socket->waiting.front();
}

void Datagrams::pop(HostIndex host, int number) {
  DatagramSocket* socket = of(host, number);
  if (socket == nullptr || socket->waiting.empty()) return;
  socket->waiting_bytes -= socket->waiting.front().bytes.size() + 1;
  socket->waiting.pop_front();
}

}  // namespace hawser::sim::detail
