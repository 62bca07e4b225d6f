// The client's side of the protocol: what is written for each wish, and what each frame of the
// broker means.
#include <hawser/stomp/client_session.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/utf8.hpp>
#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/scratch_frame.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hawser::stomp {
namespace {

BytesView to_string(AckMode mode) noexcept {
  switch (mode) {
    case AckMode::automatic:
      return "auto";
    case AckMode::client:
      return "client";
    case AckMode::client_individual:
      return "client-individual";
  }
  return "auto";
}

/// The words of an ERROR for a reason: its message, bounded and printable.
std::string words_of(const FrameView& error) {
  const auto message = error.first("message");
  return message ? quoted(*message, 200) : std::string("no message");
}

}  // namespace

ClientSession::ClientSession(const ClientSessionOptions& options, Port& port, Instant now)
    : options_(&options),
      port_(&port),
      parser_(options.parser),
      liveness_(options.liveness, now),
      started_(now) {
  parser_.stream_to(this);
}

FrameView& ClientSession::Port::frame() { return detail::scratch_frame(); }
bool ClientSession::Port::body_begins(std::uint64_t, const FrameView&,
                                      std::optional<std::uint64_t>) {
  return false;
}
void ClientSession::Port::body_part(BytesView) {}
void ClientSession::Port::body_ends(std::uint64_t, const FrameView&) {}

Result<void> ClientSession::start(Instant now) {
  check(state_ == State::idle, "a client session is started once");
  Bytes out;
  HeadWriter head(out, Version::v1_2, Command::connect);
  head.add("accept-version", options_->versions.to_list()).add("host", options_->host);
  if (options_->login) head.add("login", *options_->login);
  if (options_->passcode) head.add("passcode", *options_->passcode);
  head.add("heart-beat", options_->heartbeat.to_header());
  for (const Header& header : options_->connect_headers) head.add(header.name, header.value);
  if (auto done = head.finish(); !done) return done;
  state_ = State::login;
  started_ = now;
  liveness_.received(now);
  out += frame_end;
  write_octets(out, now);
  return {};
}

// ---- out to the broker
// ---------------------------------------------------------------------------

Result<void> ClientSession::ready(std::string_view operation, std::uint64_t token) const {
  if (state_ != State::open)
    return failure(ErrorKind::closed, operation, "the session is not open");
  if (token != 0 && awaited_.size() >= options_->awaited_receipts)
    return failure(
        ErrorKind::overloaded, operation,
        fmt::format("{} receipts are awaited already (setting awaited_receipts)", awaited_.size()));
  return {};
}

Result<void> ClientSession::write_frame(Command command, std::span<const HeaderView> own,
                                        std::span<const Header> users, const Payload& body, Ask ask,
                                        Instant now) {
  if (options_->text && !is_utf8(body.view()))
    return failure(ErrorKind::invalid_argument, stomp::to_string(command),
                   "the body is not UTF-8, and the WebSocket carries text messages");
  Bytes out;
  HeadWriter head(out, version_, command, {.content_length = options_->content_length});
  for (const HeaderView& header : own) head.add(header.name, header.value);
  for (const Header& header : users) {
    if (header.name == "receipt" || header.name == "content-length" ||
        std::ranges::find(own, BytesView(header.name), &HeaderView::name) != own.end())
      return failure(ErrorKind::invalid_argument, stomp::to_string(command),
                     fmt::format("the header {} is the session's own to write", header.name));
    head.add(header.name, header.value);
  }
  const std::uint64_t receipt = last_receipt_ + 1;
  if (ask.token != 0) head.add("receipt", std::to_string(receipt));
  if (auto done = head.finish(body.view()); !done) return done;
  if (ask.token != 0) {
    last_receipt_ = receipt;
    const Duration timeout =
        ask.timeout > Duration::zero() ? ask.timeout : options_->receipt_timeout;
    awaited_.emplace(receipt, Awaited{ask.token, now + timeout, timeout});
    deadlines_.emplace(now + timeout, receipt);
  }
  // A short body is cheaper copied than sent as a piece of its own.
  if (body.size() <= 2048) {
    out += body.view();
    out += frame_end;
    write_octets(out, now);
    return {};
  }
  port_->write(out);
  port_->write(body);
  write_octets(frame_end, now);
  return {};
}

void ClientSession::write_octets(BytesView octets, Instant now) {
  liveness_.wrote(now);
  port_->write(octets);
}

