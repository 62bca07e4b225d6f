// The states of a client.
#include <hawser/net/client_connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/base/quantity.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {

Client& client() {
  auto* found = static_cast<Client*>(self().process().handler(type_info<Client>));
  check(found != nullptr, "client() is called from a callback or task of a client");
  return *found;
}

std::string_view to_string(ClientState state) noexcept {
  switch (state) {
    case ClientState::connecting:
      return "connecting";
    case ClientState::connected:
      return "connected";
    case ClientState::waiting:
      return "waiting";
  }
  return "";
}

/// Ends the connection's life in a turn of its own: no frame of it is on the stack then.
class Client::LostMessage final : public Message {
 public:
  void deliver(Process& receiver) override {
    receiver.enter_callback("handle_disconnect");
    static_cast<Client&>(receiver).lost();
  }
  std::string_view describe() const noexcept override { return "the connection was lost"; }
  bool is_refusable() const noexcept override { return false; }
};

/// A change on its way to one who watches. When nobody is there any more the client hears of it: a
/// client that lives for months has outlived most of those who ever asked.
class Client::ChangeMessage final : public Message {
 public:
  explicit ChangeMessage(ClientChange change) : change_(std::move(change)) {}
  void deliver(Process& receiver) override {
    Info info(type_info<ClientChange>, change_);
    receiver.deliver_info(info);
  }
  void undelivered(Pid watcher, const Reason& reason) noexcept override {
    // A full mailbox has room again some day.
    if (reason.kind() != Reason::Kind::overloaded)
      Ref<Client>(change_.client).cast(UnwatchClient{watcher});
  }
  std::string_view describe() const noexcept override { return type_info<ClientChange>.name; }
  TraceKind trace_kind() const noexcept override { return TraceKind::info; }

 private:
  ClientChange change_;
};

Client::Client(std::shared_ptr<ConnectionGroup> group, ClientOptions options)
    : Connection(std::move(group)),
      client_options_(std::move(options)),
      policy_(client_options_.backoff) {
  divert(divert_away);
}

Client::~Client() = default;

void* Client::kind_handler(const TypeInfo& type) noexcept {
  if (same_type(type, type_info<Client>)) return this;
  return same_type(type, type_info<Connection>) ? static_cast<Connection*>(this) : nullptr;
}

Connection::WaitingLimits Client::waiting_limits() const noexcept {
  return {client_options_.queue_packets, client_options_.queue_bytes,
          client_options_.queue_overflow, "queue_packets, queue_bytes"};
}

// ---- to a connection
// ----------------------------------------------------------------------------------

void Client::begin_kind() {
  make_handler();
  made_ = true;
  if (stopping()) return;
  dial();
}

void Client::dial() {
  target_ = &client_options_.targets.next(scheduler().engine().random());
  ++attempt_;
  change(ClientState::connecting, {}, {});
  if (stopping()) return;
  detail::Dialing::Owner& owner = *this;
  dialing_ = std::make_shared<detail::Dialing>(scheduler(), owner,
                                               target_->dial_options(client_options_.dial));
  dialing_->start();
}

void Client::dialed(NativeSocket socket) {
  run_callback("dial", [&] {
    dialing_.reset();
    if (auto attached = attach(std::move(socket)); !attached) {
      attempt_failed(Reason::failed(attached.error().text()));
      return;
    }
    set_host(target_->host());
    begin();
  });
}

void Client::dial_failed(Reason reason) {
  run_callback("dial", [&] {
    dialing_.reset();
    attempt_failed(reason);
  });
}

void Client::stand() {
  if (serves_when_reached()) target_serves();
  policy_.connected(scheduler().now());
  ++connects_;
  begin_receiving();
  // What handle_connect sends goes first, then what has been waiting.
  if (client_options_.queue_waits_for_handler) divert(divert_closed);
  const std::uint32_t attempts = std::exchange(attempt_, 0U);
  tell_state(attempts > 1 ? LogLevel::info : LogLevel::debug, {}, attempts, [&] {
    return fmt::format("connected to {} at attempt {}", target_->text(), attempts);
  });
  change(ClientState::connected, {}, {});
  if (stopping() || is_losing_) return;
  send_around_queue([this] { deliver_connect(); });
  if (!stopping() && !is_losing_) undivert(divert_away);
}

// ---- away from it
// -----------------------------------------------------------------------------------------

void Client::peer_gone(const Reason& reason) {
  by_peer_ = reason.kind() == Reason::Kind::closed && standing();
  give_up(reason, false);
}

void Client::disconnect(Reason reason) {
  if (attached()) give_up(std::move(reason), false);
}

void Client::give_up(Reason reason, bool by_reset) {
  if (is_losing_ || stopping()) return;
  is_losing_ = true;
  losing_ = std::move(reason);
  divert(divert_away);
  hold_until_detached(by_reset);
  Scheduler::send(pid(), std::make_unique<LostMessage>());
}

void Client::lost() {
  if (!std::exchange(is_losing_, false)) return;
  const Reason reason = std::exchange(losing_, {});
  const bool stood = standing();
  detach(reason);
  divert(divert_away);
  if (!stood) {
    attempt_failed(reason);
    return;
  }
  ++losses_;
  policy_.lost(scheduler().now());
  deliver_disconnect(reason);
  if (stopping()) return;
  if (by_peer_ && !client_options_.reconnect_after_close) {
    stop(reason);
    return;
  }
  wait_or_end(reason);
}

void Client::attempt_failed(const Reason& reason) {
  if (attached()) detach(reason);
  divert(divert_away);
  policy_.lost(scheduler().now());
  wait_or_end(reason);
}

