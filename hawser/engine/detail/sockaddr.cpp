// The three families we speak, in the kernel's layout. An abstract Unix name starts with a NUL byte
// there, with '@' here, and is as long as its length says.
#include <hawser/engine/detail/sockaddr.hpp>

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace hawser::detail {

Result<SocketAddress> to_sockaddr(const Address& address) {
  SocketAddress out;
  switch (address.family()) {
    case Address::Family::none:
      break;
    case Address::Family::ipv4: {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_port = htons(address.port());
      std::memcpy(&in.sin_addr, address.octets().data(), 4);
      std::memcpy(&out.storage, &in, sizeof in);
      out.length = sizeof in;
      return out;
    }
    case Address::Family::ipv6: {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(address.port());
      in.sin6_scope_id = address.scope();
      std::memcpy(&in.sin6_addr, address.octets().data(), 16);
      std::memcpy(&out.storage, &in, sizeof in);
      out.length = sizeof in;
      return out;
    }
    case Address::Family::unix_path: {
      const std::string& path = address.path();
      sockaddr_un un{};
      if (path.empty() || path.size() >= sizeof un.sun_path) {
        return std::unexpected(
            Error{ErrorKind::invalid_argument, 0, "address",
                  "a Unix path has 1 to 107 bytes, this one has " + std::to_string(path.size())});
      }
      un.sun_family = AF_UNIX;
      std::memcpy(un.sun_path, path.data(), path.size());
      const bool abstract = path.front() == '@';
      if (abstract) un.sun_path[0] = '\0';
      std::memcpy(&out.storage, &un, sizeof un);
      out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                          (abstract ? 0 : 1));
      return out;
    }
  }
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "address", "an address is needed, none was given"});
}

Address from_sockaddr(const sockaddr* address, socklen_t length) {
  const auto size = static_cast<std::size_t>(length);
  if (size < sizeof(sa_family_t)) return {};
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &in.sin_addr, 4);
    return Address::ipv4(octets, ntohs(in.sin_port));
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &in.sin6_addr, 16);
    return Address::ipv6(octets, ntohs(in.sin6_port), in.sin6_scope_id);
  }
  if (address->sa_family == AF_UNIX) {
    constexpr std::size_t start = offsetof(sockaddr_un, sun_path);
    if (size <= start) return {};
    const char* path = reinterpret_cast<const char*>(address) + start;
    const std::size_t room = std::min(size - start, sizeof(sockaddr_un::sun_path));
    if (path[0] == '\0') {
      if (room == 1) return {};
      return Address::unix_path("@" + std::string(path + 1, room - 1));
    }
    return Address::unix_path(std::string(path, strnlen(path, room)));
  }
  return {};
}

}  // namespace hawser::detail
