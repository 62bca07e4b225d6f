// Draining and stopping: each step an event, from anywhere, within a deadline.
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::Events;
using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::Scripted;
using testing::unframed;
using testing::watch;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_R_15_DrainSendsLastBytesAndCutsTheSlowAtTheDeadline) {
  NetWorld net;
  const auto before = net.left();
  ServerOptions options;
  options.drain_deadline = 10s;
  options.connection.flush_deadline = 60s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto deaf = net.connect(at, false);
  auto slow = net.connect(at);
  deaf->send(framed("many 900"));
  net.run(1s);
  slow->send(framed("many 900"));
  sim::Faults faults;
  faults.bytes_per_second = 150'000;
  const auto rule = net.world().impose("server", "client", faults);
  net.run(100ms);
  const Instant begun = net.world().now();
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  const Duration took = net.world().now() - begun;
  EXPECT_GE(took, 10s);
  EXPECT_LE(took, 12s);
  net.run(100ms);
  EXPECT_EQ(unframed(slow->received).size(), 900U);  // 6 s
  EXPECT_TRUE(slow->ended);
  EXPECT_EQ(net.lines_with("draining 1 connections"), 2U) << net.all_lines();
  EXPECT_EQ(net.lines_with("drain deadline: killing 0 connections, cutting 1 off"), 1U)
      << net.all_lines();
  net.run(61s);
  EXPECT_EQ(net.left(), before);
}

TEST(Server, ADrainHearsWhoeverHasOnlyJustCome) {
  NetWorld net;
  sim::Faults slow = sim::Faults::none();
  slow.latency = 20ms;
  const auto rule = net.world().impose("client", "server", slow);
  const Address at = net.serve<Echo>({});
  auto idle = net.connect(at);
  auto newcomer = net.connect(at);
  idle->send(framed("before"));
  net.run(1s);
  newcomer->send(framed("hello"));  // is under way while the drain begins
  const auto report = server_drain(*net.system, "it", 10s);
  ASSERT_TRUE(report.has_value()) << report.error().text();
  net.run();
  EXPECT_EQ(unframed(newcomer->received), Packets{"hello"});
  EXPECT_EQ(unframed(idle->received), Packets{"before"});
  EXPECT_GE(report->took, 20ms);
  EXPECT_LE(report->took, 200ms) << "whoever says nothing does not hold it up";
}

TEST(Server, ADrainDoesNotWaitForThoseItKnows) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto idle = net.connect(at);
  idle->send(framed("before"));
  net.run(1s);
  const auto report = server_drain(*net.system, "it", 10s);
  ASSERT_TRUE(report.has_value()) << report.error().text();
  EXPECT_LE(report->took, 5ms);
}

TEST(Server, NewcomersGraceIsHowLongADrainHearsThem) {
  for (const Duration grace : {Duration(0s), Duration(2s), Duration(60s)}) {
    NetWorld net;
    ServerOptions options;
    options.newcomers_grace = grace;
    const Address at = net.serve<Echo>(std::move(options));
    auto newcomer = net.connect(at);
    net.run(1s);
    sim::Faults slow = sim::Faults::none();
    slow.latency = 1s;
    const auto rule = net.world().impose("client", "server", slow);
    newcomer->send(framed("hello"));
    const auto report = server_drain(*net.system, "it", 10s);
    ASSERT_TRUE(report.has_value()) << report.error().text();
    EXPECT_EQ(report->killed, 0U);
    net.run(2s);
    EXPECT_EQ(unframed(newcomer->received), grace == 0s ? Packets{} : Packets{"hello"});
    // At most half of the deadline, or they would be killed and not told.
    const Duration expected = std::min(grace, Duration(5s));
    EXPECT_GE(report->took, expected);
    EXPECT_LE(report->took, expected + 10ms);
  }
}

/// Does not want to end.
struct Stubborn {
  Next handle_packet(Packet packet) { return send(packet); }
  void handle_shutdown(const Reason&) {}
};

