// What the client subscribes to in each session, how it settles in each version and mode, and how
// processes share a subscription.
#include <hawser/stomp/testing/client_world.hpp>

#include <gmock/gmock.h>

namespace hawser::stomp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ClientSubscriptions = ClientWorld;

std::string value(const Frame& frame, BytesView name) {
  return std::string(frame.first(name).value_or("-"));
}

// ---- wanted
// ---------------------------------------------------------------------------------------

TEST_F(ClientSubscriptions, Stomp_U_08_U_09_AreMadeAgainInTheirOrderAndConfirmed) {
  start_ready({.subscriptions = {{"/topic/a"}, {"/topic/b"}}});
  ASSERT_TRUE(ask(Subscribe(Subscription("/topic/c"))));
  broker.last().close();
  ASSERT_TRUE(ready(2));
  std::vector<std::string> made;
  for (const Frame& each : broker.last().of(Command::subscribe)) {
    made.push_back(value(each, "destination") + " " + value(each, "id"));
    EXPECT_TRUE(each.first("receipt"));
  }
  EXPECT_THAT(made, ElementsAre("/topic/a 1", "/topic/b 2", "/topic/c 3"));
}

TEST_F(ClientSubscriptions, Stomp_S_36_AskedForWhileAwayTakesEffectLater) {
  broker.shut();
  start({}, &script);
  SubscriptionId id{};
  bool answered = false;
  run_task([&]() -> Task<void> {
    const Subscribe wish(Subscription("/topic/a"));
    auto made = co_await feed().ask(wish, 600s);
    EXPECT_TRUE(made);
    id = made.value_or(SubscriptionId{});
    answered = true;
  });
  world.run(5s);
  EXPECT_FALSE(answered);
  broker.open();
  ASSERT_TRUE(world.until([&] { return answered; }));
  tell("x", {}, std::to_string(static_cast<std::uint64_t>(id)));
  EXPECT_TRUE(event("message x"));
}

TEST_F(ClientSubscriptions, Stomp_U_08_WhatWasTakenBackStaysSo) {
  start_ready({.subscriptions = {{"/topic/a"}, {"/topic/b"}}});
  ASSERT_TRUE(ask(Unsubscribe(SubscriptionId{1})));
  tell("late");
  broker.last().close();
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(broker.last().of(Command::subscribe).size(), 1u);
  EXPECT_EQ(script.events.count("message late"), 0u);
  EXPECT_EQ(ask(Unsubscribe(SubscriptionId{1})).error().kind, ErrorKind::not_found);
}

TEST_F(ClientSubscriptions, Stomp_U_09_ASubscriptionThatIsNotConfirmedIsNotTakenForLive) {
  broker.on_frame = [this](auto& link, const Frame& got) {
    if (got.command != Command::subscribe || broker.links.size() > 1) broker.answer(link, got);
  };
  start({.session = {.receipt_timeout = 3s}, .subscriptions = {{"/topic/a"}}}, &script);
  feed().cast(Send("/queue/a", "1"));
  ASSERT_TRUE(ready());
  EXPECT_EQ(script.events.starting_with("lost timeout: SUBSCRIBE"), 1u);
  ASSERT_TRUE(world.until([&] { return broker.all(Command::send).size() == 1; }));
}

TEST_F(ClientSubscriptions, Stomp_U_18_D_20_DurableSubscriptionsAsEachBrokerWantsThem) {
  struct Case {
    ClientOptions options;
    std::vector<Header> subscribe;
    std::vector<std::string> unsubscribes;
  };
  Subscription durable("/topic/a", AckMode::client);
  durable.durable = "d";
  const Case cases[] = {
      {rabbitmq({}, "/"),
       {{"durable", "true"}, {"auto-delete", "false"}, {"id", "d"}},
       {"id:d durable:true auto-delete:false"}},
      {activemq({}, "me"),
       {{"activemq.subscriptionName", "d"}, {"id", "1"}},
       {"id:1", "activemq.subscriptionName:d id:d"}},
      {artemis({}, "me"),
       {{"durable-subscription-name", "d"}},
       {"id:1", "durable-subscription-name:d id:d"}},
      {{}, {{"durable-subscription-name", "d"}}, {"id:1 durable-subscription-name:d"}}};
  std::size_t times = 0;
  for (const Case& each : cases) {
    ClientOptions options = each.options;
    options.subscriptions = {durable};
    start(options, &script);
    ASSERT_TRUE(ready(++times));
    const Frame made = broker.last().of(Command::subscribe).at(0);
    for (const Header& header : each.subscribe) EXPECT_EQ(value(made, header.name), header.value);
    ASSERT_TRUE(ask(Unsubscribe(SubscriptionId{1}, true)));
    std::vector<std::string> got;
    for (const Frame& gone : broker.last().of(Command::unsubscribe)) {
      std::string text;
      for (const Header& header : gone.headers)
        if (header.name != "receipt") text += " " + header.name + ":" + header.value;
      got.push_back(text.substr(1));
    }
    EXPECT_EQ(got, each.unsubscribes);
    ASSERT_TRUE(world.system->stop_child("feed"));
  }
}

