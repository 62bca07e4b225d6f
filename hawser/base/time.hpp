// Monotonic time as the engine tells it. Public; plain values. Nothing here reads a clock: only an
// engine does, and under `sim` it is virtual.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace hawser {

using namespace std::chrono_literals;  // 10s, 250ms: half of every setting is a duration

/// A length of time, in nanoseconds; literals such as 10s and 250ms convert.
using Duration = std::chrono::nanoseconds;

/// For texts and figures.
constexpr double to_seconds(Duration length) noexcept {
  return std::chrono::duration<double>(length).count();
}
/// A length times a factor such as a tolerance.
constexpr Duration scaled(Duration length, double factor) noexcept {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::nano>(static_cast<double>(length.count()) * factor));
}

/// A point on the engine's monotonic clock, whose zero means nothing.
class Instant {
 public:
  constexpr Instant() noexcept = default;
  constexpr explicit Instant(Duration since_zero) noexcept : since_zero_(since_zero) {}

  /// Later than every real instant: "no deadline".
  static constexpr Instant never() noexcept { return Instant{Duration::max()}; }

  constexpr Duration since_zero() const noexcept { return since_zero_; }
  constexpr std::int64_t nanoseconds() const noexcept { return since_zero_.count(); }

  constexpr auto operator<=>(const Instant&) const noexcept = default;

  /// Saturates at never(), so that `now + Duration::max()` is "no deadline" and no overflow.
  friend constexpr Instant operator+(Instant at, Duration length) noexcept {
    if (length > Duration::zero() && at.since_zero_ > Duration::max() - length) return never();
    return Instant{at.since_zero_ + length};
  }
  friend constexpr Instant operator-(Instant at, Duration length) noexcept {
    return Instant{at.since_zero_ - length};
  }
  friend constexpr Duration operator-(Instant late, Instant early) noexcept {
    return late.since_zero_ - early.since_zero_;
  }

 private:
  Duration since_zero_{0};
};

}  // namespace hawser
