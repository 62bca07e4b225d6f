// TLS 1.2 and 1.3 as a transport, either end, on OpenSSL. Public for info(); made by tls_server()
// and tls_client() of tls_context.hpp. Belongs to the connection's thread.
//
// Idle, it holds an SSL object and no buffer: ciphertext is read from the borrowed bytes it came
// in, written straight into the queue below, and plain bytes are lent from the stack.
#pragma once

#include <hawser/net/tls/detail/tls_side.hpp>
#include <hawser/net/tls/handshake_budget.hpp>
#include <hawser/net/tls/tls_info.hpp>
#include <hawser/net/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct ssl_st;

namespace hawser {

namespace detail {
class TlsContextState;
struct HelloPause;
struct HelloVerdict;
}  // namespace detail

class TlsTransport final : public Transport, private HandshakeBudget::Waiter {
 public:
  explicit TlsTransport(std::shared_ptr<detail::TlsContextState> context) noexcept;
  ~TlsTransport() override;

  /// What was agreed on. Empty before the handshake is through.
  TlsInfo info() const;

  /// The answer to the client's hello, for which the handshake waits.
  void answered(detail::HelloVerdict verdict);

  void start(Link& link) override;
  void received(BytesView bytes) override;
  void resume() override;
  void received_end() override;
  void send(SendQueue& plain) override;
  void finish(const Reason& reason) override;
  std::size_t kept() const noexcept override;
  void hibernate() override;
  std::string describe() const override;

 private:
  enum class Phase : std::uint8_t {
    handshake,
    open,
    peer_done,  // close_notify has come: only sending goes on
    over,       // failed or finished
  };
  struct SslRelease {
    void operator()(ssl_st* ssl) const noexcept;
  };

  void granted() override;
  void refused() override;

  bool may_work(BytesView bytes);
  void work(BytesView bytes);
  void work_on_kept();
  void keep(BytesView bytes);
  bool begin();
  bool begin_client();
  void make_step();
  bool paused() const noexcept { return side_.hello == detail::TlsSide::Hello::paused; }
  void ask_about_hello();
  void handshake_done();
  void read();
  bool write(BytesView plain);
  void end_without_notify();
  void fail(Reason reason);
  void fail_from_openssl();
  void flush();

  std::shared_ptr<detail::TlsContextState> context_;
  std::shared_ptr<HandshakeBudget> budget_;    // until the handshake is through
  std::shared_ptr<detail::HelloPause> pause_;  // while it waits for that answer
  detail::TlsSide side_;
  std::unique_ptr<ssl_st, SslRelease> ssl_;
  std::string kept_;         // ciphertext: an unfinished flight, or what a hold left over
  std::size_t kept_at_ = 0;  // of it has been read
  std::uint32_t steps_ = 0;  // of the handshake so far
  Phase phase_ = Phase::handshake;
  bool working_ = false;
  bool peer_ended_ = false;  // below; what is kept comes first
};

}  // namespace hawser