TEST_F(ClientSubscriptions, Stomp_C_07_PrefetchAndPresets) {
  Subscription wanted("/queue/a");
  wanted.prefetch = 7;
  ClientOptions options = rabbitmq({.targets = "x:1"}, "/v");
  options.subscriptions = {wanted};
  EXPECT_TRUE(options.faults().empty());
  EXPECT_EQ(options.session.host, "/v");
  options = artemis({.targets = "x:1"});
  options.subscriptions = {wanted};
  EXPECT_THAT(options.faults(), ElementsAre(HasSubstr("Artemis counts no prefetched messages")));
  options = activemq({}, "me");
  options.subscriptions = {wanted};
  start_ready(options);
  EXPECT_EQ(value(broker.last().frames[0], "client-id"), "me");
  EXPECT_EQ(value(broker.all(Command::subscribe)[0], "activemq.prefetchSize"), "7");
}

TEST_F(ClientSubscriptions, Stomp_F_02_NetworkRail) {
  start_ready(network_rail({.session = {.login = "me@x", .passcode = "pw"}}, "me@x-1", "home",
                           {"/topic/TRAIN_MVT_ALL_TOC"}));
  EXPECT_EQ(value(broker.last().frames[0], "client-id"), "me@x-1");
  const Frame made = broker.all(Command::subscribe).at(0);
  EXPECT_EQ(value(made, "activemq.subscriptionName"), "home-TRAIN_MVT_ALL_TOC");
  EXPECT_EQ(value(made, "ack"), "client");
}

TEST_F(ClientSubscriptions, Stomp_C_07_SpringGivesNoReceipts) {
  broker.receipts = false;
  start_ready(spring({.subscriptions = {{"/topic/a"}}}));
  ASSERT_TRUE(world.until([&] { return broker.all(Command::subscribe).size() == 1; }));
  EXPECT_FALSE(broker.all(Command::subscribe)[0].first("receipt"));
  EXPECT_EQ(ask(Send("/topic/a", "x").with_receipt()).error().kind, ErrorKind::unsupported);
  EXPECT_TRUE(ask(Send("/topic/a", "x")));
  EXPECT_EQ(ask(Begin{}).error().kind, ErrorKind::unsupported);
  feed().cast(Close{});
  ASSERT_TRUE(event("terminate normal"));
}

// ---- settling
// ------------------------------------------------------------------------------------

TEST_F(ClientSubscriptions, Stomp_A_02_A_04_AcknowledgesAsEachVersionWants) {
  std::size_t times = 0;
  for (const auto& [version, headers] : {std::pair(Version::v1_0, "message-id:m2"),
                                         std::pair(Version::v1_1, "message-id:m2 subscription:1"),
                                         std::pair(Version::v1_2, "id:a2")}) {
    broker.version = version;
    messages = 0;
    script.tickets.clear();
    start({.subscriptions = {{"/queue/a", AckMode::client}}}, &script);
    ASSERT_TRUE(ready(++times));
    for (const char* body : {"1", "2", "3"}) tell(body);
    ASSERT_TRUE(world.until([&] { return script.tickets.size() == 3; }));
    EXPECT_EQ(ask(Settle(script.tickets[1]).with_receipt()), Settled::sent);
    EXPECT_EQ(ask(Settle(script.tickets[0])), Settled::before) << "cumulative";
    EXPECT_EQ(ask(Settle(script.tickets[1], false)), Settled::before);
    EXPECT_EQ(status().unsettled, 1u);
    std::string text;
    const Frame ack = broker.last().of(Command::ack).at(0);
    for (const Header& header : ack.headers)
      if (header.name != "receipt") text += " " + header.name + ":" + header.value;
    EXPECT_EQ(text.substr(1), headers);
    ASSERT_TRUE(world.system->stop_child("feed"));
  }
}

