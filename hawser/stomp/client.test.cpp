// The client against a scripted broker: login, reading, being lost, coming back, ending.
#include <hawser/stomp/client.hpp>

#include <hawser/stomp/recorded_session.hpp>
#include <hawser/stomp/testing/client_world.hpp>

#include <gmock/gmock.h>

#include <algorithm>

namespace hawser::stomp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using ClientTest = ClientWorld;

Subscription to(std::string destination, AckMode mode = AckMode::automatic) {
  return Subscription(std::move(destination), mode);
}

// ---- login
// ---------------------------------------------------------------------------------------

TEST_F(ClientTest, Stomp_S_02_S_03_S_08_StartsAtOnceAndTellsEachStep) {
  start({.session = {.login = "me", .passcode = "pw"}, .subscriptions = {to("/topic/a")}}, &script);
  EXPECT_THAT(script.events.all, IsEmpty());  // starting does not wait
  ASSERT_TRUE(ready());
  EXPECT_THAT(script.events.all, ElementsAre("open", "connected 1.2", "ready"));
  const Frame connect = broker.last().frames.at(0);
  EXPECT_EQ(connect.first("accept-version"), "1.0,1.1,1.2");
  EXPECT_EQ(connect.first("host"),
            broker.address().text().substr(0, broker.address().text().rfind(':')));
  EXPECT_EQ(connect.first("login"), "me");
  EXPECT_EQ(status().server, "scripted/1");
}

TEST_F(ClientTest, Stomp_S_04_AConnectionThatFailsIsToldWithItsReason) {
  broker.shut();
  start({}, &script);
  ASSERT_TRUE(event("connect failed", 2));
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
  broker.open();
  EXPECT_TRUE(ready());
}

TEST_F(ClientTest, Stomp_S_17_ABrokerThatDoesNotAnswerTheLoginIsLeft) {
  broker.on_frame = [](auto&, const Frame&) {};
  start({}, &script);
  ASSERT_TRUE(event("lost timeout: login: no CONNECTED within 5 s"));
  broker.on_frame = [this](auto& link, const Frame& frame) { broker.answer(link, frame); };
  EXPECT_TRUE(ready());
}

TEST_F(ClientTest, Stomp_U_19_ARefusedLoginEndsItForGood) {
  broker.on_frame = [](auto& link, const Frame&) {
    link.send(frame(Command::error, {{"message", "Bad CONNECT"}}, "Access refused"));
    link.close(CloseMode::graceful);
  };
  start({.session = {.login = "me", .passcode = "secret"}}, &script);
  ASSERT_TRUE(world.until([&] { return script.events.starting_with("terminate") == 1; }));
  world.run(300s);
  EXPECT_EQ(broker.links.size(), 1u) << "no second try, and no restart by the supervisor";
  EXPECT_THAT(script.events.all,
              ElementsAre("open", "error Bad CONNECT", HasSubstr("lost failed: the broker refused"),
                          HasSubstr("terminate shutdown: the broker refused the login")));
  EXPECT_EQ(world.all_lines().find("secret"), std::string::npos);
}

TEST_F(ClientTest, Stomp_U_19_SeveralRefusedLoginsMayBeAllowed) {
  broker.on_frame = [](auto& link, const Frame&) {
    link.send(frame(Command::error, {{"message", "no"}}));
  };
  start({.login_attempts = 3}, &script);
  ASSERT_TRUE(world.until([&] { return script.events.starting_with("terminate") == 1; }, 300s));
  EXPECT_EQ(broker.links.size(), 3u);
}

TEST_F(ClientTest, Stomp_F_04_ANameThatIsInUseIsWaitedFor) {
  int refusals = 3;
  broker.on_frame = [&](auto& link, const Frame& got) {
    if (got.command == Command::connect && refusals-- > 0) {
      link.send(frame(Command::error, {{"message", "Broker: x - Client: me already connected"}}));
      link.close(CloseMode::graceful);
    } else {
      broker.answer(link, got);
    }
  };
  start({}, &script);
  ASSERT_TRUE(ready());
  EXPECT_EQ(broker.links.size(), 4u);
  EXPECT_GE(world.world().now() - Instant{}, 7s) << "1 s, 2 s, 4 s";
}

