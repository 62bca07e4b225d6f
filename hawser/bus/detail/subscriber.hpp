// One subscription in its shard: what it may still be given, what it has and has not settled, what
// waits for it. Internal to the bus; belongs to its shard's process.
#pragma once

#include <hawser/bus/detail/ring.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/bus/subscription.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace hawser::bus::detail {

struct Peer;
struct Place;

/// Something that a topic's messages go to: a subscriber or a durable subscription's queue.
struct TopicTarget {
  bool durable = false;     // a queue
  std::uint32_t index = 0;  // its place in the list it stands in
};

/// One message in a queue.
struct Entry {
  MessagePtr message{};  // empty: a hole, taken from the middle
  std::uint64_t sequence = 0;
  std::int64_t arrived = 0;      // wall clock, ms
  std::uint32_t deliveries = 0;  // made so far
  bool stored = false;
  bool redelivered = false;  // somebody may have seen it
};

struct Subscriber : TopicTarget {
  Peer* peer = nullptr;
  Place* place = nullptr;
  std::uint64_t number = 0;
  Subscription wish{};
  bool ending = false;  // too slow: it ends with the turn

  std::uint64_t next_id = 1;
  std::uint32_t unsettled = 0;
  std::uint64_t unsettled_bytes = 0;

  // From a queue: what it has, by delivery id from first_id on; a settled one is a hole.
  std::uint64_t first_id = 1;
  Ring<Entry> held{};
  std::uint32_t in_transactions = 0;
  // How far it has looked for messages that are for it, by priority; made when first needed.
  std::unique_ptr<std::array<std::uint64_t, highest_priority + 1>> seen{};

  // From a topic, or a browser's: sizes of what is under way, plus one; 0 is settled.
  Ring<std::uint32_t> sizes{};
  Ring<MessagePtr> waiting{};
  std::uint64_t waiting_bytes = 0;
  std::vector<std::uint64_t> blocked{};  // publishes that wait until less waits here

  // A browser's: where it is, and where it ends.
  std::uint8_t browse_priority = highest_priority;
  std::uint64_t browse_next = 0;
  std::uint64_t browse_end = 0;

  bool has_room() const noexcept {
    return unsettled == 0 || ((wish.prefetch == 0 || unsettled < wish.prefetch) &&
                              unsettled_bytes < wish.prefetch_bytes);
  }
  /// It does not want every message of a queue.
  bool choosy() const noexcept { return wish.filter != nullptr || wish.from != 0; }
  bool wants(const Message& message) const {
    return wish.filter == nullptr || wish.filter->accepts(message);
  }
  /// Notes a delivery whose message stays nowhere, and answers its id.
  std::uint64_t note_size(std::size_t size) {
    sizes.push_back(static_cast<std::uint32_t>(std::min<std::size_t>(size, UINT32_MAX - 1)) + 1);
    ++unsettled;
    unsettled_bytes += sizes.back() - 1;
    return next_id++;
  }
  /// Those deliveries are settled, as far as they were not.
  void settle_sizes(std::uint64_t first, std::uint64_t last) noexcept;
};

inline void Subscriber::settle_sizes(std::uint64_t first, std::uint64_t last) noexcept {
  const std::uint64_t base = next_id - sizes.size();
  if (last >= next_id) last = next_id - 1;
  for (std::uint64_t id = first < base ? base : first; id <= last; ++id) {
    auto& size = sizes[id - base];
    if (size == 0) continue;
    unsettled_bytes -= size - 1;
    --unsettled;
    size = 0;
  }
  while (!sizes.empty() && sizes.front() == 0) sizes.pop_front();
}

}  // namespace hawser::bus::detail
