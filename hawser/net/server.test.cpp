// Servers in a simulated world: options, limits, accept errors, spreading, draining, stopping.
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Events;
using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::Scripted;
using testing::unframed;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

TEST(Server, Tcp_CB_15_EveryWrongOptionIsNamedInOneError) {
  NetWorld net;
  ServerOptions options;
  options.listen = "nowhere";
  options.framing = length_prefixed(3);
  options.connection.low_water = 2 << 20;
  options.connection.packets_per_turn = 0;
  options.max_connections = 0;
  const auto started = net.system->start(server<Echo>("it", options));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().kind, ErrorKind::invalid_argument);
  for (const char* field : {"server 'it'", "listen:", "framing:", "connection.low_water:",
                            "connection.packets_per_turn:", "max_connections:"})
    EXPECT_NE(started.error().text().find(field), std::string::npos)
        << field << " in " << started.error().text();
  // Nothing of it was started, and the name is free for a better try.
  EXPECT_TRUE(
      net.system->start(server<Echo>("it", {.listen = net.world().host("server").address(0)}))
          .has_value());
}

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

TEST(Server, Tcp_R_01_TheLimitIsOneTrueNumber) {
  for (const auto spread : {AcceptSpread::hand_over, AcceptSpread::per_scheduler}) {
    NetWorld net(3, 3);
    ServerOptions options;
    options.max_connections = 10;
    options.spread = spread;
    const Address at = net.serve<Echo>(std::move(options));
    Peers peers;
    for (int i = 0; i < 25; ++i) peers.push_back(net.connect(at));
    for (const auto& each : peers) each->send(framed("x"));
    const auto served = [&] {
      return std::count_if(peers.begin(), peers.end(), [](const auto& each) {
        return each != nullptr && !each->received.empty();
      });
    };
    for (int i = 0; i < 40; ++i) {
      net.run(10ms);
      ASSERT_LE(net.status().connections, 10U);
    }
    EXPECT_EQ(served(), 10);
    EXPECT_FALSE(net.status().accepting);
    EXPECT_EQ(net.status().not_accepting_because, "at max_connections");
    // Those who waited are served, one for one that leaves.
    for (std::size_t i = 0, left = 0; i < peers.size() && left < 7; ++i) {
      if (peers[i]->received.empty()) continue;
      peers[i]->received.clear();
      peers[i]->close();
      ++left;
    }
    net.run(1s);
    EXPECT_EQ(served(), 10);
    EXPECT_EQ(net.status().connections, 10U);
    for (auto& each : peers)
      if (!each->received.empty() || each->closed) {
        each->received.clear();
        each->close();
      }
    net.run(1s);
    EXPECT_EQ(net.status().connections, 8U);
    EXPECT_EQ(served(), 8);
    EXPECT_TRUE(net.status().accepting);
    EXPECT_EQ(net.status().refused, 0U);
  }
}

TEST(Server, AtTheLimitItMayCloseInstead) {
  NetWorld net;
  ServerOptions options;
  options.max_connections = 3;
  options.at_limit = AtLimit::close;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 8; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  EXPECT_EQ(
      std::count_if(peers.begin(), peers.end(), [](const auto& each) { return each->over(); }), 5);
  EXPECT_EQ(net.status().refused, 5U);
  EXPECT_TRUE(net.status().accepting);
}

TEST(Server, Tcp_R_02_TheLimitCanBeRaisedWhileRunning) {
  NetWorld net;
  ServerOptions options;
  options.max_connections = 1;
  const Address at = net.serve<Echo>(std::move(options));
  auto first = net.connect(at);
  auto second = net.connect(at);
  second->send(framed("x"));
  net.run(1s);
  EXPECT_TRUE(second->received.empty());
  server_listener(*net.system, "it").cast(SetMaxConnections{2});
  net.run(1s);
  EXPECT_FALSE(second->received.empty());
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

TEST(Server, Tcp_R_29_WantOfDescriptorsPausesAndIsLoggedOnce) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto first = net.connect(at);
  net.run();
  net.world().host("server").set_descriptor_limit(net.world().host("server").open_descriptors());
  Peers peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(net.connect(at));
    peers.back()->send(framed("x"));
  }
  net.run(5s);
  EXPECT_GT(net.status().accept_errors, 10U);   // it tried every 100 ms …
  EXPECT_LT(net.status().accept_errors, 120U);  // … and did not spin
  EXPECT_EQ(net.lines_with("accept"), 1U) << net.all_lines();
  EXPECT_EQ(net.status().not_accepting_because, "out of descriptors or memory");
  net.world().host("server").set_descriptor_limit(1000);
  net.run(1s);
  for (const auto& each : peers) EXPECT_EQ(unframed(each->received), Packets{"x"});
  EXPECT_TRUE(net.status().accepting);
}

TEST(Server, Tcp_CB_06_AbortedConnectionsNeverEndTheListener) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const Pid listener = server_listener(*net.system, "it").pid();
  {
    sim::Faults faults;
    faults.accept_aborted = 0.9;
    const auto rule = net.world().host("server").impose(faults);
    Peers peers;
    for (int i = 0; i < 300; ++i) peers.push_back(net.connect(at));
    net.run(1s);
  }
  EXPECT_GT(net.status().accept_errors, 100U);
  EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_R_16_SuspendedClientsWaitAndTheAddressStays) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto old = net.connect(at);
  net.run();
  ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  net.run();
  auto waits = net.connect(at);
  waits->send(framed("x"));
  old->send(framed("y"));
  net.run(10s);
  EXPECT_TRUE(waits->connected);
  EXPECT_TRUE(waits->received.empty());
  EXPECT_EQ(unframed(old->received), Packets{"y"});
  EXPECT_EQ(net.status().not_accepting_because, "suspended");
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  net.run();
  EXPECT_EQ(unframed(waits->received), Packets{"x"});
  EXPECT_EQ(suspend_server(*net.system, "nobody").error().kind, ErrorKind::not_found);
}

TEST(Server, ACrashedListenerComesBackOnItsPortAndConnectionsLiveOn) {
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

TEST(Server, AKilledConnectionSupervisorTakesItsConnectionsAndTheCountIsRight) {
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

TEST(Server, ItListensOnAUnixSocket) {
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

TEST(Server, Tcp_R_07_AListenerOnEachSchedulerSharesOnePort) {
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

}  // namespace
}  // namespace hawser
