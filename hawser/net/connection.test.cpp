// Connections in a simulated world: bursts and splits, deadlines, marks, ends.
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

std::string all_of(const Packets& packets) {
  std::string bytes;
  for (const auto& packet : packets) bytes += framed(packet);
  return bytes;
}

/// Echoes everything.
struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

TEST(Connection, AnIdleOneStaysSmall) {
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
  peer->send(all_of(sent));
  ASSERT_TRUE(net.until([&] { return unframed(peer->received).size() == sent.size(); }));
  EXPECT_EQ(unframed(peer->received), sent);
}

TEST(Connection, Tcp_CB_01_OneBytePerSegmentGivesTheSameCallbacks) {
  Packets heard[2];
  for (const bool bytewise : {false, true}) {
    NetWorld net;
    sim::Faults faults;
    if (bytewise) faults.segment_bytes = 1;
    net.world().set_faults(faults);
    const Address at = net.serve<Scripted>({}, &net.events);
    auto peer = net.connect(at);
    peer->send(all_of({"a", "", "echo 1", std::string(300, 'b'), "timeout echo 2", "c"}));
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

TEST(Connection, Tcp_CB_05_TerminateRunsOnceWhenStopAndCloseMeet) {
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

TEST(Connection, Tcp_CB_08_AnExceptionInAnyCallbackEndsThatConnectionOnly) {
  const Packets scripts[] = {{"crash"},
                             {"later crash"},
                             {"timeout crash"},
                             {"on disconnect crash"},
                             {"throw in terminate", "quit"}};
  for (const auto& script : scripts) {
    SCOPED_TRACE(script[0]);
    NetWorld net;
    const Address at = net.serve<Scripted>({}, &net.events);
    auto stays = net.connect(at);
    auto peer = net.connect(at);
    peer->send(framed("echo before") + all_of(script));
    net.run(2s);
    if (script[0].starts_with("on disconnect")) peer->end();
    net.run(2s);
    EXPECT_TRUE(peer->over());
    EXPECT_EQ(unframed(peer->received), Packets{"before"});  // what was queued still leaves
    EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
    EXPECT_EQ(net.events.starting_with("terminate"), 1U);
    EXPECT_EQ(net.lines_with("crash: boom"), 1U) << net.all_lines();
    stays->send(framed("echo here"));
    net.run();
    EXPECT_EQ(unframed(stays->received), Packets{"here"});
    EXPECT_EQ(net.status().connections, 1U);
  }
}

TEST(Connection, AnExceptionInInitCostsThatConnectionOnly) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events, std::string("crash"));
  auto peer = net.connect(at);
  net.run(1s);
  EXPECT_TRUE(peer->over());
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

TEST(Connection, APacketOverTheLimitIsAProtocolError) {
  NetWorld net;
  ServerOptions options;
  options.framing = length_prefixed(4, {.maximum = 1000});
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send(std::string("\0\0\x03\xe9", 4));
  net.run(1s);
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(
      net.events.all,
      Packets{
          "terminate protocol_error: packet of 1001 bytes is over the limit of 1000 (maximum)"});
  EXPECT_EQ(net.lines_with("over the limit of 1000"), 1U);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::protocol_error), 1U);
}

TEST(Connection, ABrokenLengthBehindGoodPacketsEndsItAfterThem) {
  NetWorld net;
  ServerOptions options;
  options.framing = decimal_prefixed(6);
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send("000006echo x00zz");
  net.run(1s);
  EXPECT_EQ(peer->received, "000001x");
  EXPECT_TRUE(peer->ended);
}

TEST(Connection, OneByteAMinuteIsCutOff) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  for (int i = 0; i < 3 && !peer->over(); ++i) {
    peer->send("\x01");
    net.run(60s);
  }
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.status().ended_by(Reason::Kind::timeout), 1U);
}

TEST(Connection, Tcp_R_13_ConnectingAndSayingNothingHitsTheIdleTimeout) {
  NetWorld net;
  ServerOptions options;
  options.connection.idle_timeout = 30s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto silent = net.connect(at);
  auto talks = net.connect(at);
  for (int i = 0; i < 7; ++i) {
    net.run(10s);
    talks->send(framed("echo x"));
    // A message of this program is no traffic.
    const auto connections = server_connections(*net.system, "it");
    ASSERT_TRUE(connections.has_value());
    for (const auto& each : *connections) send_info(each.pid, std::string("nothing"));
    if (i <= 1) {
      EXPECT_FALSE(silent->over());
    } else if (i >= 3) {
      EXPECT_TRUE(silent->over());
    }
  }
  EXPECT_FALSE(talks->over());
  EXPECT_EQ(net.events.starting_with("terminate timeout: idle_timeout"), 1U);
  net.run(31s);
  EXPECT_TRUE(talks->over());
}

