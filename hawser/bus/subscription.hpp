// One subscriber's side of a topic or queue: how much it may still be given, and what waits for it.
// Internal to the bus; belongs to its shard's process.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/process/pid.hpp>

#include <compare>
#include <cstdint>
#include <deque>
#include <string>

namespace hawser::bus {

/// Names a subscription: the subscribing process and a number of its choice, unique in it.
struct SubscriptionId {
  Pid subscriber;
  std::uint64_t number = 0;
  friend bool operator==(const SubscriptionId&, const SubscriptionId&) noexcept = default;
  friend auto operator<=>(const SubscriptionId&, const SubscriptionId&) noexcept = default;
};

/// What happens when a topic's subscriber is slower than the topic.
enum class SlowSubscriber : std::uint8_t {
  end,          ///< its subscription ends, and it is told so: nobody is left to believe it has all
  drop_oldest,  ///< what waited longest is dropped and counted
  drop_newest,  ///< what comes now is dropped and counted
};

struct TopicLimits {
  std::uint32_t waiting_messages = 10'000;            ///< per subscriber, beyond its credit
  std::uint64_t waiting_bytes = 64ULL * 1024 * 1024;  ///< the same in bytes
  SlowSubscriber slow = SlowSubscriber::end;
};

/// What happens when a queue is full.
enum class QueueOverflow : std::uint8_t {
  reject,       ///< the sender is told (the default: nothing is lost in silence)
  drop_oldest,  ///< the oldest message makes room and is counted
};

struct QueueLimits {
  std::uint32_t messages = 100'000;            ///< kept until somebody takes them
  std::uint64_t bytes = 256ULL * 1024 * 1024;  ///< the same in bytes
  QueueOverflow overflow = QueueOverflow::reject;
};

}  // namespace hawser::bus
