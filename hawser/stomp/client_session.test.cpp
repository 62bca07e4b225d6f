// The client's session: login, what each wish writes, what each frame of a broker causes, and the
// clock, all without a connection.
#include <hawser/stomp/client_session.hpp>

#include <hawser/stomp/encoder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace hawser::stomp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::string_literals;

struct Outcome {
  std::uint64_t token;
  std::optional<ErrorKind> error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
constexpr std::nullopt_t processed = std::nullopt;

class RecordingPort final : public ClientSession::Port {
 public:
  void write(BytesView octets) override {
    EXPECT_FALSE(ended) << "nothing is written after the end";
    written += octets;
  }
  void write(const Payload& octets) override { write(octets.view()); }
  void end(Reason reason) override {
    EXPECT_FALSE(ended) << "the end comes once";
    ended = std::move(reason);
  }
  void connected(const FrameView&) override { ++logins; }
  void message(std::uint64_t subscription, const FrameView& frame) override {
    messages.emplace_back(subscription, std::string(frame.body()));
    if (on_message) on_message(frame);
  }
  void completed(std::uint64_t token, Result<void> outcome) override {
    EXPECT_FALSE(ended) << "nobody is told after the end";
    outcomes.push_back({token, outcome ? processed : std::optional(outcome.error().kind)});
    if (!outcome) last_error = outcome.error().text();
    if (on_completed) on_completed();
  }
  void error(const FrameView& frame) override {
    errors.emplace_back(frame.first("message").value_or(""));
  }

  /// What was written since the last call, as text with NUL shown as '@'.
  std::string taken() {
    std::string text = std::exchange(written, {});
    for (char& c : text) {
      if (c == '\0') c = '@';
    }
    return text;
  }

  std::string written;
  std::optional<Reason> ended;
  int logins = 0;
  std::vector<std::pair<std::uint64_t, std::string>> messages;
  std::vector<Outcome> outcomes;
  std::vector<std::string> errors;
  std::string last_error;
  std::function<void(const FrameView&)> on_message;
  std::function<void()> on_completed;
};

struct ClientSessionTest : ::testing::Test {
  ClientSessionOptions options{.host = "main"};
  RecordingPort port;
  Instant now{100s};
  std::optional<ClientSession> session;

