// What a shard tells the store's writer, and what it waits for before it confirms.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/base/log.hpp>
#include <hawser/bus/detail/store_writer.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::bus::detail {

void Shard::init() {
  if (!storing()) return;
  ready_ = false;
  writer_ = self().whereis(store_writer_name(bus_));
  self().monitor(writer_);
  Ref<StoreWriter>(writer_).cast(Recover{self().pid(), number_, count_});
}

void Shard::handle_cast(RecoveredState state) {
  begin_turn();
  ready_ = true;
  // Every shard takes the ids that leave its own number over, beyond all there ever were.
  queue_id_base_ = (state.recovered.last_queue_id + count_) / count_ * count_;
  for (auto& queue : state.recovered.queues) restore(std::move(queue));
  end_turn();
  for (auto& work : std::exchange(put_aside_, {})) work();
}

void Shard::restore(RecoveredQueue recovered) {
  StoredQueue& definition = recovered.definition;
  if (definition.destination.kind == Destination::Kind::topic)
    return restore_topic(std::move(recovered));
  Place* place = this->place(definition.destination);
  if (place == nullptr || place->queue != nullptr) {
    log_not_restored(definition.destination,
                     place == nullptr ? too_many_places().detail : "it is there");
    return;
  }
  Queue& queue = make_queue(*place, definition.options);
  queue.stored_id = definition.id;
  queue.declared = definition.declared;
  if (definition.destination.kind == Destination::Kind::subscription) {
    place->pattern = definition.pattern;
    if (!definition.filter.empty()) {
      auto filter = options_->make_filter
                        ? options_->make_filter(definition.filter)
                        : std::unexpected(Error{ErrorKind::unsupported, 0, "filter", ""});
      if (filter) {
        place->filter = std::move(*filter);
      } else {
        self().log().error(
            self().process().label(),
            fmt::format("the filter of {} is not understood ({}); it gets every message",
                        bus::describe(place->to), filter.error().text()));
      }
    }
    patterns_.add(place->pattern, place->target);
  }
  queue.stored_next = definition.next_sequence;
  queue.continue_at(definition.next_sequence);
  for (auto& message : recovered.messages)
    queue.restore(std::move(message.message), message.sequence, message.deliveries, message.expires,
                  now_);
  touch(*place);
}

void Shard::log_not_restored(const Destination& what, std::string_view why) const {
  self().log().error(self().process().label(), fmt::format("{} cannot be taken from the store: {}",
                                                           bus::describe(what), why));
}

void Shard::define(Place& place) {
  Queue& queue = *place.queue;
  if (queue.stored_id == 0) queue.stored_id = queue_id_base_ + ++queue_ids_ * count_ + number_;
  auto definition = std::make_shared<StoredQueue>();
  definition->id = queue.stored_id;
  definition->destination = place.to;
  definition->options = queue.options();
  definition->declared = queue.declared;
  definition->next_sequence = queue.stored_next = queue.next_sequence() + sequences_ahead;
  definition->pattern = place.pattern;
  if (place.filter != nullptr) definition->filter = place.filter->text();
  record({.kind = StoreChange::Kind::declare,
          .queue = queue.stored_id,
          .definition = std::move(definition)});
}

void Shard::keep_sequence(Place& place) {
  const Queue& queue = *place.queue;
  // As after a restart: nobody has been given one since.
  if (queue.next_sequence() != queue.stored_next) define(place);
}

void Shard::undefine(Queue& queue) {
  if (queue.stored_id != 0)
    record({.kind = StoreChange::Kind::remove, .queue = std::exchange(queue.stored_id, 0)});
}

void Shard::record(StoreChange change) {
  ++unstored_;
  changes_.changes.push_back(std::move(change));
}

void Shard::confirm(const Confirmation& confirmation) {
  if (confirmation.is_notice) {
    notice(confirmation.whom, confirmation.kind, confirmation.token);
  } else if (confirmation.kind == Notice::Kind::prepared) {
    // Another shard's dead letter: the highest bit tells whether it was taken.
    constexpr std::uint64_t taken = 1ULL << 63;
    Ref<Shard>(confirmation.whom)
        .cast(Relayed{confirmation.token & ~taken, (confirmation.token & taken) != 0});
  } else {
    answer(confirmation.whom, confirmation.token);
  }
}

void Shard::confirm_when_stored(Pid whom, std::uint64_t token) {
  if (token != 0) confirm_when_stored(Confirmation{whom, token});
}

void Shard::confirm_change(const Mark& before, Pid whom, std::uint64_t token) {
  if (last_stored_relay_ != before.relay) {
    if (token != 0) confirm_when_moved({whom, token}, before.relay, last_stored_relay_);
  } else if (changes_.changes.size() != before.changes) {
    confirm_when_stored(whom, token);
  } else {
    answer(whom, token);
  }
}

void Shard::confirm_when_moved(const Confirmation& confirmation, std::uint64_t after,
                               std::uint64_t last) {
  // It is on disk here until it is on disk there. Each shard takes what comes in order: when the
  // last is done, those that may be left went elsewhere.
  for (auto each = under_way_.upper_bound(last); each != under_way_.begin();) {
    --each;
    if (each->first <= after) break;
    if (!each->second.stored) continue;
    each->second.waiting.push_back({confirmation, after});
    return;
  }
  confirm_when_stored(confirmation);
}

void Shard::confirm_when_stored(Confirmation confirmation) {
  if (!changes_.changes.empty()) {
    confirmations_.push_back(confirmation);
  } else if (!in_flight_.empty()) {
    in_flight_.back().confirmations.push_back(confirmation);
  } else {
    confirm(confirmation);
  }
}

void Shard::flush_store(TransactionKey transaction, std::uint32_t parts) {
  if (!storing()) {
    for (const auto& each : std::exchange(confirmations_, {})) confirm(each);
    return;
  }
  if (changes_.changes.empty() && confirmations_.empty() && parts == 1) return;
  const std::uint64_t token = ++last_write_;
  in_flight_.push_back({token, changes_.changes.size(), std::exchange(confirmations_, {})});
  Ref<StoreWriter>(writer_).cast(
      WriteChanges{self().pid(), token, std::exchange(changes_, {}), transaction, parts});
}

Error Shard::store_behind(std::string operation) const {
  if (store_trouble_ != nullptr)
    return Error{store_trouble_->kind, store_trouble_->code, std::move(operation),
                 "nothing persistent is taken, since the store cannot be written: " +
                     store_trouble_->detail};
  return Error{
      ErrorKind::overloaded, 0, std::move(operation),
      fmt::format("the store has {} changes to write, the limit (unstored_changes)", unstored_)};
}

void Shard::handle_cast(Stored stored) {
  begin_turn();
  while (!in_flight_.empty() && in_flight_.front().token <= stored.token) {
    const InFlight done = std::move(in_flight_.front());
    in_flight_.pop_front();
    unstored_ -= done.changes;
    for (const auto& each : done.confirmations) confirm(each);
  }
  end_turn();
}

}  // namespace hawser::bus::detail
