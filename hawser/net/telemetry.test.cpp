// R-21: each event of a server's and a connection's life is a trace point, packets are traced
// connection by connection, and all of it is off until somebody wants it.
#include <hawser/net/client.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/toy_transports.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Scripted;

struct Seen {
  std::string point;
  std::string text;
  std::map<std::string, std::int64_t> measures;
};

/// Everything a System raises, from debug on.
class Watch {
 public:
  explicit Watch(NetWorld& net)
      : subscription_(
            net.system->telemetry().subscribe(LogLevel::debug, [this](const TelemetryEvent& event) {
              Seen seen{std::string(event.point()), event.text(), {}};
              for (const Measure& each : event.measures())
                seen.measures[std::string(each.name)] = each.value;
              all.push_back(std::move(seen));
            })) {}
  std::size_t count(std::string_view point) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const Seen& each) { return each.point == point; }));
  }
  const Seen& last(std::string_view point) const {
    const auto found = std::find_if(all.rbegin(), all.rend(),
                                    [&](const Seen& each) { return each.point == point; });
    if (found == all.rend()) throw std::runtime_error("no " + std::string(point));
    return *found;
  }
  std::vector<Seen> all;

 private:
  Telemetry::Subscription subscription_;
};

TEST(NetTelemetry, Tcp_R_21_AConnectionsLifeIsEvents) {
  NetWorld net;
  Watch watch(net);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("echo hello") + framed("echo you"));
  net.run(2s);
  peer->close(CloseMode::graceful);
  net.run(2s);
  for (const char* point : {"listener.started", "connection.accepted", "connection.started",
                            "connection.ready", "connection.ended"})
    EXPECT_EQ(watch.count(point), 1U) << point;
  const Seen& ended = watch.last("connection.ended");
  EXPECT_EQ(ended.measures.at("packets_in"), 2);
  EXPECT_EQ(ended.measures.at("packets_out"), 2);
  EXPECT_EQ(ended.measures.at("bytes_in"), 22);
  EXPECT_EQ(ended.measures.at("bytes_out"), 12);
  EXPECT_GE(ended.measures.at("age_ns"), Duration(1900ms).count());
  EXPECT_EQ(ended.measures.at("reason"), static_cast<std::int64_t>(Reason::Kind::closed));
  EXPECT_EQ(watch.last("connection.ready").measures.at("handshake_ns"), 0);
  EXPECT_EQ(net.lines_with("connection.ended"), 0U) << "an ordinary end is not for the log";
}

TEST(NetTelemetry, Tcp_R_21_SuspendingResumingAndDrainingAreEvents) {
  NetWorld net;
  Watch watch(net);
  const Address at = net.serve<Scripted>({}, &net.events);
  ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  auto peer = net.connect(at);
  net.run(1s);
  ASSERT_TRUE(stop_server(*net.system, "it").has_value());
  for (const char* point : {"listener.suspended", "listener.resumed", "listener.draining",
                            "listener.stopped", "server.suspended", "server.resumed",
                            "server.drain_started", "server.connections_gone", "server.down"})
    EXPECT_EQ(watch.count(point), 1U) << point;
  EXPECT_EQ(watch.last("connections.draining").measures.at("connections"), 1);
  EXPECT_EQ(net.lines_with("suspended: clients wait"), 1U) << "the log is a subscriber too";
}

TEST(NetTelemetry, Tcp_R_21_RefusedConnectionsAlarmsAndHandshakesAreEvents) {
  NetWorld net;
  Watch watch(net);
  ServerOptions options;
  options.max_connections = 1;
  options.at_limit = AtLimit::close;
  Alarm alarm;
  alarm.name = "full";
  options.alarms.push_back(alarm);
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto one = net.connect(at);
  net.run(1s);
  auto other = net.connect(at);
  net.run(1s);
  EXPECT_EQ(watch.count("connection.refused"), 1U);
  EXPECT_EQ(watch.last("server.alarm_raised").measures.at("count"), 1);
  EXPECT_EQ(net.status().alarms, (std::vector<std::string>{"full"}));
  one->close();
  net.run(10s);
  EXPECT_EQ(watch.count("server.alarm_cleared"), 1U);
  EXPECT_TRUE(net.status().alarms.empty());
}