  /// Feeds a broker's octets, '@' standing for NUL.
  void feed(std::string octets) {
    for (char& c : octets) {
      if (c == '@') c = '\0';
    }
    session->received(octets, now);
  }
  void start() {
    session.emplace(options, port, now);
    ASSERT_TRUE(session->start(now));
  }
  void open(std::string_view version = "1.2", std::string_view more = {}) {
    start();
    feed("CONNECTED\nversion:" + std::string(version) + "\n" + std::string(more) + "\n@");
    ASSERT_EQ(session->state(), ClientSession::State::open);
    port.taken();
  }
  Result<void> send(std::uint64_t token, BytesView body = "b") {
    return session->send("/queue/a", Payload(body), {}, token, now);
  }
  std::uint64_t subscribe(AckMode mode = AckMode::automatic, std::uint64_t token = 0) {
    const auto number = session->subscribe("/topic/a", mode, {}, token, now);
    EXPECT_TRUE(number);
    return number.value_or(0);
  }
};

// ---- login
// ---------------------------------------------------------------------------------------

TEST_F(ClientSessionTest, connects_with_what_it_knows) {
  options.login = "me";
  options.passcode = "a:b\\c";
  options.connect_headers = {{"client-id", "x"}};
  start();
  EXPECT_EQ(port.taken(),
            "CONNECT\naccept-version:1.0,1.1,1.2\nhost:main\nlogin:me\npasscode:a:b\\c\n"
            "heart-beat:10000,10000\nclient-id:x\n\n@");
  EXPECT_EQ(session->state(), ClientSession::State::login);
}

TEST_F(ClientSessionTest, refuses_a_passcode_that_connect_cannot_carry) {
  options.passcode = "a\nb";
  session.emplace(options, port, now);
  const auto started = session->start(now);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(started.error().text().find("a\nb"), std::string::npos);
  EXPECT_EQ(port.written, "");
}

TEST_F(ClientSessionTest, takes_the_version_it_is_given) {
  for (const auto& [text, version] :
       {std::pair("1.0", Version::v1_0), std::pair("1.1", Version::v1_1),
        std::pair("1.2", Version::v1_2)}) {
    port = {};
    open(text);
    EXPECT_EQ(session->version(), version);
    EXPECT_EQ(port.logins, 1);
  }
}

TEST_F(ClientSessionTest, no_version_means_1_0) {
  start();
  feed("CONNECTED\nsession: 1\nheart-beat: 0,0\n\n@");
  EXPECT_EQ(session->state(), ClientSession::State::open);
  EXPECT_EQ(session->version(), Version::v1_0);
}

TEST_F(ClientSessionTest, refuses_a_version_it_did_not_offer) {
  options.versions = {Version::v1_2};
  start();
  feed("CONNECTED\nversion:1.1\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
  EXPECT_EQ(port.logins, 0);
}

TEST_F(ClientSessionTest, a_refused_login_is_told_apart) {
  start();
  feed("ERROR\nmessage:Bad CONNECT\n\nno@");
  ASSERT_TRUE(port.ended);
  EXPECT_TRUE(session->login_refused());
  EXPECT_THAT(port.ended->text(), HasSubstr("refused the login: \"Bad CONNECT\""));
  EXPECT_THAT(port.errors, ElementsAre("Bad CONNECT"));
}

TEST_F(ClientSessionTest, an_error_of_an_open_session_is_no_refused_login) {
  open();
  feed("ERROR\nmessage:oops\n\n@");
  EXPECT_FALSE(session->login_refused());
}

TEST_F(ClientSessionTest, nothing_but_connected_may_come_first) {
  for (const char* frame :
       {"RECEIPT\nreceipt-id:1\n\n@", "MESSAGE\n\n@", "SEND\ndestination:a\n\n@"}) {
    port = {};
    start();
    feed(frame);
    ASSERT_TRUE(port.ended) << frame;
    EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
  }
}

TEST_F(ClientSessionTest, login_times_out) {
  start();
  EXPECT_EQ(session->tick(now), now + 5s);
  EXPECT_EQ(session->tick(now + 4999ms), now + 5s);
  EXPECT_FALSE(port.ended);
  EXPECT_EQ(session->tick(now + 5s), Instant::never());
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::timeout);
}

TEST_F(ClientSessionTest, nothing_is_sent_before_login) {
  start();
  const auto sent = send(1);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::closed);
  EXPECT_FALSE(session->subscribe("/topic/a", AckMode::automatic, {}, 0, now));
  EXPECT_THAT(port.outcomes, IsEmpty());
}

// ---- sending
// -------------------------------------------------------------------------------------

TEST_F(ClientSessionTest, sends) {
  open();
  ASSERT_TRUE(session->send("/queue/a", Payload("hello"),
                            std::vector<Header>{{"content-type", "text/plain"}}, 0, now));
  EXPECT_EQ(port.taken(),
            "SEND\ndestination:/queue/a\ncontent-type:text/plain\ncontent-length:5\n\nhello@");
  ASSERT_TRUE(session->send("/queue/a", {}, {}, 0, now));
  EXPECT_EQ(port.taken(), "SEND\ndestination:/queue/a\n\n@");
}

TEST_F(ClientSessionTest, escapes_by_the_agreed_version) {
  const std::vector<Header> headers{{"k", "a:b\n"}};
  open("1.2");
  ASSERT_TRUE(session->send("/q", {}, headers, 0, now));
  EXPECT_EQ(port.taken(), "SEND\ndestination:/q\nk:a\\cb\\n\n\n@");
  port = {};
  open("1.0");
  const auto sent = session->send("/q", {}, headers, 0, now);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(port.taken(), "");
}

