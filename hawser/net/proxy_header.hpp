// The PROXY protocol's header, versions 1 (text) and 2 (binary): what a load balancer writes ahead
// of a connection to say for whom it connects. Public; pure functions over bytes, any thread.
// A connection reads or writes one by the transports of proxy_protocol.hpp.
// Specification: haproxy's proxy-protocol.txt, 2.1 and 2.2.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// What the proxy knows of TLS between the client and itself (2.2.6).
struct ProxyTls {
  bool over_tls = false;                   ///< the client came by TLS
  bool certificate_on_connection = false;  ///< it showed a certificate on this connection
  bool certificate_in_session = false;     ///< it showed one, on this or a resumed connection
  bool verified = false;                   ///< it showed one, and the proxy found it good
  std::string version{};                   ///< "TLSv1.3"
  std::string common_name{};               ///< of the client's certificate
  std::string cipher{};
  std::string signature_algorithm{};  ///< of the proxy's certificate
  std::string key_algorithm{};        ///< of the proxy's certificate

  bool operator==(const ProxyTls&) const = default;
};

struct ProxyHeader {
  enum class Version : std::uint8_t { v1 = 1, v2 = 2 };
  /// A field of version 2 that has no member here.
  struct Field {
    std::uint8_t type = 0;
    std::string value{};
    bool operator==(const Field&) const = default;
  };

  Version version = Version::v2;
  /// The proxy speaks for itself (a health check): LOCAL in version 2. Nothing below is set then.
  bool local = false;
  /// Who connected, and to where. Both "no address" when the proxy does not say (UNKNOWN, UNSPEC);
  /// otherwise both of one family.
  Address source{};
  Address destination{};
  /// The client reached the proxy by datagrams (version 2 only).
  bool datagrams = false;

  // Version 2 only; "" where absent.
  std::string alpn{};       ///< the protocol that was agreed on, as bytes: "h2"
  std::string authority{};  ///< the host name that the client asked for (SNI), unchecked
  std::string unique_id{};  ///< the proxy's name for the connection, at most 128 bytes of any kind
  std::string network_namespace{};
  std::optional<ProxyTls> tls{};
  std::vector<Field> others{};
  bool checksum = false;  ///< it carries a CRC32C; read: and that was right

  /// "PROXY v2, 192.0.2.1:5000 to 10.0.0.1:443", for logs.
  std::string describe() const;
  bool operator==(const ProxyHeader&) const = default;
};

/// Which headers are taken.
struct ProxyHeaderRules {
  bool v1 = true;
  bool v2 = true;
  /// Bytes of a version 2 header, all of it. One with certificate fields has a few hundred. 16 to
  /// 65551, the most that version 2 can say. (Version 1 has 107 at most by its specification.)
  std::size_t maximum = 4096;
};

inline constexpr std::size_t proxy_header_v1_maximum = 107;

/// What the bytes a connection begins with are.
struct ProxyHeaderRead {
  enum class Kind : std::uint8_t {
    need_more,   ///< no answer yet: call again with the same bytes and more behind them
    header,      ///< `header` is what the first `size` bytes say
    not_header,  ///< neither version begins like this
    invalid,     ///< it begins like one and breaks the specification or a rule: see `fault`
  };
  Kind kind = Kind::need_more;
  std::size_t size = 0;  ///< need_more: there is no answer before so many bytes in all
  ProxyHeader header{};
  std::string fault{};
};

/// Looks at everything that has come so far. Never looks beyond a header's end.
ProxyHeaderRead read_proxy_header(BytesView bytes, const ProxyHeaderRules& rules = {});

/// The header as bytes. Errors: invalid_argument, naming the field that this version cannot carry
/// (addresses of two families, fields in version 1, a value that is too long).
Result<std::string> write_proxy_header(const ProxyHeader& header);

}  // namespace hawser
