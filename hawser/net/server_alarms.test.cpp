// Alarms: threshold, hysteresis, cooldown; on connections, accept errors and descriptors.
#include <hawser/net/server_alarms.hpp>
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
using testing::NetWorld;
using testing::Peer;
using testing::watch;
using testing::Watching;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(AlarmState, Tcp_R_04_HasAThresholdAHysteresisAndACooldown) {
  using enum ServerEvent::Kind;
  const Alarm alarm{.name = "a", .raise_at = 10, .clear_at = 5, .cooldown = 60s};
  detail::AlarmState state(alarm);
  const Instant begin{};
  EXPECT_EQ(state.update(9, begin), std::nullopt);
  EXPECT_EQ(state.update(10, begin), alarm_raised);
  EXPECT_EQ(state.update(500, begin + 1s), std::nullopt) << "raised once";
  EXPECT_EQ(state.update(6, begin + 2s), std::nullopt) << "not low enough";
  EXPECT_EQ(state.update(5, begin + 3s), alarm_cleared);
  EXPECT_EQ(state.update(10, begin + 4s), std::nullopt) << "cooling down";
  ASSERT_TRUE(state.due());
  EXPECT_EQ(*state.due(), begin + 60s);
  EXPECT_EQ(state.update(9, begin + 5s), std::nullopt);
  EXPECT_FALSE(state.due());
  EXPECT_EQ(state.update(11, begin + 60s), alarm_raised);
}

TEST(Server, Tcp_R_04_AnAlarmOnConnectionsIsRaisedClearedAndCoolsDown) {
  Events seen;
  std::vector<std::string> called;
  NetWorld net;
  ServerOptions options;
  options.alarms.push_back({.name = "many",
                            .raise_at = 10,
                            .clear_at = 5,
                            .cooldown = 30s,
                            .notify = [&](const ServerEvent& event) {
                              called.push_back(std::string(to_string(event.kind)) + " " +
                                               event.text + " " + std::to_string(event.count));
                            }});
  options.alarms.push_back(
      {.name = "few", .raise_at = 2, .cooldown = 0s, .notify = [](const auto&) {
         throw std::runtime_error("oops");
       }});
  const Address at = net.serve<Echo>(std::move(options));
  watch(net, seen);
  Peers peers;
  const auto become = [&](std::size_t count) {
    while (peers.size() > count) peers.pop_back();
    while (peers.size() < count) peers.push_back(net.connect(at));
    net.run(1s);
  };
  become(9);
  EXPECT_EQ(called, Packets{});
  become(12);
  EXPECT_EQ(called, Packets{"alarm raised many 10"});
  become(6);
  become(12);
  EXPECT_EQ(called.size(), 1U) << "between the levels nothing happens";
  become(5);
  EXPECT_EQ(called.back(), "alarm cleared many 5");
  become(12);
  EXPECT_EQ(called.size(), 2U) << "it cools down";
  net.run(30s);
  ASSERT_EQ(called.size(), 3U) << "still so many when it may be raised again";
  EXPECT_EQ(called.back(), "alarm raised many 12");
  EXPECT_EQ(seen.starting_with("alarm raised"), 3U);
  EXPECT_EQ(seen.count("alarm raised 2 few"), 1U);
  EXPECT_EQ(net.lines_with("its function threw: oops"), 1U);
  become(0);
  EXPECT_EQ(seen.count("alarm cleared 0 few"), 1U);
}

TEST(Server, Tcp_R_04_AnAlarmOnAcceptErrorsCountsThemBySecond) {
  Events seen;
  NetWorld net;
  ServerOptions options;
  options.alarms.push_back(
      {.name = "errors", .on = Alarm::On::accept_errors, .raise_at = 20, .clear_at = 2});
  const Address at = net.serve<Echo>(std::move(options));
  watch(net, seen);
  Peers peers;
  const auto fail = [&](std::size_t times) {
    net.world().host("server").fail_accepts(std::vector<int>(times, ECONNABORTED));
    peers.push_back(net.connect(at));
    net.run(2s);
  };
  const auto timers = net.left().timers;
  fail(10);
  EXPECT_EQ(seen.all, Packets{});
  fail(25);
  ASSERT_EQ(seen.all.size(), 2U);
  EXPECT_EQ(seen.all[0], "alarm raised 25 errors");
  EXPECT_EQ(seen.all[1], "alarm cleared 0 errors") << "a second without any";
  EXPECT_EQ(net.left().timers, timers) << "nothing ticks when there are none";
}

TEST(Server, Tcp_R_04_AShortageOfDescriptorsIsAnEventAndAnAlarm) {
  Events seen;
  NetWorld net;
  ServerOptions options;
  options.alarms.push_back({.name = "short", .on = Alarm::On::descriptors});
  const Address at = net.serve<Echo>(std::move(options));
  watch(net, seen);
  sim::Host& host = net.world().host("server");
  host.set_descriptor_limit(host.open_descriptors());
  auto peer = net.connect(at);
  net.run(5s);
  ASSERT_EQ(seen.all.size(), 2U);
  EXPECT_TRUE(seen.all[0].starts_with("accept paused 0 ")) << seen.all[0];
  EXPECT_EQ(seen.all[1], "alarm raised 1 short");
  host.set_descriptor_limit(1000);
  net.run(1s);
  ASSERT_EQ(seen.all.size(), 4U);
  EXPECT_EQ(seen.all[2], "accept resumed 0");
  EXPECT_EQ(seen.all[3], "alarm cleared 0 short");
}

TEST(Server, AWatcherMayLeave) {
  Events seen;
  NetWorld net;
  net.serve<Echo>({});
  const auto watcher = net.system->spawn<Watching>({}, &seen, server_monitor(*net.system, "it"));
  ASSERT_TRUE(watcher.has_value());
  net.run();
  const auto before = net.left();
  server_monitor(*net.system, "it").cast(WatchServer{watcher->pid(), false});
  ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  net.run();
  EXPECT_TRUE(seen.all.empty());
  // One that ends without a word is forgotten.
  server_monitor(*net.system, "it").cast(WatchServer{watcher->pid()});
  net.run();
  send_exit(watcher->pid(), Reason::killed());
  net.run();
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  EXPECT_LE(net.left().processes, before.processes);
}

}  // namespace
}  // namespace hawser
