// SUBSCRIBE, UNSUBSCRIBE and MESSAGE at a broker's session: ids, dialects, durable subscriptions,
// browsers, slow peers.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;
using ::testing::HasSubstr;
using Kind = bus::Destination::Kind;

TEST(StompSubscribe, R_05_answers_its_receipt_and_a_raw_colon_in_an_id_is_data) {
  BrokerPeer peer;
  peer.log_in();
  peer.subscribe("/topic/a", "a:b", {"receipt:1"});
  ASSERT_FALSE(peer.ended);
  EXPECT_TRUE(peer.out.empty());
  peer.session.confirmed(peer.subscribed.front().token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:1\n\n\0"s);
}

TEST(StompSubscribe, message_frames_are_escaped_by_version_and_numbered) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/topic/a", "a\\cb");
  peer.deliver(number, 1, "hi", {{"k:1", "v\r\n\\"}});
  EXPECT_EQ(
      peer.take(),
      "MESSAGE\nsubscription:a\\cb\nmessage-id:s-1-1\ndestination:/topic/a\ncontent-type:text/"
      "plain\n"
      "k\\c1:v\\r\\n\\\\\ncontent-length:2\n\nhi\0"s);
  peer.frame("UNSUBSCRIBE", {"id:a\\cb", "receipt:2"});
  ASSERT_EQ(peer.unsubscribed.size(), 1U);
  peer.deliver(number, 2, "late");
  EXPECT_TRUE(peer.out.empty()) << "nothing of an ended subscription";
  peer.session.confirmed(peer.unsubscribed[0].token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:2\n\n\0"s);
}

TEST(StompSubscribe, what_a_version_cannot_say_is_left_out_for_it) {
  const std::vector<bus::Property> all{
      {"lf", "x\ny"}, {"cr", "x\ry"}, {"back", "\\r\\\\"}, {"co:lon", "x"}, {"val", "a:b"}};
  BrokerPeer v1_0;
  v1_0.log_in("1.0");
  v1_0.deliver(v1_0.subscribe("/topic/a", ""), 1, "", all);
  EXPECT_EQ(v1_0.take(),
            "MESSAGE\nmessage-id:s-1-1\ndestination:/topic/a\ncontent-type:text/plain\n"
            "back:\\r\\\\\nval:a:b\n\n\0"s);
  BrokerPeer v1_1;
  v1_1.log_in("1.1");
  v1_1.deliver(v1_1.subscribe("/topic/a", "1"), 1, "", all);
  EXPECT_EQ(v1_1.take(),
            "MESSAGE\nsubscription:1\nmessage-id:s-1-1\ndestination:/topic/a\ncontent-type:text/"
            "plain\nlf:x\\ny\nback:\\\\r\\\\\\\\\nco\\clon:x\nval:a\\cb\n\n\0"s);
}

TEST(StompSubscribe, a_body_that_lies_elsewhere_follows_its_head) {
  BrokerPeer peer;
  peer.log_in();
  const std::string body(20'000, 'b');
  peer.deliver(peer.subscribe("/topic/a", "1"), 1, body);
  EXPECT_TRUE(peer.out.ends_with("content-length:20000\n\n" + body + std::string(1, '\0')));
}

TEST(StompSubscribe, redeliveries_are_marked_and_counted) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/queue/a", "1", {"ack:client"});
  peer.deliver(number, 1, "x", {}, 3);
  EXPECT_TRUE(peer.said("\nredelivered:true\ndelivery-count:3\n"));
  peer.take();
  peer.deliver(number, 2, "x");
  EXPECT_FALSE(peer.said("redelivered"));
}

TEST(StompSubscribe, prefetch_in_the_words_of_each_broker) {
  const auto asked = [](std::vector<std::string> headers) {
    BrokerPeer peer({.prefetch = 500});
    peer.log_in();
    peer.subscribe("/queue/a", "1", std::move(headers));
    return peer.subscribed.empty() ? 0 : peer.subscribed[0].wanted.prefetch;
  };
  EXPECT_EQ(asked({}), 500U);
  EXPECT_EQ(asked({"prefetch-count:2"}), 2U);
  EXPECT_EQ(asked({"activemq.prefetchSize:3"}), 3U);
  EXPECT_EQ(asked({"prefetch-count:0"}), 500U) << "no bound: ours";
  EXPECT_EQ(asked({"prefetch-count:99999999999"}), 500U);
  BrokerPeer bad;
  bad.log_in();
  bad.frame("SUBSCRIBE", {"id:1", "destination:/queue/a", "prefetch-count:-1"});
  EXPECT_TRUE(bad.refused("prefetch-count"));
}

TEST(StompSubscribe, exclusive_browser_no_local_and_selector) {
  BrokerPeer peer;
  peer.log_in();
  peer.subscribe("/queue/a", "1", {"exclusive:true", "browser:true", "no-local:true"});
  EXPECT_TRUE(peer.subscribed[0].wanted.exclusive);
  EXPECT_TRUE(peer.subscribed[0].wanted.browse);
  EXPECT_TRUE(peer.subscribed[0].wanted.no_local);
  peer.subscribe("/topic/a", "2", {"activemq.exclusive:true", "activemq.noLocal:true"});
  EXPECT_TRUE(peer.subscribed[1].wanted.exclusive);
  EXPECT_TRUE(peer.subscribed[1].wanted.no_local);
  EXPECT_EQ(peer.subscribed[1].wanted.filter, nullptr);
  peer.subscribe("/topic/a", "3", {"selector:color = 'red' AND n > 2"});
  const auto& filter = peer.subscribed[2].wanted.filter;
  ASSERT_NE(filter, nullptr);
  EXPECT_EQ(filter->text(), "color = 'red' AND n > 2");
  EXPECT_TRUE(filter->accepts(*BrokerPeer::message("", {{"color", "red"}, {"n", "3"}})));
  EXPECT_FALSE(filter->accepts(*BrokerPeer::message("", {{"color", "red"}, {"n", "1"}})));
  peer.frame("SUBSCRIBE", {"id:4", "destination:/topic/a", "selector:color ="});
  EXPECT_TRUE(peer.refused("message:malformed selector\n"));
}

TEST(StompSubscribe, sources_that_are_none) {
  for (const auto& [text, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/exchange/x", "unknown destination"},
           {"/queue/a.*", "wildcards are for topics"},
           {"/queue/a,/queue/b", "one destination"},
           {"/reply-queue/s.a", "only who asked"},
           {"/queue/dlq/a", "queues of that name"},
           {"/queue/reply/a", "queues of that name"},
       }) {
    BrokerPeer peer;
    peer.log_in();
    peer.frame("SUBSCRIBE", {"id:1", "destination:"s + text});
    EXPECT_TRUE(peer.refused(says)) << text;
    EXPECT_TRUE(peer.subscribed.empty());
  }
  BrokerPeer peer;
  peer.log_in();
  peer.subscribe("/dlq/jobs", "1");
  EXPECT_EQ(peer.subscribed[0].wanted.to, (bus::Destination{Kind::queue, "dlq/jobs"}));
  peer.subscribe("/topic/a.*.>", "2");
  EXPECT_EQ(peer.subscribed[1].wanted.to, (bus::Destination{Kind::topic, "a.*.>"}));
}

TEST(StompSubscribe, ids_too_long_in_use_or_too_many) {
  BrokerPeer longer({.subscription_id = 4});
  longer.log_in();
  longer.frame("SUBSCRIBE", {"id:12345", "destination:/topic/a"});
  EXPECT_TRUE(longer.refused("message:subscription id too long\n"));
  BrokerPeer many({.subscriptions = 2});
  many.log_in();
  for (const char* id : {"1", "2", "3"})
    many.frame("SUBSCRIBE", {"id:"s + id, "destination:/topic/a"});
  EXPECT_TRUE(many.refused("message:too many subscriptions\n"));
  EXPECT_EQ(many.subscribed.size(), 2U);
}

TEST(StompSubscribe, missing_ids_are_let_pass_where_that_is_wanted) {
  BrokerPeer lenient({.lenient = {.missing_ids = true}});
  lenient.log_in();
  const auto number = lenient.subscribe("/topic/a", "");
  lenient.deliver(number, 1, "x");
  EXPECT_TRUE(lenient.said("\nsubscription:/topic/a\n"));
  lenient.frame("UNSUBSCRIBE", {"destination:/topic/a"});
  EXPECT_EQ(lenient.unsubscribed.size(), 1U);
}

// ---- positions
// -----------------------------------------------------------------------------------------

TEST(StompSubscribe, include_seq_puts_the_position_into_a_header_of_that_name) {
  BrokerPeer peer;
  peer.log_in();
  std::vector<bus::Delivery> one(1);
  one[0].subscription = peer.subscribe("/queue/a", "1", {"include-seq:my\\cseq"});
  one[0].id = 1;
  one[0].position = 41;
  one[0].message = BrokerPeer::message("hi", {{"seq", "theirs"}});
  peer.session.delivered(one);
  EXPECT_EQ(peer.take(),
            "MESSAGE\nsubscription:1\nmessage-id:s-1-1\nmy\\cseq:41\ndestination:/topic/a\n"
            "content-type:text/plain\nseq:theirs\ncontent-length:2\n\nhi\0"s);
  EXPECT_EQ(peer.settled, std::vector<std::string>{"1:1-1 accepted"});
  one[0].subscription = peer.subscribe("/queue/a", "2", {"include-seq:seq", "ack:client"});
  one[0].position = 18'446'744'073'709'551'614U;
  one[0].count = 2;
  one[0].redelivered = true;
  peer.session.delivered(one);
  EXPECT_TRUE(
      peer.said("\nack:s-2-1\nredelivered:true\ndelivery-count:2\n"
                "seq:18446744073709551614\ndestination:"))
      << "before what the sender calls so, and the first counts: " << peer.out;
  peer.take();
  one[0].subscription = peer.subscribe("/queue/a", "3");
  peer.session.delivered(one);
  EXPECT_FALSE(peer.said("18446744073709551614")) << "only where it was asked for";
}

TEST(StompSubscribe, from_seq_says_where_a_subscription_begins) {
  const auto asked = [](const char* destination, std::vector<std::string> headers) {
    BrokerPeer peer;
    peer.log_in();
    peer.subscribe(destination, "1", std::move(headers));
    return peer.subscribed.empty() ? 1'000 : peer.subscribed[0].wanted.from;
  };
  EXPECT_EQ(asked("/queue/a", {}), 0U);
  EXPECT_EQ(asked("/queue/a", {"from-seq:0"}), 0U);
  EXPECT_EQ(asked("/queue/a", {"from-seq:42", "browser:true"}), 42U);
  EXPECT_EQ(asked("/queue/a", {"from-seq:-1"}), bus::Subscription::from_now);
  EXPECT_EQ(asked("/dlq/a", {"from-seq:42"}), 42U);
  EXPECT_EQ(asked("/temp-queue/a", {"from-seq:42"}), 42U);
  EXPECT_EQ(asked("/topic/a", {"from-seq:42", "durable:true", "include-seq:n"}), 42U);
  EXPECT_EQ(asked("/topic/a", {"from-seq:42", "activemq.subscriptionName:s"}), 42U);
  EXPECT_EQ(asked("/topic/a", {"from-seq:-1"}), bus::Subscription::from_now);
  EXPECT_EQ(asked("/topic/a", {"from-seq:0"}), 0U);
}

TEST(StompSubscribe, positions_that_cannot_be_are_refused_by_name) {
  for (const auto& [header, destination, says] :
       std::initializer_list<std::tuple<const char*, const char*, const char*>>{
           {"from-seq:x", "/queue/a", "message:malformed from-seq header\n"},
           {"from-seq:", "/queue/a", "message:malformed from-seq header\n"},
           {"from-seq:-2", "/queue/a", "message:malformed from-seq header\n"},
           {"from-seq:18446744073709551616", "/queue/a", "message:malformed from-seq header\n"},
           {"from-seq:5", "/topic/a", "message:from-seq is not for topics\n"},
           {"include-seq:", "/queue/a", "message:malformed include-seq header\n"},
           {"include-seq:message-id", "/queue/a", "\"message-id\" is not a name"},
           {"include-seq:content-length", "/queue/a", "message:malformed include-seq header\n"},
           {"include-seq:seq", "/topic/a", "message:include-seq is not for topics\n"},
           {"include-seq:seq", "/topic/a", "make the subscription durable"},
       }) {
    BrokerPeer peer;
    peer.log_in();
    peer.frame("SUBSCRIBE", {"id:1", "destination:"s + destination, header});
    EXPECT_TRUE(peer.refused(says)) << header;
    EXPECT_TRUE(peer.subscribed.empty());
  }
  BrokerPeer v1_0;
  v1_0.log_in("1.0");
  v1_0.frame("SUBSCRIBE", {"destination:/queue/a", "include-seq:a:b"});
  EXPECT_TRUE(v1_0.refused("message:malformed include-seq header\n")) << "no escapes there";
  BrokerPeer longer({.subscription_id = 4});
  longer.log_in();
  longer.frame("SUBSCRIBE", {"id:1", "destination:/queue/a", "include-seq:12345"});
  EXPECT_TRUE(longer.refused("message:include-seq header too long\n"));
}

TEST(StompSubscribe, include_seq_is_refused_for_a_name_that_cannot_be_sent_or_is_of_the_message) {
  const auto asked = [](const char* version, const std::string& name) {
    BrokerPeer peer;
    peer.log_in(version);
    peer.frame("SUBSCRIBE", {"id:1", "destination:/queue/a", "include-seq:" + name});
    const auto refused = peer.refused("message:malformed include-seq header\n");
    EXPECT_EQ(peer.subscribed.empty(), static_cast<bool>(refused));
    return refused      ? peer.out.substr(peer.out.find("\n\n") + 2)
           : peer.ended ? "another error: " + peer.out
                        : "taken";
  };
  for (const char* const name : {"destination", "message-id", "subscription", "ack", "content-type",
                                 "content-length", "redelivered", "delivery-count", "browser"})
    EXPECT_THAT(asked("1.2", name), HasSubstr("is not a name that MESSAGE frames leave to you"))
        << name;
  // What has no escape in the session's version would break the frame.
  const char* const cannot = "cannot be a header's name in this version";
  EXPECT_THAT(asked("1.0", "a\rb"), HasSubstr(cannot));
  EXPECT_THAT(asked("1.1", "a\rb"), HasSubstr(cannot));
  EXPECT_THAT(asked("1.1", "a\rb"), HasSubstr("\"a\\rb\"")) << "it is named";
  EXPECT_THAT(asked("1.0", "a:b"), HasSubstr(cannot));
  for (const char* const version : {"1.0", "1.1", "1.2"})
    for (const char* const name : {"seq", "receipt", "message-id2", "Ack"})
      EXPECT_EQ(asked(version, name), "taken") << version << name;
  EXPECT_EQ(asked("1.1", "a\\cb\\nc"), "taken");
  EXPECT_EQ(asked("1.2", "a\\cb\\nc\\rd"), "taken");
}

// ---- durable
// -------------------------------------------------------------------------------------------

bus::Subscription durable(const std::vector<std::string>& headers,
                          const std::string& client_id = "c", const std::string& id = "1") {
  BrokerPeer peer;
  peer.log_in("1.2", {"client-id:" + client_id});
  peer.subscribe("/topic/trains.>", id, headers);
  return peer.subscribed.at(0).wanted;
}

TEST(StompSubscribe, U_18_durable_subscriptions_by_three_families_of_headers) {
  for (const char* header :
       {"durable-subscription-name", "durable-subscriber-name", "activemq.subscriptionName"}) {
    const auto wanted = durable({header + ":feed"s});
    EXPECT_EQ(wanted.to, (bus::Destination{Kind::subscription, "c/feed"})) << header;
    EXPECT_EQ(wanted.pattern, "trains.>");
    EXPECT_TRUE(wanted.queue.single_consumer) << "one client's";
  }
  const auto shared = durable({"durable:true", "auto-delete:false"}, "c", "my-id");
  EXPECT_EQ(shared.to, (bus::Destination{Kind::subscription, "my-id@trains.>"}));
  EXPECT_FALSE(shared.queue.single_consumer);
  EXPECT_EQ(durable({"persistent:true"}, "c", "my-id").to, shared.to) << "the older spelling";
  EXPECT_EQ(durable({}).to.kind, Kind::topic);
}

TEST(StompSubscribe, durable_names_belong_to_the_client_and_cannot_be_mixed_up) {
  EXPECT_EQ(durable({"activemq.subscriptionName:feed"}, "").to.name, "feed");
  EXPECT_NE(durable({"activemq.subscriptionName:b/c"}, "a").to,
            durable({"activemq.subscriptionName:c"}, "a/b").to);
  BrokerPeer queue;
  queue.log_in();
  queue.subscribe("/queue/a", "1", {"durable:true"});
  EXPECT_EQ(queue.subscribed[0].wanted.to.kind, Kind::queue) << "a queue is what it is";
}

TEST(StompSubscribe, D_20_UNSUBSCRIBE_with_the_durable_name_removes_it) {
  BrokerPeer peer;
  peer.log_in("1.2", {"client-id:c"});
  const auto number = peer.subscribe("/topic/a", "1", {"activemq.subscriptionName:feed"});
  peer.frame("UNSUBSCRIBE", {"id:1", "receipt:1"});
  EXPECT_EQ(peer.unsubscribed.size(), 1U);
  EXPECT_TRUE(peer.removed.empty()) << "without the name it goes on collecting";
  peer.frame("UNSUBSCRIBE", {"activemq.subscriptionName:feed", "receipt:2"});
  ASSERT_EQ(peer.removed.size(), 1U);
  EXPECT_EQ(peer.removed[0].first, (bus::Destination{Kind::subscription, "c/feed"}));
  EXPECT_NE(peer.removed[0].second, 0U);
  peer.subscribe("/topic/a", "1", {"activemq.subscriptionName:feed"});
  peer.frame("UNSUBSCRIBE", {"id:1", "activemq.subscriptionName:feed", "receipt:3"});
  EXPECT_EQ(peer.unsubscribed.size(), 2U);
  EXPECT_EQ(peer.removed.size(), 2U);
  EXPECT_NE(number, 0U);
  BrokerPeer rabbit;
  rabbit.log_in();
  rabbit.subscribe("/topic/a", "q", {"durable:true"});
  rabbit.frame("UNSUBSCRIBE", {"id:q", "durable:true"});
  ASSERT_EQ(rabbit.removed.size(), 1U);
  EXPECT_EQ(rabbit.removed[0].first, (bus::Destination{Kind::subscription, "q@a"}));
}

// ---- browsers, slow peers, ends
// ------------------------------------------------------------------------

TEST(StompSubscribe, D_14_a_browser_is_told_of_its_end) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/queue/a", "b", {"browser:true"});
  peer.deliver(number, 1, "x");
  peer.take();
  peer.session.browse_ended(number);
  EXPECT_EQ(peer.take(), "MESSAGE\nsubscription:b\nmessage-id:s-1-end\nbrowser:end\n\n\0"s);
  EXPECT_EQ(peer.session.subscriptions(), 0U);
  peer.subscribe("/queue/a", "b");
  EXPECT_FALSE(peer.ended) << "its id is free again";
}

