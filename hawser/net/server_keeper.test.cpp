// The keeper: an outside list of connections, told of each start and end exactly once.
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
using testing::NetWorld;
using testing::Peer;
using testing::Scripted;

using Peers = std::vector<std::unique_ptr<Peer>>;

/// Tells a line for each message of a server.
struct Clerk {
  Events* events;
  void handle_info(Info& info) const {
    if (const auto* started = info.get<ConnectionStarted>())
      events->add("started at " + started->server + " " + started->info.peer.text());
    if (const auto* ended = info.get<ConnectionEnded>())
      events->add("ended " + ended->info.peer.text() + " " +
                  std::to_string(ended->info.packets_in) + " " + ended->reason.text());
  }
};

TEST(Server, Tcp_E_29_E_30_FunctionsAreToldOfEachConnection) {
  Events seen;
  NetWorld net;
  ServerOptions options;
  std::vector<std::pair<Pid, std::string>> live;
  options.keeper.started = [&](const ConnectionInfo& info) {
    live.emplace_back(info.pid, info.peer.text());
  };
  options.keeper.ended = [&](const ConnectionInfo& info, const Reason& reason) {
    const auto found = std::find_if(live.begin(), live.end(),
                                    [&](const auto& each) { return each.first == info.pid; });
    ASSERT_NE(found, live.end());
    EXPECT_EQ(found->second, info.peer.text()) << "the peer is known to the end";
    live.erase(found);
    seen.add(std::to_string(info.packets_in) + " " + reason.text());
  };
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  auto crashing = net.connect(at);
  auto staying = net.connect(at);
  net.run();
  EXPECT_EQ(live.size(), 3U);
  peer->send(framed("a") + framed("b"));
  crashing->send(framed("crash"));
  net.run();
  peer->close();
  net.run();
  EXPECT_EQ(live.size(), 1U);
  EXPECT_EQ(seen.starting_with("0 crash: boom") + seen.starting_with("1 crash: boom"), 1U)
      << "with the packet it crashed on counted, or not";
  EXPECT_EQ(seen.starting_with("2 closed"), 1U);
  ASSERT_TRUE(stop_server(*net.system, "it").has_value());
  EXPECT_TRUE(live.empty()) << "told before the server is down";
  EXPECT_EQ(seen.count("0 shutdown"), 1U);
  EXPECT_EQ(seen.all.size(), 3U);
}

TEST(Server, Tcp_E_29_AProcessOrAChildOfTheServerMayKeepTheList) {
  Events seen;
  Events own;
  NetWorld net;
  const auto clerk = net.system->spawn<Clerk>({}, &seen);
  ASSERT_TRUE(clerk.has_value());
  ServerOptions options;
  options.keeper.pid = clerk->pid();
  options.keeper.child = worker<Clerk>("clerk", &own);
  const Address at = net.serve<Echo>(std::move(options));
  auto peer = net.connect(at);
  net.run();
  peer->send(framed("x"));
  net.run();
  peer->close();
  net.run();
  for (const Events* each : {&seen, &own}) {
    ASSERT_EQ(each->all.size(), 2U);
    EXPECT_TRUE(each->all[0].starts_with("started at it 10.0.0.2:")) << each->all[0];
    EXPECT_TRUE(each->all[1].starts_with("ended 10.0.0.2:")) << each->all[1];
    EXPECT_TRUE(each->all[1].find(" 1 closed") != std::string::npos) << each->all[1];
  }
  // A child that crashes is started again and told what comes then.
  const auto children =
      net.system->call(Ref<Supervisor>(net.system->whereis("it")), WhichChildren{});
  ASSERT_TRUE(children.has_value());
  ASSERT_EQ(children->front().id, "clerk");
  send_exit(children->front().pid, Reason::killed());
  net.run();
  auto second = net.connect(at);
  net.run();
  EXPECT_EQ(own.starting_with("started"), 2U);
  net.finish();
}

TEST(Server, Tcp_E_29_ThoseThatAreKilledWithTheirSupervisorAreToldToo) {
  int live = 0;
  NetWorld net;
  ServerOptions options;
  options.keeper.started = [&](const ConnectionInfo&) { ++live; };
  options.keeper.ended = [&](const ConnectionInfo&, const Reason&) { --live; };
  const Address at = net.serve<Echo>(std::move(options));
  Peers peers;
  for (int i = 0; i < 10; ++i) peers.push_back(net.connect(at));
  net.run();
  EXPECT_EQ(live, 10);
  send_exit(net.system->whereis("it/connections/0"), Reason::killed());
  net.run(1s);
  EXPECT_EQ(live, 5);
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  EXPECT_EQ(live, 0);
}

TEST(Server, Tcp_E_28_AKeeperThatThrowsHurtsNobody) {
  NetWorld net;
  ServerOptions options;
  options.keeper.started = [](const ConnectionInfo&) { throw std::runtime_error("full"); };
  const Address at = net.serve<Echo>(std::move(options));
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(peer->received, framed("x"));
  EXPECT_EQ(net.lines_with("keeper.started threw: full"), 1U);
}

TEST(Server, Tcp_E_44_AConnectionThatIsDeclinedInInitWasNeverThere) {
  struct Picky {
    static Next init() { return stop(); }
    void handle_packet(Packet) {}
  };
  NetWorld net;
  int told = 0;
  ServerOptions options;
  options.keeper.started = [&](const ConnectionInfo&) { ++told; };
  options.keeper.ended = [&](const ConnectionInfo&, const Reason&) { ++told; };
  const Address at = net.serve<Picky>(std::move(options));
  auto peer = net.connect(at);
  net.run(1s);
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(told, 0);
  EXPECT_EQ(net.status().not_started, 1U);
  EXPECT_EQ(net.status().connections, 0U);
  EXPECT_EQ(net.lines_with("could not start"), 0U) << "it is no fault";
}

}  // namespace
}  // namespace hawser
