// When memory that a burst left behind may go back to the system: not in the burst's own pauses.
// Internal to the engines; their thread.
#pragma once

#include <hawser/base/time.hpp>

namespace hawser::detail {

/// Asked before each wait while there is something to give back; looks once a second.
class CalmWatch {
 public:
  static constexpr Duration interval = std::chrono::seconds(1);

  /// True at the second look in a row that finds it calm. `calm()` tells whether little was used
  /// since it was last asked.
  template <class Calm>
  bool over(Instant now, Calm calm) {
    if (now < next_) return false;
    const bool first = next_ == Instant{};
    next_ = now + interval;
    if (!calm() || first) return false;
    next_ = Instant{};
    return true;
  }

  /// How long it is until the next look. Unbounded after over() said yes.
  Duration left(Instant now) const noexcept {
    return next_ == Instant{} ? Duration::max() : next_ - now;
  }

 private:
  Instant next_{};
};

}  // namespace hawser::detail