TEST(StompSubscribe, a_browsers_end_comes_behind_what_waits) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/queue/a", "b", {"browser:true"});
  peer.room = false;
  peer.deliver(number, 1, "x");
  peer.session.browse_ended(number);
  EXPECT_TRUE(peer.out.empty());
  peer.room = true;
  peer.session.writable();
  EXPECT_LT(peer.out.find("message-id:s-1-1"), peer.out.find("browser:end"));
  EXPECT_TRUE(peer.said("browser:end"));
}

TEST(StompSubscribe, deliveries_wait_while_the_peer_does_not_read_and_keep_their_order) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/topic/a", "1");
  peer.room = false;
  for (std::uint64_t id = 1; id <= 3; ++id) peer.deliver(number, id, std::to_string(id) + "body");
  EXPECT_TRUE(peer.out.empty());
  EXPECT_TRUE(peer.settled.empty()) << "no room, no more";
  peer.room = true;
  peer.session.writable();
  EXPECT_LT(peer.out.find("1body"), peer.out.find("2body"));
  EXPECT_LT(peer.out.find("2body"), peer.out.find("3body"));
  EXPECT_EQ(peer.settled, std::vector<std::string>{"1:1-3 accepted"});
}

TEST(StompSubscribe, A_01_auto_is_settled_as_soon_as_it_is_written_a_turn_at_once) {
  BrokerPeer peer;
  peer.log_in();
  const auto one = peer.subscribe("/queue/a", "1");
  const auto two = peer.subscribe("/queue/b", "2");
  std::vector<bus::Delivery> mixed(5);
  const std::uint64_t numbers[] = {one, one, two, two, one};
  const std::uint64_t ids[] = {1, 2, 1, 2, 3};
  for (std::size_t i = 0; i < 5; ++i) {
    mixed[i].subscription = numbers[i];
    mixed[i].id = ids[i];
    mixed[i].message = BrokerPeer::message("x");
  }
  peer.session.delivered(mixed);
  EXPECT_EQ(peer.settled,
            (std::vector<std::string>{"1:1-2 accepted", "2:1-2 accepted", "1:3-3 accepted"}));
}

