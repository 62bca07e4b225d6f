// Connections in a simulated world: bursts and splits, answers, ends.
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::Events;
using testing::framed;
using testing::framed_all;
using testing::NetWorld;
using testing::Scripted;
using testing::unframed;

using Packets = std::vector<std::string>;

TEST(Connection, Tcp_E_58_AnIdleOneStaysSmall) {
  // What the process, its handler and its timers take; the engine's entry and the supervisor's are
  // on top (128 and about 80 bytes).
  EXPECT_LE(sizeof(HandlerConnection<Echo, detail::MakeHandler<Echo, std::tuple<>>>), 400U);
  RecordProperty("sizeof_connection", static_cast<int>(sizeof(Connection)));
}

TEST(Connection, Tcp_CB_01_ABurstInOneSegmentIsDeliveredWhole) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto peer = net.connect(at);
  Packets sent;
  for (int i = 0; i < 5000; ++i) sent.push_back(std::to_string(i));
  peer->send(framed_all(sent));
  ASSERT_TRUE(net.until([&] { return unframed(peer->received).size() == sent.size(); }));
  EXPECT_EQ(unframed(peer->received), sent);
}

TEST(Connection, Tcp_C_10_E_34_CB_01_OneBytePerSegmentGivesTheSameCallbacks) {
  Packets heard[2];
  for (const bool bytewise : {false, true}) {
    NetWorld net;
    sim::Faults faults;
    if (bytewise) faults.segment_bytes = 1;
    net.world().set_faults(faults);
    const Address at = net.serve<Scripted>({}, &net.events);
    auto peer = net.connect(at);
    peer->send(framed_all({"a", "", "echo 1", std::string(300, 'b'), "timeout echo 2", "c"}));
    net.run(3s);
    // "c" came behind it: the time-out of the packet before holds no more, in one segment as in
    // many.
    EXPECT_EQ(net.events.count("timeout"), 0U);
    EXPECT_EQ(unframed(peer->received), Packets{"1"});
    heard[bytewise] = net.events.all;
  }
  EXPECT_EQ(heard[0], heard[1]);
  EXPECT_EQ(heard[0].size(), 6U);
}

TEST(Connection, Tcp_CB_02_APacketThatIsNotFinishedInTimeEndsTheConnection) {
  NetWorld net;
  ServerOptions options;
  options.connection.packet_timeout = 10s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send(framed("whole") + std::string("\0", 1));
  net.run(9s);
  EXPECT_FALSE(peer->over());
  peer->send("\x05");  // another byte does not start the clock anew
  net.run(2s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.events.starting_with("terminate timeout: packet_timeout"), 1U);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::timeout), 1U);
  EXPECT_EQ(net.lines_with("packet_timeout"), 1U) << net.all_lines();
}

TEST(Connection, Tcp_C_08_APacketFinishedInTimeStopsTheClock) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  for (int i = 0; i < 5; ++i) {
    peer->send(framed("echo x").substr(0, 3));
    net.run(8s);
    peer->send(framed("echo x").substr(3));
    net.run(8s);
  }
  EXPECT_FALSE(peer->over());
  EXPECT_EQ(unframed(peer->received).size(), 5U);
}

TEST(Connection, Tcp_CB_03_NoTimerOfAnEndedConnectionFires) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  const auto before = net.left().timers;
  for (int i = 0; i < 10; ++i) {
    auto peer = net.connect(at);
    peer->send(framed("timeout echo x") + "\0");
    net.run(50ms);
    peer->close();
    net.run(50ms);
  }
  EXPECT_EQ(net.left().timers, before);
  net.run(60s);
  EXPECT_EQ(net.events.count("timeout"), 0U);
  EXPECT_EQ(net.events.starting_with("terminate closed"), 10U);
}

