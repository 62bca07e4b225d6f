// Every server of the comparison does the whole job: packets of all sizes, cut anywhere, peers that
// stop reading, that half-close, that come and go. A floor that cut corners would be no floor.
#include <bench/echo.hpp>
#include <bench/load/packets.hpp>
#include <bench/load/server_process.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>

namespace hawser::bench {

/// The parameter as test listings show it.
static void PrintTo(const ServerSpec& server, std::ostream* out) { *out << server.name; }

namespace {

class ServersTest : public ::testing::TestWithParam<ServerSpec> {
 protected:
  void SetUp() override {
    auto server = ServerProcess::start(*split_command(GetParam().command), {});
    ASSERT_TRUE(server) << server.error().text();
    server_.emplace(std::move(*server));
  }
  void TearDown() override {
    ASSERT_TRUE(server_);
    EXPECT_TRUE(server_->running()) << server_->last_words();
  }

  LoadPlan load(unsigned connections, unsigned depth, std::size_t payload,
                std::uint64_t packets) const {
    LoadPlan plan;
    plan.server = server_->ready().address;
    plan.pid = server_->ready().pid;
    plan.connections = connections;
    plan.depth = depth;
    plan.payload = payload;
    plan.packets = packets;
    plan.warmup = 0ns;
    plan.stall = 60s;
    return plan;
  }

  Descriptor connection() const {
    auto socket = start_connect(server_->ready().address, 0);
    EXPECT_TRUE(socket) << socket.error().text();
    EXPECT_TRUE(ready(*socket, POLLOUT));
    return std::move(*socket);
  }

  static bool ready(const Descriptor& socket, short events, int milliseconds = 60'000) {
    pollfd waiting = {socket.get(), events, 0};
    return poll(&waiting, 1, milliseconds) == 1;
  }

  static void send_all(const Descriptor& socket, BytesView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else {
        ASSERT_EQ(errno, EAGAIN);
        ASSERT_TRUE(ready(socket, POLLOUT));
      }
    }
  }

  /// Reads until the checker has seen `packets`.
  static void expect_echoes(const Descriptor& socket, EchoChecker& checker, std::uint64_t packets) {
    static std::array<char, 256 * 1024> bytes;
    while (checker.seen() < packets) {
      ASSERT_TRUE(ready(socket, POLLIN)) << "after " << checker.seen() << " of " << packets;
      const ssize_t got = recv(socket.get(), bytes.data(), bytes.size(), 0);
      if (got < 0 && errno == EAGAIN) continue;
      ASSERT_GT(got, 0);
      const auto taken = checker.take({bytes.data(), static_cast<std::size_t>(got)});
      ASSERT_TRUE(taken) << taken.error().text();
    }
  }

