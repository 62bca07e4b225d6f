// Messages into queues and topics.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/bus/detail/words.hpp>

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
  if (room == Queue::Room::no) [[unlikely]] {
    refuse(publisher, token,
           Error{ErrorKind::overloaded, 0, "publish",
                 fmt::format("{} is full: it holds {} messages, {} bytes (limits {} and {})",
                             bus::describe(place.to), queue.messages(), queue.bytes(),
                             queue.options().messages, queue.options().bytes)});
    return;
  }
  ++totals_.published;
  if (stored) {
    if (queue.stored_id == 0) define(place);
    record({.kind = StoreChange::Kind::add,
            .queue = queue.stored_id,
            .sequence = queue.next_sequence(),
            .message = message});
  }
  queue.push(std::move(message), stored, now_);
  if (room == Queue::Room::over && from != nullptr) [[unlikely]] {
    if (from->holds++ == 0) notice(publisher, Notice::Kind::hold, 0);
    place.blocked.push_back({publisher, token, stored});
    return;
  }
  if (token == 0) return;
  stored ? confirm_when_stored(publisher, token) : answer(publisher, token);
}

/// Without a publisher who could be told: a full queue loses what comes, and counts it.
bool Shard::put(Place& place, MessagePtr message) {
  Queue& queue = this->queue(place);
  if (place.filter != nullptr && !place.filter->accepts(*message)) return true;
  const bool stored = stores(queue, *message);
  touch(place);
  if ((stored && store_is_behind()) || queue.make_room(message->size()) == Queue::Room::no) {
    ++totals_.dropped;
    return false;
  }
  if (stored) {
    if (queue.stored_id == 0) define(place);
    record({.kind = StoreChange::Kind::add,
            .queue = queue.stored_id,
            .sequence = queue.next_sequence(),
            .message = message});
  }
  queue.push(std::move(message), stored, now_);
  return true;
}

// ---- topics
// -------------------------------------------------------------------------------------------

void Shard::publish_to_topic(Peer* from, Place& place, MessagePtr message, std::uint64_t token) {
  const Pid publisher = from == nullptr ? Pid{} : from->pid;
  if (place.topic == nullptr) place.topic = std::make_unique<Topic>();
  Topic& topic = *place.topic;
  if (message->retain() != Retain::none) [[unlikely]] {
    if (message->retain() == Retain::remove) {
      forget_retained(place);
    } else if (!topic.retained && (retained_.size() >= options_->retained_messages ||
                                   retained_bytes_ + message->size() > options_->retained_bytes)) {
      refuse(publisher, token,
             Error{ErrorKind::overloaded, 0, "publish",
                   fmt::format("topics retain {} messages, {} bytes (limits retained_messages {} "
                               "and retained_bytes {})",
                               retained_.size(), retained_bytes_, options_->retained_messages,
                               options_->retained_bytes)});
      return;
    } else {
      retain(place, message);
    }
  }
  if (message->deliver_at() > now_) [[unlikely]] {
    if (delayed_.size() >= options_->delayed_messages) {
      refuse(publisher, token,
             Error{ErrorKind::overloaded, 0, "publish",
                   fmt::format("{} messages to topics are delayed, the limit (delayed_messages)",
                               delayed_.size())});
      return;
    }
    const std::int64_t at = message->deliver_at();
    delayed_.push_back({at, ++delayed_order_, place.to.name, std::move(message)});
    std::ranges::push_heap(delayed_, [](const auto& left, const auto& right) {
      return left.at != right.at ? left.at > right.at : left.order > right.order;
    });
    ++totals_.published;
    answer(publisher, token);
    return;
  }
  ++totals_.published;
  const bool stored = route(from, place.to.name, topic, message);
  if (token == 0) return;
  stored ? confirm_when_stored(publisher, token) : answer(publisher, token);
}

bool Shard::route(const Peer* from, const std::string& name, Topic& topic,
                  const MessagePtr& message) {
  ++topic.in;
  if (message->expired(now_)) [[unlikely]] {
    ++totals_.expired;
    return false;
  }
  const std::size_t count = patterns_.count(name, topic);
  if (count == 0) return false;
  // All references at once: what is not used up is given back.
  auto references = static_cast<std::uint32_t>(count);
  message.retain(references);
  bool stored = false;
  patterns_.for_each(name, topic, [&](TopicTarget& target) {
    if (target.durable) [[unlikely]] {
      Place& durable = *static_cast<Place::Target&>(target).place;
      stored = stores(*durable.queue, *message) || stored;
      put(durable, message);
      return;
    }
    auto& subscriber = static_cast<Subscriber&>(target);
    if (subscriber.wish.no_local && subscriber.peer == from) return;
    if (!subscriber.wants(*message)) return;
    ++topic.out;
    offer(subscriber, *message, references);
  });
  MessagePtr::give_back(message, references);
  return stored;
}

void Shard::offer(Subscriber& subscriber, const Message& message, std::uint32_t& references) {
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

// ---- retained messages
// --------------------------------------------------------------------------------

void Shard::retain(Place& place, const MessagePtr& message) {
  forget_retained(place);
  retained_bytes_ += message->size();
  retained_.emplace(place.to.name, &place);
  place.topic->retained = message;
}

void Shard::forget_retained(Place& place) {
  if (!place.topic->retained) return;
  retained_bytes_ -= place.topic->retained->size();
  place.topic->retained.reset();
  retained_.erase(place.to.name);
}

void Shard::send_retained(Subscriber& subscriber) {
  const auto send = [&](Place& place) {
    const MessagePtr& message = place.topic->retained;
    if (message->expired(now_) || !subscriber.wants(*message)) return;
    // What is kept is offered like what is new: a slow subscriber's limits hold.
    message.retain(1);
    std::uint32_t references = 1;
    offer(subscriber, *message, references);
    MessagePtr::give_back(message, references);
  };
  const std::string& wanted = subscriber.wish.to.name;
  if (!is_pattern(wanted)) {
    if (const auto found = retained_.find(wanted); found != retained_.end()) send(*found->second);
    return;
  }
  for (const auto& [name, place] : retained_)
    if (matches(wanted, name)) send(*place);
}

}  // namespace hawser::bus::detail