TEST_F(ClientSessionTest, its_own_headers_are_not_the_users) {
  open();
  for (const char* name : {"destination", "receipt", "content-length"}) {
    const auto sent = session->send("/q", {}, std::vector<Header>{{name, "1"}}, 0, now);
    ASSERT_FALSE(sent) << name;
    EXPECT_EQ(sent.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(sent.error().text(), HasSubstr(name));
  }
  EXPECT_TRUE(session->send("/q", {}, std::vector<Header>{{"id", "mine"}}, 0, now));
}

TEST_F(ClientSessionTest, a_body_with_nul_needs_its_length) {
  options.content_length = false;
  open();
  EXPECT_FALSE(send(0, BytesView("a\0b", 3)));
  EXPECT_TRUE(send(0, "ab"));
  EXPECT_EQ(port.taken(), "SEND\ndestination:/queue/a\n\nab@");
}

// ---- receipts
// ------------------------------------------------------------------------------------

TEST_F(ClientSessionTest, receipts_are_matched_by_id_in_any_order) {
  open();
  ASSERT_TRUE(send(11));
  ASSERT_TRUE(send(12));
  ASSERT_TRUE(send(0));
  ASSERT_TRUE(send(13));
  EXPECT_EQ(session->awaited(), 3u);
  feed("RECEIPT\nreceipt-id:3\n\n@RECEIPT\nreceipt-id:1\n\n@");
  feed("RECEIPT\nreceipt-id:2\n\n@");
  EXPECT_THAT(port.outcomes,
              ElementsAre(Outcome{13, processed}, Outcome{11, processed}, Outcome{12, processed}));
  EXPECT_EQ(session->awaited(), 0u);
}

TEST_F(ClientSessionTest, a_receipt_nobody_awaits_is_ignored) {
  open();
  ASSERT_TRUE(send(1));
  feed(
      "RECEIPT\nreceipt-id:7\n\n@RECEIPT\nreceipt-id:x\n\n@RECEIPT\nreceipt-id:1\n\n@"
      "RECEIPT\nreceipt-id:1\n\n@");
  EXPECT_THAT(port.outcomes, ElementsAre(Outcome{1, processed}));
  EXPECT_FALSE(port.ended);
}

TEST_F(ClientSessionTest, a_receipt_without_id_breaks_the_protocol) {
  open();
  feed("RECEIPT\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
}

TEST_F(ClientSessionTest, a_receipt_that_does_not_come_times_out_alone) {
  open();
  ASSERT_TRUE(send(1));
  now = now + 1s;
  ASSERT_TRUE(send(2));
  EXPECT_EQ(session->tick(now), Instant{100s} + 30s);
  now = Instant{130s};
  EXPECT_EQ(session->tick(now), Instant{131s});
  EXPECT_THAT(port.outcomes, ElementsAre(Outcome{1, ErrorKind::timeout}));
  feed("RECEIPT\nreceipt-id:1\n\n@RECEIPT\nreceipt-id:2\n\n@");
  EXPECT_THAT(port.outcomes, ElementsAre(Outcome{1, ErrorKind::timeout}, Outcome{2, processed}));
  EXPECT_FALSE(port.ended);
}

TEST_F(ClientSessionTest, awaits_no_more_receipts_than_allowed) {
  options.awaited_receipts = 2;
  open();
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2));
  port.taken();
  const auto third = send(3);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, ErrorKind::overloaded);
  EXPECT_EQ(port.taken(), "");
  EXPECT_TRUE(send(0));
  feed("RECEIPT\nreceipt-id:1\n\n@");
  EXPECT_TRUE(send(3));
}

TEST_F(ClientSessionTest, a_refused_frame_takes_no_receipt) {
  open();
  EXPECT_FALSE(session->send("/q", {}, std::vector<Header>{{"", "x"}}, 5, now));
  EXPECT_EQ(session->awaited(), 0u);
  ASSERT_TRUE(send(6));
  EXPECT_THAT(port.taken(), HasSubstr("receipt:1\n"));
}

TEST_F(ClientSessionTest, what_is_awaited_at_the_end_is_closed) {
  open();
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2));
  const Reason reason = session->lost(Reason::closed());
  EXPECT_EQ(reason.kind(), Reason::Kind::closed);
  EXPECT_THAT(port.outcomes,
              ElementsAre(Outcome{1, ErrorKind::closed}, Outcome{2, ErrorKind::closed}));
  EXPECT_EQ(session->state(), ClientSession::State::ended);
  EXPECT_FALSE(send(3));
  EXPECT_EQ(session->tick(now + 1h), Instant::never());
}