TEST_F(ClientTest, Stomp_C_04_SeveralBrokersTakeTurns) {
  ScriptedBroker second(world.peers->engine(), world.world().host("client").address(61614));
  start({.targets = TargetList({broker.address().text(), second.address().text()},
                               TargetOrder::round_robin)},
        &script);
  ASSERT_TRUE(ready());
  broker.shut();
  broker.last().close();
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(second.links.size(), 1u);
  second.shut();
  second.last().close();
  broker.open();
  ASSERT_TRUE(ready(3));
  EXPECT_EQ(broker.links.size(), 2u);
}

TEST_F(ClientTest, Stomp_C_04_InOrderTheFirstComesFirstAfterEachSession) {
  ScriptedBroker second(world.peers->engine(), world.world().host("client").address(61614));
  broker.shut();
  start({.targets = TargetList({broker.address().text(), second.address().text()})}, &script);
  ASSERT_TRUE(ready());
  broker.open();
  world.run(120s);
  EXPECT_EQ(broker.links.size(), 0u) << "a good session is not left";
  second.last().close();
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(broker.links.size(), 1u);
  EXPECT_EQ(second.links.size(), 1u);
}

TEST_F(ClientTest, Stomp_C_04_ABrokerThatLetsNobodyInIsLeftForTheNext) {
  ScriptedBroker second(world.peers->engine(), world.world().host("client").address(61614));
  broker.on_frame = [](auto&, const Frame&) {};
  start({.targets = TargetList({broker.address().text(), second.address().text()})}, &script);
  const Instant begun = world.world().now();
  ASSERT_TRUE(ready());
  EXPECT_LT(world.world().now() - begun, 5500ms) << "the time to log in, and no wait";
  EXPECT_EQ(second.links.size(), 1u);
  second.last().close();
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(broker.links.size(), 2u) << "each cycle begins with it";
  EXPECT_EQ(second.links.size(), 2u);
}

TEST_F(ClientTest, Stomp_C_04_TheBackOffHasJitter) {
  ClientOptions options;
  options.targets = TargetList(broker.address().text());
  ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
  ASSERT_TRUE(ready());
  std::vector<Duration> gaps;
  for (std::size_t i = 0; i < 8; ++i) {
    world.run(61s);
    const Instant lost = world.world().now();
    broker.last().close();
    ASSERT_TRUE(ready(i + 2));
    gaps.push_back(world.world().now() - lost);
  }
  const auto [least, most] = std::ranges::minmax(gaps);
  EXPECT_GE(least, 500ms);
  EXPECT_LE(most, 1100ms) << "up to a second, and the way";
  EXPECT_GT(most - least, 100ms);
}

TEST_F(ClientTest, Stomp_C_04_WaitsLongerAndLongerAndAnewAfterAGoodSession) {
  start_ready();
  std::vector<Duration> gaps;
  for (int i = 0; i < 4; ++i) {
    const Instant lost = world.world().now();
    broker.last().close();
    ASSERT_TRUE(ready(static_cast<std::size_t>(i) + 2));
    gaps.push_back(world.world().now() - lost);
  }
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(static_cast<double>(gaps[static_cast<std::size_t>(i)] / 1ms), 1000.0 * (1 << i),
                100);
  world.run(61s);
  const Instant lost = world.world().now();
  broker.last().close();
  ASSERT_TRUE(ready(6));
  EXPECT_LT(world.world().now() - lost, 1500ms);
}

TEST_F(ClientTest, Stomp_C_03_WrongOptionsAreAllNamed) {
  ClientOptions options;
  options.targets = "nowhere:1";
  options.outbox_messages = 0;
  options.session.passcode = "secret\nline";
  options.subscriptions = {Subscription("")};
  auto started = world.system->start(client<Recorder>("feed", options, &script));
  ASSERT_FALSE(started);
  const std::string text = started.error().text();
  EXPECT_THAT(text, HasSubstr("outbox_messages"));
  EXPECT_THAT(text, HasSubstr("session.passcode"));
  EXPECT_THAT(text, HasSubstr("a destination is needed"));
  EXPECT_EQ(text.find("secret"), std::string::npos);
}

