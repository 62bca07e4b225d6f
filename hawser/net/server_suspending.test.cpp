// Suspending and resuming: with the socket kept or closed, and no work meanwhile.
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

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
using testing::unframed;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

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

TEST(Server, Tcp_E_05_R_16_SuspendedWithTheSocketClosedClientsAreRefusedAndThePortComesBack) {
  for (const auto spread : {AcceptSpread::hand_over, AcceptSpread::per_scheduler}) {
    NetWorld net(1, 3);
    ServerOptions options;
    options.spread = spread;
    const Address at = net.serve<Echo>(std::move(options));
    auto old = net.connect(at);
    net.run();
    ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
    net.run();
    auto refused = net.connect(at);
    old->send(framed("y"));
    net.run(10s);
    EXPECT_TRUE(refused->failed);
    EXPECT_FALSE(refused->connected);
    EXPECT_EQ(unframed(old->received), Packets{"y"}) << "connections go on";
    EXPECT_EQ(net.status().not_accepting_because, "suspended");
    EXPECT_EQ(net.status().address, at);
    ASSERT_TRUE(resume_server(*net.system, "it").has_value());
    EXPECT_EQ(net.status().address, at) << "the port that 0 became";
    auto fresh = net.connect(at);
    fresh->send(framed("x"));
    net.run();
    EXPECT_EQ(unframed(fresh->received), Packets{"x"});
  }
}

TEST(Server, Tcp_R_16_WhoeverTookThePortMeanwhileIsNamedAndItIsTriedAgain) {
  NetWorld net;
  ServerOptions options;
  options.listen_retry = 5s;
  const Address at = net.serve<Echo>(std::move(options));
  ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
  ASSERT_TRUE(net.system->start(server<Echo>("thief", {.listen = at})).has_value());
  const auto resumed = resume_server(*net.system, "it");
  ASSERT_FALSE(resumed.has_value());
  EXPECT_EQ(resumed.error().kind, ErrorKind::already_exists);
  EXPECT_NE(resumed.error().text().find(at.text()), std::string::npos) << resumed.error().text();
  EXPECT_EQ(net.status().not_accepting_because, "the address is taken");
  net.run(6s);
  EXPECT_EQ(net.status().not_accepting_because, "the address is taken");
  ASSERT_TRUE(net.system->stop_child("thief").has_value());
  net.run(2s);
  EXPECT_EQ(net.status().not_accepting_because, "the address is taken") << "not looked at so soon";
  net.run(3s);
  EXPECT_TRUE(net.status().accepting);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, WithoutAListenRetryItStaysSuspended) {
  NetWorld net;
  ServerOptions options;
  options.listen_retry = 0s;
  const Address at = net.serve<Echo>(std::move(options));
  ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
  ASSERT_TRUE(net.system->start(server<Echo>("thief", {.listen = at})).has_value());
  EXPECT_FALSE(resume_server(*net.system, "it").has_value());
  ASSERT_TRUE(net.system->stop_child("thief").has_value());
  net.run(60s);
  EXPECT_EQ(net.status().not_accepting_because, "suspended");
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  EXPECT_TRUE(net.status().accepting);
}

