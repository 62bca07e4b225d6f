// OpenSSL's error queue as a Reason.
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/detail/tls_reasons.hpp>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <string>

namespace hawser::detail {

namespace {

/// The first error of the SSL library itself, else the first: what came before is a detail of it.
unsigned long take_main_error() {
  unsigned long main = 0;
  while (const unsigned long code = ERR_get_error()) {
    if (main == 0 || (ERR_GET_LIB(main) != ERR_LIB_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL)) {
      main = code;
    }
  }
  return main;
}

}  // namespace

Reason tls_failure(bool in_handshake, std::string_view declined) {
  const unsigned long code = take_main_error();
  const int reason = ERR_GET_REASON(code);
  const bool of_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
  const std::string_view where = in_handshake ? "TLS handshake" : "TLS";
  if (!declined.empty()) return Reason::failed(fmt::format("{}: {}", where, declined));
  if (of_ssl && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    return Reason::failed(fmt::format("{}: the peer refused with alert \"{}\"", where,
                                      SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET)));
  }
  if (of_ssl) {
    switch (reason) {
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return Reason::failed(fmt::format("{}: the client shows no certificate", where));
      case SSL_R_HTTP_REQUEST:
      case SSL_R_HTTPS_PROXY_REQUEST:
        return Reason::protocol_error(
            fmt::format("{}: the peer speaks plain HTTP where TLS is spoken", where));
      case SSL_R_WRONG_VERSION_NUMBER:
        if (!in_handshake) break;
        return Reason::protocol_error(
            fmt::format("{}: what the peer sends is no TLS (wrong version number)", where));
      case SSL_R_UNSUPPORTED_PROTOCOL:
        return Reason::failed(fmt::format("{}: the peer offers no TLS version of ours", where));
      case SSL_R_NO_SHARED_CIPHER:
        return Reason::failed(fmt::format("{}: no cipher in common (no shared cipher)", where));
      case SSL_R_NO_APPLICATION_PROTOCOL:
        return Reason::failed(fmt::format("{}: no application protocol in common (ALPN)", where));
      default:
        break;
    }
  }
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return Reason::protocol_error(
      fmt::format("{}: {}", where, text == nullptr ? "the record layer failed" : text));
}

}  // namespace hawser::detail