Result<void> ClientSession::send(BytesView destination, const Payload& body,
                                 std::span<const Header> headers, Ask ask, Instant now) {
  if (auto can = ready("SEND", ask.token); !can) return can;
  const std::array<HeaderView, 1> own{{{"destination", destination}}};
  return write_frame(Command::send, own, headers, body, ask, now);
}

Result<std::uint64_t> ClientSession::subscribe(BytesView destination, AckMode mode,
                                               std::span<const Header> headers, Ask ask,
                                               Instant now, std::string_view name) {
  if (auto can = ready("SUBSCRIBE", ask.token); !can)
    return std::unexpected(std::move(can.error()));
  if (mode == AckMode::client_individual && version_ == Version::v1_0)
    return failure(ErrorKind::unsupported, "SUBSCRIBE", "STOMP 1.0 has no client-individual");
  if (subscriptions_.size() >= options_->subscriptions)
    return failure(
        ErrorKind::overloaded, "SUBSCRIBE",
        fmt::format("there are {} subscriptions (setting subscriptions)", subscriptions_.size()));
  const std::uint64_t number = last_subscription_ + 1;
  const std::string id = name.empty() ? std::to_string(number) : std::string(name);
  if (by_id_.contains(id))
    return failure(ErrorKind::already_exists, "SUBSCRIBE",
                   fmt::format("there is a subscription with the id {}", quoted(id)));
  const std::array<HeaderView, 3> own{
      {{"id", id}, {"destination", destination}, {"ack", to_string(mode)}}};
  if (auto done = write_frame(Command::subscribe, own, headers, {}, ask, now); !done)
    return std::unexpected(std::move(done.error()));
  last_subscription_ = number;
  by_id_.emplace(id, number);
  subscriptions_.emplace(number, Known{id, std::string(destination)});
  return number;
}

Result<void> ClientSession::unsubscribe(std::uint64_t subscription, std::span<const Header> headers,
                                        Ask ask, Instant now) {
  if (auto can = ready("UNSUBSCRIBE", ask.token); !can) return can;
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end())
    return failure(ErrorKind::not_found, "UNSUBSCRIBE",
                   fmt::format("there is no subscription {}", subscription));
  const std::array<HeaderView, 1> own{{{"id", found->second.id}}};
  auto done = write_frame(Command::unsubscribe, own, headers, {}, ask, now);
  if (done) {
    by_id_.erase(found->second.id);
    subscriptions_.erase(found);
  }
  return done;
}

std::optional<BytesView> ClientSession::ack_id(const FrameView& message) const noexcept {
  return message.first(version_ == Version::v1_2 ? "ack" : "message-id");
}

Result<void> ClientSession::ack(std::uint64_t subscription, BytesView id, Ask ask, Instant now,
                                std::string_view transaction) {
  return settle(Command::ack, subscription, id, ask, now, transaction);
}

Result<void> ClientSession::nack(std::uint64_t subscription, BytesView id, Ask ask, Instant now,
                                 std::string_view transaction) {
  if (version_ == Version::v1_0)
    return failure(ErrorKind::unsupported, "NACK", "STOMP 1.0 has none");
  return settle(Command::nack, subscription, id, ask, now, transaction);
}

Result<void> ClientSession::settle(Command command, std::uint64_t subscription, BytesView id,
                                   Ask ask, Instant now, std::string_view transaction) {
  if (auto can = ready(stomp::to_string(command), ask.token); !can) return can;
  const auto found = subscriptions_.find(subscription);
  const std::string name =
      found == subscriptions_.end() ? std::to_string(subscription) : found->second.id;
  std::array<HeaderView, 3> own{};
  std::size_t count = 0;
  own[count++] = {version_ == Version::v1_2 ? BytesView("id") : BytesView("message-id"), id};
  if (version_ == Version::v1_1) own[count++] = {"subscription", name};
  if (!transaction.empty()) own[count++] = {"transaction", transaction};
  return write_frame(command, std::span(own).first(count), {}, {}, ask, now);
}

Result<void> ClientSession::control(Command command, std::span<const Header> headers, Ask ask,
                                    Instant now) {
  if (auto can = ready(stomp::to_string(command), ask.token); !can) return can;
  return write_frame(command, {}, headers, {}, ask, now);
}