// ---- reading
// -------------------------------------------------------------------------------------

TEST_F(ClientTest, Stomp_S_11_AnErrorIsShownAndEndsTheSession) {
  start_ready();
  broker.last().send(frame(Command::error, {{"message", "boom"}}));
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(script.events.count("error boom"), 1u);
  EXPECT_EQ(script.events.starting_with("lost"), 1u);
}

TEST_F(ClientTest, Stomp_S_11_AToleratedErrorDoesNot) {
  broker.version = Version::v1_1;
  start_ready({.session = {.on_error = ErrorPolicy::keep_open}});
  broker.last().send(frame(Command::error, {{"message", "boom"}}));
  ASSERT_TRUE(event("error boom"));
  world.run(10s);
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
}

TEST_F(ClientTest, Stomp_S_09_S_10_TheFirstCauseIsToldOnce) {
  start_ready({.subscriptions = {to("/queue/a")}});
  broker.last().send("NONSENSE\n\n");
  broker.last().close(CloseMode::graceful);
  ASSERT_TRUE(ready(2));
  ASSERT_EQ(script.losses.size(), 1u);
  EXPECT_EQ(script.losses[0].reason.kind(), Reason::Kind::protocol_error);
  broker.last().close();
  ASSERT_TRUE(ready(3));
  ASSERT_EQ(script.losses.size(), 2u);
  EXPECT_EQ(script.losses[1].reason.kind(), Reason::Kind::closed) << script.losses[1].reason.text();
}

struct Batches {
  explicit Batches(std::vector<std::vector<std::string>>* into) : batches(into) {}
  void handle_messages(std::span<const Delivery> batch) {
    std::vector<std::string> bodies;
    for (const Delivery& each : batch) bodies.emplace_back(each.body());
    batches->push_back(bodies);
    EXPECT_TRUE(ack_batch(batch));
  }
  std::vector<std::vector<std::string>>* batches;
};

TEST_F(ClientTest, Stomp_S_07_S_33_MessagesComeInBatchesAndOneAckSettlesThem) {
  std::vector<std::vector<std::string>> batches;
  start<Batches>({.subscriptions = {to("/queue/a", AckMode::client)}, .batch = 3}, &batches);
  ASSERT_TRUE(world.until([&] { return !broker.all(Command::subscribe).empty(); }));
  Bytes wire;
  for (const char* id : {"1", "2", "3", "4", "5"})
    ASSERT_TRUE(encode(
        wire,
        frame(Command::message,
              {{"subscription", "1"}, {"message-id", id}, {"ack", id}, {"destination", "/queue/a"}},
              id),
        Version::v1_2));
  broker.last().send(wire);
  ASSERT_TRUE(world.until([&] { return broker.all(Command::ack).size() == 2; }));
  EXPECT_THAT(batches, ElementsAre(ElementsAre("1", "2", "3"), ElementsAre("4", "5")));
  EXPECT_EQ(broker.all(Command::ack)[0].first("id"), "3");
  EXPECT_EQ(broker.all(Command::ack)[1].first("id"), "5");
  EXPECT_EQ(status().unsettled, 0u);
}

struct Streams {
  explicit Streams(Script* script) : script_(script) {}
  void handle_message(const Delivery& message) {
    script_->events.add("whole " + std::to_string(message.body().size()));
  }
  void handle_body_part(const Delivery& message, BytesView part, bool last) {
    size_ += part.size();
    for (const char c : part) sum_ += static_cast<unsigned char>(c);
    if (!last) return;
    script_->events.add("streamed " + std::string(message.header("name").value_or("")) + " " +
                        std::to_string(size_) + " " + std::to_string(sum_));
    size_ = sum_ = 0;
    EXPECT_TRUE(message.ack());
  }
  Script* script_;
  std::size_t size_ = 0;
  std::size_t sum_ = 0;
};

