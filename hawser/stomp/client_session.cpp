// The client's side of the protocol: what is written for each wish, and what each frame of the
// broker means.
#include <hawser/stomp/client_session.hpp>

#include <hawser/base/check.hpp>
#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hawser::stomp {
namespace {

// One for all sessions of a thread: it only borrows while a chunk is being read.
FrameView& scratch_frame() {
  thread_local FrameView frame;
  return frame;
}

Duration times(std::chrono::milliseconds interval, double factor) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(static_cast<double>(interval.count()) * factor));
}

double seconds(Duration length) { return std::chrono::duration<double>(length).count(); }

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

std::unexpected<Error> refused(ErrorKind kind, std::string_view operation, std::string detail) {
  return std::unexpected(Error{kind, 0, std::string(operation), std::move(detail)});
}

/// The words of an ERROR for a reason: its message, bounded and printable.
std::string words_of(const FrameView& error) {
  const auto message = error.first("message");
  return message ? quoted(*message, 200) : std::string("no message");
}

}  // namespace

ClientSession::ClientSession(const ClientOptions& options, Port& port, Instant now)
    : options_(&options),
      port_(&port),
      parser_(options.parser),
      started_(now),
      last_received_(now),
      last_written_(now) {}

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
  started_ = last_received_ = now;
  out += frame_end;
  write_octets(out, now);
  return {};
}

// ---- out to the broker
// ---------------------------------------------------------------------------

Result<void> ClientSession::ready(std::string_view operation, std::uint64_t token) const {
  if (state_ != State::open)
    return refused(ErrorKind::closed, operation, "the session is not open");
  if (token != 0 && awaited_.size() >= options_->awaited_receipts)
    return refused(
        ErrorKind::overloaded, operation,
        fmt::format("{} receipts are awaited already (setting awaited_receipts)", awaited_.size()));
  return {};
}