void ClientSession::disconnect(Instant now) {
  if (state_ == State::closing || state_ == State::ended) return;
  if (state_ != State::open) {
    finish(Reason::normal());
    return;
  }
  state_ = State::closing;
  goodbye_receipt_ = ++last_receipt_;
  goodbye_deadline_ = now + options_->disconnect_timeout;
  Bytes out;
  HeadWriter head(out, version_, Command::disconnect);
  if (options_->receipts) head.add("receipt", std::to_string(goodbye_receipt_));
  check(head.finish().has_value(), "a number can be sent as a receipt");
  out += frame_end;
  write_octets(out, now);
  if (!options_->receipts) finish(Reason::normal());
}

// ---- in from the broker
// --------------------------------------------------------------------------

void ClientSession::received(BytesView octets, Instant now) {
  liveness_.received(now);
  if (!held_.empty()) {
    held_ += octets;
    return;
  }
  read(octets);
}

void ClientSession::resume(Instant now) {
  liveness_.received(now);
  const Bytes octets = std::exchange(held_, {});
  read(octets);
}

void ClientSession::read(BytesView octets) {
  while (state_ != State::ended) {
    if (port_->holding()) {
      held_ = octets;
      return;
    }
    FrameView& frame = port_->frame();
    switch (parser_.next(octets, frame)) {
      case Step::frame:
        handle(frame);
        continue;
      case Step::heartbeat:
      case Step::need_more:
        return;
      case Step::error:
        finish(Reason::protocol_error(parser_.error()->text));
        return;
    }
  }
}

bool ClientSession::wants_body(const FrameView& head, std::optional<std::uint64_t> length) {
  if (head.command() != Command::message || state_ != State::open) return false;
  const std::uint64_t number = subscription_of(head);
  if (number == 0 || !port_->body_begins(number, head, length)) return false;
  streaming_ = number;
  return true;
}

void ClientSession::handle(const FrameView& frame) {
  const Command command = frame.command();
  if (command == Command::error) {
    handle_error(frame);
    return;
  }
  if ((state_ == State::login) != (command == Command::connected)) {
    finish(Reason::protocol_error(fmt::format("{} {} login", frame.command_name(),
                                              state_ == State::login ? "before" : "after")));
    return;
  }
  switch (command) {
    case Command::connected:
      handle_connected(frame);
      return;
    case Command::message:
      handle_message(frame);
      return;
    case Command::receipt:
      handle_receipt(frame);
      return;
    default:
      finish(Reason::protocol_error(
          fmt::format("{} is no frame that a broker sends", frame.command_name())));
  }
}

void ClientSession::handle_connected(const FrameView& frame) {
  const auto version = agreed_version(frame.first("version"), options_->versions);
  if (!version) {
    finish(Reason::protocol_error(version.error().text()));
    return;
  }
  auto header = frame.first("heart-beat");
  if (header && *version == Version::v1_0) header = trim_padding(*header);
  const auto theirs = parse_heartbeat(header);
  if (!theirs) {
    finish(Reason::protocol_error(theirs.error().text()));
    return;
  }
  version_ = *version;
  parser_.set_version(version_);
  liveness_.agree(stomp::agree(options_->heartbeat, *theirs));
  server_ = frame.first("server").value_or("");
  state_ = State::open;
  port_->connected(frame);
}

std::uint64_t ClientSession::subscription_of(const FrameView& frame) const {
  if (const auto id = frame.first("subscription")) {
    const auto found = by_id_.find(*id);
    return found == by_id_.end() ? 0 : found->second;
  }
  if (version_ != Version::v1_0) return 0;
  // A 1.0 broker need not know ids; then the destination tells.
  const auto destination = frame.first("destination").value_or("");
  for (const auto& [number, known] : subscriptions_)
    if (known.destination == destination) return number;
  return 0;
}

void ClientSession::handle_message(const FrameView& frame) {
  if (parser_.streamed()) {
    const std::uint64_t number = std::exchange(streaming_, 0);
    if (state_ == State::open) port_->body_ends(number, frame);
    return;
  }
  const auto id = frame.first("subscription");
  if (!id && version_ != Version::v1_0) {
    finish(Reason::protocol_error("MESSAGE without subscription"));
    return;
  }
  if (state_ != State::open) return;
  // One of no subscription may have been on its way when we unsubscribed: nobody waits for it. But
  // an answer to a temporary reply queue comes under the queue's own name (D-06).
  const std::uint64_t number = subscription_of(frame);
  if (number != 0 || (id && id->starts_with("/temp-queue/"))) port_->message(number, frame);
}