TEST(Server, AConnectionThatWillNotEndIsKilledAtTheDrainDeadline) {
  NetWorld net;
  ServerOptions options;
  options.drain_deadline = 3s;
  const Address at = net.serve<Stubborn>(std::move(options));
  auto peer = net.connect(at);
  net.run();
  const Instant begun = net.world().now();
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  EXPECT_GE(net.world().now() - begun, 3s);
  EXPECT_LE(net.world().now() - begun, 4s);
  net.run();
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.lines_with("drain deadline: killing 1 connections"), 1U);
}

TEST(Server, Tcp_C_22_PartsThatRestartTogetherDrainTogether) {
  NetWorld net(1, 4);
  ServerOptions options;
  options.strategy = Strategy::rest_for_one;
  options.drain_deadline = 3s;
  const Address at = net.serve<Stubborn>(std::move(options));
  Peers peers;
  for (int i = 0; i < 8; ++i) peers.push_back(net.connect(at));
  net.run();
  Events told;
  watch(net, told);
  send_exit(net.system->whereis("it/connections/0"), Reason::killed());
  net.run(5s);  // two deadlines would not fit
  const auto fresh = net.connect(at);
  fresh->send(framed("x"));
  net.run(1s);
  EXPECT_EQ(unframed(fresh->received), Packets{"x"});
  // The drain of the restarted parts was none of the server's.
  EXPECT_EQ(told.starting_with("drain"), 0U);
  const auto report = server_drain(*net.system, "it", 3s);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->killed, 1U);
  EXPECT_EQ(told.starting_with("drain deadline"), 1U);
}

/// Stops the server it is a connection of.
struct Stopper {
  System* system;
  Events* events;
  Task<> handle_packet(Bytes) {
    events->add("asked");
    TerminateChild request{"it"};
    static_cast<void>(co_await Ref<Supervisor>(system->root()).call(std::move(request), 60s));
    events->add("never reached");
  }
  void terminate(const Reason& reason) { events->add("terminate " + reason.text()); }
};

TEST(Server, Tcp_R_17_StoppingItFromOneOfItsConnectionsDoesNotDeadlock) {
  NetWorld net;
  const Address at = net.serve<Stopper>({}, net.system.get(), &net.events);
  auto peer = net.connect(at);
  auto other = net.connect(at);
  peer->send(framed("x"));
  net.run(2s);
  EXPECT_EQ(net.events.all, (Packets{"asked", "terminate shutdown", "terminate shutdown"}));
  EXPECT_TRUE(peer->ended);
  EXPECT_TRUE(other->ended);
  EXPECT_FALSE(server_listener(*net.system, "it"));
}

/// Ends when its peer has said goodbye, or at once, as its argument tells.
struct Polite {
  Events* events;
  Duration takes;
  Next handle_packet(Packet packet) { return send(packet); }
  void handle_shutdown(const Reason& reason) {
    events->add("told: " + reason.text());
    self().send_after(takes, 0);
  }
  Next handle_info(Info&) { return send("bye").then_stop(Reason::shutdown()); }
  void terminate(const Reason& reason) { events->add("terminate " + reason.text()); }
};

TEST(Server, Tcp_R_15_EachStepOfADrainIsAnEvent) {
  Events seen;
  NetWorld net;
  const auto before = net.left();
  const Address at = net.serve<Polite>({}, &net.events, Duration(2s));
  watch(net, seen);
  Peers peers;
  for (int i = 0; i < 3; ++i) peers.push_back(net.connect(at));
  net.run();
  const Instant begun = net.world().now();
  const auto report = server_drain(*net.system, "it", 10s);
  ASSERT_TRUE(report.has_value()) << report.error().text();
  EXPECT_EQ(report->connections, 3U);
  EXPECT_EQ(report->killed, 0U);
  EXPECT_GE(report->took, 2s);
  EXPECT_GE(net.world().now() - begun, 2s);
  EXPECT_LE(net.world().now() - begun, 2100ms) << "an event ends it, not a look every so often";
  net.run();
  EXPECT_EQ(seen.all, (Packets{"drain started 3", "connections gone 0", "down 0"}));
  EXPECT_EQ(net.events.count("told: shutdown"), 3U);
  for (const auto& each : peers) EXPECT_EQ(unframed(each->received), Packets{"bye"});
  EXPECT_EQ(server_drain(*net.system, "it", 1s).error().kind, ErrorKind::not_found);
  EXPECT_EQ(net.system->stop_child("it").error().kind, ErrorKind::not_found) << "spec and all";
  net.run(10s);
  EXPECT_EQ(net.left().sockets, before.sockets);
  EXPECT_EQ(net.left().processes, before.processes + 1) << "the watcher";
}

