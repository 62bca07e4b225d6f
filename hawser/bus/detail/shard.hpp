// The process that owns a part of a bus's topics and queues. Internal: Bus is the way in.
#pragma once

#include <hawser/bus/bus.hpp>
#include <hawser/bus/queue.hpp>
#include <hawser/bus/topic.hpp>
#include <hawser/process/info.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace hawser::bus::detail {

struct Publish {
  Destination destination;
  MessagePtr message;
  Pid publisher;
  std::uint64_t token = 0;
};
struct Subscribe {
  Destination destination;
  SubscriptionId id;
  std::uint32_t credit = 0;
  std::uint64_t token = 0;
};
struct Unsubscribe {
  Destination destination;
  SubscriptionId id;
  std::uint32_t taken = 0;
  std::uint64_t token = 0;
};
struct Grant {
  Destination destination;
  SubscriptionId id;
  std::uint32_t credit = 0;
};
struct GetStatistics {};

class Shard {
 public:
  explicit Shard(BusOptions options) : options_(options) {}

  void handle_cast(Publish publish);
  void handle_cast(Subscribe subscribe);
  void handle_cast(Unsubscribe unsubscribe);
  void handle_cast(Grant grant);
  BusStatistics handle_call(GetStatistics);
  void handle_info(Info& info);
  std::string describe() const;

 private:
  /// What one process has here, to be ended with it.
  struct Subscriber {
    MonitorId monitor{};
    std::map<std::uint64_t, Destination> subscriptions;
  };

  Topic* topic(const std::string& name, bool make);
  Queue* queue(const std::string& name, bool make);
  bool room() const noexcept;
  void refuse(Pid whom, std::uint64_t token, Error error);
  static void confirm(Pid whom, std::uint64_t token);
  void deliver(SubscriptionId id, const MessagePtr& message);
  /// `taken`: nothing when the subscriber is gone without a word.
  void remove(const Destination& destination, SubscriptionId id,
              std::optional<std::uint32_t> taken);
  void forget_subscription(SubscriptionId id);
  void dispatch(const std::string& name, Queue& queue);

  BusOptions options_;
  // Looked up, never walked, on the way of a message; walked only for the statistics' sums.
  std::unordered_map<std::string, Topic> topics_;
  std::unordered_map<std::string, Queue> queues_;
  std::map<Pid, Subscriber> subscribers_;
  std::uint64_t subscriptions_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_before_ = 0;  // by topics and queues that are forgotten by now
  std::uint64_t refused_ = 0;
};

}  // namespace hawser::bus::detail
