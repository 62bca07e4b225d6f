// PROXY headers: written by hand from the specification, fed at every split, and there and back.
#include <hawser/net/proxy_header.hpp>

#include <gtest/gtest.h>
#include <hawser/net/detail/crc32c.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using Kind = ProxyHeaderRead::Kind;
using namespace std::string_literals;

const std::string v2_start = "\r\n\r\n\0\r\nQUIT\n"s;

Address parsed(const char* text) { return Address::parse(text).value_or(Address{}); }

std::string number16(std::size_t number) {
  return {static_cast<char>(number >> 8U), static_cast<char>(number & 0xffU)};
}
std::string field(int type, const std::string& value) {
  return static_cast<char>(type) + number16(value.size()) + value;
}
std::string v2(int command, int family, const std::string& rest) {
  return v2_start + static_cast<char>(command) + static_cast<char>(family) + number16(rest.size()) +
         rest;
}
const std::string ipv4_block = "\xc0\x00\x02\x01\x0a\x00\x00\x01\x13\x88\x01\xbb"s;

/// Reads `bytes` at once; and asserts that each prefix is "need more" until the answer is there,
/// and that the answer stays the same whatever follows.
ProxyHeaderRead read(const std::string& bytes, const ProxyHeaderRules& rules = {}) {
  const ProxyHeaderRead whole = read_proxy_header(bytes, rules);
  bool decided = false;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::string exact(bytes, 0, size);  // of its own, so that a read too far is seen
    const ProxyHeaderRead part = read_proxy_header(exact, rules);
    if (part.kind == Kind::need_more) {
      EXPECT_FALSE(decided) << size;
      EXPECT_GT(part.size, size) << "wants what it has";
      if (whole.kind == Kind::header) {
        EXPECT_LE(part.size, whole.size) << "wants too much";
      }
      continue;
    }
    decided = true;
    EXPECT_EQ(part.kind, whole.kind) << size;
    EXPECT_EQ(part.size, whole.size) << size;
    EXPECT_EQ(part.header, whole.header) << size;
    EXPECT_EQ(part.fault, whole.fault) << size;
  }
  return whole;
}

ProxyHeader header_of(const std::string& bytes) {
  const ProxyHeaderRead whole = read(bytes + "GET /");
  EXPECT_EQ(whole.kind, Kind::header) << whole.fault;
  EXPECT_EQ(whole.size, bytes.size());
  return whole.header;
}

void expect_fault(const std::string& bytes, std::string_view word,
                  const ProxyHeaderRules& rules = {}) {
  const ProxyHeaderRead whole = read(bytes, rules);
  EXPECT_EQ(whole.kind, Kind::invalid) << word;
  EXPECT_NE(whole.fault.find(word), std::string::npos) << whole.fault;
}

// ---- version 1
// -----------------------------------------------------------------------------------

TEST(ProxyHeader, version_1_names_both_ends) {
  const ProxyHeader ipv4 = header_of("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n");
  EXPECT_EQ(ipv4.version, ProxyHeader::Version::v1);
  EXPECT_EQ(ipv4.source, parsed("192.0.2.1:5000"));
  EXPECT_EQ(ipv4.destination, parsed("10.0.0.1:443"));
  EXPECT_EQ(ipv4.describe(), "PROXY v1, 192.0.2.1:5000 to 10.0.0.1:443");
  const ProxyHeader ipv6 = header_of("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n");
  EXPECT_EQ(ipv6.source, parsed("[2001:db8::1]:65535"));
  EXPECT_EQ(ipv6.destination, parsed("[::1]:0"));
}

TEST(ProxyHeader, version_1_unknown_skips_the_rest_of_its_line) {
  for (const char* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN 1 2 3 4 5 6\r\n",
                           "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"}) {
    const ProxyHeader header = header_of(line);
    EXPECT_EQ(header.source, Address{});
    EXPECT_EQ(header.describe(), "PROXY v1, unknown");
  }
}

