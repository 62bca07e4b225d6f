// A transport put on a connection in flight: not one byte on the wrong side of the change.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/net/testing/toy_transports.hpp>

#include <gtest/gtest.h>

#include <memory>
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
using testing::serve_passive;
using testing::toy_cipher;
using testing::toy_header;
using testing::toy_key;
using testing::ToyCipher;
using testing::unframed;

using Packets = std::vector<std::string>;

void push(ToyCipher::Options options = {}) {
  connection().push_transport(std::make_unique<ToyCipher>(std::move(options)));
}

/// Answers "tls" with "go ahead" and pushes; everything else with itself.
std::function<Next(Packet)> upgrading() {
  return [](Packet packet) -> Next {
    if (packet != "tls") return send(packet);
    push();
    return send("go ahead");
  };
}

TEST(StartTls, Tcp_E_50_R_11_TheReplyIsStillPlainAndPipelinedBytesBelongToTheTransport) {
  const std::string input =
      framed("a") + framed("tls") + "H" + masked(framed("b") + framed("c"), toy_key);
  const std::string output =
      framed("a") + framed("go ahead") + "H" + masked(framed("b") + framed("c"), toy_key);
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    Rig rig;
    rig.packet = upgrading();
    NetWorld net;
    const Address at = net.serve<Rigged>({}, &rig);
    auto peer = net.connect(at);
    peer->send(input.substr(0, cut));
    net.run(10ms);
    peer->send(input.substr(cut));
    net.run(1s);
    EXPECT_EQ(peer->received, output) << "cut at " << cut;
    EXPECT_EQ(rig.seen.all,
              (Packets{"init", "packet a", "packet tls", "upgrade", "packet b", "packet c"}))
        << "cut at " << cut;
  }
}

TEST(StartTls, Tcp_EB_17_NothingIsLostEitherWayOverThreeHundredSeeds) {
  sim::SeedOptions seeds;
  seeds.has_failed = [] { return ::testing::Test::HasFailure(); };
  const auto report = sim::for_each_seed(
      300,
      [](sim::World& world) {
        Random& random = world.random();
        Rig rig;
        rig.packet = upgrading();
        NetWorld net(world, 1);
        sim::Faults faults;
        faults.segment_bytes = 1 + random.below(60);
        faults.jitter = 50us;
        world.set_faults(faults);
        ServerOptions options;
        if (random.below(2) == 0) options.transports.push_back(toy_cipher({.key = 7}));
        const bool below = !options.transports.empty();
        const std::size_t piece = random.below(9);
        rig.packet = [piece](Packet packet) -> Next {
          if (packet != "tls") return send(packet);
          push({.piece = piece});
          return send("go ahead");
        };
        options.connection.packets_per_turn = static_cast<std::uint32_t>(1 + random.below(4));
        options.connection.high_water = 1 + random.below(500);
        options.connection.low_water = random.below(options.connection.high_water);
        const Address at = net.serve<Rigged>(std::move(options), &rig);
        std::string before, after;
        for (std::uint64_t i = random.below(20); i > 0; --i)
          before += framed(std::string(random.below(40), 'b'));
        for (std::uint64_t i = random.below(20); i > 0; --i)
          after += framed(std::string(random.below(40), 'a'));
        const auto wire = [&](const std::string& reply) {
          const std::string all = before + framed(reply) + "H" + masked(after, toy_key);
          return below ? "H" + masked(all, 7) : all;
        };
        auto peer = net.connect(at);
        const std::string input = wire("tls");
        for (std::size_t sent = 0; sent < input.size();) {
          const std::size_t size = std::min(input.size() - sent, 1 + random.below(200));
          peer->send(BytesView(input).substr(sent, size));
          sent += size;
          if (random.below(3) == 0) net.run(1ms);
        }
        net.until([&] { return peer->received.size() >= wire("go ahead").size(); }, 60s);
        EXPECT_EQ(peer->received, wire("go ahead"));
        EXPECT_EQ(rig.seen.count("upgrade"), 1U);
      },
      seeds);
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

TEST(StartTls, PacketsSentDuringTheHandshakeWaitInOrder) {
  Rig rig;
  rig.packet = upgrading();
  rig.cast = [](std::string word) { return send(std::move(word)); };
  rig.upgrade = [] { static_cast<void>(connection().send_packet("upgraded")); };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("tls"));
  net.run();
  const Ref<Rigged> ref(rig.pid);
  ref.cast(std::string("1"));
  Ref<Connection>(rig.pid).cast(SendPacket(Payload("2")));
  net.run();
  auto info = server_connections(*net.system, "it")->front();
  EXPECT_TRUE(info.handshaking);
  EXPECT_EQ(info.waiting, 2U);
  EXPECT_EQ(peer->received, framed("go ahead") + "H");
  peer->send("H");
  net.run();
  ref.cast(std::string("3"));
  net.run();
  EXPECT_EQ(peer->received,
            framed("go ahead") + "H" + masked(framed_all({"1", "2", "upgraded", "3"}), toy_key));
}

