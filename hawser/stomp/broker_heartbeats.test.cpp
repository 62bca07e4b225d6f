// A broker on the simulated network, whose idle clients only send heart-beats: it is not woken for
// them, and knows all the same who lives.
#include <hawser/bus/bus.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/stomp/broker.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using hawser::testing::NetWorld;
using hawser::testing::Peer;

class StompHeartbeats : public ::testing::Test {
 protected:
  StompHeartbeats() : world(3, 1) {
    const Address at = world.world().host("server").address(61613);
    EXPECT_TRUE(world.system->start(bus::bus_child("default", {})));
    EXPECT_TRUE(world.system->start(broker_server("broker", {.listen = ListenAddress(at)})));
    peer = world.connect(at);
    peer->send("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:10000,0\n\n\0"s);
    EXPECT_TRUE(world.until([&] { return said("CONNECTED"); }));
  }
  bool said(const std::string& words) const {
    return peer->received.find(words) != std::string::npos;
  }
  /// Calls in which the server's thread was given octets.
  std::uint64_t wakes() {
    std::uint64_t receives = 0;
    EXPECT_TRUE(world.system->run_on(
        0, [&](Scheduler& scheduler) { receives = scheduler.engine().counters().receives; }));
    return receives;
  }
  void beat(int times, Duration every = 10s) {
    for (int i = 0; i < times; ++i) {
      world.run(every);
      peer->send("\n");
    }
  }

  NetWorld world;
  std::unique_ptr<Peer> peer;
};

TEST_F(StompHeartbeats, HeartBeatsWakeNobodyAndProveLifeAllTheSame) {
  beat(1);
  world.run(1s);
  const std::uint64_t before = wakes();
  beat(60);
  EXPECT_FALSE(peer->over()) << "it has sent what was agreed for ten minutes";
  EXPECT_LE(wakes() - before, 60U / 5);
  world.run(20s);
  EXPECT_FALSE(peer->over());
  world.run(3s);
  EXPECT_TRUE(peer->over()) << "two intervals and the grace without one";
}

TEST_F(StompHeartbeats, FramesAreReadAtOnceHoweverTheyAreCut) {
  for (const std::string& frame : {"SEND\ndestination:/queue/a\nreceipt:r\n\nbody\0"s,
                                   "BEGIN\ntransaction:t\nreceipt:r\n\n\0"s}) {
    for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
      beat(1, 1s);
      world.run(100ms);
      peer->received.clear();
      if (cut > 0) peer->send(frame.substr(0, cut));
      world.run(100ms);
      if (cut < frame.size()) peer->send(frame.substr(cut));
      world.run(100ms);
      ASSERT_TRUE(said("RECEIPT\nreceipt-id:r\n")) << "cut at " << cut << ": " << peer->received;
      if (frame.starts_with("BEGIN")) peer->send("ABORT\ntransaction:t\n\n\0"s);
    }
  }
}

TEST_F(StompHeartbeats, FramesThatComeOctetByOctetAreReadToTheirEnd) {
  beat(2);
  world.run(100ms);
  peer->received.clear();
  for (const char octet : "SEND\ndestination:/queue/a\nreceipt:r\n\nbody\0"s) {
    peer->send(std::string(1, octet));
    world.run(10ms);
  }
  EXPECT_TRUE(said("RECEIPT\nreceipt-id:r\n"));
  beat(10);
  EXPECT_FALSE(peer->over());
}

TEST_F(StompHeartbeats, TheEndOfAnIdleConnectionIsSeenAtOnce) {
  beat(3);
  world.run(1s);
  const auto in = [&] { return server_status(*world.system, "broker")->connections; };
  ASSERT_EQ(in(), 1U);
  peer->close();
  world.run(100ms);
  EXPECT_EQ(in(), 0U);
}

/// A client's frame of a WebSocket, masked with zeros.
std::string frame_of(int opcode, const std::string& payload) {
  return std::string{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size())} +
         std::string(4, '\0') + payload;
}

TEST(StompHeartbeatsOverWebSocket, WhatItsTransportSendsIsNoHeartBeat) {
  NetWorld world(3, 1);
  const Address at = world.world().host("server").address(61614);
  ASSERT_TRUE(world.system->start(bus::bus_child("default", {})));
  ServerOptions options{.listen = ListenAddress(at)};
  auto transport = broker_websocket({}, VersionSet::all());
  ASSERT_TRUE(transport);
  options.transports = {*std::move(transport)};
  ASSERT_TRUE(world.system->start(broker_server("broker", std::move(options))));
  const auto peer = world.connect(at);
  peer->send(
      "GET /stomp HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: v12.stomp\r\n\r\n");
  ASSERT_TRUE(world.until([&] { return peer->received.find("101") != std::string::npos; }));
  peer->send(frame_of(2, "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:10000,0\n\n\0"s));
  ASSERT_TRUE(world.until([&] { return peer->received.find("CONNECTED") != std::string::npos; }));
  for (int i = 0; i < 20; ++i) {
    peer->send(frame_of(2, "\n"));
    world.run(10s);
  }
  EXPECT_FALSE(peer->over());
  for (int i = 0; i < 5; ++i) {
    peer->send(frame_of(9, "ping"));
    world.run(5s);
  }
  EXPECT_TRUE(peer->over()) << "its WebSocket lives, its STOMP does not";
}

}  // namespace
}  // namespace hawser::stomp