TEST(Server, ADrainTellsEachConnectionOnce) {
  NetWorld net(1, 1);
  const Address at = net.serve<Polite>({}, &net.events, Duration(2s));
  auto known = net.connect(at);
  auto silent = net.connect(at);
  known->send(framed("before"));
  net.run();
  ASSERT_TRUE(server_drain(*net.system, "it", 10s).has_value());
  net.run();
  EXPECT_EQ(net.events.count("told: shutdown"), 2U);
  EXPECT_EQ(unframed(known->received), (Packets{"before", "bye"}));
  EXPECT_EQ(unframed(silent->received), Packets{"bye"});
}

/// A server with a connection that has spoken, at its limit, and one more that it has accepted.
struct AtItsLimit {
  template <class H, class... Arguments>
  void start(ServerOptions options, Arguments... arguments) {
    at = net.serve<H>(std::move(options), std::move(arguments)...);
    known = net.connect(at);
    known->send(framed("before"));
    net.run();
    // Lowered below what comes: the listener accepts, and only then finds no room.
    SetServerOptions fewer;
    fewer.max_connections = 1;
    ASSERT_TRUE(set_server_options(*net.system, "it", fewer).has_value());
    waiting = net.connect(at);
    waiting->send(framed("hello"));
    net.run();
    ASSERT_EQ(net.status().accepted, 2U);
    ASSERT_EQ(net.status().connections, 1U);
  }
  Events events;
  NetWorld net;
  Address at;
  std::unique_ptr<Peer> known;
  std::unique_ptr<Peer> waiting;
};

TEST(Server, Tcp_R_15_WhoWaitsForRoomComesInWhileItDrains) {
  for (const bool whole_server : {false, true}) {
    AtItsLimit limited;
    NetWorld& net = limited.net;
    ASSERT_NO_FATAL_FAILURE(limited.start<Polite>({}, &net.events, Duration(2s)));
    if (whole_server) {  // as a program that has handed its sockets over does
      ASSERT_TRUE(net.system->stop_child("it").has_value());
    } else {
      const auto report = server_drain(*net.system, "it", 10s);
      ASSERT_TRUE(report.has_value()) << report.error().text();
      EXPECT_EQ(report->refused, 0U);
      EXPECT_EQ(report->killed, 0U);
      EXPECT_GE(report->took, 4s) << "one after the other";
      EXPECT_LE(report->took, 5s);
    }
    net.run();
    EXPECT_EQ(unframed(limited.known->received), (Packets{"before", "bye"}));
    EXPECT_EQ(unframed(limited.waiting->received), (Packets{"hello", "bye"}));
    EXPECT_TRUE(limited.waiting->ended) << "closed in order";
    EXPECT_EQ(net.events.count("told: shutdown"), 2U);
    EXPECT_EQ(net.lines_with("1 more wait for room"), 1U) << net.all_lines();
  }
}

TEST(Server, WhoWaitsForRoomWhileItIsSuspendedComesInWhileItDrains) {
  AtItsLimit limited;
  NetWorld& net = limited.net;
  ASSERT_NO_FATAL_FAILURE(limited.start<Polite>({}, &net.events, Duration(0s)));
  ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
  ASSERT_TRUE(server_drain(*net.system, "it", 10s).has_value());
  net.run();
  EXPECT_EQ(unframed(limited.waiting->received), (Packets{"hello", "bye"}));
}