TEST_F(ClientSubscriptions, Stomp_A_03_CumulativeWithinOneSubscriptionOnly) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client}, {"/queue/b", AckMode::client}}});
  tell("1", {}, "1");
  tell("2", {}, "2");
  tell("3", {}, "1");
  ASSERT_TRUE(event("message 3"));
  EXPECT_EQ(ask(Settle(script.tickets[2])), Settled::sent);
  EXPECT_EQ(status().unsettled, 1u);
  EXPECT_EQ(ask(Settle(script.tickets[1])), Settled::sent);
}

TEST_F(ClientSubscriptions, Stomp_A_03_WhereAnAckReachesAcrossEachMessageGetsItsOwn) {
  ClientOptions options = rabbitmq({});
  options.subscriptions = {{"/queue/a", AckMode::client}, {"/queue/b", AckMode::client}};
  start_ready(options);
  EXPECT_EQ(value(broker.all(Command::subscribe)[0], "ack"), "client-individual");
  tell("1", {}, "1");
  tell("2", {}, "2");
  tell("3", {}, "1");
  tell("4", {}, "1");
  ASSERT_TRUE(event("message 4"));
  EXPECT_EQ(ask(Settle(script.tickets[2]).with_receipt()), Settled::sent);
  EXPECT_EQ(ask(Settle(script.tickets[0])), Settled::before) << "cumulative all the same";
  EXPECT_EQ(broker.last().of(Command::ack).size(), 2u);
  EXPECT_EQ(status().unsettled, 2u);
  EXPECT_EQ(ask(Settle(script.tickets[3], false).with_receipt()), Settled::sent);
  EXPECT_EQ(broker.last().of(Command::nack).size(), 1u);
  EXPECT_EQ(ask(Settle(script.tickets[1])), Settled::sent);
  EXPECT_EQ(status().counters.acks, 3u);
  EXPECT_EQ(status().unsettled, 0u);
  broker.version = Version::v1_0;
  broker.last().close();
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(value(broker.last().of(Command::subscribe).at(0), "ack"), "client")
      << "1.0 has no other";
}

TEST_F(ClientSubscriptions, Stomp_A_05_ANackTakesTheEarlierOnesOrNotAsTheBrokerDoes) {
  std::size_t times = 0;
  for (const bool cumulative : {true, false}) {
    ClientOptions options = cumulative ? rabbitmq({}) : activemq({});
    options.subscriptions = {{"/queue/a", AckMode::client}};
    script.tickets.clear();
    start(options, &script);
    ASSERT_TRUE(ready(++times));
    for (const char* body : {"1", "2"}) tell(body);
    ASSERT_TRUE(world.until([&] { return script.tickets.size() == 2; }));
    EXPECT_EQ(ask(Settle(script.tickets[1], false)), Settled::sent);
    EXPECT_EQ(ask(Settle(script.tickets[0])), cumulative ? Settled::before : Settled::sent);
    ASSERT_TRUE(world.system->stop_child("feed"));
  }
}

TEST_F(ClientSubscriptions, Stomp_A_06_A_11_IndividualOnesAndWhatAVersionLacks) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client_individual}, {"/queue/b"}}});
  for (const char* body : {"1", "2"}) tell(body);
  tell("auto", {}, "2");
  ASSERT_TRUE(event("message auto"));
  EXPECT_EQ(ask(Settle(script.tickets[1], false)), Settled::sent);
  EXPECT_EQ(ask(Settle(script.tickets[0])), Settled::sent);
  EXPECT_EQ(ask(Settle(script.tickets[2])), Settled::automatic);
  EXPECT_EQ(ask(Settle({1, SubscriptionId{1}, 77})).error().kind, ErrorKind::not_found);
  broker.version = Version::v1_0;
  broker.last().close();
  ASSERT_TRUE(ready(2)) << "what 1.0 cannot do is logged, and the rest goes on";
  EXPECT_EQ(broker.last().of(Command::subscribe).size(), 1u);
}

