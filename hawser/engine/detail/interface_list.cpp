// getifaddrs lists an interface once for each of its addresses; here they are put together again.
#include <hawser/engine/detail/interface_list.hpp>
#include <hawser/engine/detail/sockaddr.hpp>

#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

namespace hawser::detail {

namespace {

Address plain_address(const sockaddr* address) {
  if (address == nullptr) return {};
  const socklen_t length =
      address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  const bool is_ip = address->sa_family == AF_INET || address->sa_family == AF_INET6;
  return is_ip ? from_sockaddr(address, length) : Address{};
}

unsigned prefix_of(const Address& mask) {
  unsigned bits = 0;
  for (const std::uint8_t octet : mask.octets())
    bits += static_cast<unsigned>(std::popcount(octet));
  return bits;
}

}  // namespace

Result<std::vector<NetworkInterface>> list_interfaces() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return std::unexpected(system_error(errno, "interfaces"));
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, &::freeifaddrs);
  std::map<std::uint32_t, NetworkInterface> by_index;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const std::uint32_t index = ::if_nametoindex(entry->ifa_name);
    if (index == 0) continue;  // gone since
    NetworkInterface& interface = by_index[index];
    interface.name = entry->ifa_name;
    interface.index = index;
    constexpr unsigned running = IFF_UP | IFF_RUNNING;
    interface.up = (entry->ifa_flags & running) == running;
    interface.loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    interface.multicast = (entry->ifa_flags & IFF_MULTICAST) != 0;
    Address address = plain_address(entry->ifa_addr);
    if (address.family() == Address::Family::none) continue;
    NetworkInterface::Network network{std::move(address),
                                      prefix_of(plain_address(entry->ifa_netmask))};
    if ((entry->ifa_flags & IFF_BROADCAST) != 0) {
      Address broadcast = plain_address(entry->ifa_broadaddr);
      if (broadcast.family() == Address::Family::ipv4) network.broadcast = std::move(broadcast);
    }
    interface.networks.push_back(std::move(network));
  }
  std::vector<NetworkInterface> interfaces;
  interfaces.reserve(by_index.size());
  for (auto& [index, interface] : by_index) interfaces.push_back(std::move(interface));
  return interfaces;
}

Result<int> open_interface_watch() {
  const int number = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (number < 0) return std::unexpected(system_error(errno, "watch interfaces"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(number, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int code = errno;
    ::close(number);
    return std::unexpected(system_error(code, "watch interfaces"));
  }
  return number;
}

}  // namespace hawser::detail
