// Is this UTF-8? Asked of whole texts, and of texts that come in pieces. Public; pure.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstdint>
#include <string>

namespace hawser {

/// Checks a text as it comes in, byte by byte if need be, and fails at the first byte that cannot
/// be right (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
class Utf8Check {
 public:
  /// False when no continuation could make the text valid; only reset() is sensible then.
  bool feed(BytesView bytes) noexcept;
  /// Whether the text may end here: no code point is open.
  bool complete() const noexcept { return left_ == 0; }
  void reset() noexcept { *this = Utf8Check{}; }

 private:
  // What the next byte must be within; only the second byte of a code point has narrower bounds.
  std::uint8_t left_ = 0;
  std::uint8_t low_ = 0x80;
  std::uint8_t high_ = 0xbf;
};

/// Whether `text` is well-formed from its first byte to its last.
bool is_utf8(BytesView text) noexcept;

/// Appends a code point, which must be at most U+10FFFF and no surrogate.
void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace hawser
