// The parts of sys that need no handler type.
#include <hawser/process/sys.hpp>

#include <fmt/format.h>

#include <chrono>

namespace hawser::sys {

std::string Status::text() const {
  const double age = to_seconds(statistics.age);
  std::string line = fmt::format(
      "{} {}{}{}, {:.1f} s old, {} messages, {} waiting, {} dropped, {} links, {} tasks",
      pid.text(), handler, name.empty() ? "" : " ", name, age, statistics.messages,
      statistics.mailbox, statistics.dropped, statistics.links, statistics.tasks);
  if (statistics.suspended) line += ", suspended";
  if (!state.empty()) line += ": " + state;
  return line;
}

namespace detail {

Result<Status> status_of(Process& process) {
  Status status;
  status.pid = process.pid();
  status.parent = process.parent();
  status.name = process.name();
  status.handler = process.handler_type().name;
  status.state = process.describe_state();
  status.trap_exit = process.trap_exit();
  status.statistics = process.statistics();
  return status;
}

Result<Process::Statistics> statistics_of(Process& process) { return process.statistics(); }

Inspection<bool> suspending(bool suspended) {
  return [suspended](Process& process) -> Result<bool> {
    process.set_suspended(suspended);
    return true;
  };
}

Inspection<bool> tracing(std::shared_ptr<const TraceOptions> options) {
  return [options = std::move(options)](Process& process) -> Result<bool> {
    process.trace_with(options);
    return true;
  };
}

Result<TraceReport> trace_report_of(Process& process) {
  if (auto report = process.trace_report()) return std::move(*report);
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "trace_report", "the process is not traced"});
}

std::shared_ptr<const TraceOptions> logging(bool on) {
  return on ? std::make_shared<const TraceOptions>() : nullptr;
}

static Result<std::string> description_of(Process& process) { return process.describe_state(); }

}  // namespace detail

Result<Status> get_status(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<Status>(environment, pid, detail::status_of, timeout);
}

detail::Awaiter<std::string> describe(Pid pid, Duration timeout) {
  return detail::Awaiter<std::string>(pid, detail::description_of, timeout);
}
Result<std::string> describe(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<std::string>(environment, pid, detail::description_of, timeout);
}

Result<Process::Statistics> statistics(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<Process::Statistics>(environment, pid, detail::statistics_of, timeout);
}

Result<bool> suspend(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<bool>(environment, pid, detail::suspending(true), timeout);
}

Result<bool> resume(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<bool>(environment, pid, detail::suspending(false), timeout);
}

Result<bool> trace(Environment& environment, Pid pid, TraceOptions options, Duration timeout) {
  return detail::ask<bool>(
      environment, pid, detail::tracing(std::make_shared<const TraceOptions>(std::move(options))),
      timeout);
}

Result<bool> trace(Environment& environment, Pid pid, bool on, Duration timeout) {
  return detail::ask<bool>(environment, pid, detail::tracing(detail::logging(on)), timeout);
}

Result<TraceReport> trace_report(Environment& environment, Pid pid, Duration timeout) {
  return detail::ask<TraceReport>(environment, pid, detail::trace_report_of, timeout);
}

}  // namespace hawser::sys
