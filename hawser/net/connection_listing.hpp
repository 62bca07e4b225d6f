// One listing of connections, made a piece a turn: fifteen thousand of them in one go would hold
// their scheduler for milliseconds. Internal to the connection supervisor; belongs to its thread.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/connection_generations.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/process/call.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace hawser::detail {

class ConnectionListing {
 public:
  using List = std::vector<ConnectionInfo>;

  ConnectionListing(std::vector<std::shared_ptr<ConnectionGroup>> groups, From<List> from)
      : walk_(std::move(groups)), from_(std::move(from)) {
    list_.reserve(walk_.left());
  }

  /// Writes at most `count` connections down; answers the caller and true when that was the last.
  bool go_on(std::size_t count) {
    for (; count > 0; --count) {
      Connection* const next = walk_.next();
      if (next == nullptr) break;
      list_.push_back(next->info());
    }
    if (walk_.left() > 0) return false;
    from_.reply(std::move(list_));
    return true;
  }

 private:
  ConnectionWalk walk_;
  List list_;
  From<List> from_;
};

}  // namespace hawser::detail
