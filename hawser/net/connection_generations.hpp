// The connections of one server on one scheduler, whatever settings each of them started with: a
// group of connections for each change of settings, seen as one. Internal to the connection
// supervisor; belongs to its thread.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/connection_group.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace hawser::detail {

class ConnectionGenerations {
 public:
  /// From now on connections come into a group with these parts; older groups go when they are
  /// empty.
  void begin(Scheduler& scheduler, Pid owner, ConnectionGroup::Parts parts) {
    groups_.push_back(std::make_shared<ConnectionGroup>(scheduler, owner, std::move(parts)));
    drop_empty();
  }
  const std::shared_ptr<ConnectionGroup>& current() const noexcept { return groups_.back(); }
  /// Oldest first.
  const std::vector<std::shared_ptr<ConnectionGroup>>& all() const noexcept { return groups_; }

  std::size_t size() const noexcept { return sum(&ConnectionGroup::size); }
  std::size_t lingering() const noexcept { return sum(&ConnectionGroup::lingering); }
  bool empty() const noexcept { return size() == 0 && lingering() == 0; }

  void for_each(const std::function<void(Connection&)>& visit) const {
    for (const auto& group : groups_) group->for_each(visit);
  }
  void cut_lingering() const {
    for (const auto& group : groups_) group->cut_lingering();
  }
  /// The owner gets one ConnectionsGone from each group.
  void tell_when_empty() const {
    for (const auto& group : groups_) group->tell_when_empty();
  }
  /// Costs nothing while there is only one.
  void drop_empty() {
    if (groups_.size() == 1) return;
    const auto current = groups_.back();
    std::erase_if(groups_, [&](const auto& each) { return each != current && each->empty(); });
  }

 private:
  std::size_t sum(std::size_t (ConnectionGroup::*figure)() const noexcept) const noexcept {
    std::size_t all = 0;
    for (const auto& group : groups_) all += ((*group).*figure)();
    return all;
  }
  std::vector<std::shared_ptr<ConnectionGroup>> groups_;  // shared with their connections
};

/// A walk along connections that may take several turns, whatever comes and goes meanwhile. Those
/// who come after its begin may or may not be met; it has an end in any case.
class ConnectionWalk {
 public:
  explicit ConnectionWalk(std::vector<std::shared_ptr<ConnectionGroup>> groups)
      : groups_(std::move(groups)) {
    for (const auto& group : groups_) left_ += group->size();
  }
  /// How many there are at most.
  std::size_t left() const noexcept { return left_; }
  /// Oldest first; nullptr at the end.
  Connection* next() {
    for (; left_ > 0 && group_ < groups_.size(); ++group_, cursor_.reset()) {
      if (!cursor_) cursor_.emplace(*groups_[group_]);
      if (Connection* const next = cursor_->next()) {
        --left_;
        return next;
      }
    }
    left_ = 0;
    return nullptr;
  }

 private:
  std::vector<std::shared_ptr<ConnectionGroup>> groups_;
  std::size_t group_ = 0;
  std::optional<ConnectionGroup::Cursor> cursor_;
  std::size_t left_ = 0;
};

}  // namespace hawser::detail
