// The table of names, and names under a prefix of another.
#include <hawser/process/registry.hpp>

#include <fmt/format.h>

namespace hawser {

Error name_taken(std::string_view name, Pid owner, std::string_view owner_label) {
  return {
      ErrorKind::already_exists, 0, "register",
      fmt::format("the name \"{}\" is taken by process {} ({})", name, owner.text(), owner_label)};
}

Error name_unknown(std::string_view name) {
  return {ErrorKind::not_found, 0, "whereis", fmt::format("no process is named \"{}\"", name)};
}

Result<void> Registry::register_name(std::string_view name, Pid pid, std::string_view label) {
  if (name.empty())
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "register", "a name must not be empty"});
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) {
    names_.try_emplace(std::string(name), Owner{pid, std::string(label)});
    return {};
  }
  if (found->second.pid == pid) return {};
  return std::unexpected(name_taken(name, found->second.pid, found->second.label));
}

void Registry::unregister_name(std::string_view name, Pid pid) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  if (found != names_.end() && found->second.pid == pid) names_.erase(found);
}

Result<Pid> Registry::whereis(std::string_view name) const {
  if (const Pid owner = find(name)) return owner;
  return std::unexpected(name_unknown(name));
}

Pid Registry::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  return found == names_.end() ? Pid{} : found->second.pid;
}

std::vector<std::pair<std::string, Pid>> Registry::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Pid>> all;
  for (const auto& [name, owner] : names_) all.emplace_back(name, owner.pid);
  return all;
}

Result<void> PrefixedScope::register_name(std::string_view name, Pid pid, std::string_view label) {
  return outer_.register_name(inside(name), pid, label);
}
void PrefixedScope::unregister_name(std::string_view name, Pid pid) noexcept {
  outer_.unregister_name(inside(name), pid);
}
Result<Pid> PrefixedScope::whereis(std::string_view name) const {
  return outer_.whereis(inside(name));
}

}  // namespace hawser
