// Watching what one process does, as OTP's sys:trace, log and statistics: which events there are
// and where they go. Public; switched on at the start (SpawnOptions::trace) or at any time
// (sys::trace). A process that is not traced pays one branch a message.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/process/pid.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

enum class TraceKind : std::uint8_t {
  message,      ///< came: of none of the kinds below (a layer's own step)
  call,         ///< came
  cast,         ///< came
  event,        ///< came: published to a group
  info,         ///< came: send_info, Down
  answer,       ///< came: to a call that this process made
  exit,         ///< came: an exit signal
  signal,       ///< came: link, monitor and their like
  system,       ///< came: a request of sys::
  timer,        ///< a named timer fired
  timeout,      ///< keep().timeout(…) passed
  message_out,  ///< sent to another process, of any kind
  packet_in,    ///< raised by connections: a packet for the handler
  packet_out,   ///< the same: one that the handler sent is on its way to the socket
  end,          ///< it has ended, with this reason
};
inline constexpr std::size_t trace_kinds = 15;

/// "cast", "message_out", …
std::string_view to_string(TraceKind kind) noexcept;

struct TraceEvent {
  Instant when;
  Pid pid;
  TraceKind kind{};
  std::string what;  ///< the message's type, the timer's name, the reason
};

/// Where events go. None of the three: one log line each, level info.
class TraceOptions {
 public:
  using Sink = std::function<void(const TraceEvent&)>;

  TraceOptions() {}  // NOLINT(modernize-use-equals-default): no aggregate, see CONTRIBUTING
  /// Called on the process's thread, in the midst of its work: short, and sends of its own are not
  /// traced. One that throws is dropped with a warning, and tracing ends.
  TraceOptions&& to(Sink sink) && {
    sink_ = std::move(sink);
    return std::move(*this);
  }
  /// Each TraceEvent comes to that process's handle_info. Not itself.
  TraceOptions&& to(Pid collector) && {
    collector_ = collector;
    return std::move(*this);
  }
  /// The last `events` are kept, for the crash report and sys::trace_report.
  TraceOptions&& keep(std::size_t events) && {
    keep_ = events;
    return std::move(*this);
  }

  /// packet_in and packet_out also show the first `bytes` of the packet; by default only how long
  /// it is, since packets hold what logs must not.
  TraceOptions&& show(std::size_t bytes) && {
    show_ = bytes;
    return std::move(*this);
  }

  const Sink& sink() const noexcept { return sink_; }
  Pid collector() const noexcept { return collector_; }
  std::size_t kept() const noexcept { return keep_; }
  std::size_t shown() const noexcept { return show_; }
  bool logs() const noexcept { return !sink_ && !collector_ && keep_ == 0; }

 private:
  Sink sink_;
  Pid collector_;
  std::size_t keep_ = 0;
  std::size_t show_ = 0;
};

/// What sys::trace_report answers.
struct TraceReport {
  std::array<std::uint64_t, trace_kinds> counts{};  ///< by kind, since tracing was switched on
  std::vector<TraceEvent> last;                     ///< oldest first; what keep() asked for
  std::uint64_t count(TraceKind kind) const noexcept {
    return counts[static_cast<std::size_t>(kind)];
  }
};

namespace detail {

/// What a traced process has.
class Tracer {
 public:
  explicit Tracer(std::shared_ptr<const TraceOptions> options) : options_(std::move(options)) {}
  const TraceOptions& options() const noexcept { return *options_; }
  TraceReport report() const;
  /// True unless a sink is at work: what it does is not traced.
  bool begin() noexcept { return !std::exchange(busy_, true); }
  void end() noexcept { busy_ = false; }
  void note(const TraceEvent& event);

 private:
  std::shared_ptr<const TraceOptions> options_;  // shared by all that are traced alike
  std::array<std::uint64_t, trace_kinds> counts_{};
  std::vector<TraceEvent> ring_;
  std::size_t oldest_ = 0;
  bool busy_ = false;
};

}  // namespace detail
}  // namespace hawser
