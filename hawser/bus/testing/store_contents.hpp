// What a store has in it as text, to be compared and shown; and changes made in few words. For
// tests only.
#pragma once

#include <hawser/bus/store.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace hawser::bus::testing {

inline std::shared_ptr<const StoredQueue> stored_queue(std::uint64_t id, std::string name) {
  auto queue = std::make_shared<StoredQueue>();
  queue->id = id;
  queue->destination = {Destination::Kind::queue, std::move(name)};
  return queue;
}

inline StoreChange declare_change(std::shared_ptr<const StoredQueue> queue) {
  StoreChange change;
  change.kind = StoreChange::Kind::declare;
  change.queue = queue->id;
  change.definition = std::move(queue);
  return change;
}
inline StoreChange remove_change(std::uint64_t queue) {
  StoreChange change;
  change.kind = StoreChange::Kind::remove;
  change.queue = queue;
  return change;
}
inline StoreChange add_change(std::uint64_t queue, std::uint64_t sequence, MessagePtr message,
                              std::uint32_t deliveries = 0) {
  StoreChange change;
  change.kind = StoreChange::Kind::add;
  change.queue = queue;
  change.sequence = sequence;
  change.deliveries = deliveries;
  change.expires = message->expires();
  change.message = std::move(message);
  return change;
}
inline StoreChange settle_change(std::uint64_t queue, std::uint64_t sequence) {
  StoreChange change;
  change.kind = StoreChange::Kind::settle;
  change.queue = queue;
  change.sequence = sequence;
  return change;
}
inline StoreChange delivered_change(std::uint64_t queue, std::uint64_t sequence,
                                    std::uint32_t deliveries) {
  StoreChange change;
  change.kind = StoreChange::Kind::delivered;
  change.queue = queue;
  change.sequence = sequence;
  change.deliveries = deliveries;
  return change;
}

/// One line a queue and a message; bodies as their size and a sum.
inline std::string describe(const Recovered& recovered) {
  std::string text = "last " + std::to_string(recovered.last_queue_id) + "\n";
  for (const RecoveredQueue& queue : recovered.queues) {
    const StoredQueue& definition = queue.definition;
    text += "queue " + std::to_string(definition.id) + " " +
            hawser::bus::describe(definition.destination) +
            (definition.declared ? " declared" : "") + " pattern=" + definition.pattern +
            " filter=" + definition.filter +
            " messages=" + std::to_string(definition.options.messages) + "\n";
    for (const RecoveredMessage& each : queue.messages) {
      const Message& message = *each.message;
      std::uint64_t sum = 0;
      for (const char byte : message.body()) sum = sum * 31 + static_cast<unsigned char>(byte);
      text += "  " + std::to_string(each.sequence) + " x" + std::to_string(each.deliveries) + " " +
              std::string(message.destination()) + " " + std::string(message.property_lines()) +
              " " + std::to_string(message.body().size()) + ":" + std::to_string(sum) + "\n";
    }
  }
  return text;
}

inline bool any_destination(const Destination&) { return true; }

}  // namespace hawser::bus::testing
