// Handlers that pull: coroutines that receive when they want to and wait for room and for writes.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/testing/rigged_handler.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Events;
using testing::framed;
using testing::framed_all;
using testing::NetWorld;
using testing::Peer;
using testing::Rig;
using testing::Rigged;
using testing::serve_passive;
using testing::unframed;

using Packets = std::vector<std::string>;

Task<> echo(Connection& connection) {
  while (auto packet = co_await connection.receive())
    if (!co_await connection.send(*packet)) break;
}

TEST(Passive, ReceivesWholePacketsHoweverTheyWereSplit) {
  for (const std::size_t piece : {0U, 1U, 3U}) {
    NetWorld net;
    sim::Faults faults;
    if (piece != 0) faults.segment_bytes = piece;
    net.world().set_faults(faults);
    const Address at = serve_passive(net, {}, echo);
    auto peer = net.connect(at);
    const Packets sent{"a", "", "bc", std::string(500, 'd'), "e"};
    peer->send(framed_all(sent));
    ASSERT_TRUE(net.until([&] { return unframed(peer->received).size() == sent.size(); }));
    EXPECT_EQ(unframed(peer->received), sent);
  }
}

TEST(Passive, ManyPacketsOfOneChunkNeedNoPauseBetween) {
  NetWorld net(1, 1);
  Instant first, last;
  int count = 0;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    while (auto packet = co_await connection.receive()) {
      if (count++ == 0) first = self().now();
      last = self().now();
    }
  });
  auto peer = net.connect(at);
  std::string bytes;
  for (int i = 0; i < 500; ++i) bytes += framed("x");
  peer->send(bytes);
  net.run(1s);
  EXPECT_EQ(count, 500);
  EXPECT_EQ(first, last);  // within one turn
}

TEST(Passive, ItTakesPacketsPerTurnIntoAccount) {
  NetWorld net(1, 1);
  ServerOptions options;
  options.connection.packets_per_turn = 10;
  int count = 0;
  const Address at = serve_passive(net, std::move(options), [&](Connection& connection) -> Task<> {
    while (auto packet = co_await connection.receive()) ++count;
  });
  auto peer = net.connect(at);
  peer->send(framed_all(Packets(100, "a")));
  net.until([&] { return count >= 10; });
  EXPECT_LE(count, 20);  // its next turn may come within the same poll, but no more
  net.run();
  EXPECT_EQ(count, 100);
}

TEST(Passive, WithoutAReceiveNothingIsReadAndTheKernelsWindowFills) {
  NetWorld net(1, 1);
  Packets heard;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    co_await sleep(10s);
    while (auto packet = co_await connection.receive()) heard.push_back(std::move(*packet));
  });
  auto peer = net.connect(at);
  const Packets sent(300, std::string(60'000, 'x'));
  peer->send(framed_all(sent));
  net.run(5s);
  EXPECT_LT(net.status().bytes_in, 1'000'000U);
  net.run(20s);
  EXPECT_EQ(heard, sent);
}

TEST(Passive, Tcp_E_38_EB_01_AfterATimeOutThePacketStillComes) {
  NetWorld net;
  Events events;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    for (;;) {
      auto packet = co_await connection.receive(1s);
      events.add(packet ? *packet : std::string(to_string(packet.error().kind)));
      if (!packet && packet.error().kind != ErrorKind::timeout) break;
      if (!packet) co_await sleep(5s);
    }
  });
  auto peer = net.connect(at);
  net.run(2s);
  EXPECT_EQ(events.all, Packets{"timeout"});
  peer->send(framed("whole"));  // nobody waits for it just now
  net.run(1s);
  EXPECT_EQ(events.count("whole"), 0U);
  net.run(4s);
  EXPECT_EQ(events.count("whole"), 1U) << "the next receive has it";
  peer->send(
      framed("while it slept").substr(0, 5));  // half of it: the next time-out cuts it in two
  net.run(5s);
  peer->send(framed("while it slept").substr(5));
  net.run(30s);
  EXPECT_EQ(events.count("while it slept"), 1U);
  EXPECT_GE(events.count("timeout"), 2U);
  EXPECT_FALSE(peer->over());
}

TEST(Passive, TheEndComesToWhoeverWaits) {
  NetWorld net;
  Events events;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    while (auto packet = co_await connection.receive()) events.add(*packet);
    auto again = co_await connection.receive(1s);
    events.add("never");
  });
  auto peer = net.connect(at);
  net.run();
  peer->send(framed("a") + framed("b"));
  peer->end();
  net.run(5s);
  EXPECT_EQ(events.all, (Packets{"a", "b"}));
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.status().ended_by(Reason::Kind::closed), 1U);
  EXPECT_EQ(net.status().connections, 0U);
}

