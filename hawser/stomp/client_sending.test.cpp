// What the client sends: the outbox, receipts in any order, sending again, transactions.
#include <hawser/stomp/testing/client_world.hpp>

#include <gmock/gmock.h>

namespace hawser::stomp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientSending : public ClientWorld {
 protected:
  /// The broker keeps receipts of SENDs to itself.
  void withhold() {
    broker.on_frame = [this](auto& link, const Frame& got) {
      if (got.command != Command::send) broker.answer(link, got);
    };
  }
  void confirm(const Frame& send) {
    broker.last().send(frame(Command::receipt, {{"receipt-id", Bytes(*send.first("receipt"))}}));
  }
  std::vector<std::string> outcomes;
  void ask_later(Send message) {
    run_task([this, message]() -> Task<void> {
      const std::string body(message.body.view());
      auto answer = co_await feed().ask(message);
      outcomes.push_back(body + " " +
                         (answer ? "ok" : std::string(to_string(answer.error().kind))));
      last_error = answer ? "" : answer.error().text();
    });
  }
  bool arrived(std::size_t count) {
    return world.until([&] { return broker.all(Command::send).size() >= count; }, 300s);
  }
  bool told(std::size_t count) {
    return world.until([&] { return outcomes.size() >= count; }, 300s);
  }
  std::string last_error;
};

TEST_F(ClientSending, Stomp_R_02_ReceiptsMayComeInAnyOrder) {
  withhold();
  start_ready();
  for (const char* body : {"1", "2", "3"}) ask_later(Send("/queue/a", body).with_receipt());
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 3; }));
  const auto sends = broker.all(Command::send);
  confirm(sends[2]);
  ASSERT_TRUE(told(1));
  confirm(sends[0]);
  ASSERT_TRUE(told(2));
  confirm(sends[1]);
  ASSERT_TRUE(told(3));
  EXPECT_THAT(outcomes, ElementsAre("3 ok", "1 ok", "2 ok"));
}

TEST_F(ClientSending, Stomp_R_04_AnErrorWithItsReceiptFailsTheMessage) {
  broker.version = Version::v1_1;
  withhold();
  start_ready({.session = {.on_error = ErrorPolicy::keep_open}});
  ask_later(Send("/queue/a", "1").with_receipt());
  ask_later(Send("/queue/a", "2").with_receipt());
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 2; }));
  const auto sends = broker.all(Command::send);
  broker.last().send(frame(Command::error, {{"receipt-id", Bytes(*sends[0].first("receipt"))},
                                            {"message", "no such queue"}}));
  confirm(sends[1]);
  ASSERT_TRUE(told(2));
  EXPECT_THAT(outcomes, ElementsAre("1 protocol error", "2 ok"));
}

TEST_F(ClientSending, Stomp_C_05_ADeadlineWithoutReceiptIsToldInTime) {
  withhold();
  start_ready();
  const Instant begun = world.world().now();
  ask_later(Send("/queue/a", "1").with_receipt().within(2s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("1 timeout"));
  EXPECT_NEAR(static_cast<double>((world.world().now() - begun) / 1ms), 2000, 50);
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
}

TEST_F(ClientSending, Stomp_U_09_U_10_WhatWasSentWhileAwayLeavesInOrderBehindTheSubscriptions) {
  broker.shut();
  start({.subscriptions = {{"/queue/x"}, {"/queue/y"}}}, &script);
  for (const char* body : {"1", "2", "3"}) feed().cast(Send("/queue/a", body));
  world.run(3s);
  EXPECT_EQ(status().waiting, 3u);
  std::string order;
  broker.on_frame = [&](auto& link, const Frame& got) {
    order += std::string(to_string(got.command)) + " ";
    broker.answer(link, got);
  };
  broker.open();
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 3; }));
  EXPECT_EQ(order, "CONNECT SUBSCRIBE SUBSCRIBE SEND SEND SEND ");
  EXPECT_THAT(bodies(), ElementsAre("1", "2", "3"));
}

