// Looking into a live process and turning its knobs, as OTP's sys: its state, statistics, trace,
// suspend and resume. Public. Every function has two forms: co_await sys::f(pid, …) in a task of a
// process, and sys::f(environment, pid, …) on a plain thread; both answer a Result. All of them
// travel as signals: they work on a suspended process, and no full mailbox refuses them.
//
// Errors: not_found (no such process), closed (it ended first), timeout, invalid_argument (it has
// another handler type), failed (the function given threw; the process is unhurt).
#pragma once

#include <hawser/process/call.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/trace.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace hawser::sys {

/// What get_status answers: everything that is known of any process.
struct Status {
  Pid pid;
  Pid parent;
  std::string name;     ///< registered name, or ""
  std::string handler;  ///< the handler's type
  std::string state;    ///< what the handler's describe() says, or ""
  bool trap_exit = false;
  Process::Statistics statistics;

  /// One line.
  std::string text() const;
};

namespace detail {

template <class R>
using Inspection = std::move_only_function<Result<R>(Process&)>;

template <class R>
class InspectMessage final : public Message {
 public:
  InspectMessage(Inspection<R> work, From<R> from)
      : work_(std::move(work)), from_(std::move(from)) {}
  void deliver(Process& receiver) override {
    try {
      from_.answer(work_(receiver));
    } catch (const std::exception& thrown) {
      from_.fail(Error{ErrorKind::failed, 0, "sys", thrown.what()});
    } catch (...) {
      from_.fail(Error{ErrorKind::failed, 0, "sys", "an exception that is no std::exception"});
    }
  }
  void undelivered(Pid, const Reason& reason) noexcept override { from_.fail(call_error(reason)); }
  std::string_view describe() const noexcept override { return "sys request"; }
  TraceKind trace_kind() const noexcept override { return TraceKind::system; }
  bool is_signal() const noexcept override { return true; }

 private:
  Inspection<R> work_;
  From<R> from_;
};

template <class R>
class Awaiter final : public hawser::detail::CallWaiter<R> {
 public:
  Awaiter(Pid target, Inspection<R> work, Duration timeout)
      : target_(target), work_(std::move(work)), timeout_(timeout) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    From<R> from = this->begin(coroutine, timeout_);
    Scheduler::send(target_,
                    std::make_unique<InspectMessage<R>>(std::move(work_), std::move(from)));
  }
  Result<R> await_resume() { return std::move(*this->result); }

 private:
  Pid target_;
  Inspection<R> work_;
  Duration timeout_;
};

template <class R>
Result<R> ask(Environment& environment, Pid target, Inspection<R> work, Duration timeout) {
  return hawser::detail::wait_for_answer<R>(environment, timeout, [&](From<R> from) {
    Scheduler::send(target, std::make_unique<InspectMessage<R>>(std::move(work), std::move(from)));
  });
}

/// The handler of the right type, or the error that says it is another.
template <class H>
Result<H*> handler_of(Process& process) {
  if (auto* handler = static_cast<H*>(process.handler(type_info<H>))) return handler;
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "sys", "the process has another handler type"});
}

template <class H>
Inspection<H> reading() {
  return [](Process& process) -> Result<H> {
    auto handler = handler_of<H>(process);
    if (!handler) return std::unexpected(std::move(handler.error()));
    return H(**handler);
  };
}
template <class H, class Change>
Inspection<bool> changing(Change change) {
  return [change = std::move(change)](Process& process) mutable -> Result<bool> {
    auto handler = handler_of<H>(process);
    if (!handler) return std::unexpected(std::move(handler.error()));
    change(**handler);
    return true;
  };
}
Result<Status> status_of(Process& process);
Result<Process::Statistics> statistics_of(Process& process);
Inspection<bool> suspending(bool suspended);
Inspection<bool> tracing(std::shared_ptr<const TraceOptions> options);
Result<TraceReport> trace_report_of(Process& process);
/// How sys::trace(pid, bool) is told: one log line an event, or nothing.
std::shared_ptr<const TraceOptions> logging(bool on);

}  // namespace detail

