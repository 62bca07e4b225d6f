// Certificates and rules made ready for use, and the transports' makers. Public. A context is a
// cheap handle that may be copied and used on any thread; making and reloading one reads files.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/tls/tls_options.hpp>
#include <hawser/net/transport.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hawser {

namespace detail {
class TlsContextState;
}

class TlsServerContext {
 public:
  /// invalid_argument, with every fault of the options in its text: a file that cannot be read, a
  /// key that is not the certificate's, ciphers nobody knows. Keys and passwords are never in it.
  static Result<TlsServerContext> create(TlsServerOptions options);
  /// What a command line has to say of it: one certificate and its key and, unless it is "", the
  /// authorities of which each client must show a certificate. PEM files; errors as create().
  static Result<TlsServerContext> of_files(std::string certificate, std::string private_key,
                                           std::string client_authorities);

  /// Reads the files anew (a renewed certificate). New handshakes take what was read; connections
  /// that are up or in their handshake keep what they began with. Tickets given before are no
  /// longer accepted: their clients make one full handshake. After an error everything is as it
  /// was.
  Result<void> reload() const;
  /// The same with other options.
  Result<void> replace(TlsServerOptions options) const;

  /// Certificates that are not valid at `now`, or end within two weeks. The first connection logs
  /// them, too.
  std::vector<std::string> warnings(std::chrono::system_clock::time_point now) const;

 private:
  struct State;
  explicit TlsServerContext(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  friend TransportMaker tls_server(TlsServerContext context);
  std::shared_ptr<State> state_;
};

class TlsClientContext {
 public:
  static Result<TlsClientContext> create(TlsClientOptions options);
  /// As for a server. Sessions kept so far are forgotten.
  Result<void> reload() const;
  Result<void> replace(TlsClientOptions options) const;
  std::vector<std::string> warnings(std::chrono::system_clock::time_point now) const;

 private:
  struct State;
  explicit TlsClientContext(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  friend TransportMaker tls_client(TlsClientContext context);
  std::shared_ptr<State> state_;
};

/// The server's end of TLS.
TransportMaker tls_server(TlsServerContext context);
/// The client's end.
TransportMaker tls_client(TlsClientContext context);
/// The same with a context of its own. Faults of the options end each connection at its start, with
/// reason failed and their text; create a TlsClientContext to hear of them at once.
TransportMaker tls_client(TlsClientOptions options = {});

}  // namespace hawser
