// UTF-8 by the table of RFC 3629 §4: a lead byte says how many follow and what the first may be.
#include <hawser/net/websocket/detail/utf8.hpp>

#include <cstring>

namespace hawser::websocket {

bool Utf8Check::feed(BytesView bytes) noexcept {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    if (left_ == 0) {
      // Most text is ASCII: eight bytes at a time.
      while (end - at >= 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, at, 8);
        if ((eight & 0x8080808080808080U) != 0) break;
        at += 8;
      }
      if (at == end) return true;
      const auto lead = static_cast<unsigned char>(*at++);
      if (lead < 0x80) continue;
      low_ = 0x80;
      high_ = 0xbf;
      if (lead >= 0xc2 && lead <= 0xdf) {
        left_ = 1;
      } else if (lead >= 0xe0 && lead <= 0xef) {
        left_ = 2;
        if (lead == 0xe0) low_ = 0xa0;
        if (lead == 0xed) high_ = 0x9f;
      } else if (lead >= 0xf0 && lead <= 0xf4) {
        left_ = 3;
        if (lead == 0xf0) low_ = 0x90;
        if (lead == 0xf4) high_ = 0x8f;
      } else {
        return false;
      }
      continue;
    }
    const auto next = static_cast<unsigned char>(*at++);
    if (next < low_ || next > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --left_;
  }
  return true;
}

}  // namespace hawser::websocket
