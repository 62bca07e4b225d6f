// The table of names.
#include <hawser/process/registry.hpp>

#include <fmt/format.h>

namespace hawser {

Result<void> Registry::add(std::string_view name, Pid pid) {
  if (name.empty())
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "register", "a name must not be empty"});
  const std::lock_guard lock(mutex_);
  const auto [at, added] = names_.try_emplace(std::string(name), pid);
  if (added || at->second == pid) return {};
  return std::unexpected(
      Error{ErrorKind::already_exists, 0, "register",
            fmt::format("the name \"{}\" is taken by process {}", name, at->second.text())});
}

void Registry::remove(std::string_view name, Pid pid) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  if (found != names_.end() && found->second == pid) names_.erase(found);
}

Pid Registry::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  return found == names_.end() ? Pid{} : found->second;
}

std::vector<std::pair<std::string, Pid>> Registry::list() const {
  const std::lock_guard lock(mutex_);
  return {names_.begin(), names_.end()};
}

}  // namespace hawser
