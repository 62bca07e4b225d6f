// A broker's session and the clock: login time-out, heart-beats (2.9), silence.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;

TEST(StompClock, login_times_out) {
  BrokerPeer peer;
  EXPECT_EQ(peer.session.tick(peer.now), peer.now + 10s);
  peer.feed("CONNECT\naccept-version:1.2\n");
  EXPECT_EQ(peer.session.tick(peer.now + 10s), Instant::never());
  EXPECT_TRUE(peer.refused("login timed out"));
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::timeout);
}

TEST(StompClock, heart_beats_leave_in_time_and_a_silent_peer_is_dead) {
  BrokerPeer peer;
  peer.log_in("1.2", {"heart-beat:1000,1000"});
  // The broker offers 10 s both ways, so that is what holds.
  const Instant begin = peer.now;
  EXPECT_EQ(peer.session.tick(begin), begin + 8s);
  EXPECT_TRUE(peer.out.empty());
  EXPECT_EQ(peer.session.tick(begin + 8s), begin + 16s);
  EXPECT_EQ(peer.take(), "\n");
  peer.now = begin + 12s;
  peer.feed("\n");  // any octet proves life (P-28)
  peer.session.tick(begin + 20s);
  EXPECT_FALSE(peer.ended);
  peer.session.tick(begin + 12s + 20s + 500ms);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::timeout);
}

TEST(StompClock, P_28_the_middle_of_a_long_frame_proves_life) {
  BrokerPeer peer;
  peer.log_in("1.2", {"heart-beat:10000,0"});
  peer.feed("SEND\ndestination:/queue/a\ncontent-length:100\n\n");
  for (int i = 0; i < 5; ++i) {
    peer.now = peer.now + 15s;
    peer.feed("x");
    peer.session.tick(peer.now + 5s);
  }
  EXPECT_FALSE(peer.ended);
}

TEST(StompClock, nobody_dies_while_we_do_not_read) {
  BrokerPeer peer;
  peer.log_in("1.2", {"heart-beat:1000,1000"});
  peer.session.pause_changed(true);
  peer.session.tick(peer.now + 5min);
  EXPECT_FALSE(peer.ended);
  peer.session.pause_changed(false);
  peer.session.tick(peer.now + 5min + 20s);
  EXPECT_FALSE(peer.ended);
  peer.session.tick(peer.now + 6min);
  EXPECT_TRUE(peer.ended);
}

TEST(StompClock, no_heart_beats_asked_none_watched) {
  BrokerPeer peer;
  peer.log_in("1.1");
  EXPECT_EQ(peer.session.tick(peer.now + 1h), Instant::never());
  EXPECT_FALSE(peer.ended);
}

TEST(StompClock, who_sends_no_heart_beats_may_be_silent_for_so_long_as_it_is_set) {
  BrokerPeer peer({.idle_timeout = 60s});
  peer.log_in("1.0");
  EXPECT_EQ(peer.session.tick(peer.now), peer.now + 60s);
  peer.session.tick(peer.now + 60s);
  ASSERT_TRUE(peer.ended);
  EXPECT_NE(peer.ended->text().find("idle"), std::string::npos);
}

}  // namespace
}  // namespace hawser::stomp
