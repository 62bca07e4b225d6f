// SUBSCRIBE and UNSUBSCRIBE, and what they are for: MESSAGEs.
#include <hawser/stomp/session.hpp>

#include <hawser/base/short_text.hpp>
#include <hawser/bus/selector.hpp>
#include <hawser/stomp/detail/message_block.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace hawser::stomp {
namespace {

void append_number(Bytes& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

/// Head, number, line end and the rest, behind `out`.
void append_message(Bytes& out, BytesView head, std::uint64_t number, BytesView whole) {
  constexpr std::size_t digits = 20;
  const std::size_t size = out.size();
  out.resize_and_overwrite(size + head.size() + digits + 1 + whole.size(),
                           [&](char* begin, std::size_t) {
                             char* at = begin + size;
                             at = copy_text(at, head);
                             at = std::to_chars(at, at + digits, number).ptr;
                             *at++ = '\n';
                             std::memcpy(at, whole.data(), whole.size());
                             return at + whole.size() - begin;
                           });
}

/// One part of a durable subscription's name, which are parted by '/'.
void append_part(std::string& name, BytesView part) {
  if (part.empty()) return;
  for (const char c : part) {
    if (c == '/' || c == '%') {
      name += c == '/' ? "%2F" : "%25";
    } else {
      name += c;
    }
  }
  name += '/';
}

}  // namespace

// ---- SUBSCRIBE
// ------------------------------------------------------------------------------------------

void BrokerSession::subscribe(const FrameView& frame) {
  auto headers = detail::read_subscribe_headers(frame);
  if (!headers) {
    const bool mode = headers.error().operation == "ack";
    if (!mode || !options_->lenient.unknown_ack_modes) {
      fail_frame(frame,
                 mode ? "unknown ack mode" : "malformed " + headers.error().operation + " header",
                 headers.error().detail);
      return;
    }
    headers = detail::read_subscribe_headers(frame, true);
  }
  if (!headers) return;
  if (!headers->destination) {
    fail_frame(frame, "missing destination", "the frame has no destination header");
    return;
  }
  if (!headers->id && version_ != Version::v1_0 && !options_->lenient.missing_ids) {
    fail_frame(frame, "SUBSCRIBE without id", "since STOMP 1.1 every subscription has an id");
    return;
  }
  // Where the client gave no id, the destination names the subscription.
  const BytesView name = headers->id ? *headers->id : *headers->destination;
  if (!within(frame, name, options_->subscription_id, "subscription id")) return;
  if (by_name_.contains(name)) {
    fail_frame(frame, "subscription exists", fmt::format("the id {} is in use", quoted(name)));
    return;
  }
  if (!room_for_subscription(frame)) return;
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  bus::Subscription wanted;
  Subscription made;
  made.name = name;
  made.ack = headers->ack;
  if (!read_source(frame, *headers, name, wanted, made)) return;
  if (!read_positions(frame, *headers, wanted, made)) return;
  if (!headers->selector.empty()) {
    auto filter = bus::make_selector(headers->selector);
    if (!filter) {
      fail_frame(frame, "malformed selector", filter.error().detail);
      return;
    }
    wanted.filter = std::move(*filter);
  }
  wanted.prefetch = options_->prefetch;
  if (headers->prefetch && *headers->prefetch != 0)
    wanted.prefetch =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(*headers->prefetch, options_->prefetch));
  wanted.prefetch_bytes = options_->prefetch_bytes;
  wanted.exclusive = headers->exclusive;
  wanted.browse = headers->browser;
  wanted.no_local = headers->no_local;
  const bool named = headers->id.has_value() || version_ != Version::v1_0;
  const Subscription& added = add_subscription(std::move(made), named);
  port_->subscribe(added.number, std::move(wanted), owe(*receipt));
}

