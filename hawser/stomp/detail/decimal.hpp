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
  // So many digits always fit; one goes through them for each message.
  constexpr std::size_t few = 19;
  if (!text.empty() && text.size() <= few) {
    for (const char octet : text) {
      const auto digit = static_cast<unsigned char>(octet - '0');
      if (digit > 9) return std::nullopt;
      value = value * 10 + digit;
    }
    return value;
  }
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, 10);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace hawser::stomp::detail