TEST_F(ClientSessionTest, whoever_is_told_may_send_again_and_is_refused) {
  open();
  std::vector<ErrorKind> kinds;
  port.on_completed = [&] {
    const auto again = send(9);
    ASSERT_FALSE(again);
    kinds.push_back(again.error().kind);
  };
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2));
  session->lost(Reason::closed());
  EXPECT_THAT(kinds, ElementsAre(ErrorKind::closed, ErrorKind::closed));
  EXPECT_EQ(port.outcomes.size(), 2u);
}

// ---- subscriptions and messages
// ------------------------------------------------------------------

TEST_F(ClientSessionTest, subscribes_and_unsubscribes) {
  open();
  EXPECT_EQ(subscribe(), 1u);
  EXPECT_EQ(port.taken(), "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:auto\n\n@");
  EXPECT_EQ(subscribe(AckMode::client_individual, 4), 2u);
  EXPECT_EQ(port.taken(),
            "SUBSCRIBE\nid:2\ndestination:/topic/a\nack:client-individual\nreceipt:1\n\n@");
  ASSERT_TRUE(session->unsubscribe(1, {}, 5, now));
  EXPECT_EQ(port.taken(), "UNSUBSCRIBE\nid:1\nreceipt:2\n\n@");
  const auto again = session->unsubscribe(1, {}, 0, now);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::not_found);
  EXPECT_EQ(session->subscriptions(), 1u);
}

TEST_F(ClientSessionTest, has_a_limit_of_subscriptions) {
  options.subscriptions = 1;
  open();
  subscribe();
  const auto second = session->subscribe("/topic/b", AckMode::automatic, {}, 0, now);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::overloaded);
}

TEST_F(ClientSessionTest, messages_reach_their_subscription) {
  open();
  subscribe();
  subscribe();
  feed(
      "MESSAGE\nsubscription:2\nmessage-id:x\ndestination:/topic/a\n\ntwo@"
      "MESSAGE\nsubscription:1\nmessage-id:y\ndestination:/topic/a\n\none@");
  EXPECT_THAT(port.messages, ElementsAre(std::pair(2u, "two"), std::pair(1u, "one")));
}

TEST_F(ClientSessionTest, messages_after_unsubscribe_are_dropped) {
  open();
  subscribe();
  ASSERT_TRUE(session->unsubscribe(1, {}, 0, now));
  feed("MESSAGE\nsubscription:1\nmessage-id:x\ndestination:/topic/a\n\nlate@");
  EXPECT_THAT(port.messages, IsEmpty());
  EXPECT_FALSE(port.ended);
}

TEST_F(ClientSessionTest, a_1_0_broker_may_name_the_destination_only) {
  open("1.0");
  subscribe();
  feed(
      "MESSAGE\nmessage-id: x\ndestination: "
      "/topic/a\n\nhere@MESSAGE\ndestination:/topic/b\n\nelsewhere@");
  EXPECT_THAT(port.messages, ElementsAre(std::pair(1u, "here")));
}

TEST_F(ClientSessionTest, since_1_1_a_message_names_its_subscription) {
  open("1.1");
  subscribe();
  feed("MESSAGE\nmessage-id:x\ndestination:/topic/a\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
}

TEST_F(ClientSessionTest, a_message_may_be_answered_from_its_callback) {
  open();
  subscribe();
  port.taken();
  port.on_message = [&](const FrameView&) { ASSERT_TRUE(send(0, "answer")); };
  feed("MESSAGE\nsubscription:1\nmessage-id:x\n\nq@");
  EXPECT_THAT(port.taken(), HasSubstr("answer@"));
}

TEST_F(ClientSessionTest, acknowledges_as_the_version_wants) {
  const auto written = [&](const char* version) {
    port = {};
    open(version);
    subscribe(AckMode::client);
    port.taken();
    port.on_message = [&](const FrameView& frame) {
      ASSERT_TRUE(session->ack_id(frame));
      ASSERT_TRUE(session->ack(1, *session->ack_id(frame), 0, now));
    };
    feed("MESSAGE\nsubscription:1\nmessage-id:m\nack:a\n\n@");
    return port.taken();
  };
  EXPECT_EQ(written("1.2"), "ACK\nid:a\n\n@");
  EXPECT_EQ(written("1.1"), "ACK\nmessage-id:m\nsubscription:1\n\n@");
  EXPECT_EQ(written("1.0"), "ACK\nmessage-id:m\n\n@");
  const auto nack = session->nack(1, "m", 0, now);
  ASSERT_FALSE(nack);
  EXPECT_EQ(nack.error().kind, ErrorKind::unsupported);
}

TEST_F(ClientSessionTest, client_individual_is_not_in_1_0) {
  open("1.0");
  const auto number = session->subscribe("/topic/a", AckMode::client_individual, {}, 0, now);
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().kind, ErrorKind::unsupported);
}

