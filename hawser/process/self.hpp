// What a running callback may do with its own process: `self().monitor(…)`, `self().start(task)`.
// Public; only inside a callback or task, on the process's thread.
#pragma once

#include <hawser/base/check.hpp>
#include <hawser/base/random.hpp>
#include <hawser/process/group.hpp>
#include <hawser/process/named.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/registry_scope.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/spawn.hpp>
#include <hawser/process/task.hpp>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

class Log;

class Self {
 public:
  explicit Self(Process& process) noexcept : process_(&process) {}

  Pid pid() const noexcept { return process_->pid(); }
  std::string_view name() const noexcept { return process_->name(); }
  Pid parent() const noexcept { return process_->parent(); }
  /// A reference to this process as one with handler H.
  template <class H>
  Ref<H> ref() const noexcept {
    return Ref<H>(pid());
  }

  Instant now() const noexcept;
  Random& random() const noexcept;
  Log& log() const noexcept;
  System& system() const noexcept;

  /// Ends this process when the callback returns. The first reason given counts.
  void stop(Reason reason = Reason::normal()) const { process_->stop(std::move(reason)); }
  /// Sends an exit signal to another process, as OTP's exit/2; Reason::killed() cannot be trapped.
  void exit(Pid target, Reason reason) const { process_->exit(target, std::move(reason)); }
  /// Exit signals of links become Exit messages instead of ending this process.
  void trap_exit(bool trap = true) const noexcept { process_->set_trap_exit(trap); }

  void link(Pid other) const { process_->link(other); }
  void unlink(Pid other) const { process_->unlink(other); }
  /// One Down message follows, exactly once, also when `target` does not exist.
  MonitorId monitor(Pid target) const { return process_->monitor(target); }
  void demonitor(MonitorId monitor) const { process_->demonitor(monitor); }

  /// Runs a coroutine bound to this process; see Task.
  void start(Task<void> task) const { process_->start(std::move(task)); }

  /// Sends `value` to this process's own handle_info after `delay` (1 ms steps, never early).
  template <class T>
  Process::TimerId send_after(Duration delay, T value) const {
    return process_->send_after(delay, std::make_unique<InfoMessage<T>>(std::move(value)));
  }
  bool cancel_timer(Process::TimerId timer) const { return process_->cancel_timer(timer); }

  /// Calls handle_timer(name) after `length`, once or every `length`; replaces a timer of that
  /// name. See Process::start_timer.
  void start_timer(std::string_view timer, Duration length,
                   TimerMode mode = TimerMode::once) const {
    process_->start_timer(timer, length, mode);
  }
  /// True when it was armed; then it does not come any more.
  bool cancel_timer(std::string_view timer) const { return process_->cancel_timer(timer); }
  /// Until it fires next; nothing when no such timer is armed.
  std::optional<Duration> timer_left(std::string_view timer) const {
    return process_->timer_left(timer);
  }

  /// Membership of a process group: what is published there comes to handle_event. See Process.
  Result<bool> join(std::string_view group) const { return process_->join_group(group); }
  bool leave(std::string_view group) const { return process_->leave_group(group); }
  /// Answers the members now; each change comes as a GroupChange to handle_info.
  Result<std::vector<Pid>> watch_group(std::string_view group) const {
    return process_->watch_group(group);
  }
  bool unwatch_group(std::string_view group) const { return process_->unwatch_group(group); }
  /// Tells every member of `group`, this process too if it is one.
  template <class T>
  void publish(std::string_view group, T value) const {
    hawser::publish(system(), group, std::move(value));
  }
  template <class T>
  void publish_to_others(std::string_view group, T value) const {
    hawser::publish(system(), group, std::move(value), pid());
  }

  /// Starts a process on this scheduler, unlinked. Its init has run when this returns; the error
  /// tells why it did not come to life.
  template <class H, class... Arguments>
  Result<Ref<H>> spawn(SpawnOptions options, Arguments&&... arguments) const {
    return hawser::spawn<H>(process_->scheduler(), std::move(options),
                            std::forward<Arguments>(arguments)...);
  }
  /// The same, linked to this process as its parent.
  template <class H, class... Arguments>
  Result<Ref<H>> spawn_link(SpawnOptions options, Arguments&&... arguments) const {
    options.parent = pid();
    return hawser::spawn<H>(process_->scheduler(), std::move(options),
                            std::forward<Arguments>(arguments)...);
  }

  /// Finds a process of this System by name; no Pid when nobody has it.
  Pid whereis(std::string_view name) const;
  Pid whereis(const RegistryScope& scope, std::string_view name) const {
    return scope.whereis(name).value_or(Pid{});
  }

  Process& process() const noexcept { return *process_; }

 private:
  Process* process_;
};

/// The process whose callback runs now.
inline Self self() {
  Process* process = Process::current();
  check(process != nullptr, "self() is called from a callback or task of a process");
  return Self(*process);
}

/// co_await sleep(1s): resumes this task later, in the same process.
class [[nodiscard]] SleepAwaiter final : public Timer {
 public:
  explicit SleepAwaiter(Duration length) noexcept : length_(length) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine);
  void await_resume() const noexcept {}

 private:
  void fire() override;
  Duration length_;
  Waiter waiter_;
};
inline SleepAwaiter sleep(Duration length) noexcept { return SleepAwaiter(length); }

}  // namespace hawser
