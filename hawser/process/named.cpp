// Where a name is looked up.
#include <hawser/process/named.hpp>

#include <hawser/process/registry.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/system.hpp>

namespace hawser::detail {

const RegistryScope* current_registry() noexcept {
  Scheduler* scheduler = Scheduler::current();
  return scheduler == nullptr ? nullptr : &scheduler->system().registry();
}

const RegistryScope& registry_of(System& system) noexcept { return system.registry(); }

Result<Pid> resolve(const RegistryScope* scope, std::string_view name) {
  if (scope != nullptr) return scope->whereis(name);
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "whereis",
                               "on a plain thread a name needs its System or scope: "
                               "named<Handler>(system, name)"});
}

}  // namespace hawser::detail
