// One world in which peers meet: topics and queues, whichever protocol they speak. Public; a Bus is
// a small value that any process may hold; what it tells its subscribers comes as messages to their
// handle_info (Delivery, Confirmed, Refused, SubscriptionEnded).
//
// A destination belongs to one shard, a process on one scheduler, chosen by its name: so its
// messages have one order, and no lock. Everything one process asks of one destination is done in
// the order asked.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/bus/subscription.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/task.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {
class System;
}

namespace hawser::bus {

/// Where a message goes. The protocols map their own spelling ("/queue/jobs") onto it.
struct Destination {
  enum class Kind : std::uint8_t { topic, queue };
  Kind kind = Kind::topic;
  std::string name;
  friend bool operator==(const Destination&, const Destination&) = default;
};

struct BusOptions {
  TopicLimits topic{};
  QueueLimits queue{};
  /// Topics and queues that may exist at once in one shard; further ones are refused.
  std::uint32_t destinations = 1'000'000;
};

// ---- what the bus tells a process (handle_info)
// ----------------------------------------------------------

/// A message for one subscription. Uses up one credit.
struct Delivery {
  std::uint64_t subscription = 0;  ///< the number the subscriber chose
  MessagePtr message;
};
/// What was asked with this token (not 0) is done.
struct Confirmed {
  std::uint64_t token = 0;
};
/// What was asked could not be done; comes with and without a token (then 0).
struct Refused {
  std::uint64_t token = 0;
  Error error;
};
/// The bus ended a subscription by itself: its subscriber was too slow for its topic.
struct SubscriptionEnded {
  std::uint64_t subscription = 0;
  Error error;
};

/// Counters of one bus, all shards together.
struct BusStatistics {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t refused = 0;
  std::uint64_t topics = 0;
  std::uint64_t queues = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t waiting_messages = 0;
  std::uint64_t waiting_bytes = 0;
  BusStatistics& operator+=(const BusStatistics& other) noexcept;
};

class Bus {
 public:
  Bus() = default;
  /// The bus of that name in `system`, whose child spec bus_child() has been started. Errors:
  /// not_found, and closed while one of its shards is being restarted.
  static Result<Bus> find(System& system, std::string_view name);

  /// `publisher` hears Confirmed(token) once the message is in the topic or queue (only if token is
  /// not 0), Refused when it could not be.
  void publish(const Destination& destination, MessagePtr message, Pid publisher,
               std::uint64_t token) const;

  /// Deliveries follow, at most `credit` of them until grant() allows more. The bus watches the
  /// subscriber: when it ends, so do its subscriptions, and what a queue had on its way to it is
  /// lost unless it unsubscribed before.
  void subscribe(const Destination& destination, SubscriptionId id, std::uint32_t credit,
                 std::uint64_t token) const;
  /// No Delivery follows that was not already on its way. Of those since the last grant() the
  /// subscriber has taken the first `taken`; what else a queue had on its way goes back to its
  /// front, and is to be dropped by the subscriber when it comes.
  void unsubscribe(const Destination& destination, SubscriptionId id, std::uint32_t taken,
                   std::uint64_t token) const;
  /// The subscriber has taken `credit` deliveries, and may get as many more.
  void grant(const Destination& destination, SubscriptionId id, std::uint32_t credit) const;

  const std::vector<Pid>& shards() const noexcept { return shards_; }

 private:
  Pid shard_of(const Destination& destination) const noexcept;
  std::vector<Pid> shards_;
};

/// A supervisor of the bus's shards, one on each scheduler.
ChildSpec bus_child(std::string name, BusOptions options = {});

/// Sums the shards' counters; for plain threads.
Result<BusStatistics> bus_statistics(System& system, std::string_view name);
/// The same inside a process: co_await bus_statistics("default").
Task<Result<BusStatistics>> bus_statistics(std::string name);

}  // namespace hawser::bus
