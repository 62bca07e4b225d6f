// SCM_RIGHTS and SO_PEERCRED.
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace hawser::detail {

namespace {

constexpr std::size_t sockets_at_once = 64;

std::optional<int> option_of(int number, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(number, SOL_SOCKET, name, &value, &size) != 0) return std::nullopt;
  return value;
}

/// Room for the control message of the most descriptors there may be, aligned as it must be.
struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sockets_at_once * sizeof(int))> bytes{};
};

}  // namespace

Result<PeerCredentials> peer_credentials(int number) {
  constexpr const char* operation = "peer credentials";
  if (option_of(number, SO_DOMAIN) != AF_UNIX) {
    return std::unexpected(Error{ErrorKind::unsupported, 0, operation,
                                 "only Unix sockets tell who is at their other end"});
  }
  // Of a socket without a peer the kernel answers pid 0 and nobody's uid.
  if (const Result<Address> peer = peer_address(number); !peer) {
    return std::unexpected(system_error(peer.error().code, operation));
  }
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(number, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return std::unexpected(system_error(errno, operation));
  }
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Result<Address> prepare_listening_socket(int number, const ListenOptions& options) {
  constexpr const char* operation = "adopt listener";
  const auto invalid = [&](const char* why) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, operation,
                                 fmt::format("descriptor {} {}", number, why)});
  };
  const auto type = option_of(number, SO_TYPE);
  if (!type) return std::unexpected(system_error(errno, operation, fmt::format("{}", number)));
  if (*type != SOCK_STREAM) return invalid("is no stream socket");
  if (option_of(number, SO_ACCEPTCONN).value_or(0) == 0) {
    return invalid("does not listen (systemd: use ListenStream= and Accept=no)");
  }
  Result<Address> bound = local_address(number);
  if (!bound) return std::unexpected(system_error(bound.error().code, operation));
  if (bound->family() == Address::Family::none) return invalid("is of an unknown family");
  const int flags = ::fcntl(number, F_GETFL);
  if (flags < 0 || ::fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(number, F_SETFD, FD_CLOEXEC) < 0) {
    return std::unexpected(system_error(errno, operation));
  }
  set_stream_options(number, options.accepted);
  return bound;
}

Result<int> duplicate_descriptor(int number) {
  const int copy = ::fcntl(number, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return std::unexpected(system_error(errno, "share listener"));
  return copy;
}

Result<void> send_descriptors(int number, BytesView bytes, std::span<const NativeSocket> sockets) {
  constexpr const char* operation = "send sockets";
  if (option_of(number, SO_DOMAIN) != AF_UNIX) {
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, operation, "only Unix sockets carry other sockets"});
  }
  std::array<int, sockets_at_once> numbers{};
  const std::size_t count = std::min(sockets.size(), numbers.size());
  for (std::size_t i = 0; i < count; ++i) numbers[i] = sockets[i].number();
  Control control;
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: sendmsg only reads it
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), numbers.data(), count * sizeof(int));
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(number, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  const int code = sent < 0 ? errno : EAGAIN;
  if (code == EAGAIN || code == ETOOMANYREFS) {
    return std::unexpected(Error{ErrorKind::overloaded, code, operation,
                                 code == EAGAIN ? "the peer does not read what it was sent"
                                                : "too many descriptors are on their way"});
  }
  return std::unexpected(system_error(code, operation));
}

Result<ReceivedDescriptors> receive_descriptors(int number, std::size_t most) {
  constexpr const char* operation = "receive sockets";
  ReceivedDescriptors received;
  received.bytes.resize(most);
  Control control;
  iovec vector{received.bytes.data(), received.bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(number, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return std::unexpected(system_error(errno, operation));
  received.bytes.resize(static_cast<std::size_t>(size));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      received.sockets.emplace_back(descriptor, descriptor_closer());
    }
  }
  // The kernel has dropped descriptors: too many at once, or this program may open no more.
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return std::unexpected(Error{ErrorKind::exhausted, 0, operation,
                                 "sockets were lost on their way: too many at once, or this "
                                 "program's limit of descriptors is reached (ulimit -n)"});
  }
  return received;
}

}  // namespace hawser::detail
