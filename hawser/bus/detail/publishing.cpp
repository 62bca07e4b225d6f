// Messages into queues and topics, and publishers that wait for room there.
#include <hawser/bus/detail/shard.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::bus::detail {

void Shard::attach(Peer& from, Attach attach) {
  if (from.senders.size() <= attach.slot) from.senders.resize(attach.slot + 1, nullptr);
  Place* place = attach.detach ? nullptr : this->place(attach.to);
  if (place != nullptr) {
    ++place->users;
    if (attach.to.kind == Destination::Kind::topic && place->topic == nullptr)
      place->topic = std::make_unique<Topic>();
  }
  if (Place* before = std::exchange(from.senders[attach.slot], place)) release_place(*before);
}

void Shard::publish(Peer* from, Place& place, MessagePtr message, std::uint64_t token) {
  if (place.to.kind == Destination::Kind::queue) {
    publish_to_queue(from, place, std::move(message), token);
  } else {
    publish_to_topic(from, place, std::move(message), token);
  }
}

// ---- queues
// -------------------------------------------------------------------------------------------

void Shard::publish_to_queue(Peer* from, Place& place, MessagePtr message, std::uint64_t token) {
  Queue& queue = this->queue(place);
  const Pid publisher = from == nullptr ? Pid{} : from->pid;
  const bool stored = stores(queue, *message);
  if (stored && store_is_behind() && !committing_) [[unlikely]] {
    refuse(publisher, token, store_behind("publish"));
    return;
  }
  const Queue::Room room = queue.make_room(message->size());
  touch(place);
  // A transaction has been promised its room.
  if (room == Queue::Room::no && !committing_) [[unlikely]] {
    refuse(publisher, token, full(place, "publish"));
    return;
  }
  ++totals_.published;
  if (stored) record_add(place, message);
  queue.push(std::move(message), stored, now_);
  if (room == Queue::Room::over && from != nullptr) [[unlikely]] {
    full_.push_back(&place.blocked);
    full_is_own_ = consumes(from, queue);
    block(*from, token, stored);
    return;
  }
  if (token == 0) return;
  stored ? confirm_when_stored(publisher, token) : answer(publisher, token);
}

/// A dead letter, or a topic's message for a durable subscription: there is no publisher who could
/// still be refused. What finds no room is lost, and counted.
bool Shard::put(const Peer* from, Place& place, MessagePtr message, Put how) {
  Queue& queue = this->queue(place);
  if (place.filter != nullptr && !place.filter->accepts(*message)) return true;
  const bool stored = stores(queue, *message);
  touch(place);
  const bool behind = stored && how == Put::usual && !committing_ && store_is_behind();
  const Queue::Room room = behind ? Queue::Room::no : queue.make_room(message->size());
  if (room == Queue::Room::no && !committing_) {
    ++totals_.dropped;
    return false;
  }
  if (room == Queue::Room::over && how == Put::usual) {
    full_.push_back(&place.blocked);
    full_is_own_ = full_is_own_ || consumes(from, queue);
  }
  if (stored) record_add(place, message);
  queue.push(std::move(message), stored, now_);
  return true;
}

void Shard::record_add(Place& place, const MessagePtr& message) {
  Queue& queue = *place.queue;
  if (queue.stored_id == 0) define(place);
  record({.kind = StoreChange::Kind::add,
          .queue = queue.stored_id,
          .sequence = queue.next_sequence(),
          .expires = queue.expiry(*message, now_),
          .message = message});
}

Error Shard::full(const Place& place, std::string_view operation) const {
  const Queue& queue = *place.queue;
  return Error{ErrorKind::overloaded, 0, std::string(operation),
               fmt::format("{} is full: it holds {} messages, {} bytes (limits {} and {})",
                           bus::describe(place.to), queue.messages(), queue.bytes(),
                           queue.options().messages, queue.options().bytes)};
}

// ---- publishers that wait
// -----------------------------------------------------------------------------

bool Shard::consumes(const Peer* peer, const Queue& queue) noexcept {
  return std::ranges::any_of(queue.consumer_list(),
                             [peer](const Subscriber* each) { return each->peer == peer; });
}

