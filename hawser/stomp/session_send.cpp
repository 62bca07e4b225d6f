// SEND: from a frame to a message on the bus, in or outside of a transaction, to one destination or
// several, with an answer to a temporary queue if it wants one.
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace hawser::stomp {
namespace {

constexpr BytesView temporary_prefix = "/temp-queue/";
constexpr BytesView reply_prefix = "/reply-queue/";
// Names of queues that have a spelling of their own, and must not be reached past its rules.
constexpr BytesView reply_queues = "reply/";
constexpr std::size_t targets_kept = 64;
// An answer that nobody has fetched by then is for somebody who has gone.
constexpr std::int64_t answer_lives_ms = 5 * 60 * 1000;

// Used for the length of one frame each.
detail::SendHeaders& scratch_headers() {
  thread_local detail::SendHeaders headers;
  return headers;
}
bus::PropertyLines& scratch_lines() {
  thread_local bus::PropertyLines lines;
  lines.clear();
  return lines;
}

bool is_composite(BytesView text) noexcept { return text.find(",/") != BytesView::npos; }

}  // namespace

void BrokerSession::send(const FrameView& frame) {
  detail::SendHeaders& headers = scratch_headers();
  if (const auto read = detail::read_send_headers(frame, headers); !read) {
    fail_frame(frame, "malformed " + read.error().operation + " header", read.error().detail);
    return;
  }
  if (!headers.destination) {
    fail_frame(frame, "missing destination", "the frame has no destination header");
    return;
  }
  BytesView receipt;
  if (headers.receipt) {
    const auto asked = receipt_of(frame);
    if (!asked) return;
    receipt = *asked;
  }
  OpenTransaction* transaction = nullptr;
  if (headers.transaction) {
    const auto found = required_transaction(frame, *headers.transaction);
    if (found == transactions_.end()) return;
    transaction = &found->second;
    if (!join(frame, *transaction)) return;
  }
  if (headers.reply_to.starts_with(temporary_prefix) && !offer_temporary(frame, headers.reply_to))
    return;
  Target* target = last_target_for(*headers.destination);
  if (target == nullptr) {
    if (is_composite(*headers.destination)) {
      send_composite(frame, headers, transaction, receipt);
      return;
    }
    target = target_for(frame, *headers.destination);
    if (target == nullptr) return;
  }
  bus::MessagePtr message = make_message(frame, headers, *headers.destination, *target, {});
  if (!message) return;
  if (transaction != nullptr) {
    if (!charge(frame, *transaction, message->size())) return;
    transaction->actions.publish(target->to, std::move(message));
    if (!receipt.empty()) transaction->receipts.emplace_back(receipt);
    return;
  }
  const std::uint64_t token = owe(receipt);
  if (!port_->publish(target->sender, message, token)) [[unlikely]] {
    target->sender = port_->sender(target->to);
    port_->publish(target->sender, message, token);
  }
}

/// All of them or none: what one destination refuses, the others do not have either.
void BrokerSession::send_composite(const FrameView& frame, const detail::SendHeaders& headers,
                                   OpenTransaction* transaction, BytesView receipt) {
  const auto parts = split_composite(*headers.destination);
  if (parts.size() > options_->composite) {
    fail_frame(frame, "too many destinations",
               fmt::format("{} in one SEND; the limit is {}", parts.size(), options_->composite));
    return;
  }
  bus::Transaction own;
  bus::Transaction& actions = transaction == nullptr ? own : transaction->actions;
  // One copy of a long body for all of them.
  const Payload body =
      frame.body().size() > bus::Message::inline_body ? Payload(frame.body()) : Payload();
  for (const BytesView part : parts) {
    const Target* const target = target_for(frame, part);
    if (target == nullptr) return;
    bus::MessagePtr message = make_message(frame, headers, part, *target, body);
    if (!message) return;
    if (transaction != nullptr && !charge(frame, *transaction, message->size())) return;
    actions.publish(target->to, std::move(message));
  }
  if (transaction == nullptr) {
    port_->commit(std::move(own), owe(receipt));
  } else if (!receipt.empty()) {
    transaction->receipts.emplace_back(receipt);
  }
}

// ---- destinations
// ----------------------------------------------------------------------------------------

bool BrokerSession::targets_are_stale() const noexcept {
  return options_->access != nullptr && options_->access->generation() != targets_generation_;
}

/// Most clients send to one destination for long.
BrokerSession::Target* BrokerSession::last_target_for(BytesView text) const noexcept {
  return last_target_ != nullptr && last_target_text_ == text && !targets_are_stale() ? last_target_
                                                                                      : nullptr;
}

BrokerSession::Target* BrokerSession::target_for(const FrameView& frame, BytesView text) {
  if (targets_are_stale()) {
    targets_.clear();
    last_target_ = nullptr;
    targets_generation_ = options_->access->generation();
  }
  if (Target* const last = last_target_for(text)) return last;
  auto found = targets_.find(text);
  if (found == targets_.end()) {
    Target target;
    if (!read_target(frame, text, target)) return nullptr;
    if (targets_.size() >= targets_kept) targets_.clear();
    target.sender = port_->sender(target.to);
    found = targets_.emplace(std::string(text), std::move(target)).first;
  }
  last_target_ = &found->second;
  last_target_text_ = found->first;
  return last_target_;
}

bool BrokerSession::read_target(const FrameView& frame, BytesView text, Target& target) {
  using Kind = DestinationView::Kind;
  if (!within(frame, text, options_->destination, "destination")) return false;
  const auto parsed = parse_destination(text);
  if (!parsed) {
    fail_frame(frame, "unknown destination", parsed.error().detail);
    return false;
  }
  switch (parsed->kind) {
    case Kind::queue:
      if (parsed->name.starts_with(bus::dead_letter_prefix) ||
          parsed->name.starts_with(reply_queues)) {
        fail_frame(frame, "unknown destination",
                   "queues of that name are /dlq/NAME and /reply-queue/NAME");
        return false;
      }
      target.to = {bus::Destination::Kind::queue, std::string(parsed->name)};
      break;
    case Kind::topic:
      if (has_wildcards(parsed->name)) {
        fail_frame(frame, "unknown destination",
                   "a message goes to one topic; wildcards are for SUBSCRIBE");
        return false;
      }
      target.to = {bus::Destination::Kind::topic, std::string(parsed->name)};
      break;
    case Kind::dead_letters:
      target.to = {bus::Destination::Kind::queue,
                   std::string(bus::dead_letter_prefix) + std::string(parsed->name)};
      break;
    case Kind::temp_queue:
      if (!own_temporary(frame, parsed->name)) return false;
      target.to = {bus::Destination::Kind::queue, reply_name(parsed->name)};
      return true;
    case Kind::reply_queue:
      // Whoever was told its name may answer.
      target.to = {bus::Destination::Kind::queue,
                   std::string(reply_queues) + std::string(parsed->name)};
      target.reply = true;
      return true;
  }
  if (options_->access != nullptr && !options_->access->may_write(user_, text)) {
    fail_refused(frame, "write to", text);
    return false;
  }
  return true;
}

/// Whoever knows it may answer: it is told only to whom the client sends its `reply-to`.
const std::string& BrokerSession::reply_secret() {
  if (reply_secret_.empty()) reply_secret_ = port_->secret();
  return reply_secret_;
}

std::string BrokerSession::reply_name(BytesView temporary) {
  return fmt::format("{}{}.{}", reply_queues, reply_secret(), temporary);
}

bool BrokerSession::own_temporary(const FrameView& frame, BytesView name) {
  if (temporaries_.contains(name)) return true;
  if (temporaries_.size() >= options_->subscriptions) {
    fail_frame(frame, "too many temporary queues",
               fmt::format("the limit is {} a connection", options_->subscriptions));
    return false;
  }
  port_->declare_temporary({bus::Destination::Kind::queue, reply_name(name)});
  temporaries_.emplace(name);
  return true;
}

/// Makes the queue that is to be answered to, and a subscription to it unless there is one (D-05).
bool BrokerSession::offer_temporary(const FrameView& frame, BytesView destination) {
  const BytesView name = destination.substr(temporary_prefix.size());
  if (!within(frame, destination, options_->destination, "reply-to")) return false;
  if (name.empty()) {
    fail_frame(frame, "unknown destination", "/temp-queue/ in reply-to has no name");
    return false;
  }
  if (!own_temporary(frame, name)) return false;
  if (std::ranges::any_of(subscriptions_,
                          [&](const auto& each) { return each.second->temporary == destination; }))
    return true;
  if (!room_for_subscription(frame)) return false;
  Subscription made;
  made.name = destination;
  made.temporary = destination;
  if (by_name_.contains(made.name)) return true;
  const Subscription& added = add_subscription(std::move(made), true);
  bus::Subscription wanted;
  wanted.to = {bus::Destination::Kind::queue, reply_name(name)};
  wanted.prefetch = options_->prefetch;
  wanted.prefetch_bytes = options_->prefetch_bytes;
  port_->subscribe(added.number, std::move(wanted), 0);
  return true;
}

// ---- messages
// --------------------------------------------------------------------------------------------

bus::MessagePtr BrokerSession::make_message(const FrameView& frame,
                                            const detail::SendHeaders& headers,
                                            BytesView destination, const Target& target,
                                            const Payload& body) {
  bus::PropertyLines& lines = scratch_lines();
  for (const auto& [name, value] : headers.passed) {
    if (name == "reply-to" && value.starts_with(temporary_prefix)) {
      // As others must write it to reach us (D-06).
      lines.add(name, fmt::format("{}{}.{}", reply_prefix, reply_secret(),
                                  value.substr(temporary_prefix.size())));
    } else {
      lines.add(name, value);
    }
  }
  bus::MessageDraft draft;
  draft.destination = destination;
  draft.content_type = headers.content_type;
  draft.properties = lines.view();
  draft.body = frame.body();
  draft.group = headers.group;
  draft.persistent = headers.persistent && !target.reply;
  if (headers.priority) draft.priority = *headers.priority;
  if (headers.retain) draft.retain = bus::Retain::set;
  if (headers.removes_retained) draft.retain = bus::Retain::remove;
  if (headers.expires) draft.expires = headers.expires->count();
  if (headers.ttl || headers.delay || target.reply) {
    const std::int64_t now = port_->wall_ms();
    const auto expire = [&](std::int64_t lives) {
      const std::int64_t at =
          lives > std::numeric_limits<std::int64_t>::max() - now ? 0 : now + lives;
      if (at != 0 && (draft.expires == 0 || at < draft.expires)) draft.expires = at;
    };
    if (headers.ttl)
      expire(std::chrono::duration_cast<std::chrono::milliseconds>(*headers.ttl).count());
    if (target.reply) expire(answer_lives_ms);
    if (headers.delay) {
      if (*headers.delay > options_->delay) {
        fail_frame(
            frame, "delay too long",
            fmt::format("the limit is {} s",
                        std::chrono::duration_cast<std::chrono::seconds>(options_->delay).count()));
        return {};
      }
      if (headers.delay->count() != 0)
        draft.deliver_at =
            now + std::chrono::duration_cast<std::chrono::milliseconds>(*headers.delay).count();
    }
  }
  return body.empty() ? bus::Message::make(draft) : bus::Message::make(draft, body);
}

}  // namespace hawser::stomp
