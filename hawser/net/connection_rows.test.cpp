// Rows of the specification that are about one connection and its socket: options of the socket,
// credentials, the count, late packets, reasons.
#include <hawser/net/client_options.hpp>
#include <hawser/net/dial.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::Rig;
using testing::Rigged;
using testing::unframed;

/// Asks for a packet's rest with patience, or gives it up, as its first word says.
struct Late {
  std::vector<std::string>* seen;
  std::size_t patience;
  Next handle_packet(Packet packet) {
    seen->push_back("packet " + std::string(packet));
    return keep();
  }
  Next handle_packet_timeout(BytesView partial) {
    seen->push_back("late " + std::to_string(partial.size()));
    if (patience-- > 0) return send("wait");
    return send("enough").then_stop(Reason::custom("too late"));
  }
  void terminate(const Reason& reason) { seen->push_back("terminate " + reason.text()); }
};

TEST(Connection, Tcp_C_12_ALatePacketIsACallbackWithThePartialBytes) {
  std::vector<std::string> seen;
  NetWorld net;
  ServerOptions options;
  options.connection.packet_timeout = 1s;
  const Address to = net.serve<Late>(std::move(options), &seen, std::size_t{1});
  auto peer = net.connect(to);
  const std::string packet = framed("whole");
  peer->send(packet.substr(0, 4));
  net.run(1200ms);
  ASSERT_EQ(seen, (std::vector<std::string>{"late 4"}));
  peer->send(packet.substr(4));
  ASSERT_TRUE(net.until([&] { return seen.size() == 2; }));
  EXPECT_EQ(seen.back(), "packet whole") << "its bytes were kept, the stream is in step";
  peer->send(packet.substr(0, 3));
  ASSERT_TRUE(net.until([&] { return peer->over(); }));
  EXPECT_EQ(seen[2], "late 3");
  EXPECT_EQ(seen.back(), "terminate custom: too late");
  EXPECT_EQ(peer->received, framed("wait") + framed("enough"));
}

/// Begins with its copy, and says who is there.
struct Copying {
  std::string word;
  std::vector<std::string>* seen;
  Next init() {
    const std::string who = connection().info().peer.text();
    seen->push_back(word + " for " + who);
    word += ", used";
    return send("hello " + who);
  }
  Next handle_packet(Packet) { return send(word); }
};

TEST(Connection, Tcp_C_09_E_33_InitHasAFreshCopyOfTheArgumentsAndSeesThePeer) {
  std::vector<std::string> seen;
  NetWorld net;
  const Address to = net.serve<Copying>({}, std::string("word"), &seen);
  for (std::size_t i = 0; i < 3; ++i) {
    auto peer = net.connect(to);
    ASSERT_TRUE(net.until([&] { return seen.size() == i + 1; }));
    const std::string who = server_connections(*net.system, "it")->front().peer.text();
    EXPECT_EQ(seen.back(), "word for " + who) << "nothing of the one before";
    peer->send(framed("?"));
    ASSERT_TRUE(net.until([&] { return unframed(peer->received).size() == 2; }));
    EXPECT_EQ(unframed(peer->received)[0], "hello " + who);
    peer->close(CloseMode::reset);
    net.run();
  }
}