TEST(Connection, Tcp_C_16_CB_05_TerminateRunsOnceWhenStopAndCloseMeet) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    NetWorld net(seed);
    const Address at = net.serve<Scripted>({}, &net.events);
    auto stays = net.connect(at);
    auto peer = net.connect(at);
    net.run();
    peer->send(framed("stop") + framed("stop") + framed("echo x"));
    net.world().run_for(seed * 10us);  // a packet takes 100 µs one way
    peer->close(seed % 2 == 0 ? CloseMode::graceful : CloseMode::reset);
    net.run(10s);
    EXPECT_LE(net.events.starting_with("packet"),
              1U);  // what came behind the stop is not delivered
    EXPECT_EQ(net.events.starting_with("terminate"), 1U) << "seed " << seed;
    stays->send(framed("echo here"));
    net.run();
    EXPECT_EQ(unframed(stays->received), Packets{"here"});
  }
}

TEST(Connection, Tcp_C_23_CB_08_EB_20_AnExceptionInAnyCallbackEndsThatConnectionOnly) {
  const std::pair<std::string, Packets> scripts[] = {{"handle_packet", {"crash"}},
                                                     {"handle_info", {"later crash"}},
                                                     {"timeout", {"timeout crash"}},
                                                     {"handle_disconnect", {"on disconnect crash"}},
                                                     {"terminate", {"throw in terminate", "quit"}}};
  for (const auto& [callback, script] : scripts) {
    SCOPED_TRACE(callback);
    NetWorld net;
    const Address at = net.serve<Scripted>({}, &net.events);
    auto stays = net.connect(at);
    auto peer = net.connect(at);
    peer->send(framed("echo before") + framed_all(script));
    net.run(2s);
    if (script[0].starts_with("on disconnect")) peer->end();
    net.run(2s);
    EXPECT_TRUE(peer->over());
    EXPECT_EQ(unframed(peer->received), Packets{"before"});  // what was queued still leaves
    EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
    EXPECT_EQ(net.events.starting_with("terminate"), 1U);
    EXPECT_EQ(net.lines_with("crash: boom"), 1U) << net.all_lines();
    EXPECT_EQ(net.lines_with(", in " + callback), 1U) << net.all_lines();
    stays->send(framed("echo here"));
    net.run();
    EXPECT_EQ(unframed(stays->received), Packets{"here"});
    EXPECT_EQ(net.status().connections, 1U);
  }
}

TEST(Connection, Tcp_EB_14_AnExceptionInInitCostsThatConnectionOnly) {
  NetWorld net;
  ServerOptions options;
  options.name_connections = true;
  const Address at = net.serve<Scripted>(std::move(options), &net.events, std::string("crash"));
  const auto before = net.left();
  const auto names = net.system->registry().list().size();
  auto peer = net.connect(at);
  net.run(6s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.left(), before);
  EXPECT_EQ(net.system->registry().list().size(), names);
  EXPECT_EQ(net.status().not_started, 1U);
  EXPECT_EQ(net.status().connections, 0U);
  EXPECT_EQ(net.events.starting_with("terminate"), 0U);
  EXPECT_TRUE(net.status().accepting);
}

TEST(Connection, Tcp_C_18_InitMaySendAGreeting) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events, std::string("echo welcome"));
  auto peer = net.connect(at);
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"welcome"});
}

TEST(Connection, Tcp_C_18_InitMayTurnThePeerAwayWithAWord) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events, std::string("stop"));
  auto peer = net.connect(at);
  net.run(1s);
  EXPECT_EQ(unframed(peer->received), Packets{"ok"});
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(net.status().not_started, 1U);
  EXPECT_EQ(net.lines_with("could not start"), 0U);  // it was declined, nothing is wrong
}

TEST(Connection, Tcp_C_17_SendThenStopSendsEverythingFirst) {
  NetWorld net;
  sim::Faults faults;
  faults.bytes_per_second = 100'000;
  net.world().set_faults(faults);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("many 300") + framed("stop"));
  ASSERT_TRUE(net.until([&] { return peer->over(); }));
  EXPECT_TRUE(peer->ended);
  const auto packets = unframed(peer->received);
  ASSERT_EQ(packets.size(), 301U);
  EXPECT_EQ(packets.back(), "ok");
}

TEST(Connection, Tcp_C_17_TheFlushDeadlineBoundsIt) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  const auto before = net.left();
  auto peer = net.connect(at, false);  // never reads
  peer->send(framed("many 900") + framed("stop"));
  net.run(2s);
  EXPECT_EQ(net.events.starting_with("terminate normal"), 1U);
  EXPECT_EQ(net.status().connections, 1U);  // its last bytes count
  net.run(4s);
  EXPECT_EQ(net.status().connections, 0U);
  EXPECT_EQ(net.status().cut_off, 1U);
  EXPECT_EQ(net.left(), before);
}

