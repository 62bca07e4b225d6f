// When an alarm is raised and cleared: threshold, hysteresis and cooldown as a plain state machine.
// Internal to the server's monitor; no clock of its own.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/net/server_events.hpp>

#include <cstddef>
#include <optional>

namespace hawser::detail {

class AlarmState {
 public:
  explicit AlarmState(const Alarm& alarm) noexcept : alarm_(&alarm) {}

  const Alarm& alarm() const noexcept { return *alarm_; }
  bool raised() const noexcept { return raised_; }

  /// What becomes of it when the figure is `value` at `now`: alarm_raised, alarm_cleared, nothing.
  std::optional<ServerEvent::Kind> update(std::size_t value, Instant now) noexcept {
    due_.reset();
    if (raised_) {
      if (value > alarm_->clear_at) return std::nullopt;
      raised_ = false;
      return ServerEvent::Kind::alarm_cleared;
    }
    if (value < alarm_->raise_at) return std::nullopt;
    if (may_rise_ && now < *may_rise_) {
      due_ = may_rise_;
      return std::nullopt;
    }
    raised_ = true;
    may_rise_ = now + alarm_->cooldown;
    return ServerEvent::Kind::alarm_raised;
  }

  /// Set when only the cooldown kept it down: look again then.
  const std::optional<Instant>& due() const noexcept { return due_; }

 private:
  const Alarm* alarm_;
  bool raised_ = false;
  std::optional<Instant> may_rise_;
  std::optional<Instant> due_;
};

}  // namespace hawser::detail
