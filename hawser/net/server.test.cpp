// Servers in a simulated world: starting, stopping, their tree, spreading, life in a user's own
// tree.
#include <hawser/net/testing/net_world.hpp>

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

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_C_01_ATakenAddressIsTheErrorOfStart) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const auto again = net.system->start(server<Echo>("other", {.listen = at}));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().kind, ErrorKind::already_exists);
  EXPECT_NE(again.error().text().find(at.text()), std::string::npos) << again.error().text();
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_C_02_StopReturnsWhenEverythingIsDown) {
  NetWorld net;
  const auto before = net.left();
  const Address at = net.serve<Scripted>({}, &net.events);
  Peers peers;
  for (int i = 0; i < 20; ++i) peers.push_back(net.connect(at));
  net.run();
  EXPECT_EQ(net.status().connections, 20U);
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  EXPECT_EQ(net.events.count("terminate shutdown"), 20U);
  auto late = net.connect(at);
  net.run(6s);  // what only still closes
  EXPECT_EQ(net.left(), before);
  EXPECT_TRUE(late->failed);
  for (const auto& each : peers) EXPECT_TRUE(each->ended);
  EXPECT_EQ(net.system->stop_child("it").error().kind, ErrorKind::not_found);
  EXPECT_EQ(server_status(*net.system, "it").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(net.system->start(server<Echo>("it", {.listen = at})).has_value());
}

TEST(Server, TenThousandConnectAtOnce) {
  NetWorld net(1, 2);
  ServerOptions options;
  options.backlog = 10'000;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 10'000; ++i) {
    peers.push_back(net.connect(at));
    peers.back()->send(framed("x"));
  }
  ASSERT_TRUE(net.until([&] {
    return std::all_of(peers.begin(), peers.end(),
                       [](const auto& each) { return each->received.size() == 3; });
  }));
  const auto status = net.status();
  EXPECT_EQ(status.connections, 10'000U);
  // Handed to whoever has the fewest.
  EXPECT_EQ(status.per_scheduler, (std::vector<std::size_t>{5'000, 5'000}));
  peers.clear();
  net.run(1s);
  EXPECT_EQ(net.status().connections, 0U);
}

TEST(Server, Tcp_C_22_ACrashedListenerComesBackOnItsPortAndConnectionsLiveOn) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto old = net.connect(at);
  net.run();
  send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
  net.run(1s);
  EXPECT_EQ(net.status().address, at);
  auto fresh = net.connect(at);
  for (auto* each : {old.get(), fresh.get()}) each->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(old->received), Packets{"x"});
  EXPECT_EQ(unframed(fresh->received), Packets{"x"});
}

TEST(Server, Tcp_R_06_AKilledConnectionSupervisorTakesItsConnectionsAndTheCountIsRight) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  Peers peers;
  for (int i = 0; i < 10; ++i) peers.push_back(net.connect(at));
  net.run();
  send_exit(net.system->whereis("it/connections/0"), Reason::killed());
  net.run(6s);
  EXPECT_EQ(net.status().connections, 5U);  // those of the other scheduler live on
  EXPECT_EQ(
      std::count_if(peers.begin(), peers.end(), [](const auto& each) { return each->over(); }), 5);
  auto fresh = net.connect(at);
  fresh->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(fresh->received), Packets{"x"});
  EXPECT_EQ(net.status().per_scheduler, (std::vector<std::size_t>{1, 5}));
}

TEST(Server, Tcp_C_04_ItListensOnAUnixSocket) {
  NetWorld net;
  const Address at = Address::unix_path("/run/it.sock");
  ASSERT_TRUE(net.system->start(server<Echo>("it", {.listen = "unix:/run/it.sock"})).has_value());
  EXPECT_EQ(net.status().address, at);
  ServerOptions wrong;
  wrong.listen = "unix:/run/other.sock";
  wrong.spread = AcceptSpread::per_scheduler;
  EXPECT_EQ(net.system->start(server<Echo>("other", wrong)).error().kind,
            ErrorKind::invalid_argument);
}

TEST(Server, Tcp_R_05_R_07_AListenerOnEachSchedulerSharesOnePort) {
  NetWorld net(1, 3);
  ServerOptions options;
  options.spread = AcceptSpread::per_scheduler;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(net.connect(at));
    peers.back()->send(framed("x"));
  }
  net.run(1s);
  for (const auto& each : peers) EXPECT_EQ(each->received.size(), 3U);
  for (const std::size_t share : net.status().per_scheduler) EXPECT_GT(share, 0U);
}

