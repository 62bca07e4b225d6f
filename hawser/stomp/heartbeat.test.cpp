// The heart-beat header and the agreement of two (stomp.md 2.9).
#include <hawser/stomp/heartbeat.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

using namespace std::chrono_literals;

TEST(StompHeartbeat, is_read_and_written) {
  EXPECT_EQ(parse_heartbeat("1000,2000"), (Heartbeat{1s, 2s}));
  EXPECT_EQ(parse_heartbeat("0,0"), Heartbeat{});
  EXPECT_EQ(parse_heartbeat("4294967295,1"), (Heartbeat{4'294'967'295ms, 1ms}));
  EXPECT_EQ((Heartbeat{10s, 250ms}.to_header()), "10000,250");
}

TEST(StompHeartbeat, missing_is_none) { EXPECT_EQ(parse_heartbeat(std::nullopt), Heartbeat{}); }

TEST(StompHeartbeat, malformed) {
  for (const char* bad :
       {"", ",", "1000", "1000,", ",1000", "1000,2000,3000", "-1,0", "+1,0", "a,b", "1 000,0",
        "1000, 2000", "0x10,0", "1.5,2", "4294967296,0", "99999999999999999999,0"}) {
    const auto result = parse_heartbeat(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().kind, ErrorKind::protocol_error);
  }
  EXPECT_EQ(parse_heartbeat("a,b").error().text(),
            "heart-beat: \"a,b\" is not two numbers of milliseconds such as \"10000,10000\"");
}

TEST(StompHeartbeat, each_direction_is_the_longer_of_two) {
  EXPECT_EQ(agree({1s, 5s}, {2s, 3s}), (HeartbeatPlan{3s, 5s}));
  EXPECT_EQ(agree({4s, 1s}, {2s, 3s}), (HeartbeatPlan{4s, 2s}));
}

TEST(StompHeartbeat, leaves_at_half_of_a_short_interval_and_seconds_before_the_end_of_a_long_one) {
  EXPECT_EQ(beat_after(100ms, 0.5, 3s), 50ms);
  EXPECT_EQ(beat_after(5s, 0.5, 3s), 2500ms);
  EXPECT_EQ(beat_after(10s, 0.5, 3s), 7s);
  EXPECT_EQ(beat_after(60s, 0.5, 3s), 57s);
  EXPECT_EQ(beat_after(60s, 0.5, 40s), 30s);
}

TEST(StompHeartbeat, none_if_one_side_says_0) {
  EXPECT_EQ(agree({0ms, 5s}, {2s, 3s}), (HeartbeatPlan{0ms, 5s}));
  EXPECT_EQ(agree({1s, 0ms}, {2s, 3s}), (HeartbeatPlan{3s, 0ms}));
  EXPECT_EQ(agree({1s, 1s}, {0ms, 0ms}), HeartbeatPlan{});
}

TEST(StompHeartbeat, both_sides_see_the_same) {
  const Heartbeat client{1s, 7s};
  const Heartbeat broker{10s, 500ms};
  const HeartbeatPlan there = agree(client, broker);
  const HeartbeatPlan here = agree(broker, client);
  EXPECT_EQ(there.send_every, here.receive_every);
  EXPECT_EQ(there.receive_every, here.send_every);
}

}  // namespace
}  // namespace hawser::stomp
