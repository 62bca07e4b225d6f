// What all connections that begin between two reloads share: the SSL_CTX of each certificate and
// the rules. Never changes; lives until its last connection has gone. Internal to the TLS
// transport.
#pragma once

#include <hawser/net/tls/detail/credentials.hpp>
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/detail/session_cache.hpp>
#include <hawser/net/tls/tls_options.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {
class Log;
}

namespace hawser::detail {

class TlsGeneration {
 public:
  static Result<std::shared_ptr<const TlsGeneration>> make(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsGeneration>> make(const TlsClientOptions& options);

  /// For a new connection; a server switches to another one when it knows the name.
  SSL_CTX* context() const noexcept { return contexts_.front().get(); }
  BIO_METHOD* bio_method() const noexcept { return bio_method_.get(); }
  bool is_server() const noexcept { return server_; }
  bool skips_verification() const noexcept { return skips_verification_; }
  bool tolerates_truncation() const noexcept { return tolerates_truncation_; }
  bool requires_alpn() const noexcept { return alpn_policy_ == TlsAlpn::required; }
  std::size_t handshake_bytes_limit() const noexcept { return handshake_bytes_limit_; }
  /// Server that answers the hello later; may be empty.
  const std::function<void(const TlsHello&, TlsHelloAnswer)>& on_hello_later() const noexcept {
    return on_hello_later_;
  }
  /// Client: instead of the host that was asked for; "" for that.
  const std::string& server_name() const noexcept { return server_name_; }
  /// Client that resumes, else nullptr.
  SessionCache* sessions() const noexcept { return sessions_.get(); }

  /// Certificates of ours that are not valid at `now` or end within two weeks, one line each.
  std::vector<std::string> warnings(std::chrono::system_clock::time_point now) const;
  /// Logs them, and that nothing is verified, once in this generation's life.
  void warn_once(Log& log, std::chrono::system_clock::time_point now) const;

 private:
  TlsGeneration() = default;
  void set_up(SSL_CTX* context, const TlsProtocol& protocol, TlsFaults& faults);
  void set_alpn(const std::vector<std::string>& protocols, TlsFaults& faults);
  OpensslContext server_context(const TlsServerOptions& options, X509_STORE* trust,
                                const STACK_OF(X509_NAME) * authorities, TlsFaults& faults);
  void set_up_verification(const TlsClientOptions& options, SSL_CTX* context, TlsFaults& faults);
  SSL_CTX* context_for(const std::string& name) const;

  // Called by OpenSSL.
  static int pause_at_hello(SSL* ssl, int* alert, void* generation);
  static int choose_certificate(SSL* ssl, int* alert, void* generation);
  static int choose_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                         const unsigned char* in, unsigned in_size, void* generation);
  static int note_verification(int good, X509_STORE_CTX* verification);
  static int keep_session(SSL* ssl, SSL_SESSION* session);

  bool server_ = false;
  bool skips_verification_ = false;
  bool tolerates_truncation_ = false;
  bool refuses_unknown_names_ = false;
  TlsAlpn alpn_policy_ = TlsAlpn::optional;
  std::size_t handshake_bytes_limit_ = 0;
  std::string server_name_;
  std::string alpn_;  // as on the wire: each with its length in front
  std::function<Result<void>(const TlsHello&)> on_hello_;
  std::function<void(const TlsHello&, TlsHelloAnswer)> on_hello_later_;
  OpensslBioMethod bio_method_;
  std::vector<OpensslContext> contexts_;  // by identity
  std::map<std::string, std::size_t, std::less<>> names_;
  std::vector<OwnCertificate> own_;
  std::unique_ptr<SessionCache> sessions_;
  mutable std::atomic_flag warned_;
};

}  // namespace hawser::detail
