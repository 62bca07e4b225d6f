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

TEST(StompClock, heart_beats_are_left_unread_between_frames) {
  BrokerPeer peer;
  peer.log_in("1.2", {"heart-beat:1000,1000"});
  EXPECT_EQ(peer.reads_from, 1);
  peer.feed("SEND\ndestination:/queue/a\n\n\0\n"s);
  EXPECT_EQ(peer.reads_from, 1) << "who sends frames is read as ever";
  peer.feed("\n");
  EXPECT_EQ(peer.reads_from, 6);
  peer.frame("SEND", {"destination:/queue/a"});
  EXPECT_EQ(peer.reads_from, 6) << "a whole frame is told anyway";
  peer.feed("SEND\ndest");
  EXPECT_EQ(peer.reads_from, 1) << "its last octet may come alone";
  peer.feed("ination:/queue/a\n\n");
  EXPECT_EQ(peer.reads_from, 1);
  peer.feed("\0"s);
  peer.feed("\r\n");
  EXPECT_EQ(peer.reads_from, 6);
  EXPECT_EQ(peer.published.size(), 3U);
}

TEST(StompClock, what_lies_unread_proves_life) {
  BrokerPeer peer;
  peer.log_in("1.2", {"heart-beat:10000,0"});
  peer.feed("\n");
  const Instant begin = peer.now;
  peer.arrived = begin + 15s;
  EXPECT_EQ(peer.session.tick(begin + 21s), begin + 15s + 20s + 500ms);
  EXPECT_FALSE(peer.ended);
  peer.session.tick(begin + 15s + 20s + 500ms);
  ASSERT_TRUE(peer.ended);
}

TEST(StompClock, heart_beats_are_read_where_it_cannot_be_otherwise) {
  BrokerPeer peer;
  peer.plain = false;
  peer.log_in("1.2", {"heart-beat:10000,0"});
  peer.feed("\n");
  peer.arrived = peer.now + 15s;  // what a transport received: not of this protocol
  peer.session.tick(peer.now + 21s);
  EXPECT_TRUE(peer.ended);
}

TEST(StompClock, who_has_agreed_to_none_is_read_as_ever) {
  BrokerPeer peer({.idle_timeout = 60s});
  peer.log_in("1.2", {"heart-beat:0,1000"});
  peer.feed("\n");
  EXPECT_EQ(peer.reads_from, 1);
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
