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

TEST_F(LivenessTest, Stomp_S_16_ToleranceIsTwoIntervalsAndASecond) {
  liveness.agree({.receive_every = std::chrono::milliseconds(100)});
  EXPECT_EQ(liveness.look(at(0s)).next, at(1200ms));
  liveness.agree({.receive_every = std::chrono::milliseconds(10'000)});
  EXPECT_EQ(liveness.look(at(0s)).next, at(21s));
  EXPECT_FALSE(liveness.look(at(20s)).dead);
  EXPECT_TRUE(liveness.look(at(21s)).dead);
}

TEST_F(LivenessTest, a_peer_that_looks_once_an_interval_whether_it_has_written_is_alive) {
  liveness.agree({.receive_every = std::chrono::milliseconds(1000)});
  liveness.received(at(10ms));  // it wrote just after it had looked, at 0 s, and at 1 s saw that
  EXPECT_FALSE(liveness.look(at(2020ms)).dead);  // so it beats at 2 s, and that is on its way
  liveness.received(at(2030ms));
  EXPECT_EQ(liveness.look(at(2030ms)).next, at(5030ms));
}

TEST_F(LivenessTest, Stomp_U_01_NobodyIsDeadBeforeWhatHeSentCouldBeRead) {
  liveness.agree({.receive_every = std::chrono::milliseconds(1000)});
  EXPECT_FALSE(liveness.look(at(0s)).dead);
  // The thread was busy for half a minute.
  EXPECT_FALSE(liveness.look(at(30s)).dead);
  liveness.received(at(30s));  // what lay in the kernel
  EXPECT_FALSE(liveness.look(at(30s + 10ms)).dead);
  EXPECT_EQ(liveness.look(at(31s)).next, at(33s));
}

TEST_F(LivenessTest, Stomp_U_05_AfterAJumpOneLookDecides) {
  options.receive_factor = 100;  // far from over by the tolerance alone
  liveness.agree({.receive_every = std::chrono::milliseconds(1000)});
  EXPECT_FALSE(liveness.look(at(0s)).dead);
  liveness.received(at(90s));
  EXPECT_EQ(liveness.look(at(90s)).next, at(191s));
  liveness.received(at(95s));
  const auto first = liveness.look(at(300s));
  EXPECT_FALSE(first.dead);
  EXPECT_TRUE(liveness.look(first.next).dead);
}

}  // namespace
}  // namespace hawser::stomp