TEST_F(ClientSending, Stomp_U_10_AFullOutboxRefuses) {
  broker.shut();
  start({.outbox_messages = 2}, &script);
  for (const char* body : {"1", "2", "3"}) ask_later(Send("/queue/a", body).within(600s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("3 overloaded"));
  EXPECT_THAT(last_error, HasSubstr("outbox_messages"));
  broker.open();
  ASSERT_TRUE(told(3));
  ASSERT_TRUE(arrived(2));
  EXPECT_THAT(bodies(), ElementsAre("1", "2"));
}

TEST_F(ClientSending, Stomp_U_10_OrDropsTheOldest) {
  broker.shut();
  start({.outbox_bytes = 2, .outbox_overflow = OutboxOverflow::drop_oldest}, &script);
  for (const char* body : {"1", "2", "3"}) ask_later(Send("/queue/a", body).within(600s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("1 overloaded"));
  broker.open();
  ASSERT_TRUE(told(3));
  ASSERT_TRUE(arrived(2));
  EXPECT_THAT(bodies(), ElementsAre("2", "3"));
}

TEST_F(ClientSending, Stomp_U_10_OrLetsSendersWait) {
  broker.shut();
  start({.outbox_messages = 1, .outbox_overflow = OutboxOverflow::wait, .waiting_senders = 2},
        &script);
  for (const char* body : {"1", "2", "3", "4"}) ask_later(Send("/queue/a", body).within(600s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("4 overloaded"));
  broker.open();
  ASSERT_TRUE(told(4));
  ASSERT_TRUE(arrived(3));
  EXPECT_THAT(bodies(), ElementsAre("1", "2", "3"));
}

TEST_F(ClientSending, Stomp_C_05_ADeadlineInTheOutboxIsToldToo) {
  broker.shut();
  start({}, &script);
  ask_later(Send("/queue/a", "1").within(2s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("1 timeout"));
  EXPECT_EQ(status().waiting, 0u);
}

TEST_F(ClientSending, Stomp_C_05_WithoutReceiptItIsSentAgainOnlyWhenAsked) {
  withhold();
  start_ready();
  ask_later(Send("/queue/a", "once").with_receipt());
  ask_later(Send("/queue/a", "again").at_least_once().within(600s));
  ASSERT_TRUE(arrived(2));
  feed().cast(Send("/queue/a", "careless"));
  ASSERT_TRUE(arrived(3));
  broker.last().close();
  broker.on_frame = [this](auto& link, const Frame& got) { broker.answer(link, got); };
  ASSERT_TRUE(told(2));
  EXPECT_THAT(outcomes, ElementsAre("once closed", "again ok"));
  EXPECT_THAT(bodies(), ElementsAre("once", "again", "careless", "again"));
  const auto sends = broker.all(Command::send);
  EXPECT_FALSE(sends[0].first("message-key"));
  EXPECT_TRUE(sends[1].first("message-key"));
  EXPECT_EQ(sends[1].first("message-key"), sends[3].first("message-key"));
  ASSERT_EQ(script.losses.size(), 1u);
  EXPECT_EQ(script.losses[0].sent_again, 1u);
  EXPECT_EQ(script.losses[0].unknown, 1u);
  EXPECT_EQ(status().counters.sent_again, 1u);
}

TEST_F(ClientSending, Stomp_C_05_WhatIsRepeatedComesBeforeWhatIsNew) {
  withhold();
  start_ready({.confirm_window = 2});
  for (const char* body : {"1", "2", "3", "4"})
    ask_later(Send("/queue/a", body).at_least_once().within(600s));
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 2; }));
  world.run(1s);
  EXPECT_EQ(broker.all(Command::send).size(), 2u) << "the window";
  broker.on_frame = [this](auto& link, const Frame& got) { broker.answer(link, got); };
  broker.last().close();
  ASSERT_TRUE(told(4));
  EXPECT_THAT(bodies(), ElementsAre("1", "2", "1", "2", "3", "4"));
  EXPECT_THAT(outcomes, ElementsAre("1 ok", "2 ok", "3 ok", "4 ok"));
}

TEST_F(ClientSending, Stomp_C_05_AMessageThatEndsEachSessionIsGivenUp) {
  broker.on_frame = [this](auto& link, const Frame& got) {
    got.command == Command::send&& got.body.view() == "poison" ? link.close()
                                                               : broker.answer(link, got);
  };
  start_ready({.send_attempts = 3});
  ask_later(Send("/queue/a", "poison").at_least_once().within(600s));
  ask_later(Send("/queue/a", "good").at_least_once().within(600s));
  ASSERT_TRUE(told(2));
  EXPECT_THAT(outcomes, ElementsAre("poison closed", "good ok"));
  EXPECT_THAT(last_error, "");
}

TEST_F(ClientSending, Stomp_U_10_WhatIsSentOnAConnectionGivenUpWaitsForTheNextLogin) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client}}});
  script.on_message = [&](const Delivery& message) {
    stomp::client().disconnect(Reason::custom("mine"));
    EXPECT_TRUE(stomp::client().send(Send("/queue/b", "x")));
    EXPECT_EQ(message.ack(), Settled::session_over);
  };
  Bytes wire;
  for (const char* id : {"1", "2"})
    ASSERT_TRUE(encode(
        wire, frame(Command::message, {{"subscription", "1"}, {"message-id", id}, {"ack", id}}, id),
        Version::v1_2));
  broker.last().send(wire);
  ASSERT_TRUE(arrived(1));
  EXPECT_EQ(script.events.starting_with("message"), 1u)
      << "the rest is not this session's any more";
  ASSERT_EQ(script.losses.size(), 1u);
  EXPECT_EQ(script.losses[0].reason.detail(), "mine");
  std::string order;
  for (const Frame& each : broker.last().frames)
    order += std::string(to_string(each.command)) + " ";
  EXPECT_EQ(order, "CONNECT SUBSCRIBE SEND ");
}

