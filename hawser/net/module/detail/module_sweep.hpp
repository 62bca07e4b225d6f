// Makes sure that nothing of a version that nobody uses is still on its way: a message that its
// code has sent, a process that its code has started. Internal to hawser/net/module.
#pragma once

#include <hawser/net/module/loaded_module.hpp>
#include <hawser/process/pid.hpp>

#include <memory>

namespace hawser {
class System;
}

namespace hawser::detail {

/// Sent to whoever asked (handle_info).
struct ModuleSwept {
  std::shared_ptr<LoadedModule> module;
  bool processes_left = false;  ///< processes of its code live: sweep again when they have ended
};

/// Begins a sweep. Each mailbox is first in, first out, so a message through every mailbox there is
/// comes out behind all that the version's code had sent before it lost its last user. Once these
/// are through, on all schedulers, `asker` is told. A suspended process delays that until it is
/// resumed. Any thread.
void sweep_module(System& system, std::shared_ptr<LoadedModule> module, Pid asker);

}  // namespace hawser::detail