  std::optional<ServerProcess> server_;
};

TEST_P(ServersTest, EchoesPacketsOfAllSizes) {
  for (const std::size_t payload : {0U, 1U, 4U, 8U, 100U, 2046U, 2047U, 5000U, 65535U}) {
    const auto result = run_closed_loop(load(8, 4, payload, 400));
    ASSERT_TRUE(result) << payload << ": " << result.error().text();
    EXPECT_GE(result->packets, 400U);
    EXPECT_EQ(result->latency.count(), result->packets);
  }
}

TEST_P(ServersTest, ServesManyConnectionsWithManyInFlight) {
  const auto result = run_closed_loop(load(1500, 16, 4, 100'000));
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_GE(result->packets, 100'000U);
  EXPECT_GT(result->server.total, 0ns);
  EXPECT_GT(result->client.total, 0ns);
  EXPECT_GT(result->server_microseconds(), 0);
}

TEST_P(ServersTest, PutsPacketsTogetherWhereverTheyAreCut) {
  const Descriptor socket = connection();
  PacketSource source(1, 9);
  EchoChecker checker(1, 9);
  for (std::size_t cut = 1; cut < 33; ++cut) {
    Bytes three;
    for (int i = 0; i < 3; ++i) source.append_next(three);
    send_all(socket, BytesView(three).substr(0, cut));
    // The first part is surely read on its own when its whole packets have come back; with none
    // whole in it, this only makes it likely.
    expect_echoes(socket, checker, checker.seen() + cut / source.packet_size());
    send_all(socket, BytesView(three).substr(cut));
    expect_echoes(socket, checker, source.made());
  }
  EXPECT_EQ(checker.pending(), 0U);
}

TEST_P(ServersTest, APeerThatDoesNotReadStopsOnlyItself) {
  const Descriptor jammed = connection();
  const auto before = memory_usage(server_->ready().pid);
  PacketSource source(1, 1000);
  Bytes unsent;
  // Send until nothing moves any more. Should the wait be too short for a slow machine, the jam is
  // smaller and the test still right.
  while (true) {
    if (unsent.empty()) {
      for (int i = 0; i < 64; ++i) source.append_next(unsent);
    }
    const ssize_t sent = send(jammed.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      unsent.erase(0, static_cast<std::size_t>(sent));
      ASSERT_LT(source.made(), 500'000U) << "the server reads without end";
    } else if (!ready(jammed, POLLOUT, 200)) {
      break;
    }
  }
  const auto after = memory_usage(server_->ready().pid);
  ASSERT_TRUE(before && after);
  EXPECT_LT(after->anonymous, before->anonymous + 32 * 1024 * 1024);

  const auto others = run_closed_loop(load(64, 4, 100, 20'000));
  ASSERT_TRUE(others) << others.error().text();

  // Now it reads, and sends the rest meanwhile: all comes back, in order.
  EchoChecker checker(1, 1000);
  while (checker.seen() < source.made()) {
    std::array<char, 64 * 1024> bytes;
    if (!unsent.empty()) {
      const ssize_t sent = send(jammed.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
      if (sent > 0) unsent.erase(0, static_cast<std::size_t>(sent));
    }
    ASSERT_TRUE(ready(jammed, POLLIN));
    const ssize_t got = recv(jammed.get(), bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EAGAIN) continue;
    ASSERT_GT(got, 0);
    const auto taken = checker.take({bytes.data(), static_cast<std::size_t>(got)});
    ASSERT_TRUE(taken) << taken.error().text();
  }
  EXPECT_TRUE(unsent.empty());
}

TEST_P(ServersTest, AJammedPeerThatVanishesDoesNoHarm) {
  {
    const Descriptor jammed = connection();
    const Bytes many(4 * 1024 * 1024, '\0');  // two million empty packets
    BytesView rest = many;
    while (!rest.empty() && ready(jammed, POLLOUT, 50)) {
      const ssize_t sent = send(jammed.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    const linger reset = {1, 0};
    setsockopt(jammed.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  const auto result = run_closed_loop(load(16, 4, 4, 2'000));
  ASSERT_TRUE(result) << result.error().text();
}

TEST_P(ServersTest, ServesConnectionsThatLiveForOnePacket) {
  const auto result = run_churn(load(32, 1, 4, 2'000));
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_GE(result->packets, 2'000U);
  EXPECT_GT(result->server.total, 0ns);
}

TEST_P(ServersTest, AnswersWhatCameBeforeTheEndAndThenCloses) {
  for (int i = 0; i < 20; ++i) {
    const Descriptor socket = connection();
    PacketSource source(1, 20);
    Bytes packets;
    for (int packet = 0; packet < 10; ++packet) source.append_next(packets);
    EchoChecker checker(1, 20);
    send_all(socket, packets);
    expect_echoes(socket, checker, 10);
    shutdown(socket.get(), SHUT_WR);
    char byte = 0;
    ASSERT_TRUE(ready(socket, POLLIN));
    ASSERT_EQ(recv(socket.get(), &byte, 1, 0), 0);
  }
}

TEST_P(ServersTest, IdleConnectionsAreWeighed) {
  IdlePlan plan;
  plan.server = server_->ready().address;
  plan.pid = server_->ready().pid;
  plan.few = 100;
  plan.many = 1100;
  plan.stall = 60s;
  const auto result = run_idle(plan);
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_GT(result->at_few.anonymous, 0U);
  EXPECT_GE(result->bytes_per_connection(), 0);
  EXPECT_LT(result->bytes_per_connection(), 64 * 1024);
}

std::string test_name(const testing::TestParamInfo<ServerSpec>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == ' ') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ServersTest, testing::ValuesIn(servers_in(HAWSER_BENCH_SERVERS)),
                         test_name);

TEST(TlsServersTest, TheBareTlsLoopEchoesPacketsOfAllSizes) {
  const auto servers = tls_servers_in(HAWSER_BENCH_SERVERS);
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_TRUE(servers[0].floor);
  const auto server = ServerProcess::start(*split_command(servers[0].command), {});
  ASSERT_TRUE(server) << server.error().text();
  for (const std::size_t payload : {0U, 4U, 20'000U, 65'535U}) {
    LoadPlan plan;
    plan.server = server->ready().address;
    plan.pid = server->ready().pid;
    plan.connections = 20;
    plan.depth = 8;
    plan.payload = payload;
    plan.packets = 500;
    plan.warmup = 0ns;
    plan.stall = 20s;
    plan.wire = Wire::tls;
    const auto result = run_closed_loop(plan);
    ASSERT_TRUE(result) << result.error().text() << ", payload " << payload;
    EXPECT_GE(result->packets, 500U);
    plan.wire = Wire::plain;  // who speaks no TLS is sent away
    plan.connections = 1;
    EXPECT_FALSE(run_closed_loop(plan)) << payload;
  }
}

TEST(ServersFolderTest, TheBareLoopsAreThere) {
  const auto servers = servers_in(HAWSER_BENCH_SERVERS);
  ASSERT_GE(servers.size(), 2U);
  EXPECT_EQ(servers[0].name, "bare epoll");
  EXPECT_EQ(servers[1].name, "bare io_uring");
  EXPECT_TRUE(servers[0].floor && servers[1].floor);
  EXPECT_TRUE(servers_in("/nowhere").empty());
}

}  // namespace
}  // namespace hawser::bench
