// One change of code on its way through all connections: what each is told, and what came of it.
// Internal to hawser/net/module.
#pragma once

#include <hawser/net/module/loaded_module.hpp>
#include <hawser/process/message.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace hawser {

/// Sent to the watch (handle_info) when the last connection has been moved, has kept its version,
/// or is gone.
struct CodeChanged {
  unsigned version = 0;   ///< the new one
  std::size_t moved = 0;  ///< connections that have it now
  std::size_t kept = 0;   ///< those that kept theirs
  std::size_t gone = 0;   ///< those that ended first
  std::string why;        ///< of those that kept theirs: each reason with its number
};

/// Shared by the messages of one change, on all threads; tells when the last of them is gone.
class CodeChangeTally {
 public:
  CodeChangeTally(Pid watch, unsigned version) noexcept : watch_(watch), version_(version) {}
  CodeChangeTally(const CodeChangeTally&) = delete;
  CodeChangeTally& operator=(const CodeChangeTally&) = delete;
  ~CodeChangeTally();

  void count_moved();
  void count_gone();
  void count_kept(const std::string& why);

 private:
  /// Different reasons that are told; what else there is goes under "other reasons".
  static constexpr std::size_t reasons_told = 8;

  Pid watch_;
  unsigned version_;
  std::mutex mutex_;
  std::size_t moved_ = 0;
  std::size_t kept_ = 0;
  std::size_t gone_ = 0;
  std::map<std::string, std::size_t> why_;
};

/// The right to move one connection; told to the tally exactly once, as gone if in no other way.
class CodeChange {
 public:
  CodeChange(ModuleUse to, std::shared_ptr<CodeChangeTally> tally) noexcept
      : to_(std::move(to)), tally_(std::move(tally)) {}
  CodeChange(CodeChange&&) noexcept = default;
  CodeChange& operator=(CodeChange&& other) noexcept;
  ~CodeChange();

  const ModuleUse& to() const noexcept { return to_; }
  void moved();
  void kept(const std::string& why);
  /// Nothing to count: the connection has that version already.
  void drop() noexcept { tally_.reset(); }

 private:
  ModuleUse to_;
  std::shared_ptr<CodeChangeTally> tally_;  // shared for real: by all connections
};

/// Brings it to the connection. A signal, so that it reaches a suspended process too, and does not
/// end the time-out that the handler waits for.
class CodeChangeMessage final : public Message {
 public:
  explicit CodeChangeMessage(CodeChange change) noexcept : change_(std::move(change)) {}
  void deliver(Process& receiver) override;
  std::string_view describe() const noexcept override { return "code change"; }
  bool is_signal() const noexcept override { return true; }

 private:
  CodeChange change_;
};

}  // namespace hawser
