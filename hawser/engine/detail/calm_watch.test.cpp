// When the watch says that a burst is over, in made-up time.
#include <hawser/engine/detail/calm_watch.hpp>

#include <gtest/gtest.h>

namespace hawser::detail {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{5s};
bool calm() { return true; }
bool busy() { return false; }

TEST(CalmWatch, says_yes_at_the_second_calm_look_a_second_after_the_first) {
  CalmWatch watch;
  EXPECT_FALSE(watch.over(start, calm)) << "the burst may have ended this moment";
  EXPECT_EQ(watch.left(start), 1s);
  EXPECT_FALSE(watch.over(start + 999ms, calm));
  EXPECT_TRUE(watch.over(start + 1s, calm));
  EXPECT_EQ(watch.left(start + 1s), Duration::max()) << "nothing to wake up for";
}

TEST(CalmWatch, looks_again_a_second_later_while_it_is_busy) {
  CalmWatch watch;
  EXPECT_FALSE(watch.over(start, busy));
  EXPECT_FALSE(watch.over(start + 1s, busy));
  EXPECT_EQ(watch.left(start + 1500ms), 500ms);
  EXPECT_TRUE(watch.over(start + 2s, calm));
}

TEST(CalmWatch, asks_at_its_looks_only) {
  CalmWatch watch;
  int asked = 0;
  const auto count = [&] { return ++asked > 0; };
  for (int i = 0; i <= 10; ++i) watch.over(start + i * 100ms, count);
  EXPECT_EQ(asked, 2);
}

TEST(CalmWatch, begins_anew_after_it_said_yes) {
  CalmWatch watch;
  watch.over(start, calm);
  ASSERT_TRUE(watch.over(start + 1s, calm));
  EXPECT_FALSE(watch.over(start + 2s, calm));
  EXPECT_TRUE(watch.over(start + 3s, calm));
}

}  // namespace
}  // namespace hawser::detail
