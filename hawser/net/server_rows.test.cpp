// Rows of the specification that are about a server as a whole: without a name, the way of an
// accepted socket, who owns the listening one, handshakes that never end, and doing nothing.
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/net/testing/toy_transports.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::framed;
using testing::masked;
using testing::NetWorld;
using testing::Peer;
using testing::Rig;
using testing::Rigged;
using testing::Scripted;
using testing::toy_cipher;
using testing::unframed;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_E_01_OneWithoutANameIsCalledByWhereItListens) {
  NetWorld net;
  const auto before = net.left();
  const Address any = net.world().host("server").address(0);
  std::vector<std::string> names;
  // Several: neither their names nor their places in the tree clash.
  for (int i = 0; i < 3; ++i) {
    const auto started = net.system->start(server<Echo>("", {.listen = any}));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    const auto name = server_name(*net.system, *started);
    ASSERT_TRUE(name.has_value()) << name.error().text();
    names.push_back(*name);
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 3U);
  for (const std::string& name : names) {
    const auto status = server_status(*net.system, name);
    ASSERT_TRUE(status.has_value()) << status.error().text();
    EXPECT_EQ(status->name, name);
    EXPECT_EQ(status->address.text(), name);
    auto peer = net.connect(status->address);
    peer->send(framed("x"));
    net.run();
    EXPECT_EQ(unframed(peer->received), Packets{"x"});
  }
  // It keeps its name when a part is restarted, and when it is suspended with its socket closed.
  send_exit(server_listener(*net.system, names[0]).pid(), Reason::killed());
  net.run();
  EXPECT_TRUE(suspend_server(*net.system, names[0], SuspendMode::close_socket));
  EXPECT_TRUE(resume_server(*net.system, names[0]));
  EXPECT_EQ(server_status(*net.system, names[0])->address.text(), names[0]);
  for (const std::string& name : names) EXPECT_TRUE(stop_server(*net.system, name));
  net.run(30s);
  EXPECT_EQ(net.left(), before);
  EXPECT_EQ(server_status(*net.system, names[0]).error().kind, ErrorKind::not_found);
}

TEST(Server, Tcp_E_01_TheNameOfWhatIsNoServerIsAnError) {
  NetWorld net;
  net.serve<Echo>({});
  EXPECT_EQ(*server_name(*net.system, net.system->whereis("it")), "it");
  const auto listener = server_name(*net.system, net.system->whereis("it/listener/0"));
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().kind, ErrorKind::not_found);
  EXPECT_FALSE(server_name(*net.system, Pid{}).has_value());
}

TEST(Server, Tcp_E_70_CB_16_AnAcceptedSocketGoesStraightToItsOwner) {
  for (const auto spread : {AcceptSpread::per_scheduler, AcceptSpread::hand_over}) {
    std::vector<std::uint64_t> by_acceptor(3);
    std::vector<std::uint64_t> by_home(3);
    std::vector<Instant> began;
    Rig rig;  // before the world: handlers say goodbye to it
    NetWorld net(1, 3);
    ServerOptions options;
    options.spread = spread;
    rig.init = [&] {
      ++by_home[self().process().scheduler().number()];
      began.push_back(self().process().scheduler().now());
      return keep();
    };
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    Peers peers;
    for (int i = 0; i < 300; ++i) peers.push_back(net.connect(at));
    const Instant begin = net.world().now();
    ASSERT_TRUE(net.until([&] { return began.size() == 300; }));
    // Three ways of 100 µs until the handshake is through; then no timer, and nobody asked, holds
    // one of them up: that would be a tick of the wheel at least.
    for (const Instant each : began) EXPECT_LT(each - begin, TimerWheel::tick);
    for (const AcceptorStatus& each : net.status().acceptors)
      by_acceptor[each.scheduler] += each.accepted;
    if (spread == AcceptSpread::per_scheduler) {
      EXPECT_EQ(by_home, by_acceptor) << "each lives where it was accepted";
    } else {
      EXPECT_EQ(by_home, (std::vector<std::uint64_t>{100, 100, 100}));
    }
  }
}

TEST(Server, Tcp_CB_13_WhateverEndsTheListeningSocketIsTheListenersAlone) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  const Pid listener = server_listener(*net.system, "it").pid();
  for (const char* last : {"crash", "quit", "throw in terminate", "end sending"}) {
    auto peer = net.connect(at);
    peer->send(framed(last) + framed("quit"));
    net.run();
    peer->close(CloseMode::reset);
  }
  Peers peers;
  for (int i = 0; i < 4; ++i) peers.push_back(net.connect(at));
  net.run();
  const auto all = server_connections(*net.system, "it");
  send_exit(all->at(0).pid, Reason::killed());
  send_exit(all->at(1).pid, Reason::shutdown());
  for (const char* part : {"it/connections/0", "it/connections/1", "it/monitor"})
    send_exit(net.system->whereis(part), Reason::killed());
  net.run();
  EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
  EXPECT_EQ(net.status().address, at);
  auto peer = net.connect(at);
  peer->send(framed("echo still here"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"still here"});
  EXPECT_EQ(net.status().accept_errors, 0U);
}

TEST(Server, Tcp_EB_09_HandshakesThatNeverEndHoldNobodyUp) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  NetWorld net;
  ServerOptions options;
  options.transports = {toy_cipher({})};
  options.connection.handshake_timeout = 5s;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  Peers silent;
  for (int i = 0; i < 200; ++i) silent.push_back(net.connect(at));
  net.run();
  ASSERT_EQ(net.status().connections, 200U);
  auto peer = net.connect(at);
  peer->send("H" + masked(framed("x"), 0x55));
  net.run(10ms);
  EXPECT_EQ(masked(peer->received.substr(1), 0x55), framed("x"));
  net.run(6s);
  EXPECT_EQ(net.status().connections, 1U);
  EXPECT_EQ(net.status().handshake_failures, 200U);
  EXPECT_EQ(rig.seen.count("init"), 1U) << "no handler is made before";
}

TEST(Server, Tcp_E_58_OneThatNobodyTalksToDoesNothing) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  Peers peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(net.connect(at));
    peers.back()->send(framed("x"));
  }
  net.run(60s);
  const std::uint64_t begin = net.polls();
  const std::uint64_t looking = net.polls() - begin;
  net.run(24h);
  EXPECT_LE(net.polls() - begin, 4 * looking) << "what asking costs, and nothing for the day";
  EXPECT_EQ(net.status().connections, 10U);
}

}  // namespace
}  // namespace hawser
