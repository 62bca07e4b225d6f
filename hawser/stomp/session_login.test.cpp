// CONNECT and DISCONNECT at a broker's session: rows N-01 to N-09, logins, goodbyes.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;

TEST(StompLogin, connect_agrees_on_the_highest_version_and_on_heart_beats) {
  BrokerPeer peer;
  peer.feed("\n\nCONNECT\naccept-version:1.0,1.2,1.1\nheart-beat:500,20000\n\n\0"s);
  EXPECT_EQ(
      peer.out,
      "CONNECTED\nversion:1.2\nheart-beat:10000,10000\nsession:s\nserver:hawser/0.1.0\n\n\0"s);
  EXPECT_EQ(peer.session.heartbeats().send_every, 20s);
  EXPECT_EQ(peer.session.heartbeats().receive_every, 10s);
}

TEST(StompLogin, N_01_no_accept_version_means_1_0_and_STOMP_is_CONNECT) {
  BrokerPeer peer;
  peer.feed("STOMP\nlogin:x\n\n\0"s);
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.0\n"));
}

TEST(StompLogin, N_02_the_highest_common_version_of_what_the_listener_speaks) {
  BrokerPeer peer({.versions = {Version::v1_0, Version::v1_1}});
  peer.frame("CONNECT", {"accept-version:1.2, 1.1 ,1.0"});
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.1\n"));
}

TEST(StompLogin, N_04_no_common_version_is_an_error_with_the_list_then_the_end) {
  BrokerPeer peer;
  peer.frame("CONNECT", {"accept-version:1.3"});
  EXPECT_TRUE(peer.out.starts_with("ERROR\nversion:1.0,1.1,1.2\n"));
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::protocol_error);
}

TEST(StompLogin, W_01_a_sub_protocol_allows_its_version_alone) {
  BrokerPeer good({}, {.version = Version::v1_1});
  good.frame("CONNECT", {"accept-version:1.0,1.1,1.2"});
  EXPECT_TRUE(good.out.starts_with("CONNECTED\nversion:1.1\n"));
  BrokerPeer bad({}, {.version = Version::v1_2});
  bad.frame("CONNECT", {"accept-version:1.1"});
  EXPECT_TRUE(bad.refused("sub-protocol allows 1.2 alone"));
}

TEST(StompLogin, N_06_N_07_frames_out_of_place) {
  BrokerPeer early;
  early.frame("SEND", {"destination:/topic/a", "receipt:r"}, "x");
  EXPECT_TRUE(early.refused("message:not connected\n"));
  EXPECT_TRUE(early.said("receipt-id:r\n"));
  EXPECT_TRUE(early.published.empty());
  BrokerPeer twice;
  twice.log_in();
  twice.frame("CONNECT", {"accept-version:1.2"});
  EXPECT_TRUE(twice.refused("message:already connected\n"));
}

TEST(StompLogin,
     N_08_a_missing_host_is_the_default_and_an_unknown_one_is_refused_where_there_are_any) {
  BrokerPeer any;
  any.frame("CONNECT", {"accept-version:1.2", "host:whatever"});
  EXPECT_TRUE(any.said("CONNECTED"));
  for (const char* host : {"a", "b"}) {
    BrokerPeer known({.hosts = {"a", "b"}});
    known.frame("CONNECT", {"accept-version:1.2", "host:"s + host});
    EXPECT_TRUE(known.said("CONNECTED"));
  }
  BrokerPeer missing({.hosts = {"a"}});
  missing.frame("CONNECT", {"accept-version:1.2"});
  EXPECT_TRUE(missing.said("CONNECTED"));
  BrokerPeer unknown({.hosts = {"a"}});
  unknown.frame("CONNECT", {"accept-version:1.2", "host:c"});
  EXPECT_TRUE(unknown.refused("message:unknown host\n"));
}

TEST(StompLogin, N_09_a_receipt_of_CONNECT_is_not_looked_at) {
  BrokerPeer peer;
  peer.frame("CONNECT", {"accept-version:1.2", "receipt:1"});
  EXPECT_TRUE(peer.out.starts_with("CONNECTED"));
  EXPECT_FALSE(peer.said("receipt-id"));
}

