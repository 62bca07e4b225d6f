// Every option of a server: a wrong value is named, and another than the default acts.
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/system.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::Events;
using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_C_25_CB_15_EveryWrongOptionIsNamedInOneError) {
  NetWorld net;
  ServerOptions options;
  options.listen = "nowhere";
  options.framing = length_prefixed(3);
  options.connection.low_water = 2 << 20;
  options.connection.packets_per_turn = 0;
  options.max_connections = 0;
  const auto started = net.system->start(server<Echo>("it", options));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().kind, ErrorKind::invalid_argument);
  for (const char* field : {"server 'it'", "listen:", "framing:", "connection.low_water:",
                            "connection.packets_per_turn:", "max_connections:"})
    EXPECT_NE(started.error().text().find(field), std::string::npos)
        << field << " in " << started.error().text();
  // Nothing of it was started, and the name is free for a better try.
  EXPECT_TRUE(
      net.system->start(server<Echo>("it", {.listen = net.world().host("server").address(0)}))
          .has_value());
}

TEST(Server, Tcp_EB_08_R_25_AWrongValueOfEachFieldIsNamed) {
  using Change = std::function<void(ServerOptions&)>;
  const std::vector<std::pair<std::string, Change>> wrong{
      {"listen:", [](auto& options) { options.listen = "10.0.0.1"; }},
      {"listen:", [](auto& options) { options.listen = "10.0.0.1:65536"; }},
      {"listen:", [](auto& options) { options.listen = ListenAddress(Address{}); }},
      {"framing:", [](auto& options) { options.framing = length_prefixed(5); }},
      {"connection.low_water:", [](auto& options) { options.connection.low_water = 2 << 20; }},
      {"max_connections:", [](auto& options) { options.max_connections = 0; }},
      {"shed:", [](auto& options) { options.at_limit = AtLimit::shed; }},
      {"shed_deadline:", [](auto& options) { options.shed_deadline = 0s; }},
      {"shed_at_once:", [](auto& options) { options.shed_at_once = 0; }},
      {"acceptors:", [](auto& options) { options.acceptors = 2; }},
      {"acceptors:",
       [](auto& options) {
         options.spread = AcceptSpread::per_scheduler;
         options.acceptors = 99;
       }},
      {"spread:",
       [](auto& options) {
         options.listen = "unix:/run/a.sock";
         options.spread = AcceptSpread::per_scheduler;
       }},
      {"drain_deadline:", [](auto& options) { options.drain_deadline = -1s; }},
      {"newcomers_grace:", [](auto& options) { options.newcomers_grace = -1ms; }},
      {"listen_retry:", [](auto& options) { options.listen_retry = -1s; }},
      {"backlog:", [](auto& options) { options.backlog = 0; }},
      {"unix_mode:", [](auto& options) { options.unix_mode = 01000; }},
      {"socket.send_buffer:", [](auto& options) { options.socket.send_buffer = -1; }},
      {"socket.receive_buffer:", [](auto& options) { options.socket.receive_buffer = -1; }},
      {"mailbox.messages:", [](auto& options) { options.mailbox.messages = 0; }},
      {"accept_pause:", [](auto& options) { options.accept_pause = 0s; }},
      {"alarms[0].name:", [](auto& options) { options.alarms.push_back({}); }},
      {"alarms[0].raise_at:",
       [](auto& options) { options.alarms.push_back({.name = "a", .raise_at = 0}); }},
      {"alarms[0].clear_at:",
       [](auto& options) {
         options.alarms.push_back({.name = "a", .raise_at = 5, .clear_at = 5});
       }},
      {"alarms[0].cooldown:",
       [](auto& options) { options.alarms.push_back({.name = "a", .cooldown = -1s}); }},
      {"alarms[1].name:", [](auto& options) { options.alarms = {{.name = "a"}, {.name = "a"}}; }},
      {"keeper.child:", [](auto& options) { options.keeper.child = ChildSpec{}; }},
      {"strategy:", [](auto& options) { options.strategy = Strategy::simple_one_for_one; }},
      {"period:", [](auto& options) { options.period = 0s; }},
  };
  NetWorld net;
  const auto before = net.left();
  for (const auto& [field, change] : wrong) {
    ServerOptions options;
    options.listen = ListenAddress(net.world().host("server").address(0));
    change(options);
    const auto started = net.system->start(server<Echo>("it", std::move(options)));
    ASSERT_FALSE(started.has_value()) << field;
    EXPECT_EQ(started.error().kind, ErrorKind::invalid_argument) << field;
    EXPECT_NE(started.error().text().find(field), std::string::npos)
        << field << " in " << started.error().text();
  }
  EXPECT_EQ(net.left(), before);
}

