// getaddrinfo and what its failures mean.
#include <hawser/engine/detail/resolver.hpp>
#include <hawser/engine/detail/sockaddr.hpp>

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace hawser::detail {

std::optional<Address> literal_address(const std::string& host, std::uint16_t port) {
  if (host.empty() || host == "*") return std::nullopt;
  Result<Address> address = Address::parse(fmt::format("{}:{}", host, port));
  if (!address) address = Address::parse(fmt::format("[{}]:{}", host, port));
  if (!address || address->is_unix()) return std::nullopt;
  return *std::move(address);
}

Result<std::vector<Address>> look_up(const std::string& host, std::uint16_t port) {
  const auto fail = [&](ErrorKind kind, int code, std::string_view why) {
    return std::unexpected(Error{kind, code, "resolve", fmt::format("\"{}\" {}", host, why)});
  };
  if (host.empty() || host.find('\0') != std::string::npos) {
    return fail(ErrorKind::invalid_argument, 0, "is no host name");
  }

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: it would hide ::1 and 127.0.0.1 of "localhost" on a machine without network.
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  const int system_code = errno;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* first) {
    if (first != nullptr) ::freeaddrinfo(first);
  });

  switch (code) {
    case 0:
      break;
    case EAI_NONAME:
    case EAI_NODATA:
      return fail(ErrorKind::not_found, 0, "is unknown; check its spelling and the name server");
    case EAI_AGAIN:
      return fail(ErrorKind::timeout, 0, "got no answer from the name server; try again later");
    case EAI_MEMORY:
      return fail(ErrorKind::exhausted, ENOMEM, "could not be asked: no memory left");
    case EAI_SYSTEM:
      return std::unexpected(system_error(system_code, "resolve", host));
    default:
      return fail(ErrorKind::failed, 0, ::gai_strerror(code));
  }

  std::vector<Address> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Address address = from_sockaddr(entry->ai_addr, entry->ai_addrlen).with_port(port);
    if (address == Address() || std::ranges::find(addresses, address) != addresses.end()) continue;
    addresses.push_back(std::move(address));
  }
  if (addresses.empty()) return fail(ErrorKind::not_found, 0, "has no address");
  return addresses;
}

}  // namespace hawser::detail