bool BrokerSession::read_source(const FrameView& frame, const detail::SubscribeHeaders& headers,
                                BytesView name, bus::Subscription& wanted, Subscription& made) {
  using Kind = DestinationView::Kind;
  const BytesView text = *headers.destination;
  if (!within(frame, text, options_->destination, "destination")) return false;
  const auto parsed = parse_destination(text);
  if (!parsed || text.find(",/") != BytesView::npos) {
    fail_frame(frame, "unknown destination",
               parsed ? "SUBSCRIBE takes one destination" : parsed.error().detail);
    return false;
  }
  const auto refuse = [&](const char* why) {
    fail_frame(frame, "unknown destination", why);
    return false;
  };
  wanted.to = {bus::Destination::Kind::queue, std::string(parsed->name)};
  switch (parsed->kind) {
    case Kind::queue:
      if (has_wildcards(parsed->name)) return refuse("wildcards are for topics");
      if (parsed->name.starts_with(bus::dead_letter_prefix) || parsed->name.starts_with("reply/"))
        return refuse("queues of that name are /dlq/NAME and /temp-queue/NAME");
      break;
    case Kind::topic:
      wanted.to.kind = bus::Destination::Kind::topic;
      break;
    case Kind::dead_letters:
      wanted.to.name.insert(0, bus::dead_letter_prefix);
      break;
    case Kind::temp_queue:
      if (!own_temporary(frame, parsed->name)) return false;
      wanted.to.name = reply_name(parsed->name);
      made.temporary = text;
      return true;
    case Kind::reply_queue:
      return refuse("only who asked reads the answers, from its /temp-queue/NAME");
  }
  if (options_->access != nullptr && !options_->access->may_read(user_, text)) {
    fail_refused(frame, "read", text);
    return false;
  }
  if (!headers.durable() || parsed->kind != Kind::topic) return true;
  // RabbitMQ's are of a destination and an id, for whoever comes; the others' are of one client.
  wanted.pattern = parsed->name;
  wanted.queue = options_->durable;
  wanted.to.kind = bus::Destination::Kind::subscription;
  if (headers.durable_name) {
    if (!within(frame, *headers.durable_name, options_->subscription_id, "durable name"))
      return false;
    wanted.to.name = durable_name(*headers.durable_name);
    wanted.queue.single_consumer = true;
  } else {
    wanted.to.name = fmt::format("{}@{}", name, parsed->name);
  }
  made.durable = wanted.to;
  return true;
}

bool BrokerSession::read_positions(const FrameView& frame, const detail::SubscribeHeaders& headers,
                                   bus::Subscription& wanted, Subscription& made) {
  wanted.from = headers.from.value_or(0);
  const bool to_topic = wanted.to.kind == bus::Destination::Kind::topic;
  const bool from_position = wanted.from != 0 && wanted.from != bus::Subscription::from_now;
  if (to_topic && (headers.position_header || from_position)) {
    const char* const name = headers.position_header ? "include-seq" : "from-seq";
    fail_frame(frame, fmt::format("{} is not for topics", name),
               "a topic's messages have no positions: make the subscription durable "
               "(durable:true), or leave the header out");
    return false;
  }
  if (!headers.position_header) return true;
  const BytesView name = *headers.position_header;
  if (!within(frame, name, options_->subscription_id, "include-seq header")) return false;
  if (find_unsendable(name, version_) != BytesView::npos ||
      (version_ == Version::v1_0 && name.find(':') != BytesView::npos)) {
    fail_frame(frame, "malformed include-seq header",
               fmt::format("{} cannot be a header's name in this version", quoted(name)));
    return false;
  }
  append_escaped(made.position_head, name, version_);
  made.position_head += ':';
  return true;
}

std::string BrokerSession::durable_name(BytesView name) const {
  std::string out;
  append_part(out, user_);
  append_part(out, client_id_);
  append_part(out, name);
  out.pop_back();
  return out;
}

bool BrokerSession::room_for_subscription(const FrameView& frame) {
  if (by_name_.size() < options_->subscriptions) return true;
  fail_frame(frame, "too many subscriptions",
             fmt::format("the limit is {} a connection", options_->subscriptions));
  return false;
}

