// One world in which peers meet: topics and queues, whichever protocol they speak. Public; a Bus is
// a small value that any process may hold; a process uses it through a Client (client.hpp).
//
// A queue belongs to one shard, a process on one scheduler, chosen by its name; all topics, and the
// durable subscriptions they fill, belong to one more or less arbitrary shard, so that a pattern's
// subscriber has one order of all it gets. Everything one process asks of one destination is done
// in the order asked.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/bus/subscription.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {
class System;
}

namespace hawser::bus {

class Store;

/// Options of queues and durable subscriptions that nobody declared with other ones. Names are
/// matched as topics are; the first rule that fits counts.
struct QueueRule {
  std::string pattern;
  QueueOptions options;
};

struct BusOptions {
  TopicLimits topic{};
  QueueOptions queue{};
  std::vector<QueueRule> queue_rules{};
  /// Topics and queues that may exist at once in one shard; further ones are refused (overloaded).
  std::uint32_t destinations = 100'000;
  /// A queue that was made by its first use is forgotten when it was idle for so long.
  Duration undeclared_expiry = 60s;
  /// What topics keep for those who subscribe later, all together; more is refused (overloaded).
  std::uint32_t retained_messages = 10'000;
  std::uint64_t retained_bytes = 64ULL * 1024 * 1024;
  /// Messages published to topics for later, all together; more are refused (overloaded).
  std::uint32_t delayed_messages = 100'000;
  /// Subscriptions of one process in one shard; more are refused (overloaded).
  std::uint32_t subscriptions = 1'000'000;
  /// Changes of one shard that the store has not made safe yet; persistent messages beyond it are
  /// refused (overloaded).
  std::uint32_t unstored_changes = 1'000'000;
  /// Where durable queues are kept; none: in memory only, and every confirmation means just that.
  std::shared_ptr<Store> store{};
  /// Makes a durable subscription's filter again of its text, after a restart.
  std::function<Result<FilterPtr>(std::string_view)> make_filter{};
};

/// Counters of one bus, all shards together.
struct BusStatistics {
  std::uint64_t published = 0;  ///< messages taken in
  std::uint64_t delivered = 0;  ///< messages given out, redeliveries included
  std::uint64_t settled = 0;    ///< deliveries from queues that were accepted
  std::uint64_t redelivered = 0;
  std::uint64_t dropped = 0;        ///< by a limit, by a slow subscriber, or with nowhere to go
  std::uint64_t expired = 0;        ///< too old to be delivered
  std::uint64_t dead_lettered = 0;  ///< moved to a dead-letter queue
  std::uint64_t refused = 0;        ///< requests answered with an error
  std::uint64_t topics = 0;
  std::uint64_t queues = 0;  ///< durable subscriptions included
  std::uint64_t subscriptions = 0;
  std::uint64_t waiting_messages = 0;    ///< in queues, not given out
  std::uint64_t waiting_bytes = 0;       ///< the same and what waits for slow subscribers of topics
  std::uint64_t unsettled_messages = 0;  ///< given out from queues and not settled
  BusStatistics& operator+=(const BusStatistics& other) noexcept;
};

/// One destination as the observer shows it.
struct DestinationStatistics {
  Destination destination{};
  std::string pattern{};            ///< of a durable subscription
  std::uint64_t messages = 0;       ///< kept, unsettled ones included; of a topic: retained
  std::uint64_t bytes = 0;          ///< the same
  std::uint64_t unsettled = 0;      ///< given out and not settled
  std::uint64_t delayed = 0;        ///< not to be delivered yet
  std::uint64_t in = 0;             ///< messages put in since it exists
  std::uint64_t out = 0;            ///< deliveries made
  std::uint64_t settled = 0;        ///< deliveries accepted
  std::uint64_t redelivered = 0;    ///< deliveries that were not the first
  std::uint64_t dropped = 0;        ///< by its limits
  std::uint64_t expired = 0;        ///< too old to be delivered
  std::uint64_t dead_lettered = 0;  ///< moved to the dead-letter queue
  std::uint32_t consumers = 0;      ///< subscribers of exactly this
  Duration oldest{0};               ///< how long the oldest message has been here
  bool durable = false;
  bool temporary = false;
};

class Bus {
 public:
  Bus() = default;
  /// The bus of that name in `system`, whose child spec bus_child() has been started. Errors:
  /// not_found, and closed while one of its shards is being restarted.
  static Result<Bus> find(System& system, std::string_view name);

  /// Whoever uses the bus monitors them: what a shard held of a subscriber goes with it.
  const std::vector<Pid>& shards() const noexcept { return shards_; }
  /// Index of the shard that has it.
  std::size_t shard_of(const Destination& destination) const noexcept;

 private:
  friend class Client;
  std::vector<Pid> shards_;
};

/// A supervisor of the bus's shards, one on each scheduler, and of its store's writer. With a
/// store, the shards read what is kept before they do anything else.
ChildSpec bus_child(std::string name, BusOptions options = {});

/// Sums the shards' counters; for plain threads.
Result<BusStatistics> bus_statistics(System& system, std::string_view name);
/// The same inside a process: co_await bus_statistics("default").
Task<Result<BusStatistics>> bus_statistics(std::string name);

/// Destinations in the order of kind and name, at most `limit` (1 to 10,000) of those after
/// `after`; for plain threads.
Result<std::vector<DestinationStatistics>> bus_destinations(System& system, std::string_view name,
                                                            const Destination& after = {},
                                                            std::uint32_t limit = 100);
/// The first of them, inside a process.
Task<Result<std::vector<DestinationStatistics>>> bus_destinations(std::string name,
                                                                  std::uint32_t limit);

}  // namespace hawser::bus