TEST(ProxyHeader, version_1_may_have_107_bytes_and_no_more) {
  const std::string start = "PROXY UNKNOWN ";
  header_of(start + std::string(proxy_header_v1_maximum - start.size() - 2, 'x') + "\r\n");
  expect_fault(start + std::string(proxy_header_v1_maximum - start.size() - 1, 'x') + "\r\n",
               "no end within its 107 bytes");
  expect_fault("PROXY TCP4 " + std::string(200, '1'), "no end within");
}

TEST(ProxyHeader, version_1_faults_name_what_was_wrong) {
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\n", "LF instead of CR LF");
  expect_fault("PROXY TCP5 192.0.2.1 10.0.0.1 5000 443\r\n", "names \"TCP5\"");
  expect_fault("PROXY \r\n", "names \"\"");
  expect_fault("PROXY  TCP4 192.0.2.1 10.0.0.1 5000 443\r\n", "names \"\"");
  expect_fault("PROXY UNKNOWNS\r\n", "names \"UNKNOWNS\"");
  expect_fault("PROXY tcp4 192.0.2.1 10.0.0.1 5000 443\r\n", "names \"tcp4\"");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443 1\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443 \r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 -1 443\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1 10.0.0.1 05000 443\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.1  10.0.0.1 5000 443\r\n", "two ports");
  expect_fault("PROXY TCP4 192.0.2.300 10.0.0.1 5000 443\r\n", "\"192.0.2.300\" for an IPv4");
  expect_fault("PROXY TCP4 192.0.2.1 ::1 5000 443\r\n", "\"::1\" for an IPv4");
  expect_fault("PROXY TCP6 192.0.2.1 ::1 5000 443\r\n", "\"192.0.2.1\" for an IPv6");
  expect_fault("PROXY TCP6 fe80::1%2 ::1 5000 443\r\n", "\"fe80::1%2\" for an IPv6");
  expect_fault("PROXY TCP6 [::1] ::1 5000 443\r\n", "\"[::1]\" for an IPv6");
  expect_fault("PROXY TCP4 * 10.0.0.1 5000 443\r\n", "\"*\" for an IPv4");
  expect_fault("PROXY TCP4 \x01 10.0.0.1 5000 443\r\n", "\\x01");
}

// ---- version 2
// -----------------------------------------------------------------------------------

TEST(ProxyHeader, version_2_names_both_ends) {
  const ProxyHeader ipv4 = header_of(v2(0x21, 0x11, ipv4_block));
  EXPECT_EQ(ipv4.version, ProxyHeader::Version::v2);
  EXPECT_EQ(ipv4.source, parsed("192.0.2.1:5000"));
  EXPECT_EQ(ipv4.destination, parsed("10.0.0.1:443"));
  EXPECT_FALSE(ipv4.datagrams);
  EXPECT_TRUE(header_of(v2(0x21, 0x12, ipv4_block)).datagrams);
  const std::string from = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + '\1';
  const std::string to = std::string(15, '\0') + '\1';
  const ProxyHeader ipv6 = header_of(v2(0x21, 0x21, from + to + "\xff\xff\x00\x01"s));
  EXPECT_EQ(ipv6.source, parsed("[2001:db8::1]:65535"));
  EXPECT_EQ(ipv6.destination, parsed("[::1]:1"));
}

TEST(ProxyHeader, version_2_unix_paths_end_at_their_zero_or_fill_their_field) {
  const auto path = [](std::string name) {
    name.resize(108);
    return name;
  };
  const ProxyHeader header = header_of(v2(0x21, 0x31, path("/run/a") + path("\0b"s)));
  EXPECT_EQ(header.source, parsed("unix:/run/a"));
  EXPECT_EQ(header.destination, parsed("unix:@b"));
  const ProxyHeader full = header_of(v2(0x21, 0x31, path("") + std::string(108, 'x')));
  EXPECT_EQ(full.source, Address{});
  EXPECT_EQ(full.destination.path(), std::string(108, 'x'));
}

