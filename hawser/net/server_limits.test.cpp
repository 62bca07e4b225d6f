// The limit of connections: one true number, changed while running, with a choice of what happens
// at it.
#include <hawser/net/connection_handler.hpp>
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
using testing::framed;
using testing::NetWorld;
using testing::Peer;

using Peers = std::vector<std::unique_ptr<Peer>>;

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
      if (!each->received.empty() || each->closed()) {
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

TEST(Server, Tcp_R_01_AtTheLimitItMayCloseInstead) {
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

TEST(Server, Tcp_R_02_TheLimitIsLoweredByNameAndAWrongOneIsRefused) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  Peers peers;
  for (int i = 0; i < 6; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  SetServerOptions fewer;
  fewer.max_connections = 4;
  ASSERT_TRUE(set_server_options(*net.system, "it", fewer).has_value());
  EXPECT_EQ(net.status().connections, 6U) << "what is open stays";
  auto late = net.connect(at);
  late->send(framed("x"));
  for (int i = 0; i < 2; ++i) peers[static_cast<std::size_t>(i)]->close();
  net.run(1s);
  EXPECT_TRUE(late->received.empty()) << "four are still there";
  peers[2]->close();
  net.run(1s);
  EXPECT_FALSE(late->received.empty());
  SetServerOptions wrong;
  wrong.max_connections = 0;
  wrong.connection = ConnectionOptions{};
  wrong.connection->packets_per_turn = 0;
  const auto refused = set_server_options(*net.system, "it", wrong);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
  for (const char* field : {"max_connections:", "connection.packets_per_turn:"})
    EXPECT_NE(refused.error().text().find(field), std::string::npos) << refused.error().text();
  EXPECT_EQ(net.status().max_connections, 4U);
  EXPECT_EQ(set_server_options(*net.system, "nobody", fewer).error().kind, ErrorKind::not_found);
}

TEST(Server, Tcp_R_01_WhoFindsNoRoomMayBeToldSo) {
  std::vector<std::string> told;
  NetWorld net;
  const auto before = net.left();
  ServerOptions options;
  options.max_connections = 2;
  options.at_limit = AtLimit::shed;
  options.shed_at_once = 3;
  options.shed = [&](const Address& peer) {
    told.push_back(peer.text());
    return std::string("busy\n");
  };
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 7; ++i) peers.push_back(net.connect(at));
  net.run(500ms);
  const auto count = [&](std::string_view text) {
    return std::count_if(peers.begin(), peers.end(),
                         [&](const auto& each) { return each->over() && each->received == text; });
  };
  EXPECT_EQ(count("busy\n"), 3);
  EXPECT_EQ(count(""), 2) << "no more than shed_at_once are given the time";
  EXPECT_EQ(net.status().refused, 5U);
  EXPECT_EQ(net.status().shed, 3U);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_TRUE(told[0].starts_with("10.0.0.2:")) << told[0];
  EXPECT_TRUE(net.status().accepting);
  peers.clear();
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  net.run(10s);
  EXPECT_EQ(net.left(), before);
}

TEST(Server, Tcp_EB_08_WhoIsShedAndStaysIsClosedAtTheShedDeadline) {
  NetWorld net;
  ServerOptions options;
  options.max_connections = 1;
  options.at_limit = AtLimit::shed;
  options.shed_deadline = 3s;
  options.shed = [](const Address&) { return std::string("busy"); };
  const Address at = net.serve<Echo>(std::move(options));
  auto first = net.connect(at);
  net.run();
  const auto before = net.left();
  auto second = net.connect(at, false);  // does not hear it, and does not close
  net.run(2s);
  EXPECT_EQ(net.left().sockets, before.sockets + 1);
  net.run(2s);
  EXPECT_EQ(net.left().sockets, before.sockets);
}

TEST(Server, AShedHookThatThrowsCostsItsClientOnly) {
  NetWorld net;
  ServerOptions options;
  options.max_connections = 1;
  options.at_limit = AtLimit::shed;
  options.shed = [](const Address&) -> std::string { throw std::runtime_error("oops"); };
  const Address at = net.serve<Echo>(std::move(options));
  auto first = net.connect(at);
  net.run();
  const Pid listener = server_listener(*net.system, "it").pid();
  Peers peers;
  for (int i = 0; i < 50; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
  EXPECT_TRUE(
      std::all_of(peers.begin(), peers.end(), [](const auto& each) { return each->over(); }));
  EXPECT_EQ(net.lines_with("the shed hook threw: oops"), 1U) << net.all_lines();
}

TEST(Server, Tcp_R_03_AConnectionMayBeTakenOutOfTheCount) {
  NetWorld net;
  const auto limit = std::make_shared<ConnectionLimit>(2, 1);
  const auto counters = std::make_shared<ConnectionCounters>();
  // The group alone, with connections that never come to life: adding and removing is all it takes.
  static_cast<void>(net.system->run_on(0, [&](Scheduler& scheduler) {
    struct Idle {
      void handle_packet(Packet) {}
    };
    const auto make = [] { return Idle{}; };
    using Kind = HandlerConnection<Idle, decltype(make)>;
    ConnectionGroup::Parts parts{"it", length_prefixed(2), {}, limit, counters};
    auto group = std::make_shared<ConnectionGroup>(scheduler, Pid{}, std::move(parts));
    ASSERT_TRUE(ConnectionLimit::take(limit, 0));
    EXPECT_EQ(limit->total(), 0U) << "a permit that is dropped is given back";
    const auto come = [&] {
      auto permit = ConnectionLimit::take(limit, 0);
      if (permit) permit.pass_on();
      auto made = std::make_unique<Kind>(make, group);
      static_cast<void>(made->attach(NativeSocket{}));
      return made;
    };
    auto poller = come();
    auto other = come();
    EXPECT_FALSE(ConnectionLimit::take(limit, 0));
    group->uncount(*poller);
    group->uncount(*poller);
    EXPECT_EQ(limit->total(), 1U);
    EXPECT_EQ(limit->uncounted(), 1U);
    EXPECT_EQ(limit->on_scheduler(0), 2U);
    EXPECT_EQ(group->size(), 2U) << "it is still there, and drained with the others";
    auto third = come();
    EXPECT_EQ(limit->total(), 2U);
    poller.reset();
    EXPECT_EQ(limit->total(), 2U) << "its end gives nobody's place back";
    EXPECT_EQ(limit->uncounted(), 0U);
    other.reset();
    EXPECT_EQ(limit->total(), 1U);
    third.reset();
    EXPECT_EQ(limit->total(), 0U);
    EXPECT_EQ(limit->on_scheduler(0), 0U);
  }));
}

TEST(Server, Tcp_C_06_R_30_NobodyIsAcceptedBeyondTheLimit) {
  NetWorld net;
  ServerOptions options;
  options.max_connections = 5;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 5; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  const std::uint64_t accepted = net.status().accepted;
  for (int i = 0; i < 20; ++i) peers.push_back(net.connect(at));
  net.run(10s);
  EXPECT_EQ(net.status().accepted, accepted) << "they are the kernel's";
  EXPECT_EQ(net.status().connections, 5U);
}

TEST(Server, Tcp_C_06_R_30_WhoWasAcceptedBeyondTheLimitAllTheSameWaits) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto first = net.connect(at);
  net.run();
  SetServerOptions fewer;
  fewer.max_connections = 1;
  ASSERT_TRUE(set_server_options(*net.system, "it", fewer).has_value());
  auto second = net.connect(at);  // the listener has not asked for room since
  second->send(framed("x"));
  net.run(1s);
  EXPECT_EQ(net.status().accepted, 2U);
  EXPECT_EQ(net.status().connections, 1U);
  EXPECT_TRUE(second->received.empty());
  first->close();
  net.run(1s);
  EXPECT_FALSE(second->received.empty());
}

}  // namespace
}  // namespace hawser
