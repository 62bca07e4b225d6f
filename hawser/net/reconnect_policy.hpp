// How long a client waits between two attempts to connect: exponential back-off with a cap, jitter,
// and a fresh start after a connection that held. Public; plain values without clock or chance of
// their own. (The supervisors' Backoff, restart_intensity.hpp, is another thing: its first restart
// is immediate, which a thousand clients of one broker that went down must not be.)
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/base/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// Where within the step's delay d the wait falls, uniformly.
enum class Jitter : std::uint8_t {
  none,   ///< exactly d: clients that lost one broker come back in one wave
  equal,  ///< [d/2, d]
  full,   ///< [base/2, d]: spreads most; never below base/2 all the same
};

/// The step's delay d is base, base × factor, base × factor² …, at most cap.
struct ReconnectBackoff {
  Duration base = 100ms;  ///< 1 ms to cap
  double factor = 2.0;    ///< 1 to 100
  Duration cap = 30s;     ///< base to 1 day
  Jitter jitter = Jitter::equal;
  /// A connection that has stood so long begins the row again; one that stood for less goes on
  /// where it was, so that a peer which accepts and hangs up is not hammered. 0: any connection
  /// does; Duration::max(): none.
  Duration stable_after = 10s;

  static constexpr Duration least_base = 1ms;
  static constexpr Duration most_cap = 24h;
  static constexpr double most_factor = 100.0;

  /// "backoff.field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// One client's way up the back-off. With settings that have faults it still waits at least 1 ms
/// and at most 1 day.
class ReconnectPolicy {
 public:
  explicit ReconnectPolicy(ReconnectBackoff settings = {}) noexcept : settings_(settings) {}

  /// How long to wait before the next attempt, and counts that attempt. Within [base/2, cap]
  /// whatever the jitter, however many attempts there were.
  Duration next(Random& random) noexcept;
  /// The connection stands, as far as the client's protocol is concerned.
  void connected(Instant at) noexcept { connected_at_ = at; }
  /// It is gone. Without connected() before it: an attempt that failed, which resets nothing.
  void lost(Instant at) noexcept;

  /// Delays handed out since the row began.
  unsigned attempts() const noexcept { return attempts_; }
  const ReconnectBackoff& settings() const noexcept { return settings_; }

 private:
  ReconnectBackoff settings_;
  unsigned attempts_ = 0;
  std::optional<Instant> connected_at_;
};

}  // namespace hawser
