// What a connection makes of its transports, shown with small ones of a user's own.
#include <hawser/net/dial.hpp>
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
using testing::toy_packets;
using testing::ToyCipher;
using testing::unframed;

using Packets = std::vector<std::string>;

ServerOptions with(TransportMakers makers) {
  ServerOptions options;
  options.transports = std::move(makers);
  return options;
}

/// What a bare peer sees of a ToyCipher, without the H.
std::string plain(std::string_view received, char with_key = toy_key) {
  return received.empty() ? "" : masked(received.substr(1), with_key);
}

TEST(Transport, Tcp_E_24_AServersHandlerSeesPlainPackets) {
  for (const std::size_t piece : {0U, 1U, 7U}) {
    Rig rig;
    rig.packet = [](Packet packet) { return send(packet); };
    NetWorld net;
    sim::Faults faults;
    if (piece == 1) faults.segment_bytes = 1;
    net.world().set_faults(faults);
    const Address at = net.serve<Rigged>(with({toy_cipher({.piece = piece})}), &rig);
    auto peer = net.connect(at);
    net.run();
    EXPECT_TRUE(rig.seen.all.empty());  // no handler before the handshake
    EXPECT_TRUE(server_connections(*net.system, "it")->front().handshaking);
    const Packets sent{"a", "", std::string(400, 'b'), "c"};
    peer->send("H" + masked(framed_all(sent), toy_key));
    net.run(1s);
    EXPECT_EQ(rig.seen.starting_with("packet"), 4U);
    EXPECT_EQ(unframed(plain(peer->received)), sent);
    const auto info = server_connections(*net.system, "it")->front();
    EXPECT_EQ(info.bytes_out, framed_all(sent).size() + 1);
    EXPECT_EQ(info.packets_out, 4U);
    EXPECT_EQ(info.unsent, 0U);
    EXPECT_FALSE(info.handshaking);
    EXPECT_EQ(net.status().bytes_out, info.bytes_out);
  }
}

TEST(Transport, Tcp_C_18_AGreetingFromInitGoesThroughIt) {
  Rig rig;
  rig.init = [] { return send("welcome"); };
  NetWorld net;
  const Address at = net.serve<Rigged>(with({toy_cipher()}), &rig);
  auto peer = net.connect(at);
  net.run();
  EXPECT_EQ(peer->received, "H");
  peer->send("H");
  net.run();
  EXPECT_EQ(unframed(plain(peer->received)), Packets{"welcome"});
}

/// Dials with the same transports as the server, says something, and keeps what comes.
struct StackedCaller {
  Rig* rig;
  Next init() { return send("hello"); }
  Next handle_packet(Packet packet) {
    rig->seen.add("caller " + std::string(packet));
    return packet == "hello" ? send("again") : keep();
  }
};
struct StackedOwner {
  Rig* rig;
  Address to;
  TransportMakers makers;
  std::shared_ptr<ConnectionGroup> group{};
  void init() {
    self().trap_exit();
    group = std::make_shared<ConnectionGroup>(
        self().process().scheduler(), self().pid(),
        ConnectionGroup::Parts{.name = "dialed",
                               .framing = length_prefixed(2),
                               .options = {.handshake_timeout = 3s},
                               .counters = std::make_shared<ConnectionCounters>(),
                               .transports = makers});
    auto pid = dial<StackedCaller>(group, {.address = to}, {.parent = self().pid()},
                                   [its = rig] { return StackedCaller{its}; });
    if (!pid) throw std::runtime_error(pid.error().text());
  }
  void handle_info(Info& info) {
    if (const auto* exit = info.get<Exit>()) rig->seen.add("end " + exit->reason.text());
  }
};

