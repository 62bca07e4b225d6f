// Clients: connecting, being lost, coming back, and what waits meanwhile.
#include <hawser/net/client.hpp>

#include <hawser/net/testing/lost_bytes.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/telemetry.hpp>

namespace hawser::testing {
namespace {

/// Writes down what happens, sends what it is told.
class Feed {
 public:
  explicit Feed(Events* events, std::string hello = {})
      : events_(events), hello_(std::move(hello)) {}

  void init() { events_->add("init"); }
  Next handle_connect() {
    events_->add("connect");
    return hello_.empty() ? keep() : send(hello_);
  }
  Next handle_packet(Packet packet) {
    events_->add("packet " + std::string(packet));
    if (packet == "open") hawser::client().open_queue();
    if (packet == "challenge") return send("response");
    if (packet == "crash") throw std::runtime_error("boom");
    if (packet == "stop") return stop();
    return keep();
  }
  void handle_disconnect(const Reason& reason) { events_->add("lost " + reason.text()); }
  void handle_state(const ClientChange& change) {
    events_->add("state " + std::string(to_string(change.state)));
    if (change.state == ClientState::waiting) waits.push_back(change.wait);
  }
  std::size_t handle_call(int) const { return waits.size(); }
  Next handle_cast(std::string text) { return send(std::move(text)); }
  void terminate(const Reason& reason) { events_->add("terminate " + reason.text()); }

  std::vector<Duration> waits;

 private:
  Events* events_;
  std::string hello_;
};

class ClientTest : public ::testing::Test {
 protected:
  explicit ClientTest()
      : world(7, 1), server(world.peers->engine(), world.world().host("client").address(7007)) {}

  /// The System is on host "server" of the world; its server is the bare one on "client".
  void start(ClientOptions options = {}, std::string hello = {}) {
    if (options.targets.empty()) options.targets = TargetList(server.address().text());
    auto started =
        world.system->start(client<Feed>("feed", std::move(options), &world.events, hello));
    ASSERT_TRUE(started) << started.error().text();
  }
  Ref<Feed> feed() { return Ref<Feed>(world.system->whereis("feed")); }
  Ref<Client> handle() { return Ref<Client>(world.system->whereis("feed")); }
  Ref<Connection> connection() { return Ref<Connection>(world.system->whereis("feed")); }
  ClientStatus status() { return *world.system->call(handle(), GetClientStatus{}); }
  bool connected(std::size_t times = 1) {
    return world.until([&] { return world.events.count("connect") == times; });
  }

