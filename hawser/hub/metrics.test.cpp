// The metrics page over HTTP, in the simulator.
#include <hawser/hub/metrics.hpp>

#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::hub {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Scripted;

struct Scraped {
  Scraped() {
    MetricsOptions options;
    options.listen = net.world().host("server").address(0).text();
    options.version = "1.2.3";
    const auto started = start_metrics(*net.system, options);
    if (!started) throw std::runtime_error(started.error().text());
    page = *started;
    at = net.serve<Scripted>({}, &net.events);
  }
  std::string get(const std::string& request) {
    auto peer = net.connect(page);
    peer->send(request);
    net.run(1s);
    EXPECT_TRUE(peer->over()) << "one request a connection";
    return peer->received;
  }
  std::string scrape() { return get("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"); }
  NetWorld net;
  Address page;
  Address at;
};

TEST(Metrics, AnswersTheFiguresOfServersAndSchedulers) {
  Scraped s;
  auto peer = s.net.connect(s.at);
  peer->send(framed("echo hello") + framed("echo you"));
  s.net.run(2s);
  peer->close(CloseMode::graceful);
  auto other = s.net.connect(s.at);
  s.net.run(1s);
  const std::string text = s.scrape();
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
  for (const char* line :
       {"hawser_info{version=\"1.2.3\"} 1\n", "hawser_server_connections{server=\"it\"} 1\n",
        "hawser_server_accepted_total{server=\"it\"} 2\n",
        "hawser_server_packets_received_total{server=\"it\"} 2\n",
        "hawser_server_received_bytes_total{server=\"it\"} 22\n",
        "hawser_server_connections_ended_total{server=\"it\",reason=\"closed\"} 1\n",
        "hawser_server_accepting{server=\"it\"} 1\n",
        "hawser_scheduler_turns_total{scheduler=\"1\"} ", "hawser_stalls_total 0\n",
        "hawser_events_total{point=\"connection.ended\"} 1\n",
        "hawser_connection_duration_seconds_bucket{server=\"it\",le=\"1\"} 0\n",
        "hawser_connection_duration_seconds_bucket{server=\"it\",le=\"10\"} 1\n",
        "# TYPE hawser_server_accepted_total counter\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  const std::size_t head = text.find("\r\n\r\n");
  EXPECT_NE(text.find("Content-Length: " + std::to_string(text.size() - head - 4)),
            std::string::npos);
}

TEST(Metrics, AnswersOtherRequestsInTheirOwnWay) {
  Scraped s;
  EXPECT_TRUE(s.get("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(s.get("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(s.get("hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(s.get("GET /metrics?a=b HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
  const std::string head = s.get("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << "no body";
  EXPECT_EQ(s.get("GET /" + std::string(20000, 'x')), "") << "a head without end";
}

TEST(Metrics, TakesAHeadThatComesByteByByte) {
  Scraped s;
  auto peer = s.net.connect(s.page);
  for (const char byte : std::string("GET /metrics HTTP/1.1\r\n\r\n")) {
    peer->send(std::string(1, byte));
    s.net.run(10ms);
  }
  s.net.run(1s);
  EXPECT_TRUE(peer->received.starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace hawser::hub
