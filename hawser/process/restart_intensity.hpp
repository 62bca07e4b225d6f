// How often and how soon a supervisor restarts: the count of restarts within a period, and the
// delay before each. Public as settings (Backoff); the classes serve the supervisors, one thread.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/base/time.hpp>

#include <deque>

namespace hawser {

/// Between two restarts of the same child: first at once, then initial, × factor, up to maximum,
/// each varied by ± jitter. Reset when the child has lived `reset_after`.
struct Backoff {
  Duration initial = 0s;  ///< zero: restart at once, as OTP does
  double factor = 2.0;    ///< at least 1
  Duration maximum = 30s;
  double jitter = 0.2;  ///< 0 … 1
  Duration reset_after = 60s;
};

/// Counts restarts; says when there were too many.
class RestartIntensity {
 public:
  RestartIntensity(unsigned intensity, Duration period) noexcept
      : intensity_(intensity), period_(period) {}

  /// Counts one restart at `now`. False when there are now more than `intensity` within the period
  /// that ends at `now`.
  bool record(Instant now);

 private:
  unsigned intensity_;
  Duration period_;
  std::deque<Instant> restarts_;  // at most `intensity` between two calls
};

/// One child's way up the back-off.
class RestartDelay {
 public:
  /// The child ended after `lived`.
  void lived(Duration lived, const Backoff& backoff) noexcept;
  /// The delay before the next attempt.
  Duration next(const Backoff& backoff, Random& random) noexcept;

 private:
  unsigned attempts_ = 0;  // since the last reset
};

}  // namespace hawser