TEST(Server, Tcp_C_05_ThePortIsCheckedFirstAndTheTrueOneCanBeAsked) {
  NetWorld net;
  EXPECT_FALSE(net.system->start(server<Echo>("it", {.listen = "127.0.0.1:-1"})).has_value());
  ASSERT_TRUE(net.system->start(server<Echo>("it", {.listen = "127.0.0.1:0"})).has_value());
  EXPECT_GE(net.status().address.port(), 1024);
}

TEST(Server, Tcp_C_04_LoopbackIsTheDefaultAndEveryFamilyMayBeListenedOn) {
  NetWorld net;
  ASSERT_TRUE(net.system->start(server<Echo>("it", {})).has_value());
  EXPECT_TRUE(net.status().address.text().starts_with("127.0.0.1:"));
  for (const char* text : {"0.0.0.0:0", "[::1]:0", "[::]:0", "unix:/run/it.sock"}) {
    ASSERT_TRUE(net.system->start(server<Echo>("other", {.listen = text})).has_value()) << text;
    ASSERT_TRUE(net.system->stop_child("other").has_value());
  }
}

TEST(Server, Tcp_EB_08_TheBacklogActs) {
  NetWorld net;
  ServerOptions options;
  options.backlog = 3;
  options.start_suspended = true;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 20; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  EXPECT_LE(
      std::count_if(peers.begin(), peers.end(), [](const auto& each) { return each->connected; }),
      4);
}

TEST(Server, Tcp_EB_08_TheAcceptPauseActs) {
  NetWorld net;
  ServerOptions options;
  options.accept_pause = 2s;
  const Address at = net.serve<Echo>(std::move(options));
  sim::Host& host = net.world().host("server");
  host.set_descriptor_limit(host.open_descriptors());
  auto peer = net.connect(at);
  net.run(11s);
  EXPECT_LE(net.status().accept_errors, 6U);
  EXPECT_GE(net.status().accept_errors, 4U);
}

TEST(Server, Tcp_EB_08_TheMailboxLimitActs) {
  struct Slow {
    int* got;
    void handle_packet(Packet) {}
    void handle_cast(int) { ++*got; }
  };
  NetWorld net(1, 1);
  int got = 0;
  ServerOptions options;
  options.mailbox = {.messages = 3};
  const Address at = net.serve<Slow>(std::move(options), &got);
  auto peer = net.connect(at);
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  static_cast<void>(net.system->run_on(0, [&](Scheduler&) {
    for (int i = 0; i < 10; ++i) static_cast<void>(Ref<Slow>(pid).cast(i));
  }));
  net.run();
  EXPECT_EQ(got, 3);
}

TEST(Server, Tcp_EB_08_E_08_TheNumberOfAcceptorsActs) {
  NetWorld net(1, 4);
  ServerOptions options;
  options.spread = AcceptSpread::per_scheduler;
  options.acceptors = 2;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 40; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  const auto status = net.status();
  ASSERT_EQ(status.acceptors.size(), 2U);
  EXPECT_EQ(status.connections, 40U);
  EXPECT_EQ(std::count(status.per_scheduler.begin(), status.per_scheduler.end(), 0U), 2);
}

TEST(Server, Tcp_C_22_IntensityAndPeriodAct) {
  for (const unsigned intensity : {2U, 5U}) {
    NetWorld net;
    ServerOptions options;
    options.intensity = intensity;
    options.period = 100s;
    net.serve<Echo>(std::move(options));
    const Pid server = net.system->whereis("it");
    for (unsigned i = 0; i < 4; ++i) {
      send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
      net.run(1s);
    }
    // Given up, and started anew by its own supervisor.
    EXPECT_EQ(net.system->whereis("it") == server, intensity == 5U);
    EXPECT_TRUE(net.status().accepting);
  }
  // The same restarts, but further apart than the period: never too many.
  NetWorld net;
  ServerOptions options;
  options.intensity = 2;
  options.period = 1s;
  net.serve<Echo>(std::move(options));
  const Pid server = net.system->whereis("it");
  for (unsigned i = 0; i < 4; ++i) {
    send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
    net.run(1500ms);
  }
  EXPECT_EQ(net.system->whereis("it"), server);
}