void Shard::block(Peer& from, std::uint64_t token, bool stored) {
  // Who takes from it himself must go on to be heard, or there would never be room.
  const bool holds = !std::exchange(full_is_own_, false);
  const std::uint64_t id = ++last_blocked_;
  for (auto* waiting : full_) waiting->push_back(id);
  blocked_.emplace(id, BlockedPublish{from.pid, token, stored, holds, full_.size()});
  full_.clear();
  if (holds && from.holds++ == 0) notice(from.pid, Notice::Kind::hold, 0);
}

void Shard::unblock(std::vector<std::uint64_t>& waiting) {
  for (const std::uint64_t id : std::exchange(waiting, {})) {
    const auto found = blocked_.find(id);
    if (--found->second.waits_for > 0) continue;
    const BlockedPublish done = found->second;
    blocked_.erase(found);
    Peer* publisher = find_peer(done.publisher);
    if (publisher == nullptr) continue;
    if (done.holds && --publisher->holds == 0) notice(done.publisher, Notice::Kind::go_on, 0);
    if (done.token == 0) continue;
    done.stored ? confirm_when_stored(done.publisher, done.token)
                : answer(done.publisher, done.token);
  }
}

// ---- topics
// -------------------------------------------------------------------------------------------

void Shard::publish_to_topic(Peer* from, Place& place, MessagePtr message, std::uint64_t token) {
  const Pid publisher = from == nullptr ? Pid{} : from->pid;
  if (place.topic == nullptr) place.topic = std::make_unique<Topic>();
  const bool plain = message->retain() == Retain::none && message->deliver_at() <= now_;
  if (!committing_ && (!plain || !durables_.empty())) [[unlikely]] {
    if (auto why = obstacle(place, *message, "publish")) {
      refuse(publisher, token, std::move(*why));
      return;
    }
  }
  ++totals_.published;
  const Mark before = mark();
  if (message->deliver_at() > now_) [[unlikely]] {
    delay(place, std::move(message));
  } else {
    if (!plain) apply_retain(place, message, message->retain());
    route(from, place.to.name, *place.topic, message);
  }
  if (!full_.empty() && from != nullptr) [[unlikely]] {
    block(*from, token, changes_.changes.size() != before.changes);
    return;
  }
  full_.clear();
  full_is_own_ = false;
  if (token != 0) confirm_change(before, publisher, token);
}

std::optional<Error> Shard::obstacle(Place& place, const Message& message,
                                     std::string_view operation) {
  const MessagePtr none;
  const MessagePtr& kept = place.topic == nullptr ? none : place.topic->retained;
  const std::uint64_t messages = retained_.size() + retained_reserved_ - (kept ? 1 : 0);
  const std::uint64_t bytes =
      retained_bytes_ + retained_reserved_bytes_ - (kept ? kept->size() : 0);
  if (message.retain() == Retain::set && (messages >= options_->retained_messages ||
                                          bytes + message.size() > options_->retained_bytes))
    return Error{ErrorKind::overloaded, 0, std::string(operation),
                 fmt::format("topics retain {} messages, {} bytes (limits retained_messages {} "
                             "and retained_bytes {})",
                             retained_.size(), retained_bytes_, options_->retained_messages,
                             options_->retained_bytes)};
  const bool later = message.deliver_at() > now_;
  if (later && delayed_.size() + delayed_reserved_ >= options_->delayed_messages)
    return Error{ErrorKind::overloaded, 0, std::string(operation),
                 fmt::format("{} messages to topics are delayed, the limit (delayed_messages)",
                             delayed_.size())};
  const bool kept_on_disk =
      storing() && message.persistent() && (later || message.retain() == Retain::set);
  if (kept_on_disk && store_is_behind()) return store_behind(std::string(operation));
  if (later || place.topic == nullptr) return std::nullopt;
  return obstacle_at_durables(place, message, operation);
}

std::optional<Error> Shard::obstacle_at_durables(Place& place, const Message& message,
                                                 std::string_view operation) {
  std::optional<Error> why;
  if (message.expired(now_)) return why;
  patterns_.for_durables(place.to.name, *place.topic, [&](TopicTarget& target) {
    const Place& durable = *static_cast<Place::Target&>(target).place;
    const Queue& queue = *durable.queue;
    if (durable.filter != nullptr && !durable.filter->accepts(message)) return true;
    if (queue.room(message.size()) == Queue::Room::no) {
      why = full(durable, operation);
    } else if (stores(queue, message) && store_is_behind()) {
      why = store_behind(std::string(operation));
    }
    return !why;
  });
  return why;
}