Result<void> ClientSession::write_frame(Command command, std::span<const HeaderView> own,
                                        std::span<const Header> users, const Payload& body,
                                        std::uint64_t token, Instant now) {
  Bytes out;
  HeadWriter head(out, version_, command, {.content_length = options_->content_length});
  for (const HeaderView& header : own) head.add(header.name, header.value);
  for (const Header& header : users) {
    if (header.name == "receipt" || header.name == "content-length" ||
        std::ranges::find(own, BytesView(header.name), &HeaderView::name) != own.end())
      return refused(ErrorKind::invalid_argument, stomp::to_string(command),
                     fmt::format("the header {} is the session's own to write", header.name));
    head.add(header.name, header.value);
  }
  const std::uint64_t receipt = last_receipt_ + 1;
  if (token != 0) head.add("receipt", std::to_string(receipt));
  if (auto done = head.finish(body.view()); !done) return done;
  if (token != 0) {
    last_receipt_ = receipt;
    awaited_.emplace(receipt, Awaited{token, now + options_->receipt_timeout});
  }
  if (body.empty()) {
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
  last_written_ = now;
  port_->write(octets);
}

Result<void> ClientSession::send(BytesView destination, const Payload& body,
                                 std::span<const Header> headers, std::uint64_t token,
                                 Instant now) {
  if (auto can = ready("SEND", token); !can) return can;
  const std::array<HeaderView, 1> own{{{"destination", destination}}};
  return write_frame(Command::send, own, headers, body, token, now);
}

Result<std::uint64_t> ClientSession::subscribe(BytesView destination, AckMode mode,
                                               std::span<const Header> headers, std::uint64_t token,
                                               Instant now) {
  if (auto can = ready("SUBSCRIBE", token); !can) return std::unexpected(std::move(can.error()));
  if (mode == AckMode::client_individual && version_ == Version::v1_0)
    return refused(ErrorKind::unsupported, "SUBSCRIBE", "STOMP 1.0 has no client-individual");
  if (subscriptions_.size() >= options_->subscriptions)
    return refused(
        ErrorKind::overloaded, "SUBSCRIBE",
        fmt::format("there are {} subscriptions (setting subscriptions)", subscriptions_.size()));
  const std::uint64_t number = last_subscription_ + 1;
  const std::string id = std::to_string(number);
  const std::array<HeaderView, 3> own{
      {{"id", id}, {"destination", destination}, {"ack", to_string(mode)}}};
  if (auto done = write_frame(Command::subscribe, own, headers, {}, token, now); !done)
    return std::unexpected(std::move(done.error()));
  last_subscription_ = number;
  subscriptions_.emplace(number, Subscription{std::string(destination), mode});
  return number;
}

Result<void> ClientSession::unsubscribe(std::uint64_t subscription, std::span<const Header> headers,
                                        std::uint64_t token, Instant now) {
  if (auto can = ready("UNSUBSCRIBE", token); !can) return can;
  if (!subscriptions_.contains(subscription))
    return refused(ErrorKind::not_found, "UNSUBSCRIBE",
                   fmt::format("there is no subscription {}", subscription));
  const std::string id = std::to_string(subscription);
  const std::array<HeaderView, 1> own{{{"id", id}}};
  auto done = write_frame(Command::unsubscribe, own, headers, {}, token, now);
  if (done) subscriptions_.erase(subscription);
  return done;
}

std::optional<BytesView> ClientSession::ack_id(const FrameView& message) const noexcept {
  return message.first(version_ == Version::v1_2 ? "ack" : "message-id");
}

Result<void> ClientSession::ack(std::uint64_t subscription, BytesView id, std::uint64_t token,
                                Instant now) {
  return settle(Command::ack, subscription, id, token, now);
}

Result<void> ClientSession::nack(std::uint64_t subscription, BytesView id, std::uint64_t token,
                                 Instant now) {
  if (version_ == Version::v1_0)
    return refused(ErrorKind::unsupported, "NACK", "STOMP 1.0 has none");
  return settle(Command::nack, subscription, id, token, now);
}

Result<void> ClientSession::settle(Command command, std::uint64_t subscription, BytesView id,
                                   std::uint64_t token, Instant now) {
  if (auto can = ready(stomp::to_string(command), token); !can) return can;
  const std::string number = std::to_string(subscription);
  if (version_ == Version::v1_2) {
    const std::array<HeaderView, 1> own{{{"id", id}}};
    return write_frame(command, own, {}, {}, token, now);
  }
  const std::array<HeaderView, 2> own{{{"message-id", id}, {"subscription", number}}};
  return write_frame(command, std::span(own).first(version_ == Version::v1_0 ? 1 : 2), {}, {},
                     token, now);
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
  head.add("receipt", std::to_string(goodbye_receipt_));
  check(head.finish().has_value(), "a number can be sent as a receipt");
  out += frame_end;
  write_octets(out, now);
}

// ---- in from the broker
// --------------------------------------------------------------------------

void ClientSession::received(BytesView octets, Instant now) {
  last_received_ = now;
  FrameView& frame = scratch_frame();
  while (state_ != State::ended) {
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
  heartbeats_ = agree(options_->heartbeat, *theirs);
  state_ = State::open;
  port_->connected(frame);
}

void ClientSession::handle_message(const FrameView& frame) {
  std::uint64_t number = 0;
  if (const auto id = frame.first("subscription")) {
    number = detail::parse_decimal(*id).value_or(0);
  } else if (version_ == Version::v1_0) {
    // A 1.0 broker need not know ids; then the destination tells.
    const auto destination = frame.first("destination").value_or("");
    for (const auto& [candidate, subscription] : subscriptions_) {
      if (subscription.destination == destination) {
        number = candidate;
        break;
      }
    }
  } else {
    finish(Reason::protocol_error("MESSAGE without subscription"));
    return;
  }
  // It may have been on its way when we unsubscribed, or after our goodbye: nobody waits for it.
  if (state_ == State::open && subscriptions_.contains(number)) port_->message(number, frame);
}

void ClientSession::handle_receipt(const FrameView& frame) {
  const auto name = frame.first("receipt-id");
  if (!name) {
    finish(Reason::protocol_error("RECEIPT without receipt-id"));
    return;
  }
  const auto number = detail::parse_decimal(*name);
  if (!number) return;
  if (state_ == State::closing && *number == goodbye_receipt_) {
    finish(Reason::normal());
    return;
  }
  // One that is not awaited came after its time-out.
  const auto found = awaited_.find(*number);
  if (found == awaited_.end()) return;
  const std::uint64_t token = found->second.token;
  awaited_.erase(found);
  port_->completed(token, {});
}

void ClientSession::handle_error(const FrameView& frame) {
  const std::string words = words_of(frame);
  const bool in_login = state_ == State::login;
  login_refused_ = in_login;
  if (const auto name = frame.first("receipt-id")) {
    const auto found = awaited_.find(detail::parse_decimal(*name).value_or(0));
    if (found != awaited_.end()) {
      const std::uint64_t token = found->second.token;
      awaited_.erase(found);
      port_->completed(token, refused(ErrorKind::protocol_error, "receipt",
                                      "the broker answered ERROR " + words));
    }
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
  for (const auto& [receipt, waiting] : awaited)
    port_->completed(waiting.token, std::unexpected(error));
}

void ClientSession::finish(Reason reason) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  fail_awaited({ErrorKind::closed, 0, "receipt", "the session ended: " + reason.text()});
  subscriptions_.clear();
  port_->end(std::move(reason));
}

Reason ClientSession::lost(Reason reason) {
  if (state_ == State::ended) return reason;
  // Without its RECEIPT a goodbye is one all the same: a reset may have destroyed it (2.10).
  if (state_ == State::closing) reason = Reason::normal();
  state_ = State::ended;
  fail_awaited({ErrorKind::closed, 0, "receipt", "the connection ended: " + reason.text()});
  subscriptions_.clear();
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
        fmt::format("login: no CONNECTED within {} s", seconds(options_->login_timeout))));
    return Instant::never();
  }
  if (now >= goodbye_deadline_) {
    finish(Reason::timeout("disconnect: the broker did not answer"));
    return Instant::never();
  }
  while (!awaited_.empty() && now >= awaited_.begin()->second.deadline) {
    const std::uint64_t token = awaited_.begin()->second.token;
    awaited_.erase(awaited_.begin());
    port_->completed(
        token, refused(ErrorKind::timeout, "receipt",
                       fmt::format("none came within {} s", seconds(options_->receipt_timeout))));
  }
  if (state_ == State::ended) return Instant::never();
  Instant next = goodbye_deadline_;
  if (!awaited_.empty()) next = std::min(next, awaited_.begin()->second.deadline);
  if (heartbeats_.receive_every.count() > 0) {
    const Duration silence =
        std::max(times(heartbeats_.receive_every, options_->receive_factor),
                 Duration(heartbeats_.receive_every) + options_->receive_grace);
    const Instant dead = last_received_ + silence;
    if (now >= dead) {
      finish(Reason::timeout(
          fmt::format("heart-beat: nothing came for {} s", seconds(now - last_received_))));
      return Instant::never();
    }
    next = std::min(next, dead);
  }
  if (heartbeats_.send_every.count() > 0) {
    const Duration interval = times(heartbeats_.send_every, options_->send_factor);
    if (now >= last_written_ + interval) write_octets(heartbeat_octet, now);
    next = std::min(next, last_written_ + interval);
  }
  return next;
}

std::string ClientSession::describe() const {
  constexpr std::array<BytesView, 5> states{"idle", "login", "open", "closing", "ended"};
  return fmt::format("STOMP {}, {}, {} subscriptions, {} receipts awaited",
                     stomp::to_string(version_), states[static_cast<std::size_t>(state_)],
                     subscriptions_.size(), awaited_.size());
}

}  // namespace hawser::stomp