TEST(Transport, Tcp_E_61_ADialedConnectionStandsWhenAllAreReady) {
  const TransportMakers stacks[] = {
      {toy_cipher()},
      {toy_cipher(), toy_cipher({.key = 0x0f})},
      {toy_cipher({.piece = 1}), toy_packets()},
      {toy_cipher({.flushes = false}), toy_packets(), toy_cipher({.key = 1})},
  };
  for (const auto& makers : stacks) {
    Rig rig;
    rig.packet = [](Packet packet) { return send(packet); };
    NetWorld net;
    const Address at = net.serve<Rigged>(with(makers), &rig);
    auto owner = net.system->spawn<StackedOwner>({}, &rig, at, makers);
    ASSERT_TRUE(owner.has_value());
    net.run(1s);
    EXPECT_EQ(rig.seen.all,
              (Packets{"init", "packet hello", "caller hello", "packet again", "caller again"}));
  }
}

TEST(Transport, ADialedHandshakeThatIsNotAnsweredEndsInTime) {
  Rig rig;
  NetWorld net;
  const Address at = net.serve<Rigged>(with({toy_cipher({.says_nothing = true})}), &rig);
  ASSERT_TRUE(
      net.system->spawn<StackedOwner>({}, &rig, at, TransportMakers{toy_cipher()}).has_value());
  net.run(5s);
  EXPECT_EQ(rig.seen.starting_with("end timeout: handshake_timeout: toy cipher"), 1U);
  EXPECT_EQ(rig.seen.starting_with("caller"), 0U);
}

TEST(Transport, Tcp_E_26_HandshakeTimeoutEndsItAndNoHandlerIsMade) {
  Rig rig;
  NetWorld net;
  ServerOptions options = with({toy_cipher()});
  options.connection.handshake_timeout = 4s;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  net.run(3900ms);
  EXPECT_FALSE(peer->over());
  net.run(300ms);
  EXPECT_TRUE(peer->over());
  EXPECT_TRUE(rig.seen.all.empty());
  const auto status = net.status();
  EXPECT_EQ(status.not_started, 1U);
  EXPECT_EQ(status.started, 0U);
  EXPECT_EQ(status.ended_by(Reason::Kind::timeout), 0U);
  EXPECT_EQ(net.lines_with("handshake_timeout: toy cipher was not through within 4 s"), 1U)
      << net.all_lines();
}

TEST(Transport, Tcp_E_68_AFailedHandshakeIsCountedAndSaysWhy) {
  for (const std::string input : {"x", "", "Hx"}) {
    SCOPED_TRACE(input);
    Rig rig;
    NetWorld net;
    const Address at = net.serve<Rigged>(with({toy_cipher(), toy_cipher({.key = 1})}), &rig);
    auto peer = net.connect(at);
    peer->send(input);
    if (input.empty()) peer->end();
    net.run(1s);
    EXPECT_TRUE(peer->over());
    EXPECT_TRUE(rig.seen.all.empty());
    EXPECT_EQ(net.status().not_started, 1U);
    EXPECT_EQ(net.lines_with(input.empty() ? "toy: ended too early" : "toy: no H"), 1U)
        << net.all_lines();
    EXPECT_EQ(net.status().connections, 0U);
  }
}

TEST(Transport, AnInitThatFailsOrDeclinesBehindAHandshakeIsCountedOnce) {
  for (const bool crashes : {false, true}) {
    Rig rig;
    rig.init = [&]() -> Next {
      if (crashes) throw std::runtime_error("boom");
      return send("no").then_stop();
    };
    NetWorld net;
    const Address at = net.serve<Rigged>(with({toy_cipher()}), &rig);
    auto peer = net.connect(at);
    peer->send("H");
    net.run(1s);
    EXPECT_TRUE(peer->over());
    EXPECT_EQ(unframed(plain(peer->received)), crashes ? Packets{} : Packets{"no"});
    EXPECT_EQ(net.status().not_started, 1U);
    EXPECT_EQ(net.status().started, 0U);
    EXPECT_EQ(rig.seen.all, Packets{"init"});  // no terminate, as without transports
  }
}

TEST(Transport, ADrainEndsAHandshakeAtOnce) {
  Rig rig;
  NetWorld net;
  const Address at = net.serve<Rigged>(with({toy_cipher({.goodbye = "bye"})}), &rig);
  auto peer = net.connect(at);
  net.run();
  EXPECT_TRUE(net.system->stop_child("it").has_value());
  net.run(1s);
  EXPECT_EQ(peer->received, "Hbye");
  EXPECT_TRUE(peer->ended);
}

