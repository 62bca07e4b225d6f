// Conformance: the loop itself (waiting, waking, the clock, blocking work) and datagrams.
#include <hawser/engine/testing/conformance.hpp>

#include <algorithm>
#include <latch>
#include <thread>

namespace hawser::testing {
namespace {

TEST_P(EngineConformance, PollWithoutReasonReturnsNotBeforeUntil) {
  Engine& engine = server();
  world->poll(engine, engine.now());
  for (const Duration length : {Duration{1}, Duration{200us}, Duration{1500us}, Duration{20ms}}) {
    const Instant until = engine.read_clock() + length;
    world->poll(engine, until);
    EXPECT_GE(engine.now(), until);
  }
}

TEST_P(EngineConformance, PollDoesNotWaitWhenUntilIsNotAfterNow) {
  Engine& engine = server();
  world->poll(engine, engine.now());
  const std::uint64_t waits = engine.counters().waits;
  for (int count = 0; count < 10; ++count) {
    world->poll(engine, engine.now());
    world->poll(engine, Instant{});
  }
  EXPECT_EQ(engine.counters().waits, waits);
  EXPECT_GE(engine.counters().polls, 20U);
}

TEST_P(EngineConformance, TheClockStandsStillWithinAPollAndNeverGoesBack) {
  Recorder here, there;
  connect_pair(here, there);
  Instant in_first, in_second;
  here.when_received = [&] {
    in_first = server().now();
    (void)server().read_clock();
    in_second = server().now();
  };
  there.send("x");
  const Instant before = server().now();
  ASSERT_TRUE(until([&] { return here.total == 1; }));
  EXPECT_EQ(in_first, in_second);
  EXPECT_GE(in_first, before);
  EXPECT_GE(server().read_clock(), server().now());
  here.close();
  there.close();
}

TEST_P(EngineConformance, AWakeBeforeThePollMakesItReturn) {
  server().wake();
  server().wake();
  const Instant far = server().now() + 1h;
  world->poll(server(), far);  // would never come back
  EXPECT_LT(server().now(), far);
}

TEST_P(EngineConformance, ACallbackThatIsDueKeepsThePollFromWaiting) {
  Recorder here, there;
  connect_pair(here, there);
  client().notify_below(there.id, 0);
  world->poll(client(), Instant::never());
  EXPECT_EQ(there.drained, 1);
  here.close();
  there.close();
}

TEST_P(RealEngineConformance, WakeFromAnotherThreadEndsAWait) {
  for (int round = 0; round < 20; ++round) {
    std::latch asleep(1);
    std::thread waker([&] {
      asleep.wait();
      server().wake();
    });
    asleep.count_down();
    world->poll(server(), Instant::never());  // hangs if the wake is lost
    waker.join();
  }
}

TEST_P(RealEngineConformance, EveryWakeIsFollowedByAReturnThatSeesWhatWasDoneBeforeIt) {
  std::atomic<int> posted{0};
  std::atomic<int> seen{0};
  constexpr int total = 20'000;
  std::thread poster([&] {
    for (int number = 1; number <= total; ++number) {
      posted.store(number, std::memory_order_relaxed);
      server().wake();
      if (number % 100 == 0) {
        while (seen.load() < number) std::this_thread::yield();
      }
    }
  });
  while (seen.load() < total) {
    world->poll(server(), Instant::never());
    seen.store(posted.load(std::memory_order_relaxed));
  }
  poster.join();
  // Many wakes, one return: coalesced.
  EXPECT_LE(server().counters().polls, static_cast<std::uint64_t>(total) + 10);
}

TEST_P(EngineConformance, BlockingWorkComesBackInALaterPoll) {
  bool worked = false;
  int done = 0;
  server().run_blocking([&] { worked = true; },
                        [&] {
                          EXPECT_TRUE(worked);
                          ++done;
                          server().run_blocking([] {}, [&] { ++done; });  // from inside a done
                        });
  EXPECT_EQ(done, 0) << "not inside the call";
  EXPECT_TRUE(until([&] { return done == 2; }));
}

TEST_P(EngineConformance, ResolvesLiteralsAndRefusesNonsense) {
  std::optional<Result<std::vector<Address>>> literal, nonsense;
  server().resolve("127.0.0.1", 7007,
                   [&](Result<std::vector<Address>> result) { literal = std::move(result); });
  server().resolve("no such host.invalid", 1,
                   [&](Result<std::vector<Address>> result) { nonsense = std::move(result); });
  EXPECT_FALSE(literal) << "not inside the call";
  ASSERT_TRUE(until([&] { return literal && nonsense; }));
  ASSERT_TRUE(*literal) << literal->error().text();
  ASSERT_EQ((*literal)->size(), 1U);
  EXPECT_EQ((*literal)->front(), Address::loopback(7007));
  ASSERT_FALSE(*nonsense);
}

// ---- datagrams
// ------------------------------------------------------------------------------------

class DatagramRecorder final : public DatagramEvents {
 public:
  struct Copy {
    Address from, to;
    std::string bytes;
  };
  std::vector<Copy> received;
  bool closed = false;
  std::function<void()> when_received;

