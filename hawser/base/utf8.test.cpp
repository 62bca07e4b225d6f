// The check of UTF-8 against the table it is made from (RFC 3629, section 4), over every class of
// bytes, and by the groups of the Autobahn test suite's case 6.
#include <hawser/base/utf8.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

std::string encoded(std::uint32_t point) {
  std::string out;
  append_utf8(out, point);
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

TEST(Utf8, code_points_become_bytes) {
  const std::vector<std::pair<std::uint32_t, std::string>> edges{{0, std::string(1, '\0')},
                                                                 {0x7f, "\x7f"},
                                                                 {0x80, "\xc2\x80"},
                                                                 {0x7ff, "\xdf\xbf"},
                                                                 {0x800, "\xe0\xa0\x80"},
                                                                 {0xd7ff, "\xed\x9f\xbf"},
                                                                 {0xe000, "\xee\x80\x80"},
                                                                 {0xffff, "\xef\xbf\xbf"},
                                                                 {0x10000, "\xf0\x90\x80\x80"},
                                                                 {0x10ffff, "\xf4\x8f\xbf\xbf"},
                                                                 {0x20ac, "\xe2\x82\xac"},
                                                                 {0x1f600, "\xf0\x9f\x98\x80"}};
  for (const auto& [point, bytes] : edges) EXPECT_EQ(encoded(point), bytes) << std::hex << point;
  std::string out = "before ";
  append_utf8(out, 0xe9);
  EXPECT_EQ(out, "before \xc3\xa9");
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
  Utf8Check bytewise;
  for (std::size_t at = 0; at < good.size(); ++at) {
    EXPECT_TRUE(bytewise.feed(BytesView(good).substr(at, 1)));
    EXPECT_EQ(bytewise.complete(), valid(good.substr(0, at + 1)));
  }
  // 6.4: at the byte that no other could make right, not at the end of the character.
  for (const char* begun : {"\xf4\x90", "\xed\xa0", "\xe0\x9f", "\xf0\x8f", "\xc0", "\xf5"}) {
    Utf8Check check;
    const std::string bytes = begun;
    EXPECT_TRUE(check.feed(BytesView(bytes).substr(0, bytes.size() - 1)));
    EXPECT_FALSE(check.feed(BytesView(bytes).substr(bytes.size() - 1)));
  }
}

TEST(Utf8Check, eight_at_a_time_passes_over_nothing) {
  const std::string euro = "\xe2\x82\xac";
  for (std::size_t size = 1; size <= 24; ++size) {
    const std::string ascii(size, 'x');
    EXPECT_TRUE(is_utf8(ascii));
    for (std::size_t at = 0; at < size; ++at) {
      std::string bytes = ascii;
      bytes[at] = '\x80';
      EXPECT_FALSE(is_utf8(bytes)) << at << " of " << size;
      bytes = ascii;
      bytes.insert(at, euro);
      EXPECT_TRUE(is_utf8(bytes)) << at << " of " << size;
      bytes = ascii;
      bytes.insert(at, euro.substr(0, 2));
      EXPECT_FALSE(is_utf8(bytes)) << at << " of " << size;
    }
    EXPECT_TRUE(is_utf8(ascii + euro));
    EXPECT_FALSE(is_utf8(ascii + euro.substr(0, 2))) << "cut off";
    EXPECT_FALSE(is_utf8(ascii + euro.substr(0, 1))) << "cut off";
  }
}

TEST(Utf8Check, reset_forgets_what_was_open) {
  Utf8Check check;
  EXPECT_TRUE(check.feed("\xf4"));
  EXPECT_FALSE(check.complete());
  check.reset();
  EXPECT_TRUE(check.complete());
  EXPECT_TRUE(check.feed("\xc3\xbf")) << "not within the bounds of what was open";
  EXPECT_TRUE(check.complete());
}

}  // namespace
}  // namespace hawser
