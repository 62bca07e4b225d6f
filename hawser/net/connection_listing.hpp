// One listing of connections, made a piece a turn: fifteen thousand of them in one go would hold
// their scheduler for milliseconds. Internal to the connection supervisor; belongs to its thread.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/process/call.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace hawser::detail {

class ConnectionListing {
 public:
  using List = std::vector<ConnectionInfo>;

  ConnectionListing(std::vector<std::shared_ptr<ConnectionGroup>> groups, From<List> from)
      : groups_(std::move(groups)), from_(std::move(from)) {
    // Those who come while it is made are not waited for: it has an end.
    for (const auto& group : groups_) left_ += group->size();
    list_.reserve(left_);
  }

  /// Writes at most `count` connections down; answers the caller and true when that was the last.
  bool go_on(std::size_t count) {
    for (; count > 0 && left_ > 0; --count, --left_) {
      Connection* const next = next_connection();
      if (next == nullptr) break;
      list_.push_back(next->info());
    }
    if (left_ > 0 && count == 0) return false;
    from_.reply(std::move(list_));
    return true;
  }

 private:
  Connection* next_connection() {
    for (; group_ < groups_.size(); ++group_, cursor_.reset()) {
      if (!cursor_) cursor_.emplace(*groups_[group_]);
      if (Connection* const next = cursor_->next()) return next;
    }
    return nullptr;
  }

  std::vector<std::shared_ptr<ConnectionGroup>> groups_;
  std::size_t group_ = 0;
  std::optional<ConnectionGroup::Cursor> cursor_;
  std::size_t left_ = 0;
  List list_;
  From<List> from_;
};

}  // namespace hawser::detail
