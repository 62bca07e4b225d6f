// The table of all groups, and what a process and a plain thread do with it.
#include <hawser/process/group.hpp>

#include <hawser/process/detail/group_table.hpp>
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {

// ---- the table
// ----------------------------------------------------------------------------------------

std::size_t Groups::count(std::string_view group) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  return found == groups_.end() ? 0 : found->second.members.size();
}

std::vector<Pid> Groups::members(std::string_view group) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  if (found == groups_.end()) return {};
  return {found->second.members.begin(), found->second.members.end()};
}

std::vector<std::pair<std::string, std::size_t>> Groups::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const auto& [name, entry] : groups_)
    if (!entry.members.empty()) all.emplace_back(name, entry.members.size());
  return all;
}

Result<Groups::Entry*> Groups::entry(std::string_view group) {
  if (group.empty())
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "group", "a group's name must not be empty"});
  const auto found = groups_.find(group);
  if (found != groups_.end()) return &found->second;
  if (groups_.size() >= limit_)
    return std::unexpected(
        Error{ErrorKind::overloaded, 0, "group",
              fmt::format("there are {} groups, the System's limit (max_groups)", groups_.size())});
  return &groups_.try_emplace(std::string(group)).first->second;
}

void Groups::drop_if_unused(std::string_view group) noexcept {
  const auto found = groups_.find(group);
  if (found != groups_.end() && found->second.members.empty() && found->second.watchers.empty())
    groups_.erase(found);
}

Result<std::vector<Pid>> Groups::enter(std::string_view group, Pid member) {
  const std::lock_guard lock(mutex_);
  auto at = entry(group);
  if (!at) return std::unexpected(std::move(at.error()));
  (*at)->members.insert(member);
  return (*at)->watchers;
}

std::vector<Pid> Groups::leave(std::string_view group, Pid member) {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  if (found == groups_.end()) return {};
  found->second.members.erase(member);
  auto watchers = found->second.watchers;
  drop_if_unused(group);
  return watchers;
}

Result<std::vector<Pid>> Groups::watch(std::string_view group, Pid watcher) {
  const std::lock_guard lock(mutex_);
  auto at = entry(group);
  if (!at) return std::unexpected(std::move(at.error()));
  auto& watchers = (*at)->watchers;
  if (std::find(watchers.begin(), watchers.end(), watcher) == watchers.end())
    watchers.push_back(watcher);
  return std::vector<Pid>((*at)->members.begin(), (*at)->members.end());
}

bool Groups::unwatch(std::string_view group, Pid watcher) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  if (found == groups_.end()) return false;
  const bool was = std::erase(found->second.watchers, watcher) != 0;
  drop_if_unused(group);
  return was;
}

std::vector<Pid> Groups::one_a_scheduler(std::string_view group) const {
  const std::lock_guard lock(mutex_);
  std::vector<Pid> ones;
  const auto found = groups_.find(group);
  if (found == groups_.end()) return ones;
  const auto& members = found->second.members;
  for (auto at = members.begin(); at != members.end();) {
    ones.push_back(*at);
    at = members.upper_bound(Pid{at->scheduler, UINT32_MAX, UINT32_MAX});
  }
  return ones;
}

// ---- publishing
// ---------------------------------------------------------------------------------------

Pid detail::current_pid() noexcept {
  const Process* process = Process::current();
  return process == nullptr ? Pid{} : process->pid();
}

void publish_event(System& system, const Event& event, Pid except) {
  Scheduler* const here = Scheduler::current();
  if (here != nullptr && &here->system() == &system) {
    here->group_table().publish(event, except);
    return;
  }
  for (const Pid one : system.groups().one_a_scheduler(event.group())) {
    Scheduler& scheduler = *one.scheduler;
    scheduler.post([&scheduler, event, except] { scheduler.group_table().deliver(event, except); });
  }
}

// ---- a process's own
// ----------------------------------------------------------------------------------

Result<bool> Process::join_group(std::string_view group) {
  // A terminate that joins would leave a member behind that does not exist.
  if (state_ == State::ended)
    return std::unexpected(Error{ErrorKind::closed, 0, "group", "the process has ended"});
  return scheduler_->group_table().join(*this, group);
}

bool Process::leave_group(std::string_view group) {
  return extras_ != nullptr && extras_->rare != nullptr &&
         scheduler_->group_table().leave(*this, group);
}

Result<std::vector<Pid>> Process::watch_group(std::string_view group) {
  if (state_ == State::ended)
    return std::unexpected(Error{ErrorKind::closed, 0, "group", "the process has ended"});
  auto members = scheduler_->system().groups().watch(group, pid());
  if (members) rare().watched_groups.emplace(group);
  return members;
}

bool Process::unwatch_group(std::string_view group) {
  if (extras_ == nullptr || extras_->rare == nullptr) return false;
  auto& watched = extras_->rare->watched_groups;
  const auto found = watched.find(group);
  if (found == watched.end()) return false;
  watched.erase(found);
  return scheduler_->system().groups().unwatch(group, pid());
}

void Process::release_groups() {
  scheduler_->group_table().leave_all(*this);
  auto& rare = *extras_->rare;
  for (const auto& group : rare.watched_groups) scheduler_->system().groups().unwatch(group, pid());
  rare.watched_groups.clear();
}

}  // namespace hawser
