// One version of a handler in memory, and the right to have it there. Internal to
// hawser/net/module; a ModuleUse may be copied and dropped on any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/module/handler_module.hpp>
#include <hawser/net/module/module_file.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace hawser {

class LoadedModule {
 public:
  /// Loads a private copy of the file: the file may be overwritten under the running program, and
  /// each version is an object of its own to the loader. Runs the object's static constructors; on
  /// the blocking pool only. Errors: the loader's own words.
  static Result<std::shared_ptr<LoadedModule>> load(const ModuleFile& file,
                                                    const std::string& path);

  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;
  /// Leaves what was not unloaded where it is: at a program's end nothing is gained by it.
  ~LoadedModule();

  const HandlerModule& code() const noexcept { return *code_; }
  unsigned version() const noexcept { return version_; }
  const std::string& handler() const noexcept { return handler_; }
  const FileIdentity& identity() const noexcept { return identity_; }
  /// "Counter, version 2"
  std::string text() const;

  /// Whether code or data at this address belongs to it.
  bool contains(const void* address) const noexcept;

  /// No ModuleUse is left. It can only become used again while it is the current version.
  bool unused() const noexcept { return users_.load(std::memory_order_acquire) == 0; }
  /// Something of it may be left behind that nobody can see end: it stays for good.
  void pin() noexcept { pinned_.store(true, std::memory_order_relaxed); }
  /// Pinned, or asked by its author to be kept.
  bool stays() const noexcept {
    return code_->keep_loaded || pinned_.load(std::memory_order_relaxed);
  }

  /// Unloads it: nothing of it may run or be named any more. On the blocking pool only. False when
  /// the loader keeps it in memory all the same.
  bool unload() noexcept;

 private:
  friend class ModuleUse;
  LoadedModule() noexcept = default;

  int copy_ = -1;  // the private copy; open as long as it is loaded, since its number is its name
  void* handle_ = nullptr;
  const HandlerModule* code_ = nullptr;
  std::uintptr_t begin_ = 0;
  std::uintptr_t end_ = 0;
  unsigned version_ = 0;
  std::string handler_;
  FileIdentity identity_;
  std::atomic<std::size_t> users_{0};
  std::atomic<bool> pinned_{false};
};

/// Keeps a version in memory. Whatever a holder did before dropping it has happened for whoever
/// sees unused() after.
class ModuleUse {
 public:
  ModuleUse() noexcept = default;
  explicit ModuleUse(std::shared_ptr<LoadedModule> module) noexcept : module_(std::move(module)) {
    if (module_ != nullptr) module_->users_.fetch_add(1, std::memory_order_relaxed);
  }
  ModuleUse(const ModuleUse& other) noexcept : ModuleUse(other.module_) {}
  ModuleUse(ModuleUse&& other) noexcept : module_(std::move(other.module_)) {}
  ModuleUse& operator=(ModuleUse other) noexcept {
    std::swap(module_, other.module_);
    return *this;
  }
  ~ModuleUse() {
    if (module_ != nullptr) module_->users_.fetch_sub(1, std::memory_order_release);
  }

  explicit operator bool() const noexcept { return module_ != nullptr; }
  LoadedModule& operator*() const noexcept { return *module_; }
  LoadedModule* operator->() const noexcept { return module_.get(); }
  const std::shared_ptr<LoadedModule>& shared() const noexcept { return module_; }
  friend bool operator==(const ModuleUse&, const ModuleUse&) noexcept = default;

 private:
  std::shared_ptr<LoadedModule> module_;  // shared for real: connections on all threads
};

}  // namespace hawser
