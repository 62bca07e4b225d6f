// Carries the answer to the connection's own thread, as a message to its process.
#include <hawser/net/tls/tls_hello.hpp>

#include <hawser/base/check.hpp>
#include <hawser/net/tls/tls_transport.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>

#include <utility>

namespace hawser {
namespace {

class HelloMessage final : public Message {
 public:
  HelloMessage(std::shared_ptr<detail::HelloPause> pause, detail::HelloVerdict verdict)
      : pause_(std::move(pause)), verdict_(std::move(verdict)) {}
  void deliver(Process& receiver) override {
    receiver.enter_callback("TLS handshake");
    if (pause_->transport != nullptr) pause_->transport->answered(std::move(verdict_));
  }
  std::string_view describe() const noexcept override { return "answer to a TLS hello"; }
  bool is_refusable() const noexcept override { return false; }

 private:
  std::shared_ptr<detail::HelloPause> pause_;
  detail::HelloVerdict verdict_;
};

}  // namespace

TlsHelloAnswer::TlsHelloAnswer(std::shared_ptr<detail::HelloPause> pause) noexcept
    : pause_(std::move(pause)) {}

TlsHelloAnswer::~TlsHelloAnswer() {
  if (pause_ != nullptr) decline("nobody answered the client's hello");
}

void TlsHelloAnswer::answer(detail::HelloVerdict verdict) {
  check(pause_ != nullptr, "a TLS hello is answered once");
  auto pause = std::move(pause_);
  const Pid to = pause->connection;
  Scheduler::send(to, std::make_unique<HelloMessage>(std::move(pause), std::move(verdict)));
}

void TlsHelloAnswer::go_on() { answer({true, {}, {}}); }
void TlsHelloAnswer::go_on_as(std::string server_name) {
  answer({true, std::move(server_name), {}});
}
void TlsHelloAnswer::decline(std::string why) { answer({false, {}, std::move(why)}); }

}  // namespace hawser
