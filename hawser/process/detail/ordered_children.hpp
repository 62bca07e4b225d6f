// The children of one_for_one, one_for_all and rest_for_one: in an order, with specs that stay.
// Internal; runs inside the supervisor's process.
//
// OTP's supervisor blocks while it starts and ends children, and so does the coroutine here: one
// change is carried out at a time, and what comes meanwhile (ends of children, calls) waits in a
// queue. Only questions are answered at once, and only a request to shut down cuts a start short.
#pragma once

#include <hawser/process/detail/child_keeper.hpp>
#include <hawser/process/process.hpp>

#include <coroutine>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <string_view>
#include <utility>

namespace hawser::detail {

class OrderedChildren final : public ChildKeeper {
 public:
  explicit OrderedChildren(const SupervisorOptions& options) : ChildKeeper(options) {}

  void begin(std::vector<ChildSpec> specs) override;
  void start_child(StartChild request, From<Pid> from) override;
  void terminate_child(TerminateChild request, From<bool> from) override;
  void restart_child(RestartChild request, From<Pid> from) override;
  void delete_child(DeleteChild request, From<bool> from) override;
  void await_started(From<bool> from) override;
  bool started() const noexcept override { return started_; }
  bool ends(Pid child) const noexcept override;
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
  struct Child {
    explicit Child(ChildSpec given) : spec(std::move(given)) {}
    ChildSpec spec;
    Pid pid;  // from its start until its end has been dealt with
    bool starting = false;
    std::uint64_t retry = 0;      // names the attempt to restart it that is due; 0 = none
    std::optional<Reason> ended;  // its end, seen and not yet dealt with
    RestartDelay delay;
    Instant since;
  };
  using Children = std::list<Child>;

  /// co_await changed(): the work goes on when something has come that it may be waiting for.
  class ChangeAwaiter {
   public:
    explicit ChangeAwaiter(OrderedChildren& owner) noexcept : owner_(owner) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine);
    void await_resume() const noexcept {}

   private:
    OrderedChildren& owner_;
    Waiter waiter_;
  };
  ChangeAwaiter changed() noexcept { return ChangeAwaiter(*this); }
  void notify();
  void enqueue(std::move_only_function<Task<>()> step);

  Task<> run();
  Task<Result<void>> start_one(Child& child);
  Task<Result<void>> wait_until_ready(Child& child);
  /// Starts what has no process, from `child` on to the last. On failure `child` is the one.
  Task<Result<void>> start_from(Child*& child);
  Task<> end_one(Child& child);
  /// The children after `first` (nullptr: all) but for `except`, last one first; temporary ones'
  /// specs go.
  Task<> end_after(const Child* first, const Child* except);

  Task<> deal_with_end(Pid pid);
  Task<> plan_restart(Child& child, std::string why);
  Task<> attempt_restart(Child& child);
  Task<> deal_with_retry(std::uint64_t token, bool failed);

  Task<> do_start_child(ChildSpec spec, From<Pid> from);
  Task<> do_terminate_child(TerminateChild request, From<bool> from);
  Task<> do_restart_child(std::string id, From<Pid> from);
  Task<> do_delete_child(std::string id, From<bool> from);

  Child& add(ChildSpec spec);
  void remove(Child& child);
  void forget_process(Child& child);
  Child* find(std::string_view id);
  Child* find(Pid pid);

  Children children_;  // in starting order
  std::map<std::string_view, Children::iterator> by_id_;
  std::map<Pid, Child*> by_pid_;
  std::deque<std::move_only_function<Task<>()>> steps_;
  std::vector<From<bool>> awaiting_started_;
  /// Whom end_after() ends.
  struct Ending {
    const Child* first;
    const Child* except;
  };
  std::optional<Ending> ending_;
  std::uint64_t unnamed_ = 0;  // ids given to those that came without
  bool started_ = false;
  Waiter* waiting_ = nullptr;
  // What the work waits for, besides the next step:
  std::uint64_t awaited_ = 0;
  std::optional<Result<Pid>> answer_;
  std::optional<Result<bool>> ready_;
  bool deadline_passed_ = false;
};

}  // namespace hawser::detail
