// The life of a process between spawn and the end of its last callback.
#include <hawser/process/process.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/registry.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <exception>
#include <stdexcept>

namespace hawser {

// ---- waiters
// ---------------------------------------------------------------------------------------

Waiter::~Waiter() {
  if (process_ == nullptr) return;
  *previous_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

void Waiter::enlist(Process& process, std::coroutine_handle<> coroutine, void* context) {
  check(process_ == nullptr, "a waiter waits for one thing at a time");
  auto& extras = process.extras();
  process_ = &process;
  coroutine_ = coroutine;
  context_ = context;
  id_ = ++extras.last_id;
  next_ = extras.waiters;
  if (next_ != nullptr) next_->previous_ = &next_;
  previous_ = &extras.waiters;
  extras.waiters = this;
}

void Waiter::resume() {
  *previous_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  process_ = nullptr;
  coroutine_.resume();  // the frame, and this waiter with it, may be gone after this line
}

Waiter* Process::find_waiter(std::uint64_t id) noexcept {
  if (extras_ == nullptr) return nullptr;
  Waiter* waiter = extras_->waiters;
  while (waiter != nullptr && waiter->id_ != id) waiter = waiter->next_;
  return waiter;
}

// ---- identity
// ---------------------------------------------------------------------------------------

Process::Process() noexcept = default;
Process::~Process() = default;

Process* Process::current() noexcept {
  const Scheduler* scheduler = Scheduler::current();
  return scheduler == nullptr ? nullptr : scheduler->running_;
}

Pid Process::pid() const noexcept { return {scheduler_, index_, generation_}; }

std::string_view Process::name() const noexcept {
  return extras_ == nullptr ? std::string_view{} : std::string_view{extras_->name};
}

std::string Process::label() const {
  if (!name().empty()) return std::string(name());
  return fmt::format("{}{}", handler_type().name, pid().text());
}

Process::Extras& Process::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>(*this);
  return *extras_;
}

Process::Rare& Process::rare() {
  auto& rare = extras().rare;
  if (rare == nullptr) rare = std::make_unique<Rare>();
  return *rare;
}

std::uint64_t Process::next_id() noexcept { return ++extras().last_id; }

// ---- fate
// -----------------------------------------------------------------------------------------

void Process::stop(Reason reason) {
  if (state_ == State::ended || stop_requested_) return;
  if (in_callback_) {
    stop_requested_ = true;
    stop_reason_ = std::move(reason);
  } else {
    end_now(std::move(reason));
  }
}

void Process::kill() {
  if (state_ == State::ended) return;
  by_force_ = true;
  if (in_callback_) {
    stop_requested_ = true;
    stop_reason_ = Reason::killed();
  } else {
    end_now(Reason::killed());
  }
}

void Process::end_now(Reason reason) noexcept {
  // Counts as a callback, so that nothing which ends meanwhile takes this object out of memory.
  Scheduler& scheduler = *scheduler_;
  scheduler.enter();
  finish(std::move(reason));
  scheduler.leave();
}

void Process::apply(Next&& next) {
  if (next.sends()) {
    throw std::logic_error(
        fmt::format("{} answered send(…), but it is no connection: only a "
                    "connection's handler can send packets",
                    handler_type().name));
  }
  if (next.stops()) {
    stop(next.reason());
    return;
  }
  if (const auto length = next.timeout_after()) set_idle_timeout(*length);
}

void Process::set_idle_timeout(Duration length) {
  scheduler_->timers().arm(extras().idle, scheduler_->now() + length);
  timeout_armed_ = true;
}

void Process::IdleTimer::fire() {
  if (process_.suspended_) {
    process_.scheduler_->timers().arm(*this, process_.scheduler_->now() + suspended_recheck);
    return;
  }
  process_.timeout_armed_ = false;
  if (process_.traced_) process_.trace(TraceKind::timeout, "timeout");
  process_.run_callback("timeout", [this] { process_.deliver_timeout(); });
}

void Process::crash_from_current_exception() noexcept {
  std::string what = "an exception that is no std::exception";
  try {
    throw;
  } catch (const std::exception& thrown) {
    what = thrown.what();
  } catch (...) {
  }
  const char* callback = scheduler_->callback_ == nullptr ? "" : scheduler_->callback_;
  const auto* message = scheduler_->message_;
  stop_requested_ = true;  // even over a stop asked for before: the crash is what happened
  stop_reason_ =
      Reason::crash(std::move(what), callback,
                    message == nullptr ? std::string{} : std::string(message->describe()));
}

void Process::finish(Reason reason) noexcept {
  if (state_ == State::ended) return;
  const bool initialised = state_ == State::running;
  state_ = State::ended;
  const bool call_terminate = initialised && !by_force_;
  Reason happened = reason;
  std::string state;
  {
    const CurrentProcess current(*this, "terminate");
    try {
      if (call_terminate) terminate_handler(reason);
    } catch (...) {
      // As in OTP, a crash in terminate is the reason from here on.
      stop_requested_ = false;
      crash_from_current_exception();
      happened = reason = stop_reason_;
    }
    // A crash is reported as what it was, whatever terminate makes of it for others.
    if (happened.kind() == Reason::Kind::crash && reports_crash_) state = state_for_report();
    release_resources(reason);
    if (extras_ != nullptr) {
      extras_->tasks.clear();  // before the handler, whose members they use
      extras_->timers.clear();
      if (extras_->rare != nullptr) {
        extras_->rare->timers.clear();
        release_groups();
      }
      extras_->idle.cancel();
    }
    destroy_handler();
  }
  if (happened.kind() == Reason::Kind::crash && reports_crash_) report_crash(happened, state);
  if (traced_) {
    trace(TraceKind::end, reason.text());
    stop_tracing();
  }
  release_name();
  const Pid self = pid();
  if (!initialised) parent_ = {};  // spawn's answer tells the parent
  notify_relations(reason);
  scheduler_->remove(*this);
  Mailbox* const boxes[] = {extras_ == nullptr ? nullptr : &extras_->deferred, &mailbox_};
  for (Mailbox* box : boxes)
    while (box != nullptr && !box->empty()) {
      const std::unique_ptr<Message> message(box->pop());
      message->undelivered(self, reason);
    }
  stop_reason_ = std::move(reason);
}

void Process::release_name() noexcept {
  if (name().empty()) return;
  RegistryScope* scope = extras_->rare == nullptr ? nullptr : extras_->rare->scope.get();
  if (scope == nullptr) scope = &scheduler_->system().registry();
  scope->unregister_name(name(), pid());
}

std::string Process::state_for_report() noexcept {
  if (!scheduler_->telemetry().wants(LogLevel::error)) return {};
  std::string state;
  try {
    state = describe_state();
  } catch (const std::exception& thrown) {
    state = fmt::format("describe() threw: {}", thrown.what());
  } catch (...) {
    state = "describe() threw";
  }
  const std::size_t limit = scheduler_->system().options().crash_state_bytes;
  if (state.size() > limit)
    state = fmt::format("{}… ({} bytes)", std::string_view(state).substr(0, limit), state.size());
  return state;
}

void Process::report_crash(const Reason& reason, std::string_view state) const {
  auto& telemetry = scheduler_->telemetry();
  if (!telemetry.wants(LogLevel::error)) return;
  telemetry.raise(trace_point::process_crashed, LogLevel::error, scheduler_->now(), pid(), label(),
                  {}, [&] { return crash_text(reason, state); });
}

std::string Process::crash_text(const Reason& reason, std::string_view state) const {
  std::string ancestors;
  Pid ancestor = parent_;
  for (int depth = 0; ancestor && depth < 16; ++depth) {
    // Only a process of this scheduler may be looked at; of one elsewhere the pid must do.
    const Process* process =
        ancestor.scheduler == scheduler_ ? scheduler_->find(ancestor) : nullptr;
    ancestors += (ancestors.empty() ? "" : " < ") +
                 (process == nullptr ? ancestor.text() : process->label());
    if (process == nullptr) break;
    ancestor = process->parent_;
  }
  std::string text = fmt::format("{} (pid {}, handler {}, under {})", reason.text(), pid().text(),
                                 handler_type().name, ancestors.empty() ? "nobody" : ancestors);
  if (!state.empty()) text += fmt::format(", state: {}", state);
  if (const auto traced = trace_report(); traced && !traced->last.empty()) {
    text += ", last events: ";
    for (const auto& event : traced->last)
      text += fmt::format("{} {}; ", to_string(event.kind), event.what);
  }
  return text;
}

// ---- tasks and timers
// --------------------------------------------------------------------------------

void Process::start(Task<void> task) {
  auto& tasks = extras().tasks;
  tasks.push_back(std::move(task));
  // By index: the task may start others, and the vector may move.
  const std::size_t index = tasks.size() - 1;
  const auto handle = tasks[index].handle();
  handle.resume();
}

std::size_t Process::task_count() const noexcept {
  return extras_ == nullptr ? 0 : extras_->tasks.size();
}

void Process::reap_tasks() {
  auto& tasks = extras_->tasks;
  for (std::size_t i = 0; i < tasks.size();) {
    if (!tasks[i].done()) {
      ++i;
      continue;
    }
    const Task<void> ended = std::move(tasks[i]);
    tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(i));
    ended.rethrow();
  }
}

