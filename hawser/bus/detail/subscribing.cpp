// Subscriptions: who joins, who leaves, what they settle.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/bus/detail/words.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::bus::detail {
namespace {

std::unexpected<Error> refused(ErrorKind kind, std::string why) {
  return std::unexpected(Error{kind, 0, "subscribe", std::move(why)});
}

Result<void> check_pattern(std::string_view pattern) {
  std::size_t count = 0;
  Words words(pattern);
  while (const auto word = words.next()) {
    if (++count > TopicTable::words)
      return refused(ErrorKind::invalid_argument,
                     fmt::format("a pattern has at most {} words", TopicTable::words));
    if (!words.done() && is_rest(*word))
      return refused(ErrorKind::invalid_argument,
                     fmt::format("\"{}\" may only be the last word of a pattern", *word));
  }
  return {};
}

}  // namespace

Result<void> Shard::join(Peer& from, Subscriber& subscriber) {
  switch (subscriber.wish.to.kind) {
    case Destination::Kind::topic:
      return join_topic(subscriber);
    case Destination::Kind::queue:
      return join_queue(from, subscriber);
    default:
      return join_durable(subscriber);
  }
}

Result<void> Shard::join_topic(Subscriber& subscriber) {
  if (subscriber.wish.from != 0 && subscriber.wish.from != Subscription::from_now)
    return refused(ErrorKind::invalid_argument,
                   "messages of a topic have no positions, those of a durable subscription have");
  if (is_pattern(subscriber.wish.to.name)) {
    if (auto good = check_pattern(subscriber.wish.to.name); !good) return good;
    patterns_.add(subscriber.wish.to.name, subscriber);
    return {};
  }
  Place* place = this->place(subscriber.wish.to);
  if (place == nullptr) return std::unexpected(too_many_places());
  if (place->topic == nullptr) place->topic = std::make_unique<Topic>();
  subscriber.place = place;
  TopicTable::put(place->topic->exact, subscriber);
  return {};
}

Result<void> Shard::join_queue(Peer& from, Subscriber& subscriber) {
  Place* place = this->place(subscriber.wish.to);
  if (place == nullptr) return std::unexpected(too_many_places());
  Queue& queue = this->queue(*place);
  if (queue.owner != nullptr && queue.owner != &from)
    return refused(ErrorKind::refused, bus::describe(place->to) + " belongs to another");
  if (queue.options().single_consumer && queue.consumers() > 0 && !subscriber.wish.browse)
    return refused(ErrorKind::already_exists,
                   bus::describe(place->to) + " is in use, and takes one consumer");
  subscriber.place = place;
  queue.subscribe(subscriber);
  touch(*place);
  return {};
}

Result<void> Shard::join_durable(Subscriber& subscriber) {
  Subscription& wish = subscriber.wish;
  const std::string filter(wish.filter == nullptr ? std::string_view{} : wish.filter->text());
  Place* place = find_place(wish.to);
  const bool exists = place != nullptr && place->queue != nullptr;
  if (!exists && wish.pattern.empty())
    return refused(ErrorKind::not_found, "there is no " + bus::describe(wish.to));
  if (exists && !wish.pattern.empty()) {
    const std::string_view before = place->filter == nullptr ? "" : place->filter->text();
    if (wish.pattern != place->pattern || filter != before)
      return refused(ErrorKind::already_exists,
                     fmt::format("{} exists for \"{}\" with filter \"{}\"; remove it first",
                                 bus::describe(wish.to), place->pattern, before));
  }
  if (exists && place->queue->options().single_consumer && place->queue->consumers() > 0)
    return refused(ErrorKind::already_exists,
                   bus::describe(wish.to) + " is in use, and takes one consumer");
  if (!exists) {
    if (auto good = check_pattern(wish.pattern); !good) return good;
    if (wish.queue.messages == 0 || wish.queue.deliveries == 0)
      return refused(ErrorKind::invalid_argument,
                     "a queue holds at least one message and delivers it at least once");
    place = this->place(wish.to);
    if (place == nullptr) return std::unexpected(too_many_places());
    make_queue(*place, wish.queue).declared = true;
    place->pattern = wish.pattern;
    place->filter = wish.filter;
    patterns_.add(place->pattern, place->target);
    if (storing() && wish.queue.durable) define(*place);
  }
  wish.filter.reset();  // it has decided already what is in the queue
  subscriber.place = place;
  place->queue->subscribe(subscriber);
  touch(*place);
  return {};
}

void Shard::leave(Subscriber& subscriber, std::uint64_t last_seen) {
  if (subscriber.wish.to.kind == Destination::Kind::topic) {
    topic_waiting_bytes_ -= subscriber.waiting_bytes;
    if (!subscriber.blocked.empty()) unblock(subscriber.blocked);
    if (subscriber.ending) std::erase(slow_, &subscriber);
    if (subscriber.place == nullptr) {
      patterns_.remove(subscriber.wish.to.name, subscriber);
    } else {
      TopicTable::take(subscriber.place->topic->exact, subscriber);
      drop_place_if_unused(*subscriber.place);
    }
    return;
  }
  if (subscriber.place == nullptr) return;  // its queue is gone
  subscriber.place->queue->unsubscribe(subscriber, last_seen, now_);
  touch(*subscriber.place);
}

void Shard::end_subscription(Subscriber& subscriber, const Error& why) {
  Peer& peer = *subscriber.peer;
  const std::uint64_t number = subscriber.number;
  subscriber.ending = false;
  leave(subscriber, UINT64_MAX);
  notice(peer.pid, Notice::Kind::ended, number, std::make_unique<Error>(why));
  forget(peer, number);
}

void Shard::forget(Peer& peer, std::uint64_t number) {
  if (peer.subscriptions.erase(number) > 0) --subscriptions_;
}

void Shard::settle(Peer& from, const SettleOp& op) {
  const Mark before = mark();
  const auto found = from.subscriptions.find(op.what.subscription);
  if (found != from.subscriptions.end()) {
    Subscriber& subscriber = *found->second;
    if (subscriber.wish.to.kind == Destination::Kind::topic) {
      subscriber.settle_sizes(op.what.first, op.what.last);
      if (!subscriber.waiting.empty()) pump(subscriber);
    } else {
      Place& place = *subscriber.place;
      place.queue->settle(subscriber, op.what.first, op.what.last, op.what.outcome, now_);
      touch(place);
    }
  }
  if (op.token != 0) confirm_change(before, from.pid, op.token);
}

}  // namespace hawser::bus::detail
