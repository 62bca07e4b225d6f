// What topics keep: the message they retain for who comes later, and those that are to be delivered
// later; on disk where they are persistent.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/bus/detail/words.hpp>

#include <algorithm>
#include <utility>

namespace hawser::bus::detail {
namespace {

// How a topic's message is stored (StoreChange::deliveries): 0 is retained; of a delayed one this
// and what it will do to the retained one.
constexpr std::uint32_t delayed_kind = 1;
// A durable subscription that must have a message, and has no room when it falls due, is asked
// again after so many ms.
constexpr std::int64_t again_after = 1'000;

}  // namespace

// ---- retained messages
// --------------------------------------------------------------------------------

void Shard::apply_retain(Place& place, const MessagePtr& message, Retain what) {
  if (what == Retain::set) retain(place, message);
  if (what == Retain::remove) forget_retained(place);
}

void Shard::retain(Place& place, const MessagePtr& message) {
  const bool stored = storing() && message->persistent();
  // First the new one: what is on disk of the topic does not end in between.
  const std::uint64_t sequence = stored ? keep(place, message, 0) : 0;
  forget_retained(place);
  retained_bytes_ += message->size();
  retained_.emplace(place.to.name, &place);
  place.topic->retained = message;
  place.topic->retained_sequence = sequence;
}

void Shard::forget_retained(Place& place) {
  Topic& topic = *place.topic;
  if (!topic.retained) return;
  retained_bytes_ -= topic.retained->size();
  topic.retained.reset();
  retained_.erase(place.to.name);
  if (const std::uint64_t sequence = std::exchange(topic.retained_sequence, 0); sequence != 0)
    unkeep(place, sequence);
}

void Shard::send_retained(Subscriber& subscriber) {
  const auto send = [&](Place& place) {
    const MessagePtr& message = place.topic->retained;
    if (message->expired(now_) || !subscriber.wants(*message)) return;
    // What is kept is offered like what is new: a slow subscriber's limits hold.
    message.retain(1);
    std::uint32_t references = 1;
    offer(subscriber.peer, subscriber, *message, references);
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

// ---- delayed messages
// ---------------------------------------------------------------------------------

void Shard::push_delayed(DelayedPublish publish) {
  publish.order = ++delayed_order_;
  delayed_.push_back(std::move(publish));
  std::ranges::push_heap(delayed_, [](const auto& left, const auto& right) {
    return left.at != right.at ? left.at > right.at : left.order > right.order;
  });
}

void Shard::delay(Place& place, MessagePtr message) {
  const Retain retain = message->retain();
  const bool stored = storing() && message->persistent();
  const std::uint64_t sequence =
      stored ? keep(place, message, delayed_kind + static_cast<std::uint32_t>(retain)) : 0;
  const std::int64_t at = message->deliver_at();
  push_delayed({at, 0, place.to.name, std::move(message), retain, sequence});
}

void Shard::deliver_delayed() {
  while (!delayed_.empty() && delayed_.front().at <= now_) {
    std::ranges::pop_heap(delayed_, [](const auto& left, const auto& right) {
      return left.at != right.at ? left.at > right.at : left.order > right.order;
    });
    DelayedPublish publish = std::move(delayed_.back());
    delayed_.pop_back();
    Place* place = this->place({Destination::Kind::topic, publish.topic});
    if (place == nullptr) {
      ++totals_.dropped;
      continue;
    }
    if (place->topic == nullptr) place->topic = std::make_unique<Topic>();
    if (!durables_.empty() && obstacle_at_durables(*place, *publish.message, "publish")) {
      publish.at = now_ + again_after;
      push_delayed(std::move(publish));
      drop_place_if_unused(*place);
      continue;
    }
    apply_retain(*place, publish.message, publish.retain);
    route(nullptr, place->to.name, *place->topic, publish.message);
    full_.clear();
    if (publish.sequence != 0) unkeep(*place, publish.sequence);
    drop_place_if_unused(*place);
  }
}

// ---- on disk
// ------------------------------------------------------------------------------------------

std::uint64_t Shard::keep(Place& place, const MessagePtr& message, std::uint32_t kind) {
  Topic& topic = *place.topic;
  if (topic.stored_id == 0) {
    topic.stored_id = queue_id_base_ + ++queue_ids_ * count_ + number_;
    auto definition = std::make_shared<StoredQueue>();
    definition->id = topic.stored_id;
    definition->destination = place.to;
    record({.kind = StoreChange::Kind::declare,
            .queue = topic.stored_id,
            .definition = std::move(definition)});
  }
  ++topic.stored;
  const std::uint64_t sequence = ++topic.last_sequence;
  record({.kind = StoreChange::Kind::add,
          .deliveries = kind,
          .queue = topic.stored_id,
          .sequence = sequence,
          .expires = message->expires(),
          .message = message});
  return sequence;
}

void Shard::unkeep(Place& place, std::uint64_t sequence) {
  Topic& topic = *place.topic;
  record({.kind = StoreChange::Kind::settle, .queue = topic.stored_id, .sequence = sequence});
  if (--topic.stored > 0) return;
  record({.kind = StoreChange::Kind::remove, .queue = std::exchange(topic.stored_id, 0)});
  topic.last_sequence = 0;
}

void Shard::restore_topic(RecoveredQueue recovered) {
  Place* place = this->place(recovered.definition.destination);
  if (place == nullptr) {
    log_not_restored(recovered.definition.destination, too_many_places().detail);
    return;
  }
  if (place->topic == nullptr) place->topic = std::make_unique<Topic>();
  Topic& topic = *place->topic;
  topic.stored_id = recovered.definition.id;
  topic.stored = recovered.messages.size();
  if (!recovered.messages.empty()) topic.last_sequence = recovered.messages.back().sequence;
  for (RecoveredMessage& each : recovered.messages) {
    if (each.deliveries >= delayed_kind) {
      const std::int64_t at = each.message->deliver_at();
      push_delayed({at, 0, place->to.name, std::move(each.message),
                    static_cast<Retain>(each.deliveries - delayed_kind), each.sequence});
      continue;
    }
    retained_bytes_ += each.message->size();
    retained_.emplace(place->to.name, place);
    topic.retained = std::move(each.message);
    topic.retained_sequence = each.sequence;
  }
}

}  // namespace hawser::bus::detail