TEST_F(ClientSending, Stomp_U_10_ADeadlineCoversTheWaitForRoomToo) {
  broker.shut();
  start({.outbox_messages = 1, .outbox_overflow = OutboxOverflow::wait}, &script);
  ask_later(Send("/queue/a", "1").within(600s));
  ask_later(Send("/queue/a", "2").within(2s));
  ASSERT_TRUE(told(1));
  EXPECT_THAT(outcomes, ElementsAre("2 timeout"));
  broker.open();
  ASSERT_TRUE(arrived(1));
  world.run(10s);
  EXPECT_THAT(bodies(), ElementsAre("1"));
}

TEST_F(ClientSending, Stomp_U_15_ABrokerThatDoesNotReadBoundsWhatIsSent) {
  ClientOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 10'000;
  options.connection.write_deadline = 0s;
  options.outbox_messages = 20;
  start_ready(options);
  broker.last().read(false);
  for (int i = 0; i < 500; ++i) ask_later(Send("/queue/a", std::string(10'000, 'x')).within(600s));
  world.run(1s);
  const Status now = status();
  EXPECT_LE(now.waiting, 20u);
  EXPECT_GT(outcomes.size(), 0u) << "some are refused";
  broker.last().read(true);
  ASSERT_TRUE(told(500));
  const auto refused = static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [](const auto& each) { return each.ends_with("overloaded"); }));
  EXPECT_TRUE(arrived(500 - refused));
}

TEST_F(ClientSending, Stomp_P_13_WhatCannotBeSentIsRefusedWithTheReason) {
  start_ready();
  auto answer = ask(Send("/queue/a", "x", {{"k", std::string("a\0b", 3)}}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::invalid_argument);
  answer = ask(Send("/queue/a", "x", {{"receipt", "1"}}));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().text(), HasSubstr("session's own"));
  EXPECT_EQ(broker.all(Command::send).size(), 0u);
}

TEST_F(ClientSending, Stomp_W_03_ATextWebSocketCarriesNoOtherBodies) {
  start_ready({.session = {.text = true}});
  EXPECT_TRUE(ask(Send("/queue/a", "grün")));
  auto answer = ask(Send("/queue/a", "\xff"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::invalid_argument);
}

TEST_F(ClientSending, Stomp_D_12_ContentLengthMayBeLeftOut) {
  start_ready({.session = {.content_length = false}});
  EXPECT_TRUE(ask(Send("/queue/a", "text")));
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 1; }));
  EXPECT_FALSE(broker.all(Command::send)[0].first("content-length"));
}

// ---- transactions
// ---------------------------------------------------------------------------------