TEST(Server, Tcp_E_07_StartedSuspendedItIsBoundAndServesWhenResumed) {
  NetWorld net;
  ServerOptions options;
  options.start_suspended = true;
  const Address at = net.serve<Echo>(std::move(options));
  EXPECT_NE(at.port(), 0);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run(10s);
  EXPECT_TRUE(peer->connected);
  EXPECT_TRUE(peer->received.empty());
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_EB_06_SuspendedMeansNoWorkAtAll) {
  for (const auto mode : {SuspendMode::keep_socket, SuspendMode::close_socket}) {
    NetWorld net;
    ServerOptions options;
    options.max_connections = 4;
    const Address at = net.serve<Echo>(std::move(options));
    Peers peers;
    // Some wait at the limit when it is suspended, and then there is room.
    for (int i = 0; i < 10; ++i) peers.push_back(net.connect(at));
    net.run();
    ASSERT_TRUE(suspend_server(*net.system, "it", mode).has_value());
    for (int i = 0; i < 3; ++i) peers[static_cast<std::size_t>(i)]->close();
    net.run(60s);
    const std::uint64_t begin = net.polls();
    const auto left = net.left();
    const std::uint64_t looking = net.polls() - begin;
    net.run(24h);
    const std::uint64_t slept = net.polls();
    EXPECT_EQ(net.left(), left);
    EXPECT_EQ(net.status().connections, 1U) << "room or not, nobody comes in";
    // What asking costs, and nothing for the day.
    EXPECT_LE(slept - begin, 3 * looking) << "mode " << static_cast<int>(mode);
    const ServerStatus asleep = net.status();
    const std::uint64_t in_hand = asleep.accepted - asleep.started;
    EXPECT_LE(in_hand, 1U);
    ASSERT_TRUE(resume_server(*net.system, "it").has_value());
    net.run(1s);
    // Closed, those in the backlog are gone; one that had been accepted already is served now.
    EXPECT_EQ(net.status().connections, mode == SuspendMode::keep_socket ? 4U : 1U + in_hand);
  }
}

TEST(Server, Tcp_EB_10_ARestartedListenerIsStillSuspended) {
  for (const auto mode : {SuspendMode::keep_socket, SuspendMode::close_socket}) {
    NetWorld net;
    const Address at = net.serve<Echo>({});
    ASSERT_TRUE(suspend_server(*net.system, "it", mode).has_value());
    send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
    net.run(1s);
    EXPECT_EQ(net.status().not_accepting_because, "suspended");
    auto peer = net.connect(at);
    peer->send(framed("x"));
    net.run(1s);
    EXPECT_EQ(peer->connected, mode == SuspendMode::keep_socket);
    EXPECT_TRUE(peer->received.empty());
    ASSERT_TRUE(resume_server(*net.system, "it").has_value());
    auto fresh = net.connect(at);
    fresh->send(framed("x"));
    net.run();
    EXPECT_EQ(unframed(fresh->received), Packets{"x"});
  }
}

TEST(Server, Tcp_E_05_SuspendingTwiceMayChangeTheModeAndResumingTwiceIsOne) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
  auto refused = net.connect(at);
  net.run(1s);
  EXPECT_TRUE(refused->failed);
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  EXPECT_TRUE(net.status().accepting);
}

TEST(Server, Tcp_E_04_E_06_R_20_EachAcceptorTellsItsState) {
  NetWorld net(1, 3);
  ServerOptions options;
  options.spread = AcceptSpread::per_scheduler;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 60; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  auto status = net.status();
  ASSERT_EQ(status.acceptors.size(), 3U);
  std::uint64_t accepted = 0;
  for (unsigned i = 0; i < 3; ++i) {
    const AcceptorStatus& acceptor = status.acceptors[i];
    EXPECT_EQ(acceptor.name, "it/listener/" + std::to_string(i));
    EXPECT_EQ(acceptor.pid, net.system->whereis(acceptor.name));
    EXPECT_TRUE(acceptor.accepting);
    accepted += acceptor.accepted;
  }
  EXPECT_EQ(accepted, 60U);
  EXPECT_EQ(status.accepted, 60U);
  EXPECT_EQ(status.started, 60U);
  // One of them alone: the others go on, and each says so.
  ASSERT_TRUE(
      net.system->call(Ref<Listener>(net.system->whereis("it/listener/2")), SuspendListener{})
          .has_value());
  status = net.status();
  EXPECT_TRUE(status.acceptors[0].accepting);
  EXPECT_FALSE(status.acceptors[2].accepting);
  EXPECT_EQ(status.acceptors[2].not_accepting_because, "suspended");
}

}  // namespace
}  // namespace hawser
