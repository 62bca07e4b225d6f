// A broker's session against a port that writes everything down: each client frame, each fault,
// each answer of the bus.
#include <hawser/stomp/session.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;

class Peer final : public BrokerSession::Port {
 public:
  explicit Peer(SessionOptions chosen = {})
      : options(std::move(chosen)), session(options, *this, "s1", now) {}

  void write(BytesView octets) override { out += octets; }
  void write(const Payload& octets) override { out += octets.view(); }
  bool has_room() override { return room; }
  void end(Reason reason) override {
    EXPECT_FALSE(ended) << "ended twice";
    ended = std::move(reason);
  }
  void publish(const bus::Destination& to, bus::MessagePtr message, std::uint64_t token) override {
    published.push_back({to, std::move(message), token});
  }
  void subscribe(const bus::Destination& to, std::uint64_t number, std::uint32_t credit,
                 std::uint64_t token) override {
    subscribed.push_back({to, number, credit, token});
  }
  void unsubscribe(const bus::Destination&, std::uint64_t number, std::uint32_t taken,
                   std::uint64_t token) override {
    unsubscribed.push_back({number, token});
    not_granted.push_back(taken);
  }
  void grant(const bus::Destination&, std::uint64_t number, std::uint32_t credit) override {
    grants.push_back({number, credit});
  }

  void feed(const std::string& octets) { session.received(octets, now); }
  std::string take() { return std::exchange(out, {}); }
  void log_in(const std::string& version = "1.2", const std::string& more = {}) {
    feed("CONNECT\naccept-version:" + version + "\nhost:h\n" + more + "\n\0"s);
    EXPECT_TRUE(take().starts_with("CONNECTED\nversion:" + version + "\n"));
  }
  void deliver(std::uint64_t number, const std::string& body,
               const std::vector<bus::Property>& properties = {}) {
    bus::PropertyLines lines;
    for (const auto& [name, value] : properties) lines.add(name, value);
    bus::MessageDraft draft;
    draft.destination = "/topic/a";
    draft.content_type = "text/plain";
    draft.properties = lines.view();
    draft.body = body;
    session.delivered({number, 1, bus::Message::make(draft)});
  }

  struct Published {
    bus::Destination to;
    bus::MessagePtr message;
    std::uint64_t token;
  };
  struct Subscribed {
    bus::Destination to;
    std::uint64_t number;
    std::uint32_t credit;
    std::uint64_t token;
  };
  Instant now{1h};
  SessionOptions options;
  std::string out;
  bool room = true;
  std::optional<Reason> ended;
  std::vector<Published> published;
  std::vector<Subscribed> subscribed;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unsubscribed;
  std::vector<std::uint32_t> not_granted;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> grants;
  BrokerSession session;
};

TEST(StompSession, connect_agrees_on_the_highest_version_and_on_heart_beats) {
  Peer peer;
  peer.feed("\n\nCONNECT\naccept-version:1.0,1.2,1.1\nheart-beat:500,20000\n\n\0"s);
  EXPECT_EQ(
      peer.out,
      "CONNECTED\nversion:1.2\nheart-beat:10000,10000\nsession:s1\nserver:hawser/0.1.0\n\n\0"s);
  EXPECT_EQ(peer.session.heartbeats().send_every, 20s);
  EXPECT_EQ(peer.session.heartbeats().receive_every, 10s);
}

TEST(StompSession, N_01_no_accept_version_means_1_0_and_STOMP_is_CONNECT) {
  Peer peer;
  peer.feed("STOMP\nlogin:x\n\n\0"s);
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.0\n"));
}

TEST(StompSession, N_04_no_common_version_is_an_error_with_the_list_then_the_end) {
  Peer peer;
  peer.feed("CONNECT\naccept-version:1.3\n\n\0"s);
  EXPECT_TRUE(peer.out.starts_with("ERROR\nversion:1.0,1.1,1.2\n"));
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::protocol_error);
}

TEST(StompSession, N_06_N_07_frames_out_of_place) {
  Peer early;
  early.feed("SEND\ndestination:/topic/a\nreceipt:r\n\nx\0"s);
  EXPECT_NE(early.out.find("message:not connected\n"), std::string::npos);
  EXPECT_NE(early.out.find("receipt-id:r\n"), std::string::npos);
  EXPECT_TRUE(early.ended);
  EXPECT_TRUE(early.published.empty());
  Peer twice;
  twice.log_in();
  twice.feed("CONNECT\naccept-version:1.2\n\n\0"s);
  EXPECT_NE(twice.out.find("message:already connected\n"), std::string::npos);
  EXPECT_TRUE(twice.ended);
}

