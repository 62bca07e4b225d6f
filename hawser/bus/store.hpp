// What makes durable queues outlive the program: the bus tells a Store its changes and is told when
// they are safe. Public: the interface to implement. All calls come from the blocking pool, one at
// a time, and may wait.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/bus/subscription.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hawser::bus {

/// A durable queue or durable subscription, as declared.
///
/// A topic of which something is kept, persistent messages that are retained or delayed, is stored
/// as a queue, too: its messages' `deliveries` are 0 for the retained one, and for those that are
/// delayed 1, or 2 and 3 where they will be retained or remove what is.
struct StoredQueue {
  std::uint64_t id = 0;  ///< never used again, also not after a restart; from 1
  Destination destination{};
  QueueOptions options{};
  bool declared = false;  ///< somebody asked for it with options; else it was made by its first use
  std::string pattern{};  ///< of a durable subscription: the topics that fill it
  std::string filter{};   ///< and MessageFilter::text(), "" for none
  /// After a restart its messages' sequences go on here, or behind the last that is kept: none is
  /// given twice.
  std::uint64_t next_sequence = 1;
};

struct StoreChange {
  enum class Kind : std::uint8_t {
    declare,    ///< `definition` is new, or replaces the one with its id
    remove,     ///< the queue and all its messages are gone
    add,        ///< `message` with `sequence` and `deliveries`
    settle,     ///< the message with `sequence` is gone
    delivered,  ///< the message with `sequence` has now been given out `deliveries` times
  };
  Kind kind = Kind::add;
  std::uint32_t deliveries = 0;
  std::uint64_t queue = 0;     ///< StoredQueue::id
  std::uint64_t sequence = 0;  ///< the message's place in its queue, unique in it
  /// Of an added message: when it expires, by its own word or its queue's; wall clock in ms, 0
  /// never.
  std::int64_t expires = 0;
  MessagePtr message{};
  std::shared_ptr<const StoredQueue> definition{};
};

/// Changes of one shard, in the order in which they happened.
struct StoreBatch {
  std::vector<StoreChange> changes;
};

struct RecoveredMessage {
  std::uint64_t sequence = 0;
  std::uint32_t deliveries = 0;
  std::int64_t expires = 0;  ///< as in its StoreChange
  MessagePtr message{};
};
struct RecoveredQueue {
  StoredQueue definition{};
  std::vector<RecoveredMessage> messages{};  ///< by rising sequence
};
struct Recovered {
  std::vector<RecoveredQueue> queues{};
  std::uint64_t last_queue_id = 0;  ///< the highest ever given out, 0 for none
};

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// What is kept, of the destinations that `wanted` picks. Before the first write for each shard,
  /// and again for a shard that restarts.
  virtual Result<Recovered> load(const std::function<bool(const Destination&)>& wanted) = 0;

  /// Makes all of it safe, or none: one group commit, on disk when it returns. An error means that
  /// nothing of it is kept; the same batches, and more, are then tried again. Batches of one shard
  /// come in order; those of different shards concern different queues.
  virtual Result<void> write(std::span<const StoreBatch> batches) = 0;
};

}  // namespace hawser::bus
