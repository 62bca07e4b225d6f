// Which addresses are meant by "10.0.0.0/8" or "unix": for lists of who is trusted, allowed or shut
// out. Public; plain value.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hawser {

class AddressRange {
 public:
  /// Contains nothing.
  AddressRange() noexcept = default;

  /// Reads "10.0.0.0/8", "fd00::/8" and "[fd00::]/8" (CIDR, RFC 4632 and 4291), a single address
  /// ("192.0.2.7", "::1"), "unix" (whoever comes by a Unix socket) and "*" (everybody). Bits beyond
  /// the prefix must be zero: "10.0.0.7/8" is refused, since it is one of two things that were
  /// meant. Errors: invalid_argument, with the text and what to write instead.
  static Result<AddressRange> parse(std::string_view text);

  /// Everybody, Unix sockets included.
  static AddressRange everyone() noexcept;
  /// Whoever comes by a Unix socket, unnamed ones (no address) too.
  static AddressRange unix_sockets() noexcept;
  /// The first `prefix` bits of the address; its port does not matter. A Unix path gives
  /// unix_sockets(). `prefix` is capped to the family's 32 or 128 bits.
  static AddressRange of(const Address& address, unsigned prefix = 128) noexcept;

  /// Whether the address lies in it, ports left aside. An IPv4 client of an IPv6 socket
  /// ("::ffff:10.0.0.1") counts as IPv4.
  bool contains(const Address& address) const noexcept;

  /// The form that parse() reads; "" when it contains nothing.
  std::string text() const;

  bool operator==(const AddressRange&) const = default;

 private:
  enum class Kind : std::uint8_t { nobody, everyone, unix_sockets, network };
  Kind kind_ = Kind::nobody;
  bool ipv4_ = false;
  std::uint8_t prefix_ = 0;                // of 128: an IPv4 network is kept in IPv6's mapped form
  std::array<std::uint8_t, 16> octets_{};  // beyond the prefix all zero
};

/// Whether one of `ranges` contains the address.
bool contains(std::span<const AddressRange> ranges, const Address& address) noexcept;

}  // namespace hawser
