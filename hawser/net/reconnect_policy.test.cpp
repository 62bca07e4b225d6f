// The waits between attempts, with instants made up.
#include <hawser/net/reconnect_policy.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

namespace hawser {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Instant at(Duration since) { return Instant{since}; }

TEST(ReconnectPolicy, grows_by_the_factor_to_the_cap_and_stays_there) {
  Random random(1);
  ReconnectPolicy policy({.base = 100ms, .factor = 3.0, .cap = 2s, .jitter = Jitter::none});
  for (const Duration expected : {100ms, 300ms, 900ms, 2000ms, 2000ms})
    EXPECT_EQ(policy.next(random), expected);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(policy.next(random), 2s) << "no overflow";
}

TEST(ReconnectPolicy, the_default_begins_between_50_and_100_ms) {
  Duration least = 1h, most = 0s;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    const Duration first = ReconnectPolicy().next(random);
    least = std::min(least, first);
    most = std::max(most, first);
  }
  EXPECT_GE(least, 50ms);
  EXPECT_LT(least, 51ms);
  EXPECT_LE(most, 100ms);
  EXPECT_GT(most, 99ms);
}

TEST(ReconnectPolicy, equal_jitter_is_the_upper_half_of_each_step_and_full_goes_down_to_half_base) {
  for (const Jitter jitter : {Jitter::equal, Jitter::full}) {
    Duration least = 1h, most = 0s;
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
      Random random(seed);
      ReconnectPolicy policy({.base = 100ms, .jitter = jitter});
      for (int i = 0; i < 3; ++i) policy.next(random);
      const Duration fourth = policy.next(random);
      least = std::min(least, fourth);
      most = std::max(most, fourth);
    }
    EXPECT_GT(most, 790ms);
    EXPECT_LE(most, 800ms);
    EXPECT_GE(least, jitter == Jitter::equal ? 400ms : 50ms);
    EXPECT_LT(least, jitter == Jitter::equal ? 410ms : 60ms);
  }
}

TEST(ReconnectPolicy, resets_exactly_when_the_connection_was_stable) {
  Random random(1);
  ReconnectPolicy policy({.base = 1s, .jitter = Jitter::none, .stable_after = 10s});
  EXPECT_EQ(policy.next(random), 1s);
  EXPECT_EQ(policy.next(random), 2s);
  policy.connected(at(100s));
  policy.lost(at(110s) - Duration(1));
  EXPECT_EQ(policy.attempts(), 2u);
  EXPECT_EQ(policy.next(random), 4s) << "a nanosecond too short: goes on where it was";
  policy.connected(at(200s));
  policy.lost(at(210s));
  EXPECT_EQ(policy.attempts(), 0u);
  EXPECT_EQ(policy.next(random), 1s);
}

TEST(ReconnectPolicy, an_attempt_that_failed_resets_nothing) {
  Random random(1);
  ReconnectPolicy policy({.base = 1s, .jitter = Jitter::none, .stable_after = 10s});
  policy.connected(at(0s));
  policy.lost(at(5s));
  policy.next(random);
  policy.lost(at(1h));  // was never connected again: the time since the first is not its life
  EXPECT_EQ(policy.attempts(), 1u);
}

TEST(ReconnectPolicy, stable_after_zero_resets_always_and_never_resets_never) {
  Random random(1);
  ReconnectPolicy always({.stable_after = 0s});
  ReconnectPolicy never({.stable_after = Duration::max()});
  for (ReconnectPolicy* policy : {&always, &never}) {
    policy->next(random);
    policy->connected(at(1s));
    policy->lost(at(1s));
    policy->next(random);
    policy->connected(at(1s));
    policy->lost(at(1000000h));
  }
  EXPECT_EQ(always.attempts(), 0u);
  EXPECT_EQ(never.attempts(), 2u);
}

TEST(ReconnectPolicy, never_waits_less_than_half_the_base_nor_more_than_the_cap) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ReconnectBackoff settings;
    settings.base = 1ms + Duration{static_cast<Duration::rep>(random.below(2'000'000'000))};
    settings.factor = 1.0 + 9.0 * random.unit();
    settings.cap = settings.base + Duration{static_cast<Duration::rep>(random.below(1ULL << 38U))};
    settings.jitter = static_cast<Jitter>(random.below(3));
    settings.stable_after = Duration{static_cast<Duration::rep>(random.below(20'000'000'000))};
    ASSERT_THAT(settings.faults(), IsEmpty());
    ReconnectPolicy policy(settings);
    Instant now = at(1000s);
    unsigned row = 0;
    for (int i = 0; i < 200; ++i) {
      const Duration wait = policy.next(random);
      ASSERT_GE(wait, settings.base / 2);
      ASSERT_LE(wait, settings.cap);
      if (row == 0) {
        ASSERT_LE(wait, settings.base) << "the first of a row";
      }
      ++row;
      now = now + wait;
      if (random.chance(0.3)) {
        policy.connected(now);
        const Duration life{static_cast<Duration::rep>(random.below(30'000'000'000))};
        now = now + life;
        if (life >= settings.stable_after) row = 0;
      }
      policy.lost(now);
      ASSERT_EQ(policy.attempts(), row);
    }
  }
}

TEST(ReconnectPolicy, settings_with_faults_still_make_it_wait_within_reason) {
  Random random(1);
  const double no_number = std::numeric_limits<double>::quiet_NaN();
  for (const ReconnectBackoff& settings :
       {ReconnectBackoff{.base = 0s, .factor = no_number, .cap = -1s},
        ReconnectBackoff{.base = Duration::max(), .factor = 1e300, .cap = Duration::max()},
        ReconnectBackoff{.base = -5s, .factor = -1.0, .cap = 0s, .jitter = Jitter::full}}) {
    ReconnectPolicy policy(settings);
    for (int i = 0; i < 100; ++i) {
      const Duration wait = policy.next(random);
      EXPECT_GE(wait, 500us);
      EXPECT_LE(wait, 24h);
    }
  }
}

TEST(ReconnectBackoff, names_each_fault) {
  EXPECT_THAT(ReconnectBackoff{}.faults(), IsEmpty());
  const auto faults_of = [](ReconnectBackoff settings) { return settings.faults(); };
  EXPECT_THAT(faults_of({.base = 0s}), ElementsAre(HasSubstr("backoff.base: ")));
  EXPECT_THAT(faults_of({.base = 1s, .cap = 999ms}), ElementsAre(HasSubstr("backoff.cap: 999ms")));
  EXPECT_THAT(faults_of({.cap = 25h}), ElementsAre(HasSubstr("backoff.cap: ")));
  EXPECT_THAT(faults_of({.factor = 0.99}), ElementsAre(HasSubstr("backoff.factor: 0.99")));
  EXPECT_THAT(faults_of({.factor = 101}), ElementsAre(HasSubstr("backoff.factor: ")));
  EXPECT_THAT(faults_of({.factor = std::numeric_limits<double>::quiet_NaN()}),
              ElementsAre(HasSubstr("backoff.factor: ")));
  EXPECT_THAT(faults_of({.stable_after = -1s}), ElementsAre(HasSubstr("backoff.stable_after: ")));
  EXPECT_EQ(faults_of({.base = 0s, .factor = 0, .cap = -1s, .stable_after = -1s}).size(), 4u);
}

}  // namespace
}  // namespace hawser
