// The outbox's order, deadlines, and what it does when the connection breaks.
#include <hawser/stomp/detail/outbox.hpp>

#include <hawser/stomp/detail/unsettled_deliveries.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp::detail {
namespace {

using ::testing::ElementsAre;

struct OutboxTest : ::testing::Test {
  void add(const std::string& body, Confirm confirm = Confirm::at_least_once,
           Instant deadline = Instant::never()) {
    Outbox::Entry entry;
    entry.message = Send("/q", body);
    entry.message.confirm = confirm;
    entry.deadline = deadline;
    outbox.add(std::move(entry));
  }
  void fly(std::size_t count) {
    for (; count > 0; --count) {
      auto entry = outbox.take();
      ++entry.sendings;
      outbox.keep_in_flight(std::move(entry));
    }
  }
  std::string order() {
    std::string bodies;
    while (!outbox.empty()) bodies += outbox.take().message.body.view();
    return bodies;
  }
  Outbox outbox;
};

TEST_F(OutboxTest, Stomp_C_05_WhatIsRepeatedGoesBackToItsPlace) {
  for (const char* body : {"1", "2", "3", "4"})
    add(body, body == std::string("2") ? Confirm::receipt : Confirm::at_least_once);
  fly(3);
  const auto torn = outbox.tear(5);
  EXPECT_EQ(torn.again, 2u);
  ASSERT_EQ(torn.lost.size(), 1u);
  EXPECT_EQ(torn.lost[0].message.body.view(), "2");
  EXPECT_EQ(outbox.waiting_bytes(), 3u);
  EXPECT_EQ(order(), "134");
}

TEST_F(OutboxTest, Stomp_C_05_TheFirstInFlightIsUnderSuspicionAndTravelsAlone) {
  for (const char* body : {"1", "2"}) add(body);
  fly(2);
  EXPECT_TRUE(outbox.tear(2).given_up.empty());
  EXPECT_TRUE(outbox.front_may_go());
  fly(1);
  EXPECT_FALSE(outbox.front_may_go());
  const auto torn = outbox.tear(2);
  ASSERT_EQ(torn.given_up.size(), 1u);
  EXPECT_EQ(torn.given_up[0].message.body.view(), "1");
  EXPECT_TRUE(outbox.front_may_go());
  EXPECT_EQ(order(), "2");
}

TEST_F(OutboxTest, DeadlinesAndRoom) {
  add("1", Confirm::none, Instant(5s));
  add("2", Confirm::none, Instant(3s));
  EXPECT_EQ(outbox.next_deadline(), Instant(3s));
  EXPECT_FALSE(outbox.take_overdue(Instant(2s)));
  EXPECT_EQ(outbox.take_overdue(Instant(3s))->message.body.view(), "2");
  EXPECT_TRUE(outbox.has_room(1, {2, 2}));
  EXPECT_FALSE(outbox.has_room(2, {2, 2}));
  EXPECT_FALSE(outbox.has_room(0, {1, 2}));
  EXPECT_EQ(outbox.drop_oldest()->message.body.view(), "1");
  EXPECT_EQ(outbox.next_deadline(), Instant::never());
}

TEST(UnsettledTest, Stomp_A_02_A_04_Modes) {
  for (const AckMode mode : {AckMode::automatic, AckMode::client, AckMode::client_individual}) {
    UnsettledDeliveries unsettled(mode);
    for (const char* id : {"a", "b", "c"}) unsettled.add(id);
    unsettled.settle(2, true, {});
    const auto left = unsettled.numbers();
    if (mode == AckMode::automatic) {
      EXPECT_TRUE(left.empty());
    }
    if (mode == AckMode::client) {
      EXPECT_THAT(left, ElementsAre(3));
    }
    if (mode == AckMode::client_individual) {
      EXPECT_THAT(left, ElementsAre(1, 3));
    }
  }
}

TEST(UnsettledTest, Stomp_T_04_AbortBringsBackWhatCommitTakes) {
  UnsettledDeliveries unsettled(AckMode::client);
  for (const char* id : {"a", "b", "c", "d"}) unsettled.add(id);
  unsettled.settle(2, true, TransactionId{1});
  unsettled.settle(3, true, TransactionId{2});
  EXPECT_EQ(unsettled.size(), 1u);
  EXPECT_THAT(unsettled.numbers(), ElementsAre(1, 2, 3, 4)) << "not settled before the commit";
  unsettled.abort(TransactionId{1});
  unsettled.commit(TransactionId{2});
  EXPECT_THAT(unsettled.numbers(), ElementsAre(1, 2, 4));
  ASSERT_NE(unsettled.id_of(1), nullptr);
  EXPECT_EQ(*unsettled.id_of(1), "a");
}

}  // namespace
}  // namespace hawser::stomp::detail
