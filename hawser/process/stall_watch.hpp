// Finds callbacks that hold their scheduler too long, while they still do, without any cost to
// them: somebody else looks at the scheduler's pulse now and then. Public; one object belongs to
// one watching thread, which may be any.
#pragma once

#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class Log;
struct SchedulerPulse;

/// One callback that has not come to its end.
struct Stall {
  std::string_view handler;   ///< the handler's type
  std::string_view callback;  ///< "handle_cast", …
  std::uint32_t process_index = 0;
  Duration so_far{};  ///< at least; longer by up to the time between two looks

  std::string text() const;
};

/// Watches one scheduler. Fed with the time and the pulse, it answers once a stall.
class StallDetector {
 public:
  /// Zero: never answers.
  explicit StallDetector(Duration limit) noexcept : limit_(limit) {}

  /// Look several times within the limit: a stall is told at the first look that sees it last that
  /// long.
  std::optional<Stall> look(Instant now, const SchedulerPulse& pulse);

 private:
  Duration limit_;
  std::uint64_t count_ = UINT64_MAX;  // the callback seen last
  Instant since_;                     // seen first
  bool told_ = false;
};

/// Watches all schedulers of a System and warns in its log.
class StallWatch {
 public:
  StallWatch(Duration limit, std::size_t schedulers);

  /// How often look() wants to be called for each scheduler.
  Duration interval() const noexcept { return limit_ / 4; }
  void look(Instant now, std::size_t scheduler, const SchedulerPulse& pulse, Log& log);

 private:
  Duration limit_;
  std::vector<StallDetector> detectors_;
};

}  // namespace hawser
