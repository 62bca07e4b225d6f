// What happens in a System, as events with a name and figures: connections, listeners, clients,
// crashes and stalls raise them, and whoever subscribes gets them; the log is the first subscriber.
// Public; any thread. An event that nobody wants costs one relaxed load and one branch.
#pragma once

#include <hawser/base/log.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/pid.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// One kind of event. The layers list theirs: process_points below, net in trace_points.hpp.
struct TracePoint {
  std::string_view name;  ///< "connection.ended"
};

namespace trace_point {
inline constexpr TracePoint process_crashed{"process.crashed"};
/// Measures: so_far_ns, scheduler.
inline constexpr TracePoint scheduler_stalled{"scheduler.stalled"};
/// A co_await of a call got no answer in time; raised by the caller.
inline constexpr TracePoint call_timed_out{"call.timed_out"};
}  // namespace trace_point

/// A figure of an event. Lengths of time are in nanoseconds, and their names end in _ns.
struct Measure {
  std::string_view name;
  std::int64_t value = 0;
};

/// Everything in it is borrowed for the subscriber's call.
class TelemetryEvent {
 public:
  using Words = std::function<std::string()>;
  TelemetryEvent(const TracePoint& point, LogLevel level, Instant when, Pid pid,
                 std::string_view source, std::span<const Measure> measures, const Words& words)
      : point_(point),
        level_(level),
        when_(when),
        pid_(pid),
        source_(source),
        measures_(measures),
        words_(words) {}

  std::string_view point() const noexcept { return point_.name; }
  LogLevel level() const noexcept { return level_; }
  Instant when() const noexcept { return when_; }
  Pid pid() const noexcept { return pid_; }  ///< no Pid when it is nobody's
  /// The server's, client's or process's name.
  std::string_view source() const noexcept { return source_; }
  std::span<const Measure> measures() const noexcept { return measures_; }
  std::optional<std::int64_t> measure(std::string_view name) const noexcept;
  /// The line that the log writes; put together at the first call.
  const std::string& text() const;

 private:
  const TracePoint& point_;
  LogLevel level_;
  Instant when_;
  Pid pid_;
  std::string_view source_;
  std::span<const Measure> measures_;
  const Words& words_;
  mutable std::optional<std::string> text_;
};

class Telemetry {
 public:
  using Subscriber = std::function<void(const TelemetryEvent&)>;

  /// `log`, which must outlive this, gets the events of its level and above.
  explicit Telemetry(Log& log);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  /// Ends a subscription when it goes. A call on another thread may still be under way then.
  class Subscription {
   public:
    Subscription() noexcept = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();
    explicit operator bool() const noexcept { return telemetry_ != nullptr; }

   private:
    friend class Telemetry;
    Subscription(Telemetry& telemetry, std::uint64_t number) noexcept
        : telemetry_(&telemetry), number_(number) {}
    void reset() noexcept;
    Telemetry* telemetry_ = nullptr;
    std::uint64_t number_ = 0;
  };

  /// From now on `subscriber` gets the events of `least` and above: on whatever thread raises them,
  /// so it must bear several at once, be short, and not subscribe or end subscriptions. One that
  /// throws is dropped with a log line. The Subscription must not outlive the System.
  [[nodiscard]] Subscription subscribe(LogLevel least, Subscriber subscriber);

  /// Whether anybody wants events of that level: ask first, then raise.
  bool wants(LogLevel level) const noexcept {
    return level >= least_.load(std::memory_order_relaxed);
  }
  void raise(const TracePoint& point, LogLevel level, Instant when, Pid pid,
             std::string_view source, std::initializer_list<Measure> measures,
             const TelemetryEvent::Words& words) noexcept;

 private:
  struct Entry {
    std::uint64_t number = 0;
    LogLevel least = LogLevel::off;
    std::shared_ptr<const Subscriber> subscriber;
  };
  using Entries = std::vector<Entry>;
  void remove(std::uint64_t number) noexcept;
  void publish(Entries entries);
  std::shared_ptr<const Entries> entries() const;
  void drop(const Entry& entry, std::string_view why) noexcept;

  Log& log_;
  std::atomic<LogLevel> least_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Entries> entries_;  // replaced as a whole, never changed
  std::uint64_t last_number_ = 0;
};

}  // namespace hawser