TEST_F(ClientSubscriptions, Stomp_A_12_UnsettledDeliveriesAreAccountedForWhenTheConnectionGoes) {
  start_ready({.subscriptions = {{"/queue/a", AckMode::client_individual}}});
  for (const char* body : {"1", "2", "3"}) tell(body);
  ASSERT_TRUE(event("message 3"));
  EXPECT_EQ(ask(Settle(script.tickets[1])), Settled::sent);
  broker.last().close();
  ASSERT_TRUE(ready(2));
  ASSERT_EQ(script.losses.size(), 1u);
  EXPECT_THAT(script.losses[0].unsettled, ElementsAre(script.tickets[0], script.tickets[2]));
  EXPECT_EQ(ask(Settle(script.tickets[0])), Settled::session_over);
  EXPECT_EQ(status().counters.unsettled_lost, 2u);
  EXPECT_EQ(broker.last().of(Command::ack).size(), 0u);
}

TEST_F(ClientSubscriptions, Stomp_T_01_ArtemisHeedsNoTransactionOfAnAck) {
  ClientOptions options = artemis({});
  options.subscriptions = {{"/queue/a", AckMode::client}};
  start_ready(options);
  tell("1");
  ASSERT_TRUE(event("message 1"));
  auto tx = ask(Begin{});
  ASSERT_TRUE(tx);
  EXPECT_EQ(ask(Settle(script.tickets[0], true, *tx)).error().kind, ErrorKind::unsupported);
}

// ---- coroutines
// ----------------------------------------------------------------------------------

struct Slow {
  explicit Slow(Script* into) : script(into) {}
  Task<void> handle_message(Frame message, DeliveryTicket ticket) {
    script->events.add("begin " + std::string(message.body.view()));
    co_await hawser::sleep(1s);
    EXPECT_EQ(stomp::client().settle(ticket), Settled::sent);
    script->events.add("end " + std::string(message.body.view()));
  }
  Script* script;
};

TEST_F(ClientSubscriptions, Stomp_C_06_U_01_UnfinishedWorkStopsReadingAndNotTheHeartBeats) {
  broker.heartbeat = "1000,1000";
  start<Slow>({.session = {.heartbeat = {1000ms, 1000ms}},
               .subscriptions = {{"/queue/a", AckMode::client_individual}},
               .unprocessed = 2},
              &script);
  ASSERT_TRUE(world.until([&] { return broker.all(Command::subscribe).size() == 1; }));
  world.run(10ms);
  for (int i = 0; i < 10; ++i) tell(std::to_string(i));
  world.run(500ms);
  EXPECT_EQ(script.events.starting_with("begin"), 2u);
  ASSERT_TRUE(event("end 9"));
  EXPECT_EQ(broker.links.size(), 1u);
  EXPECT_TRUE(world.until([&] { return broker.all(Command::ack).size() == 10; }));
  EXPECT_GE(status().counters.pauses, 4u);
}

// ---- paused
// --------------------------------------------------------------------------------------

/// A broker that has a message for each subscription at once, in the same packet as its receipt.
class PausedClient : public ClientWorld {
 protected:
  PausedClient() {
    broker.on_frame = [this](auto& link, const Frame& got) {
      if (got.command != Command::subscribe) {
        broker.answer(link, got);
        return;
      }
      const std::string id = value(got, "id");
      Bytes out;
      for (const char* word : {"early ", "next "})
        ASSERT_TRUE(encode(out, message(id, word + id), Version::v1_2));
      ASSERT_TRUE(encode(out, receipt(got), Version::v1_2));
      link.send(out);
    };
  }
  static Frame message(const std::string& id, const std::string& body) {
    return frame(Command::message, {{"subscription", id}, {"message-id", body}, {"ack", body}},
                 body);
  }
  static Frame receipt(const Frame& of) {
    return frame(Command::receipt, {{"receipt-id", value(of, "receipt")}});
  }
  /// Login number `times`, and a second more.
  void reconnected(std::size_t times) {
    ASSERT_TRUE(world.until([&] { return script.events.count("connected 1.2") == times; }));
    world.run(1s);
  }
  std::vector<std::string> subscribed() {
    std::vector<std::string> all;
    for (const Frame& each : broker.last().of(Command::subscribe))
      all.push_back(value(each, "destination"));
    return all;
  }
};

