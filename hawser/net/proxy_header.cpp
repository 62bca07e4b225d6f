// Reading PROXY headers of both versions. What is read was written by a stranger: every length is
// checked against what is left before it is used.
#include <hawser/net/proxy_header.hpp>

#include <hawser/net/detail/crc32c.hpp>
#include <hawser/net/detail/proxy_wire.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace hawser {

namespace {

using Read = ProxyHeaderRead;
using namespace proxy_wire;

std::uint8_t byte_at(BytesView bytes, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(bytes[at]);
}
std::uint16_t number16(BytesView bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}
std::uint32_t number32(BytesView bytes, std::size_t at) noexcept {
  return std::uint32_t{number16(bytes, at)} << 16U | number16(bytes, at + 2);
}
Read invalid(std::string fault) {
  Read read;
  read.kind = Read::Kind::invalid;
  read.fault = std::move(fault);
  return read;
}

Read need_more(std::size_t size) {
  Read read;
  read.size = size;
  return read;
}

/// What came, for a fault: unprintable bytes as \xNN, and not too much of it.
std::string shown(BytesView bytes) {
  constexpr std::size_t most = 64;
  std::string text;
  for (const char c : bytes.substr(0, most)) {
    if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
    }
  }
  return bytes.size() > most ? text + "…" : text;
}

// ---- version 1
// -----------------------------------------------------------------------------------

/// The next word and one space behind it, or the rest.
std::string_view next_word(std::string_view& rest) {
  const std::size_t space = rest.find(' ');
  const std::string_view word = rest.substr(0, space);
  rest.remove_prefix(space == rest.npos ? rest.size() : space + 1);
  return word;
}

std::optional<std::uint16_t> read_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, port);
  const bool padded = digits.size() > 1 && digits.front() == '0';
  if (digits.empty() || padded || code != std::errc{} || stop != end) return {};
  return port;
}

std::optional<Address> read_v1_address(std::string_view host, bool ipv6, std::uint16_t port) {
  // Only what an address consists of: Address::parse also knows "*", scopes and an empty host.
  if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF.:") != host.npos) return {};
  if ((host.find(':') != host.npos) != ipv6) return {};
  const auto address =
      Address::parse(ipv6 ? fmt::format("[{}]:0", host) : fmt::format("{}:0", host));
  if (!address) return {};
  return address->with_port(port);
}

Read read_v1(BytesView bytes) {
  const std::size_t newline = bytes.substr(0, proxy_header_v1_maximum).find('\n');
  if (newline == bytes.npos) {
    if (bytes.size() >= proxy_header_v1_maximum) {
      return invalid(fmt::format("a PROXY v1 line has no end within its {} bytes: {}",
                                 proxy_header_v1_maximum, shown(bytes)));
    }
    return need_more(bytes.size() + 1);
  }
  if (bytes[newline - 1] != '\r') {
    return invalid(fmt::format("a PROXY v1 line ends with LF instead of CR LF: {}",
                               shown(bytes.substr(0, newline))));
  }
  const std::string_view line = bytes.substr(0, newline - 1);
  Read read;
  read.kind = Read::Kind::header;
  read.size = newline + 1;
  read.header.version = ProxyHeader::Version::v1;
  std::string_view rest = line.substr(v1_start.size());
  const std::string_view family = next_word(rest);
  // What follows UNKNOWN is to be skipped whatever it is, so that a proxy may say more one day.
  if (family == "UNKNOWN") return read;
  if (family != "TCP4" && family != "TCP6") {
    return invalid(fmt::format("a PROXY v1 line names \"{}\", not TCP4, TCP6 or UNKNOWN: {}",
                               shown(family), shown(line)));
  }
  const bool ipv6 = family == "TCP6";
  std::array<std::string_view, 4> words;
  for (std::string_view& word : words) word = next_word(rest);
  const auto source_port = read_port(words[2]), destination_port = read_port(words[3]);
  const bool too_much = !rest.empty() || line.ends_with(' ');
  if (too_much || !source_port || !destination_port) {
    return invalid(
        fmt::format("a PROXY v1 line does not end with two ports of 0 to 65535: {}", shown(line)));
  }
  const auto source = read_v1_address(words[0], ipv6, *source_port);
  const auto destination = read_v1_address(words[1], ipv6, *destination_port);
  if (!source || !destination) {
    return invalid(fmt::format("a PROXY v1 line has \"{}\" for an {} address: {}",
                               shown(source ? words[1] : words[0]), ipv6 ? "IPv6" : "IPv4",
                               shown(line)));
  }
  read.header.source = *source;
  read.header.destination = *destination;
  return read;
}

