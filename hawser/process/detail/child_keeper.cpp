// Starting children here and elsewhere, and counting their restarts.
#include <hawser/process/detail/child_keeper.hpp>

#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <chrono>
#include <exception>

namespace hawser::detail {

ChildKeeper::ChildKeeper(const SupervisorOptions& options)
    : strategy_(options.strategy),
      backoff_(options.backoff),
      intensity_limit_(options.intensity),
      period_(options.period),
      intensity_(options.intensity, options.period) {}

Result<Scheduler*> ChildKeeper::place(const std::optional<unsigned>& scheduler) const {
  if (!scheduler) return &self().process().scheduler();
  System& system = self().system();
  if (*scheduler < system.scheduler_count()) return &system.scheduler(*scheduler);
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "start_child",
                               fmt::format("there is no scheduler {}; this System has {}",
                                           *scheduler, system.scheduler_count())});
}

Result<Pid> ChildKeeper::start_here(const StartFunction& start, Scheduler& scheduler,
                                    Pid supervisor) {
  try {
    return start(StartContext{scheduler, supervisor});
  } catch (const std::exception& thrown) {
    return std::unexpected(
        Error{ErrorKind::failed, 0, "start", fmt::format("start threw: {}", thrown.what())});
  } catch (...) {
    return std::unexpected(
        Error{ErrorKind::failed, 0, "start", "start threw what is no std::exception"});
  }
}

void ChildKeeper::start_elsewhere(const StartFunction& start, Scheduler& scheduler,
                                  std::uint64_t attempt) {
  scheduler.post([start, &scheduler, attempt, supervisor = self().pid()] {
    Result<Pid> result = start_here(start, scheduler, supervisor);
    // Should the supervisor be gone by now, the child finds that out through its link.
    Scheduler::send(supervisor, std::make_unique<StepMessage<StartAnswer>>(
                                    StartAnswer{attempt, std::move(result)}));
  });
}

bool ChildKeeper::ready_at_once(Pid child) {
  Scheduler& here = self().process().scheduler();
  if (child.scheduler != &here) return false;
  Process* process = here.find(child);
  if (process == nullptr) return true;  // its exit is on its way
  const auto* inner = static_cast<const Supervisor*>(process->handler(type_info<Supervisor>));
  return inner == nullptr || inner->started();
}

Task<> ChildKeeper::ask_ready(Pid child, std::uint64_t attempt) {
  Result<bool> ready = co_await Ref<Supervisor>(child).call(AwaitStarted{}, Duration::max());
  // Another kind of process that supervises: it had started when its start function returned.
  if (!ready && ready.error().kind == ErrorKind::invalid_argument) ready = true;
  child_ready(attempt, std::move(ready));
}

bool ChildKeeper::count_restart(std::string_view child, std::string_view why) {
  const Self me = self();
  if (intensity_.record(me.now())) {
    me.log().warning(me.process().label(), fmt::format("restarts {}: {}", child, why));
    return true;
  }
  me.log().error(me.process().label(),
                 fmt::format("gives up: more than {} restarts within {} s; the last was of {}: {}",
                             intensity_limit_, to_seconds(period_), child, why));
  return false;
}

Duration ChildKeeper::restart_delay(RestartDelay& delay) const {
  return delay.next(backoff_, self().random());
}

bool ChildKeeper::to_be_restarted(Restart restart, const Reason& reason) noexcept {
  return restart == Restart::permanent || (restart == Restart::transient && !reason.is_graceful());
}

Error ChildKeeper::running_error(std::string_view operation, std::string_view id, Pid pid) {
  return {ErrorKind::already_exists, 0, std::string(operation),
          fmt::format("child \"{}\" is running as {}", id, pid.text())};
}

std::optional<Error> spec_error(const ChildSpec& spec) {
  if (!spec.start)
    return Error{ErrorKind::invalid_argument, 0, "child",
                 fmt::format("child \"{}\" has no start function", spec.id)};
  return std::nullopt;
}

}  // namespace hawser::detail