TEST(StartTls, EndSendingDuringTheHandshakeComesBehindWhatWaits) {
  Rig rig;
  rig.packet = upgrading();
  rig.cast = [](const std::string&) {
    static_cast<void>(connection().send_packet("last"));
    connection().end_sending();
    return keep();
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("tls"));
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run();
  EXPECT_FALSE(peer->ended);
  peer->send("H");
  net.run();
  EXPECT_EQ(peer->received, framed("go ahead") + "H" + masked(framed("last"), toy_key));
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(net.status().connections, 1U);
}

TEST(StartTls, Tcp_EB_03_WhatWaitsDuringTheHandshakeIsBounded) {
  Rig rig;
  rig.packet = upgrading();
  rig.cast = [&](std::string word) {
    const auto sent = connection().send_packet(word);
    rig.seen.add(sent ? "taken" : std::string(to_string(sent.error().kind)));
    return keep();
  };
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 1000;
  options.connection.low_water = 100;
  options.connection.send_limit = 1000;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send(framed("tls"));
  net.run();
  for (int i = 0; i < 5; ++i) Ref<Rigged>(rig.pid).cast(std::string(300, 'x'));
  net.run();
  EXPECT_EQ(rig.seen.count("taken"), 3U);
  EXPECT_EQ(rig.seen.count("overloaded"), 2U);
}

TEST(StartTls, FromACastItHoldsAtOnce) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  rig.cast = [](const std::string&) {
    push();
    return send("waits");
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("a"));
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("push"));
  net.run();
  EXPECT_EQ(peer->received, framed("a") + "H");
  peer->send("H" + masked(framed("b"), toy_key));
  net.run();
  EXPECT_EQ(peer->received, framed("a") + "H" + masked(framed("waits") + framed("b"), toy_key));
}

TEST(StartTls, FromACastItTakesBytesThatWereNotCutYet) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  rig.cast = [](const std::string& word) {
    word == "push" ? push() : connection().activate();
    return keep();
  };
  NetWorld net;
  ServerOptions options;
  options.connection.active_packets = 1;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send(framed("a") + "H" + masked(framed("b"), toy_key));
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("push"));
  net.run();
  EXPECT_EQ(peer->received, framed("a") + "H");
  EXPECT_EQ(rig.seen.count("upgrade"), 1U);  // a handshake needs no credit
  EXPECT_EQ(rig.seen.count("packet b"), 0U);
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run();
  EXPECT_EQ(peer->received, framed("a") + "H" + masked(framed("b"), toy_key));
}

TEST(StartTls, FromAPassiveCoroutine) {
  for (const bool pipelined : {false, true}) {
    NetWorld net;
    const Address at = serve_passive(net, {}, [](Connection& connection) -> Task<> {
      while (auto packet = co_await connection.receive()) {
        if (*packet == "tls") {
          co_await connection.send("go ahead");
          push();
          // Needs the handshake, for which nobody receives.
          co_await connection.write("secret");
          continue;
        }
        co_await connection.send(*packet);
      }
    });
    auto peer = net.connect(at);
    peer->send(framed("a") + framed("tls") + (pipelined ? "H" + masked(framed("b"), toy_key) : ""));
    net.run(1s);
    if (!pipelined) peer->send("H" + masked(framed("b"), toy_key));
    net.run(1s);
    EXPECT_EQ(peer->received,
              framed_all({"a", "go ahead"}) + "H" + masked(framed_all({"secret", "b"}), toy_key));
  }
}

TEST(StartTls, FromAPassiveCoroutineOverATransportThatKeepsTheHandshake) {
  NetWorld net;
  ServerOptions options;
  options.transports = {toy_cipher({.key = 7, .piece = 1})};
  const Address at = serve_passive(net, std::move(options), [](Connection& connection) -> Task<> {
    co_await connection.receive();
    co_await sleep(1s);  // all that follows lies in the transport meanwhile
    push();
    co_await connection.write("secret");
    if (auto packet = co_await connection.receive()) co_await connection.write(*packet);
    co_await sleep(1h);
  });
  auto peer = net.connect(at);
  peer->send("H" + masked(framed("tls") + "H" + masked(framed("b"), toy_key), 7));
  net.run(5s);
  EXPECT_EQ(peer->received, "H" + masked("H" + masked(framed_all({"secret", "b"}), toy_key), 7));
}

