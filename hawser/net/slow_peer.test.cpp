// Packets for a peer that reads too slowly: what each policy keeps, and what senders are told.
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/net/testing/toy_transports.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::framed_all;
using testing::masked;
using testing::NetWorld;
using testing::Rig;
using testing::Rigged;
using testing::toy_cipher;
using testing::unframed;

using Packets = std::vector<std::string>;

constexpr std::size_t packet_bytes = 20'000;

std::string numbered(int number) {
  std::string packet = std::to_string(number);
  packet.resize(packet_bytes, '.');
  return packet;
}
int number_of(const std::string& packet) { return std::stoi(packet); }

ServerOptions policy(SlowPeer slow) {
  ServerOptions options;
  options.connection.slow_peer = slow;
  options.connection.slow_packets = 10;
  options.connection.high_water = 200'000;
  options.connection.low_water = 50'000;
  options.connection.send_limit = 2'000'000;
  options.connection.write_deadline = 0s;
  return options;
}

struct SlowPeerTest : ::testing::Test {
  Rig rig;
  NetWorld net{1, 2};

  ConnectionInfo info() { return server_connections(*net.system, "it")->front(); }
  void cast(int from, int to) {
    for (int i = from; i < to; ++i) Ref<Connection>(rig.pid).cast(SendPacket(Payload(numbered(i))));
    net.run();
  }
  static std::vector<int> numbers(std::string_view received) {
    std::vector<int> all;
    for (const auto& packet : unframed(received)) {
      EXPECT_EQ(packet.size(), packet_bytes);
      all.push_back(number_of(packet));
    }
    return all;
  }
};

TEST_F(SlowPeerTest, DropOldestKeepsTheNewestAndCounts) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::drop_oldest), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 500);
  EXPECT_EQ(info().waiting, 10U);
  const auto dropped = info().dropped;
  EXPECT_GT(dropped, 100U);
  EXPECT_LE(info().unsent, 220'100U);
  peer->read(true);
  net.run(10s);
  const auto got = numbers(peer->received);
  EXPECT_EQ(got.size() + dropped, 500U);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  EXPECT_EQ(std::vector<int>(got.end() - 10, got.end()),
            (std::vector<int>{490, 491, 492, 493, 494, 495, 496, 497, 498, 499}));
  EXPECT_GE(rig.seen.count("drained"), 1U);
  EXPECT_EQ(info().waiting, 0U);
  cast(500, 501);
  EXPECT_EQ(numbers(peer->received).back(), 500);
}

TEST_F(SlowPeerTest, DropNewestKeepsWhatCameFirst) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::drop_newest), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 500);
  const auto dropped = info().dropped;
  peer->read(true);
  net.run(10s);
  const auto got = numbers(peer->received);
  EXPECT_EQ(got.size() + dropped, 500U);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST_F(SlowPeerTest, DroppingWorksThroughATransport) {
  ServerOptions options = policy(SlowPeer::drop_oldest);
  options.transports = {toy_cipher()};
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at, false);
  peer->send("H");
  net.run();
  cast(0, 500);
  const auto dropped = info().dropped;
  EXPECT_GT(dropped, 100U);
  peer->read(true);
  net.run(10s);
  const auto got = numbers(masked(peer->received.substr(1), 0x55));
  EXPECT_EQ(got.size() + dropped, 500U);
  EXPECT_EQ(got.back(), 499);
}

TEST_F(SlowPeerTest, Tcp_EB_03_WaitQueuesAndTheLimitResets) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::wait), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 50);
  EXPECT_EQ(info().dropped, 0U);
  EXPECT_EQ(info().waiting, 0U);
  cast(50, 500);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(net.lines_with("send_limit"), 1U);
}

TEST_F(SlowPeerTest, EndResetsAtTheMark) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::end), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 100);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(net.lines_with("slow_peer is end"), 1U);
  EXPECT_EQ(net.status().connections, 0U);
}

TEST_F(SlowPeerTest, WhatWaitsStillLeavesWhenItEndsInOrder) {
  for (const bool by_end_sending : {false, true}) {
    Rig its;
    its.cast = [&](const std::string&) {
      if (!by_end_sending) return stop();
      connection().end_sending();
      return keep();
    };
    NetWorld world;
    const Address at = world.serve<Rigged>(policy(SlowPeer::drop_newest), &its);
    auto peer = world.connect(at, false);
    world.run();
    for (int i = 0; i < 500; ++i) Ref<Connection>(its.pid).cast(SendPacket(Payload(numbered(i))));
    world.run();
    const auto taken = 500 - server_connections(*world.system, "it")->front().dropped;
    Ref<Rigged>(its.pid).cast(std::string("end"));
    world.run();
    peer->read(true);
    world.run(10s);
    EXPECT_EQ(numbers(peer->received).size(), taken);
    EXPECT_TRUE(peer->ended);
  }
}