TEST(Connection, Tcp_CB_12_AnOversizeAnswerCrashesAndNothingOfItLeaves) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("echo before") + framed("send and crash"));
  net.run(1s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(peer->received, framed("before"));  // not "a", which was in one answer with the big one
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  EXPECT_EQ(net.lines_with("packet of 70000 bytes is over the limit of 65535 (maximum)"), 1U);
}

TEST(Connection, SuspendedItDoesNotReadAndLosesNothing) {
  NetWorld net(1, 1);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  const auto suspend = [&](bool on) { net.suspend(pid, on); };
  suspend(true);
  peer->send(framed("echo 1") + framed("echo 2"));
  net.run(30s);
  EXPECT_TRUE(net.events.all.empty());
  suspend(false);
  net.run();
  EXPECT_EQ(unframed(peer->received), (Packets{"1", "2"}));
}

TEST(Connection, Tcp_C_11_C_18_E_35_R_32_SendsFromEveryCallbackArriveInOrder) {
  NetWorld net(1, 1);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  Ref<Scripted>(pid).cast(std::string("echo cast"));
  send_info(pid, std::string("echo info"));
  Ref<Connection>(pid).cast(SendPacket{Payload("outside")});
  net.run();
  peer->send(framed("echo packet") + framed("timeout echo timeout"));
  net.run(2s);
  EXPECT_EQ(unframed(peer->received), (Packets{"cast", "info", "outside", "packet", "timeout"}));
  const auto info = net.system->call(Ref<Connection>(pid), GetConnectionInfo{});
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->packets_out, 5U);
  EXPECT_EQ(info->packets_in, 2U);
  EXPECT_EQ(info->bytes_out, peer->received.size());
  EXPECT_EQ(info->peer.host(), net.world().host("client").address(0).host());
}

TEST(Connection, Tcp_E_37_ThePeersCloseIsDisconnectThenClosed) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("on disconnect echo bye"));
  peer->end();
  net.run(1s);
  EXPECT_EQ(net.events.all,
            (Packets{"packet on disconnect echo bye", "disconnect", "terminate closed"}));
  EXPECT_EQ(unframed(peer->received), Packets{"bye"});  // it had only closed its own side
  EXPECT_TRUE(peer->ended);
}

TEST(Connection, AHalfFinishedPacketAtTheEndIsTold) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(
      "\x01"
      "abc");
  peer->end();
  net.run(1s);
  EXPECT_EQ(net.events.all,
            (Packets{"disconnect", "terminate closed: 4 bytes of an unfinished packet"}));
}

TEST(Connection, Tcp_CB_10_EB_16_AResetIsDisconnectThenClosed) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  peer->close(CloseMode::reset);
  net.run(1s);
  ASSERT_EQ(net.events.all.size(), 2U);
  EXPECT_EQ(net.events.all[0], "disconnect");
  EXPECT_TRUE(net.events.all[1].starts_with("terminate closed")) << net.events.all[1];
}