TEST(StompLogin, an_error_before_a_version_is_agreed_is_not_escaped) {
  BrokerPeer http;
  http.feed("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(http.refused("message:malformed frame: unknown_command\n"));
  BrokerPeer early;  // and so its receipt comes back as it was written
  early.frame("SEND", {"destination:/topic/a", "receipt:a\\c"}, "x");
  EXPECT_TRUE(early.said("receipt-id:a\\c\n"));
}

// ---- who it is
// -----------------------------------------------------------------------------------------

class Doorman : public Access {
 public:
  Result<std::string> log_in(const LoginRequest& request) const override { return request.login; }
  bool may_read(std::string_view, BytesView destination) const override {
    return covers("/topic/>", destination);
  }
  bool may_write(std::string_view user, BytesView destination) const override {
    return allowed && user == "alice" && covers("/queue/jobs", destination);
  }
  std::uint64_t generation() const noexcept override { return changes; }
  bool allowed = true;
  std::uint64_t changes = 0;
};

SessionOptions guarded(std::shared_ptr<const Access> access = std::make_shared<Doorman>()) {
  return {.access = std::move(access)};
}

TEST(StompLogin, what_follows_a_CONNECT_waits_until_the_login_was_checked) {
  BrokerPeer peer(guarded());
  peer.feed(
      "CONNECT\naccept-version:1.2\nlogin:alice\npasscode:a\\c:b\n\n\0"
      "SEND\ndestination:/queue/jobs\n\nfirst\0SEND\ndesti"s);
  ASSERT_EQ(peer.logins.size(), 1U);
  EXPECT_EQ(peer.logins[0].login, "alice");
  EXPECT_EQ(peer.logins[0].passcode, "a\\c:b") << "raw (P-16)";
  EXPECT_TRUE(peer.out.empty());
  EXPECT_FALSE(peer.reading);
  EXPECT_TRUE(peer.published.empty());
  peer.feed("nation:/queue/jobs\n\nsecond\0"s);
  EXPECT_TRUE(peer.published.empty());
  peer.session.logged_in("alice");
  EXPECT_TRUE(peer.said("CONNECTED"));
  EXPECT_TRUE(peer.reading);
  ASSERT_EQ(peer.published.size(), 2U);
  EXPECT_EQ(peer.published[1].message->body(), "second");
  EXPECT_EQ(peer.session.user(), "alice");
}

TEST(StompLogin, a_login_that_is_refused_does_not_tell_why) {
  BrokerPeer peer(guarded());
  peer.answer_login = std::unexpected(Error{ErrorKind::refused, 0, "login", "no such user"});
  peer.frame("CONNECT", {"accept-version:1.2", "login:bob", "passcode:guess"});
  EXPECT_TRUE(peer.refused("login refused"));
  EXPECT_FALSE(peer.said("no such user"));
  EXPECT_FALSE(peer.said("guess"));
  EXPECT_NE(peer.ended->text().find("no such user"), std::string::npos) << "but the log does";
  EXPECT_EQ(peer.session.close_code(), 1008);
}

TEST(StompLogin, a_check_that_takes_too_long_times_out_and_its_answer_comes_to_nothing) {
  BrokerPeer peer(guarded());
  peer.frame("CONNECT", {"accept-version:1.2", "login:alice"});
  EXPECT_EQ(peer.session.tick(peer.now), peer.now + 10s);
  peer.session.tick(peer.now + 10s);
  EXPECT_TRUE(peer.refused("login timed out"));
  peer.session.logged_in("alice");
  EXPECT_FALSE(peer.said("CONNECTED"));
}

TEST(StompLogin, blanks_of_a_1_0_login_are_padding) {
  BrokerPeer peer(guarded());
  peer.feed("CONNECT\nlogin: alice\npasscode:  secret\n\n\0"s);
  ASSERT_EQ(peer.logins.size(), 1U);
  EXPECT_EQ(peer.logins[0].login, "alice");
  EXPECT_EQ(peer.logins[0].passcode, "secret");
}

TEST(StompLogin, W_07_http_credentials_count_where_CONNECT_has_none) {
  BrokerPeer peer(guarded(),
                  {.peer = "p", .certificate_subject = "CN=x", .login = "web", .passcode = "pw"});
  peer.frame("CONNECT", {"accept-version:1.2", "client-id:c1"});
  ASSERT_EQ(peer.logins.size(), 1U);
  EXPECT_EQ(peer.logins[0].login, "web");
  EXPECT_EQ(peer.logins[0].passcode, "pw");
  EXPECT_EQ(peer.logins[0].certificate_subject, "CN=x");
  EXPECT_EQ(peer.logins[0].client_id, "c1");
  EXPECT_EQ(peer.logins[0].peer, "p");
}

TEST(StompLogin, rules_are_asked_for_each_destination_and_again_when_they_change) {
  const auto doorman = std::make_shared<Doorman>();
  BrokerPeer peer(guarded(doorman));
  peer.answer_login = "alice";
  peer.log_in();
  peer.frame("SEND", {"destination:/queue/jobs"}, "1");
  peer.frame("SEND", {"destination:/queue/jobs"}, "2");
  peer.subscribe("/topic/a.*", "1");
  EXPECT_EQ(peer.published.size(), 2U);
  doorman->allowed = false;
  doorman->changes = 1;
  peer.frame("SEND", {"destination:/queue/jobs", "receipt:7"}, "3");
  EXPECT_EQ(peer.published.size(), 2U);
  EXPECT_TRUE(peer.refused("message:access refused\n"));
  EXPECT_TRUE(peer.said("receipt-id:7\n"));
  BrokerPeer reader(guarded(doorman));
  reader.answer_login = "alice";
  reader.log_in();
  reader.frame("SUBSCRIBE", {"id:1", "destination:/queue/jobs"});
  EXPECT_TRUE(reader.refused("you may not read"));
  EXPECT_TRUE(reader.subscribed.empty());
}

// ---- goodbye
// -------------------------------------------------------------------------------------------

TEST(StompLogin, disconnect_answers_and_nothing_follows) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed("DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\n\nlate\0"s);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:bye\n\n\0"s);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::normal);
  EXPECT_TRUE(peer.published.empty());
}