TEST(Connection, Tcp_CB_11_APeerThatNeverReadsIsResetAtTheWriteDeadline) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto deaf = net.connect(at, false);
  auto other = net.connect(at);
  deaf->send(framed("many 900"));
  net.run(25s);
  EXPECT_EQ(net.status().connections, 2U);
  other->send(framed("echo x"));
  net.run(15s);
  EXPECT_EQ(net.status().connections, 1U);
  EXPECT_EQ(unframed(other->received), Packets{"x"});
  EXPECT_EQ(net.events.starting_with("terminate timeout: write_deadline"), 1U);
}

TEST(Connection, ASlowReaderThatGoesOnReadingIsNotCutOff) {
  NetWorld net;
  sim::Faults faults;
  faults.bytes_per_second = 10'000;
  net.world().set_faults(faults);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto slow = net.connect(at);
  slow->send(framed("many 900"));  // 90 s at this speed
  net.run(95s);
  EXPECT_EQ(unframed(slow->received).size(), 900U);
  EXPECT_FALSE(slow->over());
}

TEST(Connection, Tcp_C_20_AtHighWaterReadingStopsAndGoesOnWhenDrained) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.write_deadline = 0s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  Packets commands(200, "many 20");
  peer->send(all_of(commands) + framed("echo last"));
  net.run(20s);
  const auto handled = net.events.starting_with("packet many");
  EXPECT_LT(handled, 100U);  // the kernel's buffers and 100 kB, not all 4 MB
  EXPECT_EQ(net.events.count("packet echo last"), 0U);
  const auto listed = server_connections(*net.system, "it");
  ASSERT_TRUE(listed.has_value());
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_FALSE(listed->front().reading);
  EXPECT_LT(listed->front().unsent, 140'000U);
  EXPECT_GE(net.status().pauses, 1U);
  peer->read(true);
  ASSERT_TRUE(net.until([&] { return net.events.count("packet echo last") == 1; }));
  net.run(1s);
  const auto packets = unframed(peer->received);
  ASSERT_EQ(packets.size(), 4001U);
  EXPECT_EQ(packets.back(), "last");
}

TEST(Connection, WhileItDoesNotReadThePacketClockStandsStill) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.write_deadline = 0s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  peer->send(framed("echo late").substr(0, 4));
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  Ref<Scripted>(pid).cast(std::string("many 900"));
  net.run(30s);
  EXPECT_FALSE(server_connections(*net.system, "it")->front().reading);
  peer->read(true);
  net.run(5s);
  peer->send(framed("echo late").substr(4));
  net.run(1s);
  EXPECT_EQ(unframed(peer->received).back(), "late");
  EXPECT_EQ(net.status().connections, 1U);
}

TEST(Connection, AHandlerThatSendsPastTheLimitEndsOverloaded) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.send_limit = 1'000'000;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  net.run();
  const auto listed = server_connections(*net.system, "it");
  ASSERT_EQ(listed->size(), 1U);
  // Its own doing, not the peer's: casts arrive though it does not read.
  for (int i = 0; i < 100; ++i) Ref<Scripted>(listed->front().pid).cast(std::string("many 20"));
  net.run(1s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(net.events.starting_with("terminate overloaded"), 1U);
  EXPECT_EQ(net.lines_with("(send_limit)"), 1U);
}

TEST(Connection, PacketsPerTurnLetOthersThrough) {
  NetWorld net(1, 1);
  ServerOptions options;
  options.connection.packets_per_turn = 10;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  net.run();
  const auto listed = server_connections(*net.system, "it");
  Packets commands(100, "a");
  peer->send(all_of(commands));
  // The cast is queued while the first turn's packets are being handled, so it comes before the
  // rest.
  net.until([&] { return net.events.count("packet a") >= 10; });
  Ref<Scripted>(listed->front().pid).cast(std::string("echo cast"));
  net.run();
  EXPECT_EQ(net.events.count("packet a"), 100U);
  EXPECT_EQ(unframed(peer->received), Packets{"cast"});
}

TEST(Connection, SuspendedItDoesNotReadAndLosesNothing) {
  NetWorld net(1, 1);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  const auto suspend = [&](bool on) {
    ASSERT_TRUE(net.system->run_on(
        0, [&](Scheduler& scheduler) { scheduler.find(pid)->set_suspended(on); }));
  };
  suspend(true);
  peer->send(framed("echo 1") + framed("echo 2"));
  net.run(30s);
  EXPECT_TRUE(net.events.all.empty());
  suspend(false);
  net.run();
  EXPECT_EQ(unframed(peer->received), (Packets{"1", "2"}));
}

TEST(Connection, SendsFromEveryCallbackArriveInOrder) {
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

TEST(Connection, ThePeersCloseIsDisconnectThenClosed) {
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

TEST(Connection, Tcp_CB_10_AResetIsDisconnectThenClosed) {
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

TEST(Connection, HalfClosedByUsItGoesOnReceiving) {
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
struct Patient {
  Task<> handle_packet(Bytes packet) {
    co_await sleep(10ms);
    EXPECT_TRUE(connection().send_packet(packet + "!").has_value());
  }
};

TEST(Connection, ACoroutineMayHandleCopiesOfPackets) {
  NetWorld net;
  const Address at = net.serve<Patient>({});
  auto peer = net.connect(at);
  peer->send(all_of({"a", "b", "c"}));
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