TEST_F(SlowPeerTest, Tcp_E_52_EB_18_AnAnswerWithAPacketThatCannotBeSentLeavesNothingWaiting) {
  rig.cast = [](const std::string&) { return send("small").send(std::string(70'000, 'x')); };
  const Address at = net.serve<Rigged>(policy(SlowPeer::drop_oldest), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 500);
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run();
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  peer->read(true);
  net.run(10s);
  EXPECT_EQ(number_of(unframed(peer->received).back()), 499);
}

TEST_F(SlowPeerTest, Tcp_E_12_ACastThatCannotBeCarriedIsDroppedAndHurtsNobody) {
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  net.run();
  Ref<Connection>(rig.pid).cast(SendPacket(Payload(std::string(70'000, 'x'))));
  Ref<Connection>(rig.pid).cast(SendPacket(Payload("fits")));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"fits"});
  EXPECT_EQ(info().dropped, 1U);
}

/// Calls a connection from a process of its own, on whatever scheduler.
struct Asker {
  Rig* rig;
  Task<> handle_cast(Pid to) {
    const auto offered = co_await Ref<Connection>(to).call(OfferPacket(Payload("offered")));
    rig->seen.add(offered ? "offered" : "offer " + std::string(to_string(offered.error().kind)));
    const WritePacket packet(Payload("written"));
    const auto written = co_await Ref<Connection>(to).call(packet, 1h);
    rig->seen.add(written ? "written" : "write " + std::string(to_string(written.error().kind)));
  }
};

TEST_F(SlowPeerTest, Tcp_E_13_AnyProcessMayOfferAndWriteAndIsTold) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::drop_newest), &rig);
  auto peer = net.connect(at, false);
  net.run();
  for (const unsigned scheduler : {0U, 1U}) {
    auto asker = net.system->spawn_on<Asker>(scheduler, {}, &rig);
    ASSERT_TRUE(asker.has_value());
    asker->cast(rig.pid);
    net.run();
  }
  EXPECT_EQ(rig.seen.count("offered"), 2U);
  EXPECT_EQ(rig.seen.count("written"), 2U);
  cast(0, 500);
  auto asker = net.system->spawn<Asker>({}, &rig);
  asker->cast(rig.pid);
  net.run();
  EXPECT_EQ(rig.seen.count("offer overloaded"), 1U);
  EXPECT_EQ(rig.seen.count("write overloaded"), 1U);
  peer->read(true);
  net.run(10s);
  EXPECT_EQ(std::ranges::count(unframed(peer->received), "offered"), 2);
  EXPECT_EQ(std::ranges::count(unframed(peer->received), "written"), 2);
}

TEST_F(SlowPeerTest, AWriteThatTheConnectionsEndCutsOffIsAnswered) {
  const Address at = net.serve<Rigged>(policy(SlowPeer::wait), &rig);
  auto peer = net.connect(at, false);
  net.run();
  cast(0, 50);
  auto asker = net.system->spawn<Asker>({}, &rig);
  asker->cast(rig.pid);
  net.run();
  EXPECT_EQ(rig.seen.starting_with("write"), 0U);
  peer->close(CloseMode::reset);
  net.run(1s);
  EXPECT_EQ(rig.seen.starting_with("write "), 1U);
}

TEST_F(SlowPeerTest, AfterEndSendingOffersAreRefused) {
  rig.cast = [](const std::string&) {
    connection().end_sending();
    return keep();
  };
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("end"));
  net.run();
  auto asker = net.system->spawn<Asker>({}, &rig);
  asker->cast(rig.pid);
  Ref<Connection>(rig.pid).cast(SendPacket(Payload("dropped")));
  net.run();
  EXPECT_EQ(rig.seen.count("offer closed"), 1U);
  EXPECT_EQ(rig.seen.count("write closed"), 1U);
  EXPECT_EQ(net.status().connections, 1U);  // and nothing crashed
}

TEST_F(SlowPeerTest, Tcp_E_49_HibernateGivesMemoryBack) {
  // A packet of 60 kB is half there, then finished, then the handler hibernates.
  rig.packet = [](Packet) { return keep().hibernate(); };
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  for (int round = 0; round < 3; ++round) {
    peer->send(framed(std::string(60'000, 'x')).substr(0, 30'000));
    net.run();
    peer->send(framed(std::string(60'000, 'x')).substr(30'000) + framed("y"));
    net.run();
  }
  EXPECT_EQ(rig.seen.starting_with("packet"), 6U);
  rig.cast = [&](const std::string&) {
    connection().hibernate();
    rig.seen.add("held " + std::to_string(connection().held_memory()));
    return keep();
  };
  Ref<Rigged>(rig.pid).cast(std::string("hibernate"));
  net.run();
  EXPECT_EQ(rig.seen.all.back(), "held 0");
}

TEST_F(SlowPeerTest, Tcp_E_49_OfAnUnfinishedPacketNoMoreThanItsBytesIsHeld) {
  rig.packet = [](Packet packet) {
    if (packet == "hold") connection().activate(0);
    return keep();
  };
  std::vector<std::size_t> sizes;
  rig.cast = [&](const std::string& word) {
    if (word == "go on") connection().activate(ConnectionOptions::unlimited);
    if (word == "hibernate") connection().hibernate();
    if (word == "how much") sizes.push_back(connection().held_memory());
    return keep();
  };
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  // Whole packets and a piece of one are kept together, and then the piece alone.
  const std::string whole = framed(std::string(1000, 'x'));
  peer->send(framed("hold") + whole + whole + whole + whole.substr(0, 100));
  net.run();
  for (const char* word : {"go on", "how much", "hibernate", "how much"}) {
    Ref<Rigged>(rig.pid).cast(std::string(word));
    net.run();
  }
  EXPECT_EQ(rig.seen.starting_with("packet"), 4U);
  ASSERT_EQ(sizes.size(), 2U);
  EXPECT_GE(sizes[0], 3000U);
  EXPECT_LE(sizes[1], 300U);
  peer->send(whole.substr(100));
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 5U) << "and its bytes are still there";
}

}  // namespace
}  // namespace hawser
