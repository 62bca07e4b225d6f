// ACK and NACK at a broker's session, by version and mode: rows and 2.5.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;
using Lines = std::vector<std::string>;

/// A session of that version with subscription "1" (number 1), which has got five messages.
struct Five : BrokerPeer {
  explicit Five(const std::string& mode, const std::string& in = "1.2", SessionOptions chosen = {})
      : BrokerPeer(std::move(chosen)), version(in) {
    log_in(version);
    number = subscribe("/queue/a", "1", {"ack:" + mode});
    deliver_many(number, 5);
    messages = take();
  }
  using BrokerPeer::log_in;
  using BrokerPeer::subscribe;
  /// The frame as its version has it.
  void settle_frame(const std::string& command, int id, Lines more = {},
                    const std::string& subscription = "1") {
    const std::string name = "s-1-" + std::to_string(id);
    if (version == "1.2") {
      more.push_back("id:" + name);
    } else {
      more.push_back("message-id:" + name);
      if (version == "1.1") more.push_back("subscription:" + subscription);
    }
    frame(command, more);
  }
  void ack(int id, Lines more = {}) { settle_frame("ACK", id, std::move(more)); }
  void nack(int id, Lines more = {}) { settle_frame("NACK", id, std::move(more)); }
  std::string version;
  std::uint64_t number = 0;
  std::string messages;
};

class StompAcks : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(In, StompAcks, ::testing::Values("1.0", "1.1", "1.2"),
                         [](const auto& each) { return "v1_"s + each.param[2]; });

TEST_P(StompAcks, A_02_client_settles_all_before_and_nothing_later) {
  Five peer("client", GetParam());
  peer.ack(3);
  EXPECT_EQ(peer.settled, Lines{"1:1-3 accepted"});
  peer.ack(5);
  EXPECT_EQ(peer.settled.back(), "1:4-5 accepted");
  EXPECT_FALSE(peer.ended);
}

TEST_P(StompAcks, A_03_client_is_of_one_subscription) {
  Five peer("client", GetParam());
  const auto other = peer.subscribe("/queue/b", "2", {"ack:client"});
  peer.deliver_many(other, 3);
  peer.ack(5);
  EXPECT_EQ(peer.settled, Lines{"1:1-5 accepted"});
}

TEST_P(StompAcks, A_04_client_individual_settles_one) {
  Five peer("client-individual", GetParam());
  peer.ack(3);
  peer.ack(1);
  EXPECT_EQ(peer.settled, (Lines{"1:3-3 accepted", "1:1-1 accepted"}));
}

TEST_P(StompAcks, A_08_A_09_unknown_and_settled_ids_are_an_error) {
  for (const int id : {3, 6, 0}) {
    Five peer("client-individual", GetParam());
    peer.ack(3);
    peer.ack(id, {"receipt:r"});
    EXPECT_TRUE(peer.refused("message:nothing to acknowledge\n")) << id;
    EXPECT_TRUE(peer.said("receipt-id:r\n"));
    EXPECT_EQ(peer.settled.size(), 1U);
  }
}

TEST_P(StompAcks, A_08_and_nothing_where_that_is_wanted) {
  Five peer("client-individual", GetParam(), {.lenient = {.unknown_acks = true}});
  peer.ack(3);
  peer.ack(3, {"receipt:r"});
  peer.ack(77);
  EXPECT_FALSE(peer.ended);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:r\n\n\0"s);
  EXPECT_EQ(peer.settled.size(), 1U);
}

TEST_P(StompAcks, A_10_in_auto_mode_there_is_nothing_to_acknowledge) {
  Five peer("auto", GetParam());
  EXPECT_EQ(peer.settled, Lines{"1:1-5 accepted"});
  EXPECT_EQ(peer.messages.find("\nack:"), std::string::npos);
  peer.ack(1);
  EXPECT_TRUE(peer.refused("message:nothing to acknowledge\n"));
}

TEST_P(StompAcks, R_01_the_receipt_comes_when_the_bus_has_done_it) {
  Five peer("client", GetParam());
  peer.ack(2, {"receipt:done"});
  EXPECT_TRUE(peer.out.empty());
  ASSERT_EQ(peer.settle_tokens.size(), 1U);
  peer.session.confirmed(peer.settle_tokens[0]);
  EXPECT_EQ(peer.take(), "RECEIPT\nreceipt-id:done\n\n\0"s);
}

