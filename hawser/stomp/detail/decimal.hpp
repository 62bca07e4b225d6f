// Unsigned decimal numbers as STOMP headers carry them. Internal; pure.
#pragma once

#include <hawser/base/bytes.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

namespace hawser::stomp::detail {

/// Digits only: no sign, blank, prefix or empty text, and no more than 64 bits.
inline std::optional<std::uint64_t> parse_decimal(BytesView text) noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, 10);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace hawser::stomp::detail
