// The check of UTF-8 against the table it is made from (RFC 3629, section 4), over every class of
// bytes, and by the groups of the Autobahn test suite's case 6.
#include <hawser/net/websocket/detail/utf8.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser::websocket {
namespace {

std::string encoded(unsigned point) {
  std::string out;
  const auto add = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0U | point >> 6U);
    add(0x80U | (point & 0x3fU));
  } else if (point < 0x10000) {
    add(0xe0U | point >> 12U);
    add(0x80U | (point >> 6U & 0x3fU));
    add(0x80U | (point & 0x3fU));
  } else {
    add(0xf0U | point >> 18U);
    add(0x80U | (point >> 12U & 0x3fU));
    add(0x80U | (point >> 6U & 0x3fU));
    add(0x80U | (point & 0x3fU));
  }
  return out;
}

/// By decoding: as slow as it is plain.
bool valid(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned lead = byte(at);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc0 ? 9
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf8 ? 3
                                           : 9;
    if (more == 9 || at + more >= bytes.size()) return false;
    unsigned point = more == 0 ? lead : lead & (0x3fU >> more);
    for (std::size_t i = 1; i <= more; ++i) {
      if ((byte(at + i) & 0xc0U) != 0x80) return false;
      point = point << 6U | (byte(at + i) & 0x3fU);
    }
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    if (encoded(point) != bytes.substr(at, more + 1)) return false;  // overlong
    at += more + 1;
  }
  return true;
}

TEST(Utf8Check, takes_every_code_point_but_the_surrogates) {
  for (unsigned point = 0; point <= 0x10ffff; ++point) {
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    ASSERT_EQ(is_utf8(encoded(point)), !surrogate) << std::hex << point;
  }
}

TEST(Utf8Check, agrees_with_plain_decoding_over_every_class_of_bytes) {
  // The first and the last byte of each range of the table.
  const std::vector<unsigned> edges{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                    0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
                                    0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};
  std::string bytes(4, '\0');
  for (const unsigned a : edges)
    for (const unsigned b : edges)
      for (const unsigned c : edges)
        for (const unsigned d : edges) {
          bytes[0] = static_cast<char>(a);
          bytes[1] = static_cast<char>(b);
          bytes[2] = static_cast<char>(c);
          bytes[3] = static_cast<char>(d);
          ASSERT_EQ(is_utf8(bytes), valid(bytes)) << std::hex << a << b << c << d;
        }
}

TEST(Utf8Check, A6_8_to_6_23_groups_of_the_autobahn_suite) {
  std::vector<std::string> bad{
      // 6.8, 6.10: sequences of five and six bytes, and what lies beyond U+10FFFF
      "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf",
      "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf", "\xf4\x90\x80\x80",
      // 6.12: continuations that continue nothing
      "\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80",
      "\x80\xbf\x80\xbf\x80\xbf",
      // 6.14, 6.15: the last byte is missing
      "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
      "\xdf\xef\xbf\xf7\xbf\xbf",
      // 6.16: bytes that are never right
      "\xfe", "\xff", "\xfe\xfe\xff\xff",
      // 6.17 to 6.19: longer than need be
      "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
      "\xfc\x80\x80\x80\x80\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
      "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf", "\xc0\x80", "\xe0\x80\x80",
      "\xf0\x80\x80\x80",
      // 6.20, 6.21: halves of UTF-16, alone and in pairs
      "\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
      "\xed\xbe\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"};
  // 6.13: a beginning, and then something else
  for (unsigned lead = 0xc0; lead <= 0xfd; ++lead) bad.push_back({static_cast<char>(lead), ' '});
  for (const auto& each : bad) {
    EXPECT_FALSE(is_utf8(each));
    EXPECT_FALSE(is_utf8("before " + each + " behind"));
  }
  // 6.22, 6.23: no characters, but right all the same; and specials
  for (unsigned plane = 0; plane <= 16; ++plane)
    for (const unsigned last : {0xfffeU, 0xffffU})
      EXPECT_TRUE(is_utf8(encoded(plane << 16U | last)));
  for (unsigned point = 0xfff9; point <= 0xfffd; ++point) EXPECT_TRUE(is_utf8(encoded(point)));
}

TEST(Utf8Check, split_anywhere_it_says_the_same_and_fails_as_early_as_can_be) {
  const std::string good =
      "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and eight or more of ASCII\xc3\xa9";
  for (std::size_t at = 0; at <= good.size(); ++at) {
    Utf8Check check;
    EXPECT_TRUE(check.feed(BytesView(good).substr(0, at)));
    EXPECT_EQ(check.complete(), valid(good.substr(0, at)));
    EXPECT_TRUE(check.feed(BytesView(good).substr(at)) && check.complete());
  }
  // 6.4: at the byte that no other could make right, not at the end of the character.
  for (const char* begun : {"\xf4\x90", "\xed\xa0", "\xe0\x9f", "\xf0\x8f", "\xc0", "\xf5"}) {
    Utf8Check check;
    const std::string bytes = begun;
    EXPECT_TRUE(check.feed(BytesView(bytes).substr(0, bytes.size() - 1)));
    EXPECT_FALSE(check.feed(BytesView(bytes).substr(bytes.size() - 1)));
  }
}

}  // namespace
}  // namespace hawser::websocket