TEST(Passive, AnEndWhileNobodyWaitsComesBehindThePackets) {
  NetWorld net;
  Events events;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    co_await sleep(5s);
    for (;;) {
      auto packet = co_await connection.receive();
      events.add(packet ? *packet : packet.error().detail);
      if (!packet) break;
    }
  });
  auto peer = net.connect(at);
  peer->send(framed("a") + framed("b") + std::string("\0", 1));
  peer->end();
  net.run(10s);
  EXPECT_EQ(events.all.size(), 3U);
  EXPECT_EQ(events.count("b"), 1U);
  EXPECT_NE(events.all.back().find("1 bytes of an unfinished packet"), std::string::npos);
}

TEST(Passive, WithHalfCloseItMayAnswerBehindThePeersEnd) {
  NetWorld net;
  ServerOptions options;
  options.connection.half_close = HalfClose::allow;
  bool ended_twice = false;
  const Address at = serve_passive(net, std::move(options), [&](Connection& connection) -> Task<> {
    std::string sum;
    while (auto packet = co_await connection.receive()) sum += *packet;
    co_await sleep(3s);
    const auto again = co_await connection.receive();
    ended_twice = !again && again.error().kind == ErrorKind::closed;
    co_await connection.send(sum);
  });
  auto peer = net.connect(at);
  peer->send(framed("a") + framed("b"));
  peer->end();
  net.run(10s);
  EXPECT_TRUE(ended_twice);
  EXPECT_EQ(unframed(peer->received), Packets{"ab"});
  EXPECT_EQ(net.status().ended_by(Reason::Kind::normal), 1U);
}

TEST(Passive, AnActiveHandlersTaskHearsOfTheHalfCloseToo) {
  Rig rig;
  NetWorld net;
  rig.init = [&] {
    self().start([](Rig* seen) -> Task<> {
      auto packet = co_await connection().receive();
      seen->seen.add(packet ? "got" : "closed");
    }(&rig));
    return keep();
  };
  ServerOptions options;
  options.connection.half_close = HalfClose::allow;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  net.run();
  peer->end();
  net.run();
  EXPECT_EQ(rig.seen.all, (Packets{"init", "closed", "end"}));
}

TEST(Passive, Tcp_CB_08_WhatTheCoroutineThrowsCrashesItsConnectionOnly) {
  NetWorld net;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    while (auto packet = co_await connection.receive()) {
      if (*packet == "crash") throw std::runtime_error("boom");
      co_await connection.send(*packet);
    }
  });
  auto stays = net.connect(at);
  auto peer = net.connect(at);
  peer->send(framed("before") + framed("crash") + framed("after"));
  net.run(1s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(unframed(peer->received), Packets{"before"});
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  EXPECT_EQ(net.lines_with("crash: boom"), 1U) << net.all_lines();
  stays->send(framed("here"));
  net.run();
  EXPECT_EQ(unframed(stays->received), Packets{"here"});
}

TEST(Passive, ItsEndIsTheConnectionsOnceItsBytesHaveLeft) {
  NetWorld net;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    for (int i = 0; i < 40; ++i) co_await connection.send(std::string(10'000, 'z'));
  });
  auto peer = net.connect(at, false);
  net.run(1s);
  peer->read(true);
  net.run(3s);
  EXPECT_EQ(unframed(peer->received).size(), 40U);
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::normal), 1U);
  EXPECT_EQ(net.status().cut_off, 0U);
}

