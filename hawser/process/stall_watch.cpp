// A stall is one value of the pulse's counter that stays while a handler runs.
#include <hawser/process/stall_watch.hpp>

#include <hawser/process/scheduler.hpp>
#include <hawser/process/telemetry.hpp>

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace hawser {

std::string Stall::text() const {
  return fmt::format(
      "{} has been in {} for {} ms and more (process index {}): nothing else runs on "
      "its scheduler meanwhile",
      handler, callback, std::chrono::duration_cast<std::chrono::milliseconds>(so_far).count(),
      process_index);
}

std::optional<Stall> StallDetector::look(Instant now, const SchedulerPulse& pulse) {
  if (limit_ <= Duration::zero()) return std::nullopt;
  const std::uint64_t count = pulse.callbacks.load(std::memory_order_relaxed);
  if (count != count_) {
    count_ = count;
    since_ = now;
    told_ = false;
    running_for_ = {};
    return std::nullopt;
  }
  const bool runs = pulse.handler.load(std::memory_order_relaxed) != nullptr;
  running_for_ = runs ? now - since_ : Duration{};
  if (told_ || now - since_ < limit_) return std::nullopt;
  const TypeInfo* handler = pulse.handler.load(std::memory_order_relaxed);
  if (handler == nullptr) return std::nullopt;  // nobody runs: it waits for something to do
  const char* callback = pulse.callback.load(std::memory_order_relaxed);
  Stall stall{handler->name, callback == nullptr ? "?" : callback,
              pulse.process_index.load(std::memory_order_relaxed), now - since_};
  // It ended while we were reading: then what was read may be of two callbacks.
  if (pulse.callbacks.load(std::memory_order_relaxed) != count) return std::nullopt;
  told_ = true;
  return stall;
}

void StallRecord::add(Instant when, std::size_t scheduler, const Stall& stall) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (last_.size() == kept) last_.erase(last_.begin());
  last_.push_back({when, scheduler, stall});
}

void StallRecord::note_running(Duration length) noexcept {
  // One watching thread writes.
  if (length.count() > longest_.load(std::memory_order_relaxed))
    longest_.store(length.count(), std::memory_order_relaxed);
}

std::vector<StallRecord::Seen> StallRecord::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

StallWatch::StallWatch(Duration limit, std::size_t schedulers, std::shared_ptr<StallRecord> record)
    : limit_(limit), detectors_(schedulers, StallDetector(limit)), record_(std::move(record)) {}

void StallWatch::look(Instant now, std::size_t scheduler, const SchedulerPulse& pulse,
                      Telemetry& telemetry) {
  StallDetector& detector = detectors_.at(scheduler);
  const auto stall = detector.look(now, pulse);
  record_->note_running(detector.running_for());
  if (!stall) return;
  record_->add(now, scheduler, *stall);
  telemetry.raise(
      trace_point::scheduler_stalled, LogLevel::warning, now, {},
      fmt::format("scheduler {}", scheduler),
      {{"scheduler", static_cast<std::int64_t>(scheduler)}, {"so_far_ns", stall->so_far.count()}},
      [&stall] { return stall->text(); });
}

}  // namespace hawser
