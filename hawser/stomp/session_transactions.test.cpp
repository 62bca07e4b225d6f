// BEGIN, COMMIT and ABORT at a broker's session: rows T-01 to T-08 and their limits.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;

struct InTransaction : BrokerPeer {
  explicit InTransaction(SessionOptions chosen = {}) : BrokerPeer(std::move(chosen)) {
    log_in("1.2");
  }
  using BrokerPeer::log_in;
  void begin(const std::string& name) { frame("BEGIN", {"transaction:" + name}); }
  void send(const std::string& name, const std::string& body = "x",
            const std::string& receipt = {}) {
    std::vector<std::string> headers{"destination:/queue/a", "transaction:" + name};
    if (!receipt.empty()) headers.push_back("receipt:" + receipt);
    frame("SEND", headers, body);
  }
};

TEST(StompTransaction, T_01_T_06_nothing_is_done_before_COMMIT_and_then_all_of_it) {
  InTransaction peer;
  const auto number = peer.subscribe("/queue/in", "1", {"ack:client"});
  peer.deliver_many(number, 4);
  peer.begin("t");
  peer.send("t", "one");
  peer.frame("ACK", {"id:s-1-2", "transaction:t"});
  peer.frame("NACK", {"id:s-1-3", "transaction:t"});
  peer.send("t", "two");
  EXPECT_TRUE(peer.published.empty());
  EXPECT_TRUE(peer.settled.empty());
  peer.frame("COMMIT", {"transaction:t", "receipt:c"});
  ASSERT_EQ(peer.committed.size(), 1U);
  const auto& [done, token] = peer.committed[0];
  ASSERT_EQ(done.publishes().size(), 2U);
  EXPECT_EQ(done.publishes()[1].message->body(), "two");
  ASSERT_EQ(done.settlements().size(), 2U);
  EXPECT_EQ(done.settlements()[0].first, 1U);
  EXPECT_EQ(done.settlements()[0].last, 2U);
  EXPECT_EQ(done.settlements()[1].first, 3U);
  EXPECT_EQ(done.settlements()[1].outcome, bus::Outcome::released);
  peer.take();
  peer.session.confirmed(token);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:c\n\n\0"s);
  peer.frame("ACK", {"id:s-1-1"});
  EXPECT_TRUE(peer.refused("nothing to acknowledge")) << "the commit has settled it";
}

TEST(StompTransaction, T_02_a_live_id_again_is_an_error) {
  InTransaction peer;
  peer.begin("t");
  EXPECT_FALSE(peer.ended);
  peer.begin("t");
  EXPECT_TRUE(peer.refused("message:transaction exists\n"));
}

TEST(StompTransaction, an_id_may_be_used_again_when_it_is_through) {
  InTransaction peer;
  for (const char* end : {"COMMIT", "ABORT", "COMMIT"}) {
    peer.begin("t");
    peer.frame(end, {"transaction:t"});
  }
  EXPECT_FALSE(peer.ended);
  EXPECT_EQ(peer.session.transactions(), 0U);
}

TEST(StompTransaction, T_03_unknown_ids_are_an_error) {
  for (const char* command : {"COMMIT", "ABORT"}) {
    InTransaction peer;
    peer.frame(command, {"transaction:t", "receipt:r"});
    EXPECT_TRUE(peer.refused("message:no such transaction\n"));
    EXPECT_TRUE(peer.said("receipt-id:r\n"));
    InTransaction unnamed;
    unnamed.frame(command);
    EXPECT_TRUE(unnamed.ended);
  }
  InTransaction send;
  send.send("t");
  EXPECT_TRUE(send.refused("message:no such transaction\n"));
  InTransaction ack;
  ack.deliver_many(ack.subscribe("/queue/in", "1", {"ack:client"}), 1);
  ack.take();
  ack.frame("ACK", {"id:s-1-1", "transaction:t"});
  EXPECT_TRUE(ack.refused("message:no such transaction\n"));
  InTransaction begin;
  begin.frame("BEGIN");
  EXPECT_TRUE(begin.refused("message:BEGIN without transaction\n"));
}

TEST(StompTransaction, T_04_after_ABORT_what_it_acknowledged_is_unsettled_again) {
  InTransaction peer;
  peer.deliver_many(peer.subscribe("/queue/in", "1", {"ack:client"}), 3);
  peer.begin("t");
  peer.frame("ACK", {"id:s-1-2", "transaction:t"});
  peer.send("t");
  peer.frame("ABORT", {"transaction:t", "receipt:r"});
  EXPECT_TRUE(peer.said("receipt-id:r\n"));
  EXPECT_TRUE(peer.settled.empty());
  EXPECT_TRUE(peer.committed.empty());
  peer.frame("ACK", {"id:s-1-2"});
  EXPECT_EQ(peer.settled, std::vector<std::string>{"1:1-2 accepted"});
}

