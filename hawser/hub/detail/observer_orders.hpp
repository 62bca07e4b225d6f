// What an observer may order: suspend, resume and drain a server. Internal to the observer; inside
// a process.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/task.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace hawser::hub::detail {

struct Order {
  std::string verb;  ///< suspend, resume, drain
  std::string server;
  bool close_socket = false;      ///< suspend: clients are refused instead of waiting
  std::uint64_t deadline_ms = 0;  ///< drain; 0: the server's own
};

/// Answers when it is done: a drain, when the last connection has gone. Errors: not_found, and
/// those of the orders themselves.
Task<Result<std::shared_ptr<nlohmann::json>>> obey(Order order);

}  // namespace hawser::hub::detail
