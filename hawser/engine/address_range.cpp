// Networks in one form for both families: 128 bits and how many of them count.
#include <hawser/engine/address_range.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace hawser {

namespace {

using Octets = std::array<std::uint8_t, 16>;

constexpr std::uint8_t mapped_bits = 96;  // ::ffff:0:0/96, where IPv4 lives in IPv6

Octets mapped(const Octets& ipv4) noexcept {
  Octets octets{};
  octets[10] = octets[11] = 0xff;
  std::copy_n(ipv4.begin(), 4, octets.begin() + 12);
  return octets;
}

bool is_mapped(const Octets& octets) noexcept {
  return octets[10] == 0xff && octets[11] == 0xff &&
         std::all_of(octets.begin(), octets.begin() + 10, [](std::uint8_t o) { return o == 0; });
}

Octets masked(Octets octets, unsigned prefix) noexcept {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const unsigned first = static_cast<unsigned>(i) * 8;
    if (prefix >= first + 8) continue;
    const unsigned kept = prefix > first ? prefix - first : 0;
    octets[i] = static_cast<std::uint8_t>(octets[i] & ~(0xffU >> kept));
  }
  return octets;
}

Error bad_range(std::string_view text, std::string_view why) {
  return {ErrorKind::invalid_argument, 0, "address range", fmt::format("\"{}\" {}", text, why)};
}

/// Address::parse wants a port and, for IPv6, brackets.
std::optional<Address> read_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF.:") != host.npos) return {};
  const bool ipv6 = host.find(':') != host.npos;
  auto address = Address::parse(ipv6 ? fmt::format("[{}]:0", host) : fmt::format("{}:0", host));
  if (!address) return {};
  return *address;
}

}  // namespace

AddressRange AddressRange::everyone() noexcept {
  AddressRange range;
  range.kind_ = Kind::everyone;
  return range;
}

AddressRange AddressRange::unix_sockets() noexcept {
  AddressRange range;
  range.kind_ = Kind::unix_sockets;
  return range;
}

AddressRange AddressRange::of(const Address& address, unsigned prefix) noexcept {
  if (address.is_unix()) return unix_sockets();
  AddressRange range;
  if (address.family() == Address::Family::none) return range;
  range.kind_ = Kind::network;
  range.ipv4_ = address.family() == Address::Family::ipv4;
  const unsigned bits = std::min(prefix, range.ipv4_ ? 32U : 128U);
  range.prefix_ = static_cast<std::uint8_t>(range.ipv4_ ? mapped_bits + bits : bits);
  range.octets_ = masked(range.ipv4_ ? mapped(address.octets()) : address.octets(), range.prefix_);
  return range;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  if (text == "*") return everyone();
  if (text == "unix") return unix_sockets();
  const std::size_t slash = text.find('/');
  const auto address = read_host(text.substr(0, slash));
  if (!address) {
    return std::unexpected(
        bad_range(text,
                  "is no range of addresses: write 10.0.0.0/8, fd00::/8, one address "
                  "without a port, unix, or *"));
  }
  if (slash == std::string_view::npos) return of(*address);
  const unsigned bits = address->family() == Address::Family::ipv4 ? 32 : 128;
  const std::string_view digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, prefix);
  if (digits.empty() || code != std::errc{} || stop != end || prefix > bits) {
    return std::unexpected(
        bad_range(text, fmt::format("needs a number from 0 to {} after /", bits)));
  }
  const AddressRange range = of(*address, prefix);
  if (of(*address).octets_ != range.octets_) {
    return std::unexpected(bad_range(
        text, fmt::format("has bits beyond its prefix: write {} for the network or {} for the "
                          "one address",
                          range.text(), address->host())));
  }
  return range;
}

bool AddressRange::contains(const Address& address) const noexcept {
  const Address::Family family = address.family();
  const bool unix_peer = family == Address::Family::none || family == Address::Family::unix_path;
  switch (kind_) {
    case Kind::nobody:
      return false;
    case Kind::everyone:
      return true;
    case Kind::unix_sockets:
      return unix_peer;
    case Kind::network:
      break;
  }
  if (unix_peer) return false;
  const bool plain_ipv4 = family == Address::Family::ipv4;
  const Octets octets = plain_ipv4 ? mapped(address.octets()) : address.octets();
  // "::/0" means IPv6: it would take in every IPv4 address if the mapped form alone were compared.
  if (!ipv4_ && prefix_ < mapped_bits && is_mapped(octets)) return false;
  return masked(octets, prefix_) == octets_;
}

std::string AddressRange::text() const {
  switch (kind_) {
    case Kind::nobody:
      return {};
    case Kind::everyone:
      return "*";
    case Kind::unix_sockets:
      return "unix";
    case Kind::network:
      break;
  }
  if (!ipv4_) {
    const std::string host = Address::ipv6(octets_, 0).host();
    return prefix_ == 128 ? host : fmt::format("{}/{}", host, prefix_);
  }
  const std::string host =
      Address::ipv4({octets_[12], octets_[13], octets_[14], octets_[15]}, 0).host();
  return prefix_ == 128 ? host : fmt::format("{}/{}", host, prefix_ - mapped_bits);
}

bool contains(std::span<const AddressRange> ranges, const Address& address) noexcept {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const AddressRange& range) { return range.contains(address); });
}

}  // namespace hawser
