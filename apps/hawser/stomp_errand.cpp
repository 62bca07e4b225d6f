// The errand's two processes: the connection with its session, and one that watches it end.
#include "stomp_errand.hpp"

#include <hawser/net/dial.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

namespace hawser::app {
namespace {

using stomp::ClientSession;
using stomp::FrameView;

/// Joins a ClientSession to its connection. One errand is one connection: there is no second try.
class ErrandConnection final : private ClientSession::Port {
 public:
  explicit ErrandConnection(StompErrand& errand) : errand_(&errand) {}

  void init() {
    session_.emplace(errand_->client, static_cast<ClientSession::Port&>(*this), self().now());
    if (auto started = session_->start(self().now()); !started) {
      give_up(started.error().text());
      return;
    }
    tick();
  }
  void handle_packet(Packet octets) {
    session_->received(octets, self().now());
    tick();
  }
  void handle_info(Info& info) {
    if (info.get<Tick>() == nullptr) return;
    timer_.reset();
    tick();
  }
  void handle_disconnect(const Reason& reason) { self().stop(session_->lost(reason)); }
  /// The program is asked to end: a goodbye takes a moment.
  void handle_shutdown(const Reason&) {
    session_->disconnect(self().now());
    tick();
  }
  std::string describe() const { return session_->describe(); }

 private:
  struct Tick {};
  static constexpr std::uint64_t token = 1;

  void tick() {
    if (timer_) self().cancel_timer(*std::exchange(timer_, std::nullopt));
    const Instant next = session_->tick(self().now());
    if (next != Instant::never()) timer_ = self().send_after(next - self().now(), Tick{});
  }
  void give_up(const std::string& problem) {
    if (errand_->problem.empty()) errand_->problem = problem;
    session_->disconnect(self().now());
  }

  // ---- ClientSession::Port ---------------------------------------------------------------------
  void write(BytesView octets) override {
    // Nothing to be done about an error: the connection ends by itself and says why.
    static_cast<void>(connection().send_packet(octets));
    session_->wrote(self().now());
  }
  void write(const Payload& octets) override {
    static_cast<void>(connection().send_packet(octets));
  }
  void end(Reason reason) override { self().stop(std::move(reason)); }

  void connected(const FrameView&) override {
    const Instant now = self().now();
    if (errand_->body) {
      const auto sent = session_->send(errand_->destination, *errand_->body, errand_->headers,
                                       errand_->receipt ? token : 0, now);
      if (!sent) give_up(sent.error().text());
      if (sent && !errand_->receipt) session_->disconnect(now);
      return;
    }
    const auto subscribed = session_->subscribe(errand_->destination, stomp::AckMode::automatic,
                                                errand_->headers, token, now);
    if (!subscribed) give_up(subscribed.error().text());
  }
  void message(std::uint64_t, const FrameView& frame) override {
    ++messages_;
    const bool taken = errand_->on_message(frame);
    if (!taken || messages_ == errand_->count) session_->disconnect(self().now());
  }
  void completed(std::uint64_t, Result<void> outcome) override {
    if (!outcome) {
      // What ends the session at once says why in its own words.
      if (outcome.error().kind == ErrorKind::timeout) give_up(outcome.error().text());
    } else if (errand_->body) {
      session_->disconnect(self().now());
    }
  }
  void error(const FrameView& frame) override {
    if (!errand_->problem.empty()) return;
    errand_->problem = fmt::format("the broker answers ERROR {}",
                                   stomp::quoted(frame.first("message").value_or(""), 200));
    if (!frame.body().empty()) errand_->problem += ": " + stomp::quoted(frame.body(), 300);
  }

  StompErrand* errand_;
  std::optional<ClientSession> session_;
  std::optional<Process::TimerId> timer_;
  std::uint64_t messages_ = 0;
};

/// Starts the connection and outlives it, to learn how it ended and to end the program then.
class ErrandWatcher {
 public:
  explicit ErrandWatcher(StompErrand* errand) : errand_(errand) {}

  Next init() {
    group_ = std::make_shared<ConnectionGroup>(
        self().process().scheduler(), self().pid(),
        ConnectionGroup::Parts{.name = "stomp",
                               .framing = raw(),
                               .options = options(),
                               .counters = std::make_shared<ConnectionCounters>()});
    const auto started =
        dial<ErrandConnection>(group_, errand_->to, {.parent = self().pid()},
                               [errand = errand_] { return ErrandConnection(*errand); });
    self().trap_exit();
    if (!started) {
      done(Reason::failed(started.error().text()));
      return stop();
    }
    connection_ = *started;
    return keep();
  }
  Next handle_info(Info& info) {
    const auto* exit = info.get<Exit>();
    if (exit == nullptr || exit->from != connection_) return keep();
    done(exit->reason);
    return stop();
  }
  /// The program is asked to end: the connection says goodbye first.
  void handle_shutdown(const Reason& reason) { self().exit(connection_, reason); }

 private:
  static ConnectionOptions options() {
    ConnectionOptions options;
    options.packet_timeout = Duration::zero();  // STOMP's own deadlines are the session's
    return options;
  }
  void done(const Reason& reason) {
    if (reason.kind() != Reason::Kind::normal && errand_->problem.empty())
      errand_->problem = reason.detail().empty() ? reason.text() : std::string(reason.detail());
    self().system().request_stop();
  }

  StompErrand* errand_;
  std::shared_ptr<ConnectionGroup> group_;
  Pid connection_;
};

}  // namespace

bool run_errand(System& system, StompErrand& errand) {
  ChildSpec spec = worker<ErrandWatcher>("errand", &errand);
  spec.restart = Restart::temporary;
  spec.shutdown = errand.client.disconnect_timeout + 1s;
  if (auto started = system.start(std::move(spec)); !started) {
    errand.problem = started.error().text();
    return false;
  }
  const int status = system.run();
  if (status != 0 && errand.problem.empty()) errand.problem = "it did not end in time";
  return errand.problem.empty();
}

}  // namespace hawser::app
