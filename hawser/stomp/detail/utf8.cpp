// The table of well-formed sequences (Unicode, table 3-7), written as ranges of the second octet.
#include <hawser/stomp/detail/utf8.hpp>

#include <cstddef>

namespace hawser::stomp::detail {

bool is_utf8(BytesView text) noexcept {
  const auto octet = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char lead = octet(at++);
    if (lead < 0x80) continue;
    std::size_t more = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (text.size() - at < more) return false;
    for (; more > 0; --more) {
      const unsigned char next = octet(at++);
      if (next < low || next > high) return false;
      low = 0x80;
      high = 0xbf;
    }
  }
  return true;
}

}  // namespace hawser::stomp::detail