TEST(StompSubscribe, A_13_UNSUBSCRIBE_gives_back_what_is_unsettled_and_says_what_was_seen) {
  BrokerPeer peer;
  peer.log_in();
  const auto number = peer.subscribe("/queue/a", "1", {"ack:client"});
  peer.deliver_many(number, 2);
  peer.room = false;
  peer.deliver(number, 3, "never seen");
  peer.frame("UNSUBSCRIBE", {"id:1"});
  EXPECT_EQ(peer.unsubscribed, (std::vector<BrokerPeer::Unsubscribed>{{number, 2, 0}}));
  peer.room = true;
  peer.take();
  peer.session.writable();
  EXPECT_TRUE(peer.out.empty());
}

TEST(StompSubscribe, a_slow_subscriber_and_a_lost_bus_are_told) {
  BrokerPeer slow;
  slow.log_in();
  const auto number = slow.subscribe("/topic/a", "x");
  slow.session.subscription_ended(number, Error{ErrorKind::overloaded, 0, "topic", "too slow"});
  EXPECT_TRUE(slow.refused("message:slow consumer\n"));
  EXPECT_TRUE(slow.said("\nsubscription:x\n"));
  BrokerPeer removed;
  removed.log_in();
  removed.session.subscription_ended(removed.subscribe("/queue/a", "x"),
                                     Error{ErrorKind::not_found, 0, "queue", "removed"});
  EXPECT_TRUE(removed.refused("message:subscription ended\n"));
  BrokerPeer lost;
  lost.log_in();
  lost.session.bus_lost();
  EXPECT_TRUE(lost.refused("the broker restarts"));
}

}  // namespace
}  // namespace hawser::stomp
