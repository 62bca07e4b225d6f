// Listing connections: all of them, in order, while they come and go, and no scheduler held up.
#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::framed;
using testing::NetWorld;
using testing::Peer;

using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_E_03_EveryConnectionIsListedWithItsFigures) {
  NetWorld net(1, 1);
  const Address at = net.serve<Echo>({});
  Peers peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(net.connect(at));
    net.run(1s);
  }
  for (const auto& each : peers) each->send(framed("abc"));
  net.run(1s);
  const auto list = server_connections(*net.system, "it");
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->size(), 3U);
  for (const ConnectionInfo& info : *list) {
    EXPECT_TRUE(info.pid);
    EXPECT_TRUE(info.peer.text().starts_with("10.0.0.2:")) << info.peer.text();
    EXPECT_GE(info.age, 1s);
    EXPECT_EQ(info.packets_in, 1U);
    EXPECT_EQ(info.bytes_out, 5U);
    EXPECT_EQ(info.unsent, 0U);
    EXPECT_TRUE(info.reading);
  }
  const bool oldest_first = std::is_sorted(
      list->begin(), list->end(), [](const auto& a, const auto& b) { return a.age > b.age; });
  EXPECT_TRUE(oldest_first);
  EXPECT_EQ(server_connections(*net.system, "nobody").error().kind, ErrorKind::not_found);
}

TEST(Server, Tcp_E_03_ThousandsAreListedInPiecesWhileTheyComeAndGo) {
  NetWorld net(7, 1);
  ServerOptions options;
  options.backlog = 4'000;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 3'000; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  ASSERT_EQ(net.status().connections, 3'000U);
  struct Asking {
    Ref<ConnectionSupervisor> supervisor;
    std::vector<ConnectionInfo>* list;
    bool* done;
    void init() { self().start(run()); }
    Task<> run() {
      auto listed = co_await supervisor.call(ListConnections{});
      if (listed) *list = std::move(*listed);
      *done = true;
    }
  };
  std::vector<ConnectionInfo> list;
  bool done = false;
  const Instant begun = net.world().now();
  ASSERT_TRUE(
      net.system
          ->spawn<Asking>({}, Ref<ConnectionSupervisor>(net.system->whereis("it/connections/0")),
                          &list, &done)
          .has_value());
  // In the middle of it all leave but every third, also the one whose turn is next; and some come.
  for (std::size_t i = 0; i < peers.size(); ++i)
    if (i % 3 != 1) peers[i]->close();
  for (int i = 0; i < 100; ++i) peers.push_back(net.connect(at));
  ASSERT_TRUE(net.until([&] { return done; }, 5s));
  EXPECT_GE(net.world().now() - begun, 4ms) << "in pieces: the engine polls between them";
  EXPECT_GE(list.size(), 1'000U);
  EXPECT_LE(list.size(), 3'000U);
  std::vector<Pid> pids;
  for (const auto& info : list) pids.push_back(info.pid);
  std::sort(pids.begin(), pids.end());
  EXPECT_EQ(std::unique(pids.begin(), pids.end()), pids.end()) << "nobody twice";
}

TEST(Server, Tcp_E_03_ListingsAreBoundedInNumberAndEndWithTheServer) {
  NetWorld net(7, 1);
  ServerOptions options;
  options.backlog = 2'000;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 1'500; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  ASSERT_EQ(net.status().connections, 1'500U);
  struct Asking {
    Ref<ConnectionSupervisor> supervisor;
    std::vector<ErrorKind>* errors;
    int* done;
    void init() { self().start(run()); }
    Task<> run() {
      const auto listed = co_await supervisor.call(ListConnections{});
      if (!listed) errors->push_back(listed.error().kind);
      ++*done;
    }
  };
  std::vector<ErrorKind> errors;
  int done = 0;
  const Ref<ConnectionSupervisor> supervisor(net.system->whereis("it/connections/0"));
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(net.system->spawn<Asking>({}, supervisor, &errors, &done).has_value());
  ASSERT_TRUE(net.until([&] { return done == 20; }, 5s));
  EXPECT_EQ(std::count(errors.begin(), errors.end(), ErrorKind::overloaded),
            static_cast<std::ptrdiff_t>(errors.size()));
  EXPECT_LE(errors.size(), 4U);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(net.system->spawn<Asking>({}, supervisor, &errors, &done).has_value());
  send_exit(supervisor.pid(), Reason::killed());
  ASSERT_TRUE(net.until([&] { return done == 23; }, 5s)) << "each is answered, one way or other";
}

TEST(Server, Tcp_EB_12_ConnectionsEndInAnyOrderAndTheListIsRight) {
  NetWorld net(3, 1);
  ServerOptions options;
  options.backlog = 3'000;
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 2'000; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  ASSERT_EQ(net.status().connections, 2'000U);
  while (!peers.empty()) {
    for (std::size_t i = 0; i < 500; ++i) {
      const std::size_t chosen = net.world().random().below(peers.size());
      std::swap(peers[chosen], peers.back());
      peers.pop_back();
    }
    net.run(1s);
    ASSERT_EQ(net.status().connections, peers.size());
    const auto list = server_connections(*net.system, "it");
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->size(), peers.size());
    // Whoever comes is the last of them, also behind one that has just ended.
    auto fresh = net.connect(at);
    net.run();
    const auto with_fresh = server_connections(*net.system, "it");
    ASSERT_TRUE(with_fresh.has_value());
    ASSERT_EQ(with_fresh->size(), peers.size() + 1);
    if (!list->empty()) {
      ASSERT_GT(list->back().age, with_fresh->back().age);
    }
    fresh.reset();
    net.run();
  }
}

}  // namespace
}  // namespace hawser
