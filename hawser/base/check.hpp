// Assertions that stay on in release builds, for what only a bug of ours can cause. Public.
#pragma once

#include <source_location>

namespace hawser {

[[noreturn]] void fail_check(const char* what, std::source_location where) noexcept;

/// Ends the program with file, line and `what` when `condition` is false. For cheap conditions
/// that no peer, user input or system error can make false; those are Results.
inline void check(bool condition, const char* what,
                  std::source_location where = std::source_location::current()) noexcept {
  if (!condition) [[unlikely]]
    fail_check(what, where);
}

}  // namespace hawser
