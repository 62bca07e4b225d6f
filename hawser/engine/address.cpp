// Addresses as text: one grammar in, one canonical form out (RFC 5952 for IPv6).
#include <hawser/engine/address.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

namespace hawser {

namespace {

constexpr std::size_t longest_unix_path = 107;
constexpr std::string_view unix_prefix = "unix:";

Error bad(std::string_view text, std::string_view why) {
  return {ErrorKind::invalid_argument, 0, "address", fmt::format("\"{}\" {}", text, why)};
}

template <class Number>
bool read_number(std::string_view digits, Number& number) {
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, number);
  return code == std::errc{} && stop == end && !digits.empty();
}

/// inet_pton wants a terminated string; a fixed buffer also bounds what it is asked to read.
bool read_octets(int family, std::string_view text, std::uint8_t* octets) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return inet_pton(family, copy, octets) == 1;
}

void append_ipv4(std::string& out, const std::uint8_t* octets) {
  fmt::format_to(std::back_inserter(out), "{}.{}.{}.{}", octets[0], octets[1], octets[2],
                 octets[3]);
}

/// RFC 5952: lower case, no leading zeros, "::" for the first of the longest runs of two or more
/// zero groups, and IPv4-mapped addresses with their dotted tail.
void append_ipv6(std::string& out, const std::array<std::uint8_t, 16>& octets) {
  static constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(mapped), std::end(mapped), octets.begin())) {
    out += "::ffff:";
    append_ipv4(out, octets.data() + 12);
    return;
  }
  unsigned groups[8];
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = static_cast<unsigned>(octets[2 * i] << 8 | octets[2 * i + 1]);
  }
  std::size_t run = 8, run_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > run_length) {
      run = i;
      run_length = end - i;
    }
    i = std::max(end, i + 1);
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == run) {
      out += "::";
      i += run_length;
      continue;
    }
    if (i != 0 && out.back() != ':') out += ':';
    fmt::format_to(std::back_inserter(out), "{:x}", groups[i]);
    ++i;
  }
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    if (path.empty() || path == "@") {
      return std::unexpected(bad(text, "has no path: write unix:/run/name.sock or unix:@name"));
    }
    if (path.size() > longest_unix_path) {
      return std::unexpected(bad(text, fmt::format("is {} bytes long, the kernel takes {}",
                                                   path.size(), longest_unix_path)));
    }
    if (path.find('\0') != std::string_view::npos) {
      return std::unexpected(bad("unix:…", "has a NUL byte in its path"));
    }
    return unix_path(std::string(path));
  }

  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  std::string_view host, port_text = text;
  if (bracketed) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || bracket + 1 != colon) {
      return std::unexpected(bad(text, "is not of the form [IPv6]:port"));
    }
    host = text.substr(1, bracket - 1);
    port_text = text.substr(colon + 1);
  } else if (colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port_text = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos) {
      return std::unexpected(bad(text, "looks like IPv6: write [IPv6]:port"));
    }
  }

  std::uint16_t port = 0;
  if (!read_number(port_text, port)) {
    return std::unexpected(bad(text, "has no port (0 to 65535) at its end"));
  }

  if (bracketed) {
    std::uint32_t scope = 0;
    if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
      if (!read_number(host.substr(percent + 1), scope)) {
        return std::unexpected(
            bad(text, "has a scope that is no number: write the interface's index after %"));
      }
      host = host.substr(0, percent);
    }
    std::array<std::uint8_t, 16> octets{};
    if (!read_octets(AF_INET6, host, octets.data())) {
      return std::unexpected(bad(text, "has no IPv6 address between its brackets"));
    }
    return ipv6(octets, port, scope);
  }
  if (host.empty()) return loopback(port);
  if (host == "*") return any_ipv4(port);
  std::array<std::uint8_t, 4> octets{};
  if (!read_octets(AF_INET, host, octets.data())) {
    return std::unexpected(
        bad(text, "names a host: an address is needed here, resolve the name first"));
  }
  return ipv4(octets, port);
}

Address Address::ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port) noexcept {
  Address address;
  address.family_ = Family::ipv4;
  address.port_ = port;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

Address Address::ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port,
                      std::uint32_t scope) noexcept {
  Address address;
  address.family_ = Family::ipv6;
  address.port_ = port;
  address.scope_ = scope;
  address.octets_ = octets;
  return address;
}

Address Address::unix_path(std::string path) {
  Address address;
  address.family_ = Family::unix_path;
  address.path_ = std::move(path);
  return address;
}

Address Address::with_port(std::uint16_t port) const {
  Address address = *this;
  if (!is_unix() && family_ != Family::none) address.port_ = port;
  return address;
}

std::string Address::host() const {
  std::string out;
  switch (family_) {
    case Family::none:
      break;
    case Family::ipv4:
      append_ipv4(out, octets_.data());
      break;
    case Family::ipv6:
      append_ipv6(out, octets_);
      if (scope_ != 0) fmt::format_to(std::back_inserter(out), "%{}", scope_);
      break;
    case Family::unix_path:
      out = path_;
      break;
  }
  return out;
}

std::string Address::text() const {
  switch (family_) {
    case Family::none:
      return {};
    case Family::ipv4:
      return fmt::format("{}:{}", host(), port_);
    case Family::ipv6:
      return fmt::format("[{}]:{}", host(), port_);
    case Family::unix_path:
      return fmt::format("{}{}", unix_prefix, path_);
  }
  return {};
}

}  // namespace hawser
