// CRC32C (Castagnoli), as PROXY protocol headers carry it. Internal; pure, any thread.
#pragma once

#include <hawser/base/bytes.hpp>

#include <array>
#include <cstdint>

namespace hawser::detail {

/// Continues from `crc`, the result for the bytes before; a header is seldom and short, so a table
/// of one byte is fast enough.
constexpr std::uint32_t crc32c(BytesView bytes, std::uint32_t crc = 0) noexcept {
  constexpr auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) * 0x82f63b78U);
      made[i] = value;
    }
    return made;
  }();
  crc = ~crc;
  for (const char byte : bytes) {
    crc = table[(crc ^ static_cast<std::uint8_t>(byte)) & 0xffU] ^ (crc >> 8U);
  }
  return ~crc;
}

static_assert(crc32c("123456789") == 0xe3069283U, "the check value of its definition");

}  // namespace hawser::detail
