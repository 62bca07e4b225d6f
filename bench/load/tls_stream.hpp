// The load generator's end of TLS: over a connected non-blocking socket, verifying nobody. Public;
// one thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <memory>
#include <span>

struct ssl_ctx_st;
struct ssl_st;

namespace hawser::bench {

/// What the streams of one run share. Resumption is off: each pays its whole handshake.
class TlsClients {
 public:
  TlsClients();

 private:
  friend class TlsStream;
  struct Release {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  std::unique_ptr<ssl_ctx_st, Release> context_;
};

class TlsStream {
 public:
  /// Shakes hands, waiting for the peer at most `stall` at a time. `fd` stays the caller's. Errors:
  /// protocol_error, closed, timeout.
  static Result<TlsStream> shake(const TlsClients& clients, int fd, Duration stall);

  /// How many of `bytes` were sent; 0 when the socket is full. What was not sent comes first in the
  /// next call.
  Result<std::size_t> send(BytesView bytes);
  /// How many bytes came; 0 when there are none now, and then the socket is empty.
  Result<std::size_t> receive(std::span<char> room);

 private:
  struct Release {
    void operator()(ssl_st* ssl) const noexcept;
  };
  explicit TlsStream(ssl_st* ssl) noexcept : ssl_(ssl) {}
  Result<std::size_t> answer(int result, const char* what);
  std::unique_ptr<ssl_st, Release> ssl_;
};

}  // namespace hawser::bench
