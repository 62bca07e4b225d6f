// Checks UTF-8 as it comes in, byte by byte if need be, and fails at the first byte that cannot be
// right. Internal.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstdint>

namespace hawser::websocket {

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
class Utf8Check {
 public:
  /// False when no continuation could make the text valid.
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

inline bool is_utf8(BytesView bytes) noexcept {
  Utf8Check check;
  return check.feed(bytes) && check.complete();
}

}  // namespace hawser::websocket
