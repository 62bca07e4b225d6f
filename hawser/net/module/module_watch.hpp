// The process that brings a new version in: on SIGHUP, and when the file changes, it loads, moves
// every connection, and unloads what nobody uses any more. Public through module_server.hpp;
// belongs to its scheduler's thread.
#pragma once

#include <hawser/net/module/code_change.hpp>
#include <hawser/net/module/detail/module_sweep.hpp>
#include <hawser/net/module/module_host.hpp>
#include <hawser/process/info.hpp>

#include <memory>
#include <optional>
#include <string>

namespace hawser {

/// call of Ref<ModuleWatch>: what there is now.
struct GetModuleStatus {};
struct ModuleStatus {
  std::string handler;
  unsigned version = 0;       ///< current
  std::uint64_t loads = 0;    ///< new versions that came in
  std::uint64_t failed = 0;   ///< files that were refused
  std::uint64_t unloads = 0;  ///< versions that left memory
};

class ModuleWatch {
 public:
  explicit ModuleWatch(std::shared_ptr<ModuleHost> host) noexcept;

  void init();
  void handle_info(Info& info);
  ModuleStatus handle_call(GetModuleStatus) const;
  std::string describe() const;

 private:
  struct Tick {};
  struct LookTime {};
  struct Looked;
  struct Loaded;
  struct Unloaded;

  void look();
  void looked(Result<FileIdentity> found);
  void load(bool asked);
  void loaded(Loaded& result);
  void bring_in(std::shared_ptr<LoadedModule> module);
  void report(const CodeChanged& changed) const;
  void clean_up();
  void swept(detail::ModuleSwept& result);
  void unloaded(const Unloaded& result);

  std::shared_ptr<ModuleHost> host_;  // shared for real: connections hold it too
  FileIdentity known_;                // loaded, or refused: not to be tried again
  std::optional<FileIdentity> last_seen_;
  bool loading_ = false;
  bool load_again_ = false;
  bool sweeping_ = false;
  unsigned sweeps_left_ = 0;
  ModuleStatus status_;
};

}  // namespace hawser