Process::TimerId Process::send_after(Duration delay, std::unique_ptr<Message> message) {
  const TimerId id{next_id()};
  auto timer = std::make_unique<MessageTimer>(*this, id, std::move(message));
  scheduler_->timers().arm(*timer, scheduler_->now() + delay);
  extras_->timers.emplace(id, std::move(timer));
  return id;
}

bool Process::cancel_timer(TimerId timer) {
  return extras_ != nullptr && extras_->timers.erase(timer) != 0;
}

std::optional<Process::TimerId> Process::oldest_timer() const noexcept {
  if (extras_ == nullptr || extras_->timers.empty()) return std::nullopt;
  return extras_->timers.begin()->first;
}

void MessageTimer::fire() {
  // The timer's entry dies with the erase, this object included: take what is needed first.
  Process& process = process_;
  const auto id = id_;
  auto message = std::move(message_);
  process.cancel_timer(id);
  Scheduler::send(process.pid(), std::move(message));
}

// ---- inspection
// ---------------------------------------------------------------------------------------

void Process::set_suspended(bool suspended) {
  if (suspended == suspended_) return;
  suspended_ = suspended;
  if (!suspended && extras_ != nullptr) {
    mailbox_.prepend(extras_->deferred);
    if (!mailbox_.empty()) scheduler_->schedule(*this);
    release_parked_timers();
  }
  on_suspended(suspended);
}

