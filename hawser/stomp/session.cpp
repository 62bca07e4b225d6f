// The broker's side of the protocol: what each client frame does, and what is answered.
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/detail/message_block.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace hawser::stomp {
namespace {

// One for all sessions of a thread: it only borrows while a chunk is being read.
FrameView& scratch_frame() {
  thread_local FrameView frame;
  return frame;
}

// So many bytes of written messages are granted at once, however few they are.
constexpr std::size_t heavy = std::size_t{64} << 10;

Duration times(std::chrono::milliseconds interval, double factor) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(static_cast<double>(interval.count()) * factor));
}

}  // namespace

Result<bus::Destination> parse_destination(BytesView text) {
  constexpr BytesView topic = "/topic/";
  constexpr BytesView queue = "/queue/";
  const bool is_topic = text.starts_with(topic);
  if ((is_topic || text.starts_with(queue)) && text.size() > topic.size())
    return bus::Destination{
        is_topic ? bus::Destination::Kind::topic : bus::Destination::Kind::queue,
        std::string(text.substr(topic.size()))};
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "destination",
            fmt::format("{} is no destination of this broker; it has /topic/NAME and "
                        "/queue/NAME",
                        quoted(text))});
}

BrokerSession::BrokerSession(const SessionOptions& options, Port& port, std::string number,
                             Instant now)
    : options_(&options),
      port_(&port),
      parser_(options.parser),
      number_(std::move(number)),
      opened_(now),
      last_received_(now),
      last_written_(now) {}

// ---- in from the peer
// ------------------------------------------------------------------------------------

void BrokerSession::received(BytesView octets, Instant now) {
  last_received_ = now;
  FrameView& frame = scratch_frame();
  while (state_ == State::login || state_ == State::open) {
    switch (parser_.next(octets, frame)) {
      case Step::frame:
        handle(frame);
        continue;
      case Step::heartbeat:
      case Step::need_more:
        return;
      case Step::error: {
        const ParseError& error = *parser_.error();
        fail("malformed frame: " + std::string(to_string(error.fault)), error.text, {},
             Reason::protocol_error(error.text));
        return;
      }
    }
  }
}

void BrokerSession::handle(const FrameView& frame) {
  const Command command = frame.command();
  if (command == Command::connect || command == Command::stomp) {
    connect(frame);
    return;
  }
  if (state_ == State::login) {
    fail_frame(frame, "not connected", "the first frame must be CONNECT or STOMP");
    return;
  }
  switch (command) {
    case Command::send:
      send(frame);
      return;
    case Command::subscribe:
      subscribe(frame);
      return;
    case Command::unsubscribe:
      unsubscribe(frame);
      return;
    case Command::disconnect:
      disconnect(frame);
      return;
    default:
      fail_frame(frame, fmt::format("{} is not understood", frame.command_name()),
                 "this broker takes CONNECT, STOMP, SEND, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT");
  }
}

void BrokerSession::connect(const FrameView& frame) {
  if (state_ != State::login) {
    fail_frame(frame, "already connected", "a connection has one CONNECT");
    return;
  }
  const auto version = negotiate(frame.first("accept-version"), options_->versions);
  if (!version) {
    Bytes out;
    HeadWriter head(out, Version::v1_0, Command::error);
    const auto list = options_->versions.to_list();
    const std::string body = fmt::format("this broker speaks {}", list);
    head.add("version", list).add("content-type", "text/plain").add("message", "no common version");
    if (head.finish(body)) port_->write(out + body + std::string(frame_end));
    state_ = State::ended;
    port_->end(Reason::protocol_error("no common version"));
    return;
  }
  const auto theirs = parse_heartbeat(frame.first("heart-beat"));
  if (!theirs) {
    fail_frame(frame, "malformed heart-beat header", theirs.error().detail);
    return;
  }
  version_ = *version;
  parser_.set_version(version_);
  state_ = State::open;
  // 1.0 knows no heart-beats: one that asks for them all the same gets them, one that does not has
  // sent none, and agree() answers none.
  heartbeats_ = agree(options_->heartbeat, *theirs);
  Bytes out;
  HeadWriter head(out, version_, Command::connected);
  head.add("version", to_string(version_))
      .add("heart-beat", options_->heartbeat.to_header())
      .add("session", number_)
      .add("server", options_->server);
  if (head.finish()) port_->write(out + std::string(frame_end));
}

