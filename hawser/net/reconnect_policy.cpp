// The arithmetic of reconnecting.
#include <hawser/net/reconnect_policy.hpp>

#include <hawser/base/quantity.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <utility>

namespace hawser {

std::vector<std::string> ReconnectBackoff::faults() const {
  std::vector<std::string> faults;
  if (base < least_base)
    faults.push_back(fmt::format("backoff.base: {} is below {}", duration_text(base),
                                 duration_text(least_base)));
  if (cap < base)
    faults.push_back(fmt::format("backoff.cap: {} is below backoff.base, which is {}",
                                 duration_text(cap), duration_text(base)));
  if (cap > most_cap)
    faults.push_back(
        fmt::format("backoff.cap: {} is above {}", duration_text(cap), duration_text(most_cap)));
  if (!(factor >= 1.0 && factor <= most_factor))  // also for what is no number
    faults.push_back(fmt::format("backoff.factor: {} is not within 1 to {}", factor, most_factor));
  if (stable_after < Duration::zero())
    faults.emplace_back("backoff.stable_after: must not be negative");
  return faults;
}

Duration ReconnectPolicy::next(Random& random) noexcept {
  const Duration base =
      std::clamp(settings_.base, ReconnectBackoff::least_base, ReconnectBackoff::most_cap);
  const Duration cap = std::clamp(settings_.cap, base, ReconnectBackoff::most_cap);
  const double factor = settings_.factor >= 1.0 ? settings_.factor : 1.0;

  // In doubles, so that many attempts overflow into "more than the cap" and nothing else.
  const double wanted =
      static_cast<double>(base.count()) * std::pow(factor, static_cast<double>(attempts_));
  const Duration step = wanted >= static_cast<double>(cap.count())
                            ? cap
                            : Duration{static_cast<Duration::rep>(wanted)};
  if (attempts_ < UINT_MAX) ++attempts_;

  Duration least = step;
  if (settings_.jitter == Jitter::equal) least = step / 2;
  if (settings_.jitter == Jitter::full) least = base / 2;
  const auto span = static_cast<std::uint64_t>((step - least).count());
  return least + Duration{static_cast<Duration::rep>(random.below(span + 1))};
}

void ReconnectPolicy::lost(Instant at) noexcept {
  const auto since = std::exchange(connected_at_, std::nullopt);
  if (since && at - *since >= settings_.stable_after) attempts_ = 0;
}

}  // namespace hawser
