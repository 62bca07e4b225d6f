// Where names are unique: the System's registry, a registry of one's own for a group of processes,
// a prefix of another scope, or what a user implements (names kept outside of this program).
// Public; any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/pid.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace hawser {

/// Used by SpawnOptions::scope and named(). Called from the schedulers' threads, several at a time:
/// an implementation guards itself, and does not wait for anything slow in these calls.
class RegistryScope {
 public:
  RegistryScope() = default;
  RegistryScope(const RegistryScope&) = delete;
  RegistryScope& operator=(const RegistryScope&) = delete;
  virtual ~RegistryScope() = default;

  /// Called before the process's init. `label` is its handler's type. Errors: already_exists, best
  /// made by name_taken(); what else there is in a wider scope. The spawn fails with it.
  virtual Result<void> register_name(std::string_view name, Pid pid, std::string_view label) = 0;
  /// Called once for each registration that came through, when the process has ended in whatever
  /// way, also in its init. Others are told of the end after this.
  virtual void unregister_name(std::string_view name, Pid pid) noexcept = 0;
  /// The owner, or not_found. It may have ended by the time it is used: a plain miss.
  virtual Result<Pid> whereis(std::string_view name) const = 0;
};

/// The error for a clash: names the owner's pid and label.
Error name_taken(std::string_view name, Pid owner, std::string_view owner_label);
/// The error for a name that nobody has.
Error name_unknown(std::string_view name);

/// The names of another scope that begin with a prefix: "room 7" in PrefixedScope(registry,
/// "chat/") is "chat/room 7" there, so that whoever looks into the registry sees it. `outer` must
/// outlive this; the System's registry outlives all processes.
class PrefixedScope final : public RegistryScope {
 public:
  PrefixedScope(RegistryScope& outer, std::string prefix)
      : outer_(outer), prefix_(std::move(prefix)) {}
  Result<void> register_name(std::string_view name, Pid pid, std::string_view label) override;
  void unregister_name(std::string_view name, Pid pid) noexcept override;
  Result<Pid> whereis(std::string_view name) const override;

 private:
  std::string inside(std::string_view name) const { return prefix_ + std::string(name); }
  RegistryScope& outer_;
  std::string prefix_;
};

}  // namespace hawser
