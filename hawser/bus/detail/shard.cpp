// Routing within one shard, and the bookkeeping of who subscribed to what.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::bus::detail {

// ---- messages
// ------------------------------------------------------------------------------------------

void Shard::handle_cast(Publish publish) {
  const std::string& name = publish.destination.name;
  if (publish.destination.kind == Destination::Kind::topic) {
    // A topic without subscribers drops: it need not even exist.
    if (Topic* there = topic(name, false)) {
      there->publish(
          publish.message,
          [this](SubscriptionId id, const MessagePtr& message) { deliver(id, message); },
          [this, &name](SubscriptionId id) {
            forget_subscription(id);
            send_info(
                id.subscriber,
                SubscriptionEnded{
                    id.number,
                    Error{ErrorKind::overloaded, 0, "topic",
                          fmt::format("subscriber of topic \"{}\" is too slow: {} messages or {} "
                                      "bytes waited for it",
                                      name, options_.topic.waiting_messages,
                                      options_.topic.waiting_bytes)}});
          });
      if (there->empty()) {
        dropped_before_ += there->dropped();
        topics_.erase(name);
      }
    }
  } else {
    Queue* there = queue(name, true);
    if (there == nullptr) {
      refuse(publish.publisher, publish.token,
             Error{ErrorKind::overloaded, 0, "publish",
                   fmt::format("this bus holds {} topics and queues, its limit (destinations)",
                               topics_.size() + queues_.size())});
      return;
    }
    if (there->push(std::move(publish.message)) == Queue::Accepted::full) {
      refuse(
          publish.publisher, publish.token,
          Error{ErrorKind::overloaded, 0, "publish",
                fmt::format("queue \"{}\" is full: {} messages, {} bytes wait (limits {} and {})",
                            name, there->waiting(), there->waiting_bytes(), options_.queue.messages,
                            options_.queue.bytes)});
      return;
    }
    dispatch(name, *there);
  }
  ++published_;
  confirm(publish.publisher, publish.token);
}

void Shard::dispatch(const std::string& name, Queue& queue) {
  queue.dispatch([this](SubscriptionId id, const MessagePtr& message) { deliver(id, message); });
  if (queue.idle()) {
    dropped_before_ += queue.dropped();
    queues_.erase(name);
  }
}

void Shard::deliver(SubscriptionId id, const MessagePtr& message) {
  ++delivered_;
  send_info(id.subscriber, Delivery{id.number, message});
}

void Shard::handle_cast(Grant grant) {
  if (grant.destination.kind == Destination::Kind::topic) {
    if (Topic* there = topic(grant.destination.name, false))
      there->grant(grant.id, grant.credit,
                   [this](SubscriptionId id, const MessagePtr& message) { deliver(id, message); });
  } else if (Queue* there = queue(grant.destination.name, false)) {
    there->grant(grant.id, grant.credit);
    dispatch(grant.destination.name, *there);
  }
}

// ---- subscriptions
// ---------------------------------------------------------------------------------------

void Shard::handle_cast(Subscribe subscribe) {
  const auto& [destination, id, credit, token] = subscribe;
  const auto known = subscribers_.find(id.subscriber);
  if (known != subscribers_.end() && known->second.subscriptions.contains(id.number)) {
    refuse(id.subscriber, token,
           Error{ErrorKind::already_exists, 0, "subscribe",
                 fmt::format("subscription {} exists already", id.number)});
    return;
  }
  Topic* to_topic = nullptr;
  Queue* to_queue = nullptr;
  if (destination.kind == Destination::Kind::topic) {
    to_topic = topic(destination.name, true);
  } else {
    to_queue = queue(destination.name, true);
  }
  if (to_topic == nullptr && to_queue == nullptr) {
    refuse(id.subscriber, token,
           Error{ErrorKind::overloaded, 0, "subscribe",
                 fmt::format("this bus holds {} topics and queues, its limit (destinations)",
                             topics_.size() + queues_.size())});
    return;
  }
  auto& subscriber = subscribers_[id.subscriber];
  if (subscriber.subscriptions.empty()) subscriber.monitor = self().monitor(id.subscriber);
  subscriber.subscriptions.emplace(id.number, destination);
  ++subscriptions_;
  // Confirmed before the first delivery: a subscriber never sees a message of a subscription that
  // it does not yet know to exist.
  confirm(id.subscriber, token);
  if (to_topic != nullptr) {
    to_topic->subscribe(id, credit);
  } else {
    to_queue->subscribe(id, credit);
    dispatch(destination.name, *to_queue);
  }
}

