// A transaction's part in one shard: everything is found and reserved, then done or undone.
#include <hawser/bus/detail/shard.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::bus::detail {

Result<Prepared> Shard::prepare(Peer& from, Prepare& request) {
  Prepared prepared;
  prepared.parts = request.parts;
  const auto undo = [&](Error error) {
    abort(from, std::move(prepared));
    return std::unexpected(std::move(error));
  };
  for (const Settlement& settlement : request.settlements) {
    const auto found = from.subscriptions.find(settlement.subscription);
    if (found == from.subscriptions.end())
      return undo(Error{ErrorKind::not_found, 0, "commit",
                        fmt::format("there is no subscription {}", settlement.subscription)});
    Subscriber& subscriber = *found->second;
    if (subscriber.wish.to.kind == Destination::Kind::topic || subscriber.wish.browse) {
      prepared.others.push_back(settlement);
      continue;
    }
    Queue& queue = *subscriber.place->queue;
    std::vector<HeldDelivery> held;
    if (!queue.hold(subscriber, settlement, held))
      return undo(Error{ErrorKind::not_found, 0, "commit",
                        fmt::format("a delivery from {} is no longer there to be settled",
                                    bus::describe(subscriber.place->to))});
    for (auto& each : held) prepared.held.push_back({queue.number(), std::move(each)});
  }
  for (auto& publish : request.publishes) {
    Place* place = this->place(publish.to);
    if (place == nullptr) return undo(too_many_places());
    ++place->users;
    const std::size_t size = publish.message->size();
    prepared.publishes.push_back({place, std::move(publish.message)});
    const Message& message = *prepared.publishes.back().message;
    if (place->to.kind != Destination::Kind::queue) {
      if (auto why = prepare_topic(*place, message, prepared)) return undo(std::move(*why));
      continue;
    }
    Queue& queue = this->queue(*place);
    if (!queue.reserve(1, size)) return undo(full(*place, "commit"));
    prepared.reserved.push_back({queue.number(), size});
    if (stores(queue, message) && store_is_behind()) return undo(store_behind("commit"));
  }
  return prepared;
}

/// Room in what topics keep, and in the durable subscriptions that must have it.
std::optional<Error> Shard::prepare_topic(Place& place, const Message& message,
                                          Prepared& prepared) {
  if (place.topic == nullptr) place.topic = std::make_unique<Topic>();
  if (auto why = obstacle(place, message, "commit")) return why;
  const std::size_t size = message.size();
  if (message.retain() == Retain::set) {
    ++prepared.retained_messages;
    ++retained_reserved_;
    prepared.retained_bytes += size;
    retained_reserved_bytes_ += size;
  }
  if (message.deliver_at() > now_) {
    ++prepared.delayed;
    ++delayed_reserved_;
    return std::nullopt;
  }
  std::optional<Error> why;
  patterns_.for_durables(place.to.name, *place.topic, [&](TopicTarget& target) {
    Place& durable = *static_cast<Place::Target&>(target).place;
    if (durable.filter != nullptr && !durable.filter->accepts(message)) return true;
    if (!durable.queue->reserve(1, size)) {
      // One that lets something go may not have so much room in itself; it stops nobody.
      if (durable.queue->room(size) == Queue::Room::no) why = full(durable, "commit");
      return !why;
    }
    prepared.reserved.push_back({durable.queue->number(), size});
    return true;
  });
  return why;
}

void Shard::unreserve(const Prepared& prepared) {
  retained_reserved_ -= prepared.retained_messages;
  retained_reserved_bytes_ -= prepared.retained_bytes;
  delayed_reserved_ -= prepared.delayed;
  for (const auto& reserved : prepared.reserved)
    if (Place* place = by_number(reserved.queue)) {
      place->queue->unreserve(1, reserved.bytes);
      touch(*place);
    }
}

void Shard::commit(Peer& from, Prepared prepared) {
  unreserve(prepared);
  for (auto& held : prepared.held) {
    Place* place = by_number(held.queue);
    if (place == nullptr) continue;  // removed meanwhile, with all that was in it
    const auto consumer = from.subscriptions.find(held.delivery.subscription);
    place->queue->finish(std::move(held.delivery),
                         consumer == from.subscriptions.end() ? nullptr : consumer->second.get(),
                         now_);
    touch(*place);
  }
  for (const Settlement& settlement : prepared.others) settle(from, {settlement, 0});
  committing_ = true;
  for (auto& publish : prepared.publishes) {
    Place& place = *publish.place;
    this->publish(&from, place, std::move(publish.message), 0);
    release_place(place);
  }
  committing_ = false;
}

void Shard::abort(Peer& from, Prepared prepared) {
  unreserve(prepared);
  for (auto& held : prepared.held) {
    Place* place = by_number(held.queue);
    if (place == nullptr) continue;
    const auto consumer = from.subscriptions.find(held.delivery.subscription);
    place->queue->give_back(std::move(held.delivery),
                            consumer == from.subscriptions.end() ? nullptr : consumer->second.get(),
                            now_);
    touch(*place);
  }
  for (auto& publish : prepared.publishes) release_place(*publish.place);
}

}  // namespace hawser::bus::detail
