// One pass over the changes, with a look-up of the messages that this write adds.
#include <hawser/bus/detail/gather.hpp>

#include <algorithm>
#include <bit>
#include <limits>

namespace hawser::bus::detail {
namespace {
constexpr std::uint32_t vacant = std::numeric_limits<std::uint32_t>::max();
}

void Gather::collect(std::span<const StoreBatch> batches) {
  definitions.clear();
  adds.clear();
  delivered.clear();
  settled.clear();
  removed_.clear();
  cancelled = 0;
  std::size_t count = 0;
  for (const StoreBatch& batch : batches)
    for (const StoreChange& change : batch.changes) {
      if (change.kind == StoreChange::Kind::add) ++count;
      if (change.kind == StoreChange::Kind::remove) removed_.push_back(change.queue);
    }
  std::ranges::sort(removed_);
  index(count);
  adds.reserve(count);
  for (const StoreBatch& batch : batches) {
    for (const StoreChange& change : batch.changes) {
      if (change.kind == StoreChange::Kind::remove || change.kind == StoreChange::Kind::declare) {
        // Both, also of a queue that lived shorter than this write: its id has been given out.
        definitions.push_back(&change);
        continue;
      }
      // Ids are never used again: whatever this write says of a queue came before its end.
      if (!removed_.empty() && std::ranges::binary_search(removed_, change.queue)) continue;
      const Message message{change.queue, change.sequence};
      switch (change.kind) {
        case StoreChange::Kind::add:
          adds.push_back({&change, change.deliveries, false});
          insert(adds.size() - 1);
          break;
        case StoreChange::Kind::settle:
          if (Add* const add = find(message)) {
            if (!add->cancelled) ++cancelled;
            add->cancelled = true;
          } else {
            settled.push_back(message);
          }
          break;
        default:
          if (Add* const add = find(message)) {
            add->deliveries = change.deliveries;
          } else {
            delivered.push_back(
                {message, static_cast<std::uint32_t>(delivered.size()), change.deliveries});
          }
      }
    }
  }
  std::ranges::sort(settled);
  // Of several counts of one message the last holds; none of one that is settled.
  std::ranges::sort(delivered);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < delivered.size(); ++i) {
    if (i + 1 < delivered.size() && delivered[i + 1].message == delivered[i].message) continue;
    if (std::ranges::binary_search(settled, delivered[i].message)) continue;
    delivered[kept++] = delivered[i];
  }
  delivered.resize(kept);
}

void Gather::index(std::size_t count) {
  const std::size_t size = std::bit_ceil(2 * count + 1);
  table_.assign(size, vacant);
}

std::size_t Gather::slot_of(const Message& message) const noexcept {
  // Fibonacci hashing: sequences are consecutive, queues few.
  const std::uint64_t hash =
      (message.sequence + message.queue * 0x9E3779B97F4A7C15ULL) * 0x9E3779B97F4A7C15ULL;
  return static_cast<std::size_t>(hash >> 32U) & (table_.size() - 1);
}

void Gather::insert(std::size_t place) noexcept {
  const StoreChange& change = *adds[place].change;
  std::size_t slot = slot_of({change.queue, change.sequence});
  while (table_[slot] != vacant) slot = (slot + 1) & (table_.size() - 1);
  table_[slot] = static_cast<std::uint32_t>(place);
}

Gather::Add* Gather::find(const Message& message) noexcept {
  for (std::size_t slot = slot_of(message); table_[slot] != vacant;
       slot = (slot + 1) & (table_.size() - 1)) {
    Add& add = adds[table_[slot]];
    if (add.change->queue == message.queue && add.change->sequence == message.sequence) return &add;
  }
  return nullptr;
}

}  // namespace hawser::bus::detail