void BrokerSession::send(const FrameView& frame) {
  const auto to = destination_of(frame);
  if (!to) return;
  if (frame.first("transaction")) {
    fail_frame(frame, "transactions are not supported", "send without the transaction header");
    return;
  }
  const auto token = token_for(frame);
  if (!token) return;
  bus::PropertyLines lines;
  std::optional<BytesView> content_type;
  const auto& headers = frame.headers();
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    if (detail::is_broker_header(name)) continue;
    if (name == "content-type") {
      if (!content_type) content_type = value;
      continue;
    }
    // Only the first of a repeated header counts (P-26); the rest is not passed on.
    if (std::any_of(headers.begin(), headers.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const auto& earlier) { return earlier.name == name; }))
      continue;
    lines.add(name, value);
  }
  bus::MessageDraft draft;
  draft.destination = *frame.first("destination");
  draft.content_type = content_type.value_or(BytesView{});
  draft.properties = lines.view();
  draft.body = frame.body();
  port_->publish(*to, bus::Message::make(draft), *token);
}

void BrokerSession::subscribe(const FrameView& frame) {
  const auto to = destination_of(frame);
  if (!to) return;
  auto id = frame.first("id");
  if (!id && version_ != Version::v1_0) {
    fail_frame(frame, "SUBSCRIBE without id", "since STOMP 1.1 every subscription has an id");
    return;
  }
  // In 1.0 the destination names the subscription when the client gave no id.
  std::string name(id ? *id : *frame.first("destination"));
  if (name.size() > options_->subscription_id) {
    fail_frame(frame, "subscription id too long",
               fmt::format("{} octets; the limit is {}", name.size(), options_->subscription_id));
    return;
  }
  if (by_name_.contains(name)) {
    fail_frame(frame, "subscription exists", fmt::format("the id {} is in use", quoted(name)));
    return;
  }
  if (by_name_.size() >= options_->subscriptions) {
    fail_frame(frame, "too many subscriptions",
               fmt::format("the limit is {} a connection", options_->subscriptions));
    return;
  }
  if (const auto ack = frame.first("ack"); ack && *ack != "auto") {
    fail_frame(frame, "ack mode is not supported",
               fmt::format("{}; this broker has ack:auto", quoted(*ack)));
    return;
  }
  const auto token = token_for(frame);
  if (!token) return;
  const std::uint64_t number = ++last_number_;
  Subscription subscription{*to, name, "MESSAGE\n"};
  if (id) {
    subscription.head += "subscription:";
    append_escaped(subscription.head, name, version_);
    subscription.head += '\n';
  }
  subscription.head += fmt::format("message-id:{}-", number_);
  by_name_.emplace(std::move(name), number);
  subscriptions_.emplace(number, std::move(subscription));
  port_->subscribe(*to, number, options_->window, *token);
}

void BrokerSession::unsubscribe(const FrameView& frame) {
  auto name = frame.first("id");
  if (!name && version_ == Version::v1_0) name = frame.first("destination");
  if (!name) {
    fail_frame(frame, "UNSUBSCRIBE without id", "name the subscription to end");
    return;
  }
  const auto found = by_name_.find(*name);
  if (found == by_name_.end()) {
    fail_frame(frame, "no such subscription",
               fmt::format("the id {} is not in use", quoted(*name)));
    return;
  }
  const auto token = token_for(frame);
  if (!token) return;
  const std::uint64_t number = found->second;
  const Subscription& ending = subscriptions_.at(number);
  port_->unsubscribe(ending.to, number, ending.taken, *token);
  subscriptions_.erase(number);
  by_name_.erase(found);
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.subscription == number; });
}