  NetWorld world;
  BareListener<> server;
};

TEST_F(ClientTest, Tcp_E_09_ItConnectsAndPacketsGoBothWays) {
  start({}, "hello");
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  server.links[0]->send(framed("one") + framed("two"));
  EXPECT_TRUE(world.until([&] { return world.events.count("packet two") == 1; }));
  feed().cast(std::string("three"));
  EXPECT_TRUE(world.until([&] {
    return unframed(server.links[0]->received) == std::vector<std::string>{"hello", "three"};
  }));
  EXPECT_EQ(world.events.all.front(), "init");
  EXPECT_EQ(status().state, ClientState::connected);
  EXPECT_EQ(status().connects, 1U);
}

TEST_F(ClientTest, ALostConnectionIsMadeAgainWithTheSameHandler) {
  start();
  for (std::size_t times = 1; times <= 5; ++times) {
    ASSERT_TRUE(connected(times)) << times;
    ASSERT_TRUE(world.until([&] { return server.links.size() == times; }));
    server.links.back()->close(times % 2 == 0 ? CloseMode::reset : CloseMode::immediate);
    ASSERT_TRUE(world.until([&] { return world.events.starting_with("lost ") == times; })) << times;
  }
  ASSERT_TRUE(connected(6));
  EXPECT_EQ(world.events.count("init"), 1U);
  EXPECT_EQ(world.events.starting_with("terminate"), 0U);
  EXPECT_EQ(status().losses, 5U);
}

TEST_F(ClientTest, Tcp_E_12_WhatIsSentWhileAwayWaitsAndLeavesInOrderBehindWhatConnectSends) {
  server.shut();
  start({}, "hello");
  ASSERT_TRUE(world.until([&] { return world.events.count("state waiting") == 2; }));
  for (const char* text : {"a", "b", "c"}) feed().cast(std::string(text));
  connection().cast(SendPacket(Payload("d")));
  world.run(10ms);
  EXPECT_EQ(status().waiting_packets, 4U);
  server.open();
  ASSERT_TRUE(world.until([&] {
    return !server.links.empty() && unframed(server.links[0]->received) ==
                                        std::vector<std::string>{"hello", "a", "b", "c", "d"};
  }));
  EXPECT_EQ(status().waiting_packets, 0U);
}

TEST_F(ClientTest, Tcp_E_12_AFullQueueRefusesByDefaultAndDropsTheOldestIfAsked) {
  server.shut();
  ClientOptions options;
  options.queue_packets = 2;
  start(options);
  const auto offer = [&](const char* text) {
    return world.system->call(connection(), OfferPacket(Payload(text)));
  };
  EXPECT_TRUE(offer("a"));
  EXPECT_TRUE(offer("b"));
  const auto refused = offer("c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::overloaded);
  EXPECT_NE(refused.error().text().find("queue_packets"), std::string::npos);
  EXPECT_EQ(status().dropped, 1U);
  static_cast<void>(world.system->stop_child("feed"));

  options.queue_overflow = QueueOverflow::drop_oldest;
  start(options);
  EXPECT_TRUE(offer("a"));
  EXPECT_TRUE(offer("b"));
  EXPECT_TRUE(offer("c"));
  server.open();
  ASSERT_TRUE(world.until([&] {
    return !server.links.empty() &&
           unframed(server.links[0]->received) == std::vector<std::string>{"b", "c"};
  }));
}

TEST_F(ClientTest, Tcp_E_11_AWriteIsAnsweredWhenItHasLeftAlsoAfterAWaitInTheQueue) {
  server.shut();
  start();
  std::optional<Result<bool>> answer;
  struct Asker {
    Ref<Connection> to;
    std::optional<Result<bool>>* answer;
    void init() { self().start(ask()); }
    Task<> ask() {
      auto request = WritePacket(Payload("late"));
      *answer = co_await to.call(std::move(request), 60s);
    }
  };
  ASSERT_TRUE(world.system->spawn<Asker>({}, connection(), &answer));
  world.run(3s);
  EXPECT_FALSE(answer);
  server.open();
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  EXPECT_TRUE(**answer);
  ASSERT_TRUE(world.until(
      [&] { return !server.links.empty() && server.links[0]->received == framed("late"); }));
}

TEST_F(ClientTest, Tcp_E_11_AWriteThatHadNotLeftWhenTheConnectionWasLostIsAnError) {
  server.reads = false;
  start();
  ASSERT_TRUE(connected());
  std::optional<Result<bool>> answer;
  struct Asker {
    Ref<Connection> to;
    std::optional<Result<bool>>* answer;
    void init() { self().start(ask()); }
    Task<> ask() {
      auto request = WritePacket(Payload(std::string(60000, 'x')));
      for (int i = 0; i < 400; ++i) to.cast(SendPacket(Payload(std::string(60000, 'y'))));
      *answer = co_await to.call(std::move(request), 60s);
    }
  };
  ASSERT_TRUE(world.system->spawn<Asker>({}, connection(), &answer));
  world.run(1s);
  EXPECT_FALSE(answer);
  server.links[0]->close(CloseMode::reset);
  ASSERT_TRUE(world.until([&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().kind, ErrorKind::closed) << answer->error().text();
  EXPECT_TRUE(connected(2));
}

TEST_F(ClientTest, TheQueueWaitsForTheHandlerWhoseOwnAnswersDoNot) {
  ClientOptions options;
  options.queue_waits_for_handler = true;
  start(options, "login");
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  feed().cast(std::string("payload"));
  server.links[0]->send(framed("challenge"));
  ASSERT_TRUE(world.until([&] { return unframed(server.links[0]->received).size() == 2; }));
  EXPECT_EQ(unframed(server.links[0]->received), (std::vector<std::string>{"login", "response"}));
  server.links[0]->send(framed("open"));
  ASSERT_TRUE(world.until([&] { return unframed(server.links[0]->received).size() == 3; }));
  EXPECT_EQ(unframed(server.links[0]->received).back(), "payload");
}

TEST_F(ClientTest, TheBackOffGrowsToItsCapAndBeginsAnewAfterAConnectionThatHeld) {
  server.shut();
  ClientOptions options;
  options.backoff.base = 100ms;
  options.backoff.cap = 1s;
  options.backoff.jitter = Jitter::none;
  start(options);
  ASSERT_TRUE(world.until([&] { return world.events.count("state connecting") == 7; }, 20s));
  std::vector<Duration> waits;
  static_cast<void>(world.system->run_on(0, [&](Scheduler& scheduler) {
    waits = static_cast<Feed*>(scheduler.find(feed().pid())->handler(type_info<Feed>))->waits;
  }));
  ASSERT_GE(waits.size(), 6U);
  EXPECT_EQ(waits[0], 100ms);
  EXPECT_EQ(waits[1], 200ms);
  EXPECT_EQ(waits[3], 800ms);
  EXPECT_EQ(waits[5], 1s);
  server.open();
  ASSERT_TRUE(connected());
  world.run(11s);
  server.links.back()->close();
  const std::size_t before = world.events.count("state waiting");
  ASSERT_TRUE(world.until([&] { return world.events.count("state waiting") == before + 1; }));
  static_cast<void>(world.system->run_on(0, [&](Scheduler& scheduler) {
    waits = static_cast<Feed*>(scheduler.find(feed().pid())->handler(type_info<Feed>))->waits;
  }));
  EXPECT_EQ(waits.back(), 100ms);
}

TEST_F(ClientTest, AnotherTargetIsTriedAtOnce) {
  const Address dead = world.world().host("client").address(7999);
  ClientOptions options;
  const std::string first = dead.text();
  const std::string second = server.address().text();
  options.targets = TargetList({std::string_view(first), std::string_view(second)});
  start(options);
  ASSERT_TRUE(world.until([&] { return world.events.count("connect") == 1; }, 50ms));
  EXPECT_EQ(status().target, second);
}

TEST_F(ClientTest, ItGivesUpAfterAsManyAttemptsAsItWasTold) {
  server.shut();
  ClientOptions options;
  options.attempts = 3;
  options.targets = TargetList(server.address().text());
  auto spec = client<Feed>("feed", options, &world.events, std::string());
  spec.restart = Restart::temporary;
  ASSERT_TRUE(world.system->start(std::move(spec)));
  ASSERT_TRUE(world.until([&] { return world.events.starting_with("terminate failed") == 1; }));
  EXPECT_EQ(world.events.count("state connecting"), 3U);
}

TEST_F(ClientTest, ADeadlineThatPassesEndsTheConnectionNotTheClient) {
  ClientOptions options;
  options.connection.idle_timeout = 2s;
  start(options);
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return world.events.starting_with("lost timeout: idle") == 1; }));
  ASSERT_TRUE(connected(2));
  EXPECT_EQ(world.events.starting_with("terminate"), 0U);
  // Half a packet that never ends.
  options.connection = {};
  ASSERT_TRUE(world.until([&] { return server.links.size() == 2; }));
  server.links[1]->send(std::string("\0\5ab", 4));
  ASSERT_TRUE(world.until([&] { return world.events.starting_with("lost timeout") >= 2; }));
}

TEST_F(ClientTest, ACrashEndsItAndItsSupervisorStartsAnother) {
  start();
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  server.links[0]->send(framed("crash"));
  ASSERT_TRUE(world.until([&] { return world.events.count("init") == 2; }));
  ASSERT_TRUE(connected(2));
  EXPECT_EQ(world.events.starting_with("terminate crash"), 1U);
}

TEST_F(ClientTest, WatchersSeeEachChangeBeginningWithTheStateAsItIs) {
  struct Watcher {
    Ref<Client> client;
    std::vector<std::string>* seen;
    void init() { client.cast(WatchClient{self().pid()}); }
    void handle_info(Info& info) {
      if (auto* change = info.get<ClientChange>()) seen->emplace_back(to_string(change->state));
    }
  };
  start();
  ASSERT_TRUE(connected());
  std::vector<std::string> seen;
  ASSERT_TRUE(world.system->spawn<Watcher>({}, handle(), &seen));
  ASSERT_TRUE(world.until([&] { return seen.size() == 1; }));
  handle().cast(Reconnect{});
  ASSERT_TRUE(world.until([&] { return seen.size() == 4; }));
  EXPECT_EQ(seen, (std::vector<std::string>{"connected", "waiting", "connecting", "connected"}));
}

TEST_F(ClientTest, WatchersThatAreGoneAreForgottenAtTheNextChange) {
  struct Watcher {
    Ref<Client> client;
    void init() { client.cast(WatchClient{self().pid()}); }
    Next handle_cast(int) { return stop(); }
  };
  start();
  ASSERT_TRUE(connected());
  std::vector<Ref<Watcher>> watchers;
  for (int i = 0; i < 10; ++i) watchers.push_back(*world.system->spawn<Watcher>({}, handle()));
  world.run();
  EXPECT_EQ(status().watchers, 10U);
  for (std::size_t i = 0; i < 9; ++i) watchers[i].cast(1);
  world.run();
  handle().cast(Reconnect{});
  ASSERT_TRUE(connected(2));
  world.run();
  EXPECT_EQ(status().watchers, 1U) << "the last one is told still";
  handle().cast(WatchClient{watchers[0].pid()});
  world.run();
  EXPECT_EQ(status().watchers, 1U) << "one that is dead already does not come in";
}

TEST_F(ClientTest, ActivateWhileAwayLeavesTheNextConnectionAsTheOptionsSay) {
  server.shut();
  start();
  ASSERT_TRUE(world.until([&] { return world.events.count("state waiting") >= 1; }));
  connection().cast(Activate{0});
  world.run(10ms);
  server.open();
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  server.links[0]->send(framed("heard"));
  EXPECT_TRUE(world.until([&] { return world.events.count("packet heard") == 1; }));
}

TEST_F(ClientTest, Tcp_E_10_StoppingItWhileItWaitsDialsOrStandsLeavesNothing) {
  const auto before = world.left();
  for (const int stage : {0, 1, 2}) {
    stage == 0 ? server.shut() : void();
    if (stage == 1) server.open();
    start();
    if (stage == 0) {
      ASSERT_TRUE(world.until([&] { return world.events.count("state waiting") >= 1; }));
    }
    if (stage == 2) {
      ASSERT_TRUE(world.until([&] { return world.events.count("connect") >= 1; }));
    }
    ASSERT_TRUE(world.system->stop_child("feed"));
    world.run(10s);
    EXPECT_TRUE(world.left() == before) << stage;
  }
}

// A client that ends owes its packets an answer: each is written, or somebody hears that it was
// not.

TEST_F(ClientTest, WhatIsQueuedWhenItEndsInOrderIsWritten) {
  start();
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  BareStream& first = server.last();  // its supervisor starts another client, with another link
  first.read(false);
  const std::string big(60'000, 'b');
  for (int i = 0; i < 100; ++i) feed().cast(big);  // far more than the kernels take
  world.run();
  send_exit(feed().pid(), Reason::shutdown());
  world.run();
  ASSERT_EQ(first.received.size(), 0U);
  first.read(true);
  ASSERT_TRUE(world.until([&] { return first.ended; }));
  EXPECT_EQ(unframed(first.received).size(), 100U) << "all, then the FIN";
  EXPECT_EQ(world.events.count("terminate shutdown"), 1U);
}

TEST_F(ClientTest, WhatDoesNotLeaveBeforeTheFlushDeadlineIsReported) {
  ClientOptions options;
  options.connection.flush_deadline = 2s;
  start(std::move(options));
  ASSERT_TRUE(connected());
  ASSERT_TRUE(world.until([&] { return !server.links.empty(); }));
  server.last().read(false);
  for (int i = 0; i < 100; ++i) feed().cast(std::string(60'000, 'b'));
  std::vector<std::string> ends;
  const auto subscription =
      world.system->telemetry().subscribe(LogLevel::debug, [&](const TelemetryEvent& event) {
        if (event.point() == trace_point::connection_ended.name)
          for (const auto& measure : event.measures())
            if (measure.name == "unsent") ends.push_back(std::to_string(measure.value));
      });
  world.run();
  std::vector<std::string> written;
  struct Writer {
    Ref<Connection> to;
    std::vector<std::string>* written;
    void init() { self().start(write()); }
    Task<> write() {
      WritePacket packet(Payload("last"));
      auto done = co_await to.call(std::move(packet), 60s);
      written->push_back(done ? "written" : done.error().text());
    }
  };
  ASSERT_TRUE(world.system->spawn<Writer>({}, connection(), &written));
  world.run();
  send_exit(feed().pid(), Reason::shutdown());
  world.run(10s);
  ASSERT_EQ(written.size(), 1U);
  EXPECT_NE(written[0], "written");
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_GT(std::stoul(ends[0]), 1'000'000U) << "bytes that never left";
  EXPECT_EQ(world.lines_with(" bytes unsent, which have 2s to leave"), 1U) << world.all_lines();
}

TEST_F(ClientTest, BytesThatNeverLeaveAreCountedAndTold) {
  LostBytes told(*world.system);
  ClientOptions options;
  options.connection.flush_deadline = 2s;
  start(std::move(options));
  const auto fill = [&](std::size_t links) {
    ASSERT_TRUE(connected(links));
    ASSERT_TRUE(world.until([&] { return server.links.size() == links; }));
    server.last().read(false);
    for (int i = 0; i < 20; ++i) feed().cast(std::string(60'000, 'b'));
    world.run();
  };
  // The client lives on: its status has them.
  ASSERT_NO_FATAL_FAILURE(fill(1));
  handle().cast(Reconnect{});
  world.run(10s);
  ASSERT_EQ(told.lost.size(), 1U);
  EXPECT_GT(told.lost[0], 100'000);
  EXPECT_EQ(told.lost[0], told.left[0]);
  EXPECT_EQ(status().bytes_lost, static_cast<std::uint64_t>(told.lost[0]));
  // It ends, and with it all that belongs to it: it is told all the same.
  ASSERT_NO_FATAL_FAILURE(fill(2));
  ASSERT_TRUE(world.system->stop_child("feed"));
  const auto with_last_bytes = world.left().processes;
  world.run(10s);
  ASSERT_EQ(told.lost.size(), 2U);
  EXPECT_EQ(told.lost[1], told.left[1]);
  EXPECT_EQ(world.lines_with("bytes that had not left: the flush deadline passed"), 2U)
      << world.all_lines();
  EXPECT_EQ(world.left().processes, with_last_bytes - 1) << "who looked after them is gone";
  EXPECT_EQ(world.left().sockets, 0U);
}

TEST_F(ClientTest, WhatWaitedForAConnectionWhenItEndsIsReported) {
  server.shut();
  start();
  ASSERT_TRUE(world.until([&] { return world.events.count("state waiting") >= 1; }));
  for (int i = 0; i < 3; ++i) feed().cast(std::string("waits"));
  world.run();
  send_exit(feed().pid(), Reason::shutdown());
  world.run();
  EXPECT_EQ(world.lines_with("3 packets that waited for a connection were never sent"), 1U)
      << world.all_lines();
}

TEST_F(ClientTest, WrongOptionsAreNamedAllAtOnce) {
  ClientOptions options;
  options.targets = TargetList("nonsense");
  options.queue_packets = 0;
  options.backoff.factor = 0;
  const auto started =
      world.system->start(client<Feed>("feed", options, &world.events, std::string()));
  ASSERT_FALSE(started);
  for (const char* part : {"targets", "queue_packets", "backoff.factor"})
    EXPECT_NE(started.error().text().find(part), std::string::npos) << started.error().text();
}

}  // namespace
}  // namespace hawser::testing
