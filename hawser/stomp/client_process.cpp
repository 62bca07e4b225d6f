// The life of a STOMP client: logging in, reading, being lost, ending.
#include <hawser/stomp/client_process.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::stomp {

Client& client() {
  auto* found = static_cast<Client*>(self().process().handler(type_info<Client>));
  check(found != nullptr, "stomp::client() is called from a callback or task of a STOMP client");
  return *found;
}

Client::Client(std::shared_ptr<ConnectionGroup> group, std::shared_ptr<const ClientOptions> options)
    : hawser::Client(std::move(group), options->connection_options()),
      options_(std::move(options)),
      session_options_(options_->session) {
  for (const Subscription& subscription : options_->subscriptions)
    static_cast<void>(want(subscription, true, {}));
}

void* Client::kind_handler(const TypeInfo& type) noexcept {
  if (same_type(type, type_info<Client>)) return this;
  return hawser::Client::kind_handler(type);
}

/// Goes on reading in a turn of its own: no frame of the session is on the stack then.
class Client::ResumeMessage final : public Message {
 public:
  void deliver(Process& receiver) override {
    receiver.enter_callback("handle_message");
    static_cast<Client&>(receiver).resume_reading();
  }
  std::string_view describe() const noexcept override { return "reading goes on"; }
  bool is_refusable() const noexcept override { return false; }
};

// ---- of the connection
// ----------------------------------------------------------------------------

void Client::deliver_connect() {
  gone_ = false;
  held_ = false;
  subscribed_ = owed_ = false;
  passing_refusal_ = false;
  activate(ConnectionOptions::unlimited);
  const Instant now = scheduler().now();
  if (options_->raw) {
    raw_.emplace(session_options_, static_cast<RawSession::Port&>(*this), now);
    tell_open();
    tick();
    return;
  }
  if (options_->session.host.empty()) {
    const auto target = Target::parse(status().target);
    session_options_.host = target && !target->host().empty() ? target->host() : "localhost";
  }
  session_.emplace(session_options_, static_cast<ClientSession::Port&>(*this), now);
  tell_open();
  if (stopping()) return;
  if (auto started = session_->start(now); !started) {
    final_ = Reason(Reason::Kind::shutdown, started.error().text());
    disconnect(Reason::failed(started.error().text()));
    return;
  }
  tick();
}

void Client::deliver_state(const ClientChange& change) {
  if (change.state == ClientState::waiting && !std::exchange(just_lost_, false))
    tell_connect_failed(change.reason);
  if (!stopping()) tell_state(change);
}

Duration Client::deliver_packet(Packet packet) {
  const Instant now = scheduler().now();
  trace(Direction::in, packet);
  if (raw_) {
    raw_->received(packet, now);
  } else if (session_) {
    session_->received(packet, now);
    flush_batch();
    flush_outbox();
  }
  if (!stopping()) tick();
  return Duration::max();
}

void Client::give_up(Reason reason, bool by_reset) {
  gone_ = true;
  hawser::Client::give_up(std::move(reason), by_reset);
}

void Client::deliver_drained() {
  flush_outbox();
  tick();
}

void Client::deliver_disconnect(const Reason& reason) {
  just_lost_ = true;
  ready_ = false;
  held_ = false;
  subscribed_ = owed_ = false;
  ++counters_.lost;
  Lost lost;
  lost.reason = session_ ? session_->lost(reason) : reason;
  awaited_.clear();
  if (session_) counters_.heartbeats += session_->beats();
  lose_deliveries(lost);
  tear_outbox(lost);
  streaming_.reset();
  session_.reset();
  raw_.reset();
  tell_lost(lost);
  if (final_) {
    scheduler().log().warning(label(), std::string(final_->detail()));
    stop(*final_);
  } else if (closing_) {
    stop(close_reason_);
  }
  if (!stopping()) tick();
}

void Client::release_resources(const Reason& reason) noexcept {
  timer_.cancel();
  if (outbox_.waiting() + outbox_.in_flight() != 0)
    scheduler().log().warning(label(),
                              fmt::format("{} messages were never sent, and {} never confirmed",
                                          outbox_.waiting(), outbox_.in_flight()));
  hawser::Client::release_resources(reason);
}

// ---- of the session
// -------------------------------------------------------------------------------

