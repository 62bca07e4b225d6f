// The sixteen-at-a-time searches against the obvious ones, from blocks of the exact size.
#include <hawser/stomp/detail/scan.hpp>

#include <hawser/base/bytes.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace hawser::stomp::detail {
namespace {

void expect_as_the_obvious(const std::vector<char>& octets) {
  const char* const begin = octets.data();
  const char* const end = begin + octets.size();
  const BytesView text(begin, octets.size());
  const std::size_t stop = std::min(text.find_first_of(BytesView("\n\0", 2)), text.size());
  const std::size_t colon = text.substr(0, stop).find(':');

  const LineScan scan = scan_line(begin, end);
  EXPECT_EQ(scan.stop, begin + stop);
  EXPECT_EQ(scan.colon, colon == BytesView::npos ? nullptr : begin + colon);
  EXPECT_EQ(scan.backslash, text.substr(0, stop).find('\\') != BytesView::npos);
  EXPECT_EQ(find_special(begin, end),
            begin + std::min(text.find_first_of(BytesView("\0\n\r:\\", 5)), text.size()));
}

TEST(StompScan, each_special_octet_at_each_place) {
  for (std::size_t size = 0; size <= 50; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char special : {'\n', '\0', '\r', ':', '\\'}) {
        std::vector<char> octets(size, 'x');
        octets[at] = special;
        expect_as_the_obvious(octets);
      }
    }
  }
}

TEST(StompScan, what_lies_behind_the_line_does_not_count) {
  for (const char behind : {':', '\\'}) {
    for (std::size_t stop = 0; stop < 40; ++stop) {
      std::vector<char> octets(48, 'x');
      octets[stop] = '\n';
      octets[stop + 1] = behind;
      expect_as_the_obvious(octets);
    }
  }
}

TEST(StompScan, nothing) {
  EXPECT_EQ(scan_line(nullptr, nullptr).stop, nullptr);
  EXPECT_EQ(find_special(nullptr, nullptr), nullptr);
}

RC_GTEST_PROP(StompScan, any_octets, ()) {
  expect_as_the_obvious(*rc::gen::container<std::vector<char>>(
      rc::gen::weightedOneOf<char>({{20, rc::gen::inRange('a', 'z')},
                                    {2, rc::gen::element(':', '\\', '\n', '\r', '\0')},
                                    {1, rc::gen::arbitrary<char>()}})));
}

}  // namespace
}  // namespace hawser::stomp::detail