BrokerSession::Subscription& BrokerSession::add_subscription(Subscription made, bool named) {
  made.number = ++last_number_;
  made.head = "MESSAGE\n";
  if (named) {
    made.head += "subscription:";
    append_escaped(made.head, made.name, version_);
    made.head += '\n';
  }
  const std::string prefix = fmt::format("{}-{}-", number_, made.number);
  made.head += "message-id:" + prefix;
  if (made.ack != AckMode::automatic && version_ == Version::v1_2) made.ack_head = "ack:" + prefix;
  made.plain = made.ack == AckMode::automatic && made.position_head.empty();
  by_name_.emplace(made.name, made.number);
  auto& place = subscriptions_[made.number];
  place = std::make_unique<Subscription>(std::move(made));
  return *place;
}

// ---- UNSUBSCRIBE
// ----------------------------------------------------------------------------------------

void BrokerSession::unsubscribe(const FrameView& frame) {
  const auto headers = detail::read_subscribe_headers(frame, true);
  if (!headers) {
    fail_frame(frame, "malformed " + headers.error().operation + " header", headers.error().detail);
    return;
  }
  auto name = headers->id;
  if (!name && (version_ == Version::v1_0 || options_->lenient.missing_ids))
    name = headers->destination;
  if (!name && !headers->durable_name) {
    fail_frame(frame, "UNSUBSCRIBE without id", "name the subscription to end");
    return;
  }
  const auto found = name ? by_name_.find(*name) : by_name_.end();
  // A durable subscription can be removed while nobody reads it (D-20).
  if (found == by_name_.end() && !headers->durable_name) {
    fail_frame(frame, "no such subscription",
               fmt::format("the id {} is not in use", quoted(*name)));
    return;
  }
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  std::optional<bus::Destination> removed;
  if (headers->durable_name)
    removed = {bus::Destination::Kind::subscription, durable_name(*headers->durable_name)};
  if (found == by_name_.end()) {
    port_->remove(*removed, owe(*receipt));
    return;
  }
  Subscription& ending = *find_subscription(found->second);
  if (headers->durable_by_id) removed = ending.durable;
  end_subscription(ending, removed ? 0 : owe(*receipt));
  if (removed) port_->remove(*removed, owe(*receipt));
}

void BrokerSession::end_subscription(Subscription& subscription, std::uint64_t token) {
  const std::uint64_t number = subscription.number;
  port_->unsubscribe(number, subscription.last_written, token);
  waiting_.remove_if([&](const bus::Delivery& each) { return each.subscription == number; });
  by_name_.erase(by_name_.find(subscription.name));
  if (last_found_ == &subscription) last_found_ = nullptr;
  subscriptions_.erase(number);
}

// ---- what the bus says
// -----------------------------------------------------------------------------------

void BrokerSession::subscription_ended(std::uint64_t number, const Error& error) {
  const Subscription* subscription = find_subscription(number);
  if (subscription == nullptr) return;
  fail(error.kind == ErrorKind::overloaded ? "slow consumer" : "subscription ended",
       fmt::format("subscription {}: {}", quoted(subscription->name), error.detail), {},
       Reason::overloaded(error.detail), subscription->name);
}

void BrokerSession::browse_ended(std::uint64_t number) {
  Subscription* subscription = find_subscription(number);
  if (subscription == nullptr || state_ != State::open) return;
  if (!waiting_.empty()) {
    // Its end comes behind what it has read.
    bus::Delivery end;
    end.subscription = number;
    waiting_.push_back(std::move(end));
    return;
  }
  // As ActiveMQ says it (D-14).
  *out_ += subscription->head;
  *out_ += "end\nbrowser:end\n\n";
  *out_ += frame_end;
  end_subscription(*subscription, 0);
}

