// The zip of the families.
#include <hawser/net/detail/address_order.hpp>

#include <algorithm>
#include <cstddef>

namespace hawser::detail {

std::vector<Address> interleaved(const std::vector<Address>& addresses, FirstFamily first) {
  std::vector<Address> ordered;
  if (addresses.empty()) return ordered;
  Address::Family family = addresses.front().family();
  if (first == FirstFamily::ipv6) family = Address::Family::ipv6;
  if (first == FirstFamily::ipv4) family = Address::Family::ipv4;

  // Quadratic in a list that a name server made: a few dozen, bounded by the size of its answer.
  std::vector<Address> leading, trailing;
  for (const Address& address : addresses) {
    auto& side = address.family() == family ? leading : trailing;
    if (std::ranges::find(side, address) == side.end()) side.push_back(address);
  }
  ordered.reserve(leading.size() + trailing.size());
  for (std::size_t i = 0; i < std::max(leading.size(), trailing.size()); ++i) {
    if (i < leading.size()) ordered.push_back(leading[i]);
    if (i < trailing.size()) ordered.push_back(trailing[i]);
  }
  return ordered;
}

}  // namespace hawser::detail