TEST(StompSession, an_error_before_a_version_is_agreed_is_not_escaped) {
  Peer http;
  http.feed("GET / HTTP/1.1\r\n\r\n");
  EXPECT_NE(http.out.find("message:malformed frame: unknown_command\n"), std::string::npos)
      << http.out;
  Peer early;  // and so its receipt comes back as it was written
  early.feed("SEND\ndestination:/topic/a\nreceipt:a\\c\n\nx\0"s);
  EXPECT_NE(early.out.find("receipt-id:a\\c\n"), std::string::npos) << early.out;
}

TEST(StompSession, send_passes_user_headers_on_and_strips_what_is_the_brokers) {
  Peer peer;
  peer.log_in();
  peer.feed(
      "SEND\ndestination:/queue/jobs\ncontent-type:text/"
      "plain\nreceipt:7\nmessage-id:mine\nfoo:bar\nfoo:old\n"
      "content-length:3\n\na\0b\0"s);
  ASSERT_EQ(peer.published.size(), 1U);
  const auto& [to, message, token] = peer.published.front();
  EXPECT_EQ(to, (bus::Destination{bus::Destination::Kind::queue, "jobs"}));
  EXPECT_EQ(message->body(), "a\0b"s);
  EXPECT_EQ(message->content_type(), "text/plain");
  EXPECT_EQ(message->properties(), (std::vector<bus::Property>{{"foo", "bar"}}));
  EXPECT_TRUE(peer.out.empty()) << "no RECEIPT before the bus has it (R-01)";
  peer.session.confirmed(token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:7\n\n\0"s);
  peer.session.confirmed(token);
  EXPECT_TRUE(peer.out.empty()) << "once";
}

TEST(StompSession, a_refused_send_fails_its_receipt_and_ends_the_session) {
  Peer peer;
  peer.log_in();
  peer.feed("SEND\ndestination:/queue/jobs\nreceipt:7\n\nx\0"s);
  peer.session.refused(peer.published.front().token,
                       Error{ErrorKind::overloaded, 0, "publish", "queue \"jobs\" is full"});
  EXPECT_NE(peer.out.find("receipt-id:7\n"), std::string::npos);
  EXPECT_NE(peer.out.find("is full"), std::string::npos);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::overloaded);
}