TEST(Server, WhoFindsNoRoomBeforeTheDrainDeadlineIsClosedAndCounted) {
  AtItsLimit limited;
  NetWorld& net = limited.net;
  ASSERT_NO_FATAL_FAILURE(limited.start<Stubborn>({}));
  const auto before = net.status().not_started;
  const auto drained =
      net.system->call(server_monitor(*net.system, "it"), DrainServer(3s), Duration(1h));
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(drained->killed, 1U);
  EXPECT_EQ(drained->refused, 1U);
  EXPECT_GE(drained->took, 3s);
  EXPECT_LE(drained->took, 3100ms);
  EXPECT_EQ(net.status().not_started, before + 1);
  net.run();
  EXPECT_TRUE(limited.waiting->over());
  EXPECT_TRUE(limited.waiting->received.empty());
  EXPECT_EQ(net.lines_with("closing 1 that waited for room"), 1U) << net.all_lines();
}

TEST(Server, ADrainDoesNotWaitForAListenerThatDoesNotAnswer) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto peer = net.connect(at);
  peer->send(framed("before"));
  net.run();
  ASSERT_TRUE(sys::suspend(net.system->environment(), server_listener(*net.system, "it").pid()));
  net.run();
  const auto drained =
      net.system->call(server_monitor(*net.system, "it"), DrainServer(3s), Duration(1h));
  ASSERT_TRUE(drained.has_value());
  EXPECT_GE(drained->took, 100ms);
  EXPECT_LE(drained->took, 200ms);
  net.run();
  EXPECT_TRUE(peer->ended);
}

TEST(Server, Tcp_R_15_E_02_AtTheDeadlineWhatIsLeftIsKilledAndCounted) {
  Events seen;
  NetWorld net;
  ServerOptions options;
  options.drain_deadline = 1h;
  const Address at = net.serve<Stubborn>(std::move(options));
  watch(net, seen);
  Peers peers;
  for (int i = 0; i < 4; ++i) peers.push_back(net.connect(at));
  net.run();
  const Instant begun = net.world().now();
  const auto report = stop_server(*net.system, "it", StopServer(3s));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->killed, 4U);
  EXPECT_GE(net.world().now() - begun, 3s);
  EXPECT_LE(net.world().now() - begun, 3100ms);
  net.run();
  EXPECT_EQ(seen.starting_with("drain deadline"), 1U);
  EXPECT_EQ(seen.count("killed 2"), 2U) << "of each scheduler";
  EXPECT_EQ(seen.all.back(), "down 0");
  for (const auto& each : peers) EXPECT_TRUE(each->over());
}

TEST(Server, Tcp_EB_08_ADrainWithoutADeadlineHasTheServersOwn) {
  NetWorld net;
  ServerOptions options;
  options.drain_deadline = 3s;
  const Address at = net.serve<Stubborn>(std::move(options));
  auto peer = net.connect(at);
  net.run();
  const auto drained =
      net.system->call(server_monitor(*net.system, "it"), DrainServer(), Duration(1h));
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(drained->killed, 1U);
  EXPECT_GE(drained->took, 3s);
  EXPECT_LE(drained->took, 3100ms);
}

/// Drains a server, and keeps what is answered.
struct Drainer {
  Ref<ServerMonitor> monitor;
  std::vector<Result<DrainReport>>* reports;
  Task<> handle_cast(Duration deadline) {
    DrainServer drain(deadline);
    reports->push_back(co_await monitor.call(std::move(drain), 60s));
  }
};

TEST(Server, Tcp_R_15_ASecondDrainWaitsForTheFirst) {
  NetWorld net;
  const Address at = net.serve<Stubborn>({});
  auto peer = net.connect(at);
  net.run();
  std::vector<Result<DrainReport>> reports;
  auto drainer = net.system->spawn<Drainer>({}, server_monitor(*net.system, "it"), &reports);
  ASSERT_TRUE(drainer.has_value());
  drainer->cast(Duration(2s));
  net.run(1s);
  drainer->cast(Duration(20s));
  net.run(500ms);
  EXPECT_TRUE(reports.empty());
  net.run(1s);
  drainer->cast(Duration(20s));  // it is over: answered at once
  net.run();
  ASSERT_EQ(reports.size(), 3U);
  for (const auto& report : reports) {
    ASSERT_TRUE(report.has_value()) << report.error().text();
    EXPECT_EQ(report->killed, 1U) << "by the first one's deadline";
    EXPECT_LT(report->took, 2100ms);
  }
}