// ---- version 2
// -----------------------------------------------------------------------------------

/// How many bytes the addresses of a family take; none for what version 2 does not define.
std::optional<std::size_t> address_bytes(std::uint8_t family) {
  switch (family) {
    case unspecified:
      return 0;
    case ipv4_stream:
    case ipv4_stream + 1:
      return 12;
    case ipv6_stream:
    case ipv6_stream + 1:
      return 36;
    case unix_stream:
    case unix_stream + 1:
      return 2 * unix_path_bytes;
    default:
      return {};
  }
}

template <std::size_t size>
std::array<std::uint8_t, size> octets_at(BytesView bytes, std::size_t at) {
  std::array<std::uint8_t, size> octets{};
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, octets.begin());
  return octets;
}

/// A path fills its field up with zero bytes; in the abstract namespace it begins with one.
Address unix_at(BytesView bytes, std::size_t at) {
  const BytesView field = bytes.substr(at, unix_path_bytes);
  const bool abstract = field.front() == '\0';
  const BytesView name = field.substr(abstract ? 1 : 0);
  const std::string path(name.substr(0, name.find('\0')));
  if (path.empty()) return {};
  return Address::unix_path(abstract ? "@" + path : path);
}

void read_addresses(BytesView block, std::uint8_t family, ProxyHeader& header) {
  switch (family >> 4U) {
    case 1:
      header.source = Address::ipv4(octets_at<4>(block, 0), number16(block, 8));
      header.destination = Address::ipv4(octets_at<4>(block, 4), number16(block, 10));
      break;
    case 2:
      header.source = Address::ipv6(octets_at<16>(block, 0), number16(block, 32));
      header.destination = Address::ipv6(octets_at<16>(block, 16), number16(block, 34));
      break;
    case 3:
      header.source = unix_at(block, 0);
      header.destination = unix_at(block, unix_path_bytes);
      break;
    default:
      break;
  }
  const bool known = header.source != Address{} || header.destination != Address{};
  header.datagrams = known && (family & 0x0fU) == 2;
}

/// Calls `take(type, value, place)` for each field; a fault of it, or of the cutting, ends it.
template <class Take>
std::string each_field(BytesView bytes, std::string_view where, const Take& take) {
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 3) {
      return fmt::format("{} ends within a field's type and length", where);
    }
    const std::uint8_t type = byte_at(bytes, at);
    const std::size_t size = number16(bytes, at + 1);
    if (size > bytes.size() - at - 3) {
      return fmt::format("{} has a field 0x{:02x} of {} bytes where {} are left", where, type, size,
                         bytes.size() - at - 3);
    }
    if (std::string fault = take(type, bytes.substr(at + 3, size), at + 3); !fault.empty()) {
      return fault;
    }
    at += 3 + size;
  }
  return {};
}

std::string read_tls(BytesView value, ProxyTls& tls) {
  if (value.size() < tls_fixed) {
    return fmt::format("its TLS field has {} bytes, at least {} are needed", value.size(),
                       tls_fixed);
  }
  const std::uint8_t bits = byte_at(value, 0);
  tls.over_tls = (bits & tls_used) != 0;
  tls.certificate_on_connection = (bits & tls_certificate_connection) != 0;
  tls.certificate_in_session = (bits & tls_certificate_session) != 0;
  // Zero also stands there when there was nothing to verify.
  const bool certificate = tls.certificate_on_connection || tls.certificate_in_session;
  tls.verified = certificate && number32(value, 1) == 0;
  return each_field(value.substr(tls_fixed), "its TLS field",
                    [&](std::uint8_t type, BytesView part, std::size_t) -> std::string {
                      switch (type) {
                        case field_tls_version:
                          tls.version = part;
                          break;
                        case field_tls_common_name:
                          tls.common_name = part;
                          break;
                        case field_tls_cipher:
                          tls.cipher = part;
                          break;
                        case field_tls_signature_algorithm:
                          tls.signature_algorithm = part;
                          break;
                        case field_tls_key_algorithm:
                          tls.key_algorithm = part;
                          break;
                        default:
                          break;
                      }
                      return {};
                    });
}