TEST(Passive, Tcp_CB_11_SendWaitsAtTheHighWaterMarkAndGoesOn) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.write_deadline = 0s;
  int sent = 0;
  std::size_t most = 0;
  const Address at = serve_passive(net, std::move(options), [&](Connection& connection) -> Task<> {
    for (; sent < 1000; ++sent) {
      if (!co_await connection.send(std::string(10'000, 'z'))) break;
      most = std::max(most, connection.unsent());
    }
  });
  auto peer = net.connect(at, false);
  net.run(10s);
  const int stuck = sent;
  EXPECT_LT(stuck, 999);
  net.run(10s);
  EXPECT_EQ(sent, stuck);
  peer->read(true);
  ASSERT_TRUE(net.until([&] { return peer->received.size() == 1000 * 10'002; }, 600s));
  EXPECT_LE(most, 111'000U);
}

TEST(Passive, Tcp_E_11_E_62_WriteIsOverOnlyWhenTheKernelHasTakenAll) {
  NetWorld net;
  ServerOptions options;
  options.connection.write_deadline = 0s;
  int written = 0;
  std::size_t unsent_then = 1;
  const Address at = serve_passive(net, std::move(options), [&](Connection& connection) -> Task<> {
    while (written < 200) {
      if (!co_await connection.write(std::string(60'000, 'z'))) break;
      ++written;
      unsent_then = connection.unsent();
    }
    co_await connection.receive();
  });
  auto peer = net.connect(at, false);
  net.run(10s);
  const int stuck = written;
  EXPECT_GT(stuck, 0);
  EXPECT_LT(stuck, 200);
  EXPECT_EQ(unsent_then, 0U);
  peer->read(true);
  ASSERT_TRUE(net.until([&] { return written == 200; }, 600s));
  EXPECT_EQ(unsent_then, 0U);
}

TEST(Passive, AfterTheEndOfSendingAnErrorIsTold) {
  NetWorld net;
  Events events;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    connection.end_sending();
    const auto sent = co_await connection.send("x");
    const auto written = co_await connection.write("x");
    if (!sent) events.add(std::string(to_string(sent.error().kind)));
    if (!written) events.add(std::string(to_string(written.error().kind)));
    co_await connection.receive();
  });
  auto peer = net.connect(at);
  net.run(1s);
  EXPECT_EQ(events.all, (Packets{"closed", "closed"}));
}

TEST(Passive, AResetEndsItWhateverItWaitsFor) {
  for (const std::string waits_for : {"receive", "send", "write"}) {
    SCOPED_TRACE(waits_for);
    NetWorld net;
    ServerOptions options;
    options.connection.high_water = 1000;
    options.connection.low_water = 100;
    const auto before = net.left();
    const Address at =
        serve_passive(net, std::move(options), [&](Connection& connection) -> Task<> {
          if (waits_for == "receive") co_await connection.receive(1h);
          while (waits_for == "send" && co_await connection.send(std::string(60'000, 'x')));
          while (waits_for == "write" && co_await connection.write(std::string(60'000, 'x')));
          co_await sleep(1h);
        });
    auto peer = net.connect(at, false);
    net.run(1s);
    peer->close(CloseMode::reset);
    net.run(5s);
    EXPECT_EQ(net.status().connections, 0U);
    EXPECT_EQ(net.status().ended_by(Reason::Kind::closed), 1U);
    EXPECT_TRUE(net.system->stop_child("it").has_value());
    EXPECT_EQ(net.left(), before);
  }
}

TEST(Passive, OnlyOneTaskReceivesButManyMaySend) {
  NetWorld net;
  Events events;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    self().start([](Connection& its) -> Task<> {
      for (int i = 0; i < 3; ++i) {
        co_await sleep(1s);
        co_await its.send("tick");
      }
    }(connection));
    self().start([](Connection& its, Events* seen) -> Task<> {
      co_await sleep(1ms);
      try {
        co_await its.receive();
      } catch (const std::logic_error&) {
        seen->add("one at a time");
      }
    }(connection, &events));
    while (auto packet = co_await connection.receive()) co_await connection.send(*packet);
  });
  auto peer = net.connect(at);
  net.run(1500ms);
  peer->send(framed("a"));
  net.run(5s);
  EXPECT_EQ(unframed(peer->received), (Packets{"tick", "a", "tick", "tick"}));
  EXPECT_EQ(events.all, Packets{"one at a time"});
}

TEST(Passive, Tcp_E_55_SuspendedItNeitherReceivesNorTimesOut) {
  NetWorld net(1, 1);
  Events events;
  Pid pid;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    pid = self().pid();
    for (;;) {
      auto packet = co_await connection.receive(2s);
      events.add(packet ? *packet : "timeout");
      co_await sleep(10s);
    }
  });
  auto peer = net.connect(at);
  net.run();
  const auto suspend = [&](bool on) { net.suspend(pid, on); };
  suspend(true);
  peer->send(framed("a"));
  net.run(9s);
  EXPECT_TRUE(events.all.empty());
  suspend(false);
  net.run(1s);
  EXPECT_EQ(events.all.size(), 1U);
}

TEST(Passive, TenThousandPacketsComeThroughAnEchoHoweverTheNetworkSplitsThem) {
  const auto report = sim::for_each_seed(8, [](sim::World& world) {
    NetWorld net(world, 1 + static_cast<unsigned>(world.seed() % 2));
    Random& random = world.random();
    sim::Faults faults;
    faults.segment_bytes = 1 + random.below(3000);
    faults.jitter = 100us;
    world.set_faults(faults);
    ServerOptions options;
    options.connection.high_water = 20'000;
    options.connection.low_water = 1 + random.below(19'000);
    options.connection.packets_per_turn = static_cast<std::uint32_t>(1 + random.below(50));
    const Address at = serve_passive(net, std::move(options), echo);
    auto peer = net.connect(at);
    Packets sent;
    for (int i = 0; i < 10'000; ++i)
      sent.push_back(std::to_string(i) + std::string(random.below(30), '.'));
    for (std::size_t i = 0; i < sent.size();) {
      std::string burst;
      for (std::uint64_t n = 1 + random.below(500); n > 0 && i < sent.size(); --n)
        burst += framed(sent[i++]);
      peer->send(burst);
      net.run(Duration(static_cast<std::int64_t>(random.below(3'000'000))));
      if (random.below(10) == 0) {
        peer->read(false);
        net.run(5ms);
        peer->read(true);
      }
    }
    net.until([&] { return peer->received.size() >= framed_all(sent).size(); }, 600s);
    EXPECT_TRUE(unframed(peer->received) == sent);
  });
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

}  // namespace
}  // namespace hawser