std::optional<std::uint64_t> ClientSession::take_awaited(BytesView receipt) {
  const auto number = detail::parse_decimal(receipt);
  const auto found = number ? awaited_.find(*number) : awaited_.end();
  // One that is not awaited came after its time-out.
  if (found == awaited_.end()) return std::nullopt;
  const std::uint64_t token = found->second.token;
  deadlines_.erase({found->second.deadline, found->first});
  awaited_.erase(found);
  return token;
}

void ClientSession::handle_receipt(const FrameView& frame) {
  const auto name = frame.first("receipt-id");
  if (!name) {
    finish(Reason::protocol_error("RECEIPT without receipt-id"));
    return;
  }
  if (state_ == State::closing && *name == std::to_string(goodbye_receipt_)) {
    finish(Reason::normal());
    return;
  }
  if (const auto token = take_awaited(*name)) port_->completed(*token, {});
}

void ClientSession::handle_error(const FrameView& frame) {
  const std::string words = words_of(frame);
  const bool in_login = state_ == State::login;
  login_refused_ = in_login;
  if (const auto name = frame.first("receipt-id")) {
    if (const auto token = take_awaited(*name))
      port_->completed(*token, failure(ErrorKind::protocol_error, "receipt",
                                       "the broker answered ERROR " + words));
  }
  port_->error(frame);
  if (state_ == State::ended) return;
  if (!in_login && version_ != Version::v1_2 && options_->on_error == ErrorPolicy::keep_open)
    return;
  finish(Reason::failed(
      fmt::format("the broker {} {}", in_login ? "refused the login:" : "sent ERROR", words)));
}

// ---- the end
// -------------------------------------------------------------------------------------

void ClientSession::fail_awaited(const Error& error) {
  // Moved out first: whoever is told may ask for more, which is refused, not waited for.
  const auto awaited = std::exchange(awaited_, {});
  deadlines_.clear();
  for (const auto& [receipt, waiting] : awaited)
    port_->completed(waiting.token, std::unexpected(error));
}

void ClientSession::finish(Reason reason) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  fail_awaited({ErrorKind::closed, 0, "receipt", "the session ended: " + reason.text()});
  subscriptions_.clear();
  by_id_.clear();
  port_->end(std::move(reason));
}

Reason ClientSession::lost(Reason reason) {
  if (state_ == State::ended) return reason;
  // Without its RECEIPT a goodbye is one all the same: a reset may have destroyed it (2.10).
  if (state_ == State::closing) reason = Reason::normal();
  state_ = State::ended;
  fail_awaited({ErrorKind::closed, 0, "receipt", "the connection ended: " + reason.text()});
  subscriptions_.clear();
  by_id_.clear();
  return reason;
}

// ---- the clock
// -----------------------------------------------------------------------------------

Instant ClientSession::tick(Instant now) {
  if (state_ == State::idle || state_ == State::ended) return Instant::never();
  if (state_ == State::login) {
    const Instant deadline = started_ + options_->login_timeout;
    if (now < deadline) return deadline;
    finish(Reason::timeout(
        fmt::format("login: no CONNECTED within {} s", to_seconds(options_->login_timeout))));
    return Instant::never();
  }
  if (now >= goodbye_deadline_) {
    finish(Reason::timeout("disconnect: the broker did not answer"));
    return Instant::never();
  }
  while (!deadlines_.empty() && now >= deadlines_.begin()->first) {
    const auto due = awaited_.find(deadlines_.begin()->second);
    const Awaited late = due->second;
    deadlines_.erase(deadlines_.begin());
    awaited_.erase(due);
    port_->completed(late.token,
                     failure(ErrorKind::timeout, "receipt",
                             fmt::format("none came within {} s", to_seconds(late.timeout))));
  }
  if (state_ == State::ended) return Instant::never();
  const Liveness::Look look = liveness_.look(now);
  if (look.dead) {
    finish(Reason::timeout(*look.dead));
    return Instant::never();
  }
  if (look.beat) write_octets(heartbeat_octet, now);
  Instant next = std::min(goodbye_deadline_, look.next);
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  return next;
}

std::string ClientSession::describe() const {
  constexpr std::array<BytesView, 5> states{"idle", "login", "open", "closing", "ended"};
  return fmt::format("STOMP {}, {}, {} subscriptions, {} receipts awaited",
                     stomp::to_string(version_), states[static_cast<std::size_t>(state_)],
                     subscriptions_.size(), awaited_.size());
}

}  // namespace hawser::stomp
