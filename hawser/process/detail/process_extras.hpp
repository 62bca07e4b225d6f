// What only some processes have: links, monitors, tasks, timers, a name. Made on first use, so that
// an idle connection pays eight bytes for all of it. Internal to the process layer.
#pragma once

#include <hawser/process/process.hpp>
#include <hawser/process/task.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
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

struct Process::Extras {
  explicit Extras(Process& process) noexcept : idle(process) {}

  std::string name;
  std::set<Pid> links;
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
};

}  // namespace hawser
