// One scheduler's part of the groups: its own members, and which other schedulers have some.
// Internal to the process layer; belongs to the scheduler's thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/event.hpp>
#include <hawser/process/pid.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class Process;
class Scheduler;

namespace detail {

struct LocalGroup {
  /// A member, and where in its list of memberships this group stands.
  struct Member {
    Process* process;
    std::uint32_t place;
  };
  std::string_view name;            // the key of the map's node
  std::vector<Member> members;      // nullptr: left while an event was handed out
  std::size_t count = 0;            // of members that are there
  std::vector<unsigned> elsewhere;  // numbers of other schedulers that have members
  std::uint32_t handing_out = 0;    // deliveries on the stack: places must not move
};

/// A process's side of it.
struct Membership {
  LocalGroup* group;
  std::uint32_t index;  // in the group's members
};

class GroupTable {
 public:
  explicit GroupTable(Scheduler& scheduler) noexcept : scheduler_(scheduler) {}

  /// True when it was no member yet.
  Result<bool> join(Process& process, std::string_view name);
  bool leave(Process& process, std::string_view name);
  void leave_all(Process& process);
  /// To the members here and to the other schedulers that have some.
  void publish(const Event& event, Pid except);
  /// To the members here.
  void deliver(const Event& event, Pid except);
  /// Another scheduler has got its first member, or lost its last.
  void set_elsewhere(std::string_view name, unsigned scheduler, bool present);

 private:
  void leave_at(Process& process, std::size_t place);
  void tell_others(const std::string& name, bool present);
  void drop_if_unused(LocalGroup& group);
  void close_gaps(LocalGroup& group);

  Scheduler& scheduler_;
  std::map<std::string, LocalGroup, std::less<>> groups_;
};

}  // namespace detail
}  // namespace hawser