void BrokerSession::disconnect(const FrameView& frame) {
  if (const auto receipt = frame.first("receipt")) goodbye_ = std::string(*receipt);
  state_ = State::leaving;
  leave();
  // Its receipt says that every frame before it has been dealt with: their own receipts come first.
  if (awaited_.empty()) say_goodbye();
}

void BrokerSession::say_goodbye() {
  if (goodbye_) write_receipt(*goodbye_);
  state_ = State::ended;
  port_->end(Reason::normal());
}

void BrokerSession::leave() {
  for (const auto& [number, subscription] : subscriptions_)
    port_->unsubscribe(subscription.to, number, subscription.taken, 0);
  subscriptions_.clear();
  by_name_.clear();
  waiting_.clear();
}

// ---- in from the bus
// -------------------------------------------------------------------------------------

void BrokerSession::delivered(const bus::Delivery& delivery) {
  if (state_ != State::open) return;
  Subscription* subscription = find_subscription(delivery.subscription);
  if (subscription == nullptr) return;  // unsubscribed while this was on its way
  if (!waiting_.empty() || !port_->has_room()) {
    waiting_.push_back({delivery.subscription, delivery.message});
    return;
  }
  write_message(*subscription, *delivery.message);
  take(delivery.subscription, *subscription, *delivery.message);
}

void BrokerSession::writable() {
  while (state_ == State::open && !waiting_.empty() && port_->has_room()) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    Subscription* subscription = find_subscription(next.subscription);
    if (subscription == nullptr) continue;
    write_message(*subscription, *next.message);
    take(next.subscription, *subscription, *next.message);
  }
}

void BrokerSession::take(std::uint64_t number, Subscription& subscription,
                         const bus::Message& message) {
  subscription.taken_bytes += message.size();
  if (++subscription.taken < std::max(1U, options_->window / 2) && subscription.taken_bytes < heavy)
    return;
  subscription.taken_bytes = 0;
  port_->grant(subscription.to, number, std::exchange(subscription.taken, 0U));
}

void BrokerSession::confirmed(std::uint64_t token) {
  const auto found = awaited_.find(token);
  if (found == awaited_.end()) return;
  const auto awaited = std::move(found->second);
  awaited_.erase(found);
  if (state_ == State::ended) return;
  write_receipt(awaited.receipt);
  if (state_ == State::leaving && awaited_.empty()) say_goodbye();
}

void BrokerSession::refused(std::uint64_t token, const Error& error) {
  std::optional<BytesView> receipt;
  const auto found = awaited_.find(token);
  if (found != awaited_.end()) receipt = found->second.receipt;
  fail(to_string(error.kind), error.text(), receipt, Reason::overloaded(error.detail));
}

void BrokerSession::subscription_ended(std::uint64_t number, const Error& error) {
  Subscription* subscription = find_subscription(number);
  if (subscription == nullptr) return;
  fail("slow consumer",
       fmt::format("subscription {}: {}", quoted(subscription->name), error.detail), {},
       Reason::overloaded(error.detail));
}

void BrokerSession::bus_lost(std::string why) {
  fail("the broker restarts", "connect again", {}, Reason::failed(std::move(why)));
}

// ---- the clock
// ---------------------------------------------------------------------------------------------

Instant BrokerSession::tick(Instant now) {
  if (state_ == State::ended) return Instant::never();
  if (state_ == State::login) {
    const Instant deadline = opened_ + options_->login_timeout;
    if (now < deadline) return deadline;
    fail("login timed out",
         fmt::format("no whole CONNECT within {} s",
                     std::chrono::duration<double>(options_->login_timeout).count()),
         {}, Reason::timeout("login"));
    return Instant::never();
  }
  Instant next = Instant::never();
  if (heartbeats_.receive_every.count() > 0) {
    const Instant dead = last_received_ +
                         times(heartbeats_.receive_every, options_->receive_factor) +
                         options_->receive_grace;
    if (now >= dead) {
      // What we still write may never be read, and a peer this silent gets no reply: end it.
      state_ = State::ended;
      port_->end(Reason::timeout(
          fmt::format("heart-beat: nothing came for {} s",
                      std::chrono::duration<double>(now - last_received_).count())));
      return Instant::never();
    }
    next = std::min(next, dead);
  }
  if (heartbeats_.send_every.count() > 0) {
    const Duration interval = times(heartbeats_.send_every, options_->send_factor);
    if (now >= last_written_ + interval) {
      port_->write(heartbeat_octet);
      last_written_ = now;
    }
    next = std::min(next, last_written_ + interval);
  }
  return next;
}