TEST_F(ClientTest, Stomp_U_14_ABodyOf100MiBIsNeverHeldWhole) {
  ClientOptions options{.subscriptions = {to("/queue/a", AckMode::client)}};
  options.session.parser.limits.body = 1000;
  options.stream_from = 1000;
  start<Streams>(options, &script);
  ASSERT_TRUE(world.until([&] { return !broker.all(Command::subscribe).empty(); }));
  const std::size_t size = std::size_t{100} << 20;
  broker.last().send(
      "MESSAGE\nsubscription:1\nmessage-id:1\nack:1\nname:a\\cb\ndestination:/q\n"
      "content-length:" +
      std::to_string(size) + "\n\n");
  const std::string mib(std::size_t{1} << 20, '\1');
  for (int i = 0; i < 100; ++i) {
    broker.last().send(mib);
    world.run(1ms);
  }
  broker.last().send(std::string(1, '\0'));
  tell("small");
  ASSERT_TRUE(event("whole 5"));
  EXPECT_EQ(script.events.all.at(0),
            "streamed a:b " + std::to_string(size) + " " + std::to_string(size));
  EXPECT_TRUE(world.until([&] { return broker.all(Command::ack).size() == 1; }));
}

TEST_F(ClientTest, Stomp_U_14_A50MiBBodyComesWholeToWhoeverWantsItSo) {
  start_ready({.subscriptions = {to("/queue/a")}});
  std::size_t got = 0;
  script.on_message = [&](const Delivery& message) { got = message.body().size(); };
  Bytes wire;
  const std::size_t size = std::size_t{50} << 20;
  ASSERT_TRUE(encode(
      wire,
      frame(Command::message, {{"subscription", "1"}, {"message-id", "1"}}, std::string(size, 'x')),
      Version::v1_2));
  broker.last().send(wire);
  EXPECT_TRUE(world.until([&] { return got == size; }));
  script.events.all.clear();
}

TEST_F(ClientTest, Stomp_U_20_PausedItReadsNothingAndTheBrokerIsNotDead) {
  broker.heartbeat = "1000,1000";
  start_ready({.subscriptions = {to("/queue/a")}});
  script.on_message = [](const Delivery& message) {
    if (message.body() == "stop") stomp::client().pause();
  };
  tell("one");
  tell("stop");
  tell("three");
  world.run(30s);
  EXPECT_EQ(script.events.count("message three"), 0u);
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
  EXPECT_TRUE(status().paused);
  feed().cast(Resume{});
  ASSERT_TRUE(event("message three"));
  tell("four");
  EXPECT_TRUE(event("message four"));
}

TEST_F(ClientTest, Stomp_P_02_EverySplitGivesTheSame) {
  std::string wire = "MESSAGE\r\nsubscription:1\r\nmessage-id:x\r\nk:a\\cb\r\n\r\nbody" +
                     std::string(1, '\0') + "\r\n";
  start_ready({.subscriptions = {to("/queue/a")}});
  std::size_t seen = 0;
  script.on_message = [&](const Delivery& message) {
    EXPECT_EQ(message.header("k"), "a:b");
    ++seen;
  };
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    broker.last().send(wire.substr(0, cut));
    world.run(1ms);
    broker.last().send(wire.substr(cut));
    world.run(1ms);
  }
  EXPECT_EQ(seen, wire.size() + 1);
  EXPECT_EQ(script.events.count("message body"), wire.size() + 1);
}

TEST_F(ClientTest, Stomp_D_06_AnswersToATemporaryQueueReachTheHandler) {
  start_ready();
  tell("answer", {}, "/temp-queue/x");
  tell("nobody's", {}, "77");
  ASSERT_TRUE(event("message answer"));
  EXPECT_EQ(script.tickets.at(0).subscription, SubscriptionId{});
  world.run();
  EXPECT_EQ(script.events.count("message nobody's"), 0u);
}

