// Writing PROXY headers of both versions.
#include <hawser/net/detail/crc32c.hpp>
#include <hawser/net/detail/proxy_wire.hpp>
#include <hawser/net/proxy_header.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace hawser {

namespace {

using namespace proxy_wire;

void append16(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8U & 0xffU);
  out += static_cast<char>(number & 0xffU);
}
void append32(std::string& out, std::uint32_t number) {
  append16(out, number >> 16U);
  append16(out, number & 0xffffU);
}
std::unexpected<Error> refused(std::string detail) {
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "write PROXY header", std::move(detail)});
}

/// An address in the family of the other: IPv4 within an IPv6 header is written mapped.
Address as_ipv6(const Address& address) {
  if (address.family() == Address::Family::ipv6) return address;
  std::array<std::uint8_t, 16> octets{};
  octets[10] = octets[11] = 0xff;
  std::copy_n(address.octets().begin(), 4, octets.begin() + 12);
  return Address::ipv6(octets, address.port());
}

bool is_ip(const Address& address) noexcept {
  return address.family() == Address::Family::ipv4 || address.family() == Address::Family::ipv6;
}

Result<void> check_families(const ProxyHeader& header) {
  const Address &from = header.source, &to = header.destination;
  if (from.family() == to.family() || (is_ip(from) && is_ip(to))) return {};
  // Clients of a Unix socket seldom have a name, so that one address is enough there.
  const auto unix_or_none = [](const Address& address) {
    return address.is_unix() || address.family() == Address::Family::none;
  };
  if (unix_or_none(from) && unix_or_none(to)) return {};
  return refused(fmt::format("source \"{}\" and destination \"{}\" are of two families",
                             from.text(), to.text()));
}

Result<std::string> write_v1(const ProxyHeader& header) {
  if (header.datagrams) return refused("datagrams: version 1 knows only TCP");
  if (!header.alpn.empty() || !header.authority.empty() || !header.unique_id.empty() ||
      !header.network_namespace.empty() || header.tls || !header.others.empty() ||
      header.checksum) {
    return refused("version 1 carries addresses only: use version 2 for fields and the checksum");
  }
  if (header.local || !is_ip(header.source)) return std::string("PROXY UNKNOWN\r\n");
  const bool ipv4 = header.source.family() == Address::Family::ipv4 &&
                    header.destination.family() == Address::Family::ipv4;
  const auto host = [ipv4](const Address& address) {
    return ipv4 ? address.host() : Address::ipv6(as_ipv6(address).octets(), 0).host();
  };
  return fmt::format("PROXY {} {} {} {} {}\r\n", ipv4 ? "TCP4" : "TCP6", host(header.source),
                     host(header.destination), header.source.port(), header.destination.port());
}

template <class Octets>
void append_octets(std::string& out, const Octets& octets, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>(octets[i]);
}

Result<void> append_unix(std::string& out, const Address& address) {
  std::string path = address.path();
  if (path.size() > unix_path_bytes) {
    return refused(
        fmt::format("the path of {} does not fit into {} bytes", address.text(), unix_path_bytes));
  }
  if (path.starts_with('@')) path.front() = '\0';
  path.resize(unix_path_bytes);
  out += path;
  return {};
}

Result<std::uint8_t> append_addresses(std::string& out, const ProxyHeader& header) {
  const Address &from = header.source, &to = header.destination;
  const auto family = [&](std::uint8_t stream) {
    return static_cast<std::uint8_t>(header.datagrams ? stream + 1 : stream);
  };
  if (from.is_unix() || to.is_unix()) {
    for (const Address* address : {&from, &to}) {
      if (auto appended = append_unix(out, *address); !appended) {
        return std::unexpected(std::move(appended).error());
      }
    }
    return family(unix_stream);
  }
  if (from.family() == Address::Family::none) return unspecified;
  const bool ipv4 = from.family() == Address::Family::ipv4 && to.family() == Address::Family::ipv4;
  for (const Address* address : {&from, &to}) {
    append_octets(out, ipv4 ? address->octets() : as_ipv6(*address).octets(), ipv4 ? 4 : 16);
  }
  append16(out, from.port());
  append16(out, to.port());
  return family(ipv4 ? ipv4_stream : ipv6_stream);
}

