// A table of names. The System has one for all its processes; one of your own makes a group of
// names: std::make_shared<Registry>() as the SpawnOptions::scope of those who belong to it. Public;
// any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/registry_scope.hpp>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// A place two schedulers both reach besides their inboxes: a name has to be taken by exactly one
/// process wherever it runs. Looked up when a name is resolved, never per message.
class Registry final : public RegistryScope {
 public:
  /// already_exists, naming the owner, when the name is taken; invalid_argument for an empty one.
  Result<void> register_name(std::string_view name, Pid pid, std::string_view label) override;
  /// Removes the name if `pid` still owns it.
  void unregister_name(std::string_view name, Pid pid) noexcept override;
  Result<Pid> whereis(std::string_view name) const override;
  /// The owner, or no Pid.
  Pid find(std::string_view name) const;
  /// All names, sorted.
  std::vector<std::pair<std::string, Pid>> list() const;

 private:
  struct Owner {
    Pid pid;
    std::string label;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Owner, std::less<>> names_;
};

}  // namespace hawser