TEST_F(ClientTest, Stomp_P_25_BodiesAreValuesOnlyOnRequest) {
  start_ready({.subscriptions = {to("/queue/a")}});
  std::vector<std::string> seen;
  script.on_message = [&](const Delivery& message) {
    const auto text = message.text();
    const auto json = message.json();
    seen.push_back((text ? "text" : std::string(to_string(text.error().kind))) + " " +
                   (json ? "json" : std::string(to_string(json.error().kind))));
  };
  tell("[1]");
  tell("[1]", {{"content-type", "application/json"}});
  tell("plain", {{"content-type", "text/plain"}});
  tell("\xff", {{"content-type", "text/plain;charset=utf-8"}});
  tell("{", {{"content-type", "application/vnd.x+json"}});
  ASSERT_TRUE(world.until([&] { return seen.size() == 5; }));
  EXPECT_THAT(seen, ElementsAre("unsupported unsupported", "text json", "text unsupported",
                                "protocol error unsupported", "text protocol error"));
}

// ---- heart-beats
// ---------------------------------------------------------------------------------

TEST_F(ClientTest, Stomp_S_13_S_14_BeatsWhileNothingIsSaid) {
  broker.heartbeat = "0,1000";
  start_ready({.session = {.heartbeat = {1000ms, 0ms}}});
  world.run(10s);
  EXPECT_NEAR(static_cast<double>(broker.last().beats), 20, 2);
  EXPECT_NEAR(static_cast<double>(status().counters.heartbeats), 20, 2);
}

TEST_F(ClientTest, Stomp_S_15_S_16_ASilentBrokerIsDeadAfterTheToleranceAndNotBefore) {
  broker.heartbeat = "1000,0";
  start({.session = {.heartbeat = {0ms, 1000ms}, .liveness = {.receive_grace = 3s}}}, &script);
  ASSERT_TRUE(ready());
  world.run(4900ms);
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
  world.run(200ms);
  EXPECT_EQ(script.events.starting_with("lost timeout: heart-beat"), 1u);
}

TEST_F(ClientTest, Stomp_P_28_U_02_APeerThatSendsSlowlyIsAliveInTheMidstOfAFrame) {
  broker.heartbeat = "1000,0";
  start_ready({.session = {.heartbeat = {0ms, 1000ms}}, .subscriptions = {to("/queue/a")}});
  std::string wire = "MESSAGE\nsubscription:1\nmessage-id:1\n\n0123456789" + std::string(1, '\0');
  for (const char octet : wire) {
    broker.last().send(std::string(1, octet));
    world.run(900ms);
  }
  EXPECT_EQ(script.events.count("message 0123456789"), 1u);
  EXPECT_EQ(script.events.starting_with("lost"), 0u);
}

TEST_F(ClientTest, Stomp_U_03_HeartBeatsEndWithTheirSession) {
  broker.heartbeat = "0,1000";
  start_ready({.session = {.heartbeat = {1000ms, 0ms}}});
  world.run(2s);
  broker.heartbeat = "0,0";
  broker.last().close();
  ASSERT_TRUE(ready(2));
  world.run(10s);
  EXPECT_EQ(broker.last().beats, 0u);
}

// ---- the end
// ----------------------------------------------------------------------------------------

TEST_F(ClientTest, Stomp_S_37_AskedToEndItSaysGoodbye) {
  start_ready();
  feed().cast(Send("/queue/a", "last"));
  ASSERT_TRUE(world.system->stop_child("feed"));
  ASSERT_TRUE(world.until([&] { return !broker.all(Command::disconnect).empty(); }));
  EXPECT_THAT(bodies(), ElementsAre("last"));
  EXPECT_EQ(broker.all(Command::disconnect).size(), 1u);
  EXPECT_EQ(script.events.all.back(), "terminate shutdown");
}

TEST_F(ClientTest, Stomp_U_12_AGoodbyeThatNobodyAnswersEnds) {
  start_ready();
  broker.receipts = false;
  broker.on_frame = [](auto&, const Frame&) {};
  feed().cast(Close{});
  ASSERT_TRUE(world.until([&] { return script.events.starting_with("terminate") == 1; }));
  EXPECT_EQ(script.events.all.back(), "terminate normal");
  world.run(100s);
  EXPECT_EQ(broker.links.size(), 1u) << "a closed client is not started again";
}

