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
    if (place->to.kind != Destination::Kind::queue) continue;
    Queue& queue = this->queue(*place);
    if (!queue.reserve(1, size))
      return undo(
          Error{ErrorKind::overloaded, 0, "commit",
                fmt::format("{} has no room: it holds {} messages, {} bytes (limits {} and {})",
                            bus::describe(place->to), queue.messages(), queue.bytes(),
                            queue.options().messages, queue.options().bytes)});
    prepared.reserved.push_back({queue.number(), size});
    if (stores(queue, *prepared.publishes.back().message) && store_is_behind())
      return undo(store_behind("commit"));
  }
  return prepared;
}

void Shard::commit(Peer& from, Prepared prepared) {
  for (const auto& reserved : prepared.reserved)
    if (Place* place = by_number(reserved.queue)) place->queue->unreserve(1, reserved.bytes);
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
  for (const auto& reserved : prepared.reserved)
    if (Place* place = by_number(reserved.queue)) {
      place->queue->unreserve(1, reserved.bytes);
      touch(*place);
    }
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
