// Durations and sizes: what is read, what is refused, and that what is written is read back.
#include <hawser/base/quantity.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace hawser {
namespace {

TEST(Quantity, reads_durations) {
  EXPECT_EQ(parse_duration("10s"), Duration(10s));
  EXPECT_EQ(parse_duration("250ms"), Duration(250ms));
  EXPECT_EQ(parse_duration("7ns"), Duration(7));
  EXPECT_EQ(parse_duration("3us"), Duration(3us));
  EXPECT_EQ(parse_duration("2min"), Duration(2min));
  EXPECT_EQ(parse_duration("1h"), Duration(1h));
  EXPECT_EQ(parse_duration("2d"), Duration(48h));
  EXPECT_EQ(parse_duration("0"), Duration(0));
  EXPECT_EQ(parse_duration("0s"), Duration(0));
  EXPECT_EQ(parse_duration("never"), Duration::max());
}

TEST(Quantity, reads_decimals_without_rounding) {
  EXPECT_EQ(parse_duration("1.5s"), Duration(1500ms));
  EXPECT_EQ(parse_duration("0.1s"), Duration(100ms));
  EXPECT_EQ(parse_duration("1.000000001s"), Duration(1'000'000'001));
  EXPECT_EQ(parse_duration("0.5min"), Duration(30s));
  EXPECT_EQ(parse_duration("2.500us"), Duration(2500));
  EXPECT_EQ(parse_duration("1.0ns"), Duration(1));
  EXPECT_FALSE(parse_duration("0.5ns"));
  EXPECT_FALSE(parse_duration("0.0001us"));
  EXPECT_FALSE(parse_duration("1.0000000001s"));
}

TEST(Quantity, refuses_what_is_no_duration_and_shows_it) {
  for (const char* text :
       {"", "s", "10", "10 s", " 10s", "10s ", "-1s", "+1s", "1e3s", "10sec", "1.s", ".5s", "10S",
        "0x10s", "10s10s", "Never", "99999999999999999999s", "9223372037s"}) {
    const auto read = parse_duration(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(read.error().text().find("'" + std::string(text) + "'"), std::string::npos);
  }
  EXPECT_TRUE(parse_duration("9223372036s"));
}

TEST(Quantity, reads_sizes) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("12B"), 12u);
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("16MiB"), 16u << 20U);
  EXPECT_EQ(parse_size("2GiB"), 2ull << 30U);
  EXPECT_EQ(parse_size("1TiB"), 1ull << 40U);
  EXPECT_EQ(parse_size("3kB"), 3000u);
  EXPECT_EQ(parse_size("3MB"), 3'000'000u);
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
}

TEST(Quantity, refuses_what_is_no_size_and_shows_it) {
  for (const char* text : {"", "KiB", "64 KiB", "-1", "1.5KiB", "64K", "64kib", "1PiB", "64KiB ",
                           "18446744073709551616", "16777216TiB"}) {
    const auto read = parse_size(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(read.error().text().find("'" + std::string(text) + "'"), std::string::npos);
  }
}

TEST(Quantity, writes_the_shortest_form) {
  EXPECT_EQ(duration_text(10s), "10s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(120s), "2min");
  EXPECT_EQ(duration_text(Duration::zero()), "0s");
  EXPECT_EQ(duration_text(Duration::max()), "never");
  EXPECT_EQ(size_text(65536), "64KiB");
  EXPECT_EQ(size_text(1000), "1000B");
  EXPECT_EQ(size_text(0), "0B");
}

RC_GTEST_PROP(Quantity, reads_back_what_it_wrote, (std::uint32_t number, std::uint8_t shift)) {
  const auto bytes = static_cast<std::uint64_t>(number) << (shift % 32U);
  RC_ASSERT(parse_size(size_text(bytes)).value() == bytes);
  const Duration length(static_cast<Duration::rep>(bytes));
  RC_ASSERT(parse_duration(duration_text(length)).value() == length);
}

}  // namespace
}  // namespace hawser
