// The versions of one server's handler: which is current, which are still in memory, and which
// connections there are to move. Public: opened before the server and handed to module_server();
// any thread, but for the rosters.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/module/loaded_module.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class ModuleHandler;

struct ModuleOptions {
  /// Longest file that is loaded, in bytes. (A private copy of it is held in memory.)
  std::size_t size_limit = std::size_t{256} << 20;
  /// How often the file is looked at; zero: only when asked to (SIGHUP). A file that has changed is
  /// loaded once two looks in a row find it the same.
  Duration poll = 1s;
  /// A connection whose tasks are still running is not moved; after so long it keeps its version.
  Duration task_limit = 30s;

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// The connections of one scheduler; its thread alone.
class ModuleRoster {
 public:
  void add(ModuleHandler& handler);
  void remove(ModuleHandler& handler) noexcept;
  const std::vector<ModuleHandler*>& all() const noexcept { return all_; }

 private:
  std::vector<ModuleHandler*> all_;
};

class ModuleHost {
 public:
  /// Loads the first version; waits for the disk. Errors: those of read_module_file and of the
  /// loader; invalid_argument for options that cannot be used.
  static Result<std::shared_ptr<ModuleHost>> open(std::string path, ModuleOptions options = {});
  ModuleHost(const ModuleHost&) = delete;
  ModuleHost& operator=(const ModuleHost&) = delete;

  const std::string& path() const noexcept { return path_; }
  const ModuleOptions& options() const noexcept { return options_; }
  /// What new connections get.
  ModuleUse current() const;

  // ---- used by the module's own parts
  // -----------------------------------------------------------------

  /// Reads the file and loads it, if it holds another version of the same handler; on the blocking
  /// pool. Errors as open(), and already_exists for the version that is current.
  Result<std::shared_ptr<LoadedModule>> load_next() const;
  /// From here on new connections get this one; answers the one before it.
  ModuleUse replace(std::shared_ptr<LoadedModule> next);
  /// Versions before the current one that nobody uses and that may go.
  std::vector<std::shared_ptr<LoadedModule>> idle_versions() const;
  /// Versions before the current one that nobody uses but that must stay; each is told once.
  std::vector<std::shared_ptr<LoadedModule>> take_pinned();
  /// It was unloaded.
  void forget(const LoadedModule& module);

  /// Makes a roster for each scheduler; once, before the first connection.
  void prepare(unsigned schedulers);
  ModuleRoster& roster(unsigned scheduler) noexcept { return rosters_[scheduler]; }
  unsigned roster_count() const noexcept { return static_cast<unsigned>(rosters_.size()); }

 private:
  ModuleHost(std::string path, ModuleOptions options) noexcept
      : path_(std::move(path)), options_(options) {}

  std::string path_;
  ModuleOptions options_;
  mutable std::mutex mutex_;
  ModuleUse current_;
  std::vector<std::shared_ptr<LoadedModule>> former_;
  std::vector<ModuleRoster> rosters_;
};

}  // namespace hawser
