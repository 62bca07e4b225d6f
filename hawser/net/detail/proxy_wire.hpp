// The numbers of PROXY headers, which reading and writing share. Internal to proxy_header*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hawser::proxy_wire {

inline constexpr std::string_view v1_start = "PROXY ";
inline constexpr std::string_view v2_start{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t v2_fixed = 16;  // signature, version and command, family, length
inline constexpr std::size_t unix_path_bytes = 108;
inline constexpr std::size_t unique_id_maximum = 128;

// Family in the high half, transport in the low one.
inline constexpr std::uint8_t unspecified = 0x00, ipv4_stream = 0x11, ipv6_stream = 0x21,
                              unix_stream = 0x31;

enum FieldType : std::uint8_t {
  field_alpn = 0x01,
  field_authority = 0x02,
  field_crc32c = 0x03,
  field_noop = 0x04,
  field_unique_id = 0x05,
  field_tls = 0x20,
  field_tls_version = 0x21,
  field_tls_common_name = 0x22,
  field_tls_cipher = 0x23,
  field_tls_signature_algorithm = 0x24,
  field_tls_key_algorithm = 0x25,
  field_network_namespace = 0x30,
};
enum TlsBit : std::uint8_t {
  tls_used = 1,
  tls_certificate_connection = 2,
  tls_certificate_session = 4
};
inline constexpr std::size_t tls_fixed = 5;  // the bits, and the outcome of verifying

}  // namespace hawser::proxy_wire