TEST(Transport, GoodbyesLeaveBehindTheLastPacket) {
  for (const std::string word : {"stop", "end", "crash"}) {
    Rig rig;
    rig.packet = [&](Packet packet) -> Next {
      if (packet == "crash") throw std::runtime_error("boom");
      if (packet == "end") connection().end_sending();
      return packet == "stop" ? send("last").then_stop() : packet == "end" ? keep() : send("last");
    };
    NetWorld net;
    const Address at = net.serve<Rigged>(with({toy_cipher({.goodbye = "bye"})}), &rig);
    auto peer = net.connect(at);
    // In one chunk: what was answered before must not be overtaken by the end.
    peer->send("H" + masked(word == "stop" ? framed(word) : framed("a") + framed(word), toy_key));
    net.run(1s);
    EXPECT_EQ(peer->received, "H" + masked(framed("last"), toy_key) + "bye") << word;
    EXPECT_TRUE(peer->ended);
  }
}

TEST(Transport, Tcp_E_69_WhatATransportThrowsEndsItsConnectionOnly) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  NetWorld net;
  const Address at = net.serve<Rigged>(with({toy_cipher({.throws_at = '!'})}), &rig);
  auto stays = net.connect(at);
  auto peer = net.connect(at);
  stays->send("H");
  peer->send("H" + masked(framed("before"), toy_key));
  net.run();
  peer->send(masked(framed("!"), toy_key));
  net.run(1s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.lines_with("crash: toy: boom"), 1U) << net.all_lines();
  stays->send(masked(framed("here"), toy_key));
  net.run();
  EXPECT_EQ(unframed(plain(stays->received)), Packets{"here"});
  EXPECT_EQ(net.status().connections, 1U);
}

TEST(Transport, Tcp_E_60_OneThatBreaksTheRulesEndsItsConnectionAndNotTheProgram) {
  struct Case {
    TransportMaker maker;
    const char* says;
  };
  const Case cases[] = {
      {toy_cipher({.ready_twice = true}), "ready twice"},
      {toy_cipher({.delivers_early = true}), "before it was ready"},
      {toy_cipher({.piece = 4, .heeds_holds = false}), "while it was held"},
      {[] { return std::unique_ptr<Transport>(); }, "maker answered nothing"},
  };
  for (const auto& each : cases) {
    Rig rig;
    NetWorld net;
    ServerOptions options = with({each.maker});
    options.connection.active_packets = 1;
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    auto peer = net.connect(at);
    peer->send("H" + masked(framed("ab") + framed("cd") + framed("ef"), toy_key));
    net.run(1s);
    EXPECT_TRUE(peer->over()) << each.says;
    EXPECT_GE(net.lines_with(each.says), 1U) << net.all_lines();
    EXPECT_TRUE(net.status().accepting);
  }
}

TEST(Transport, Tcp_E_63_AHoldInTheMiddleKeepsTheRestUntilItIsOver) {
  for (const std::size_t piece : {0U, 1U, 5U}) {
    Rig rig;
    rig.cast = [](const std::string& word) {
      connection().activate(static_cast<std::uint32_t>(std::stoul(word)));
      return keep();
    };
    NetWorld net;
    ServerOptions options = with({toy_cipher(), toy_cipher({.key = 3, .piece = piece})});
    options.connection.active_packets = 2;
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    auto peer = net.connect(at);
    std::string bytes = "H" + masked("H", toy_key);
    for (int i = 0; i < 9; ++i)
      bytes += masked(masked(framed("p" + std::to_string(i)), 3), toy_key);
    peer->send(bytes);
    peer->end();
    net.run(20s);
    EXPECT_EQ(rig.seen.starting_with("packet"), 2U);
    Ref<Rigged>(rig.pid).cast(std::string("3"));
    net.run();
    EXPECT_EQ(rig.seen.starting_with("packet"), 5U);
    Ref<Rigged>(rig.pid).cast(std::string("9"));
    net.run();
    EXPECT_EQ(rig.seen.starting_with("packet"), 9U);
    EXPECT_EQ(rig.seen.all[rig.seen.all.size() - 2], "disconnect");  // behind every packet
  }
}