TEST(StompTransaction, T_05_the_end_of_the_connection_aborts) {
  InTransaction peer;
  peer.begin("t");
  peer.send("t");
  peer.session.leave();
  EXPECT_TRUE(peer.published.empty());
  EXPECT_TRUE(peer.committed.empty());
  InTransaction leaving;
  leaving.begin("t");
  leaving.send("t", "x", "r");
  leaving.frame("DISCONNECT", {"receipt:bye"});
  EXPECT_EQ(leaving.take(), "RECEIPT\nreceipt-id:bye\n\n\0"s)
      << "and no receipt for what is not done";
  EXPECT_TRUE(leaving.committed.empty());
}

TEST(StompTransaction, T_07_subscriptions_are_no_part_of_it) {
  InTransaction peer;
  peer.begin("t");
  peer.frame("SUBSCRIBE", {"id:1", "destination:/queue/a", "transaction:t"});
  EXPECT_EQ(peer.subscribed.size(), 1U);
  peer.frame("UNSUBSCRIBE", {"id:1", "transaction:t"});
  EXPECT_EQ(peer.unsubscribed.size(), 1U);
}

TEST(StompTransaction, T_08_a_receipt_within_it_comes_at_the_commit) {
  InTransaction peer;
  peer.begin("t");
  peer.send("t", "x", "in");
  EXPECT_TRUE(peer.out.empty());
  peer.frame("COMMIT", {"transaction:t", "receipt:c"});
  EXPECT_TRUE(peer.out.empty());
  peer.session.confirmed(peer.committed.at(0).second);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:in\n\n\0RECEIPT\nreceipt-id:c\n\n\0"s);
}

TEST(StompTransaction, one_without_anything_in_it_is_committed_at_once) {
  InTransaction peer;
  peer.begin("t");
  peer.frame("COMMIT", {"transaction:t", "receipt:c"});
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:c\n\n\0"s);
  EXPECT_TRUE(peer.committed.empty());
}

TEST(StompTransaction, a_commit_that_the_bus_refuses_is_an_error) {
  InTransaction peer;
  peer.begin("t");
  peer.send("t");
  peer.frame("COMMIT", {"transaction:t", "receipt:c"});
  peer.session.refused(peer.committed.at(0).second,
                       Error{ErrorKind::overloaded, 0, "commit", "queue \"a\" is full"});
  EXPECT_TRUE(peer.refused("is full"));
  EXPECT_TRUE(peer.said("receipt-id:c\n"));
}

TEST(StompTransaction, a_composite_SEND_takes_part) {
  InTransaction peer;
  peer.begin("t");
  peer.frame("SEND", {"destination:/queue/a,/queue/b", "transaction:t"}, "x");
  EXPECT_TRUE(peer.committed.empty());
  peer.frame("COMMIT", {"transaction:t"});
  EXPECT_EQ(peer.committed.at(0).first.publishes().size(), 2U);
}

// ---- limits
// --------------------------------------------------------------------------------------------

TEST(StompTransaction, so_many_at_a_time) {
  InTransaction peer({.transactions = 2});
  peer.begin("1");
  peer.begin("2");
  EXPECT_FALSE(peer.ended);
  peer.begin("3");
  EXPECT_TRUE(peer.refused("message:too many transactions\n"));
}

TEST(StompTransaction, so_many_frames_in_one) {
  InTransaction peer({.transaction_actions = 3});
  peer.begin("t");
  for (int i = 0; i < 3; ++i) peer.send("t");
  EXPECT_FALSE(peer.ended);
  peer.send("t");
  EXPECT_TRUE(peer.refused("message:transaction too long\n"));
}

TEST(StompTransaction, so_many_octets_in_all_of_them) {
  InTransaction peer({.transaction_bytes = 1'000});
  peer.begin("1");
  peer.begin("2");
  peer.send("1", std::string(400, 'x'));
  peer.send("2", std::string(400, 'x'));
  EXPECT_FALSE(peer.ended);
  peer.frame("ABORT", {"transaction:1"});
  peer.send("2", std::string(400, 'x'));
  EXPECT_FALSE(peer.ended) << "what was aborted weighs nothing";
  peer.send("2", std::string(400, 'x'));
  EXPECT_TRUE(peer.refused("message:transactions too large\n"));
}

TEST(StompTransaction, names_have_a_length) {
  InTransaction peer({.transaction_id = 3});
  peer.begin("1234");
  EXPECT_TRUE(peer.refused("message:transaction name too long\n"));
}

}  // namespace
}  // namespace hawser::stomp
