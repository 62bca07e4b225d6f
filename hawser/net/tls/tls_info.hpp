// What a TLS connection has agreed on, and with whom. Public; plain value.
#pragma once

#include <string>
#include <vector>

namespace hawser {

/// Of a handshake that is through; all empty before.
struct TlsInfo {
  std::string version;      ///< "TLS 1.3"
  std::string cipher;       ///< "TLS_AES_256_GCM_SHA384"
  std::string alpn;         ///< "" for none
  std::string server_name;  ///< SNI: what the client asked for
  bool resumed = false;     ///< of an earlier session: no certificate was exchanged anew
  /// The peer's certificate was checked and is good. A server that does not ask for one, or a
  /// client that skips verification: false.
  bool peer_verified = false;
  std::string peer_subject;  ///< "CN=alice,O=Example" (RFC 2253), "" without certificate
  std::vector<std::string>
      peer_names;                ///< subject alternative names: "DNS:a.example", "IP:10.0.0.1"
  std::string peer_fingerprint;  ///< SHA-256 of the certificate, "ab:cd:…"
};

}  // namespace hawser
