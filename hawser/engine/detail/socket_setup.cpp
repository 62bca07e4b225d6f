// socket(2) and its relatives, each failure turned into a sentence.
#include <hawser/engine/detail/descriptor.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace hawser::detail {

namespace {

bool set_flag(int number, int level, int name, int value = 1) noexcept {
  return ::setsockopt(number, level, name, &value, sizeof value) == 0;
}

// What the kernel takes, rounded up: nobody shall be given up sooner than was asked.
int in_seconds(Duration time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
}
int in_milliseconds(Duration time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

/// What went wrong, in words, and what to do about it; "" where the system's own words must do.
std::string explanation(int code, std::string_view operation, const Address& address) {
  const std::string at = address.text();
  const bool binding = operation == "listen" || operation == "open datagram";
  switch (code) {
    case EADDRINUSE:
      if (address.is_unix()) {
        return fmt::format(
            "{} is taken by another program; choose another path or stop that program", at);
      }
      return fmt::format("{} is taken by another program; choose another port or stop that program",
                         at);
    case EADDRNOTAVAIL:
      if (binding) {
        return fmt::format(
            "no interface of this machine has the address of {}; use one it has (see \"ip "
            "address\"), or * for all",
            at);
      }
      return fmt::format(
          "no free local port or no such local address for {}; widen "
          "net.ipv4.ip_local_port_range or connect from another address",
          at);
    case EACCES:
    case EPERM:
      if (binding && !address.is_unix() && address.port() != 0 && address.port() < 1024) {
        return fmt::format(
            "port {} of {} is reserved; use a port from 1024 on, or give the program the "
            "capability CAP_NET_BIND_SERVICE",
            address.port(), at);
      }
      if (address.is_unix()) {
        return fmt::format("no permission for {}; check the owner and mode of it and its folder",
                           at);
      }
      return fmt::format("{} is forbidden by a firewall rule or the system's security policy", at);
    case ENOENT:
      if (address.is_unix()) {
        return binding ? fmt::format("the folder of {} does not exist; create it first", at)
                       : fmt::format("nothing is at {}; start the program that listens there", at);
      }
      return {};
    case ENOTDIR:
      return fmt::format("a part of the path of {} is no folder; mend the path", at);
    case EROFS:
      return fmt::format("the file system of {} is read-only; choose another folder", at);
    case ECONNREFUSED:
      return fmt::format("nobody listens on {}; start the server or mend the address", at);
    case EAFNOSUPPORT:
      return fmt::format(
          "this kernel has no support for the family of {}{}", at,
          address.family() == Address::Family::ipv6 ? "; enable IPv6 or use an IPv4 address" : "");
    case EMFILE:
      return fmt::format(
          "no descriptor is left for {}: this program's limit is reached; raise it (ulimit -n, "
          "LimitNOFILE)",
          at);
    case ENFILE:
      return fmt::format(
          "no descriptor is left for {}: the whole system's limit is reached; raise fs.file-max",
          at);
    case ENOBUFS:
    case ENOMEM:
      return fmt::format("the kernel has no memory left for {}", at);
    case ENETUNREACH:
    case EHOSTUNREACH:
      return fmt::format("no route leads to {}; check the network and the address", at);
    case ETIMEDOUT:
      return fmt::format("{} does not answer", at);
    default:
      return {};
  }
}

Result<Descriptor> make_socket(int family, int type, std::string_view operation,
                               const Address& address) {
  Descriptor socket(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return std::unexpected(address_error(errno, operation, address));
  return socket;
}

bool is_file_path(const Address& address) {
  return address.is_unix() && !address.path().starts_with('@');
}

/// Whether a socket file is there and no program listens behind it.
bool is_stale(const Address& address, const SocketAddress& converted) noexcept {
  struct stat file{};
  if (::lstat(address.path().c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return false;
  return ::connect(probe.get(), converted.get(), converted.length) != 0 && errno == ECONNREFUSED;
}

Result<Address> bound_address(int number, std::string_view operation, const Address& asked) {
  Result<Address> bound = local_address(number);
  if (!bound) return std::unexpected(address_error(bound.error().code, operation, asked));
  return bound;
}

Result<void> join_group(int number, const Address& group, const Address& bind,
                        std::uint32_t interface_index) {
  int joined = -1;
  if (group.family() == Address::Family::ipv4) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.octets().data(), 4);
    if (bind.family() == Address::Family::ipv4) {
      std::memcpy(&request.imr_address, bind.octets().data(), 4);
    }
    request.imr_ifindex = static_cast<int>(interface_index);
    joined = ::setsockopt(number, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
  } else if (group.family() == Address::Family::ipv6) {
    ipv6_mreq request{};
    std::memcpy(&request.ipv6mr_multiaddr, group.octets().data(), 16);
    request.ipv6mr_interface = interface_index;
    joined = ::setsockopt(number, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
  } else {
    errno = EINVAL;
  }
  if (joined == 0) return {};
  Error error = system_error(errno, "open datagram",
                             fmt::format("cannot join the multicast group {}", group.host()));
  if (error.code == EINVAL) error.detail += "; it must be a multicast address of an IP family";
  if (error.code == ENODEV) {
    error.detail += "; no interface leads to it: bind to an interface's address or name a scope";
  }
  return std::unexpected(std::move(error));
}

}  // namespace

Error address_error(int code, std::string_view operation, const Address& address) {
  Error error = system_error(code, std::string(operation), address.text());
  if (std::string words = explanation(code, operation, address); !words.empty()) {
    const char* name = strerrorname_np(code);
    error.detail = name == nullptr ? std::move(words) : fmt::format("{} ({})", words, name);
  }
  return error;
}

Result<BoundSocket> open_listening_socket(const Address& address, const ListenOptions& options) {
  constexpr std::string_view operation = "listen";
  const Result<SocketAddress> converted = to_sockaddr(address);
  if (!converted) return std::unexpected(converted.error());
  const auto fail = [&](int code) {
    return std::unexpected(address_error(code, operation, address));
  };

  Result<Descriptor> socket = make_socket(converted->family(), SOCK_STREAM, operation, address);
  if (!socket) return std::unexpected(socket.error());
  const int number = socket->get();

  if (!address.is_unix()) {
    // Without it a restarted server could not bind while old connections are in TIME_WAIT.
    if (!set_flag(number, SOL_SOCKET, SO_REUSEADDR)) return fail(errno);
    if (options.reuse_port && !set_flag(number, SOL_SOCKET, SO_REUSEPORT)) return fail(errno);
    if (address.family() == Address::Family::ipv6 &&
        !set_flag(number, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0)) {
      return fail(errno);
    }
  }
  set_stream_options(number, options.accepted);

  if (::bind(number, converted->get(), converted->length) != 0) {
    // Between this look and the next bind another program may take the path: then that bind fails.
    if (errno != EADDRINUSE || !is_file_path(address)) return fail(errno);
    if (!is_stale(address, *converted)) return fail(EADDRINUSE);
    if (::unlink(address.path().c_str()) != 0 && errno != ENOENT) return fail(errno);
    if (::bind(number, converted->get(), converted->length) != 0) return fail(errno);
  }
  // Before listen(): until then nobody can connect, whatever the mode that bind left.
  if (is_file_path(address) &&
      ::chmod(address.path().c_str(), static_cast<mode_t>(options.unix_mode)) != 0) {
    const int code = errno;
    ::unlink(address.path().c_str());
    return fail(code);
  }
  if (::listen(number, options.backlog) != 0) return fail(errno);

  Result<Address> bound = bound_address(number, operation, address);
  if (!bound) return std::unexpected(bound.error());
  return BoundSocket{socket->release(), *std::move(bound)};
}

Result<int> open_stream_socket(const Address& to, const StreamOptions& options,
                               const std::optional<Address>& from) {
  constexpr std::string_view operation = "connect";
  const Result<SocketAddress> target = to_sockaddr(to);
  if (!target) return std::unexpected(target.error());
  Result<Descriptor> socket = make_socket(target->family(), SOCK_STREAM, operation, to);
  if (!socket) return std::unexpected(socket.error());
  set_stream_options(socket->get(), options);
  if (from) {
    const Result<SocketAddress> local = to_sockaddr(*from);
    if (!local) return std::unexpected(local.error());
    if (!from->is_unix()) {
      set_flag(socket->get(), SOL_SOCKET, SO_REUSEADDR);
      // The port is then chosen when the target is known, and may serve several targets.
      if (from->port() == 0) set_flag(socket->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    }
    if (::bind(socket->get(), local->get(), local->length) != 0) {
      return std::unexpected(address_error(errno, operation, *from));
    }
  }
  return socket->release();
}

Result<BoundSocket> open_datagram_socket(const Address& bind, const DatagramOptions& options) {
  constexpr std::string_view operation = "open datagram";
  if (bind.is_unix()) {
    return std::unexpected(Error{ErrorKind::unsupported, 0, std::string(operation),
                                 bind.text() + " is a Unix path; datagrams need an IP address"});
  }
  const Result<SocketAddress> converted = to_sockaddr(bind);
  if (!converted) return std::unexpected(converted.error());
  const auto fail = [&](int code) { return std::unexpected(address_error(code, operation, bind)); };
  Result<Descriptor> socket = make_socket(converted->family(), SOCK_DGRAM, operation, bind);
  if (!socket) return std::unexpected(socket.error());
  const int number = socket->get();

  if (options.reuse_address && !set_flag(number, SOL_SOCKET, SO_REUSEADDR)) return fail(errno);
  if (options.broadcast && !set_flag(number, SOL_SOCKET, SO_BROADCAST)) return fail(errno);
  if (bind.family() == Address::Family::ipv6) {
    if (!set_flag(number, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0) ||
        !set_flag(number, IPPROTO_IPV6, IPV6_RECVPKTINFO)) {
      return fail(errno);
    }
  } else if (!set_flag(number, IPPROTO_IP, IP_PKTINFO)) {
    return fail(errno);
  }
  if (::bind(number, converted->get(), converted->length) != 0) return fail(errno);
  for (const Address& group : options.multicast_groups) {
    if (Result<void> joined = join_group(number, group, bind, group.scope()); !joined) {
      return std::unexpected(joined.error());
    }
  }
  Result<Address> bound = bound_address(number, operation, bind);
  if (!bound) return std::unexpected(bound.error());
  return BoundSocket{socket->release(), *std::move(bound)};
}

void set_stream_options(int number, const StreamOptions& options) noexcept {
  if (options.no_delay) set_flag(number, IPPROTO_TCP, TCP_NODELAY);
  if (options.keep_alive) {
    // Before it is switched on, so that its timer is armed with what holds.
    set_flag(number, IPPROTO_TCP, TCP_KEEPIDLE, in_seconds(options.keep_alive_idle));
    set_flag(number, IPPROTO_TCP, TCP_KEEPINTVL, in_seconds(options.keep_alive_interval));
    set_flag(number, IPPROTO_TCP, TCP_KEEPCNT, options.keep_alive_probes);
    set_flag(number, SOL_SOCKET, SO_KEEPALIVE);
  }
  if (options.user_timeout > Duration::zero())
    set_flag(number, IPPROTO_TCP, TCP_USER_TIMEOUT, in_milliseconds(options.user_timeout));
  if (options.send_buffer > 0) set_flag(number, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (options.receive_buffer > 0) set_flag(number, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
}

Result<void> change_stream_options(int number, const StreamChanges& changes) {
  Result<void> result;
  const auto set = [&](const char* name, int level, int option, std::optional<int> value) {
    if (!result || !value || set_flag(number, level, option, *value)) return;
    // A Unix stream knows nothing of TCP, and needs it not.
    if (level == IPPROTO_TCP && (errno == EOPNOTSUPP || errno == ENOPROTOOPT)) return;
    result = std::unexpected(system_error(errno, "change stream", name));
  };
  const auto flag = [](std::optional<bool> on) {
    return on ? std::optional<int>(*on ? 1 : 0) : std::nullopt;
  };
  const auto length = [](std::optional<Duration> time, int (*in)(Duration)) {
    return time ? std::optional<int>(in(*time)) : std::nullopt;
  };
  set("no_delay", IPPROTO_TCP, TCP_NODELAY, flag(changes.no_delay));
  set("keep_alive_idle", IPPROTO_TCP, TCP_KEEPIDLE, length(changes.keep_alive_idle, in_seconds));
  set("keep_alive_interval", IPPROTO_TCP, TCP_KEEPINTVL,
      length(changes.keep_alive_interval, in_seconds));
  set("keep_alive_probes", IPPROTO_TCP, TCP_KEEPCNT, changes.keep_alive_probes);
  set("user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, length(changes.user_timeout, in_milliseconds));
  set("keep_alive", SOL_SOCKET, SO_KEEPALIVE, flag(changes.keep_alive));
  set("send_buffer", SOL_SOCKET, SO_SNDBUF, changes.send_buffer);
  set("receive_buffer", SOL_SOCKET, SO_RCVBUF, changes.receive_buffer);
  set("receive_low_water", SOL_SOCKET, SO_RCVLOWAT, changes.receive_low_water);
  return result;
}

Result<Duration> time_since_arrival(int number) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(number, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    return std::unexpected(system_error(errno, "last arrival", "only TCP streams tell"));
  return std::chrono::milliseconds(info.tcpi_last_data_recv);
}

namespace {
Result<Address> asked_address(int number, std::string_view operation,
                              int (*ask)(int, sockaddr*, socklen_t*)) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (ask(number, address.get(), &address.length) != 0) {
    return std::unexpected(system_error(errno, std::string(operation)));
  }
  return from_sockaddr(address);
}
}  // namespace

Result<Address> peer_address(int number) {
  return asked_address(number, "peer", [](int socket, sockaddr* address, socklen_t* length) {
    return ::getpeername(socket, address, length);
  });
}

Result<Address> local_address(int number) {
  return asked_address(number, "local", [](int socket, sockaddr* address, socklen_t* length) {
    return ::getsockname(socket, address, length);
  });
}

void stop_listening_socket(int number) noexcept {
  ::shutdown(number, SHUT_RDWR);
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(number, address.get(), &address.length) != 0) return;
  if (address.family() != AF_UNIX) return;
  const Address path = from_sockaddr(address);
  // Ours answers no more; if something else does, a successor has taken the path over.
  if (is_file_path(path) && is_stale(path, address)) ::unlink(path.path().c_str());
}

void close_descriptor(int number, bool reset) noexcept {
  if (reset) {
    const linger at_once{1, 0};
    ::setsockopt(number, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::close(number);
}

NativeSocket::Closer& descriptor_closer() noexcept {
  struct DescriptorCloser final : NativeSocket::Closer {
    void close_native(int number) noexcept override { ::close(number); }
  };
  static constinit DescriptorCloser closer;
  return closer;
}

namespace {
/// sendto(), through one interface when `interface_index` names it.
ssize_t transmit(int number, const SocketAddress& target, BytesView bytes,
                 std::uint32_t interface_index) {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (interface_index == 0) {
    return ::sendto(number, bytes.data(), bytes.size(), flags, target.get(), target.length);
  }
  // The larger of the two control messages below fits.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};  // only read
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(target.get());  // the same
  message.msg_namelen = target.length;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  const auto put = [&](int level, int type, const auto& info) {
    head->cmsg_level = level;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(sizeof info);
    message.msg_controllen = CMSG_SPACE(sizeof info);
    std::memcpy(CMSG_DATA(head), &info, sizeof info);
  };
  if (target.family() == AF_INET) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface_index);
    put(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_ifindex = interface_index;
    put(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return ::sendmsg(number, &message, flags);
}
}  // namespace

Result<void> join_multicast_group(int number, const Address& group, std::uint32_t interface_index) {
  Result<void> joined = join_group(number, group, {}, interface_index);
  if (joined || joined.error().code == EADDRINUSE) return {};
  if (joined.error().code == ENODEV) joined.error().kind = ErrorKind::not_found;
  return joined;
}

Result<void> send_datagram_to(int number, const Address& to, BytesView bytes,
                              std::uint32_t interface_index) {
  constexpr std::string_view operation = "send datagram";
  const Result<SocketAddress> target = to_sockaddr(to);
  if (!target) return std::unexpected(target.error());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const ssize_t sent = transmit(number, *target, bytes, interface_index);
    if (sent >= 0) return {};
    // An ICMP answer to an earlier datagram is reported once, by whichever call comes next: it says
    // nothing of this one.
    if (errno != ECONNREFUSED && errno != EINTR) break;
  }
  const int code = errno;
  if (code == EAGAIN || code == ENOBUFS) {
    return std::unexpected(Error{ErrorKind::overloaded, code, std::string(operation),
                                 "the socket's buffer is full; the datagram was dropped"});
  }
  if (code == EMSGSIZE) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, code, std::string(operation),
              fmt::format("{} bytes are too many for one datagram", bytes.size())});
  }
  if (code == ENODEV || code == ENXIO) {
    return std::unexpected(Error{ErrorKind::not_found, code, std::string(operation),
                                 fmt::format("there is no interface {}", interface_index)});
  }
  return std::unexpected(address_error(code, operation, to));
}

}  // namespace hawser::detail