  void on_datagram(const Datagram& datagram) override {
    EXPECT_FALSE(closed) << "on_datagram after close()";
    received.push_back({datagram.from, datagram.to, std::string(datagram.bytes)});
    if (when_received) when_received();
  }
  void on_failed(const Error& error) override { ADD_FAILURE() << error.text(); }
};

TEST_P(EngineConformance, DatagramsKeepTheirEdgesAlsoEmptyOnes) {
  DatagramRecorder events;
  const auto here = server().open_datagram(world->server_address(0), {}, events);
  ASSERT_TRUE(here) << here.error().text();
  EXPECT_NE(here->bound.port(), 0);
  DatagramRecorder answers;
  const auto there = client().open_datagram(Address::any_ipv4(0), {}, answers);
  ASSERT_TRUE(there) << there.error().text();
  const std::vector<std::string> texts = {"one", "", pattern(1200), "four"};
  for (const std::string& text : texts) {
    ASSERT_TRUE(client().send_datagram(there->id, here->bound, text));
  }
  ASSERT_TRUE(until([&] { return events.received.size() == texts.size(); }));
  for (std::size_t index = 0; index < texts.size(); ++index) {
    EXPECT_EQ(events.received[index].bytes, texts[index]);
    EXPECT_EQ(events.received[index].from.port(), there->bound.port());
    EXPECT_EQ(events.received[index].to, here->bound);
  }
  ASSERT_TRUE(server().send_datagram(here->id, events.received[0].from, "answer"));
  ASSERT_TRUE(until([&] { return answers.received.size() == 1; }));
  EXPECT_EQ(answers.received[0].from, here->bound);
  events.closed = answers.closed = true;
  server().close_now(here->id);
  client().close_now(there->id);
}

TEST_P(EngineConformance, ADatagramSocketClosedInsideItsCallback) {
  DatagramRecorder events, answers;
  const auto here = server().open_datagram(world->server_address(0), {}, events);
  ASSERT_TRUE(here);
  const auto there = client().open_datagram(Address::any_ipv4(0), {}, answers);
  ASSERT_TRUE(there);
  events.when_received = [&] {
    events.closed = true;
    server().close(here->id, CloseMode::graceful, Instant::never());
  };
  for (int count = 0; count < 5; ++count) {
    ASSERT_TRUE(client().send_datagram(there->id, here->bound, "x"));
  }
  ASSERT_TRUE(until([&] { return server().open_sockets() == 0; }));
  EXPECT_EQ(events.received.size(), 1U);
  // Nobody is there any more; that is no failure of the sending socket.
  for (int count = 0; count < 5; ++count) {
    (void)client().send_datagram(there->id, here->bound, "x");
    turns(2);
  }
  client().close_now(there->id);
}

TEST_P(EngineConformance, InterfacesHaveIndexesBroadcastsLeaveThroughOneOfThem) {
  const auto interfaces = server().interfaces();
  ASSERT_TRUE(interfaces) << interfaces.error().text();
  const auto loopback = std::ranges::find_if(*interfaces, &NetworkInterface::loopback);
  ASSERT_NE(loopback, interfaces->end());
  EXPECT_TRUE(loopback->up);
  EXPECT_TRUE(std::ranges::any_of(loopback->networks, [](const auto& network) {
    return network.address == Address::loopback(0) && network.prefix == 8;
  }));

  DatagramRecorder here, there;
  const auto one = server().open_datagram(Address::any_ipv4(0), {}, here);
  ASSERT_TRUE(one) << one.error().text();
  const auto two = client().open_datagram(Address::any_ipv4(0), {.broadcast = true}, there);
  ASSERT_TRUE(two) << two.error().text();
  const Address everybody = Address::ipv4({255, 255, 255, 255}, one->bound.port());
  const auto sent = client().send_datagram(two->id, everybody, "hear", loopback->index);
  ASSERT_TRUE(sent) << sent.error().text();
  ASSERT_TRUE(until([&] { return here.received.size() == 1; }));
  EXPECT_EQ(here.received[0].from.port(), two->bound.port());
  const auto nowhere = client().send_datagram(two->id, everybody, "hear", 987'654);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::not_found) << nowhere.error().text();
  server().close_now(one->id);
  client().close_now(two->id);
}

TEST_P(EngineConformance, AGroupIsJoinedOnAnInterfaceWhileTheSocketIsOpen) {
  const Address group = Address::ipv4({239, 255, 77, 7}, 0);
  DatagramRecorder here, there;
  const auto one = server().open_datagram(Address::any_ipv4(0), {}, here);
  ASSERT_TRUE(one) << one.error().text();
  const auto two = client().open_datagram(Address::any_ipv4(0), {}, there);
  ASSERT_TRUE(two) << two.error().text();
  const auto interfaces = server().interfaces();
  const auto loopback = std::ranges::find_if(*interfaces, &NetworkInterface::loopback);
  const auto join = [&](std::uint32_t index) { return server().join_group(one->id, group, index); };
  const auto nowhere = join(987'654);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::not_found) << nowhere.error().text();
  ASSERT_TRUE(join(loopback->index));
  EXPECT_TRUE(join(loopback->index)) << "once more is no error";
  EXPECT_FALSE(server().join_group(one->id, Address::loopback(0), loopback->index));
  const auto sent = client().send_datagram(two->id, group.with_port(one->bound.port()), "members",
                                           loopback->index);
  ASSERT_TRUE(sent) << sent.error().text();
  EXPECT_TRUE(until([&] { return here.received.size() == 1; }));
  server().close_now(one->id);
  EXPECT_FALSE(join(loopback->index)) << "closed";
  client().close_now(two->id);
}

TEST_P(EngineConformance, AWatchOfInterfacesIsClosedAsASocketIs) {
  DatagramRecorder events;
  const auto watch = server().watch_interfaces(events);
  ASSERT_TRUE(watch) << watch.error().text();
  turns(2);
  events.closed = true;
  server().close_now(*watch);
  EXPECT_TRUE(until([&] { return server().open_sockets() == 0; }));
}

TEST_P(RealEngineConformance, SeveralDatagramSocketsOnOnePortAllHearABroadcast) {
  DatagramRecorder first, second, sender;
  const DatagramOptions shared{.broadcast = true, .reuse_address = true};
  const auto one = server().open_datagram(Address::any_ipv4(0), shared, first);
  ASSERT_TRUE(one) << one.error().text();
  const auto two = world->sibling().open_datagram(one->bound, shared, second);
  ASSERT_TRUE(two) << two.error().text();
  const auto from = client().open_datagram(Address::loopback(0), {.broadcast = true}, sender);
  ASSERT_TRUE(from) << from.error().text();
  const Address everybody = Address::ipv4({127, 255, 255, 255}, one->bound.port());
  const Result<void> sent = client().send_datagram(from->id, everybody, "hear");
  ASSERT_TRUE(sent) << sent.error().text();
  EXPECT_TRUE(until([&] { return first.received.size() == 1 && second.received.size() == 1; }));
  server().close_now(one->id);
  world->sibling().close_now(two->id);
  client().close_now(from->id);
}

}  // namespace
}  // namespace hawser::testing
