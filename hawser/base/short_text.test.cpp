// Every length is copied whole and no octet further; an octet is found wherever it stands.
#include <hawser/base/short_text.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser {
namespace {

TEST(ShortText, EveryLengthIsCopiedAndNotAnOctetMore) {
  for (std::size_t size = 0; size <= 100; ++size) {
    std::string from(size, ' ');
    for (std::size_t i = 0; i < size; ++i) from[i] = static_cast<char>(i + 1);
    std::string to(size + 20, '\xff');
    char* const end = copy_text(to.data() + 10, from);
    EXPECT_EQ(end, to.data() + 10 + size);
    EXPECT_EQ(to, std::string(10, '\xff') + from + std::string(10, '\xff'));
  }
}

TEST(ShortText, AnOctetIsFoundWhereverItStands) {
  for (std::size_t size = 0; size <= 70; ++size) {
    EXPECT_FALSE((contains_any<'\\', ':', '\0'>(std::string(size, 'x'))));
    // Its neighbours are none of its business.
    const std::string around = ":" + std::string(size, 'x') + ":";
    EXPECT_FALSE((contains_any<'\\', ':'>(BytesView(around).substr(1, size))));
    for (std::size_t at = 0; at < size; ++at) {
      for (const char octet : {'\\', ':', '\0', '\x80'}) {
        std::string text(size, 'x');
        text[at] = octet;
        EXPECT_TRUE((contains_any<'\\', ':', '\0', '\x80'>(text))) << size << " " << at;
      }
    }
  }
}

}  // namespace
}  // namespace hawser