void Client::wait_or_end(const Reason& reason) {
  last_reason_ = reason;
  if (client_options_.attempts != 0 && attempt_ >= client_options_.attempts) {
    stop(reason);
    return;
  }
  // Another target of the same cycle is tried at once; then it is time to wait.
  const bool wait = client_options_.targets.cycle_over();
  const Duration length = wait ? policy_.next(scheduler().engine().random()) : Duration::zero();
  scheduler().timers().arm(wait_, scheduler().now() + length);
  change(ClientState::waiting, reason, length);
}

void Client::WaitTimer::fire() {
  Client& client = client_;
  if (client.suspended()) {
    client.scheduler().timers().arm(*this, client.scheduler().now() + suspended_recheck);
    return;
  }
  client.run_quietly("dial", [&client] { client.dial(); });
}

void Client::release_resources(const Reason& reason) noexcept {
  dialing_.reset();
  wait_.cancel();
  if (const std::size_t unsent = waiting().packets(); unsent != 0)
    scheduler().log().warning(
        label(), fmt::format("{} packets that waited for a connection were never sent", unsent));
  // What the last turn has queued leaves as a matter of course (and connection.ended has the figure
  // in any case); so much means that the peer is slow, and may not take it in time.
  if (const std::size_t left = attached() ? unsent() : 0; left > options().low_water)
    scheduler().log().info(label(),
                           fmt::format("ended with {} bytes unsent, which have {} to leave", left,
                                       duration_text(options().flush_deadline)));
  Connection::release_resources(reason);
}

// ---- who wants to know
// -----------------------------------------------------------------------------------

void Client::change(ClientState state, const Reason& reason, Duration wait) {
  state_ = state;
  ClientChange change;
  change.client = pid();
  change.state = state;
  change.target = target_ == nullptr ? std::string{} : target_->text();
  change.reason = reason;
  change.wait = wait;
  change.attempt = attempt_;
  for (const Pid watcher : watchers_)
    Scheduler::send(watcher, std::make_unique<ChangeMessage>(change));
  if (state == ClientState::waiting)
    tell_state(attempt_ <= 1 ? LogLevel::info : LogLevel::debug, wait, attempt_, [&] {
      return fmt::format("no connection to {}: {}; next attempt in {}", change.target,
                         reason.text(),
                         duration_text(std::chrono::ceil<std::chrono::milliseconds>(wait)));
    });
  if (state == ClientState::connecting)
    tell_state(LogLevel::debug, {}, attempt_,
               [&] { return fmt::format("connecting to {}", change.target); });
  deliver_state(change);
}

void Client::tell_state(LogLevel level, Duration wait, std::uint32_t attempt,
                        const TelemetryEvent::Words& words) const {
  Telemetry& telemetry = scheduler().telemetry();
  if (!telemetry.wants(level)) return;
  telemetry.raise(trace_point::client_state, level, scheduler().now(), pid(), label(),
                  {{"attempt", attempt}, {"wait_ns", wait.count()}}, words);
}

void Client::handle_cast(WatchClient message) {
  if (std::find(watchers_.begin(), watchers_.end(), message.watcher) == watchers_.end())
    watchers_.push_back(message.watcher);
  ClientChange now;
  now.client = pid();
  now.state = state_;
  now.target = target_ == nullptr ? std::string{} : target_->text();
  now.attempt = attempt_;
  if (state_ == ClientState::waiting) now.reason = last_reason_;
  Scheduler::send(message.watcher, std::make_unique<ChangeMessage>(std::move(now)));
}

void Client::handle_cast(UnwatchClient message) { std::erase(watchers_, message.watcher); }

void Client::handle_cast(Reconnect) {
  if (attached()) {
    disconnect(Reason::custom("asked to reconnect"));
  } else if (state_ == ClientState::waiting) {
    wait_.cancel();
    dial();
  }
}

ClientStatus Client::status() const {
  ClientStatus status;
  status.pid = pid();
  status.name = std::string(name());
  status.state = state_;
  status.target = target_ == nullptr ? std::string{} : target_->text();
  status.attempt = attempt_;
  status.connects = connects_;
  status.losses = losses_;
  status.last_reason = last_reason_;
  const ConnectionInfo now = info();
  status.waiting_packets = now.waiting;
  status.waiting_bytes = now.waiting_bytes;
  status.dropped = now.dropped;
  status.bytes_lost = group_counters().bytes_lost.get();
  status.watchers = watchers_.size();
  return status;
}

std::string Client::describe_state() {
  std::string text =
      fmt::format("{} {}", to_string(state_), target_ == nullptr ? std::string{} : target_->text());
  if (state_ == ClientState::connected) text += ", " + Connection::describe_state();
  return text;
}

std::vector<std::string> ClientOptions::faults() const {
  std::vector<std::string> faults = targets.faults();
  if (auto valid = framing.validate(); !valid) faults.push_back("framing: " + valid.error().detail);
  for (auto& fault : connection.faults()) faults.push_back("connection." + fault);
  if (!targets.empty())
    for (auto& fault : targets.targets().front().dial_options(dial).faults())
      faults.push_back("dial." + fault);
  for (auto& fault : backoff.faults()) faults.push_back(std::move(fault));
  if (queue_packets == 0) faults.emplace_back("queue_packets: must be at least 1");
  if (queue_bytes == 0) faults.emplace_back("queue_bytes: must be at least 1");
  if (mailbox.messages == 0) faults.emplace_back("mailbox.messages: must be at least 1");
  return faults;
}

}  // namespace hawser
