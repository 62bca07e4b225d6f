// A queue: each message goes to one consumer, and waits, within the limits, until somebody takes
// it. Pure data, no I/O and no process. Internal to the bus.
#pragma once

#include <hawser/bus/subscription.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace hawser::bus {

class Queue {
 public:
  enum class Accepted : std::uint8_t { yes, full };

  explicit Queue(const QueueLimits& limits) noexcept : limits_(&limits) {}

  /// Puts a message at the end. `full`: refused by the limit; the sender is to be told.
  Accepted push(MessagePtr message);

  void subscribe(SubscriptionId id, std::uint32_t credit);
  /// Of what was delivered since the last grant the consumer has taken the first `taken`; the rest
  /// goes back to the front, in order. False when there was no such consumer.
  bool unsubscribe(SubscriptionId id, std::uint32_t taken);
  /// The consumer is gone without a word: what was on its way to it is too. Nobody knows how much
  /// of it was taken, and no message is given out twice.
  bool forget(SubscriptionId id);
  /// The consumer has taken the oldest `credit` messages on their way to it, and may get as many
  /// more.
  void grant(SubscriptionId id, std::uint32_t credit);

  /// Calls `deliver(id, message)` as long as there are messages and consumers with credit, the
  /// consumers taking turns.
  template <class Deliver>
  void dispatch(Deliver&& deliver) {
    while (!messages_.empty()) {
      Consumer* consumer = next_consumer();
      if (consumer == nullptr) return;
      const MessagePtr message = pop();
      --consumer->credit;
      consumer->under_way.push_back(message);
      deliver(consumer->id, message);
    }
  }

  std::size_t waiting() const noexcept { return messages_.size(); }
  std::uint64_t waiting_bytes() const noexcept { return bytes_; }
  std::size_t consumers() const noexcept { return consumers_.size(); }
  /// Nothing in it and nobody at it: it may be forgotten.
  bool idle() const noexcept { return messages_.empty() && consumers_.empty(); }
  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Consumer {
    SubscriptionId id;
    std::uint32_t credit = 0;
    std::deque<MessagePtr> under_way{};  // delivered and not known to be taken
  };
  using Place = std::vector<Consumer>::iterator;
  void erase(Place place);
  Consumer* next_consumer() noexcept;
  MessagePtr pop();

  const QueueLimits* limits_;
  std::deque<MessagePtr> messages_;
  std::uint64_t bytes_ = 0;
  std::vector<Consumer> consumers_;
  std::size_t turn_ = 0;  // the consumer asked first for the next message
  std::uint64_t dropped_ = 0;
};

}  // namespace hawser::bus