void BrokerSession::delivered(std::span<bus::Delivery> deliveries) {
  if (state_ != State::open) return;
  Subscription* written = nullptr;  // has deliveries that were written and not settled
  // Asking the connection costs as much as a short message: not for each.
  constexpr std::size_t unasked = 4096;
  constexpr std::size_t fetched_ahead = 3;  // messages: another core, or long ago, has written them
  std::size_t ask_at = 0;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    bus::Delivery& delivery = deliveries[i];
    if (i + fetched_ahead < deliveries.size()) deliveries[i + fetched_ahead].message->prefetch();
    Subscription* const subscription = find_subscription(delivery.subscription);
    if (subscription == nullptr) continue;  // unsubscribed while this was on its way
    if (!waiting_.empty() || out_->size() >= ask_at) {
      if (!waiting_.empty() || !port_->has_room()) [[unlikely]] {
        waiting_.push_back(std::move(delivery));
        continue;
      }
      ask_at = out_->size() + unasked;
    }
    if (written != subscription) {
      if (written != nullptr) settle_written(*written);
      written = subscription;
    }
    write_message(*subscription, delivery);
    // Long bodies do not pass through the output.
    if (!delivery.message->shared_body().empty()) ask_at = 0;
  }
  if (written != nullptr) settle_written(*written);
}

void BrokerSession::writable() {
  Subscription* written = nullptr;
  while (state_ == State::open && !waiting_.empty() && port_->has_room()) {
    const bus::Delivery next = std::move(waiting_.front());
    waiting_.pop_front();
    Subscription* const subscription = find_subscription(next.subscription);
    if (subscription == nullptr) continue;
    if (written != nullptr && written != subscription) settle_written(*written);
    if (!next.message) {
      *out_ += subscription->head;
      *out_ += "end\nbrowser:end\n\n";
      *out_ += frame_end;
      written = nullptr;
      end_subscription(*subscription, 0);
      continue;
    }
    write_message(*subscription, next);
    written = subscription;
  }
  if (written != nullptr && state_ == State::open) settle_written(*written);
}

void BrokerSession::write_message(Subscription& subscription, const bus::Delivery& delivery) {
  Bytes& out = *out_;
  subscription.last_written = delivery.id;
  if (subscription.plain && !delivery.redelivered && delivery.count <= 1) [[likely]] {
    // What nearly all look like, in one step.
    if (const BytesView whole = detail::message_whole(*delivery.message, version_);
        !whole.empty()) {
      append_message(out, subscription.head, delivery.id, whole);
      return;
    }
  }
  out += subscription.head;
  append_number(out, delivery.id);
  out += '\n';
  if (!subscription.ack_head.empty()) {
    out += subscription.ack_head;
    append_number(out, delivery.id);
    out += '\n';
  }
  if (delivery.redelivered || delivery.count > 1) [[unlikely]] {
    out += "redelivered:true\ndelivery-count:";
    append_number(out, delivery.count);
    out += '\n';
  }
  if (!subscription.position_head.empty()) {
    out += subscription.position_head;
    append_number(out, delivery.position);
    out += '\n';
  }
  const bus::Message& message = *delivery.message;
  if (const BytesView whole = detail::message_whole(message, version_); !whole.empty()) {
    out += whole;
  } else {
    out += detail::message_head(message, version_);
    if (message.shared_body().empty()) {
      out += message.body();
    } else {
      port_->write(message.shared_body());
    }
    out += frame_end;
  }
  if (subscription.ack != AckMode::automatic) subscription.unsettled.add(delivery.id);
}

/// ack:auto: what is written is done with, all of a turn at once.
void BrokerSession::settle_written(Subscription& subscription) {
  if (subscription.ack != AckMode::automatic ||
      subscription.last_settled == subscription.last_written)
    return;
  const std::uint64_t first = subscription.last_settled + 1;
  subscription.last_settled = subscription.last_written;
  port_->settle({subscription.number, first, subscription.last_written, bus::Outcome::accepted}, 0);
}

BrokerSession::Subscription* BrokerSession::find_subscription(std::uint64_t number) {
  if (last_found_ != nullptr && last_found_->number == number) return last_found_;
  const auto found = subscriptions_.find(number);
  if (found == subscriptions_.end()) return nullptr;
  return last_found_ = found->second.get();
}

}  // namespace hawser::stomp