TEST(Server, Tcp_E_02_TheReasonOfAStopReachesTheHandlers) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  ASSERT_TRUE(
      stop_server(*net.system, "it", StopServer(5s, Reason::custom("moving house"))).has_value());
  EXPECT_EQ(net.events.all, Packets{"terminate custom: moving house"});
}

TEST(Server, Tcp_C_02_R_17_AnUnknownNameIsNotFound) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  EXPECT_EQ(stop_server(*net.system, "nobody").error().kind, ErrorKind::not_found);
  EXPECT_EQ(resume_server(*net.system, "nobody").error().kind, ErrorKind::not_found);
  EXPECT_EQ(await_server_connections(*net.system, "nobody", 1, 1s).error().kind,
            ErrorKind::not_found);
  EXPECT_TRUE(net.status().accepting) << at.text();
}

TEST(Server, Tcp_R_15_ThousandsAreToldInPiecesAndKilledInPieces) {
  for (const Duration deadline : {Duration(10s), Duration(3ms)}) {
    NetWorld net(1, 1);
    ServerOptions options;
    options.backlog = 2'000;
    const Address at = deadline == 10s ? net.serve<Scripted>(std::move(options), &net.events)
                                       : net.serve<Stubborn>(std::move(options));
    Peers peers;
    for (int i = 0; i < 2'000; ++i) peers.push_back(net.connect(at));
    net.run(1s);
    ASSERT_EQ(net.status().connections, 2'000U);
    const auto report = server_drain(*net.system, "it", deadline);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->connections, 2'000U);
    EXPECT_EQ(report->killed, deadline == 10s ? 0U : 2'000U);
    EXPECT_GE(report->took, 7ms) << "the engine polls between the pieces";
    EXPECT_LE(report->took, 1s);
    net.run(1s);
    EXPECT_TRUE(
        std::all_of(peers.begin(), peers.end(), [](const auto& each) { return each->over(); }));
  }
}

/// Stops its own server without waiting, and stays to see it through.
struct SelfStopper {
  Events* events;
  void handle_packet(Packet) {
    const auto stopping = stop_server_from_here("it", StopServer(5s));
    events->add(stopping ? "asked" : stopping.error().text());
    const auto nobody = stop_server_from_here("nobody");
    events->add(std::string(to_string(nobody.error().kind)));
  }
  void terminate(const Reason& reason) { events->add("terminate " + reason.text()); }
};

TEST(Server, Tcp_R_17_CB_07_AConnectionMayStopItsServer) {
  NetWorld net;
  const auto before = net.left();
  const Address at = net.serve<SelfStopper>({}, &net.events);
  auto peer = net.connect(at);
  auto other = net.connect(at);
  peer->send(framed("x"));
  net.run(8s);
  EXPECT_EQ(net.events.all, (Packets{"asked", std::string(to_string(ErrorKind::not_found)),
                                     "terminate shutdown", "terminate shutdown"}));
  EXPECT_EQ(server_status(*net.system, "it").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(other->over());
  EXPECT_EQ(net.left(), before);
  EXPECT_TRUE(net.system->start(server<Scripted>("it", {.listen = at}, &net.events)).has_value());
}

TEST(Server, Tcp_R_17_TwoStopsAtOnceBothReturn) {
  NetWorld net;
  const Address at = net.serve<Polite>({}, &net.events, Duration(1s));
  auto peer = net.connect(at);
  net.run();
  int done = 0;
  struct Asking {
    int* done;
    void init() {
      const auto stopper = stop_server_from_here("it");
      if (stopper) self().monitor(*stopper);
    }
    Next handle_info(Info& info) {
      if (const auto* down = info.get<Down>()) *done += down->reason == Reason::normal() ? 1 : 0;
      return stop();
    }
  };
  for (unsigned i = 0; i < 2; ++i)
    ASSERT_TRUE(net.system->spawn_on<Asking>(i, {}, &done).has_value());
  ASSERT_TRUE(net.until([&] { return done == 2; }, 10s));
  EXPECT_FALSE(server_monitor(*net.system, "it"));
}

TEST(Server, Tcp_R_15_OneMayWaitForTheCountToFall) {
  Events seen;
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  Peers peers;
  for (int i = 0; i < 5; ++i) peers.push_back(net.connect(at));
  net.run();
  EXPECT_EQ(await_server_connections(*net.system, "it", 2, 3s).error().kind, ErrorKind::timeout);
  struct Asking {
    Ref<ServerMonitor> monitor;
    Events* events;
    void init() { self().start(run()); }
    Task<> run() {
      const auto now = co_await monitor.call(AwaitConnections{2}, 1h);
      events->add("now " + std::to_string(now.value_or(99)));
    }
  };
  ASSERT_TRUE(net.system->spawn<Asking>({}, server_monitor(*net.system, "it"), &seen).has_value());
  for (std::size_t i = 0; i < 2; ++i) peers[i]->close();
  net.run(10s);
  EXPECT_TRUE(seen.all.empty());
  peers[2]->close();
  net.run();
  EXPECT_EQ(seen.all, Packets{"now 2"});
  EXPECT_EQ(await_server_connections(*net.system, "it", 2, 0s).value_or(99), 2U);
}

TEST(Server, Tcp_R_15_ADrainThatOnlyDrainsLeavesTheTreeButServesNobody) {
  NetWorld net;
  const Address at = net.serve<Polite>({}, &net.events, Duration(0s));
  auto peer = net.connect(at);
  net.run();
  const auto drained =
      net.system->call(server_monitor(*net.system, "it"), DrainServer(5s), Duration(1h));
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(drained->connections, 1U);
  EXPECT_TRUE(net.status().draining);
  EXPECT_EQ(net.status().not_accepting_because, "draining");
  EXPECT_EQ(resume_server(*net.system, "it").error().kind, ErrorKind::closed);
  auto late = net.connect(at);
  net.run(1s);
  EXPECT_TRUE(late->failed);
  ASSERT_TRUE(net.system->stop_child("it").has_value());
}

TEST(Server, Tcp_R_15_PartsThatAreRestartedInADrainTakePartInIt) {
  NetWorld net;
  ServerOptions options;
  options.drain_deadline = 1h;
  const Address at = net.serve<Stubborn>(std::move(options));
  Peers peers;
  for (int i = 0; i < 4; ++i) peers.push_back(net.connect(at));
  net.run();
  bool answered = false;
  struct Asking {
    Ref<ServerMonitor> monitor;
    bool* answered;
    void init() { self().start(run()); }
    Task<> run() {
      DrainServer drain(1h);
      const auto report = co_await monitor.call(std::move(drain), 1h);
      *answered = report.has_value();
    }
  };
  ASSERT_TRUE(
      net.system->spawn<Asking>({}, server_monitor(*net.system, "it"), &answered).has_value());
  net.run();
  send_exit(net.system->whereis("it/connections/0"), Reason::killed());
  send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
  net.run(1s);
  EXPECT_FALSE(answered);
  EXPECT_EQ(net.status().not_accepting_because, "draining");
  send_exit(net.system->whereis("it/connections/1"), Reason::killed());
  net.run(1s);
  EXPECT_TRUE(answered);
}

TEST(Server, Tcp_CB_07_E_05_TheMonitorMayCrashAndWatchersCanTell) {
  Events seen;
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  const Pid old = server_monitor(*net.system, "it").pid();
  send_exit(old, Reason::killed());
  net.run(1s);
  EXPECT_NE(server_monitor(*net.system, "it").pid(), old);
  watch(net, seen);
  ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  net.run();
  EXPECT_EQ(seen.all, (Packets{"suspended 0 clients wait", "resumed 0"}));
  ASSERT_TRUE(stop_server(*net.system, "it", StopServer(1s)).has_value());
  net.run();
  EXPECT_TRUE(peer->over());
}

}  // namespace
}  // namespace hawser