// ---- ERROR and broken frames
// ---------------------------------------------------------------------

TEST_F(ClientSessionTest, an_error_fails_its_receipt_then_the_session) {
  open();
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2));
  feed("ERROR\nreceipt-id:2\nmessage:no such queue\n\nlong@");
  EXPECT_THAT(port.outcomes,
              ElementsAre(Outcome{2, ErrorKind::protocol_error}, Outcome{1, ErrorKind::closed}));
  EXPECT_THAT(port.errors, ElementsAre("no such queue"));
  ASSERT_TRUE(port.ended);
  EXPECT_THAT(port.ended->text(), HasSubstr("no such queue"));
}

TEST_F(ClientSessionTest, a_tolerated_error_fails_its_receipt_only) {
  options.on_error = ErrorPolicy::keep_open;
  open("1.1");
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2));
  feed("ERROR\nreceipt-id:2\nmessage:no\n\n@RECEIPT\nreceipt-id:1\n\n@");
  EXPECT_THAT(port.outcomes,
              ElementsAre(Outcome{2, ErrorKind::protocol_error}, Outcome{1, processed}));
  EXPECT_FALSE(port.ended);
  port = {};
  open("1.2");
  feed("ERROR\nmessage:no\n\n@");
  EXPECT_TRUE(port.ended) << "1.2 closes after ERROR";
}

TEST_F(ClientSessionTest, what_is_not_stomp_ends_the_session) {
  open();
  ASSERT_TRUE(send(1));
  feed("MESSAGE\nno colon\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
  EXPECT_THAT(port.outcomes, ElementsAre(Outcome{1, ErrorKind::closed}));
}

TEST_F(ClientSessionTest, a_broker_sends_no_client_frames) {
  for (const char* frame :
       {"SEND\ndestination:a\n\n@", "CONNECTED\nversion:1.2\n\n@", "DISCONNECT\n\n@"}) {
    port = {};
    open();
    feed(frame);
    ASSERT_TRUE(port.ended) << frame;
    EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
  }
}

TEST_F(ClientSessionTest, input_may_be_cut_anywhere) {
  const std::string stream =
      "CONNECTED\nversion:1.2\n\n\0MESSAGE\nsubscription:1\ncontent-length:3\n\na\0b\0\n"
      "RECEIPT\nreceipt-id:1\n\n\0"s;
  for (std::size_t cut = 0; cut < stream.size(); ++cut) {
    port = {};
    start();
    session->received(BytesView(stream).substr(0, std::min<std::size_t>(cut, 24)), now);
    session->received(BytesView(stream).substr(std::min<std::size_t>(cut, 24),
                                               24 - std::min<std::size_t>(cut, 24)),
                      now);
    ASSERT_EQ(session->state(), ClientSession::State::open);
    subscribe(AckMode::automatic, 5);
    const BytesView rest = BytesView(stream).substr(24);
    const std::size_t at = std::min(cut, rest.size());
    session->received(rest.substr(0, at), now);
    session->received(rest.substr(at), now);
    EXPECT_THAT(port.messages, ElementsAre(std::pair(1u, std::string("a\0b", 3))));
    EXPECT_THAT(port.outcomes, ElementsAre(Outcome{5, processed}));
  }
}

// ---- goodbye
// -------------------------------------------------------------------------------------

TEST_F(ClientSessionTest, says_goodbye_and_waits_for_its_receipt) {
  open();
  ASSERT_TRUE(send(1));
  port.taken();
  session->disconnect(now);
  EXPECT_EQ(port.taken(), "DISCONNECT\nreceipt:2\n\n@");
  session->disconnect(now);
  EXPECT_EQ(port.taken(), "");
  EXPECT_FALSE(send(2)) << "nothing follows DISCONNECT";
  feed("RECEIPT\nreceipt-id:1\n\n@");
  EXPECT_FALSE(port.ended);
  feed("RECEIPT\nreceipt-id:2\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::normal);
  EXPECT_THAT(port.outcomes, ElementsAre(Outcome{1, processed}));
}

TEST_F(ClientSessionTest, a_goodbye_without_answer_times_out) {
  open();
  session->disconnect(now);
  EXPECT_EQ(session->tick(now), now + 5s);
  EXPECT_FALSE(port.ended);
  session->tick(now + 5s);
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::timeout);
}

TEST_F(ClientSessionTest, a_connection_closed_after_goodbye_is_a_normal_end) {
  open();
  session->disconnect(now);
  EXPECT_EQ(session->lost(Reason::failed("reset")).kind(), Reason::Kind::normal);
}

TEST_F(ClientSessionTest, goodbye_before_login_just_ends) {
  start();
  port.taken();
  session->disconnect(now);
  EXPECT_EQ(port.taken(), "");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::normal);
}

