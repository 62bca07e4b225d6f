// Reads certificates, keys and authorities into an SSL_CTX, and names everything that is wrong with
// them, but never what is in them. Internal to the TLS transport; any thread; reads files.
#pragma once

#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/tls_options.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace hawser::detail {

/// What is wrong, each with the option's name in front.
using TlsFaults = std::vector<std::string>;

/// A certificate of ours: what is told of it later.
struct OwnCertificate {
  std::string label;  ///< "certificate CN=example"
  std::chrono::system_clock::time_point begins;
  std::chrono::system_clock::time_point ends;
};

/// Puts the certificate chain and the key into `context`. Answers the server names it is for.
std::vector<std::string> load_identity(const TlsIdentity& identity, const std::string& option,
                                       SSL_CTX* context, std::vector<OwnCertificate>& own,
                                       TlsFaults& faults);

struct LoadedTrust {
  OpensslStore store;
  OpensslNames names;  ///< of the authorities that were named one by one
};
LoadedTrust load_trust(const TlsTrust& trust, const std::string& option, TlsFaults& faults);

}  // namespace hawser::detail
