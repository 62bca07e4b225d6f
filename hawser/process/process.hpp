// The unit of state, of concurrency and of failure: a mailbox, a handler and a fate. Internal base
// of everything that has a Pid; users write handlers (handler.hpp) and meet it through self().
// Every member belongs to the scheduler's thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/event.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/message.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/trace.hpp>
#include <hawser/process/type_name.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class Scheduler;
namespace detail {
class GroupTable;
}
template <class T>
class Task;

/// A coroutine of a process that waits for something: an answer, a timer, a packet. It lives in the
/// coroutine's frame and takes itself off the process's list when the frame goes.
class Waiter {
 public:
  Waiter() noexcept = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter();

  /// Registers with the running process; the answer quotes id().
  /// `context` is for whoever finds the waiter again by its id.
  void enlist(Process& process, std::coroutine_handle<> coroutine, void* context = nullptr);
  void* context() const noexcept { return context_; }
  bool waiting() const noexcept { return process_ != nullptr; }
  std::uint64_t id() const noexcept { return id_; }
  Process* process() const noexcept { return process_; }
  /// Takes it off the list and resumes the coroutine, which runs as part of the current callback.
  void resume();

 private:
  friend class Process;
  Process* process_ = nullptr;
  std::coroutine_handle<> coroutine_;
  void* context_ = nullptr;
  std::uint64_t id_ = 0;
  Waiter* next_ = nullptr;
  Waiter** previous_ = nullptr;
};

enum class MailboxOverflow : std::uint8_t {
  reject,       ///< the new message is refused; a local sender is told, a call answers overloaded
  drop_oldest,  ///< room is made by dropping the message that waited longest
  end,          ///< the process ends with reason overloaded
};

struct MailboxLimit {
  std::uint32_t messages = 1'000'000;  ///< waiting messages, at least 1; signals do not count
  MailboxOverflow overflow = MailboxOverflow::reject;
};

/// How often a named timer comes.
enum class TimerMode : std::uint8_t {
  once,
  /// At the start plus one, two, three … periods, however late a beat was handled: it does not
  /// drift. Beats that fell due meanwhile (a busy scheduler, a suspension) are skipped, not made up
  /// for.
  periodic,
};

namespace detail {
/// The parts of run_callback that need not be templates; begin answers false for an ended process.
bool begin_callback(Process& process) noexcept;
bool begin_quietly(Process& process) noexcept;
void end_callback(Process& process) noexcept;
}  // namespace detail

class Process {
 public:
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  virtual ~Process();

  /// The process whose callback runs on this thread now; nullptr outside of callbacks.
  static Process* current() noexcept;

  Pid pid() const noexcept;
  Scheduler& scheduler() const noexcept { return *scheduler_; }
  /// The registered name, or "" without one.
  std::string_view name() const noexcept;
  /// Name, else handler type and pid: what logs call it.
  std::string label() const;
  virtual const TypeInfo& handler_type() const noexcept = 0;
  /// The handler object when it is of that type, else nullptr.
  virtual void* handler(const TypeInfo& type) noexcept = 0;

  bool alive() const noexcept { return state_ != State::ended; }
  /// Ended, or about to when the running callback returns.
  bool stopping() const noexcept { return stop_requested_ || state_ == State::ended; }

  // ---- fate
  // --------------------------------------------------------------------------------------

  /// Ends this process when the running callback returns (at once when none runs).
  void stop(Reason reason);
  /// Ends this process by force: without terminate, over a stop asked for before, and without
  /// waiting for the messages in its mailbox.
  void kill();
  /// Sends another process an exit signal, as OTP's exit/2: `killed` is kill() there.
  void exit(Pid target, Reason reason);
  void set_trap_exit(bool trap) noexcept { trap_exit_ = trap; }
  bool trap_exit() const noexcept { return trap_exit_; }

  // ---- links and monitors (links.cpp)
  // --------------------------------------------------------------

  /// Both ends get an exit signal when the other ends; with a dead one at once (no_process).
  void link(Pid other);
  void unlink(Pid other);
  /// One Down follows, exactly once, unless demonitor() comes first.
  MonitorId monitor(Pid target);
  /// After this no Down of that monitor is delivered any more, not even one already in the mailbox.
  void demonitor(MonitorId monitor);
  Pid parent() const noexcept { return parent_; }
  std::size_t link_count() const noexcept;
  /// This end's view: an exit of `other` would mean something here.
  bool linked_to(Pid other) const noexcept;

  // ---- tasks and timers
  // ----------------------------------------------------------------------------

  /// Runs a coroutine bound to this process: destroyed with it, its exception crashes it.
  void start(Task<void> task);
  std::size_t task_count() const noexcept;

  enum class TimerId : std::uint64_t {};
  /// Delivers `message` to this process after `delay`.
  TimerId send_after(Duration delay, std::unique_ptr<Message> message);
  /// True when it was still to come.
  bool cancel_timer(TimerId timer);
  /// The timer set first of those that are still to come; ids grow.
  std::optional<TimerId> oldest_timer() const noexcept;