TEST_F(ClientTest, Stomp_S_37_ACrashOfTheHandlerStartsItAnew) {
  start_ready({.subscriptions = {to("/queue/a")}});
  script.on_message = [](const Delivery&) { throw std::runtime_error("boom"); };
  tell("x");
  ASSERT_TRUE(ready(2));
  EXPECT_EQ(broker.all(Command::subscribe).size(), 2u);
}

// ---- raw mode
// ------------------------------------------------------------------------------------

struct Hook {
  Script* script = nullptr;
  void handle_frames(std::span<const Frame> frames) {
    std::string text = "frames";
    for (const Frame& each : frames) text += " " + std::string(to_string(each.command));
    script->events.add(text);
  }
};

TEST_F(ClientTest, Stomp_S_05_S_06_S_31_S_32_ARecordedSessionIsPlayedAfterEachLogin) {
  broker.heartbeat = "0,1000";
  const Recording recording{
      .virtual_host = "/v",
      .connect = {{"login", "me"}, {"heart-beat", "1000,0"}},
      .after_connected = {frame(Command::subscribe,
                                {{"id", "1"}, {"destination", "/queue/a"}, {"ack", "client"}})}};
  start<RecordedSession<Hook>>({.raw = true}, recording, Hook{&script});
  ASSERT_TRUE(world.until([&] { return broker.all(Command::subscribe).size() == 1; }));
  tell("one");
  ASSERT_TRUE(world.until([&] { return broker.all(Command::ack).size() == 1; }));
  EXPECT_EQ(broker.all(Command::ack)[0].first("id"), "a1");
  world.run(5s);
  EXPECT_NEAR(static_cast<double>(broker.last().beats), 10, 2) << "agreed from the raw frames";
  broker.last().close();
  ASSERT_TRUE(world.until([&] { return broker.all(Command::subscribe).size() == 2; }));
  EXPECT_EQ(script.events.count("frames CONNECTED"), 2u);
  EXPECT_EQ(script.events.count("frames MESSAGE"), 1u);
  EXPECT_EQ(status().counters.logins, 2u);
}

TEST_F(ClientTest, Stomp_S_17_RawModeWaitsForTheFirstFrameOnlySoLong) {
  broker.on_frame = [](auto&, const Frame&) {};
  start<RecordedSession<Hook>>({.raw = true}, Recording{}, Hook{&script});
  EXPECT_TRUE(world.until([&] { return broker.links.size() == 2; }));
}

// ---- seeing into it
// ---------------------------------------------------------------------------------

TEST_F(ClientTest, Stomp_C_08_TheOctetsMayBeWatchedAndHideThePasscode) {
  // The client's: its goodbye comes after this function's end.
  const auto in = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>();
  start_ready({.session = {.login = "me", .passcode = "secret"},
               .trace = [in, out](Direction way, BytesView octets) {
                 (way == Direction::in ? *in : *out) += octets;
               }});
  EXPECT_THAT(*out, HasSubstr("\npasscode:***\n"));
  EXPECT_EQ(out->find("secret"), std::string::npos);
  EXPECT_THAT(*in, HasSubstr("CONNECTED\n"));
}

TEST_F(ClientTest, Stomp_S_38_CountsWhatItDoes) {
  start_ready({.subscriptions = {to("/queue/a", AckMode::client_individual)}});
  script.on_message = [](const Delivery& message) {
    EXPECT_TRUE(message.body() == "bad" ? message.nack() : message.ack());
  };
  tell("good");
  tell("bad");
  ASSERT_TRUE(ask(Send("/queue/b", "12345").with_receipt()));
  ASSERT_TRUE(event("message bad"));
  const Status now = status();
  EXPECT_TRUE(now.connected);
  EXPECT_EQ(now.counters.messages, 2u);
  EXPECT_EQ(now.counters.message_bytes, 7u);
  EXPECT_EQ(now.counters.acks, 1u);
  EXPECT_EQ(now.counters.nacks, 1u);
  EXPECT_EQ(now.counters.sends, 1u);
  EXPECT_EQ(now.counters.sent_bytes, 5u);
  EXPECT_EQ(now.counters.receipts, 2u);
}

}  // namespace
}  // namespace hawser::stomp::testing
