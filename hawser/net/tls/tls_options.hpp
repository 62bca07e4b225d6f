// What a TLS server or client is to be: certificates, whom it trusts, versions, ALPN, limits.
// Public; plain values. tls_context.hpp makes a context of them and names every fault.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/tls/handshake_budget.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class TlsHelloAnswer;

enum class TlsVersion : std::uint8_t { tls_1_2, tls_1_3 };

/// A certificate with its private key, each from a PEM file or from PEM text (never both).
struct TlsIdentity {
  std::string certificate_file{};  ///< the certificate first, then its intermediates
  std::string certificate_pem{};
  std::string private_key_file{};
  std::string private_key_pem{};
  std::string private_key_password{};  ///< of an encrypted key; never shown in errors or logs
  /// Server: the names (SNI) it is for, "example.com" or "*.example.com" (one label). Empty: those
  /// of the certificate itself.
  std::vector<std::string> server_names{};
};

/// Whose signature under a peer's certificate counts. What is given adds up.
struct TlsTrust {
  std::string authority_file{};       ///< PEM certificates
  std::string authority_pem{};        ///< the same as text
  std::string authority_directory{};  ///< hashed as by `openssl rehash`
  /// The system's own authorities as well. A client that is given nothing above uses them anyway.
  bool system_authorities = false;

  bool empty() const noexcept {
    return authority_file.empty() && authority_pem.empty() && authority_directory.empty() &&
           !system_authorities;
  }
};

/// Versions and algorithms. Empty texts leave OpenSSL's (and the system's) choice.
struct TlsProtocol {
  TlsVersion minimum = TlsVersion::tls_1_2;
  TlsVersion maximum = TlsVersion::tls_1_3;
  std::string ciphers{};        ///< TLS 1.2, as `openssl ciphers` takes them
  std::string cipher_suites{};  ///< TLS 1.3: "TLS_AES_256_GCM_SHA384:…"
  std::string groups{};         ///< key exchange: "X25519:P-256"
};

/// What becomes of a handshake that agrees on no protocol by ALPN (RFC 7301).
enum class TlsAlpn : std::uint8_t {
  optional,  ///< it goes on without one
  strict,    ///< server: a client that offers some, none of ours, is refused; as the RFC says
  required,  ///< whoever agrees on none is refused, be it that it offered none
};

/// Does a server ask its clients for a certificate? Verified against `client_trust`.
enum class TlsClientCertificates : std::uint8_t {
  none,
  request,  ///< one that is shown must be good; none is fine, too (TlsInfo tells)
  require,
};

/// What a client has said first.
struct TlsHello {
  std::string_view server_name;  ///< SNI, lower case; "" when it gave none
  Address peer;
};

struct TlsServerOptions {
  /// The first is the default one, for clients that name no or an unknown server.
  std::vector<TlsIdentity> identities{};
  TlsProtocol protocol{};
  std::vector<std::string> alpn{};  ///< best first; ours is the preference that counts
  TlsAlpn alpn_policy = TlsAlpn::strict;
  TlsClientCertificates client_certificates = TlsClientCertificates::none;
  TlsTrust client_trust{};
  /// Refuse clients that name a server nobody here is, instead of showing the default certificate.
  bool refuse_unknown_names = false;
  /// Called after the ClientHello, on the connection's thread; an error declines the connection and
  /// is its reason. Must not wait.
  std::function<Result<void>(const TlsHello&)> on_hello{};
  /// Called at the ClientHello, on the connection's thread, before anything is chosen: the
  /// handshake stands still until the answer is used, for those who must ask somebody first.
  /// Bounded by ConnectionOptions::handshake_timeout; meanwhile the client's bytes are kept up to
  /// handshake_bytes_limit. Include tls_hello.hpp.
  std::function<void(const TlsHello&, TlsHelloAnswer)> on_hello_later{};
  /// Session tickets a client is given (TLS 1.3; at 1.2 there is one or none); 0 switches
  /// resumption off. At most 16. The keys live in memory, and each reload makes new ones.
  unsigned session_tickets = 1;
  Duration session_lifetime = std::chrono::hours(2);  ///< at least 1 s, at most 7 days (RFC 8446)
  /// Take the end of the connection without close_notify for an ordinary one. Somebody on the way
  /// can then cut what a peer sends without being noticed.
  bool tolerate_truncation = false;
  HandshakeLimits handshakes{};
  /// Bytes of a client that are kept while its handshake waits for its turn; protocol_error beyond.
  std::size_t handshake_bytes_limit = std::size_t{128} << 10;
};

struct TlsClientOptions {
  TlsTrust trust{};  ///< empty: the system's authorities
  /// The name or IP address that must be in the server's certificate, and that is sent as SNI when
  /// it is a name. Empty: the host that was asked for.
  std::string server_name{};
  /// Talk to whoever answers. Everything is still encrypted, but for whom, nobody knows.
  bool dangerously_skip_verification = false;
  TlsIdentity identity{};  ///< shown to servers that ask for one; empty: none
  TlsProtocol protocol{};
  std::vector<std::string> alpn{};  ///< offered; the server chooses
  TlsAlpn alpn_policy = TlsAlpn::optional;
  bool resume_sessions = true;      ///< keeps the last session of each server
  std::size_t sessions_kept = 256;  ///< servers remembered at most; the oldest goes first
  bool tolerate_truncation = false;
  HandshakeLimits handshakes{};
  std::size_t handshake_bytes_limit = std::size_t{128} << 10;
};

}  // namespace hawser