  // ---- named timers (named_timers.cpp)
  // -------------------------------------------------------------

  /// Calls handle_timer(name) after `length` (1 ms steps, never early), once or every `length`.
  /// Starting a name that runs already replaces it. Independent of traffic and of keep().timeout():
  /// neither restarts nor cancels the other. While suspended nothing fires: a `once` that fell due
  /// comes at resume, a `periodic` one at its next beat after it. Throws std::invalid_argument for
  /// a period below 1 ms.
  void start_timer(std::string_view name, Duration length, TimerMode mode = TimerMode::once);
  /// True when it was armed. Its handle_timer does not come any more, also when it was due already.
  bool cancel_timer(std::string_view name);
  /// Until it fires next; zero when it is due; nothing when no such timer is armed.
  std::optional<Duration> timer_left(std::string_view name) const;
  std::size_t timer_count() const noexcept;

  // ---- groups (group.cpp)
  // ------------------------------------------------------------------------------------

  /// From here on every publish to the group comes to handle_event, until leave_group or the end.
  /// False when it was a member. Errors: invalid_argument (no name), overloaded (max_groups).
  Result<bool> join_group(std::string_view group);
  /// True when it was a member. What waits in the mailbox still comes.
  bool leave_group(std::string_view group);
  /// Answers the members; from here on each change comes as a GroupChange to handle_info.
  Result<std::vector<Pid>> watch_group(std::string_view group);
  /// True when it was watched. A change already under way may still come.
  bool unwatch_group(std::string_view group);

  // ---- used by the layers above
  // ----------------------------------------------------------------------

  /// Carries a callback's answer out. A plain process cannot send packets; a connection overrides.
  virtual void apply(Next&& next);

  /// Runs `body` as a callback of this process, named for crash reports: what it throws crashes
  /// this process. For engine callbacks and timers that reach a process outside its mailbox.
  template <class Body>
  void run_callback(const char* name, Body&& body);
  /// The same for work of the runtime inside a process: the handler's own time-out goes on, unless
  /// as_callback of a layer above reaches the handler after all.
  template <class Body>
  void run_quietly(const char* name, Body&& body);

  /// Names the callback that runs now, for the crash report and the stall warning.
  void enter_callback(const char* name) noexcept;

  /// Hands an Info to the handler's handle_info (or drops and counts it when there is none).
  virtual void deliver_info(Info& info) = 0;
  /// Hands an event of a group to the handler's handle_event (or drops and counts it).
  virtual void deliver_event(Event& event) { count_unexpected(event.type_name()); }
  Waiter* find_waiter(std::uint64_t id) noexcept;
  std::uint64_t next_id() noexcept;

  /// What the observer shows beyond the common numbers; a connection adds its peer and traffic.
  virtual std::string describe_state() { return {}; }

  struct Statistics {
    std::uint64_t messages = 0;    ///< handled so far
    std::uint32_t mailbox = 0;     ///< waiting now
    std::uint64_t dropped = 0;     ///< refused or dropped by the mailbox limit
    std::uint64_t unexpected = 0;  ///< of a type that the handler does not handle
    Duration age{};
    std::size_t links = 0;
    std::size_t tasks = 0;
    std::size_t timers = 0;  ///< named ones
    bool suspended = false;
    bool traced = false;
  };
  Statistics statistics() const noexcept;

  /// OTP's sys:suspend and resume: while suspended only signals are handled; the rest waits.
  void set_suspended(bool suspended);
  bool suspended() const noexcept { return suspended_; }
  /// A timer that falls due for a suspended process looks again after this, until it is resumed.
  static constexpr Duration suspended_recheck = 20ms;
  // ---- tracing (trace.cpp)
  // -----------------------------------------------------------------------------------

  /// Writes one log line an event of this process while on.
  void set_traced(bool traced);
  /// Sends its events where the options say, from now on; nullptr: nowhere.
  void trace_with(std::shared_ptr<const TraceOptions> options);
  bool traced() const noexcept { return traced_; }
  /// Raises an event. Whoever has to put `what` together asks traced() first.
  void trace(TraceKind kind, std::string_view what);
  /// Raises packet_in or packet_out: its size, and as many bytes as the options ask for, but none
  /// of a handler that says redact_state.
  void trace_packet(TraceKind kind, std::string_view packet);
  /// Nothing when it is not traced.
  std::optional<TraceReport> trace_report() const;

  void set_mailbox_limit(MailboxLimit limit) noexcept { mailbox_limit_ = limit; }
  void count_unexpected(std::string_view what);

 protected:
  Process() noexcept;

  bool in_callback() const noexcept { return in_callback_; }
  /// A callback of the handler begins inside a quiet one.
  void cancel_idle_timeout_if_armed() noexcept {
    if (timeout_armed_) cancel_idle_timeout();
  }

