// The names of a shard, what stands behind them, and what its queues tell it.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/bus/detail/words.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::bus::detail {

Shard::Places& Shard::places(Destination::Kind kind) noexcept {
  switch (kind) {
    case Destination::Kind::topic:
      return topics_;
    case Destination::Kind::queue:
      return queues_;
    default:
      return durables_;
  }
}

Place* Shard::find_place(const Destination& to) noexcept {
  const auto& all = places(to.kind);
  const auto found = all.find(to.name);
  return found == all.end() ? nullptr : found->second.get();
}

Place* Shard::place(const Destination& to) {
  auto& all = places(to.kind);
  const auto found = all.find(to.name);
  if (found != all.end()) return found->second.get();
  if (topics_.size() + queues_.size() + durables_.size() >= options_->destinations) return nullptr;
  auto made = std::make_unique<Place>();
  made->to = to;
  made->target.durable = true;
  made->target.place = made.get();
  return all.emplace(to.name, std::move(made)).first->second.get();
}

Error Shard::too_many_places() const {
  return Error{ErrorKind::overloaded, 0, "bus",
               fmt::format("there are {} topics and queues here, the limit (destinations)",
                           topics_.size() + queues_.size() + durables_.size())};
}

void Shard::release_place(Place& place) {
  --place.users;
  drop_place_if_unused(place);
}

void Shard::drop_place_if_unused(Place& place) {
  if (place.users > 0 || place.queue != nullptr || place.touched) return;
  if (place.topic != nullptr &&
      (!place.topic->exact.empty() || place.topic->retained || place.topic->stored_id != 0))
    return;
  places(place.to.kind).erase(std::string(place.to.name));
}

const QueueOptions& Shard::default_options(const Destination& to) const {
  for (const auto& rule : options_->queue_rules)
    if (matches(rule.pattern, to.name)) return rule.options;
  return options_->queue;
}

Queue& Shard::queue(Place& place) {
  if (place.queue != nullptr) [[likely]]
    return *place.queue;
  return make_queue(place, default_options(place.to));
}

Queue& Shard::make_queue(Place& place, const QueueOptions& options) {
  QueueOptions chosen = options;
  if (place.to.kind == Destination::Kind::queue && place.to.name.starts_with(dead_letter_prefix)) {
    // The end of the line: it has no dead-letter queue itself, and what is newest is of most use.
    chosen.dead_letters = false;
    if (chosen.overflow != QueueOverflow::drop_oldest) chosen.overflow = QueueOverflow::drop_oldest;
  }
  const std::uint64_t number = ++last_queue_;
  place.queue = std::make_unique<Queue>(number, place.to.name, chosen, *this);
  place.queue->place = &place;
  numbers_.emplace(number, &place);
  return *place.queue;
}

Place* Shard::by_number(std::uint64_t queue) noexcept {
  const auto found = numbers_.find(queue);
  return found == numbers_.end() ? nullptr : found->second;
}

void Shard::delete_queue(Place& place, const Error& why) {
  Queue& queue = *place.queue;
  for (const auto* list : {&queue.consumer_list(), &queue.browsers()}) {
    const std::vector<Subscriber*> ending = *list;
    for (Subscriber* each : ending) {
      Peer& peer = *each->peer;
      const std::uint64_t number = each->number;
      notice(peer.pid, Notice::Kind::ended, number, std::make_unique<Error>(why));
      queue.unsubscribe(*each, UINT64_MAX, now_);
      each->place = nullptr;
      forget(peer, number);
    }
  }
  if (place.to.kind == Destination::Kind::subscription) {
    patterns_.remove(place.pattern, place.target);
    place.pattern.clear();
    place.filter.reset();
  }
  undefine(queue);
  unblock(place.blocked);
  const auto& counters = queue.counters();
  totals_.settled += counters.settled;
  totals_.redelivered += counters.redelivered;
  totals_.dropped += counters.dropped + queue.messages();
  totals_.expired += counters.expired;
  totals_.dead_lettered += counters.dead_lettered;
  numbers_.erase(queue.number());
  place.queue.reset();
  if (place.touched) {
    place.touched = false;
    std::erase(touched_, &place);
  }
  drop_place_if_unused(place);
}

void Shard::touch(Place& place) {
  if (place.touched) return;
  place.touched = true;
  touched_.push_back(&place);
}

// ---- what queues ask for
// ------------------------------------------------------------------------------

void Shard::deliver(Subscriber& consumer, Delivery delivery) {
  ++totals_.delivered;
  ++gathered_;
  out(*consumer.peer).deliveries.push_back(std::move(delivery));
}

void Shard::browse_ended(Subscriber& browser) {
  Peer& peer = *browser.peer;
  const std::uint64_t number = browser.number;
  notice(peer.pid, Notice::Kind::browse_ended, number);
  forget(peer, number);
}

void Shard::stored_gone(Queue& queue, std::uint64_t sequence) {
  record({.kind = StoreChange::Kind::settle, .queue = queue.stored_id, .sequence = sequence});
}

void Shard::stored_delivered(Queue& queue, const Entry& entry) {
  record({.kind = StoreChange::Kind::delivered,
          .deliveries = entry.deliveries,
          .queue = queue.stored_id,
          .sequence = entry.sequence});
}