// ---- out to the peer
// ---------------------------------------------------------------------------------------

void BrokerSession::write_message(const Subscription& subscription, const bus::Message& message) {
  std::array<char, 24> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size() - 1, ++last_message_).ptr;
  *end = '\n';
  port_->write(subscription.head);
  port_->write(BytesView(digits.data(), static_cast<std::size_t>(end - digits.data()) + 1));
  port_->write(detail::message_block(message, version_));
  port_->write(message.body());
  port_->write(frame_end);
}

void BrokerSession::write_receipt(BytesView name) {
  Bytes out;
  HeadWriter head(out, version_, Command::receipt);
  head.add("receipt-id", name);
  if (head.finish()) port_->write(out + std::string(frame_end));
}

void BrokerSession::fail_frame(const FrameView& frame, std::string_view message,
                               std::string_view detail) {
  fail(message, detail, frame.first("receipt"), Reason::protocol_error(std::string(message)));
}

void BrokerSession::fail(std::string_view message, std::string_view detail,
                         std::optional<BytesView> receipt, Reason reason) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  Bytes out;
  HeadWriter head(out, version_, Command::error);
  if (receipt && find_unsendable(*receipt, version_) == BytesView::npos)
    head.add("receipt-id", *receipt);
  head.add("content-type", "text/plain")
      .add("message", quoted(message, 200).substr(1, quoted(message, 200).size() - 2));
  if (head.finish(detail)) {
    port_->write(out);
    port_->write(detail);
    port_->write(frame_end);
  }
  port_->end(std::move(reason));
}

// ---- small parts
// -------------------------------------------------------------------------------------------

BrokerSession::Subscription* BrokerSession::find_subscription(std::uint64_t number) {
  const auto found = subscriptions_.find(number);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> BrokerSession::token_for(const FrameView& frame) {
  const auto receipt = frame.first("receipt");
  if (!receipt) return 0;
  if (receipt->size() > options_->receipt) {
    fail("receipt too long",
         fmt::format("{} octets; the limit is {}", receipt->size(), options_->receipt), {},
         Reason::protocol_error("receipt too long"));
    return std::nullopt;
  }
  if (awaited_.size() >= options_->awaited_receipts) {
    fail_frame(frame, "too many receipts awaited",
               fmt::format("the limit is {}; wait for some before asking for more",
                           options_->awaited_receipts));
    return std::nullopt;
  }
  const std::uint64_t token = ++last_token_;
  awaited_.emplace(token, Awaited{std::string(*receipt)});
  return token;
}

std::optional<bus::Destination> BrokerSession::destination_of(const FrameView& frame) {
  const auto text = frame.first("destination");
  if (!text) {
    fail_frame(frame, "missing destination", "the frame has no destination header");
    return std::nullopt;
  }
  if (text->size() > options_->destination) {
    fail_frame(frame, "destination too long",
               fmt::format("{} octets; the limit is {}", text->size(), options_->destination));
    return std::nullopt;
  }
  auto parsed = parse_destination(*text);
  if (!parsed) {
    fail_frame(frame, "unknown destination", parsed.error().detail);
    return std::nullopt;
  }
  return std::move(*parsed);
}

std::string BrokerSession::describe() const {
  return fmt::format("STOMP {}, {} subscriptions, {} waiting",
                     state_ == State::login ? "login" : to_string(version_), by_name_.size(),
                     waiting_.size());
}

}  // namespace hawser::stomp