TEST(ProxyHeader, version_2_local_skips_whatever_follows) {
  for (const std::string& bytes :
       {v2(0x20, 0x00, ""), v2(0x20, 0x11, ipv4_block), v2(0x20, 0xff, "junk"),
        v2(0x20, 0x11, "short"), v2(0x20, 0x00, field(3, "bad!"))}) {
    const ProxyHeader header = header_of(bytes);
    EXPECT_TRUE(header.local);
    EXPECT_EQ(header.source, Address{});
    EXPECT_EQ(header.describe(), "PROXY v2, local");
  }
}

TEST(ProxyHeader, version_2_unspecified_still_has_fields) {
  const ProxyHeader header = header_of(v2(0x21, 0x00, field(1, "h2")));
  EXPECT_FALSE(header.local);
  EXPECT_EQ(header.source, Address{});
  EXPECT_EQ(header.alpn, "h2");
}

TEST(ProxyHeader, version_2_fields) {
  const std::string tls = "\x07\0\0\0\0"s + field(0x21, "TLSv1.3") + field(0x22, "client.example") +
                          field(0x23, "AES") + field(0x24, "SHA256") + field(0x25, "RSA2048") +
                          field(0x28, "later");
  const ProxyHeader header =
      header_of(v2(0x21, 0x11,
                   ipv4_block + field(1, "h2") + field(2, "a.example") + field(4, "padding") +
                       field(5, "\0id"s) + field(0x20, tls) + field(0x30, "blue") +
                       field(0xea, "aws") + field(0xea, "")));
  EXPECT_EQ(header.alpn, "h2");
  EXPECT_EQ(header.authority, "a.example");
  EXPECT_EQ(header.unique_id, "\0id"s);
  EXPECT_EQ(header.network_namespace, "blue");
  EXPECT_EQ(header.others, (std::vector<ProxyHeader::Field>{{0xea, "aws"}, {0xea, ""}}));
  EXPECT_FALSE(header.checksum);
  ASSERT_TRUE(header.tls);
  EXPECT_TRUE(header.tls->over_tls && header.tls->certificate_on_connection &&
              header.tls->certificate_in_session && header.tls->verified);
  EXPECT_EQ(header.tls->version, "TLSv1.3");
  EXPECT_EQ(header.tls->common_name, "client.example");
  EXPECT_EQ(header.tls->cipher, "AES");
  EXPECT_EQ(header.tls->signature_algorithm, "SHA256");
  EXPECT_EQ(header.tls->key_algorithm, "RSA2048");
}

TEST(ProxyHeader, version_2_nothing_to_verify_is_not_verified) {
  const auto tls_of = [](const std::string& value) {
    return header_of(v2(0x21, 0x11, ipv4_block + field(0x20, value))).tls.value_or(ProxyTls{});
  };
  EXPECT_FALSE(tls_of("\x01\0\0\0\0"s).verified) << "no certificate was shown";
  EXPECT_FALSE(tls_of("\x03\0\0\0\x13"s).verified) << "it was found bad";
  EXPECT_TRUE(tls_of("\x05\0\0\0\0"s).verified);
}

TEST(ProxyHeader, Tcp_R_12_version_2_checksum_is_over_the_whole_header) {
  const auto with_sum = [](std::uint32_t wrong_by) {
    std::string bytes =
        v2(0x21, 0x11, ipv4_block + field(2, "a.example") + field(3, "\0\0\0\0"s) + field(1, "h2"));
    const std::size_t place = bytes.size() - 5 - 4;
    const std::uint32_t sum = detail::crc32c(bytes) + wrong_by;
    bytes.replace(place, 4, number16(sum >> 16U) + number16(sum & 0xffffU));
    return bytes;
  };
  EXPECT_TRUE(header_of(with_sum(0)).checksum);
  expect_fault(with_sum(1), "CRC32C is");
  std::string changed = with_sum(0);
  changed[17] ^= 1;  // the source's address
  expect_fault(changed, "CRC32C is");
  expect_fault(v2(0x21, 0x11, ipv4_block + field(3, "abc")), "CRC32C has 3 bytes");
}