TEST(StompLogin, disconnect_is_answered_after_every_frame_before_it) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed(
      "SEND\ndestination:/topic/a\nreceipt:1\n\nx\0SEND\ndestination:/queue/b\nreceipt:2\n\ny\0"
      "DISCONNECT\nreceipt:bye\n\n\0"s);
  EXPECT_TRUE(peer.out.empty());
  EXPECT_FALSE(peer.ended);
  peer.session.confirmed(peer.published.at(1).token);
  peer.session.confirmed(peer.published.at(0).token);
  EXPECT_EQ(peer.take(),
            "RECEIPT\nreceipt-id:2\n\n\0RECEIPT\nreceipt-id:1\n\n\0RECEIPT\nreceipt-id:bye\n\n\0"s);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::normal);
}

TEST(StompLogin, what_was_refused_before_disconnect_is_an_error_not_a_goodbye) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed("SEND\ndestination:/queue/b\nreceipt:1\n\ny\0DISCONNECT\nreceipt:bye\n\n\0"s);
  peer.session.refused(peer.published.at(0).token,
                       Error{ErrorKind::overloaded, 0, "publish", "full"});
  EXPECT_TRUE(peer.out.starts_with("ERROR\nreceipt-id:1\n")) << peer.out;
  EXPECT_FALSE(peer.said("bye"));
  EXPECT_TRUE(peer.ended);
}

TEST(StompLogin, an_end_gives_back_what_was_not_written) {
  BrokerPeer peer;
  peer.log_in();
  const auto first = peer.subscribe("/queue/a", "1", {"ack:client"});
  const auto second = peer.subscribe("/queue/b", "2");
  peer.deliver_many(first, 3);
  peer.room = false;
  peer.deliver(first, 4, "not written");
  peer.frame("DISCONNECT");
  EXPECT_EQ(peer.unsubscribed,
            (std::vector<BrokerPeer::Unsubscribed>{{first, 3, 0}, {second, 0, 0}}));
  peer.session.leave();
  EXPECT_EQ(peer.unsubscribed.size(), 2U) << "once is enough";
}

}  // namespace
}  // namespace hawser::stomp