TEST(Connection, Tcp_C_13_HoweverItEndsTerminateIsCalledOnce) {
  struct Way {
    const char* name;
    std::function<void(NetWorld&, Peer&)> end;
    const char* reason;
  };
  const auto pid = [](NetWorld& net) { return server_connections(*net.system, "it")->front().pid; };
  const Way ways[] = {
      {"the peer closes", [](NetWorld&, Peer& peer) { peer.close(CloseMode::graceful); }, "closed"},
      {"the peer resets", [](NetWorld&, Peer& peer) { peer.close(CloseMode::reset); },
       "closed: receive: Connection reset"},
      {"it stops", [](NetWorld&, Peer& peer) { peer.send(framed("quit")); }, "normal"},
      {"it says a word and stops", [](NetWorld&, Peer& peer) { peer.send(framed("stop")); },
       "normal"},
      {"it crashes", [](NetWorld&, Peer& peer) { peer.send(framed("crash")); }, "crash: boom"},
      {"it is late", [](NetWorld&, Peer& peer) { peer.send("\x01"); }, "timeout: packet_timeout"},
      {"it sends what is no packet",
       [](NetWorld&, Peer& peer) { peer.send(std::string("\xff\xff", 2)); }, "protocol_error"},
      {"an exit signal",
       [&](NetWorld& net, Peer&) { send_exit(pid(net), Reason::custom("enough")); },
       "custom: enough"},
      {"the server stops",
       [](NetWorld& net, Peer&) {
         EXPECT_TRUE(stop_server(*net.system, "it", StopServer(1s, Reason::custom("moving"))));
       },
       "custom: moving"},
  };
  for (const Way& way : ways) {
    SCOPED_TRACE(way.name);
    NetWorld net;
    ServerOptions options;
    options.framing = length_prefixed(2, {.maximum = 1000});
    options.connection.packet_timeout = 2s;
    const Address to = net.serve<testing::Scripted>(std::move(options), &net.events);
    auto peer = net.connect(to);
    net.run();
    way.end(net, *peer);
    net.run(5s);
    // Whatever else may come to one that has ended.
    peer->send(framed("echo x"));
    peer->close(CloseMode::reset);
    net.run(60s);
    EXPECT_EQ(net.events.starting_with("terminate"), 1U);
    EXPECT_EQ(net.events.starting_with(std::string("terminate ") + way.reason), 1U)
        << net.events.all.back();
  }
}

TEST(Connection, Tcp_C_14_C_15_C_16_E_41_E_42_E_43_AnAnswerGoesOnSendsOrStops) {
  Rig rig;
  NetWorld net;
  rig.packet = [](Packet packet) {
    if (packet == "on") return keep();
    if (packet == "say") return send("said");
    if (packet == "close") return stop();
    return stop(Reason::custom("as told"));
  };
  const Address to = net.serve<Rigged>({}, &rig);
  auto first = net.connect(to);
  auto second = net.connect(to);
  first->send(framed("on") + framed("say") + framed("on") + framed("close") + framed("say"));
  second->send(framed("say") + framed("end"));
  ASSERT_TRUE(net.until([&] { return first->over() && second->over(); }));
  EXPECT_EQ(first->received, framed("said")) << "and nothing behind the end";
  EXPECT_EQ(second->received, framed("said"));
  EXPECT_EQ(rig.seen.count("terminate normal"), 1U);
  EXPECT_EQ(rig.seen.count("terminate custom: as told"), 1U);
}

TEST(Connection, Tcp_E_10_AnyIsEndedFromOutsideByItsPidOrItsName) {
  NetWorld net;
  ServerOptions options;
  options.name_connections = true;
  const Address to = net.serve<testing::Scripted>(std::move(options), &net.events);
  auto by_pid = net.connect(to);
  net.run();
  send_exit(server_connections(*net.system, "it")->front().pid, Reason::custom("by pid"));
  net.run();
  EXPECT_TRUE(by_pid->over());
  EXPECT_EQ(net.events.count("terminate custom: by pid"), 1U);
  auto by_name = net.connect(to);
  net.run();
  const Pid named = server_connections(*net.system, "it")->front().pid;
  const auto status = sys::get_status(net.system->environment(), named);
  ASSERT_TRUE(status.has_value());
  send_exit(net.system->whereis(status->name), Reason::custom("by name"));
  net.run();
  EXPECT_TRUE(by_name->over());
  EXPECT_EQ(net.events.count("terminate custom: by name"), 1U);
}

TEST(Connection, Tcp_R_14_TrafficDoesNotTouchTheTimerOfTheIdleDeadline) {
  Rig rig;
  NetWorld net(1, 1);
  rig.packet = [](Packet packet) { return send(packet); };
  ServerOptions options;
  options.connection.idle_timeout = 60s;
  options.connection.write_deadline = 0s;
  options.connection.packet_timeout = 0s;
  const Address to = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(to);
  ASSERT_TRUE(net.until([&] { return rig.seen.count("init") == 1; }));
  const Instant begin = net.world().now();
  for (int i = 0; i < 598; ++i) {
    peer->send(framed("x"));
    net.run();
  }
  ASSERT_EQ(rig.seen.starting_with("packet"), 598U);
  // Armed anew by each packet, it would be due a minute after the last of them.
  Instant due;
  ASSERT_TRUE(
      net.system->run_on(0, [&](Scheduler& scheduler) { due = scheduler.timers().next_due(); }));
  EXPECT_LE(due, begin + 60s + TimerWheel::tick * 2);
  net.run(30s);
  EXPECT_FALSE(peer->over()) << "it fired, and saw what had come";
  net.run(31s);
  EXPECT_TRUE(peer->over());
}