void Shard::route(const Peer* from, const std::string& name, Topic& topic,
                  const MessagePtr& message) {
  ++topic.in;
  if (message->expired(now_)) [[unlikely]] {
    ++totals_.expired;
    return;
  }
  const std::size_t count = patterns_.count(name, topic);
  if (count == 0) return;
  // All references at once: what is not used up is given back.
  auto references = static_cast<std::uint32_t>(count);
  message.retain(references);
  patterns_.for_each(name, topic, [&](TopicTarget& target) {
    if (target.durable) [[unlikely]] {
      if (!put(from, *static_cast<Place::Target&>(target).place, message)) ++topic.dropped;
      return;
    }
    auto& subscriber = static_cast<Subscriber&>(target);
    if (subscriber.wish.no_local && subscriber.peer == from) return;
    if (!subscriber.wants(*message)) return;
    ++topic.out;
    offer(from, subscriber, *message, references);
  });
  MessagePtr::give_back(message, references);
}

void Shard::offer(const Peer* from, Subscriber& subscriber, const Message& message,
                  std::uint32_t& references) {
  if (subscriber.waiting.empty() && subscriber.has_room()) [[likely]] {
    const std::uint64_t id = subscriber.note_size(message.size());
    ++totals_.delivered;
    ++gathered_;
    --references;
    out(*subscriber.peer)
        .deliveries.push_back({subscriber.number, id, MessagePtr::adopt(&message), 1, false});
    return;
  }
  const TopicLimits& limits = subscriber.wish.limits ? *subscriber.wish.limits : options_->topic;
  const std::size_t size = message.size();
  const auto full = [&] {
    return subscriber.waiting.size() >= limits.waiting_messages ||
           subscriber.waiting_bytes + size > limits.waiting_bytes;
  };
  if (full()) {
    switch (limits.slow) {
      case SlowSubscriber::block:
        if (subscriber.waiting.size() < std::size_t{2} * limits.waiting_messages &&
            subscriber.waiting_bytes + size <= 2 * limits.waiting_bytes) {
          // Who publishes to itself must go on to be heard, or there would never be room.
          if (subscriber.peer != from) full_.push_back(&subscriber.blocked);
          break;
        }
        [[fallthrough]];
      case SlowSubscriber::end:
        if (!subscriber.ending) slow_.push_back(&subscriber);
        subscriber.ending = true;
        return;
      case SlowSubscriber::drop_oldest:
        while (full() && !subscriber.waiting.empty()) {
          const std::size_t dropped = subscriber.waiting.pop_front()->size();
          subscriber.waiting_bytes -= dropped;
          topic_waiting_bytes_ -= dropped;
          ++totals_.dropped;
        }
        if (!full()) break;
        [[fallthrough]];
      case SlowSubscriber::drop_newest:
        ++totals_.dropped;
        return;
    }
  }
  --references;
  subscriber.waiting.push_back(MessagePtr::adopt(&message));
  subscriber.waiting_bytes += size;
  topic_waiting_bytes_ += size;
}

void Shard::pump(Subscriber& subscriber) {
  while (!subscriber.waiting.empty() && subscriber.has_room()) {
    MessagePtr message = subscriber.waiting.pop_front();
    const std::size_t size = message->size();
    subscriber.waiting_bytes -= size;
    topic_waiting_bytes_ -= size;
    if (message->expired(now_)) {
      ++totals_.expired;
      continue;
    }
    const std::uint64_t id = subscriber.note_size(size);
    deliver(subscriber, {subscriber.number, id, std::move(message), 1, false});
  }
  if (subscriber.blocked.empty()) [[likely]]
    return;
  const TopicLimits& limits = subscriber.wish.limits ? *subscriber.wish.limits : options_->topic;
  if (subscriber.waiting.empty() || (subscriber.waiting.size() < limits.waiting_messages &&
                                     subscriber.waiting_bytes < limits.waiting_bytes))
    unblock(subscriber.blocked);
}

void Shard::end_slow() {
  for (Subscriber* each : std::exchange(slow_, {})) {
    const TopicLimits& limits = each->wish.limits ? *each->wish.limits : options_->topic;
    end_subscription(
        *each, Error{ErrorKind::overloaded, 0, "topic",
                     fmt::format("subscriber of {} is too slow: {} messages or {} bytes waited for "
                                 "it",
                                 bus::describe(each->wish.to), limits.waiting_messages,
                                 limits.waiting_bytes)});
  }
}

}  // namespace hawser::bus::detail