TEST_F(ClientSending, Stomp_T_01_ATransactionIsOneThing) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client_individual}}});
  tell("job");
  ASSERT_TRUE(event("message job"));
  bool done = false;
  run_task([&]() -> Task<void> {
    const Begin begin;
    auto tx = co_await feed().ask(begin);
    EXPECT_TRUE(tx);
    const Send one = Send("/queue/b", "1").in(*tx);
    const Send two = Send("/queue/b", "2").in(*tx).with_receipt();
    feed().cast(one);
    EXPECT_TRUE(co_await feed().ask(two));
    const Settle settle(script.tickets.at(0), true, *tx);
    EXPECT_EQ(co_await feed().ask(settle), Settled::sent);
    EXPECT_EQ(co_await feed().ask(settle), Settled::before);
    const Commit commit(*tx);
    EXPECT_TRUE(co_await feed().ask(commit));
    const auto again = co_await feed().ask(commit);
    EXPECT_EQ(again.error().kind, ErrorKind::cancelled);
    const Commit never(TransactionId{99});
    const auto unknown = co_await feed().ask(never);
    EXPECT_EQ(unknown.error().kind, ErrorKind::not_found);
    done = true;
  });
  ASSERT_TRUE(world.until([&] { return done; }));
  std::string order;
  for (const Frame& each : broker.last().frames) {
    if (each.first("transaction")) {
      order += std::string(to_string(each.command)) + " ";
      EXPECT_EQ(each.first("transaction"), "tx-1");
    }
  }
  EXPECT_EQ(order, "BEGIN SEND SEND ACK COMMIT ");
}

TEST_F(ClientSending, Stomp_T_04_WhatAnAbortedTransactionAcknowledgedIsUnsettledAgain) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client}}});
  for (const char* body : {"1", "2", "3"}) tell(body);
  ASSERT_TRUE(event("message 3"));
  auto tx = ask(Begin{});
  ASSERT_TRUE(tx);
  EXPECT_EQ(ask(Settle(script.tickets[1], true, *tx)), Settled::sent);
  EXPECT_EQ(status().unsettled, 1u);
  EXPECT_EQ(ask(Settle(script.tickets[0])), Settled::before);
  ASSERT_TRUE(ask(Abort(*tx)));
  EXPECT_EQ(status().unsettled, 3u);
  EXPECT_EQ(ask(Settle(script.tickets[1])), Settled::sent);
  EXPECT_EQ(status().unsettled, 1u);
}

TEST_F(ClientSending, Stomp_C_05_ATransactionDiesWithItsSession) {
  start_ready();
  auto tx = ask(Begin{});
  ASSERT_TRUE(tx);
  broker.last().close();
  ASSERT_TRUE(ready(2));
  for (const ErrorKind kind : {ask(Send("/queue/a", "x").in(*tx)).error().kind,
                               ask(Commit(*tx)).error().kind, ask(Abort(*tx)).error().kind})
    EXPECT_EQ(kind, ErrorKind::cancelled);
  ASSERT_EQ(script.losses.size(), 1u);
  EXPECT_EQ(script.losses[0].transactions, 1u);
  EXPECT_EQ(broker.all(Command::send).size(), 0u);
}

TEST_F(ClientSending, Stomp_C_05_ACommitWhoseReceiptWasLostIsNobodysKnowledge) {
  start_ready();
  auto tx = ask(Begin{});
  ASSERT_TRUE(tx);
  broker.on_frame = [this](auto& link, const Frame& got) {
    got.command == Command::commit ? link.close() : broker.answer(link, got);
  };
  auto committed = ask(Commit(*tx));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::closed);
}

TEST_F(ClientSending, Stomp_T_02_TransactionsNeedASessionAndHaveALimit) {
  broker.shut();
  start({.transactions = 1}, &script);
  auto early = ask(Begin{});
  EXPECT_EQ(early.error().kind, ErrorKind::closed);
  broker.open();
  ASSERT_TRUE(ready());
  EXPECT_TRUE(ask(Begin{}));
  auto more = ask(Begin{});
  EXPECT_EQ(more.error().kind, ErrorKind::overloaded);
}

}  // namespace
}  // namespace hawser::stomp::testing