TEST(Server, SeveralServersLiveSideBySide) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const Address second = at.with_port(9);
  ASSERT_TRUE(
      net.system->start(server<Scripted>("second", {.listen = second}, &net.events)).has_value());
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  auto peer = net.connect(second);
  peer->send(framed("echo x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_C_03_ServersFailOnTheirOwn) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const Address second = at.with_port(9);
  ServerOptions fragile;
  fragile.listen = ListenAddress(second);
  fragile.intensity = 0;
  ASSERT_TRUE(net.system->start(server<Echo>("second", std::move(fragile))).has_value());
  auto peer = net.connect(at);
  auto other = net.connect(second);
  net.run();
  const Pid first = net.system->whereis("it");
  send_exit(server_listener(*net.system, "second").pid(), Reason::killed());
  net.run(2s);
  EXPECT_TRUE(other->over()) << "that server gave up and was started anew";
  EXPECT_EQ(net.system->whereis("it"), first);
  peer->send(framed("x"));
  auto again = net.connect(second);
  again->send(framed("y"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
  EXPECT_EQ(unframed(again->received), Packets{"y"});
}

TEST(Server, Tcp_C_27_ARuntimeStartsEmptyAndStopsClean) {
  sim::World world(1);
  {
    SystemOptions options;
    options.schedulers = 2;
    System system(world.host("server"), options);
    ASSERT_TRUE(system.launch().has_value());
    EXPECT_TRUE(system.stop(10s));
  }
  EXPECT_EQ(world.host("server").open_descriptors(), 0U);
}

TEST(Server, Tcp_R_28_AServerLivesInTheUsersOwnTree) {
  NetWorld net;
  const Address at = net.world().host("server").address(4000);
  SupervisorOptions tree;
  tree.strategy = Strategy::one_for_all;
  tree.children.push_back(worker<Events>("neighbour"));
  tree.children.push_back(server<Scripted>("it", {.listen = at}, &net.events));
  const auto mine = net.system->start(supervisor("mine", std::move(tree)));
  ASSERT_TRUE(mine.has_value());
  auto peer = net.connect(at);
  net.run();
  // It is restarted with its siblings, and has its port again.
  const Pid first = net.system->whereis("it");
  const auto children = net.system->call(Ref<Supervisor>(*mine), WhichChildren{});
  ASSERT_TRUE(children.has_value());
  ASSERT_EQ(children->size(), 2U);
  send_exit(children->front().pid, Reason::killed());
  net.run(1s);
  EXPECT_TRUE(peer->over());
  ASSERT_TRUE(net.system->whereis("it"));
  EXPECT_NE(net.system->whereis("it"), first);
  auto fresh = net.connect(at);
  fresh->send(framed("echo x"));
  net.run();
  EXPECT_EQ(unframed(fresh->received), Packets{"x"});
  // It can be stopped by its name alone; its siblings do not mind.
  ASSERT_TRUE(stop_server(*net.system, "it").has_value());
  const auto rest = net.system->call(Ref<Supervisor>(*mine), WhichChildren{});
  ASSERT_TRUE(rest.has_value());
  ASSERT_EQ(rest->size(), 1U);
  EXPECT_EQ(rest->front().state, ChildState::running);
}

TEST(Server, Tcp_EB_22_AServerOfWhichAPartCannotRunHasNotStarted) {
  NetWorld net;
  const auto before = net.left();
  // Somebody has the name of one of its parts.
  ASSERT_TRUE(net.system->spawn<Events>({.name = "it/connections/1"}).has_value());
  const Address at = net.world().host("server").address(4000);
  const auto started = net.system->start(server<Echo>("it", {.listen = at}));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().text().find("it/connections/1"), std::string::npos)
      << started.error().text();
  send_exit(net.system->whereis("it/connections/1"), Reason::killed());
  net.run(1s);
  EXPECT_EQ(net.left(), before) << "and has left nothing, its bound socket included";
  ASSERT_TRUE(net.system->start(server<Echo>("it", {.listen = at})).has_value());
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  // One of several listeners cannot run: the first had begun already.
  ServerOptions options;
  options.listen = at;
  options.spread = AcceptSpread::per_scheduler;
  options.on_listening = [](const BoundListener& bound) {
    return bound.listener == 0 ? ListenAnswer::go_on() : ListenAnswer::fail("not here");
  };
  const auto half = net.system->start(server<Echo>("it", options));
  ASSERT_FALSE(half.has_value());
  EXPECT_NE(half.error().text().find("not here"), std::string::npos) << half.error().text();
  net.run(1s);
  EXPECT_EQ(net.left(), before);
}

/// Has a worker of its own, which does the work.
struct Employer {
  Events* events;
  struct Worker {
    Events* events;
    Ref<Employer> employer;
    void handle_cast(std::string work) const {
      if (work == "crash") throw std::runtime_error("boom");
      employer.cast("done " + work);
    }
    void terminate(const Reason& reason) const { events->add("worker " + reason.text()); }
  };
  Ref<Worker> worker{};
  void init() { worker = *self().spawn_link<Worker>({}, events, self().ref<Employer>()); }
  void handle_packet(Packet packet) { worker.cast(std::string(packet)); }
  Next handle_cast(std::string answer) { return send(std::move(answer)); }
  void terminate(const Reason& reason) {
    events->add("employer " + std::string(to_string(reason.kind())));
  }
};

TEST(Server, Tcp_R_31_AConnectionMayOwnProcesses) {
  Events events;
  NetWorld net(1, 1);
  const Address at = net.serve<Employer>({}, &events);
  const auto before = net.left();
  auto peer = net.connect(at);
  auto crashing = net.connect(at);
  peer->send(framed("a") + framed("b"));
  net.run();
  EXPECT_EQ(unframed(peer->received), (Packets{"done a", "done b"}));
  EXPECT_EQ(net.left().processes, before.processes + 4);
  // Its child's crash ends the connection, and its own end its child: nobody else notices.
  crashing->send(framed("crash"));
  net.run();
  EXPECT_TRUE(crashing->over());
  EXPECT_EQ(events.starting_with("employer"), 1U);
  peer->close();
  net.run(6s);
  EXPECT_EQ(events.starting_with("employer"), 2U);
  EXPECT_EQ(events.starting_with("worker"), 2U);
  EXPECT_EQ(net.left(), before);
}

TEST(Server, Tcp_CB_14_UnknownCallsAreAnsweredWithAnError) {
  NetWorld net;
  net.serve<Echo>({});
  for (const char* part : {"it", "it/monitor", "it/listener/0", "it/connections/0"}) {
    const Ref<Scripted> wrong(net.system->whereis(part));
    const auto answer = net.system->call(wrong, std::string("what?"));
    ASSERT_FALSE(answer.has_value()) << part;
    EXPECT_EQ(answer.error().kind, ErrorKind::invalid_argument) << part;
  }
}

TEST(Server, Tcp_EB_11_EB_14_AfterAStopNothingIsLeft) {
  NetWorld net;
  const auto before = net.left();
  const auto names = net.system->registry().list().size();
  for (int round = 0; round < 3; ++round) {
    ServerOptions options;
    options.name_connections = true;
    const Address at = net.serve<Echo>(std::move(options));
    Peers peers;
    for (int i = 0; i < 30; ++i) peers.push_back(net.connect(at));
    net.run();
    for (int i = 0; i < 10; ++i) peers.pop_back();
    ASSERT_TRUE(stop_server(*net.system, "it").has_value());
    EXPECT_EQ(net.system->registry().list().size(), names);
    net.run(10s);
    EXPECT_EQ(net.left(), before);
  }
}

TEST(Server, Tcp_EB_13_APartThatEndsIsStartedAgainAndTheOthersStay) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  for (const std::string part :
       {"it/monitor", "it/listener/0", "it/connections/0", "it/connections/1"}) {
    const Pid old = net.system->whereis(part);
    send_exit(old, Reason::killed());
    net.run(1s);
    EXPECT_TRUE(net.system->whereis(part)) << part;
    EXPECT_NE(net.system->whereis(part), old) << part;
    auto peer = net.connect(at);
    peer->send(framed("x"));
    net.run();
    EXPECT_EQ(unframed(peer->received), Packets{"x"}) << part;
  }
}

TEST(Server, Tcp_EB_15_R_26_AnOrdinaryLifeWritesNoWarning) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  Peers peers;
  for (int i = 0; i < 20; ++i) peers.push_back(net.connect(at));
  for (const auto& each : peers) each->send(framed("my password"));
  net.run();
  peers.clear();
  net.run();
  ASSERT_TRUE(stop_server(*net.system, "it").has_value());
  for (const char* word : {"warning", "error", "password"})
    EXPECT_EQ(net.lines_with(word), 0U) << net.all_lines();
}

}  // namespace
}  // namespace hawser
