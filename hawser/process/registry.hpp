// Names of processes within one System. Public through System and self(); any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/pid.hpp>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// The one place two schedulers both reach besides their inboxes: a name has to be taken by exactly
/// one process wherever it runs. Looked up when a name is resolved, never per message.
class Registry {
 public:
  /// already_exists, naming the owner, when the name is taken; invalid_argument for an empty one.
  Result<void> add(std::string_view name, Pid pid);
  /// Removes the name if `pid` still owns it.
  void remove(std::string_view name, Pid pid);
  /// The owner, or no Pid. It may have ended by the time it is used: sending to it is a plain miss.
  Pid find(std::string_view name) const;
  /// All names, sorted.
  std::vector<std::pair<std::string, Pid>> list() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Pid, std::less<>> names_;
};

}  // namespace hawser