namespace {
/// The message as it lies in the dead-letter queue: for ever, and with its story.
MessagePtr dead(const Message& message, const Queue& queue, std::uint32_t deliveries,
                DeadLetterReason reason) {
  PropertyLines lines;
  lines.add_encoded(message.property_lines());
  lines.add("original-destination", message.destination());
  lines.add("dead-letter-queue-of", queue.name());
  lines.add("dead-letter-reason", to_string(reason));
  lines.add("dead-letter-deliveries", std::to_string(deliveries));
  if (message.expires() != 0) lines.add("original-expires", std::to_string(message.expires()));
  MessageDraft draft;
  draft.destination = message.destination();
  draft.content_type = message.content_type();
  draft.properties = lines.view();
  draft.body = message.body();
  draft.group = message.group();
  draft.encoding = message.encoding();
  draft.persistent = message.persistent();
  draft.priority = message.priority();
  return message.shared_body().empty() ? Message::make(draft)
                                       : Message::make(draft, message.shared_body());
}
}  // namespace

void Shard::dead_letter(Queue& queue, Entry entry, DeadLetterReason reason) {
  const std::string& chosen = queue.options().dead_letter;
  const Destination to{Destination::Kind::queue,
                       chosen.empty() ? std::string(dead_letter_prefix) + queue.name() : chosen};
  MessagePtr message = dead(*entry.message, queue, entry.deliveries, reason);
  const auto bus = Bus::find(self().system(), bus_);
  const std::size_t home = bus ? bus->shard_of(to) : number_;
  if (home == number_) {
    // Both changes are in one batch of the store: it is here or there, never nowhere.
    Place* place = this->place(to);
    if (place == nullptr || place->queue.get() == &queue ||
        !put(nullptr, *place, std::move(message), Put::moved))
      ++totals_.dropped;
    if (entry.stored) stored_gone(queue, entry.sequence);
    return;
  }
  const std::uint64_t token = ++last_relay_;
  under_way_.emplace(token, UnderWay{queue.stored_id, entry.sequence, entry.stored});
  if (entry.stored) last_stored_relay_ = token;
  Ref<Shard>(bus->shards()[home]).cast(Relay{self().pid(), token, to, std::move(message)});
}

// ---- listings
// -----------------------------------------------------------------------------------------

BusStatistics Shard::handle_call(GetStatistics) {
  BusStatistics sums = totals_;
  sums.topics = topics_.size();
  sums.queues = queues_.size() + durables_.size();
  sums.subscriptions = subscriptions_;
  sums.waiting_bytes += topic_waiting_bytes_;
  for (const Places* all : {&queues_, &durables_})
    for (const auto& [name, place] : *all) {
      if (place->queue == nullptr) continue;
      const Queue& queue = *place->queue;
      const auto& counters = queue.counters();
      sums.settled += counters.settled;
      sums.redelivered += counters.redelivered;
      sums.dropped += counters.dropped;
      sums.expired += counters.expired;
      sums.dead_lettered += counters.dead_lettered;
      sums.waiting_messages += queue.messages() - queue.unsettled();
      sums.waiting_bytes += queue.bytes() - queue.unsettled_bytes();
      sums.unsettled_messages += queue.unsettled();
    }
  return sums;
}

std::vector<DestinationStatistics> Shard::handle_call(GetDestinations request) {
  begin_turn();
  std::vector<const Place*> found;
  for (const Places* all : {&topics_, &queues_, &durables_})
    for (const auto& [name, place] : *all)
      if (place->to > request.after) found.push_back(place.get());
  const std::size_t count =
      std::min<std::size_t>(found.size(), std::clamp<std::uint32_t>(request.limit, 1, 10'000));
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(count), {},
                            [](const Place* place) -> const Destination& { return place->to; });
  std::vector<DestinationStatistics> page;
  page.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Place& place = *found[i];
    DestinationStatistics& line = page.emplace_back();
    line.destination = place.to;
    line.pattern = place.pattern;
    if (place.queue != nullptr) {
      const Queue& queue = *place.queue;
      const auto& counters = queue.counters();
      line.messages = queue.messages();
      line.bytes = queue.bytes();
      line.unsettled = queue.unsettled();
      line.delayed = queue.delayed();
      line.in = counters.in;
      line.out = counters.out;
      line.settled = counters.settled;
      line.redelivered = counters.redelivered;
      line.dropped = counters.dropped;
      line.expired = counters.expired;
      line.dead_lettered = counters.dead_lettered;
      line.consumers = static_cast<std::uint32_t>(queue.consumers());
      if (const std::int64_t oldest = queue.oldest(); oldest != 0 && oldest < now_)
        line.oldest = std::chrono::milliseconds(now_ - oldest);
      line.durable = storing() && queue.options().durable && queue.owner == nullptr;
      line.temporary = queue.owner != nullptr;
    } else if (place.topic != nullptr) {
      const Topic& topic = *place.topic;
      line.messages = topic.retained ? 1 : 0;
      line.bytes = topic.retained ? topic.retained->size() : 0;
      line.in = topic.in;
      line.out = topic.out;
      line.dropped = topic.dropped;
      line.consumers = static_cast<std::uint32_t>(topic.exact.size());
    }
  }
  return page;
}

}  // namespace hawser::bus::detail
