// A hierarchical timing wheel: arming, moving and cancelling a timer cost a few nanoseconds however
// many there are, and nothing is paid for those that do not fire. Public; belongs to its
// scheduler's thread.
#pragma once

#include <hawser/base/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace hawser {

class TimerWheel;

/// One timer, embedded in whatever it wakes; no allocation. Destroyed or cancelled, it never fires.
class Timer {
 public:
  Timer() noexcept = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  bool armed() const noexcept { return previous_ != nullptr; }
  /// When it fires; meaningless while not armed.
  Instant deadline() const noexcept { return deadline_; }
  void cancel() noexcept;

 protected:
  /// Called by TimerWheel::advance, disarmed already: it may arm itself again or destroy itself.
  virtual void fire() = 0;

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer** previous_ = nullptr;  // the pointer that points here; nullptr = not armed
  TimerWheel* wheel_ = nullptr;
  Instant deadline_;
};

class TimerWheel {
 public:
  /// Timers fire at the end of the tick in which they fall due: up to this late, never early.
  static constexpr Duration tick = 1ms;

  explicit TimerWheel(Instant now) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  /// Arms `timer` (moves it when it is armed). Deadlines in the past fire at the next advance;
  /// never() disarms.
  void arm(Timer& timer, Instant deadline) noexcept;

  /// Fires everything due at `now`, in order of ticks. Timers armed meanwhile with a deadline
  /// already due wait for the next call, so that a timer which re-arms itself cannot hold the turn.
  void advance(Instant now);

  /// Not later than the next timer's firing; never() when none is armed. May be earlier, by at most
  /// what a far timer's coarse slot leaves open: the scheduler then merely looks again.
  Instant next_due() const noexcept;

  std::size_t armed() const noexcept { return armed_; }

 private:
  friend class Timer;
  // 64 slots a level make one 64-bit map of occupied slots; six levels of 1 ms ticks reach two
  // years, and what lies beyond waits in the last slot and is placed again from there.
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned slots = 1U << slot_bits;
  static constexpr unsigned levels = 6;

  struct Level {
    std::uint64_t occupied = 0;
    std::array<Timer*, slots> lists{};
  };
  void place(Timer& timer, std::uint64_t earliest) noexcept;
  void take_out(Timer& timer) noexcept;
  void cascade(unsigned level);
  /// Slots are filled at the front; timers armed in one turn shall fire in the order armed.
  static Timer* oldest_first(Timer* list) noexcept;
  /// The next tick at which some slot, of any level, may hold a timer.
  std::uint64_t next_stop() const noexcept;
  static std::uint64_t tick_of(Instant at) noexcept;

  std::array<Level, levels> levels_{};
  Timer* due_ = nullptr;       // taken from its slot, waiting for its turn to fire
  std::uint64_t current_ = 0;  // ticks up to and including this one have fired
  std::size_t armed_ = 0;
};

}  // namespace hawser