TEST(Transport, SuspendedInTheMiddleOfAHandshakeItLosesNothing) {
  Rig rig;
  NetWorld net(1, 1);
  const Address at = net.serve<Rigged>(with({toy_cipher()}), &rig);
  auto peer = net.connect(at);
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  const auto suspend = [&](bool on) {
    ASSERT_TRUE(net.system->run_on(
        0, [&](Scheduler& scheduler) { scheduler.find(pid)->set_suspended(on); }));
  };
  suspend(true);
  peer->send("H" + masked(framed("a"), toy_key));
  net.run(5s);
  EXPECT_TRUE(rig.seen.all.empty());
  suspend(false);
  net.run();
  EXPECT_EQ(rig.seen.all, (Packets{"init", "packet a"}));
}

TEST(Transport, PacketsPerTurnCountAcrossTheDeliveriesOfOneChunk) {
  // Each packet is a delivery of its own; still a message gets in between.
  Rig rig;
  rig.packet = [&](Packet) {
    if (rig.seen.starting_with("packet") == 1) Ref<Rigged>(rig.pid).cast(std::string("me too"));
    return keep();
  };
  rig.cast = [&](const std::string&) {
    rig.seen.add("cast");
    return keep();
  };
  NetWorld net(1, 1);
  ServerOptions options = with({toy_packets()});
  options.framing = whole();
  options.connection.packets_per_turn = 10;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += "\x01x";
  peer->send(bytes);
  net.run(1s);
  EXPECT_EQ(rig.seen.starting_with("packet"), 100U);
  EXPECT_EQ(rig.seen.all[11], "cast");
}

TEST(Transport, AnswersToOneChunkGoDownTogether) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  NetWorld net;
  int sends = 0;
  ServerOptions options = with({toy_cipher({.sends = &sends}), toy_packets(2)});
  options.framing = whole();
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  const std::string three("\x01x\0\x03yes", 7);
  peer->send("H" + masked(three, toy_key));
  net.run(1s);
  EXPECT_EQ(plain(peer->received), three);
  EXPECT_EQ(sends, 1) << "a TLS record each would cost more than the answers";
}

/// `x` and `last` come in one chunk; what the peer then has.
std::string received_for_one_chunk(Rig& rig, const std::string& last) {
  NetWorld net;
  ServerOptions options = with({toy_cipher({.goodbye = "!"}), toy_packets(2)});
  options.framing = whole();
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send("H" + masked("\x01x\x03" + last, toy_key));
  net.run(1s);
  return peer->received;
}

TEST(Transport, AGoodbyeStandsBehindWhatTheSameChunkWasAnswered) {
  Rig rig;
  rig.packet = [](Packet packet) {
    return packet == "bye" ? send("bye").then_stop(Reason::normal()) : send(packet);
  };
  const std::string bytes =
      "\x01x\x03"
      "bye";
  EXPECT_EQ(received_for_one_chunk(rig, "bye"), "H" + masked(bytes, toy_key) + "!");
}

TEST(Transport, AHalfCloseStandsBehindWhatTheSameChunkWasAnswered) {
  Rig rig;
  rig.packet = [](Packet packet) {
    static_cast<void>(connection().send_packet(packet));
    if (packet == "end") connection().end_sending();
    return keep();
  };
  const std::string bytes =
      "\x01x\x03"
      "end";
  EXPECT_EQ(received_for_one_chunk(rig, "end"), "H" + masked(bytes, toy_key) + "!");
}