Process::Statistics Process::statistics() const noexcept {
  Statistics statistics;
  statistics.messages = handled_;
  statistics.mailbox = mailbox_.size();
  statistics.age = scheduler_->now() - started_;
  statistics.suspended = suspended_;
  statistics.traced = traced_;
  statistics.links = link_count();
  if (extras_ != nullptr) {
    statistics.mailbox += extras_->deferred.size();
    statistics.tasks = extras_->tasks.size();
    statistics.dropped = extras_->dropped;
    statistics.unexpected = extras_->unexpected;
    statistics.timers = timer_count();
  }
  return statistics;
}

void Process::count_unexpected(std::string_view what) {
  // One line the first time, then only the counter: a flood of strays must not become one of lines.
  if (extras().unexpected++ == 0)
    scheduler_->log().warning(label(), fmt::format("unexpected message {} (dropped; more are only "
                                                   "counted)",
                                                   what));
}

// ---- callbacks
// -----------------------------------------------------------------------------------------

CurrentProcess::CurrentProcess(Process& process, const char* callback) noexcept
    : scheduler_(process.scheduler()),
      outer_process_(scheduler_.running_),
      outer_callback_(scheduler_.callback_),
      outer_message_(scheduler_.message_) {
  scheduler_.message_ = nullptr;
  scheduler_.running_ = &process;
  scheduler_.callback_ = callback;
  scheduler_.show_running();
}

CurrentProcess::~CurrentProcess() {
  scheduler_.running_ = outer_process_;
  scheduler_.callback_ = outer_callback_;
  scheduler_.message_ = outer_message_;
  scheduler_.show_running();
}

bool detail::begin_callback(Process& process) noexcept {
  if (!begin_quietly(process)) return false;
  if (process.timeout_armed_) process.cancel_idle_timeout();
  return true;
}

bool detail::begin_quietly(Process& process) noexcept {
  if (!process.alive() || process.in_callback_) {
    check(!process.in_callback_, "a process runs one callback at a time");
    return false;
  }
  process.in_callback_ = true;
  process.scheduler_->enter();
  return true;
}

void detail::end_callback(Process& process) noexcept {
  process.in_callback_ = false;
  Scheduler& scheduler = *process.scheduler_;
  process.after_callback();
  scheduler.leave();
}

void Process::enter_callback(const char* name) noexcept {
  scheduler_->callback_ = name;
  scheduler_->pulse_.callback.store(name, std::memory_order_relaxed);
}

void Process::cancel_idle_timeout() noexcept {
  extras_->idle.cancel();
  timeout_armed_ = false;
}

void Process::after_callback() noexcept {
  if (extras_ != nullptr && !extras_->tasks.empty()) {
    const CurrentProcess current(*this, "task");
    try {
      reap_tasks();
    } catch (...) {
      crash_from_current_exception();
    }
  }
  if (stop_requested_) finish(std::exchange(stop_reason_, {}));
}

}  // namespace hawser
