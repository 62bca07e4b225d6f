// Levels of 64 slots; a timer lies at the level whose span covers its distance, and moves down one
// level when the wheel reaches its slot.
#include <hawser/process/timer_wheel.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace hawser {

void Timer::cancel() noexcept {
  if (armed()) wheel_->take_out(*this);
}

std::uint64_t TimerWheel::tick_of(Instant at) noexcept {
  const auto nanoseconds = std::max<std::int64_t>(at.nanoseconds(), 0);
  return static_cast<std::uint64_t>(nanoseconds) / static_cast<std::uint64_t>(tick.count());
}

TimerWheel::TimerWheel(Instant now) noexcept : current_(tick_of(now)) {}

TimerWheel::~TimerWheel() {
  // The owners of the timers go their own way; they must not reach back into a wheel that is gone.
  for (auto& level : levels_)
    for (Timer* list : level.lists)
      while (list != nullptr) {
        Timer* next = list->next_;
        list->previous_ = nullptr;
        list = next;
      }
}

void TimerWheel::arm(Timer& timer, Instant deadline) noexcept {
  timer.cancel();
  if (deadline == Instant::never()) return;
  timer.deadline_ = deadline;
  timer.wheel_ = this;
  ++armed_;
  place(timer, current_ + 1);
}

void TimerWheel::place(Timer& timer, std::uint64_t earliest) noexcept {
  // A timer fires once its whole tick has passed, hence + 1: never early.
  std::uint64_t due = std::max(tick_of(timer.deadline_) + 1, earliest);
  constexpr std::uint64_t reach = std::uint64_t{1} << (slot_bits * levels);
  due = std::min(due, current_ + reach - 1);
  // The level is that of the highest digit (base 64) in which `due` differs from now: at every
  // lower level the slot would come round too early.
  const std::uint64_t difference = (due ^ current_) | 1;
  const unsigned highest = static_cast<unsigned>(std::bit_width(difference)) - 1;
  const unsigned level = std::min(highest / slot_bits, levels - 1);
  const auto slot = static_cast<std::size_t>((due >> (level * slot_bits)) & (slots - 1));
  Timer*& head = levels_[level].lists[slot];
  timer.next_ = head;
  if (head != nullptr) head->previous_ = &timer.next_;
  timer.previous_ = &head;
  head = &timer;
  levels_[level].occupied |= std::uint64_t{1} << slot;
}

void TimerWheel::take_out(Timer& timer) noexcept {
  *timer.previous_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  timer.previous_ = nullptr;
  timer.next_ = nullptr;
  --armed_;
  // An emptied slot keeps its bit: clearing it would need the slot's number, and a stale bit only
  // costs one look at an empty list.
}

Timer* TimerWheel::oldest_first(Timer* list) noexcept {
  Timer* reversed = nullptr;
  while (list != nullptr) {
    Timer* next = list->next_;
    list->next_ = reversed;
    reversed = list;
    list = next;
  }
  return reversed;
}

void TimerWheel::cascade(unsigned level) {
  const auto slot = static_cast<std::size_t>((current_ >> (level * slot_bits)) & (slots - 1));
  Timer* list = oldest_first(std::exchange(levels_[level].lists[slot], nullptr));
  levels_[level].occupied &= ~(std::uint64_t{1} << slot);
  while (list != nullptr) {
    Timer* next = list->next_;
    place(*list, current_);  // one that is due in this very tick still fires in it
    list = next;
  }
}

std::uint64_t TimerWheel::next_stop() const noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned shift = level * slot_bits;
    const std::uint64_t here = current_ >> shift;
    const auto digit = static_cast<unsigned>(here & (slots - 1));
    // Below the top level every timer lies ahead in the present round: placement goes by the
    // highest differing digit. At the top the round may wrap.
    const std::uint64_t ahead =
        digit == slots - 1 ? 0 : levels_[level].occupied >> (digit + 1) << (digit + 1);
    if (ahead != 0)
      return ((here & ~std::uint64_t{slots - 1}) + static_cast<unsigned>(std::countr_zero(ahead)))
             << shift;
    if (level == levels - 1 && levels_[level].occupied != 0)
      return ((here | (slots - 1)) + 1) << shift;
  }
  return UINT64_MAX;
}

void TimerWheel::advance(Instant now) {
  const std::uint64_t target = tick_of(now);
  while (current_ < target) {
    if (armed_ == 0) {
      for (auto& level : levels_) level.occupied = 0;
      current_ = target;
      return;
    }
    const std::uint64_t next = next_stop();
    if (next > target) {
      current_ = target;
      return;
    }
    current_ = next;
    if ((current_ & (slots - 1)) == 0) {
      // Highest level first: what comes down from there may have to move again.
      unsigned level = 1;
      while (level + 1 < levels && ((current_ >> (level * slot_bits)) & (slots - 1)) == 0) ++level;
      for (; level >= 1; --level) cascade(level);
    }
    const auto slot = static_cast<std::size_t>(current_ & (slots - 1));
    due_ = oldest_first(std::exchange(levels_[0].lists[slot], nullptr));
    levels_[0].occupied &= ~(std::uint64_t{1} << slot);
    for (Timer** link = &due_; *link != nullptr; link = &(*link)->next_) (*link)->previous_ = link;
    while (due_ != nullptr) {
      Timer& timer = *due_;
      take_out(timer);
      timer.fire();
    }
  }
}

Instant TimerWheel::next_due() const noexcept {
  if (armed_ == 0) return Instant::never();
  std::uint64_t best = UINT64_MAX;
  for (unsigned level = 0; level < levels; ++level) {
    std::uint64_t occupied = levels_[level].occupied;
    const unsigned shift = level * slot_bits;
    const std::uint64_t here = current_ >> shift;
    const auto digit = static_cast<unsigned>(here & (slots - 1));
    // Slots ahead in this round first, then those that belong to the next round.
    while (occupied != 0) {
      const std::uint64_t rotated =
          std::rotr(occupied, static_cast<int>((digit + 1) & (slots - 1)));
      const auto distance = static_cast<std::uint64_t>(std::countr_zero(rotated)) + 1;
      const auto slot = static_cast<unsigned>((here + distance) & (slots - 1));
      if (levels_[level].lists[slot] != nullptr) {
        best = std::min(best, (here + distance) << shift);
        break;
      }
      occupied &= ~(std::uint64_t{1} << slot);
    }
  }
  if (best == UINT64_MAX) return Instant::never();
  return Instant{Duration{static_cast<std::int64_t>(best) * tick.count()}};
}

}  // namespace hawser
