// Finds callbacks that hold their scheduler too long, while they still do, without any cost to
// them: somebody else looks at the scheduler's pulse now and then. Public; one object belongs to
// one watching thread, which may be any.
#pragma once

#include <hawser/base/time.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class Telemetry;
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

  /// How long the callback seen last has run, as far as looks can tell; zero when none does.
  Duration running_for() const noexcept { return running_for_; }

 private:
  Duration limit_;
  std::uint64_t count_ = UINT64_MAX;  // the callback seen last
  Instant since_;                     // seen first
  bool told_ = false;
  Duration running_for_{};
};

/// What was seen of stalls; any thread.
class StallRecord {
 public:
  struct Seen {
    Instant when;
    std::size_t scheduler = 0;
    Stall stall;
  };
  static constexpr std::size_t kept = 32;

  void add(Instant when, std::size_t scheduler, const Stall& stall);
  void note_running(Duration length) noexcept;
  /// How many there were.
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// The longest callback that a look has met; callbacks shorter than the time between two looks
  /// are not seen.
  Duration longest() const noexcept { return Duration(longest_.load(std::memory_order_relaxed)); }
  /// The last ones, oldest first.
  std::vector<Seen> last() const;

 private:
  std::atomic<std::uint64_t> count_{0};
  std::atomic<Duration::rep> longest_{0};
  mutable std::mutex mutex_;
  std::vector<Seen> last_;
};

/// Watches all schedulers of a System, tells its telemetry (a warning) and keeps a record.
class StallWatch {
 public:
  StallWatch(Duration limit, std::size_t schedulers,
             std::shared_ptr<StallRecord> record = std::make_shared<StallRecord>());

  /// How often look() wants to be called for each scheduler.
  Duration interval() const noexcept { return limit_ / 2; }
  void look(Instant now, std::size_t scheduler, const SchedulerPulse& pulse, Telemetry& telemetry);

 private:
  Duration limit_;
  std::vector<StallDetector> detectors_;
  std::shared_ptr<StallRecord> record_;
};

}  // namespace hawser
