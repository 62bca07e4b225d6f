// Names of events, and the check of an alarm.
#include <hawser/net/server_events.hpp>

namespace hawser {

std::string_view to_string(ServerEvent::Kind kind) noexcept {
  using enum ServerEvent::Kind;
  switch (kind) {
    case suspended:
      return "suspended";
    case resumed:
      return "resumed";
    case accept_paused:
      return "accept paused";
    case accept_resumed:
      return "accept resumed";
    case alarm_raised:
      return "alarm raised";
    case alarm_cleared:
      return "alarm cleared";
    case drain_started:
      return "drain started";
    case connections_gone:
      return "connections gone";
    case drain_deadline:
      return "drain deadline";
    case killed:
      return "killed";
    case down:
      return "down";
  }
  return "unknown";
}

std::vector<std::string> Alarm::faults() const {
  std::vector<std::string> faults;
  if (name.empty()) faults.emplace_back("name: must not be empty");
  if (raise_at == 0) faults.emplace_back("raise_at: must be at least 1");
  if (clear_at >= raise_at) faults.emplace_back("clear_at: must be less than raise_at");
  if (cooldown < Duration::zero()) faults.emplace_back("cooldown: must not be negative");
  return faults;
}

}  // namespace hawser
