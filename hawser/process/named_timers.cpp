// Timers that a process knows by name. They fire straight from the wheel and not through the
// mailbox: what is cancelled has nothing left that could still come.
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace hawser {
namespace {

/// Stands for the timer in the crash report, as the message being handled.
class TimerTick final : public Message {
 public:
  explicit TimerTick(std::string_view name) : text_(fmt::format("timer \"{}\"", name)) {}
  void deliver(Process&) override {}
  std::string_view describe() const noexcept override { return text_; }

 private:
  std::string text_;
};

}  // namespace

void Process::NamedTimer::start(std::string_view name, Duration length, TimerMode mode) {
  name_ = name;
  period_ = mode == TimerMode::periodic ? length : Duration::zero();
  parked_ = false;
  auto& scheduler = *process_.scheduler_;
  beat_ = scheduler.now() + std::max(length, Duration::zero());
  scheduler.timers().arm(*this, beat_);
}

void Process::NamedTimer::arm_next_beat() {
  auto& scheduler = *process_.scheduler_;
  const Instant now = scheduler.now();
  const auto missed = now < beat_ ? 0 : (now - beat_) / period_;
  beat_ = beat_ + period_ * (missed + 1);
  scheduler.timers().arm(*this, beat_);
}

void Process::NamedTimer::resume() {
  parked_ = false;
  if (period_ > Duration::zero()) {
    arm_next_beat();
  } else {
    process_.scheduler_->timers().arm(*this, process_.scheduler_->now());
  }
}

void Process::NamedTimer::fire() {
  Process& process = process_;
  Scheduler& scheduler = *process.scheduler_;
  if (process.suspended_) {
    parked_ = true;
    return;
  }
  // The callback may start or cancel timers, this one too, or end the process: what it is given is
  // its own, and nothing of this object is touched after it.
  const TimerTick tick(name_);
  const std::string name(name_);
  if (period_ > Duration::zero()) {
    arm_next_beat();
  } else {
    process.rare().timers.erase(process.rare().timers.find(name_));
  }
  if (process.traced_) process.trace(TraceKind::timer, name);
  // Quietly: a timer is no traffic, and the handler's time-out goes on.
  process.run_quietly("handle_timer", [&] {
    scheduler.message_ = &tick;
    process.deliver_timer(name);
  });
}

void Process::start_timer(std::string_view name, Duration length, TimerMode mode) {
  if (mode == TimerMode::periodic && length < TimerWheel::tick)
    throw std::invalid_argument(fmt::format(
        "start_timer(\"{}\"): a period is at least 1 ms, not {} ns", name, length.count()));
  auto& timers = rare().timers;
  auto found = timers.find(name);
  if (found == timers.end()) found = timers.try_emplace(std::string(name), *this).first;
  found->second.start(found->first, length, mode);
}

bool Process::cancel_timer(std::string_view name) {
  if (extras_ == nullptr || extras_->rare == nullptr) return false;
  auto& timers = extras_->rare->timers;
  const auto found = timers.find(name);
  if (found == timers.end()) return false;
  timers.erase(found);
  return true;
}

std::optional<Duration> Process::timer_left(std::string_view name) const {
  if (extras_ == nullptr || extras_->rare == nullptr) return std::nullopt;
  const auto found = extras_->rare->timers.find(name);
  if (found == extras_->rare->timers.end()) return std::nullopt;
  if (found->second.parked()) return Duration::zero();
  return std::max(found->second.deadline() - scheduler_->now(), Duration::zero());
}

std::size_t Process::timer_count() const noexcept {
  return extras_ == nullptr || extras_->rare == nullptr ? 0 : extras_->rare->timers.size();
}

void Process::release_parked_timers() {
  if (extras_->rare == nullptr) return;
  for (auto& [name, timer] : extras_->rare->timers)
    if (timer.parked()) timer.resume();
}

}  // namespace hawser
