// SEND at a broker's session: what becomes the message, receipts, destinations, temporary queues.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;
using testing::texts;
using Kind = bus::Destination::Kind;

struct In : BrokerPeer {
  explicit In(SessionOptions chosen = {}, const std::string& version = "1.2")
      : BrokerPeer(std::move(chosen)) {
    log_in(version);
  }
  using BrokerPeer::log_in;
  /// The message that a SEND with these headers became.
  bus::MessagePtr sent(std::vector<std::string> headers, const std::string& body = "x") {
    headers.emplace_back("destination:/queue/a");
    frame("SEND", headers, body);
    EXPECT_FALSE(published.empty()) << out;
    return published.empty() ? message("") : published.back().message;
  }
};

TEST(StompSend, passes_user_headers_on_and_strips_what_is_the_brokers) {
  In peer;
  peer.feed(
      "SEND\ndestination:/queue/jobs\ncontent-type:text/"
      "plain\nreceipt:7\nmessage-id:mine\nfoo:bar\nfoo:old\nack:1\nsubscription:2\n"
      "redelivered:true\ndelivery-count:9\ncorrelation-id:c\ncontent-length:3\n\na\0b\0"s);
  ASSERT_EQ(peer.published.size(), 1U);
  const auto& [to, message, token] = peer.published.front();
  EXPECT_EQ(to, (bus::Destination{Kind::queue, "jobs"}));
  EXPECT_EQ(message->destination(), "/queue/jobs");
  EXPECT_EQ(message->body(), "a\0b"s);
  EXPECT_EQ(message->content_type(), "text/plain");
  EXPECT_EQ(texts(message->properties()),
            (std::vector<std::string>{"foo:bar", "correlation-id:c"}));
  EXPECT_TRUE(peer.out.empty()) << "no RECEIPT before the bus has it (R-01)";
  peer.session.confirmed(token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:7\n\n\0"s);
  peer.session.confirmed(token);
  EXPECT_TRUE(peer.out.empty()) << "once";
}

TEST(StompSend, of_a_thousand_repeated_headers_the_first_is_passed_on) {
  In peer;
  std::vector<std::string> headers;
  for (int i = 0; i < 400; ++i)
    headers.push_back("h" + std::to_string(i % 200) + ":" + std::to_string(i));
  const auto message = peer.sent(headers);
  EXPECT_EQ(message->properties().size(), 200U);
  Bytes scratch;
  EXPECT_EQ(message->property("h7", scratch), "7");
}

TEST(StompSend, R_02_receipts_come_in_the_order_of_what_they_promise) {
  In peer;
  peer.sent({"receipt:slow", "persistent:true"});
  peer.sent({"receipt:quick"});
  peer.session.confirmed(peer.published.at(1).token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:quick\n\n\0"s);
  peer.session.confirmed(peer.published.at(0).token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:slow\n\n\0"s);
}

TEST(StompSend, what_is_asked_of_a_message_in_any_dialect) {
  In peer;
  peer.wall = 5'000;
  EXPECT_FALSE(peer.sent({})->persistent());
  EXPECT_TRUE(peer.sent({"persistent:true"})->persistent());
  EXPECT_EQ(peer.sent({})->priority(), 4);
  EXPECT_EQ(peer.sent({"priority:0"})->priority(), 0);
  EXPECT_EQ(peer.sent({"priority:12"})->priority(), 9);
  EXPECT_EQ(peer.sent({})->expires(), 0);
  EXPECT_EQ(peer.sent({"expires:7000"})->expires(), 7'000);
  EXPECT_EQ(peer.sent({"expires:0"})->expires(), 0);
  EXPECT_EQ(peer.sent({"ttl:100"})->expires(), 5'100);
  EXPECT_EQ(peer.sent({"expiration:200"})->expires(), 5'200);
  EXPECT_EQ(peer.sent({"ttl:300", "expires:5200"})->expires(), 5'200);
  EXPECT_EQ(peer.sent({"delay:50"})->deliver_at(), 5'050);
  EXPECT_EQ(peer.sent({"AMQ_SCHEDULED_DELAY:60"})->deliver_at(), 5'060);
  EXPECT_EQ(peer.sent({"message-group:g"})->group(), "g");
  EXPECT_EQ(peer.sent({"JMSXGroupID:h"})->group(), "h");
  EXPECT_EQ(peer.sent({"retain:set"})->retain(), bus::Retain::set);
  EXPECT_EQ(peer.sent({"retain:remove"})->retain(), bus::Retain::remove);
  EXPECT_EQ(texts(peer.sent({"priority:5", "persistent:true"})->properties()),
            (std::vector<std::string>{"priority:5", "persistent:true"}))
      << "and its consumers see it, too";
}

TEST(StompSend, a_number_that_is_none_is_an_error_that_names_its_header) {
  for (const char* header :
       {"priority", "expires", "ttl", "expiration", "delay", "AMQ_SCHEDULED_DELAY"})
    for (const char* value : {"", "x", "-1", "1.5", "99999999999999999999"}) {
      In peer;
      peer.frame("SEND", {"destination:/queue/a", "receipt:r", header + ":"s + value}, "x");
      EXPECT_TRUE(peer.refused(header)) << value;
      EXPECT_TRUE(peer.said("receipt-id:r\n"));
      EXPECT_TRUE(peer.published.empty());
    }
  In peer;
  peer.frame("SEND", {"destination:/queue/a", "delay:999999999999"}, "x");
  EXPECT_TRUE(peer.refused("message:delay too long\n"));
}

TEST(StompSend, a_refused_send_fails_its_receipt_and_ends_the_session) {
  In peer;
  peer.sent({"receipt:7"});
  peer.session.refused(peer.published.front().token,
                       Error{ErrorKind::overloaded, 0, "publish", "queue \"jobs\" is full"});
  EXPECT_TRUE(peer.refused("is full"));
  EXPECT_TRUE(peer.said("receipt-id:7\n"));
  EXPECT_EQ(peer.ended->kind(), Reason::Kind::overloaded);
}

TEST(StompSend, a_sender_that_made_room_for_others_is_asked_for_again) {
  In peer;
  peer.sent({});
  peer.generation = 2;
  peer.sent({});
  EXPECT_EQ(peer.published.size(), 2U);
  EXPECT_EQ(peer.senders.size(), 2U);
  peer.sent({});
  EXPECT_EQ(peer.senders.size(), 2U) << "but not for each message";
}

TEST(StompSend, while_the_bus_is_full_nothing_is_read_and_nothing_times_out) {
  In peer;
  peer.session.pause_changed(true);
  EXPECT_FALSE(peer.reading);
  peer.frame("SEND", {"destination:/queue/a"}, "x");
  EXPECT_TRUE(peer.published.empty());
  peer.session.pause_changed(false);
  EXPECT_TRUE(peer.reading);
  EXPECT_EQ(peer.published.size(), 1U);
}

TEST(StompSend, with_too_many_receipts_owed_nothing_more_is_read) {
  In peer({.awaited_receipts = 4});
  std::string many;
  for (int i = 0; i < 8; ++i)
    many += "SEND\ndestination:/queue/a\nreceipt:" + std::to_string(i) + "\n\nx\0"s;
  peer.feed(many);
  EXPECT_EQ(peer.published.size(), 4U);
  EXPECT_FALSE(peer.reading);
  peer.session.confirmed(peer.published.at(0).token);
  EXPECT_EQ(peer.published.size(), 4U);
  peer.session.confirmed(peer.published.at(1).token);
  EXPECT_EQ(peer.published.size(), 6U) << "half of them are answered";
  EXPECT_FALSE(peer.reading) << "and four are owed again";
  for (std::size_t i = 2; i < 8; ++i) peer.session.confirmed(peer.published.at(i).token);
  EXPECT_EQ(peer.published.size(), 8U);
  EXPECT_TRUE(peer.reading);
}

// ---- destinations
// --------------------------------------------------------------------------------------

TEST(StompSend, each_kind_of_destination_is_known_to_the_bus_by_its_own_name) {
  In peer;
  for (const char* text : {"/queue/a", "/topic/a.b", "/dlq/a", "/reply-queue/x.y", "/temp-queue/t"})
    peer.frame("SEND", {"destination:"s + text}, "x");
  std::vector<std::string> names;
  for (const auto& each : peer.published)
    names.push_back((each.to.kind == Kind::topic ? "topic " : "queue ") + each.to.name);
  EXPECT_EQ(names, (std::vector<std::string>{"queue a", "topic a.b", "queue dlq/a",
                                             "queue reply/x.y", "queue reply/secret1.t"}));
  EXPECT_EQ(peer.temporary, (std::vector<bus::Destination>{{Kind::queue, "reply/secret1.t"}}));
  EXPECT_NE(peer.published[3].message->expires(), 0) << "an answer does not live for ever";
}

TEST(StompSend, destinations_that_are_none) {
  for (const auto& [text, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/exchange/x", "unknown destination"},
           {"/topic/", "unknown destination"},
           {"/topic/a.*", "wildcards are for SUBSCRIBE"},
           {"/topic/>", "wildcards are for SUBSCRIBE"},
           {"/queue/dlq/a", "queues of that name"},
           {"/queue/reply/a", "queues of that name"},
           {"", "unknown destination"},
       }) {
    In peer;
    peer.frame("SEND", {"destination:"s + text}, "x");
    EXPECT_TRUE(peer.refused(says)) << text;
    EXPECT_TRUE(peer.published.empty());
  }
  In none;
  none.frame("SEND", {}, "x");
  EXPECT_TRUE(none.refused("message:missing destination\n"));
  In longer({.destination = 20});
  longer.frame("SEND", {"destination:/queue/" + std::string(20, 'a')}, "x");
  EXPECT_TRUE(longer.refused("message:destination too long\n"));
}

TEST(StompSend, a_composite_destination_is_all_of_them_or_none) {
  In peer({.composite = 3});
  peer.frame("SEND", {"destination:/queue/a,/topic/b,/queue/c", "receipt:1"},
             std::string(5'000, 'x'));
  ASSERT_EQ(peer.committed.size(), 1U);
  const auto& publishes = peer.committed[0].first.publishes();
  ASSERT_EQ(publishes.size(), 3U);
  EXPECT_EQ(publishes[1].to, (bus::Destination{Kind::topic, "b"}));
  EXPECT_EQ(publishes[1].message->destination(), "/topic/b");
  EXPECT_EQ(publishes[0].message->shared_body().view().data(),
            publishes[2].message->shared_body().view().data())
      << "the body lies in memory once";
  peer.session.confirmed(peer.committed[0].second);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:1\n\n\0"s);
  peer.frame("SEND", {"destination:/queue/a,b"}, "x");
  EXPECT_EQ(peer.published.back().to.name, "a,b") << "a comma alone is part of a name";
  peer.frame("SEND", {"destination:/queue/a,/queue/b,/queue/c,/queue/d"}, "x");
  EXPECT_TRUE(peer.refused("message:too many destinations\n"));
}

TEST(StompSend, many_destinations_do_not_make_the_table_grow) {
  In peer;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 200; ++i)
      peer.frame("SEND", {"destination:/queue/q" + std::to_string(i)}, "x");
  EXPECT_EQ(peer.published.size(), 600U);
  EXPECT_EQ(peer.published.back().to.name, "q199");
}

// ---- temporary queues (D-05, D-06)
// ---------------------------------------------------------------------

TEST(StompSend, D_05_a_temporary_queue_in_reply_to_is_made_and_subscribed_to) {
  In peer;
  const auto message = peer.sent({"reply-to:/temp-queue/foo", "correlation-id:1"});
  EXPECT_EQ(texts(message->properties()),
            (std::vector<std::string>{"reply-to:/reply-queue/secret1.foo", "correlation-id:1"}));
  ASSERT_EQ(peer.subscribed.size(), 1U);
  EXPECT_EQ(peer.subscribed[0].wanted.to, (bus::Destination{Kind::queue, "reply/secret1.foo"}));
  EXPECT_EQ(peer.temporary.size(), 1U);
  peer.sent({"reply-to:/temp-queue/foo"});
  EXPECT_EQ(peer.subscribed.size(), 1U) << "once";
  peer.deliver(peer.subscribed[0].number, 1, "answer");
  EXPECT_TRUE(peer.said("subscription:/temp-queue/foo\n"));
  EXPECT_EQ(peer.settled, std::vector<std::string>{"1:1-1 accepted"});
}

TEST(StompSend, a_temporary_queue_that_is_subscribed_to_needs_no_other_subscription) {
  In peer;
  peer.subscribe("/temp-queue/foo", "mine", {"ack:client"});
  peer.sent({"reply-to:/temp-queue/foo"});
  EXPECT_EQ(peer.subscribed.size(), 1U);
  EXPECT_EQ(peer.temporary.size(), 1U);
}

TEST(StompSend, other_reply_tos_pass_as_they_are) {
  In peer;
  EXPECT_EQ(texts(peer.sent({"reply-to:/queue/answers"})->properties()),
            std::vector<std::string>{"reply-to:/queue/answers"});
  EXPECT_TRUE(peer.subscribed.empty());
  peer.frame("SEND", {"destination:/queue/a", "reply-to:/temp-queue/"}, "x");
  EXPECT_TRUE(peer.refused("unknown destination"));
}

TEST(StompSend, temporary_queues_have_a_limit) {
  In peer({.subscriptions = 3});
  for (int i = 0; i < 4; ++i)
    peer.frame("SEND", {"destination:/temp-queue/t" + std::to_string(i)}, "x");
  EXPECT_TRUE(peer.refused("message:too many temporary queues\n"));
  EXPECT_EQ(peer.temporary.size(), 3U);
}

}  // namespace
}  // namespace hawser::stomp