TEST_F(PausedClient, Stomp_U_20_ANewSessionHasNoSubscriptionsBeforeItIsResumed) {
  broker.heartbeat = "1000,1000";
  start_ready({.session = {.heartbeat = {1000ms, 1000ms}},
               .subscriptions = {{"/queue/a", AckMode::client}, {"/queue/b"}, {"/queue/c"}}});
  feed().cast(Pause{});
  world.run(1s);
  script.events.all.clear();
  // Nothing is read, so its own end would not be heard of.
  Ref<hawser::Client>(feed().ref().pid()).cast(Reconnect{});
  reconnected(1);
  feed().cast(Pause{});
  world.run(1s);
  broker.last().close(CloseMode::graceful);
  reconnected(2);
  run_task([&]() -> Task<void> {
    const Subscribe wish(Subscription("/queue/d"));
    const auto made = co_await feed().ask(wish, 600s);
    script.events.add(made ? "asked" : made.error().text());
  });
  const auto consumer = *world.system->spawn<Worker>({.name = "consumer"});
  run_task([&]() -> Task<void> {
    const Consume wish(Subscription("/queue/e"), consumer.pid());
    const auto made = co_await feed().ask(wish, 600s);
    script.events.add(made ? "consumes" : made.error().text());
  });
  EXPECT_TRUE(ask(Unsubscribe(SubscriptionId{2})));
  for (int i = 0; i < 600; ++i) {
    broker.last().send("\n");
    world.run(100ms);
  }
  EXPECT_EQ(broker.links.size(), 3u) << "no deadline ends the session";
  EXPECT_GT(broker.last().beats, 30u);
  EXPECT_THAT(subscribed(), ElementsAre());
  EXPECT_EQ(script.events.count("ready") + script.events.starting_with("message"), 0u);
  EXPECT_FALSE(status().connected);
  EXPECT_TRUE(status().paused);
  EXPECT_EQ(status().subscriptions, 4u);
  EXPECT_EQ(status().counters.logins, 3u);
  feed().cast(Resume{});
  ASSERT_TRUE(event("asked"));
  ASSERT_TRUE(event("consumes"));
  ASSERT_TRUE(ready());
  EXPECT_TRUE(status().connected);
  EXPECT_THAT(subscribed(), ElementsAre("/queue/a", "/queue/c", "/queue/d", "/queue/e"));
  for (const char* body : {"1", "3", "4"}) {
    EXPECT_EQ(script.events.count("message early " + std::string(body)), 1u);
    EXPECT_EQ(script.events.count("message next " + std::string(body)), 1u);
  }
  EXPECT_EQ(Worker::arrivals.size(), 2u);
  EXPECT_EQ(ask(Settle(script.tickets.back())), Settled::automatic);
}

TEST_F(PausedClient, Stomp_U_20_SendsAndTransactionsGoOnWithoutSubscriptions) {
  start({.subscriptions = {{"/queue/a"}}}, &script);
  feed().cast(Pause{});
  feed().cast(Send("/queue/x", "waited"));
  reconnected(1);
  EXPECT_TRUE(ask(Send("/queue/x", "confirmed").with_receipt()));
  EXPECT_TRUE(ask(Send("/queue/x", "again").at_least_once()));
  const auto tx = ask(Begin{});
  ASSERT_TRUE(tx) << tx.error().text();
  EXPECT_TRUE(ask(Send("/queue/x", "within").in(*tx)));
  EXPECT_TRUE(ask(Commit(*tx)));
  EXPECT_THAT(bodies(), ElementsAre("waited", "confirmed", "again", "within"));
  EXPECT_THAT(subscribed(), ElementsAre());
  broker.on_frame = [&](auto& link, const Frame& got) {
    if (got.command != Command::subscribe) broker.answer(link, got);
  };
  feed().cast(Resume{});
  world.run(1s);
  feed().cast(Send("/queue/x", "behind"));
  world.run(1s);
  EXPECT_THAT(subscribed(), ElementsAre("/queue/a"));
  EXPECT_EQ(bodies().size(), 4u) << "as after any login: the subscriptions first";
  broker.last().send(receipt(broker.last().of(Command::subscribe).at(0)));
  ASSERT_TRUE(ready());
  EXPECT_TRUE(world.until([&] { return bodies().size() == 5; }));
}