TEST(Server, Tcp_C_22_TheStrategyActs) {
  for (const auto strategy :
       {Strategy::one_for_one, Strategy::rest_for_one, Strategy::one_for_all}) {
    NetWorld net;
    ServerOptions options;
    options.strategy = strategy;
    const Address at = net.serve<Echo>(std::move(options));
    auto peer = net.connect(at);
    net.run();
    const Pid monitor = server_monitor(*net.system, "it").pid();
    send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
    net.run(7s);
    const bool all = strategy == Strategy::one_for_all;
    EXPECT_EQ(peer->over(), all);
    EXPECT_EQ(server_monitor(*net.system, "it").pid() != monitor, all);
    EXPECT_EQ(net.status().address, at);
    // The first supervisor of connections ends: what comes after it starts again, too.
    send_exit(net.system->whereis("it/connections/0"), Reason::killed());
    net.run(7s);
    EXPECT_EQ(net.status().not_accepting_because, "");
    auto fresh = net.connect(at);
    fresh->send(framed("x"));
    net.run();
    EXPECT_EQ(unframed(fresh->received), Packets{"x"});
    Events seen;
    const auto report = server_drain(*net.system, "it", 5s);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->connections,
              strategy == Strategy::one_for_one ? 1U + (peer->over() ? 0 : 1) : 1U);
  }
}

TEST(Server, Tcp_C_22_RestForOneLeavesThePartsBeforeAsTheyWere) {
  NetWorld net;
  ServerOptions options;
  options.strategy = Strategy::rest_for_one;
  const Address at = net.serve<Echo>(std::move(options));
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(net.connect(at));
  net.run();
  const auto there = *server_connections(*net.system, "it");
  ASSERT_EQ(there.size(), 4U);
  send_exit(net.system->whereis("it/connections/1"), Reason::killed());
  net.run(15s);  // longer than a drain
  EXPECT_EQ(std::ranges::count_if(peers, [](const auto& peer) { return !peer->over(); }), 2)
      << "those of the other scheduler";
  std::vector<std::unique_ptr<Peer>> fresh;
  for (int i = 0; i < 4; ++i) {
    fresh.push_back(net.connect(at));
    fresh.back()->send(framed("x"));
  }
  net.run(1s);
  for (const auto& peer : fresh) EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_EB_08_R_33_SocketOptionsReachTheKernel) {
  struct Seen {
    int no_delay = -1;
    int keep_alive = -1;
    int send_buffer = -1;
    int receive_buffer = -1;
    int defer = -1;
    int v6_only = -1;
  } seen;
  const auto option = [](int number, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(number, level, name, &value, &size);
    return value;
  };
  SystemOptions quiet;
  quiet.schedulers = 1;
  quiet.handle_signals = false;
  quiet.log_level = LogLevel::off;
  System system(quiet);
  ServerOptions options;
  options.listen = "[::]:0";
  options.ipv6_only = true;
  options.socket = {
      .no_delay = false, .keep_alive = true, .send_buffer = 30'000, .receive_buffer = 50'000};
  options.on_listening = [&](const BoundListener& bound) {
    const int number = bound.descriptor;
    const int seconds = 3;
    ::setsockopt(number, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    seen = {
        option(number, IPPROTO_TCP, TCP_NODELAY),      option(number, SOL_SOCKET, SO_KEEPALIVE),
        option(number, SOL_SOCKET, SO_SNDBUF),         option(number, SOL_SOCKET, SO_RCVBUF),
        option(number, IPPROTO_TCP, TCP_DEFER_ACCEPT), option(number, IPPROTO_IPV6, IPV6_V6ONLY)};
    return ListenAnswer::go_on();
  };
  ASSERT_TRUE(system.start(server<Echo>("it", options)).has_value());
  EXPECT_EQ(seen.no_delay, 0);
  EXPECT_EQ(seen.keep_alive, 1);
  EXPECT_EQ(seen.send_buffer, 60'000) << "the kernel doubles it";
  EXPECT_EQ(seen.receive_buffer, 100'000);
  EXPECT_GE(seen.defer, 3);
  EXPECT_EQ(seen.v6_only, 1);
  const std::string path = ::testing::TempDir() + "hawser_unix_mode.sock";
  options.on_listening = {};
  options.listen = "unix:" + path;
  options.unix_mode = 0640;
  ASSERT_TRUE(system.start(server<Echo>("file", options)).has_value());
  struct stat file{};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0640U);
  EXPECT_TRUE(system.stop(10s));
}

}  // namespace
}  // namespace hawser