void Client::write(BytesView octets) {
  // What was written now would wait for the next connection, where it means nothing.
  if (gone_) return;
  trace(Direction::out, octets);
  // Nothing to be done about an error: the connection ends by itself and says why.
  static_cast<void>(send_packet(octets));
}

void Client::write(const Payload& octets) {
  if (gone_) return;
  trace(Direction::out, octets.view());
  static_cast<void>(send_packet(octets));
}

void Client::trace(Direction direction, BytesView octets) {
  if (!options_->trace) [[likely]]
    return;
  constexpr BytesView name = "\npasscode:";
  const bool login = direction == Direction::out &&
                     (octets.starts_with("CONNECT\n") || octets.starts_with("STOMP\n"));
  const std::size_t at = login ? octets.find(name) : BytesView::npos;
  if (at == BytesView::npos) {
    options_->trace(direction, octets);
    return;
  }
  Bytes shown(octets.substr(0, at + name.size()));
  shown += "***";
  shown += octets.substr(std::min(octets.find('\n', at + name.size()), octets.size()));
  options_->trace(direction, shown);
}

void Client::end(Reason reason) {
  flush_batch();
  if (closing_) {
    // Without the broker's answer nobody knows what became of the last frames.
    if (reason.kind() != Reason::Kind::normal) {
      Lost lost;
      lost.reason = std::move(reason);
      enter_callback("handle_disconnect");
      tell_lost(lost);
    }
    stop(close_reason_);
    return;
  }
  if (session_ && session_->login_refused()) {
    ++counters_.refused_logins;
    if (!passing_refusal_) ++refusals_;
    if (options_->login_attempts != 0 && refusals_ >= options_->login_attempts)
      final_ = Reason(Reason::Kind::shutdown, std::string(reason.detail()));
  }
  disconnect(std::move(reason));
}

bool Client::subprotocol_agrees() const {
  const auto* websocket = transport<WebSocketTransport>();
  if (websocket == nullptr || websocket->subprotocol().empty()) return true;
  return find_subprotocol(websocket->subprotocol()) == session_->version();
}

void Client::connected(const FrameView& frame) {
  if (!subprotocol_agrees()) {
    disconnect(Reason::protocol_error("the version is another one than the WebSocket's"));
    return;
  }
  target_serves();
  ++sessions_;
  refusals_ = 0;
  ++counters_.logins;
  enter_callback("handle_connected");
  tell_connected(frame);
  if (stopping() || closing_ || !in_session()) return;
  // What the broker sent after a SUBSCRIBE would have to be read: so none is sent while paused.
  owed_ = paused_;
  if (!owed_) make_all_live();
}

void Client::become_ready() {
  if (ready_ || !session_ || session_->state() != ClientSession::State::open) return;
  ready_ = true;
  enter_callback("handle_ready");
  tell_ready();
  update_hold();
  flush_outbox();
}

void Client::message(std::uint64_t number, const FrameView& frame) {
  SubscriptionId id{};
  Wanted* const of = live(number, id);
  const DeliveryTicket ticket = ticket_for(id, of, frame);
  ++counters_.messages;
  counters_.message_bytes += frame.body().size();
  if (of != nullptr && !of->consumers.empty()) hand_out(id, *of, ticket, frame);
  if (of != nullptr && !of->by_handler) return;
  const Delivery delivery(*this, ticket, frame);
  if (takes_batches()) {
    batch_.push_back(delivery);
    if (batch_.size() >= options_->batch) flush_batch();
    return;
  }
  enter_callback("handle_message");
  tell_message(delivery);
}

FrameView& Client::frame() {
  if (!takes_batches()) return ClientSession::Port::frame();
  while (pool_.size() <= batch_.size()) pool_.emplace_back();
  return pool_[batch_.size()];
}

void Client::flush_batch() {
  if (batch_.empty()) return;
  ++counters_.batches;
  enter_callback("handle_messages");
  tell_messages(batch_);
  batch_.clear();
}

bool Client::body_begins(std::uint64_t number, const FrameView& head,
                         std::optional<std::uint64_t> length) {
  if (!takes_parts() || (length && *length < options_->stream_from)) return false;
  SubscriptionId id{};
  Wanted* const of = live(number, id);
  if (of == nullptr || !of->by_handler || !of->consumers.empty()) return false;
  streaming_ticket_ = ticket_for(id, of, head);
  streaming_ = head.to_frame();
  return true;
}

