// A process that starts, watches and restarts others: OTP's supervisor, with back-off between
// restarts on top. Public.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/restart_intensity.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

enum class Strategy : unsigned char {
  one_for_one,         ///< only the child that ended is restarted
  one_for_all,         ///< all children are ended and started again
  rest_for_one,        ///< that child and those started after it
  simple_one_for_one,  ///< many children of one kind, added while running, no order among them
};

struct SupervisorOptions {
  Strategy strategy = Strategy::one_for_one;
  /// More than `intensity` restarts within `period`: the supervisor gives up, ends all children and
  /// itself with reason shutdown, and its own supervisor decides (OTP: 1 in 5 s). An attempt to
  /// restart that fails counts too; the end of a temporary child never does.
  unsigned intensity = 1;
  Duration period = 5s;
  Backoff backoff{};
  /// Started in this order, ended in the reverse one. simple_one_for_one: exactly one, the template
  /// of all children; none is started at first.
  std::vector<ChildSpec> children{};
};

enum class ChildState : unsigned char {
  starting,  ///< its start is under way (on another scheduler, or a supervisor's children)
  running,
  restarting,  ///< ended; the next attempt to start it is due
  stopped,     ///< its spec is kept: it ended and is not to be restarted, declined, or was ended
};

struct ChildInfo {
  std::string id;
  Pid pid;  ///< no Pid while there is none
  ChildState state = ChildState::stopped;
  Restart restart = Restart::permanent;
  bool supervisor = false;
};

struct ChildCounts {
  std::size_t specs = 0;        ///< simple_one_for_one: the children, restarting ones included
  std::size_t active = 0;       ///< running now
  std::size_t supervisors = 0;  ///< of `specs`
  std::size_t workers = 0;      ///< of `specs`
};

// ---- what a supervisor can be asked, by call ---------------------------------------------------
//
// Changes are carried out one after another, each after whatever start, end or restart is under
// way, so a caller may have to wait for a child's shutdown: choose the call's time-out accordingly.
// (They have constructors because g++ 12 destroys an aggregate twice that is a temporary in a
// co_await expression.)

/// Adds a child at the end of the order and starts it. Answers its pid (no Pid: it declined, and
/// the spec is kept unless temporary). Errors: already_exists (a child of that id is there; the
/// text names its pid), refused (that child is restarting), invalid_argument, and the start's own;
/// then nothing is added. simple_one_for_one: starts one more; only `start` and `scheduler` of the
/// spec are looked at, and each stands in for the template's when set.
struct StartChild {
  StartChild() = default;
  explicit StartChild(ChildSpec child) : spec(std::move(child)) {}
  ChildSpec spec;
  using Reply = Pid;
};

/// Ends a child within its shutdown time-out; its spec stays unless temporary. Also takes a child
/// that is waiting for its restart off that. Errors: not_found.
/// simple_one_for_one: by `pid`, and nothing stays.
struct TerminateChild {
  explicit TerminateChild(std::string child) : id(std::move(child)) {}
  explicit TerminateChild(Pid child) : pid(child) {}
  std::string id;
  Pid pid;  ///< looked at when `id` is empty
  using Reply = bool;
};

/// Starts a child again that is stopped. Errors: not_found, already_exists (it runs), refused (it
/// is restarting already), unsupported (simple_one_for_one), and the start's own.
struct RestartChild {
  explicit RestartChild(std::string child) : id(std::move(child)) {}
  std::string id;
  using Reply = Pid;
};

/// Removes the spec of a child that is stopped. Errors: not_found, already_exists (it runs),
/// refused (it is restarting), unsupported (simple_one_for_one).
struct DeleteChild {
  explicit DeleteChild(std::string child) : id(std::move(child)) {}
  std::string id;
  using Reply = bool;
};

/// Every child, in starting order (simple_one_for_one: in order of pids). Answered at once.
struct WhichChildren {
  using Reply = std::vector<ChildInfo>;
};

struct CountChildren {
  using Reply = ChildCounts;
};

/// Answers true when every child of the options runs, or with the error that kept one from it (then
/// the supervisor is gone). A supervisor whose children are all local and ready at once has started
/// when its spawn returns.
struct AwaitStarted {
  using Reply = bool;
};

namespace detail {
class ChildKeeper;
}

/// An ordinary handler; spawn it, or put supervisor(…) under another one. It ends its children, in
/// reverse order, when its parent's exit signal comes.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  void init();
  void handle_call(StartChild request, From<Pid> from);
  void handle_call(TerminateChild request, From<bool> from);
  void handle_call(RestartChild request, From<Pid> from);
  void handle_call(DeleteChild request, From<bool> from);
  void handle_call(AwaitStarted request, From<bool> from);
  std::vector<ChildInfo> handle_call(WhichChildren) const;
  ChildCounts handle_call(CountChildren) const;
  void handle_info(Info& info);
  void handle_shutdown(const Reason& reason);
  std::string describe() const;

  /// Every child of the options has been started.
  bool started() const noexcept;
  /// That child ends, or is about to, with others: because the supervisor does, or because its
  /// strategy restarts them.
  bool ends(Pid child) const noexcept;

 private:
  Pid parent_;
  std::unique_ptr<detail::ChildKeeper> children_;
  std::vector<ChildSpec> specs_;  // until init takes them
};

/// The spec of a supervisor as a child: it counts as started when its own children are, and may
/// take as long as they do to end.
ChildSpec supervisor(std::string id, SupervisorOptions options);

}  // namespace hawser
