// The errand is a STOMP client whose handler knows when it is done.
#include "stomp_errand.hpp"

#include <hawser/process/self.hpp>
#include <hawser/stomp/client.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::app {
namespace {

using stomp::Delivery;
using stomp::FrameView;

class ErrandHandler {
 public:
  explicit ErrandHandler(StompErrand* errand) : errand_(errand) {}

  void init() {
    if (!errand_->body) self().start(subscribe());
  }
  Next handle_ready() {
    if (!errand_->body) return keep();
    stomp::Send message(errand_->destination, *errand_->body, errand_->headers);
    message.deadline = errand_->receipt_timeout;
    if (!errand_->receipt) {
      if (auto sent = stomp::client().send(std::move(message)); !sent)
        return give_up(sent.error().text());
      close();
      return keep();
    }
    message.confirm = stomp::Confirm::receipt;
    self().start(confirm(std::move(message)));
    return keep();
  }
  Next handle_message(const Delivery& message) {
    ++messages_;
    if (!errand_->on_message(message)) {
      close();
      return keep();
    }
    if (auto acknowledged = message.ack(); !acknowledged)
      return give_up(acknowledged.error().text());
    if (messages_ == errand_->count) close();
    return keep();
  }
  void handle_error(const FrameView& frame) {
    if (!errand_->problem.empty()) return;
    errand_->problem = fmt::format("the broker answers ERROR {}",
                                   stomp::quoted(frame.first("message").value_or(""), 200));
    if (!frame.body().empty()) errand_->problem += ": " + stomp::quoted(frame.body(), 300);
  }
  Next handle_disconnect(const Reason& reason) {
    if (errand_->reconnect && errand_->problem.empty() && !closing_) return keep();
    // Some brokers take DISCONNECT for a reason to close at once: that is a good end, too.
    if (!closing_) note(reason);
    return stop(reason);
  }
  void terminate(const Reason& reason) {
    if (!reason.is_graceful()) note(reason);
    self().system().request_stop();
  }

 private:
  Task<void> subscribe() {
    const stomp::ClientRef client(self().pid());
    const stomp::Subscription wanted(errand_->destination, errand_->ack, errand_->headers);
    stomp::Subscribe wish(wanted);
    auto made = co_await client.ask(std::move(wish), Duration::max());
    // What ends the session at once says why in its own words.
    if (made || made.error().kind == ErrorKind::protocol_error) co_return;
    if (errand_->problem.empty()) errand_->problem = made.error().text();
    close();
  }
  Task<void> confirm(stomp::Send message) {
    const stomp::ClientRef client(self().pid());
    auto sent = co_await client.ask(std::move(message));
    // What ends the session at once says why in its own words.
    if (!sent && sent.error().kind == ErrorKind::timeout && errand_->problem.empty())
      errand_->problem = sent.error().text();
    if (sent || sent.error().kind == ErrorKind::timeout) {
      close();
    } else if (errand_->problem.empty()) {
      errand_->problem = sent.error().text();
      close();
    }
  }
  Next give_up(std::string problem) {
    if (errand_->problem.empty()) errand_->problem = std::move(problem);
    return stop();
  }
  void close() {
    closing_ = true;
    stomp::client().close();
  }
  void note(const Reason& reason) {
    if (errand_->problem.empty())
      errand_->problem = reason.detail().empty() ? reason.text() : std::string(reason.detail());
  }

  StompErrand* errand_;
  std::uint64_t messages_ = 0;
  bool closing_ = false;  // what there was to do is done, or given up
};

}  // namespace

bool run_errand(System& system, StompErrand& errand) {
  stomp::ClientOptions options = errand.client;
  options.attempts = errand.reconnect ? 0 : 1;
  ChildSpec spec = stomp::client<ErrandHandler>("stomp", std::move(options), &errand);
  spec.restart = Restart::temporary;
  if (auto started = system.start(std::move(spec)); !started) {
    errand.problem = started.error().text();
    return false;
  }
  const int status = system.run();
  if (status != 0 && errand.problem.empty()) errand.problem = "it did not end in time";
  return errand.problem.empty();
}

}  // namespace hawser::app
