// OpenSSL over a descriptor.
#include <bench/load/tls_stream.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <chrono>

namespace hawser::bench {

void TlsClients::Release::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void TlsStream::Release::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

TlsClients::TlsClients() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context_.get(), 1);  // one system call a read
  SSL_CTX_set_mode(context_.get(), static_cast<long>(SSL_MODE_ENABLE_PARTIAL_WRITE |
                                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER));
}

Result<std::size_t> TlsStream::answer(int result, const char* what) {
  if (result > 0) return static_cast<std::size_t>(result);
  const int why = SSL_get_error(ssl_.get(), result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
  const char* const text = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  if (why == SSL_ERROR_ZERO_RETURN) {
    return std::unexpected(Error{ErrorKind::closed, 0, what, "the server closed a connection"});
  }
  return std::unexpected(
      Error{ErrorKind::protocol_error, 0, what, text == nullptr ? "the connection broke" : text});
}

Result<TlsStream> TlsStream::shake(const TlsClients& clients, int fd, Duration stall) {
  TlsStream stream(SSL_new(clients.context_.get()));
  SSL_set_fd(stream.ssl_.get(), fd);
  SSL_set_connect_state(stream.ssl_.get());
  while (true) {
    const auto done = stream.answer(SSL_do_handshake(stream.ssl_.get()), "TLS handshake");
    if (!done) return std::unexpected(done.error());
    if (*done != 0) return stream;
    pollfd waiting = {fd, static_cast<short>(SSL_want_write(stream.ssl_.get()) ? POLLOUT : POLLIN),
                      0};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(stall);
    if (poll(&waiting, 1, static_cast<int>(limit.count())) == 0) {
      return std::unexpected(Error{ErrorKind::timeout, 0, "TLS handshake", "the server is silent"});
    }
  }
}

Result<std::size_t> TlsStream::send(BytesView bytes) {
  // Each call writes one record: on until the socket is full, or no edge would tell that it is not.
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const BytesView rest = bytes.substr(sent);
    const auto taken =
        answer(SSL_write(ssl_.get(), rest.data(), static_cast<int>(rest.size())), "load");
    if (!taken) return taken;
    if (*taken == 0) break;
    sent += *taken;
  }
  return sent;
}

Result<std::size_t> TlsStream::receive(std::span<char> room) {
  return answer(SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size())), "load");
}

}  // namespace hawser::bench
