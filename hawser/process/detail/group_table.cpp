// Joining, leaving and handing out on one scheduler.
#include <hawser/process/detail/group_table.hpp>

#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/group.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/system.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace hawser::detail {
namespace {

class EventMessage final : public Message {
 public:
  explicit EventMessage(Event event) noexcept : event_(std::move(event)) {}
  void deliver(Process& receiver) override { receiver.deliver_event(event_); }
  std::string_view describe() const noexcept override { return event_.type_name(); }
  TraceKind trace_kind() const noexcept override { return TraceKind::event; }

 private:
  Event event_;
};

void tell(const std::vector<Pid>& watchers, std::string_view group, Pid member, bool joined) {
  for (const Pid watcher : watchers)
    send_info(watcher, GroupChange{std::string(group), member, joined});
}

}  // namespace

Result<bool> GroupTable::join(Process& process, std::string_view name) {
  auto& memberships = process.rare().memberships;
  auto found = groups_.find(name);
  if (found != groups_.end() &&
      std::any_of(memberships.begin(), memberships.end(),
                  [&](const Membership& each) { return each.group == &found->second; }))
    return false;
  auto watchers = scheduler_.system().groups().enter(name, process.pid());
  if (!watchers) return std::unexpected(std::move(watchers.error()));
  if (found == groups_.end()) {
    found = groups_.try_emplace(std::string(name)).first;
    found->second.name = found->first;
  }
  LocalGroup& group = found->second;
  memberships.push_back({&group, static_cast<std::uint32_t>(group.members.size())});
  group.members.push_back({&process, static_cast<std::uint32_t>(memberships.size() - 1)});
  if (++group.count == 1) tell_others(found->first, true);
  tell(*watchers, name, process.pid(), true);
  return true;
}

bool GroupTable::leave(Process& process, std::string_view name) {
  const auto found = groups_.find(name);
  if (found == groups_.end()) return false;
  const auto& memberships = process.rare().memberships;
  for (std::size_t place = 0; place < memberships.size(); ++place)
    if (memberships[place].group == &found->second) {
      leave_at(process, place);
      return true;
    }
  return false;
}

void GroupTable::leave_all(Process& process) {
  auto& memberships = process.rare().memberships;
  while (!memberships.empty()) leave_at(process, memberships.size() - 1);
}

void GroupTable::leave_at(Process& process, std::size_t place) {
  auto& memberships = process.rare().memberships;
  const Membership gone = memberships[place];
  LocalGroup& group = *gone.group;
  if (place + 1 != memberships.size()) {
    const Membership moved = memberships[place] = memberships.back();
    moved.group->members[moved.index].place = static_cast<std::uint32_t>(place);
  }
  memberships.pop_back();
  if (group.handing_out > 0) {
    group.members[gone.index].process = nullptr;
  } else {
    if (gone.index + 1 != group.members.size()) {
      const auto moved = group.members[gone.index] = group.members.back();
      moved.process->rare().memberships[moved.place].index = gone.index;
    }
    group.members.pop_back();
  }
  const std::string name(group.name);
  if (--group.count == 0) tell_others(name, false);
  drop_if_unused(group);
  tell(scheduler_.system().groups().leave(name, process.pid()), name, process.pid(), false);
}

void GroupTable::tell_others(const std::string& name, bool present) {
  // Told through the inboxes at once, it is there before anything that follows from the join.
  System& system = scheduler_.system();
  const unsigned here = scheduler_.number();
  for (unsigned number = 0; number < system.scheduler_count(); ++number) {
    if (number == here) continue;
    Scheduler& other = system.scheduler(number);
    other.post(
        [&other, name, here, present] { other.group_table().set_elsewhere(name, here, present); });
  }
}

void GroupTable::set_elsewhere(std::string_view name, unsigned scheduler, bool present) {
  auto found = groups_.find(name);
  if (found == groups_.end()) {
    if (!present) return;
    found = groups_.try_emplace(std::string(name)).first;
    found->second.name = found->first;
  }
  auto& elsewhere = found->second.elsewhere;
  const auto at = std::lower_bound(elsewhere.begin(), elsewhere.end(), scheduler);
  const bool known = at != elsewhere.end() && *at == scheduler;
  if (present && !known) elsewhere.insert(at, scheduler);
  if (!present && known) elsewhere.erase(at);
  drop_if_unused(found->second);
}

void GroupTable::drop_if_unused(LocalGroup& group) {
  if (group.count == 0 && group.elsewhere.empty() && group.handing_out == 0)
    groups_.erase(groups_.find(group.name));
}

void GroupTable::publish(const Event& event, Pid except) {
  const auto found = groups_.find(event.group());
  if (found == groups_.end()) return;
  for (const unsigned number : found->second.elsewhere) {
    Scheduler& other = scheduler_.system().scheduler(number);
    other.post([&other, event, except] { other.group_table().deliver(event, except); });
  }
  deliver(event, except);
}

void GroupTable::deliver(const Event& event, Pid except) {
  const auto found = groups_.find(event.group());
  if (found == groups_.end()) return;
  LocalGroup& group = found->second;
  // A full mailbox may end its process here, and what that does may join and leave: by index, and
  // no further than those who were members when it began.
  ++group.handing_out;
  const std::size_t end = group.members.size();
  for (std::size_t i = 0; i < end; ++i) {
    const Process* process = group.members[i].process;
    if (process == nullptr) continue;
    const Pid pid = process->pid();
    if (pid != except) Scheduler::send(pid, std::make_unique<EventMessage>(event));
  }
  if (--group.handing_out > 0) return;
  if (group.count != group.members.size()) close_gaps(group);
  drop_if_unused(group);
}

void GroupTable::close_gaps(LocalGroup& group) {
  std::uint32_t kept = 0;
  for (const auto& member : group.members) {
    if (member.process == nullptr) continue;
    member.process->rare().memberships[member.place].index = kept;
    group.members[kept++] = member;
  }
  group.members.resize(kept, {});
}

}  // namespace hawser::detail