TEST(Connection, Tcp_C_25_R_27_TheDefaultsAreInOnePlaceAndSane) {
  const ServerOptions server;
  EXPECT_TRUE(server.faults().empty()) << server.faults().front();
  EXPECT_EQ(server.listen.parsed()->host(), "127.0.0.1");
  EXPECT_GE(server.backlog, 1024);
  EXPECT_TRUE(server.socket.no_delay);
  EXPECT_EQ(server.connection.write_deadline, 30s);
  EXPECT_EQ(server.connection.packet_timeout, 10s);
  EXPECT_EQ(server.connection.handshake_timeout, 10s);
  ClientOptions client;
  EXPECT_EQ(client.faults(), std::vector<std::string>{"targets: there is none"})
      << "all but where to";
}

struct Refining {
  Next handle_packet(Packet packet) {
    if (packet == "crash") throw std::runtime_error("boom");
    return stop(Reason::custom("plain"));
  }
  Reason terminate(const Reason& reason) { return Reason::custom("told: " + reason.text()); }
};

TEST(Connection, Tcp_E_39_TerminateMayRefineTheReasonThatOthersAreTold) {
  std::vector<std::string> ends;
  NetWorld net;
  ServerOptions options;
  options.keeper.ended = [&](const ConnectionInfo&, const Reason& reason) {
    ends.push_back(reason.text());
  };
  const Address to = net.serve<Refining>(std::move(options));
  auto first = net.connect(to);
  first->send(framed("stop"));
  ASSERT_TRUE(net.until([&] { return ends.size() == 1; }));
  EXPECT_EQ(ends[0], "custom: told: custom: plain");
  auto second = net.connect(to);
  second->send(framed("crash"));
  ASSERT_TRUE(net.until([&] { return ends.size() == 2; }));
  EXPECT_TRUE(ends[1].starts_with("custom: told: crash: boom")) << ends[1];
  EXPECT_EQ(net.lines_with("crash: boom, in handle_packet"), 1U) << "reported as what it was";
}

TEST(Connection, Tcp_E_31_CrashReportsOfAServerCanBeSwitchedOff) {
  for (const bool on : {true, false}) {
    NetWorld net;
    ServerOptions options;
    options.crash_reports = on;
    const Address to = net.serve<testing::Scripted>(std::move(options), &net.events, std::string{});
    auto peer = net.connect(to);
    peer->send(framed("crash"));
    ASSERT_TRUE(net.until([&] { return peer->over(); }));
    EXPECT_EQ(net.lines_with("boom"), on ? 1U : 0U) << net.all_lines();
    EXPECT_EQ(net.status().ended_by(Reason::Kind::crash), 1U) << "the figures know it all the same";
  }
}