TEST_P(StompAcks, ids_of_another_session_or_of_nobody_are_unknown) {
  for (const char* name : {"t-1-1", "s-1", "s-1-", "s-1-x", "s--1", "s-2-1", "s11", "1", "",
                           "s-1-1-1", "s-1-18446744073709551616"}) {
    Five peer("client", GetParam());
    peer.frame("ACK", {(peer.version == "1.2" ? "id:"s : "message-id:"s) + name, "subscription:1"});
    EXPECT_TRUE(peer.refused("nothing to acknowledge")) << name;
  }
}

TEST(StompNack, A_05_client_is_cumulative_and_gives_back) {
  for (const char* version : {"1.1", "1.2"}) {
    Five peer("client", version);
    peer.nack(3);
    EXPECT_EQ(peer.settled, Lines{"1:1-3 released"}) << version;
  }
}

TEST(StompNack, A_06_client_individual_gives_back_one) {
  for (const char* version : {"1.1", "1.2"}) {
    Five peer("client-individual", version);
    peer.nack(3);
    EXPECT_EQ(peer.settled, Lines{"1:3-3 released"}) << version;
  }
}

TEST(StompNack, A_07_requeue_false_rejects) {
  Five peer("client-individual");
  peer.nack(2, {"requeue:false"});
  peer.nack(3, {"requeue:true"});
  EXPECT_EQ(peer.settled, (Lines{"1:2-2 rejected", "1:3-3 released"}));
}

TEST(StompNack, A_11_there_is_none_in_1_0) {
  Five peer("client", "1.0");
  peer.nack(3, {"receipt:r"});
  EXPECT_TRUE(peer.refused("message:NACK is not understood\n"));
  EXPECT_TRUE(peer.said("receipt-id:r\n"));
  Five lenient("client", "1.0", {.lenient = {.nack_in_1_0 = true}});
  lenient.nack(3);
  EXPECT_EQ(lenient.settled, Lines{"1:1-3 released"});
}

TEST(StompAck, ids_stand_where_their_version_has_them) {
  EXPECT_NE(Five("client", "1.2").messages.find("\nmessage-id:s-1-1\nack:s-1-1\n"),
            std::string::npos);
  EXPECT_EQ(Five("client", "1.1").messages.find("\nack:"), std::string::npos);
  EXPECT_EQ(Five("client", "1.0").messages.find("\nack:"), std::string::npos);
  Five named("client", "1.2");
  named.frame("ACK", {"message-id:s-1-1", "subscription:1"});
  EXPECT_TRUE(named.refused("message:ACK without id\n"));
  Five no_subscription("client", "1.1");
  no_subscription.frame("ACK", {"message-id:s-1-1"});
  EXPECT_TRUE(no_subscription.refused("message:ACK without subscription\n"));
  Five other("client", "1.1");
  other.settle_frame("ACK", 1, {}, "2");
  EXPECT_TRUE(other.refused("nothing to acknowledge"));
  Five none("client", "1.0");
  none.frame("NACK", {});
  EXPECT_TRUE(none.ended);
  Five nothing("client", "1.1");
  nothing.frame("NACK", {});
  EXPECT_TRUE(nothing.refused("message:NACK without message-id\n"));
}

TEST(StompAck, A_13_after_UNSUBSCRIBE_there_is_nothing_to_acknowledge) {
  Five peer("client");
  peer.frame("UNSUBSCRIBE", {"id:1"});
  peer.ack(1);
  EXPECT_TRUE(peer.refused("nothing to acknowledge"));
}

TEST(StompAck, cumulative_passes_over_what_single_ones_have_settled) {
  Five peer("client");
  peer.frame("BEGIN", {"transaction:t"});
  peer.ack(2, {"transaction:t"});  // claims 1 and 2
  peer.ack(4);
  EXPECT_EQ(peer.settled, Lines{"1:3-4 accepted"});
  peer.ack(1);
  EXPECT_TRUE(peer.refused("nothing to acknowledge"));
}

}  // namespace
}  // namespace hawser::stomp