TEST(StompSession, subscribe_answers_its_receipt_and_a_raw_colon_in_an_id_is_data) {
  Peer peer;
  peer.log_in();
  peer.feed("SUBSCRIBE\nid:a:b\ndestination:/topic/a\nreceipt:1\n\n\0"s);
  ASSERT_FALSE(peer.ended);
  ASSERT_EQ(peer.subscribed.size(), 1U);
  EXPECT_TRUE(peer.out.empty());
  peer.session.confirmed(peer.subscribed.front().token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:1\n\n\0"s);
}

TEST(StompSession, message_frames_are_escaped_by_version_and_numbered) {
  Peer peer;
  peer.log_in();
  peer.feed("SUBSCRIBE\nid:a\\cb\ndestination:/topic/a\n\n\0"s);
  ASSERT_EQ(peer.subscribed.size(), 1U);
  const auto number = peer.subscribed.front().number;
  peer.deliver(number, "hi", {{"k:1", "v\r\n\\"}});
  EXPECT_EQ(peer.take(),
            "MESSAGE\nsubscription:a\\cb\nmessage-id:s1-1\ndestination:/topic/a\ncontent-type:text/"
            "plain\n"
            "k\\c1:v\\r\\n\\\\\ncontent-length:2\n\nhi\0"s);
  peer.feed("UNSUBSCRIBE\nid:a\\cb\nreceipt:2\n\n\0"s);
  ASSERT_EQ(peer.unsubscribed.size(), 1U);
  peer.deliver(number, "late");
  EXPECT_TRUE(peer.out.empty()) << "nothing of an ended subscription";
}

TEST(StompSession, what_a_version_cannot_say_is_left_out_for_it) {
  Peer old;
  old.log_in("1.0");
  old.feed("SUBSCRIBE\ndestination:/topic/a\n\n\0"s);
  old.deliver(old.subscribed.front().number, "", {{"a", "x\ny"}, {"b", "plain"}});
  EXPECT_EQ(
      old.take(),
      "MESSAGE\nmessage-id:s1-1\ndestination:/topic/a\ncontent-type:text/plain\nb:plain\n\n\0"s);
}

TEST(StompSession, deliveries_wait_while_the_peer_does_not_read_and_keep_their_order) {
  Peer peer({.window = 4});
  peer.log_in();
  peer.feed("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0"s);
  const auto number = peer.subscribed.front().number;
  EXPECT_EQ(peer.subscribed.front().credit, 4U);
  peer.room = false;
  for (const auto* body : {"one", "two", "three"}) peer.deliver(number, body);
  EXPECT_TRUE(peer.out.empty());
  EXPECT_TRUE(peer.grants.empty()) << "no room, no credit";
  peer.room = true;
  peer.session.writable();
  EXPECT_LT(peer.out.find("one"), peer.out.find("two"));
  EXPECT_LT(peer.out.find("two"), peer.out.find("three"));
  EXPECT_EQ(peer.grants, (std::vector<std::pair<std::uint64_t, std::uint32_t>>{{number, 2U}}));
}

TEST(StompSession, disconnect_answers_and_nothing_follows) {
  Peer peer;
  peer.log_in();
  peer.feed("DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\n\nlate\0"s);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:bye\n\n\0"s);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::normal);
  EXPECT_TRUE(peer.published.empty());
}

TEST(StompSession, disconnect_is_answered_after_every_frame_before_it) {
  Peer peer;
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

TEST(StompSession, what_was_refused_before_disconnect_is_an_error_not_a_goodbye) {
  Peer peer;
  peer.log_in();
  peer.feed("SEND\ndestination:/queue/b\nreceipt:1\n\ny\0DISCONNECT\nreceipt:bye\n\n\0"s);
  peer.session.refused(peer.published.at(0).token,
                       Error{ErrorKind::overloaded, 0, "publish", "full"});
  EXPECT_TRUE(peer.out.starts_with("ERROR\nreceipt-id:1\n")) << peer.out;
  EXPECT_EQ(peer.out.find("bye"), std::string::npos);
  EXPECT_TRUE(peer.ended);
}

TEST(StompSession, an_end_gives_back_what_was_not_written) {
  Peer peer({.window = 8});
  peer.log_in();
  peer.feed(
      "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0SUBSCRIBE\nid:2\ndestination:/queue/b\n\n\0"s);
  const auto first = peer.subscribed.at(0).number;
  for (int i = 0; i < 3; ++i) peer.deliver(first, "written");
  peer.room = false;
  peer.deliver(first, "not written");
  peer.feed("DISCONNECT\n\n\0"s);
  EXPECT_EQ(peer.unsubscribed.size(), 2U);
  EXPECT_EQ(peer.not_granted, (std::vector<std::uint32_t>{3, 0}));
  peer.session.leave();
  EXPECT_EQ(peer.unsubscribed.size(), 2U) << "once is enough";
}

struct BadFrame {
  const char* what;
  std::string frame;
  const char* says;
};

TEST(StompSession, every_fault_gets_an_error_that_names_it_then_the_end) {
  const std::vector<BadFrame> faults{
      {"unknown command", "HELLO\n\n\0"s, "unknown_command"},
      {"lower case", "send\ndestination:/topic/a\n\n\0"s, "unknown_command"},
      {"no colon", "SEND\ndestination\n\n\0"s, "header_without_colon"},
      {"empty name", "SEND\n:x\n\n\0"s, "empty_header_name"},
      {"undefined escape", "SEND\ndestination:/topic/a\nx:\\t\n\n\0"s, "undefined_escape"},
      {"content-length text", "SEND\ndestination:/topic/a\ncontent-length:abc\n\n\0"s,
       "bad_content_length"},
      {"content-length short", "SEND\ndestination:/topic/a\ncontent-length:1\n\nabc\0"s,
       "body_not_terminated"},
      {"send nowhere", "SEND\n\nx\0"s, "missing destination"},
      {"unknown destination", "SEND\ndestination:/exchange/x\n\nx\0"s, "unknown destination"},
      {"bare prefix", "SEND\ndestination:/topic/\n\nx\0"s, "unknown destination"},
      {"transaction", "SEND\ndestination:/topic/a\ntransaction:t\n\nx\0"s,
       "transactions are not supported"},
      {"subscribe without id", "SUBSCRIBE\ndestination:/topic/a\n\n\0"s, "SUBSCRIBE without id"},
      {"ack mode", "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\n\n\0"s,
       "ack mode is not supported"},
      {"unsubscribe nothing", "UNSUBSCRIBE\n\n\0"s, "UNSUBSCRIBE without id"},
      {"unsubscribe unknown", "UNSUBSCRIBE\nid:9\n\n\0"s, "no such subscription"},
      {"server frame", "MESSAGE\n\n\0"s, "not understood"},
      {"http", "GET / HTTP/1.1\nHost: x\n\n"s, "unknown_command"},
  };
  for (const auto& [what, frame, says] : faults) {
    SCOPED_TRACE(what);
    Peer peer;
    peer.log_in();
    peer.feed(frame);
    const auto out = peer.take();
    EXPECT_TRUE(out.starts_with("ERROR\n")) << out;
    EXPECT_NE(out.find(says), std::string::npos) << out;
    ASSERT_TRUE(peer.ended);
    peer.feed("SEND\ndestination:/topic/a\n\nx\0"s);
    EXPECT_TRUE(peer.published.empty()) << "nothing after the error";
    EXPECT_TRUE(peer.out.empty());
  }
}

TEST(StompSession, duplicate_and_too_many_subscriptions) {
  Peer peer({.subscriptions = 2});
  peer.log_in();
  peer.feed(
      "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/b\n\n\0"s);
  EXPECT_NE(peer.out.find("subscription exists"), std::string::npos);
  Peer many({.subscriptions = 2});
  many.log_in();
  for (const auto* id : {"1", "2", "3"})
    many.feed("SUBSCRIBE\nid:"s + id + "\ndestination:/topic/a\n\n\0"s);
  EXPECT_NE(many.out.find("too many subscriptions"), std::string::npos);
  EXPECT_EQ(many.subscribed.size(), 2U);
}

TEST(StompSession, a_slow_subscriber_and_a_lost_bus_are_told) {
  Peer slow;
  slow.log_in();
  slow.feed("SUBSCRIBE\nid:x\ndestination:/topic/a\n\n\0"s);
  slow.session.subscription_ended(slow.subscribed.front().number,
                                  Error{ErrorKind::overloaded, 0, "topic", "too slow"});
  EXPECT_NE(slow.out.find("slow consumer"), std::string::npos);
  EXPECT_TRUE(slow.ended);
  Peer lost;
  lost.log_in();
  lost.session.bus_lost();
  EXPECT_NE(lost.out.find("the broker restarts"), std::string::npos);
  EXPECT_TRUE(lost.ended);
}

TEST(StompSession, login_times_out) {
  Peer peer;
  EXPECT_EQ(peer.session.tick(peer.now), peer.now + 10s);
  peer.feed("CONNECT\naccept-version:1.2\n");
  EXPECT_EQ(peer.session.tick(peer.now + 10s), Instant::never());
  EXPECT_NE(peer.out.find("login timed out"), std::string::npos);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::timeout);
}

TEST(StompSession, heart_beats_leave_in_time_and_a_silent_peer_is_dead) {
  Peer peer;
  peer.log_in("1.2", "heart-beat:1000,1000\n");
  // The broker offers 10 s both ways, so that is what holds.
  const Instant begin = peer.now;
  EXPECT_EQ(peer.session.tick(begin), begin + 5s);
  EXPECT_TRUE(peer.out.empty());
  EXPECT_EQ(peer.session.tick(begin + 5s), begin + 10s);
  EXPECT_EQ(peer.take(), "\n");
  peer.now = begin + 12s;
  peer.feed("\n");  // any octet proves life (P-28)
  peer.session.tick(begin + 20s);
  EXPECT_FALSE(peer.ended);
  peer.session.tick(begin + 12s + 20s + 500ms);
  ASSERT_TRUE(peer.ended);
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::timeout);
}

TEST(StompSession, no_heart_beats_asked_none_watched) {
  Peer peer;
  peer.log_in("1.1");
  EXPECT_EQ(peer.session.tick(peer.now + 1h), Instant::never());
  EXPECT_FALSE(peer.ended);
}

}  // namespace
}  // namespace hawser::stomp
