// The handler that the program gives to every connection of a module: an ordinary one whose
// callbacks are the module's, and which swaps one version's state for the next one's between two of
// them. Internal to hawser/net/module.
#pragma once

#include <hawser/net/connection_handler.hpp>
#include <hawser/net/module/code_change.hpp>
#include <hawser/net/module/module_host.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hawser {

/// What a connection's process holds of modules: until the process itself is out of memory, since
/// messages in its mailbox are dropped after the handler is gone.
struct ModuleHold {
  struct Former {
    ModuleUse use;
    std::uint64_t before;  // its timers have smaller ids
  };
  std::shared_ptr<ModuleHost> host;  // shared for real: connections outlive their server's options
  ModuleUse current{};
  std::vector<Former> former{};
};

class ModuleHandler {
 public:
  explicit ModuleHandler(ModuleHold& hold);
  ModuleHandler(const ModuleHandler&) = delete;
  ModuleHandler& operator=(const ModuleHandler&) = delete;
  ~ModuleHandler();

  Next init();
  Next handle_packet(Packet packet);
  Next handle_info(Info& info);
  Next timeout();
  Next handle_disconnect(const Reason& reason);
  Next handle_end();
  Next handle_drained();
  Next handle_upgrade();
  Next handle_passive();
  Next handle_packet_timeout(BytesView partial);
  Next handle_shutdown(const Reason& reason);
  Reason terminate(const Reason& reason);
  std::string describe() const;

  /// Moves this connection, now or, while tasks of it run, once they have ended.
  void change_code(CodeChange change);
  /// The state, for a message to a handler of that very type, of this very version.
  void* state_of(const TypeInfo& type) noexcept;
  unsigned version() const noexcept { return hold_.current->version(); }
  Pid pid() const noexcept { return connection_.pid(); }

 private:
  friend class ModuleRoster;
  class LookAgain;
  struct Pending {
    CodeChange change;
    Instant until;
  };

  const HandlerModule& code() const noexcept { return *code_; }
  void try_pending();
  void move(CodeChange change);
  Result<HandlerState> migrate(const ModuleUse& to);
  void swap(const ModuleUse& to, HandlerState state);
  void look_again();
  void look_again_later();

  ModuleHold& hold_;
  Connection& connection_;
  const HandlerModule* code_ = nullptr;  // the current version's, a step nearer
  HandlerState state_;
  std::size_t roster_place_ = 0;
  std::unique_ptr<Pending> pending_;  // rare, and eight bytes when it is not there
  bool looking_ = false;
  bool may_have_tasks_ = true;  // when it ends
};

/// Makes a connection's handler, and keeps its module loaded as long as the process is there.
class MakeModuleHandler {
 public:
  explicit MakeModuleHandler(std::shared_ptr<ModuleHost> host) noexcept : hold_{std::move(host)} {}
  ModuleHandler operator()() { return ModuleHandler(hold_); }

 private:
  ModuleHold hold_;
};

/// A module's own messages name the module's own handler type, not ModuleHandler.
template <>
void* HandlerConnection<ModuleHandler, MakeModuleHandler>::handler(const TypeInfo& type) noexcept;

}  // namespace hawser