TEST_F(PausedClient, Stomp_U_20_PausedBeforeItIsReadyItReadsNoFurtherMessage) {
  script.on_message = [](const Delivery&) { stomp::client().pause(); };
  start({.session = {.receipt_timeout = 3s}, .subscriptions = {{"/queue/a"}, {"/queue/b"}}},
        &script);
  feed().cast(Send("/queue/x", "waited"));
  for (const char* body : {"early 1", "next 1", "early 2", "next 2"}) {
    ASSERT_TRUE(event("message " + std::string(body)));
    world.run(10s);
    EXPECT_EQ(script.events.all.back(), "message " + std::string(body));
    EXPECT_EQ(broker.links.size(), 1u) << "a receipt that is not read is not late";
    EXPECT_THAT(bodies(), ElementsAre("waited"));
    feed().cast(Resume{});
  }
  ASSERT_TRUE(ready());
  // One that does not come at all is, counted from when it could have been read.
  broker.on_frame = [&](auto& link, const Frame& got) {
    if (got.command != Command::subscribe) broker.answer(link, got);
  };
  broker.last().close();
  ASSERT_TRUE(world.until([&] { return subscribed().size() == 2 && broker.links.size() == 2; }));
  feed().cast(Send("/queue/x", "behind"));
  world.run(1s);
  EXPECT_EQ(bodies().size(), 1u);
  feed().cast(Pause{});
  world.run(10ms);
  EXPECT_EQ(bodies().size(), 2u);
  world.run(10s);
  feed().cast(Resume{});
  world.run(2900ms);
  EXPECT_EQ(script.events.starting_with("lost timeout: SUBSCRIBE"), 0u);
  EXPECT_TRUE(event("lost timeout: SUBSCRIBE: none came within 3 s"));
}

TEST_F(PausedClient, Stomp_U_20_EachMessageMayPauseIt) {
  script.on_message = [](const Delivery&) {
    stomp::client().pause();
    stomp::client().resume();
    stomp::client().pause();
  };
  script.on_ready = [] { stomp::client().pause(); };
  start({.subscriptions = {{"/queue/a"}}}, &script);
  feed().cast(Pause{});
  for (std::size_t login = 1; login <= 3; ++login) {
    reconnected(login);
    EXPECT_EQ(script.events.starting_with("message"), 2 * (login - 1));
    for (const char* event : {"message early 1", "message next 1", "ready"}) {
      feed().cast(Resume{});
      world.run(1s);
      EXPECT_EQ(script.events.all.back(), event);
    }
    feed().cast(Resume{});
    world.run(1s);
    feed().cast(Pause{});
    Ref<hawser::Client>(feed().ref().pid()).cast(Reconnect{});
  }
}

TEST_F(PausedClient, Stomp_U_20_WhatIsAskedForInAPauseOfALiveSessionWaits) {
  start_ready({.subscriptions = {{"/queue/a"}}});
  feed().cast(Pause{});
  run_task([&]() -> Task<void> {
    const Subscribe wish(Subscription("/queue/b"));
    const auto made = co_await feed().ask(wish, 600s);
    script.events.add(made ? "asked" : made.error().text());
  });
  const Subscription shared("/queue/c");
  run_task([&]() -> Task<void> {
    const Consume wish(shared, worker.pid());
    EXPECT_TRUE(co_await feed().ask(wish, 600s));
  });
  world.run(100s);
  EXPECT_THAT(subscribed(), ElementsAre("/queue/a"));
  feed().cast(Resume{});
  ASSERT_TRUE(event("asked"));
  EXPECT_THAT(subscribed(), ElementsAre("/queue/a", "/queue/b", "/queue/c"));
  EXPECT_TRUE(event("message next 2"));
  feed().cast(Pause{});
  world.run(1s);
  run_task([&]() -> Task<void> {
    const Consume wish(Subscription("/queue/d"), worker.pid());
    EXPECT_TRUE(co_await feed().ask(wish));
  });
  world.run(1s);
  feed().cast(Resume{});
  world.run(1s);
  EXPECT_THAT(subscribed(), ElementsAre("/queue/a", "/queue/b", "/queue/c", "/queue/d"));
  EXPECT_TRUE(ask(Consume(shared, worker.pid()))) << "it is still live";
}