TEST(NetTelemetry, Tcp_R_21_HandshakesAreTimedAndTheirFailuresCounted) {
  NetWorld net;
  Watch watch(net);
  ServerOptions options;
  options.transports = {testing::toy_cipher()};
  options.connection.handshake_timeout = 3s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto good = net.connect(at);
  auto bad = net.connect(at);
  net.run(1s);
  good->send("H");
  net.run(5s);
  EXPECT_EQ(watch.count("connection.started"), 2U);
  EXPECT_EQ(watch.count("connection.ready"), 1U);
  EXPECT_GE(watch.last("connection.ready").measures.at("handshake_ns"), Duration(500ms).count());
  EXPECT_EQ(watch.count("connection.handshake_failed"), 1U);
  EXPECT_EQ(net.status().handshake_failures, 1U);
  EXPECT_EQ(net.status().not_started, 1U);
}

TEST(NetTelemetry, Tcp_R_21_AClientsStatesAreEvents) {
  struct Idle {
    void handle_packet(Packet) {}
  };
  NetWorld net;
  Watch watch(net);
  const Address at = net.serve<Scripted>({}, &net.events);
  ClientOptions options;
  options.targets = TargetList(at.text());
  ASSERT_TRUE(net.system->start(client<Idle>("feed", options)).has_value());
  net.run(1s);
  EXPECT_EQ(watch.last("client.state").text.find("connected to"), 0U);
  ASSERT_TRUE(stop_server(*net.system, "it").has_value());
  net.run(5s);
  EXPECT_GE(watch.count("client.state"), 4U) << "lost, and tried again and again";
  EXPECT_NE(watch.last("client.state").text.find("no connection"), std::string::npos);
}

// ---- packets -----------------------------------------------------------------------------------

Pid only_connection(NetWorld& net) {
  const auto all = server_connections(*net.system, "it");
  return all && all->size() == 1 ? all->front().pid : Pid{};
}

TEST(NetTelemetry, Tcp_R_21_E_56_PacketsOfATracedConnectionAreEvents) {
  std::vector<std::string> traced;
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  peer->send(framed("echo before"));
  net.run(1s);
  const Pid pid = only_connection(net);
  const auto into = [&traced](const TraceEvent& event) {
    traced.push_back(std::string(to_string(event.kind)) + " " + event.what);
  };
  auto& here = net.system->environment();
  ASSERT_TRUE(sys::trace(here, pid, TraceOptions().to(into)));
  peer->send(framed("echo hello") + framed("many 2"));
  net.run(1s);
  EXPECT_EQ(traced, (std::vector<std::string>{"packet_in 10 bytes", "packet_out 5 bytes",
                                              "packet_in 6 bytes", "packet_out 1000 bytes",
                                              "packet_out 1000 bytes"}))
      << "what is in them is shown only when asked for";
  traced.clear();
  ASSERT_TRUE(sys::trace(here, pid, TraceOptions().to(into).show(8)));
  traced.clear();
  peer->send(framed("echo \"\\\x01"));
  Ref<Connection>(pid).cast(SendPacket(Payload("pushed along")));
  net.run(1s);
  ASSERT_EQ(traced.size(), 4U);
  EXPECT_NE(std::find(traced.begin(), traced.end(), R"(packet_in 8 bytes "echo \"\\\x01")"),
            traced.end());
  EXPECT_NE(std::find(traced.begin(), traced.end(), "packet_out 12 bytes \"pushed a\"…"),
            traced.end());
  ASSERT_TRUE(sys::trace(here, pid, false));
  traced.clear();
  peer->send(framed("echo after"));
  net.run(1s);
  EXPECT_TRUE(traced.empty());
}

struct Secretive {
  static constexpr bool redact_state = true;
  Next handle_packet(Packet packet) { return send(packet); }
};

TEST(NetTelemetry, PacketsOfAHandlerWithSecretsShowTheirSizeOnly) {
  std::vector<std::string> traced;  // its end is traced too
  NetWorld net;
  const Address at = net.serve<Secretive>({});
  auto peer = net.connect(at);
  net.run(1s);
  ASSERT_TRUE(sys::trace(
      net.system->environment(), only_connection(net),
      TraceOptions().to([&](const TraceEvent& event) { traced.push_back(event.what); }).show(100)));
  peer->send(framed("password"));
  net.run(1s);
  EXPECT_EQ(traced, (std::vector<std::string>{"8 bytes", "8 bytes"}));
}

}  // namespace
}  // namespace hawser
