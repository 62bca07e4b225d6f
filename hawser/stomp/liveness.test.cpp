// Heart-beats against a clock that runs, stands still and jumps.
#include <hawser/stomp/liveness.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

struct LivenessTest : ::testing::Test {
  LivenessOptions options;
  Liveness liveness{options, Instant(100s)};
  Instant at(Duration since) { return Instant(100s) + since; }
};

TEST_F(LivenessTest, Stomp_U_04_BeatsAtHalfTheIntervalSinceTheLastOctet) {
  liveness.agree({.send_every = std::chrono::milliseconds(1000)});
  EXPECT_EQ(liveness.look(at(0s)).next, at(500ms));
  liveness.wrote(at(300ms));
  EXPECT_FALSE(liveness.look(at(500ms)).beat);
  EXPECT_TRUE(liveness.look(at(800ms)).beat);
  EXPECT_EQ(liveness.beats(), 1u);
}

TEST_F(LivenessTest, Stomp_S_16_ToleranceIsTwoIntervalsAndAtLeastOneAndASecond) {
  liveness.agree({.receive_every = std::chrono::milliseconds(100)});
  EXPECT_EQ(liveness.look(at(0s)).next, at(1100ms));
  liveness.agree({.receive_every = std::chrono::milliseconds(10'000)});
  EXPECT_EQ(liveness.look(at(0s)).next, at(20s));
  EXPECT_FALSE(liveness.look(at(19s)).dead);
  EXPECT_TRUE(liveness.look(at(20s)).dead);
}

TEST_F(LivenessTest, Stomp_U_01_NobodyIsDeadBeforeWhatHeSentCouldBeRead) {
  liveness.agree({.receive_every = std::chrono::milliseconds(1000)});
  EXPECT_FALSE(liveness.look(at(0s)).dead);
  // The thread was busy for half a minute.
  EXPECT_FALSE(liveness.look(at(30s)).dead);
  liveness.received(at(30s));  // what lay in the kernel
  EXPECT_FALSE(liveness.look(at(30s + 10ms)).dead);
  EXPECT_EQ(liveness.look(at(31s)).next, at(32s));
}

TEST_F(LivenessTest, Stomp_U_05_AfterAJumpOneLookDecides) {
  options.receive_factor = 100;  // far from over by the tolerance alone
  liveness.agree({.receive_every = std::chrono::milliseconds(1000)});
  EXPECT_FALSE(liveness.look(at(0s)).dead);
  liveness.received(at(90s));
  EXPECT_EQ(liveness.look(at(90s)).next, at(190s));
  liveness.received(at(95s));
  const auto first = liveness.look(at(300s));
  EXPECT_FALSE(first.dead);
  EXPECT_TRUE(liveness.look(first.next).dead);
}

}  // namespace
}  // namespace hawser::stomp
