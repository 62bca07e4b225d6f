// A small, fast, seeded generator (xoshiro256**, public domain by Blackman and Vigna). The engine
// owns one and is the only source of chance; under `sim` its seed replays the run. Public; each
// object belongs to one thread. Not for keys and passwords.
#pragma once

#include <cstdint>

namespace hawser {

class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept;
  std::uint64_t operator()() noexcept { return next(); }
  static constexpr std::uint64_t min() noexcept { return 0; }
  static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }

  /// Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
  /// Uniform in [0, 1).
  double unit() noexcept;
  /// True with probability `p`; p ≤ 0 never, p ≥ 1 always.
  bool chance(double p) noexcept;

 private:
  std::uint64_t state_[4];
};

}  // namespace hawser
