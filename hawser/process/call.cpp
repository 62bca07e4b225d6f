// What a caller is told when its callee could not answer.
#include <hawser/process/call.hpp>

#include <hawser/process/telemetry.hpp>

namespace hawser {

void detail::CallWaiterBase::tell_timed_out(Process& caller) {
  Scheduler& scheduler = caller.scheduler();
  if (!scheduler.telemetry().wants(LogLevel::debug)) return;
  scheduler.telemetry().raise(trace_point::call_timed_out, LogLevel::debug, scheduler.now(),
                              caller.pid(), caller.label(), {},
                              [] { return std::string("a call got no answer in time"); });
}

Error call_error(const Reason& reason) {
  switch (reason.kind()) {
    case Reason::Kind::no_process:
      return {ErrorKind::not_found, 0, "call", "no such process"};
    case Reason::Kind::overloaded:
      return {ErrorKind::overloaded, 0, "call", reason.text()};
    default:
      return {ErrorKind::closed, 0, "call", "the callee ended: " + reason.text()};
  }
}

}  // namespace hawser
