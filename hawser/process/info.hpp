// What reaches handle_info: any value sent with send_info, and what the runtime tells a process
// (Exit, Down). Public; borrowed for the callback.
#pragma once

#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/type_name.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace hawser {

/// A linked process ended, and this one traps exits.
struct Exit {
  Pid from;
  Reason reason;
};

/// Names one monitor; unique in its process.
enum class MonitorId : std::uint64_t {};

/// A monitored process ended, or was not there (reason no_process). Comes exactly once a monitor.
struct Down {
  MonitorId monitor{};
  Pid from;
  Reason reason;
};

/// A message of a type that only the receiver's code knows: ask for the types you expect.
class Info {
 public:
  template <class T>
  Info(const TypeInfo& type, T& value) noexcept : type_(&type), value_(&value) {}

  /// The value, or nullptr when it is of another type. May be moved from.
  template <class T>
  T* get() noexcept {
    return same_type(*type_, type_info<T>) ? static_cast<T*>(value_) : nullptr;
  }
  /// The type's name, for logs.
  std::string_view type_name() const noexcept { return type_->name; }

 private:
  const TypeInfo* type_;
  void* value_;
};

}  // namespace hawser