TEST_F(ClientSessionTest, messages_during_goodbye_are_not_told) {
  open();
  subscribe();
  session->disconnect(now);
  feed("MESSAGE\nsubscription:1\n\nlate@");
  EXPECT_THAT(port.messages, IsEmpty());
}

// ---- heart-beats
// ---------------------------------------------------------------------------------

TEST_F(ClientSessionTest,
       beats_two_seconds_before_the_agreed_interval_has_passed_since_the_last_octet) {
  open("1.2", "heart-beat:0,20000\n");
  EXPECT_EQ(session->heartbeats().send_every.count(), 20'000);
  EXPECT_EQ(session->heartbeats().receive_every.count(), 0);
  EXPECT_EQ(session->tick(now), now + 18s);
  now = now + 6s;
  ASSERT_TRUE(send(0));
  port.taken();
  EXPECT_EQ(session->tick(now + 11s), now + 18s) << "sending counts";
  EXPECT_EQ(port.taken(), "");
  EXPECT_EQ(session->tick(now + 18s), now + 36s);
  EXPECT_EQ(port.taken(), "\n");
  session->wrote(now + 25s);
  EXPECT_EQ(session->tick(now + 36s), now + 43s) << "octets that left count";
  EXPECT_EQ(port.taken(), "");
}

TEST_F(ClientSessionTest, a_silent_broker_is_dead_after_two_intervals_and_a_second) {
  open("1.2", "heart-beat:20000,0\n");
  EXPECT_EQ(session->tick(now), now + 41s);
  now = now + 39s;
  feed("\n");
  EXPECT_EQ(session->tick(now), now + 41s) << "any octet proves life";
  now = now + 39s;
  feed("MESS");
  EXPECT_EQ(session->tick(now), now + 41s) << "also the middle of a frame";
  session->tick(now + 41s);
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::timeout);
  EXPECT_THAT(port.ended->text(), HasSubstr("heart-beat"));
}

TEST_F(ClientSessionTest, short_intervals_have_a_second_of_grace) {
  options.heartbeat = {std::chrono::milliseconds(100), std::chrono::milliseconds(100)};
  open("1.2", "heart-beat:100,100\n");
  session->wrote(now + 1h);
  EXPECT_EQ(session->tick(now + 1199ms), now + 1200ms);
  EXPECT_FALSE(port.ended);
  session->tick(now + 1200ms);
  EXPECT_TRUE(port.ended);
}

TEST_F(ClientSessionTest, no_heart_beats_nothing_to_watch) {
  open("1.2");
  EXPECT_EQ(session->tick(now), Instant::never());
  EXPECT_EQ(session->tick(now + 24h), Instant::never());
  EXPECT_FALSE(port.ended);
}

TEST_F(ClientSessionTest, a_malformed_heart_beat_breaks_the_protocol) {
  start();
  feed("CONNECTED\nversion:1.2\nheart-beat:soon\n\n@");
  ASSERT_TRUE(port.ended);
  EXPECT_EQ(port.ended->kind(), Reason::Kind::protocol_error);
}

TEST_F(ClientSessionTest, describes_itself_without_secrets) {
  options.login = "me";
  options.passcode = "sesame";
  open();
  subscribe(AckMode::automatic, 3);
  EXPECT_EQ(session->describe(), "STOMP 1.2, open, 1 subscriptions, 1 receipts awaited");
}

}  // namespace
}  // namespace hawser::stomp
