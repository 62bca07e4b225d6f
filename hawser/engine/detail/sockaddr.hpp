// Address to and from the kernel's sockaddr. Internal; plain functions, any thread.
#pragma once

#include <hawser/engine/address.hpp>

#include <sys/socket.h>

namespace hawser::detail {

/// A sockaddr of any family with the length that belongs to it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
};

/// Invalid argument for no address and for a Unix path longer than the kernel takes.
Result<SocketAddress> to_sockaddr(const Address& address);

/// No address for an unnamed Unix socket, an unknown family or a length too short for its family.
Address from_sockaddr(const sockaddr* address, socklen_t length);
inline Address from_sockaddr(const SocketAddress& address) {
  return from_sockaddr(address.get(), address.length);
}

}  // namespace hawser::detail