/// Sends as much as it may, again and again, until so many rounds are through.
struct Refiller {
  Events* events;
  int rounds = 0;
  void handle_packet(Packet) { fill(); }
  void handle_drained() {
    events->add("drained");
    fill();
  }
  void fill() {
    if (++rounds > 5) return;
    while (connection().unsent() < connection().options().high_water)
      EXPECT_TRUE(connection().send_packet(std::string(10'000, 'r')).has_value());
  }
};

TEST(Connection, WhatHandleDrainedSendsIsDrainedAgain) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 300'000;
  options.connection.low_water = 50'000;
  const Address at = net.serve<Refiller>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  peer->send(framed("begin"));
  net.run(1s);
  peer->read(true);
  net.run(5s);
  EXPECT_EQ(net.events.count("drained"), 5U);
  EXPECT_GE(unframed(peer->received).size(), 5 * 25U);
  EXPECT_EQ(net.status().pauses, 5U);
  peer->send(framed("again"));  // it reads again
  net.run(1s);
  EXPECT_EQ(net.status().packets_in, 2U);
}

/// Goes on after the peer's end: answers "late" a second later and stops.
struct HalfOpen {
  Events* events;
  Next handle_packet(Packet packet) { return send(packet); }
  Next handle_end() {
    events->add("end");
    return send("soon").timeout(1s);
  }
  Next timeout() { return send("late").then_stop(); }
  void handle_disconnect() { events->add("disconnect"); }
  void terminate(const Reason& reason) { events->add("terminate " + reason.text()); }
};

TEST(Connection, HalfClosedByThePeerItGoesOnSendingWhenAllowed) {
  NetWorld net;
  ServerOptions options;
  options.connection.half_close = HalfClose::allow;
  const Address at = net.serve<HalfOpen>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  peer->end();
  net.run(3s);
  EXPECT_EQ(unframed(peer->received), (Packets{"x", "soon", "late"}));
  EXPECT_EQ(net.events.all, (Packets{"end", "terminate normal"}));
  EXPECT_TRUE(peer->ended);
}

TEST(Connection, Tcp_E_64_HalfClosedByUsItGoesOnReceiving) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("echo 1") + framed("end sending"));
  net.run(1s);
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(unframed(peer->received), Packets{"1"});
  peer->send(framed("still heard"));
  net.run();
  EXPECT_EQ(net.events.count("packet still heard"), 1U);
  peer->send(framed("echo 2"));  // and a send now is a mistake of the handler
  net.run(1s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  EXPECT_EQ(net.lines_with("after end_sending()"), 1U);
}

/// Takes copies, and waits in the middle.
struct Waiting {
  Task<> handle_packet(Bytes packet) {
    co_await sleep(10ms);
    EXPECT_TRUE(connection().send_packet(packet + "!").has_value());
  }
};

TEST(Connection, ACoroutineMayHandleCopiesOfPackets) {
  NetWorld net;
  const Address at = net.serve<Waiting>({});
  auto peer = net.connect(at);
  peer->send(framed_all({"a", "b", "c"}));
  net.run(1s);
  EXPECT_EQ(unframed(peer->received), (Packets{"a!", "b!", "c!"}));
}

/// Takes its time to end.
struct Finisher {
  Events* events;
  Next handle_packet(Packet packet) { return send(packet); }
  Next handle_shutdown(const Reason&) {
    events->add("shutdown");
    return send("finishing").timeout(1s);
  }
  Next timeout() { return send("finished").then_stop(Reason::shutdown()); }
};

TEST(Connection, Tcp_R_15_AHandlerMayFinishItsWorkWhenTheServerStops) {
  NetWorld net;
  const Address at = net.serve<Finisher>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  net.run(1s);
  EXPECT_EQ(unframed(peer->received), (Packets{"finishing", "finished"}));
  EXPECT_TRUE(peer->ended);
}

TEST(Connection, EveryFramingWorksSplitAtEveryByte) {
  struct Each {
    Framing framing;
    std::string wire;
  };
  const Each cases[] = {
      {length_prefixed(1), "\x05hello\x01!"},
      {length_prefixed(2, {.order = ByteOrder::little}), std::string("\x05\0hello\x01\0!", 10)},
      {length_prefixed(4), std::string("\0\0\0\x05hello\0\0\0\x01!", 14)},
      {varint_prefixed(), "\x05hello\x01!"},
      {decimal_prefixed(3), "005hello001!"},
      {line(), "hello\n!\n"},
      {delimiter("|-|"), "hello|-|!|-|"},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.framing.text());
    for (const std::size_t segment :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{65536}}) {
      NetWorld net;
      sim::Faults faults;
      faults.segment_bytes = segment;
      net.world().set_faults(faults);
      ServerOptions options;
      options.framing = each.framing;
      const Address at = net.serve<Echo>(std::move(options));
      auto peer = net.connect(at);
      for (int i = 0; i < 3; ++i) peer->send(each.wire);
      net.run(1s);
      EXPECT_EQ(peer->received, each.wire + each.wire + each.wire) << segment;
    }
  }
}

}  // namespace
}  // namespace hawser
