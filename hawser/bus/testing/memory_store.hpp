// A store that keeps what it is told in memory, as a file would, and fails when it is told to. For
// tests.
#pragma once

#include <hawser/bus/store.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus::testing {

/// Outlives the Systems of a test, as a disk does.
struct MemoryDisk {
  struct Row {
    std::uint32_t deliveries = 0;
    std::int64_t expires = 0;
    MessagePtr message;
  };
  std::map<std::uint64_t, StoredQueue> queues;
  std::map<std::uint64_t, std::map<std::uint64_t, Row>> messages;  // by queue and sequence
  std::uint64_t last_queue_id = 0;
  std::uint64_t commits = 0;
  bool broken = false;
  std::vector<std::string> faults;  // changes that make no sense
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(MemoryDisk& disk) : disk_(disk) {}

  Result<Recovered> load(const std::function<bool(const Destination&)>& wanted) override {
    Recovered recovered;
    recovered.last_queue_id = disk_.last_queue_id;
    for (const auto& [id, queue] : disk_.queues) {
      if (!wanted(queue.destination)) continue;
      RecoveredQueue& each = recovered.queues.emplace_back();
      each.definition = queue;
      for (const auto& [sequence, row] : disk_.messages[id])
        each.messages.push_back({sequence, row.deliveries, row.expires, row.message});
    }
    return recovered;
  }

  Result<void> write(std::span<const StoreBatch> batches) override {
    if (disk_.broken) return std::unexpected(Error{ErrorKind::exhausted, 0, "store", "disk full"});
    ++disk_.commits;
    for (const auto& batch : batches)
      for (const auto& change : batch.changes) apply(change);
    return {};
  }

 private:
  void apply(const StoreChange& change) {
    auto& rows = disk_.messages[change.queue];
    switch (change.kind) {
      case StoreChange::Kind::declare:
        disk_.queues[change.queue] = *change.definition;
        disk_.last_queue_id = std::max(disk_.last_queue_id, change.queue);
        break;
      case StoreChange::Kind::remove:
        if (disk_.queues.erase(change.queue) == 0) disk_.faults.emplace_back("remove: no queue");
        disk_.messages.erase(change.queue);
        break;
      case StoreChange::Kind::add:
        if (!disk_.queues.contains(change.queue)) disk_.faults.emplace_back("add: no queue");
        if (!rows.try_emplace(change.sequence,
                              MemoryDisk::Row{change.deliveries, change.expires, change.message})
                 .second)
          disk_.faults.emplace_back("add: sequence in use");
        break;
      case StoreChange::Kind::settle:
        if (rows.erase(change.sequence) == 0) disk_.faults.emplace_back("settle: no message");
        break;
      case StoreChange::Kind::delivered:
        if (!rows.contains(change.sequence)) {
          disk_.faults.emplace_back("delivered: no message");
        } else {
          rows[change.sequence].deliveries = change.deliveries;
        }
        break;
    }
  }
  MemoryDisk& disk_;
};

}  // namespace hawser::bus::testing
