// What the connections of one server on one scheduler have done so far, readable from any thread
// while they work. Internal to the net layer.
#pragma once

#include <hawser/process/reason.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hawser {

/// A number that one thread changes and any may read: no locked instruction, just a plain store.
class Counter {
 public:
  void add(std::uint64_t count = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(64) ConnectionCounters {
  static constexpr std::size_t reason_kinds = static_cast<std::size_t>(Reason::Kind::custom) + 1;

  Counter started;
  Counter not_started;       ///< init ended it, or there was no room for one more process
  Counter handshake_failed;  ///< of those: ended before all transports were ready
  std::array<Counter, reason_kinds> ended;  ///< by Reason::Kind
  Counter packets_in;
  Counter packets_out;
  Counter bytes_in;
  Counter bytes_out;
  Counter pauses;      ///< times a connection stopped reading at its high-water mark
  Counter cut_off;     ///< ends whose last bytes did not leave within the flush deadline
  Counter bytes_lost;  ///< queued and never left, however it ended
};

}  // namespace hawser
