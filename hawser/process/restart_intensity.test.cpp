// The arithmetic of restarts, with instants made up.
#include <hawser/process/restart_intensity.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace hawser {
namespace {

Instant at(Duration since) { return Instant{since}; }

TEST(RestartIntensity, AllowsSoManyWithinThePeriodAndNoMore) {
  RestartIntensity intensity(2, 5s);
  EXPECT_TRUE(intensity.record(at(0s)));
  EXPECT_TRUE(intensity.record(at(1s)));
  EXPECT_FALSE(intensity.record(at(5s))) << "the period's end belongs to it";
}

TEST(RestartIntensity, ForgetsWhatIsOlderThanThePeriod) {
  RestartIntensity intensity(2, 5s);
  EXPECT_TRUE(intensity.record(at(0s)));
  EXPECT_TRUE(intensity.record(at(1s)));
  EXPECT_TRUE(intensity.record(at(5001ms)));
  EXPECT_FALSE(intensity.record(at(5002ms)));
}

TEST(RestartIntensity, ZeroAllowsNone) {
  RestartIntensity intensity(0, 5s);
  EXPECT_FALSE(intensity.record(at(0s)));
  EXPECT_FALSE(intensity.record(at(1h)));
}

TEST(RestartDelay, IsNoneWithoutBackoff) {
  Random random(1);
  RestartDelay delay;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(delay.next({}, random), 0s);
}

TEST(RestartDelay, GrowsFromTheSecondRestartToTheMaximumAndStaysThere) {
  Random random(1);
  const Backoff backoff{.initial = 1s, .factor = 3.0, .maximum = 20s, .jitter = 0.0};
  RestartDelay delay;
  for (const Duration expected : {0s, 1s, 3s, 9s, 20s, 20s})
    EXPECT_EQ(delay.next(backoff, random), expected);
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(delay.next(backoff, random), 20s) << "no overflow";
}

TEST(RestartDelay, JitterVariesWithinItsBounds) {
  Random random(1);
  const Backoff backoff{.initial = 10s, .factor = 1.0, .maximum = 10s, .jitter = 0.2};
  RestartDelay delay;
  delay.next(backoff, random);
  Duration least = 1h, most = 0s;
  for (int i = 0; i < 1000; ++i) {
    const Duration next = delay.next(backoff, random);
    EXPECT_GE(next, 8s);
    EXPECT_LE(next, 12s);
    least = std::min(least, next);
    most = std::max(most, next);
  }
  EXPECT_LT(least, 8100ms);
  EXPECT_GT(most, 11900ms);
}

TEST(RestartDelay, StartsAnewAfterALifeOfTheResetLength) {
  Random random(1);
  const Backoff backoff{.initial = 1s, .jitter = 0.0, .reset_after = 60s};
  RestartDelay delay;
  delay.next(backoff, random);
  delay.lived(59s, backoff);
  EXPECT_EQ(delay.next(backoff, random), 1s);
  delay.lived(60s, backoff);
  EXPECT_EQ(delay.next(backoff, random), 0s);
}

}  // namespace
}  // namespace hawser