TEST(Transport, PacketsOnTheShortAndTheLongWayStayInOrder) {
  Rig rig;
  int written = 0;
  rig.packet = [&](Packet packet) -> Next {
    if (packet == "w") {
      connection().write_packet(Payload(BytesView("w")), [&](const Result<void>& done) {
        EXPECT_TRUE(done.has_value());
        ++written;
      });
      return keep();
    }
    if (packet == "many") return send("1").send("long").send("");
    return send(packet);
  };
  NetWorld net;
  ServerOptions options = with({toy_packets(2)});
  options.framing = whole(100);
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  using namespace std::string_literals;
  peer->send("\1a\6longer\1w\2bc\4many\0\1z"s);
  net.run(1s);
  EXPECT_EQ(peer->received, "\1a\6longer\1w\2bc\0011\4long\0\0\1z"s);
  EXPECT_EQ(written, 1);
  const auto info = server_connections(*net.system, "it")->front();
  EXPECT_EQ(info.packets_out, 9U);
  EXPECT_EQ(info.bytes_out, peer->received.size());
  EXPECT_EQ(net.status().packets_out, 9U);
  EXPECT_EQ(net.status().packets_in, 7U);
}

TEST(Transport, HighWaterWorksThroughOne) {
  Rig rig;
  rig.packet = [](Packet) { return send(std::string(20'000, 'y')); };
  NetWorld net;
  ServerOptions options = with({toy_cipher()});
  options.connection.high_water = 100'000;
  options.connection.low_water = 10'000;
  options.connection.write_deadline = 20s;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at, false);
  peer->send("H" + masked(framed_all(Packets(200, "more")), toy_key));
  net.run(10s);
  const auto stuck = rig.seen.count("packet more");
  EXPECT_LT(stuck, 200U);
  EXPECT_GE(net.status().pauses, 1U);
  peer->read(true);
  net.run(60s);
  EXPECT_EQ(rig.seen.count("packet more"), 200U);
  EXPECT_EQ(unframed(plain(peer->received)).size(), 200U);
  EXPECT_EQ(rig.seen.count("drained"), net.status().pauses);
}

TEST(Transport, TheWriteDeadlineSeesAPeerThatTakesNothing) {
  Rig rig;
  rig.packet = [](Packet) { return send(std::string(60'000, 'y')); };
  for (const bool flushes : {true, false}) {
    NetWorld net;
    ServerOptions options = with({toy_cipher({.flushes = flushes})});
    options.connection.write_deadline = 8s;
    const Address at = net.serve<Rigged>(std::move(options), &rig);
    auto peer = net.connect(at, false);
    peer->send("H" + masked(framed_all(Packets(10, "more")), toy_key));
    net.run(15s);
    EXPECT_EQ(net.status().ended_by(Reason::Kind::timeout), 1U) << flushes;
    EXPECT_GE(net.status().bytes_out, 600'000U);
  }
}

TEST(Transport, SendLimitHoldsThroughOne) {
  Rig rig;
  rig.cast = [](const std::string&) {
    auto next = keep();
    for (int i = 0; i < 100; ++i) std::move(next).send(std::string(10'000, 'z'));
    return next;
  };
  NetWorld net;
  ServerOptions options = with({toy_cipher()});
  options.connection.high_water = 100'000;
  options.connection.low_water = 10'000;
  options.connection.send_limit = 300'000;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at, false);
  peer->send("H");
  net.run();
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run(1s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(net.lines_with("send_limit"), 1U);
}

TEST(Transport, Tcp_E_67_AHeaderNamesThePeerAndIsGone) {
  for (const bool bytewise : {false, true}) {
    Rig rig;
    rig.packet = [&](Packet packet) {
      rig.seen.add(connection().peer()->text() + " " + connection().describe_transports());
      return send(packet);
    };
    NetWorld net;
    sim::Faults faults;
    if (bytewise) faults.segment_bytes = 1;
    net.world().set_faults(faults);
    const Address at = net.serve<Rigged>(with({toy_header()}), &rig);
    auto peer = net.connect(at);
    peer->send("192.0.2.7:99\n" + framed("a"));
    net.run();
    peer->send(framed("b"));
    net.run();
    EXPECT_EQ(rig.seen.all.back(), "192.0.2.7:99 ");
    EXPECT_EQ(unframed(peer->received), (Packets{"a", "b"}));
    EXPECT_EQ(server_connections(*net.system, "it")->front().peer.text(), "192.0.2.7:99");
  }
}

TEST(Transport, AHeaderThatWasHeldBackLeavesAWorkingConnection) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  rig.cast = [](const std::string&) {
    connection().activate();
    return keep();
  };
  NetWorld net;
  ServerOptions options = with({toy_header()});
  options.connection.active_packets = 0;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send("192.0.2.7:99\n" + framed("a"));
  net.run();
  EXPECT_EQ(rig.seen.all, Packets{"init"});
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run();
  peer->send(framed("b"));
  net.run();
  EXPECT_EQ(unframed(peer->received), (Packets{"a", "b"}));
}

TEST(Transport, AHeaderBelowACipherIsTakenOutUnderIt) {
  Rig rig;
  rig.packet = [](Packet packet) { return send(packet); };
  NetWorld net;
  const Address at = net.serve<Rigged>(with({toy_header(), toy_cipher()}), &rig);
  auto peer = net.connect(at);
  peer->send("192.0.2.7:99\nH" + masked(framed("a"), toy_key));
  net.run();
  peer->send(masked(framed("b"), toy_key));
  net.run();
  EXPECT_EQ(unframed(plain(peer->received)), (Packets{"a", "b"}));
}

TEST(Transport, Tcp_E_52_EB_18_AnAnswerThatCannotAllBeSentLeavesNothing) {
  Rig rig;
  rig.packet = [](Packet packet) -> Next {
    if (packet == "bad") return send("1").send("2").send(std::string(300, 'x'));
    return send("one").send("").send("two");
  };
  NetWorld net;
  ServerOptions options = with({toy_packets()});
  options.framing = whole(255);
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send(
      "\x04good\x03"
      "bad");
  net.run(1s);
  EXPECT_EQ(peer->received, std::string("\x03one\0\x03two", 9));
  EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U);
  EXPECT_EQ(net.status().packets_out, 3U);
}

TEST(Transport, Tcp_E_64_HalfCloseGoesThroughOne) {
  Rig rig;
  rig.packet = [](Packet) { return send("got"); };
  NetWorld net;
  ServerOptions options = with({toy_cipher()});
  options.connection.half_close = HalfClose::allow;
  rig.end = [] {
    check(connection().send_packet("late").has_value(), "sending goes on");
    self().stop();
  };
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send("H" + masked(framed("a"), toy_key));
  peer->end();
  net.run(1s);
  EXPECT_EQ(rig.seen.count("end"), 1U);
  EXPECT_EQ(unframed(plain(peer->received)), (Packets{"got", "late"}));
}

TEST(Transport, APassiveServerWorksThroughOne) {
  NetWorld net;
  const Address at =
      serve_passive(net, with({toy_cipher({.piece = 3}), toy_cipher({.key = 9, .piece = 2})}),
                    [](Connection& connection) -> Task<> {
                      while (auto packet = co_await connection.receive())
                        if (!co_await connection.write(*packet)) break;
                    });
  auto peer = net.connect(at);
  Packets sent;
  for (int i = 0; i < 3000; ++i) sent.push_back(std::to_string(i));
  peer->send("H" + masked("H", toy_key) + masked(masked(framed_all(sent), 9), toy_key));
  net.run(10s);
  EXPECT_EQ(unframed(masked(masked(peer->received.substr(1), toy_key).substr(1), 9)), sent);
}

TEST(Transport, Tcp_R_13_EB_19_TheIdleTimeoutCountsTheNetworkOnly) {
  Rig rig;
  NetWorld net;
  ServerOptions options = with({toy_cipher()});
  options.connection.idle_timeout = 10s;
  const Address at = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(at);
  peer->send("H");
  net.run(8s);
  Ref<Rigged>(rig.pid).cast(std::string("no traffic"));
  net.run(1s);
  EXPECT_FALSE(peer->over());
  net.run(2s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::timeout), 1U);
  EXPECT_EQ(net.lines_with("idle_timeout"), 1U);
}

}  // namespace
}  // namespace hawser
