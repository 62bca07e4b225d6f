// The kernel's own generator. Internal.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <optional>

namespace hawser::detail {

/// 64 bits, or none with errno set; one call, that no signal interrupts for so few bytes.
inline std::optional<std::uint64_t> kernel_random() noexcept {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) return std::nullopt;
  return bits;
}

}  // namespace hawser::detail