void Client::body_part(BytesView octets) {
  flush_batch();
  counters_.message_bytes += octets.size();
  enter_callback("handle_body_part");
  tell_part(Delivery(*this, streaming_ticket_, *streaming_), octets, false);
}

void Client::body_ends(std::uint64_t, const FrameView&) {
  ++counters_.messages;
  enter_callback("handle_body_part");
  tell_part(Delivery(*this, streaming_ticket_, *streaming_), {}, true);
  streaming_.reset();
}

void Client::completed(std::uint64_t token, Result<void> outcome) {
  flush_batch();
  if ((token & send_token) != 0) {
    // The session has ended first: tear_outbox() sees which of them are sent again.
    if (!outcome && outcome.error().kind == ErrorKind::closed) return;
    auto entry = outbox_.landed(token & ~send_token);
    if (!entry) return;
    ++(outcome ? counters_.receipts : counters_.failures);
    if (entry->done) entry->done(std::move(outcome));
  } else {
    auto asked = asked_.extract(token);
    if (asked.empty()) return;
    ++(outcome ? counters_.receipts : counters_.failures);
    if (asked.mapped()) asked.mapped()(std::move(outcome));
  }
  go_on_closing();
}

void Client::error(const FrameView& frame) {
  flush_batch();
  ++counters_.errors;
  if (session_->state() == ClientSession::State::login) {
    for (const std::string& words : options_->passing_refusals) {
      passing_refusal_ = passing_refusal_ ||
                         frame.first("message").value_or("").find(words) != BytesView::npos ||
                         frame.body().find(words) != BytesView::npos;
    }
  }
  enter_callback("handle_error");
  tell_error(frame);
}

void Client::frames(std::span<const Frame> frames) {
  if (frames.front().command == Command::error) {
    ++counters_.errors;
    enter_callback("handle_error");
    tell_error_frame(frames.front());
    return;
  }
  if (frames.front().command == Command::connected) ++counters_.logins;
  for (const Frame& frame : frames) {
    if (frame.command != Command::message) continue;
    ++counters_.messages;
    counters_.message_bytes += frame.body.size();
  }
  enter_callback("handle_frames");
  tell_frames(frames);
}

Result<void> Client::write_frames(std::span<const Frame> frames) {
  if (!raw_ || gone_)
    return std::unexpected(options_->raw
                               ? Error{ErrorKind::closed, 0, "write", "there is no connection"}
                               : Error{ErrorKind::unsupported, 0, "write",
                                       "frames are written in raw mode only (setting raw)"});
  return raw_->write(frames, scheduler().now());
}

void Client::handle_cast(WriteFrames message) {
  if (auto written = write_frames(message.frames); !written)
    scheduler().log().warning(label(), written.error().text());
}

// ---- reading or not
// -------------------------------------------------------------------------------

bool Client::holding() { return held_ || gone_ || stopping(); }

void Client::pause() {
  paused_ = true;
  update_hold();
  flush_outbox();
}

void Client::resume() {
  if (closing_) return;  // it reads by now, and sends what waits whether paused or not
  paused_ = false;
  update_hold();
}

void Client::message_begun() {
  ++unfinished_;
  update_hold();
}

void Client::message_done() {
  --unfinished_;
  update_hold();
}

bool Client::holds() const noexcept {
  if (closing_ || !in_session()) return false;
  const bool busy = unfinished_ >= options_->unprocessed || slow_consumers_ != 0;
  return (paused_ && subscribed_) || (busy && ready_);
}

void Client::update_hold() {
  const bool hold = holds();
  if (hold && !held_) {
    held_ = true;
    if (!paused_) ++counters_.pauses;
    if (attached()) activate(0);
  } else if (!hold && (held_ || owes_subscriptions()) && !resume_sent_) {
    resume_sent_ = true;
    Scheduler::send(pid(), std::make_unique<ResumeMessage>());
  }
}

void Client::resume_reading() {
  resume_sent_ = false;
  if (owes_subscriptions()) make_all_live();
  // Whoever was told that all is live may have paused again.
  if (!held_ || stopping() || holds()) return;
  held_ = false;
  if (!session_) return;
  // No receipt could come meanwhile.
  confirm_by_ = scheduler().now() + options_->session.receipt_timeout;
  session_->resume(scheduler().now());
  flush_batch();
  flush_outbox();
  if (stopping()) return;
  if (!held_ && attached()) activate(ConnectionOptions::unlimited);
  tick();
}

