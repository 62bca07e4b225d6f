// What only some processes have: links, monitors, tasks, timers, a name. Made on first use, so that
// an idle connection pays eight bytes for all of it; what is rarer still is one step further away.
// Internal to the process layer.
#pragma once

#include <hawser/process/detail/group_table.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/registry_scope.hpp>
#include <hawser/process/task.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// Calls the handler's timeout() when nothing came for the length asked for.
class Process::IdleTimer final : public Timer {
 public:
  explicit IdleTimer(Process& process) noexcept : process_(process) {}

 private:
  void fire() override;
  Process& process_;
};

/// A message to the process itself, later.
class MessageTimer final : public Timer {
 public:
  MessageTimer(Process& process, Process::TimerId id, std::unique_ptr<Message> message) noexcept
      : process_(process), id_(id), message_(std::move(message)) {}

 private:
  void fire() override;
  Process& process_;
  Process::TimerId id_;
  std::unique_ptr<Message> message_;
};

/// Calls the handler's handle_timer(name).
class Process::NamedTimer final : public Timer {
 public:
  explicit NamedTimer(Process& process) noexcept : process_(process) {}
  void start(std::string_view name, Duration length, TimerMode mode);
  /// The process is resumed: a timer that fell due meanwhile goes on.
  void resume();
  bool parked() const noexcept { return parked_; }

 private:
  void fire() override;
  void arm_next_beat();
  Process& process_;
  std::string_view name_;  // the key of the map's node that holds this timer
  Duration period_{};      // zero: once
  Instant beat_;           // the one waited for, also while parked
  bool parked_ = false;    // fell due while the process was suspended
};

struct Process::Rare {
  std::map<std::string, NamedTimer, std::less<>> timers;  // nodes stay where they are
  std::vector<detail::Membership> memberships;
  std::set<std::string, std::less<>> watched_groups;
  std::shared_ptr<detail::Tracer> tracer;  // shared with a sink's call, which may switch it off
  std::shared_ptr<RegistryScope> scope;    // of the name, unless it is the System's registry
};

/// The state of a link that holds; ids of unlinks are never zero.
inline constexpr std::uint64_t link_holds = 0;

struct Process::Extras {
  explicit Extras(Process& process) noexcept : idle(process) {}

  std::string name;
  /// `link_holds`, or the id of our unlink that the other end has not acknowledged.
  std::map<Pid, std::uint64_t> links;
  std::map<MonitorId, Pid> monitors;             // whom this process watches
  std::set<std::pair<Pid, MonitorId>> watchers;  // who watches this process
  Waiter* waiters = nullptr;
  std::vector<Task<void>> tasks;
  std::map<TimerId, std::unique_ptr<MessageTimer>> timers;
  Mailbox deferred;  // what came while suspended
  IdleTimer idle;
  std::uint64_t last_id = 0;
  std::uint64_t dropped = 0;
  std::uint64_t unexpected = 0;
  std::unique_ptr<Rare> rare;
};

}  // namespace hawser
