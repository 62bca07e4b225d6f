// By the table of RFC 3629 §4: a lead byte says how many follow and what the first may be.
#include <hawser/base/utf8.hpp>

#include <cstring>

namespace hawser {

bool Utf8Check::feed(BytesView bytes) noexcept {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  std::uint8_t left = left_;
  std::uint8_t low = low_;
  std::uint8_t high = high_;
  while (at != end) {
    if (left == 0) {
      // Most text is ASCII: eight bytes at a time.
      while (end - at >= 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, at, 8);
        if ((eight & 0x8080808080808080U) != 0) break;
        at += 8;
      }
      if (at == end) break;
      const auto lead = static_cast<std::uint8_t>(*at++);
      if (lead < 0x80) continue;
      if (lead >= 0xc2 && lead <= 0xdf) {
        left = 1;
      } else if (lead >= 0xe0 && lead <= 0xef) {
        left = 2;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
      } else if (lead >= 0xf0 && lead <= 0xf4) {
        left = 3;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
      } else {
        return false;
      }
      continue;
    }
    const auto next = static_cast<std::uint8_t>(*at++);
    if (next < low || next > high) return false;
    low = 0x80;
    high = 0xbf;
    --left;
  }
  left_ = left;
  low_ = low;
  high_ = high;
  return true;
}

bool is_utf8(BytesView text) noexcept {
  Utf8Check check;
  return check.feed(text) && check.complete();
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0U | code_point >> 6U);
    put(0x80U | (code_point & 0x3fU));
  } else if (code_point < 0x10000) {
    put(0xe0U | code_point >> 12U);
    put(0x80U | (code_point >> 6U & 0x3fU));
    put(0x80U | (code_point & 0x3fU));
  } else {
    put(0xf0U | code_point >> 18U);
    put(0x80U | (code_point >> 12U & 0x3fU));
    put(0x80U | (code_point >> 6U & 0x3fU));
    put(0x80U | (code_point & 0x3fU));
  }
}

}  // namespace hawser