TEST(ProxyHeader, version_2_faults_name_what_was_wrong) {
  expect_fault(v2(0x31, 0x11, ipv4_block), "says that it is version 3");
  expect_fault(v2(0x22, 0x11, ipv4_block), "command 2");
  for (const int family : {0x01, 0x02, 0x10, 0x13, 0x20, 0x41, 0xf1}) {
    expect_fault(v2(0x21, family, std::string(300, '\0')), "no family");
  }
  expect_fault(v2(0x21, 0x11, ipv4_block.substr(1)), "11 bytes where its addresses take 12");
  expect_fault(v2(0x21, 0x21, std::string(35, '\0')), "35 bytes");
  expect_fault(v2(0x21, 0x31, std::string(215, '\0')), "215 bytes");
  expect_fault(v2(0x21, 0x11, ipv4_block + "\x01"), "within a field's type and length");
  expect_fault(v2(0x21, 0x11, ipv4_block + "\x01\x00\x03h2"s), "3 bytes where 2 are left");
  expect_fault(v2(0x21, 0x11, ipv4_block + field(5, std::string(129, 'x'))), "129 bytes");
  expect_fault(v2(0x21, 0x11, ipv4_block + field(0x20, "\x01\0\0\0"s)), "TLS field has 4 bytes");
  expect_fault(v2(0x21, 0x11, ipv4_block + field(0x20, "\x01\0\0\0\0\x21"s)), "its TLS field ends");
  expect_fault(v2(0x21, 0x11, ipv4_block + field(0x20, "\x01\0\0\0\0\x21\0\2x"s)),
               "its TLS field has a field 0x21 of 2 bytes");
}

TEST(ProxyHeader, version_2_maximum_is_a_rule) {
  const std::string bytes = v2(0x21, 0x11, ipv4_block + field(4, std::string(100, 'x')));
  EXPECT_EQ(read(bytes, {.maximum = bytes.size()}).kind, Kind::header);
  expect_fault(bytes, "the limit (maximum) is", {.maximum = bytes.size() - 1});
  const std::string largest = v2(0x21, 0x11, ipv4_block + field(4, std::string(65520, 'x')));
  EXPECT_EQ(read_proxy_header(largest).kind, Kind::invalid);
  EXPECT_EQ(read_proxy_header(largest, {.maximum = 65551}).kind, Kind::header);
}

TEST(ProxyHeader, a_version_that_is_not_taken_is_refused) {
  expect_fault("PROXY UNKNOWN\r\n", "only version 2", {.v1 = false});
  expect_fault(v2(0x20, 0, ""), "only version 1", {.v2 = false});
}

TEST(ProxyHeader, other_beginnings_are_no_header) {
  for (const char* bytes : {"GET / HTTP/1.1\r\n", "PROXIED", "PROXYTCP4", "\r\n\r\n\r\n",
                            "proxy UNKNOWN\r\n", "\x16\x03\x01"}) {
    EXPECT_EQ(read(bytes).kind, Kind::not_header) << bytes;
  }
  EXPECT_EQ(read_proxy_header("").kind, Kind::need_more);
}

// ---- there and back
// ------------------------------------------------------------------------------

ProxyHeader made(const char* from, const char* to, ProxyHeader::Version version) {
  ProxyHeader header;
  header.version = version;
  header.source = parsed(from);
  header.destination = parsed(to);
  return header;
}

