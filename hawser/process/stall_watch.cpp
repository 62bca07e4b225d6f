// A stall is one value of the pulse's counter that stays while a handler runs.
#include <hawser/process/stall_watch.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <chrono>

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
    return std::nullopt;
  }
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

StallWatch::StallWatch(Duration limit, std::size_t schedulers)
    : limit_(limit), detectors_(schedulers, StallDetector(limit)) {}

void StallWatch::look(Instant now, std::size_t scheduler, const SchedulerPulse& pulse, Log& log) {
  if (const auto stall = detectors_.at(scheduler).look(now, pulse))
    log.warning(fmt::format("scheduler {}", scheduler), stall->text());
}

}  // namespace hawser
