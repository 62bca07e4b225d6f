// The children of simple_one_for_one: many of one kind, without order among them. Internal; runs
// inside the supervisor's process.
//
// Each child goes its own way, so that a slow start of one holds up no other. A temporary child (a
// connection) costs one map entry here; what a restart needs is kept only for those that have one.
#pragma once

#include <hawser/process/detail/child_keeper.hpp>

#include <map>
#include <memory>
#include <optional>

namespace hawser::detail {

class DynamicChildren final : public ChildKeeper {
 public:
  explicit DynamicChildren(const SupervisorOptions& options) : ChildKeeper(options) {}

  void begin(std::vector<ChildSpec> specs) override;
  void start_child(StartChild request, From<Pid> from) override;
  void terminate_child(TerminateChild request, From<bool> from) override;
  void restart_child(RestartChild request, From<Pid> from) override;
  void delete_child(DeleteChild request, From<bool> from) override;
  void await_started(From<bool> from) override;
  bool started() const noexcept override { return true; }
  std::vector<ChildInfo> which() const override;
  ChildCounts count() const override;
  void process_ended(Pid pid, const Reason& reason) override;
  void start_answered(std::uint64_t attempt, Result<Pid> result) override;
  void deadline_passed(std::uint64_t token) override;
  void retry_due(std::uint64_t token, bool failed) override;
  void shut_down(const Reason& reason) override;

 protected:
  void child_ready(std::uint64_t attempt, Result<bool> ready) override;

 private:
  /// What only a child that may be restarted needs.
  struct Restartable {
    StartFunction start;                // empty: the template's
    std::optional<unsigned> scheduler;  // where it was started
    RestartDelay delay;
    Instant since;
  };
  struct Running {
    std::uint64_t number = 0;  // its id
    std::unique_ptr<Restartable> restartable;
  };
  struct Attempt {
    std::uint64_t number = 0;
    StartFunction start;  // empty: the template's
    std::optional<unsigned> scheduler;
    std::unique_ptr<Restartable> restartable;  // for a restart: what was known of it
    From<Pid> from;                            // for a first start
    bool is_restart = false;
    Pid pid;  // a supervisor that is there and has not started yet
  };
  /// Being ended by terminate_child.
  struct Ending {
    std::vector<From<bool>> froms;
    std::uint64_t deadline = 0;
  };

  void launch(Attempt attempt);
  /// The start function has answered.
  void started_process(std::uint64_t token, Attempt attempt, Result<Pid> result);
  void became_running(Attempt attempt);
  void start_failed(Attempt attempt, Error error);
  void plan_restart(std::uint64_t number, std::unique_ptr<Restartable> restartable,
                    std::string_view why);
  /// Asks one child to end, in the way of the template.
  void ask_to_end(Pid pid);
  void force_end(Pid pid);
  void finish_if_empty();

  ChildSpec template_;
  std::map<Pid, Running> running_;
  std::map<Pid, Ending> ending_;
  std::map<std::uint64_t, Attempt> starting_;  // by token
  std::map<std::uint64_t, std::pair<std::uint64_t, std::unique_ptr<Restartable>>> retrying_;
  std::uint64_t last_number_ = 0;
  std::uint64_t shutdown_deadline_ = 0;
  bool out_of_time_ = false;  // that deadline has passed: whoever still turns up is killed
};

}  // namespace hawser::detail
