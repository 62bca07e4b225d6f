// How one child of a supervisor is started, restarted and ended. Public; plain values.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/spawn.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace hawser {

enum class Restart : unsigned char {
  permanent,  ///< always restarted
  transient,  ///< restarted unless it ended normal or shutdown
  temporary,  ///< never restarted; its specification goes with it
};

/// What a start function gets: where to start, and under whom.
struct StartContext {
  Scheduler& scheduler;
  Pid parent;
};

struct ChildSpec {
  /// Unique among its siblings; "": the supervisor gives one ("#1", … or, simple_one_for_one, "1").
  std::string id{};
  /// Starts the process, linked to `parent`, and answers when its init is through. Called again for
  /// each restart, on the thread of the scheduler it starts on. Error kind cancelled = "declined":
  /// not an error, the child is just not there. What it throws is an error like any.
  std::function<Result<Pid>(const StartContext&)> start{};
  Restart restart = Restart::permanent;
  /// How long the child may take to end after the exit signal `shutdown`; then it is killed.
  /// zero = killed at once; Duration::max() = as long as it takes (right for supervisors).
  Duration shutdown = 5s;
  /// A supervisor itself: told apart in count_children, and started only when its own children are.
  bool supervisor = false;
  /// The scheduler it runs on; unset = the supervisor's own.
  std::optional<unsigned> scheduler{};
};

/// The spec of a plain process with handler H; `arguments` are kept and copied into each start.
/// Adjust the rest by assignment: `auto spec = worker<Clock>("clock"); spec.restart = …`.
template <class H, class... Arguments>
ChildSpec worker(std::string id, Arguments... arguments) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.start = [... kept = std::move(arguments)](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<H>(context.scheduler, SpawnOptions{.parent = context.parent}, kept...);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

}  // namespace hawser
