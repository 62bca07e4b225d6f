// Tables as ordered maps, so that the same seed gives the same run.
#include <hawser/bus/testing/simulated_store.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace hawser::bus::testing {

Result<Recovered> SimulatedStore::load(const std::function<bool(const Destination&)>& wanted) {
  Recovered recovered;
  recovered.last_queue_id = last_id_;
  for (const auto& [id, queue] : queues_) {
    if (!wanted(queue.definition.destination)) continue;
    RecoveredQueue& into = recovered.queues.emplace_back();
    into.definition = queue.definition;
    for (const auto& [sequence, kept] : queue.messages)
      into.messages.push_back({sequence, kept.deliveries, kept.expires, kept.message});
  }
  return recovered;
}

Result<void> SimulatedStore::write(std::span<const StoreBatch> batches) {
  if (failing_) return std::unexpected(*failing_);
  const bool fails = random_.chance(chance_);
  const bool kept = !fails || random_.below(2) == 0;
  if (kept) {
    for (const StoreBatch& batch : batches)
      for (const StoreChange& change : batch.changes) apply(change);
    ++writes_;
    repeats_ = fails;
  }
  if (fails)
    return std::unexpected(Error{ErrorKind::failed, 0, "store", "the simulated disk failed"});
  return {};
}

void SimulatedStore::apply(const StoreChange& change) {
  if (change.kind == StoreChange::Kind::declare) {
    const StoredQueue& definition = *change.definition;
    if (definition.id == 0) fault("a queue has the id 0");
    if (definition.destination.name.empty()) fault("a queue has no name");
    if (removed_.contains(definition.id))
      fault("queue " + std::to_string(definition.id) + " is declared after its end");
    queues_[definition.id].definition = definition;
    last_id_ = std::max(last_id_, definition.id);
    return;
  }
  const auto queue = queues_.find(change.queue);
  if (queue == queues_.end()) {
    if (change.kind == StoreChange::Kind::add && !removed_.contains(change.queue))
      fault("a message for queue " + std::to_string(change.queue) + ", which is not declared");
    return;
  }
  auto& messages = queue->second.messages;
  switch (change.kind) {
    case StoreChange::Kind::remove:
      queues_.erase(queue);
      removed_[change.queue] = true;
      break;
    case StoreChange::Kind::add:
      if (!change.message) fault("a message that is none");
      messages[change.sequence] = {change.deliveries, change.expires, change.message};
      break;
    case StoreChange::Kind::settle:
      messages.erase(change.sequence);
      break;
    default:
      if (const auto found = messages.find(change.sequence); found != messages.end())
        found->second.deliveries = change.deliveries;
  }
}

const SimulatedStore::Queue* SimulatedStore::find(const Destination& destination) const noexcept {
  for (const auto& [id, queue] : queues_)
    if (queue.definition.destination == destination) return &queue;
  return nullptr;
}

std::size_t SimulatedStore::messages() const noexcept {
  std::size_t sum = 0;
  for (const auto& [id, queue] : queues_) sum += queue.messages.size();
  return sum;
}

}  // namespace hawser::bus::testing
