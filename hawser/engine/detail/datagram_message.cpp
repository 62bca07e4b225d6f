// What recvmsg tells beside the bytes: the sender, the local address and the interface.
#include <hawser/engine/detail/datagram_message.hpp>
#include <hawser/engine/detail/sockaddr.hpp>

#include <netinet/in.h>

#include <cstring>

namespace hawser::detail {

Datagram to_datagram(const msghdr& message, BytesView bytes, std::uint16_t port) {
  Datagram datagram;
  datagram.from =
      from_sockaddr(static_cast<const sockaddr*>(message.msg_name), message.msg_namelen);
  datagram.bytes = bytes;
  auto* mutable_message = const_cast<msghdr*>(&message);  // the macros below only read
  for (cmsghdr* control = CMSG_FIRSTHDR(mutable_message); control != nullptr;
       control = CMSG_NXTHDR(mutable_message, control)) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof info);
      std::array<std::uint8_t, 4> octets{};
      std::memcpy(octets.data(), &info.ipi_addr, octets.size());
      datagram.to = Address::ipv4(octets, port);
      datagram.interface_index = static_cast<std::uint32_t>(info.ipi_ifindex);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof info);
      std::array<std::uint8_t, 16> octets{};
      std::memcpy(octets.data(), &info.ipi6_addr, octets.size());
      const std::uint32_t scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
      datagram.to = Address::ipv6(octets, port, scope);
      datagram.interface_index = info.ipi6_ifindex;
    }
  }
  return datagram;
}

}  // namespace hawser::detail