TEST(ProxyHeader, Tcp_R_12_what_is_written_is_read_again) {
  std::vector<ProxyHeader> headers;
  for (const auto version : {ProxyHeader::Version::v1, ProxyHeader::Version::v2}) {
    headers.push_back(made("192.0.2.1:5000", "10.0.0.1:443", version));
    headers.push_back(made("[2001:db8::1]:1", "[::1]:65535", version));
    headers.push_back(made("", "", version));
  }
  headers.push_back(made("unix:/run/a", "unix:@b", ProxyHeader::Version::v2));
  headers.push_back(made("", "unix:@b", ProxyHeader::Version::v2));
  ProxyHeader local;
  local.local = true;
  headers.push_back(local);
  ProxyHeader full = headers[3];
  full.datagrams = true;
  full.alpn = "h2";
  full.authority = "a.example";
  full.unique_id = std::string(128, '\xff');
  full.network_namespace = "blue";
  full.others = {{0xea, "\0x"s}, {0xeb, ""}};
  full.checksum = true;
  full.tls = ProxyTls{.over_tls = true,
                      .certificate_on_connection = true,
                      .certificate_in_session = true,
                      .verified = true,
                      .version = "TLSv1.3",
                      .common_name = "c",
                      .cipher = "AES",
                      .signature_algorithm = "SHA256",
                      .key_algorithm = "EC256"};
  headers.push_back(full);
  for (const ProxyHeader& header : headers) {
    const auto bytes = write_proxy_header(header);
    ASSERT_TRUE(bytes) << bytes.error().text();
    EXPECT_EQ(header_of(*bytes), header) << header.describe();
  }
  EXPECT_EQ(write_proxy_header(headers[0]).value_or(""),
            "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n");
  EXPECT_EQ(write_proxy_header(headers[3]).value_or(""), v2(0x21, 0x11, ipv4_block));
  EXPECT_EQ(write_proxy_header(local).value_or(""), v2(0x20, 0, ""));
}

TEST(ProxyHeader, an_IPv4_and_an_IPv6_end_are_written_as_IPv6) {
  for (const auto version : {ProxyHeader::Version::v1, ProxyHeader::Version::v2}) {
    const auto bytes = write_proxy_header(made("192.0.2.1:5", "[::1]:6", version));
    ASSERT_TRUE(bytes);
    const ProxyHeader header = header_of(*bytes);
    EXPECT_EQ(header.source, parsed("[::ffff:192.0.2.1]:5"));
    EXPECT_EQ(header.destination, parsed("[::1]:6"));
  }
}

TEST(ProxyHeader, what_a_version_cannot_carry_is_not_written) {
  const auto refused = [](const ProxyHeader& header, std::string_view word) {
    const auto bytes = write_proxy_header(header);
    ASSERT_FALSE(bytes) << word;
    EXPECT_EQ(bytes.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(bytes.error().text().find(word), std::string::npos) << bytes.error().text();
  };
  const auto v1 = made("192.0.2.1:5000", "10.0.0.1:443", ProxyHeader::Version::v1);
  ProxyHeader header = v1;
  header.alpn = "h2";
  refused(header, "addresses only");
  header = v1;
  header.checksum = true;
  refused(header, "addresses only");
  header = v1;
  header.datagrams = true;
  refused(header, "datagrams");
  refused(made("192.0.2.1:1", "unix:/a", ProxyHeader::Version::v2), "two families");
  refused(made("192.0.2.1:1", "", ProxyHeader::Version::v2), "two families");
  header = made("192.0.2.1:5000", "10.0.0.1:443", ProxyHeader::Version::v2);
  header.unique_id = std::string(129, 'x');
  refused(header, "129 bytes");
  header.unique_id.clear();
  header.others = {{0xea, std::string(65536, 'x')}};
  refused(header, "65536 bytes");
  header.others = {{0xea, std::string(40000, 'x')}, {0xeb, std::string(40000, 'x')}};
  refused(header, "all fields together");
}

}  // namespace
}  // namespace hawser