TEST(Connection, WhatLiesBelowTheLowWaterIsTrafficAllTheSame) {
  Rig rig;
  NetWorld net;
  ServerOptions options;
  options.framing = raw();
  options.connection.idle_timeout = 10s;
  rig.packet = [&](Packet) {
    StreamChanges changes;
    changes.receive_low_water = 100;
    EXPECT_TRUE(connection().change_socket(changes));
    return keep();
  };
  const Address to = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(to);
  peer->send("x");
  for (int i = 0; i < 6; ++i) {
    net.run(6s);
    peer->send("x");
  }
  net.run(9s);
  EXPECT_FALSE(peer->over());
  EXPECT_EQ(rig.seen.starting_with("packet"), 1U);
  net.run(2s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(rig.seen.starting_with("terminate timeout: idle_timeout"), 1U);
}

TEST(Connection, Tcp_E_51_SocketOptionsAreChangedFromACallback) {
  Rig rig;
  std::optional<Result<void>> good;
  std::optional<Result<void>> bad;
  NetWorld net;
  rig.packet = [&](Packet) {
    StreamChanges changes;
    changes.keep_alive = true;
    changes.keep_alive_idle = 5s;
    changes.keep_alive_interval = 1s;
    changes.keep_alive_probes = 2;
    good = connection().change_socket(changes);
    changes.keep_alive_probes = 0;
    changes.user_timeout = -1s;
    bad = connection().change_socket(changes);
    return keep();
  };
  const Address to = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(to);
  peer->send(framed("go"));
  net.run(1s);
  ASSERT_TRUE(good && bad);
  EXPECT_TRUE(*good);
  ASSERT_FALSE(*bad);
  EXPECT_NE(bad->error().text().find("keep_alive_probes"), std::string::npos);
  EXPECT_NE(bad->error().text().find("user_timeout"), std::string::npos);
  // A peer that goes without a word, and to which we send nothing, is noticed.
  net.world().cut("server", "client");
  net.run(4s);
  EXPECT_EQ(rig.seen.starting_with("terminate"), 0U);
  net.run(5s);
  EXPECT_EQ(rig.seen.starting_with("terminate timeout"), 1U);
}

TEST(Connection, ASilentPeerIsNoticedByKeepAliveOfTheServersOptions) {
  Rig rig;
  NetWorld net;
  ServerOptions options;
  options.socket.keep_alive = true;
  options.socket.user_timeout = 30s;
  const Address to = net.serve<Rigged>(std::move(options), &rig);
  auto peer = net.connect(to);
  net.run(1s);
  net.world().cut("server", "client");
  net.run(60s);
  EXPECT_EQ(rig.seen.starting_with("terminate"), 0U);
  net.run(35s);
  EXPECT_EQ(rig.seen.starting_with("terminate timeout"), 1U);
}

TEST(Connection, Tcp_R_03_AConnectionTakesItselfOutOfTheCount) {
  Rig rig;
  NetWorld net;
  rig.packet = [](Packet) {
    connection().uncount();
    connection().uncount();
    return send("counted no more");
  };
  ServerOptions options;
  options.max_connections = 1;
  const Address to = net.serve<Rigged>(std::move(options), &rig);
  auto poller = net.connect(to);
  auto waiting = net.connect(to);
  net.run(1s);
  ASSERT_EQ(rig.seen.count("init"), 1U);
  poller->send(framed("long poll"));
  ASSERT_TRUE(net.until([&] { return rig.seen.count("init") == 2; }));
  EXPECT_EQ(net.status().uncounted, 1U);
  poller->close();
  net.run(1s);
  EXPECT_EQ(net.status().uncounted, 0U);
  auto third = net.connect(to);
  net.run(1s);
  EXPECT_EQ(rig.seen.count("init"), 2U) << "the poller's end made no room: it had none";
}

TEST(Connection, Tcp_R_23_AHandlerKnowsWhoIsBehindAUnixSocket) {
  std::shared_ptr<ConnectionGroup> group;  // outlives the system
  Rig dialer;
  Rig rig;
  std::vector<Result<PeerCredentials>> who;
  NetWorld net;
  rig.init = [&] {
    who.push_back(connection().peer_credentials());
    return keep();
  };
  net.world().host("server").set_credentials({77, 1001, 1002});
  ServerOptions options;
  options.listen = "unix:/run/it.sock";
  ASSERT_TRUE(net.system->start(server<Rigged>("unix", std::move(options), &rig)));
  const Address tcp = net.serve<Rigged>({}, &rig);
  static_cast<void>(net.system->run_on(0, [&](Scheduler& scheduler) {
    ConnectionGroup::Parts parts{"dialer", raw(), {}, {}, std::make_shared<ConnectionCounters>()};
    group = std::make_shared<ConnectionGroup>(scheduler, Pid{}, std::move(parts));
    DialOptions to;
    to.address = Address::unix_path("/run/it.sock");
    EXPECT_TRUE(dial<Rigged>(group, to, {}, [&] { return Rigged(&dialer); }));
  }));
  ASSERT_TRUE(net.until([&] { return who.size() == 1; }));
  ASSERT_TRUE(who[0]) << who[0].error().text();
  EXPECT_EQ(*who[0], (PeerCredentials{77, 1001, 1002}));
  auto peer = net.connect(tcp);
  ASSERT_TRUE(net.until([&] { return who.size() == 2; }));
  ASSERT_FALSE(who[1]);
  EXPECT_EQ(who[1].error().kind, ErrorKind::unsupported) << "TCP tells nobody's name";
  static_cast<void>(net.system->run_on(0, [&](Scheduler& scheduler) {
    if (Process* left = scheduler.find(dialer.pid)) left->stop(Reason::normal());
  }));
}

}  // namespace
}  // namespace hawser
