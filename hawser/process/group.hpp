// Groups of processes that are told the same things: join("room 7"), and every publish to "room 7"
// reaches handle_event. Public: publish from any process or thread, join and leave by self().
//
// A member is reached by one queue push, a scheduler that has members by one inbox push, and all of
// them share one immutable copy of the value. No lock is taken by a process that publishes: each
// scheduler has the list of its own members and knows which others have some; the table of all,
// behind a lock, serves joining, leaving, listing and plain threads.
//
// Order: what one publisher publishes reaches a member in that order, and in order with what it
// casts to it. Whoever hears (by a message, along any way) that a process has joined reaches it.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/event.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

class System;
namespace detail {
class GroupTable;
}

/// What a process that watches a group finds in handle_info.
struct GroupChange {
  std::string group;
  Pid member;
  bool joined = false;  ///< else it has left, or ended
};

/// The groups of one System: who is in which. Any thread.
class Groups {
 public:
  /// `limit`: how many groups there may be at a time (SystemOptions::max_groups).
  explicit Groups(std::size_t limit) noexcept : limit_(limit) {}

  std::size_t count(std::string_view group) const;
  /// Sorted by pid. One may have ended by the time it is used.
  std::vector<Pid> members(std::string_view group) const;
  /// Every group that has members, sorted, with their number.
  std::vector<std::pair<std::string, std::size_t>> list() const;

 private:
  friend class detail::GroupTable;
  friend class Process;
  friend void publish_event(System& system, const Event& event, Pid except);

  struct Entry {
    std::set<Pid> members;
    std::vector<Pid> watchers;  // in the order they came
  };
  /// Error: overloaded at the limit. Answers whom to tell of the change.
  Result<std::vector<Pid>> enter(std::string_view group, Pid member);
  std::vector<Pid> leave(std::string_view group, Pid member);
  Result<std::vector<Pid>> watch(std::string_view group, Pid watcher);
  bool unwatch(std::string_view group, Pid watcher) noexcept;
  /// One member on each scheduler that has some.
  std::vector<Pid> one_a_scheduler(std::string_view group) const;
  /// The group's entry, made if there is room.
  Result<Entry*> entry(std::string_view group);
  void drop_if_unused(std::string_view group) noexcept;

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> groups_;
  std::size_t limit_;
};

/// Publishes what publish() made. Any thread.
void publish_event(System& system, const Event& event, Pid except);

/// Tells every member of `group`, but for `except`, `value`. Any thread; from a process
/// self().publish is shorter. A member whose mailbox is full, or who has no handle_event for it,
/// drops and counts it.
template <class T>
void publish(System& system, std::string_view group, T value, Pid except = {});

namespace detail {
/// The process whose callback runs on this thread, or no Pid.
Pid current_pid() noexcept;
}  // namespace detail

template <class T>
void publish(System& system, std::string_view group, T value, Pid except) {
  publish_event(system, Event::make(group, detail::current_pid(), std::move(value)), except);
}

}  // namespace hawser