/// A copy of the handler.
template <class H>
  requires std::copy_constructible<H>
auto get_state(Ref<H> ref, Duration timeout = default_call_timeout) {
  return detail::Awaiter<H>(ref.pid(), detail::reading<H>(), timeout);
}
template <class H>
  requires std::copy_constructible<H>
Result<H> get_state(Environment& environment, Ref<H> ref, Duration timeout = default_call_timeout) {
  return detail::ask<H>(environment, ref.pid(), detail::reading<H>(), timeout);
}

/// Runs `change(handler)` inside the process. What it throws is the answer's error and does not
/// crash the process; what it had changed by then stays changed.
template <class H, std::invocable<H&> Change>
auto replace_state(Ref<H> ref, Change change, Duration timeout = default_call_timeout) {
  return detail::Awaiter<bool>(ref.pid(), detail::changing<H>(std::move(change)), timeout);
}
template <class H, std::invocable<H&> Change>
Result<bool> replace_state(Environment& environment, Ref<H> ref, Change change,
                           Duration timeout = default_call_timeout) {
  return detail::ask<bool>(environment, ref.pid(), detail::changing<H>(std::move(change)), timeout);
}

inline auto get_status(Pid pid, Duration timeout = default_call_timeout) {
  return detail::Awaiter<Status>(pid, detail::status_of, timeout);
}
Result<Status> get_status(Environment& environment, Pid pid,
                          Duration timeout = default_call_timeout);

/// What the handler's describe() says of its state.
detail::Awaiter<std::string> describe(Pid pid, Duration timeout = default_call_timeout);
Result<std::string> describe(Environment& environment, Pid pid,
                             Duration timeout = default_call_timeout);

inline auto statistics(Pid pid, Duration timeout = default_call_timeout) {
  return detail::Awaiter<Process::Statistics>(pid, detail::statistics_of, timeout);
}
Result<Process::Statistics> statistics(Environment& environment, Pid pid,
                                       Duration timeout = default_call_timeout);

/// From the answer on only signals are handled; messages wait (as many as the mailbox's limit
/// allows) and timers fall due after resume.
inline auto suspend(Pid pid, Duration timeout = default_call_timeout) {
  return detail::Awaiter<bool>(pid, detail::suspending(true), timeout);
}
Result<bool> suspend(Environment& environment, Pid pid, Duration timeout = default_call_timeout);
inline auto resume(Pid pid, Duration timeout = default_call_timeout) {
  return detail::Awaiter<bool>(pid, detail::suspending(false), timeout);
}
Result<bool> resume(Environment& environment, Pid pid, Duration timeout = default_call_timeout);

/// Sends the events of the process where `options` say, from the answer on, in place of what was
/// traced before: `co_await sys::trace(pid, TraceOptions().to(sink).keep(20))`.
inline auto trace(Pid pid, TraceOptions options, Duration timeout = default_call_timeout) {
  return detail::Awaiter<bool>(
      pid, detail::tracing(std::make_shared<const TraceOptions>(std::move(options))), timeout);
}
Result<bool> trace(Environment& environment, Pid pid, TraceOptions options,
                   Duration timeout = default_call_timeout);
/// One log line (level info) an event while on; off ends tracing of any form.
inline auto trace(Pid pid, bool on, Duration timeout = default_call_timeout) {
  return detail::Awaiter<bool>(pid, detail::tracing(detail::logging(on)), timeout);
}
Result<bool> trace(Environment& environment, Pid pid, bool on,
                   Duration timeout = default_call_timeout);

/// How many events of each kind there were, and the last ones. Error: invalid_argument when the
/// process is not traced.
inline auto trace_report(Pid pid, Duration timeout = default_call_timeout) {
  return detail::Awaiter<TraceReport>(pid, detail::trace_report_of, timeout);
}
Result<TraceReport> trace_report(Environment& environment, Pid pid,
                                 Duration timeout = default_call_timeout);

}  // namespace hawser::sys
