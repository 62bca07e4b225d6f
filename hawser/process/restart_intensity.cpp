// The arithmetic of restarts.
#include <hawser/process/restart_intensity.hpp>

#include <algorithm>
#include <cmath>

namespace hawser {

bool RestartIntensity::record(Instant now) {
  while (!restarts_.empty() && now - restarts_.front() > period_) restarts_.pop_front();
  restarts_.push_back(now);
  if (restarts_.size() <= intensity_) return true;
  restarts_.pop_front();  // the oldest can make no difference any more
  return false;
}

void RestartDelay::lived(Duration lived, const Backoff& backoff) noexcept {
  if (lived >= backoff.reset_after) attempts_ = 0;
}

Duration RestartDelay::next(const Backoff& backoff, Random& random) noexcept {
  if (backoff.initial <= Duration::zero()) return Duration::zero();
  if (attempts_++ == 0) return Duration::zero();
  // In doubles, so that many attempts overflow into "more than the maximum" and nothing else.
  const double steps = static_cast<double>(attempts_ - 2);
  const double wanted =
      static_cast<double>(backoff.initial.count()) * std::pow(std::max(backoff.factor, 1.0), steps);
  const double capped = std::min(wanted, static_cast<double>(backoff.maximum.count()));
  const double jitter = std::clamp(backoff.jitter, 0.0, 1.0) * (2.0 * random.unit() - 1.0);
  return Duration{static_cast<Duration::rep>(capped * (1.0 + jitter))};
}

}  // namespace hawser
