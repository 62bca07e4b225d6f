// What the two kinds of supervisor have in common: children in an order, with specs that stay
// (OrderedChildren), and many children of one kind (DynamicChildren). Internal; runs inside the
// supervisor's process.
#pragma once

#include <hawser/process/self.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser::detail {

/// A step of a supervisor's own work on its way back to it; no full mailbox may lose it.
template <class T>
class StepMessage final : public Message {
 public:
  explicit StepMessage(T step) : step_(std::move(step)) {}
  void deliver(Process& receiver) override {
    Info info(type_info<T>, step_);
    receiver.deliver_info(info);
  }
  std::string_view describe() const noexcept override { return type_info<T>.name; }
  bool is_refusable() const noexcept override { return false; }

 private:
  T step_;
};

/// A start function on another scheduler has answered.
struct StartAnswer {
  std::uint64_t attempt;
  Result<Pid> result;
};
/// A child was given its time to end, and it is over.
struct EndDeadline {
  std::uint64_t token;
};
/// A child's next attempt is due (or must be counted and planned first: the last one failed).
struct RetryDue {
  std::uint64_t token;
  bool failed;
};

using StartFunction = std::function<Result<Pid>(const StartContext&)>;

class ChildKeeper {
 public:
  explicit ChildKeeper(const SupervisorOptions& options);
  ChildKeeper(const ChildKeeper&) = delete;
  ChildKeeper& operator=(const ChildKeeper&) = delete;
  virtual ~ChildKeeper() = default;

  virtual void begin(std::vector<ChildSpec> specs) = 0;
  virtual void start_child(StartChild request, From<Pid> from) = 0;
  virtual void terminate_child(TerminateChild request, From<bool> from) = 0;
  virtual void restart_child(RestartChild request, From<Pid> from) = 0;
  virtual void delete_child(DeleteChild request, From<bool> from) = 0;
  virtual void await_started(From<bool> from) = 0;
  virtual bool started() const noexcept = 0;
  /// That child is being ended, or is about to be, with others: all of them, or those of a restart.
  virtual bool ends(Pid) const noexcept { return stopping_.has_value(); }
  virtual std::vector<ChildInfo> which() const = 0;
  virtual ChildCounts count() const = 0;

  /// A linked or monitored process ended; perhaps a child, perhaps told before.
  virtual void process_ended(Pid pid, const Reason& reason) = 0;
  virtual void start_answered(std::uint64_t attempt, Result<Pid> result) = 0;
  virtual void deadline_passed(std::uint64_t token) = 0;
  virtual void retry_due(std::uint64_t token, bool failed) = 0;
  /// Ends all children, then the supervisor with `reason`. The first request counts.
  virtual void shut_down(const Reason& reason) = 0;

 protected:
  /// The child that is a supervisor has started, or why not.
  virtual void child_ready(std::uint64_t attempt, Result<bool> ready) = 0;

  /// Where a child goes; an error names a scheduler that does not exist.
  Result<Scheduler*> place(const std::optional<unsigned>& scheduler) const;
  /// Runs the start function here.
  static Result<Pid> start_here(const StartFunction& start, Scheduler& scheduler, Pid supervisor);
  /// Runs it on its own scheduler; StartAnswer{attempt} comes back.
  static void start_elsewhere(const StartFunction& start, Scheduler& scheduler,
                              std::uint64_t attempt);
  /// True when there is nothing to wait for: the child is no Supervisor, or one that has started.
  static bool ready_at_once(Pid child);
  /// Asks a child that is a supervisor; child_ready(attempt) follows.
  Task<> ask_ready(Pid child, std::uint64_t attempt);

  template <class Step>
  static Process::TimerId step_after(Duration delay, Step step) {
    return self().process().send_after(delay, std::make_unique<StepMessage<Step>>(step));
  }
  template <class Step>
  static void step_next(Step step) {
    Scheduler::send(self().pid(), std::make_unique<StepMessage<Step>>(step));
  }

  /// Counts a restart. False when that was one too many: this has been logged.
  bool count_restart(std::string_view child, std::string_view why);
  Duration restart_delay(RestartDelay& delay) const;
  static bool to_be_restarted(Restart restart, const Reason& reason) noexcept;
  static Error running_error(std::string_view operation, std::string_view id, Pid pid);

  const Strategy strategy_;
  const Backoff backoff_;
  std::optional<Reason> stopping_;
  std::uint64_t last_token_ = 0;  // names attempts, retries and deadlines

 private:
  const unsigned intensity_limit_;
  const Duration period_;
  RestartIntensity intensity_;
};

/// What makes a spec unusable, if anything does.
std::optional<Error> spec_error(const ChildSpec& spec);

std::unique_ptr<ChildKeeper> make_ordered_children(const SupervisorOptions& options);
std::unique_ptr<ChildKeeper> make_dynamic_children(const SupervisorOptions& options);

}  // namespace hawser::detail
