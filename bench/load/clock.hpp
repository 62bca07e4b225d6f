// The load generator's clock. Internal to bench; any thread. The bench has no engine below it, so
// this is the one place where it asks the system for the time.
#pragma once

#include <hawser/base/time.hpp>

#include <ctime>

namespace hawser::bench {

inline Instant now() noexcept {
  timespec at = {};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return Instant{std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec)};
}

inline Duration from_seconds(double length) noexcept {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(length));
}

}  // namespace hawser::bench