TEST(StartTls, PushingTwiceInOneCallbackIsAnError) {
  Rig rig;
  rig.packet = [](Packet) {
    push();
    push();
    return keep();
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run(1s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  EXPECT_EQ(net.lines_with("push_transport while another transport"), 1U) << net.all_lines();
}

TEST(StartTls, OneMoreFromHandleUpgradeKeepsPacketsWaiting) {
  Rig rig;
  rig.packet = upgrading();
  int upgrades = 0;
  rig.upgrade = [&] {
    static_cast<void>(connection().send_packet("u" + std::to_string(++upgrades)));
    if (upgrades == 1) push({.key = 3});
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("tls") + "H");
  net.run();
  EXPECT_EQ(peer->received, framed("go ahead") + "H" + masked("H", toy_key));
  EXPECT_EQ(server_connections(*net.system, "it")->front().waiting, 1U);
  peer->send(masked("H", toy_key));
  net.run();
  EXPECT_EQ(peer->received, framed("go ahead") + "H" + masked("H", toy_key) +
                                masked(masked(framed_all({"u1", "u2"}), 3), toy_key));
}

TEST(StartTls, ItsHandshakeHasATimeOutAndAFailureIsTheConnectionsEnd) {
  for (const std::string answer : {"", "x"}) {
    Rig rig;
    rig.packet = upgrading();
    NetWorld net;
    ServerOptions options;
    options.connection.handshake_timeout = 4s;
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    auto peer = net.connect(at);
    peer->send(framed("tls") + answer);
    net.run(5s);
    EXPECT_EQ(net.status().ended_by(answer.empty() ? Reason::Kind::timeout
                                                   : Reason::Kind::protocol_error),
              1U);
    EXPECT_EQ(net.status().not_started, 0U);
    EXPECT_EQ(rig.seen.count("disconnect"), answer.empty() ? 0U : 1U);
    EXPECT_EQ(rig.seen.starting_with("terminate"), 1U);
  }
}

TEST(StartTls, OffAndOnAroundThePushGoesOnReading) {
  Rig rig;
  rig.packet = [](Packet packet) -> Next {
    if (packet != "tls") return send(packet);
    connection().activate(0);
    push();
    connection().activate();
    return send("go ahead");
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("tls"));
  net.run();
  peer->send("H" + masked(framed("b"), toy_key));
  net.run();
  EXPECT_EQ(peer->received, framed("go ahead") + "H" + masked(framed("b"), toy_key));
}

TEST(StartTls, OneThatHasDoneItsWorkAtOnceLeavesAPlainConnection) {
  Rig rig;
  rig.packet = [](Packet packet) -> Next {
    if (packet == "proxy") connection().push_transport(toy_header()());
    return send(packet);
  };
  NetWorld net;
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  peer->send(framed("proxy") + "192.0.2.7:99\n" + framed("a"));
  net.run();
  peer->send(framed("b"));
  net.run();
  EXPECT_EQ(unframed(peer->received), (Packets{"proxy", "a", "b"}));
}

TEST(SetFraming, Tcp_R_11_InMidStreamItHoldsBehindThePacket) {
  const std::string input = "a\nlength\n" + framed("b\n") + framed("c");
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    Rig rig;
    rig.packet = [](Packet packet) -> Next {
      if (packet == "length") connection().set_framing(length_prefixed(2));
      return send(packet);
    };
    NetWorld net;
    ServerOptions options;
    options.framing = line();
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    auto peer = net.connect(at);
    peer->send(input.substr(0, cut));
    net.run(10ms);
    peer->send(input.substr(cut));
    net.run();
    EXPECT_EQ(peer->received, "a\n" + framed_all({"length", "b\n", "c"})) << "cut at " << cut;
  }
}

TEST(SetFraming, FromACastWhatWasUnfinishedMayBeWhole) {
  Rig rig;
  rig.cast = [](const std::string&) {
    connection().set_framing(fixed_size(2));
    return keep();
  };
  NetWorld net;
  ServerOptions options;
  options.framing = line();
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send("abcde");
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run();
  EXPECT_EQ(rig.seen.all, (Packets{"init", "packet ab", "packet cd"}));
  peer->send("f");
  net.run();
  EXPECT_EQ(rig.seen.all.back(), "packet ef");
}

}  // namespace
}  // namespace hawser