  /// What the handler knows shall not be shown (redact_state).
  virtual bool redacts() const noexcept { return false; }
  /// The handler's init; called once, inside spawn. What it answers is applied.
  virtual void initialise() = 0;
  /// The handler's timeout().
  virtual void deliver_timeout() = 0;
  /// The handler's handle_timer(name); the name is valid for this call.
  virtual void deliver_timer(std::string_view name) { count_unexpected(name); }
  /// The handler's terminate(reason): called once, for every end of a process whose init came
  /// through, but for kill(). (One that ends because a linked process was killed has it called.)
  /// What it answers, if it answers a Reason, is what links, monitors and supervisors are told.
  virtual void terminate_handler(Reason& reason) = 0;
  /// The handler goes, before anybody is told of the end.
  virtual void destroy_handler() noexcept = 0;
  /// The process has ended: a connection closes its socket here. Before links are told.
  virtual void release_resources(const Reason&) noexcept {}
  /// suspend/resume reached the process: a connection stops or restarts reading.
  virtual void on_suspended(bool) {}
  /// True when the handler has handle_shutdown: its parent's exit signal goes there instead of
  /// ending it.
  virtual bool ends_in_its_own_time() const noexcept { return false; }
  virtual void deliver_shutdown(const Reason&) {}

 private:
  friend class Scheduler;
  friend class Waiter;
  friend class CurrentProcess;
  friend class detail::GroupTable;
  friend bool detail::begin_callback(Process& process) noexcept;
  friend bool detail::begin_quietly(Process& process) noexcept;
  friend void detail::end_callback(Process& process) noexcept;
  friend class ExitSignal;
  friend class LinkSignal;
  friend class UnlinkSignal;
  friend class UnlinkedSignal;
  friend class MonitorSignal;
  friend class DemonitorSignal;
  friend class DownSignal;

  enum class State : std::uint8_t { starting, running, ended };
  struct Extras;  // what an idle connection does not have: links, monitors, tasks, timers, a name
  struct Rare;    // and what few of those with extras have: named timers, groups, a scope
  class IdleTimer;
  class NamedTimer;
  Extras& extras();
  Rare& rare();
  void release_parked_timers();
  void release_groups();
  void stop_tracing() noexcept;
  void release_name() noexcept;

  template <class Body>
  void run_begun(const char* name, Body&& body);
  void run_message(std::unique_ptr<Message> message);
  void finish(Reason reason) noexcept;
  void end_now(Reason reason) noexcept;
  void crash_from_current_exception() noexcept;
  void receive_exit(Pid from, const Reason& reason);
  void notify_relations(const Reason& reason) noexcept;
  void forget_link(Pid other) noexcept;
  /// Its exit has come: true when that means anything.
  bool lose_link(Pid other) noexcept;
  void join_parent();
  /// The process itself when it lives on this scheduler, else nullptr.
  Process* find_local(Pid other) const noexcept;
  void after_callback() noexcept;
  void report_crash(const Reason& reason, std::string_view state) const;
  std::string crash_text(const Reason& reason, std::string_view state) const;
  /// What the crash report says of the handler; the handler is still there.
  std::string state_for_report() noexcept;
  void cancel_idle_timeout() noexcept;
  void set_idle_timeout(Duration length);
  void reap_tasks();

  Process* next_runnable_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;
  Mailbox mailbox_;
  MailboxLimit mailbox_limit_;
  State state_ = State::starting;
  bool queued_ = false;  // in the run queue
  bool in_callback_ = false;
  bool stop_requested_ = false;
  bool trap_exit_ = false;
  bool suspended_ = false;
  bool traced_ = false;
  bool timeout_armed_ = false;
  bool by_force_ = false;  // no terminate
  bool reports_crash_ = true;
  Reason stop_reason_;
  Pid parent_;  // linked at spawn; its exit is ours, our exit it is told
  Instant started_;
  std::uint64_t handled_ = 0;
  std::unique_ptr<Extras> extras_;
};

/// Marks `process` as the one running on this thread for its scope.
class CurrentProcess {
 public:
  CurrentProcess(Process& process, const char* callback) noexcept;
  CurrentProcess(const CurrentProcess&) = delete;
  CurrentProcess& operator=(const CurrentProcess&) = delete;
  ~CurrentProcess();

 private:
  Scheduler& scheduler_;
  Process* outer_process_;
  const char* outer_callback_;
  const Message* outer_message_;
};

template <class Body>
void Process::run_callback(const char* name, Body&& body) {
  if (!detail::begin_callback(*this)) return;
  run_begun(name, std::forward<Body>(body));
}

template <class Body>
void Process::run_quietly(const char* name, Body&& body) {
  if (!detail::begin_quietly(*this)) return;
  run_begun(name, std::forward<Body>(body));
}

template <class Body>
void Process::run_begun(const char* name, Body&& body) {
  {
    const CurrentProcess current(*this, name);
    try {
      body();
    } catch (...) {
      crash_from_current_exception();
    }
  }
  detail::end_callback(*this);
}

}  // namespace hawser
