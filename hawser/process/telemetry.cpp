// Subscribers come and go behind a lock; an event takes it only when somebody wants the event.
#include <hawser/process/telemetry.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace hawser {

std::optional<std::int64_t> TelemetryEvent::measure(std::string_view name) const noexcept {
  const auto found = std::ranges::find(measures_, name, &Measure::name);
  if (found == measures_.end()) return std::nullopt;
  return found->value;
}

const std::string& TelemetryEvent::text() const {
  if (!text_) text_ = words_();
  return *text_;
}

Telemetry::Telemetry(Log& log)
    : log_(log), least_(log.level()), entries_(std::make_shared<const Entries>()) {}

Telemetry::Subscription::Subscription(Subscription&& other) noexcept
    : telemetry_(std::exchange(other.telemetry_, nullptr)), number_(other.number_) {}

Telemetry::Subscription& Telemetry::Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    reset();
    telemetry_ = std::exchange(other.telemetry_, nullptr);
    number_ = other.number_;
  }
  return *this;
}

Telemetry::Subscription::~Subscription() { reset(); }

void Telemetry::Subscription::reset() noexcept {
  if (Telemetry* const telemetry = std::exchange(telemetry_, nullptr)) telemetry->remove(number_);
}

Telemetry::Subscription Telemetry::subscribe(LogLevel least, Subscriber subscriber) {
  const std::lock_guard lock(mutex_);
  Entries all = *entries_;
  all.push_back({++last_number_, least, std::make_shared<const Subscriber>(std::move(subscriber))});
  publish(std::move(all));
  return {*this, last_number_};
}

void Telemetry::remove(std::uint64_t number) noexcept {
  const std::lock_guard lock(mutex_);
  Entries all = *entries_;
  std::erase_if(all, [number](const Entry& each) { return each.number == number; });
  publish(std::move(all));
}

/// With the lock held.
void Telemetry::publish(Entries entries) {
  LogLevel least = log_.level();
  for (const Entry& each : entries) least = std::min(least, each.least);
  entries_ = std::make_shared<const Entries>(std::move(entries));
  least_.store(least, std::memory_order_relaxed);
}

std::shared_ptr<const Telemetry::Entries> Telemetry::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

void Telemetry::drop(const Entry& entry, std::string_view why) noexcept {
  remove(entry.number);
  log_.warning("telemetry", fmt::format("a subscriber threw and is dropped: {}", why));
}

void Telemetry::raise(const TracePoint& point, LogLevel level, Instant when, Pid pid,
                      std::string_view source, std::initializer_list<Measure> measures,
                      const TelemetryEvent::Words& words) noexcept {
  const TelemetryEvent event(point, level, when, pid, source, {measures.begin(), measures.size()},
                             words);
  if (log_.enabled(level)) log_.write(level, source, event.text());
  const auto all = entries();
  for (const Entry& each : *all) {
    if (level < each.least) continue;
    try {
      (*each.subscriber)(event);
    } catch (const std::exception& thrown) {
      drop(each, thrown.what());
    } catch (...) {
      drop(each, "no std::exception");
    }
  }
}

}  // namespace hawser