/// `whole` is the header from its first byte: the checksum is over all of it, with zeros in its own
/// place.
std::string check_sum(BytesView whole, std::size_t place, BytesView value) {
  if (value.size() != 4) return fmt::format("its CRC32C has {} bytes instead of 4", value.size());
  std::uint32_t sum = detail::crc32c(whole.substr(0, place));
  sum = detail::crc32c(std::string_view("\0\0\0\0", 4), sum);
  sum = detail::crc32c(whole.substr(place + 4), sum);
  if (sum == number32(value, 0)) return {};
  return fmt::format("its CRC32C is {:08x}, its bytes give {:08x}", number32(value, 0), sum);
}

std::string read_fields(BytesView whole, std::size_t begin, ProxyHeader& header) {
  return each_field(whole.substr(begin), "it",
                    [&](std::uint8_t type, BytesView value, std::size_t place) -> std::string {
                      switch (type) {
                        case field_alpn:
                          header.alpn = value;
                          break;
                        case field_authority:
                          header.authority = value;
                          break;
                        case field_crc32c:
                          header.checksum = true;
                          return check_sum(whole, begin + place, value);
                        case field_noop:
                          break;
                        case field_unique_id:
                          if (value.size() > unique_id_maximum) {
                            return fmt::format("its unique id has {} bytes, at most {} are allowed",
                                               value.size(), unique_id_maximum);
                          }
                          header.unique_id = value;
                          break;
                        case field_tls:
                          return read_tls(value, header.tls.emplace());
                        case field_network_namespace:
                          header.network_namespace = value;
                          break;
                        default:
                          header.others.push_back({type, std::string(value)});
                          break;
                      }
                      return {};
                    });
}

Read read_v2(BytesView bytes, std::size_t maximum) {
  const auto bad = [](std::string what) {
    return invalid("a PROXY v2 header: " + std::move(what));
  };
  if (bytes.size() < v2_fixed) return need_more(v2_fixed);
  const std::uint8_t version = byte_at(bytes, 12) >> 4U;
  const std::uint8_t command = byte_at(bytes, 12) & 0x0fU;
  const std::uint8_t family = byte_at(bytes, 13);
  if (version != 2) return bad(fmt::format("it says that it is version {}", version));
  if (command > 1) return bad(fmt::format("command {} is neither LOCAL nor PROXY", command));
  const std::size_t size = v2_fixed + number16(bytes, 14);
  if (size > maximum) {
    return bad(fmt::format("it has {} bytes, the limit (maximum) is {}", size, maximum));
  }
  const bool local = command == 0;
  const auto addresses = address_bytes(family);
  // A LOCAL header's family and all that follows is to be skipped, whatever it is.
  if (!local && !addresses) {
    return bad(fmt::format("0x{:02x} is no family and transport it may have", family));
  }
  if (!local && size - v2_fixed < *addresses) {
    return bad(
        fmt::format("it has {} bytes where its addresses take {}", size - v2_fixed, *addresses));
  }
  if (bytes.size() < size) return need_more(size);
  Read read;
  read.kind = Read::Kind::header;
  read.size = size;
  read.header.local = local;
  if (local) return read;
  const BytesView whole = bytes.substr(0, size);
  read_addresses(whole.substr(v2_fixed), family, read.header);
  if (std::string fault = read_fields(whole, v2_fixed + *addresses, read.header); !fault.empty()) {
    return bad(std::move(fault));
  }
  return read;
}

}  // namespace

std::string ProxyHeader::describe() const {
  std::string text = fmt::format("PROXY v{}", static_cast<int>(version));
  if (local) return text + ", local";
  if (source.family() == Address::Family::none && destination.family() == Address::Family::none) {
    return text + ", unknown";
  }
  const auto name = [](const Address& address) {
    return address.family() == Address::Family::none ? std::string("unnamed") : address.text();
  };
  return fmt::format("{}, {} to {}", text, name(source), name(destination));
}

ProxyHeaderRead read_proxy_header(BytesView bytes, const ProxyHeaderRules& rules) {
  const auto begins = [bytes](std::string_view start) {
    return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
  };
  const bool v1 = begins(v1_start), v2 = begins(v2_start);
  if (!v1 && !v2) {
    Read read;
    read.kind = Read::Kind::not_header;
    return read;
  }
  if (v1 && bytes.size() >= v1_start.size()) {
    if (!rules.v1) return invalid("a PROXY v1 header came, only version 2 is taken here");
    return read_v1(bytes);
  }
  if (v2 && bytes.size() >= v2_start.size()) {
    if (!rules.v2) return invalid("a PROXY v2 header came, only version 1 is taken here");
    return read_v2(bytes, rules.maximum);
  }
  return need_more(bytes.size() + 1);
}

}  // namespace hawser