// ---- the clock
// ------------------------------------------------------------------------------------

void Client::TickTimer::fire() {
  Client& client = client_;
  if (client.suspended()) {
    client.scheduler().timers().arm(*this, client.scheduler().now() + suspended_recheck);
    return;
  }
  client.run_quietly("STOMP's clock", [&client] { client.tick(); });
}

void Client::due(Instant at) {
  if (!timer_.armed() || at < timer_.deadline()) scheduler().timers().arm(timer_, at);
}

void Client::tick() {
  const Instant now = scheduler().now();
  drop_overdue();
  Instant next = outbox_.next_deadline();
  for (const Blocked& each : blocked_) next = std::min(next, each.deadline);
  if (session_) {
    if (held_) session_->not_reading(now);
    // What is being written shows that we live, as slowly as it may go.
    if (attached() && unsent() > 0) session_->wrote(now);
    next = std::min(next, session_->tick(now));
    if (!awaited_.empty() && !held_ && in_session()) {
      if (now >= confirm_by_) {
        made_live(*awaited_.begin(),
                  failure(ErrorKind::timeout, "receipt",
                          fmt::format("none came within {} s",
                                      to_seconds(options_->session.receipt_timeout))));
      } else {
        next = std::min(next, confirm_by_);
      }
    }
  } else if (raw_) {
    if (attached() && unsent() > 0) raw_->wrote(now);
    next = std::min(next, raw_->tick(now));
  }
  if (stopping()) return;
  if (!outbox_.empty()) flush_outbox();
  if (closing_) {
    go_on_closing();
    if (stopping()) return;
    if (now < close_deadline_) next = std::min(next, close_deadline_);
  }
  if (next != Instant::never()) {
    scheduler().timers().arm(timer_, next);
  } else {
    timer_.cancel();
  }
}

// ---- the end
// --------------------------------------------------------------------------------------

void Client::close(Reason reason) {
  if (closing_) return;
  closing_ = true;
  close_reason_ = std::move(reason);
  close_deadline_ = scheduler().now() + options_->session.disconnect_timeout;
  update_hold();
  go_on_closing();
  if (!stopping()) tick();
}

void Client::go_on_closing() {
  if (!closing_ || stopping()) return;
  if (!session_) {
    stop(close_reason_);
    return;
  }
  if (session_->state() == ClientSession::State::closing ||
      session_->state() == ClientSession::State::ended)
    return;
  const Instant now = scheduler().now();
  const bool sent = outbox_.empty() && blocked_.empty() && outbox_.in_flight() == 0;
  if (!serves() || sent || now >= close_deadline_) session_->disconnect(now);
}

bool Client::take_info(Info& info) {
  const auto* down = info.get<Down>();
  if (down == nullptr) return false;
  for (const auto& [id, consumer] : consumers_) {
    if (consumer.monitor != down->monitor) continue;
    end_consumer(id);
    return true;
  }
  return false;
}

Status Client::stomp_status() const {
  Status now;
  now.connected = ready_ || (raw_ && raw_->logged_in());
  now.target = status().target;
  if (session_) {
    now.version = session_->version();
    now.server = session_->server();
  }
  now.waiting = outbox_.waiting() + blocked_.size();
  now.waiting_bytes = outbox_.waiting_bytes();
  now.unconfirmed = outbox_.in_flight();
  for (const auto& [id, wanted] : wanted_) now.unsettled += wanted.unsettled.size();
  now.subscriptions = wanted_.size();
  now.consumers = consumers_.size();
  now.transactions = transactions_.size();
  now.paused = paused_;
  now.counters = counters_;
  if (session_) now.counters.heartbeats += session_->beats();
  return now;
}

std::string Client::describe_state() {
  std::string text = hawser::Client::describe_state();
  if (session_) text += "; " + session_->describe();
  return fmt::format("{}; {} wanted, {} in the outbox, {} unconfirmed", text, wanted_.size(),
                     outbox_.waiting(), outbox_.in_flight());
}

}  // namespace hawser::stomp