Result<void> append_field(std::string& out, std::uint8_t type, std::string_view value) {
  if (value.size() > 0xffff) {
    return refused(fmt::format("field 0x{:02x} has {} bytes, 65535 fit", type, value.size()));
  }
  out += static_cast<char>(type);
  append16(out, value.size());
  out += value;
  return {};
}

Result<void> append_known(std::string& out, std::uint8_t type, const std::string& value) {
  if (value.empty()) return {};
  return append_field(out, type, value);
}

Result<void> append_tls(std::string& out, const ProxyTls& tls) {
  std::string value(
      1, static_cast<char>((tls.over_tls ? tls_used : 0) |
                           (tls.certificate_on_connection ? tls_certificate_connection : 0) |
                           (tls.certificate_in_session ? tls_certificate_session : 0)));
  append32(value, tls.verified ? 0 : 1);
  const std::pair<std::uint8_t, const std::string*> parts[] = {
      {field_tls_version, &tls.version},
      {field_tls_common_name, &tls.common_name},
      {field_tls_cipher, &tls.cipher},
      {field_tls_signature_algorithm, &tls.signature_algorithm},
      {field_tls_key_algorithm, &tls.key_algorithm}};
  for (const auto& [type, part] : parts) {
    if (auto appended = append_known(value, type, *part); !appended) return appended;
  }
  return append_field(out, field_tls, value);
}

Result<void> append_fields(std::string& out, const ProxyHeader& header) {
  if (header.unique_id.size() > unique_id_maximum) {
    return refused(fmt::format("unique_id has {} bytes, at most {} are allowed",
                               header.unique_id.size(), unique_id_maximum));
  }
  const std::pair<std::uint8_t, const std::string*> known[] = {
      {field_alpn, &header.alpn},
      {field_authority, &header.authority},
      {field_unique_id, &header.unique_id},
      {field_network_namespace, &header.network_namespace}};
  for (const auto& [type, value] : known) {
    if (auto appended = append_known(out, type, *value); !appended) return appended;
  }
  if (header.tls) {
    if (auto appended = append_tls(out, *header.tls); !appended) return appended;
  }
  for (const ProxyHeader::Field& field : header.others) {
    if (auto appended = append_field(out, field.type, field.value); !appended) return appended;
  }
  return {};
}

Result<std::string> write_v2(const ProxyHeader& header) {
  std::string out(v2_start);
  out += static_cast<char>(header.local ? 0x20 : 0x21);
  out.append(3, '\0');
  if (!header.local) {
    const auto family = append_addresses(out, header);
    if (!family) return std::unexpected(family.error());
    out[13] = static_cast<char>(*family);
    if (auto appended = append_fields(out, header); !appended) {
      return std::unexpected(std::move(appended).error());
    }
  }
  std::size_t sum_place = 0;
  if (header.checksum && !header.local) {
    if (auto appended = append_field(out, field_crc32c, std::string_view("\0\0\0\0", 4));
        !appended) {
      return std::unexpected(std::move(appended).error());
    }
    sum_place = out.size() - 4;
  }
  const std::size_t length = out.size() - v2_fixed;
  if (length > 0xffff) {
    return refused(fmt::format("all fields together have {} bytes, 65535 fit", length));
  }
  out[14] = static_cast<char>(length >> 8U);
  out[15] = static_cast<char>(length & 0xffU);
  if (sum_place != 0) {
    std::string sum;
    append32(sum, detail::crc32c(out));
    out.replace(sum_place, 4, sum);
  }
  return out;
}

}  // namespace

Result<std::string> write_proxy_header(const ProxyHeader& header) {
  if (auto families = check_families(header); !families) {
    return std::unexpected(std::move(families).error());
  }
  return header.version == ProxyHeader::Version::v1 ? write_v1(header) : write_v2(header);
}

}  // namespace hawser