void Shard::handle_cast(Unsubscribe unsubscribe) {
  const auto& [destination, id, taken, token] = unsubscribe;
  const auto found = subscribers_.find(id.subscriber);
  if (found == subscribers_.end() || !found->second.subscriptions.contains(id.number)) {
    // It may have been ended for slowness while this was on its way: the wish is fulfilled.
    confirm(id.subscriber, token);
    return;
  }
  remove(destination, id, taken);
  forget_subscription(id);
  confirm(id.subscriber, token);
}

void Shard::forget_subscription(SubscriptionId id) {
  const auto found = subscribers_.find(id.subscriber);
  if (found == subscribers_.end() || found->second.subscriptions.erase(id.number) == 0) return;
  --subscriptions_;
  if (!found->second.subscriptions.empty()) return;
  self().demonitor(found->second.monitor);
  subscribers_.erase(found);
}

void Shard::remove(const Destination& destination, SubscriptionId id,
                   std::optional<std::uint32_t> taken) {
  if (destination.kind == Destination::Kind::topic) {
    Topic* there = topic(destination.name, false);
    if (there == nullptr) return;
    there->unsubscribe(id);
    if (there->empty()) {
      dropped_before_ += there->dropped();
      topics_.erase(destination.name);
    }
  } else if (Queue* there = queue(destination.name, false)) {
    taken ? there->unsubscribe(id, *taken) : there->forget(id);
    dispatch(destination.name, *there);
  }
}

void Shard::handle_info(Info& info) {
  const Down* down = info.get<Down>();
  if (down == nullptr) return;
  const auto found = subscribers_.find(down->from);
  if (found == subscribers_.end() || found->second.monitor != down->monitor) return;
  const Subscriber ended = std::move(found->second);
  subscribers_.erase(found);
  subscriptions_ -= ended.subscriptions.size();
  for (const auto& [number, destination] : ended.subscriptions)
    remove(destination, {down->from, number}, std::nullopt);
}

// ---- tables
// ----------------------------------------------------------------------------------------------

bool Shard::room() const noexcept {
  return topics_.size() + queues_.size() < options_.destinations;
}

Topic* Shard::topic(const std::string& name, bool make) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return &found->second;
  if (!make || !room()) return nullptr;
  return &topics_.emplace(name, Topic(options_.topic)).first->second;
}

Queue* Shard::queue(const std::string& name, bool make) {
  const auto found = queues_.find(name);
  if (found != queues_.end()) return &found->second;
  if (!make || !room()) return nullptr;
  return &queues_.emplace(name, Queue(options_.queue)).first->second;
}

void Shard::refuse(Pid whom, std::uint64_t token, Error error) {
  ++refused_;
  send_info(whom, Refused{token, std::move(error)});
}

void Shard::confirm(Pid whom, std::uint64_t token) {
  if (token != 0) send_info(whom, Confirmed{token});
}

BusStatistics Shard::handle_call(GetStatistics) {
  BusStatistics sums;
  sums.published = published_;
  sums.delivered = delivered_;
  sums.dropped = dropped_before_;
  sums.refused = refused_;
  sums.topics = topics_.size();
  sums.queues = queues_.size();
  sums.subscriptions = subscriptions_;
  for (const auto& [name, topic] : topics_) {
    sums.dropped += topic.dropped();
    sums.waiting_bytes += topic.waiting_bytes();
  }
  for (const auto& [name, queue] : queues_) {
    sums.dropped += queue.dropped();
    sums.waiting_messages += queue.waiting();
    sums.waiting_bytes += queue.waiting_bytes();
  }
  return sums;
}

std::string Shard::describe() const {
  return fmt::format("{} topics, {} queues, {} subscriptions, {} published, {} delivered",
                     topics_.size(), queues_.size(), subscriptions_, published_, delivered_);
}

}  // namespace hawser::bus::detail
