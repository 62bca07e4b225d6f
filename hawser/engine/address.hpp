// Where a socket is: an IPv4 or IPv6 address with port, or the path of a Unix socket. Public; plain
// value. Names are not addresses: Engine::resolve turns one into the other.
#pragma once

#include <hawser/base/result.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace hawser {

class Address {
 public:
  enum class Family : std::uint8_t { none, ipv4, ipv6, unix_path };

  /// No address: what peer() answers for an unnamed Unix socket.
  Address() noexcept = default;

  /// Reads "127.0.0.1:7007", "[::1]:7007", "[fe80::1%2]:7007", ":7007" and "7007" (both: loopback
  /// IPv4), "*:7007" (every IPv4 address), "unix:/run/x.sock", "unix:@abstract". A port is 0…65535;
  /// 0 asks the kernel for a free one when listening. Names are refused: the text says to resolve.
  static Result<Address> parse(std::string_view text);

  static Address ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port) noexcept;
  static Address ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port,
                      std::uint32_t scope = 0) noexcept;
  static Address loopback(std::uint16_t port) noexcept { return ipv4({127, 0, 0, 1}, port); }
  static Address any_ipv4(std::uint16_t port) noexcept { return ipv4({0, 0, 0, 0}, port); }
  /// At most 107 bytes; a leading '@' means Linux's abstract namespace.
  static Address unix_path(std::string path);

  Family family() const noexcept { return family_; }
  bool is_unix() const noexcept { return family_ == Family::unix_path; }
  std::uint16_t port() const noexcept { return port_; }
  Address with_port(std::uint16_t port) const;
  std::uint32_t scope() const noexcept { return scope_; }
  /// 4 bytes are meant for IPv4, 16 for IPv6, network order.
  const std::array<std::uint8_t, 16>& octets() const noexcept { return octets_; }
  const std::string& path() const noexcept { return path_; }

  /// The form that parse() reads; "" for no address.
  std::string text() const;
  /// Without port: "127.0.0.1", "::1", or the path.
  std::string host() const;

  auto operator<=>(const Address&) const = default;

 private:
  Family family_ = Family::none;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;
  std::array<std::uint8_t, 16> octets_{};
  std::string path_;
};

}  // namespace hawser