TEST_F(PausedClient, Stomp_U_20_APausedSessionEndsAsAnyOther) {
  Subscription durable("/topic/a");
  durable.durable = "d";
  ClientOptions options = artemis({}, "me");
  options.subscriptions = {durable};
  broker.on_frame = [&](auto& link, const Frame& got) {
    if (got.command != Command::send) broker.answer(link, got);
  };
  start(options, &script);
  feed().cast(Pause{});
  reconnected(1);
  EXPECT_EQ(ask(Unsubscribe(SubscriptionId{1}, true)).error().kind, ErrorKind::closed);
  EXPECT_EQ(status().subscriptions, 0u);
  for (const char* body : {"1", "2"}) feed().cast(Send("/queue/x", body).with_receipt());
  feed().cast(Close{});
  feed().cast(Resume{});
  world.run(1s);
  broker.last().send(receipt(broker.last().of(Command::send).at(0)));
  world.run(1s);
  EXPECT_EQ(broker.last().of(Command::disconnect).size(), 0u) << "it waits for what was sent";
  broker.last().send(receipt(broker.last().of(Command::send).at(1)));
  ASSERT_TRUE(event("terminate normal"));
  EXPECT_THAT(subscribed(), ElementsAre());
  EXPECT_EQ(broker.last().of(Command::disconnect).size(), 1u);
}

// ---- shared
// --------------------------------------------------------------------------------------

TEST_F(ClientSubscriptions, Stomp_S_35_ConsumersShareOneSubscription) {
  start_ready();
  auto first = *world.system->spawn<Worker>({.name = "one"});
  auto second = *world.system->spawn<Worker>({.name = "two"});
  const Subscription wish("/queue/a", AckMode::client);
  const auto a = ask(Consume(wish, first.pid()));
  const auto b = ask(Consume(wish, second.pid()));
  ASSERT_TRUE(a && b);
  ASSERT_EQ(broker.all(Command::subscribe).size(), 1u) << "one on the wire";
  tell("x");
  tell("y");
  ASSERT_TRUE(world.until([&] { return Worker::arrivals.size() == 4; }));
  std::ranges::sort(Worker::arrivals, {}, [](const Arrival& each) { return each.ticket.number; });
  EXPECT_EQ(Worker::arrivals[0].message.get(), Worker::arrivals[1].message.get()) << "one copy";
  EXPECT_EQ(script.events.starting_with("message"), 0u) << "not the handler's";
  const DeliveryTicket x = Worker::arrivals[0].ticket;
  const DeliveryTicket y = Worker::arrivals[2].ticket;
  feed().cast(Finish{*a, x});
  feed().cast(Finish{*a, y});
  feed().cast(Finish{*b, y});
  world.run();
  EXPECT_EQ(broker.all(Command::ack).size(), 0u) << "x is not finished by both";
  feed().cast(Finish{*b, x});
  ASSERT_TRUE(world.until([&] { return broker.all(Command::ack).size() == 1; }));
  EXPECT_EQ(value(broker.all(Command::ack)[0], "id"), "a2");
  feed().cast(EndConsume{*a});
  world.run();
  EXPECT_EQ(broker.all(Command::unsubscribe).size(), 0u);
  send_exit(second.pid(), Reason::shutdown());
  ASSERT_TRUE(world.until([&] { return broker.all(Command::unsubscribe).size() == 1; }))
      << "the last one's end is the subscription's";
  EXPECT_EQ(status().subscriptions, 0u);
}

TEST_F(ClientSubscriptions, Stomp_C_06_U_15_ASlowConsumerStopsReadingUntilItHasCaughtUp) {
  start_ready();
  auto slow = *world.system->spawn<Worker>({.name = "one"});
  const auto id = ask(Consume(Subscription("/topic/a"), slow.pid(), 4));
  ASSERT_TRUE(id);
  for (int i = 0; i < 20; ++i) tell(std::to_string(i));
  world.run(1s);
  EXPECT_EQ(Worker::arrivals.size(), 4u);
  feed().cast(Processed{*id, 1});
  world.run(1s);
  EXPECT_EQ(Worker::arrivals.size(), 4u) << "half of the window must be free";
  feed().cast(Processed{*id, 1});
  world.run(1s);
  EXPECT_EQ(Worker::arrivals.size(), 6u);
  Worker::on_arrival = [&](const Arrival& arrival) { feed().cast(Processed{arrival.consumer}); };
  feed().cast(Processed{*id, 4});
  EXPECT_TRUE(world.until([&] { return Worker::arrivals.size() == 20; }));
}

}  // namespace
}  // namespace hawser::stomp::testing
