// How loops get their turns: fairness, sleep and wake-up, time, gates, livelocks, crashes of hosts.
#include <hawser/engine/sim/detail/test_peers.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace hawser::sim {
namespace {

using detail::Pair;
using detail::PollLoop;
using detail::Recorder;

/// Always has something to do, until it has had `limit` turns.
class BusyLoop final : public Loop {
 public:
  BusyLoop(Engine& engine, unsigned limit, std::vector<int>& order, int name)
      : engine_(&engine), limit_(limit), order_(&order), name_(name) {}
  bool turn() override {
    order_->push_back(name_);
    engine_->poll(engine_->now());
    return ++turns < limit_;
  }
  Engine& engine() noexcept override { return *engine_; }
  unsigned turns = 0;

 private:
  Engine* engine_;
  unsigned limit_;
  std::vector<int>* order_;
  int name_;
};

std::vector<int> interleaving(std::uint64_t seed) {
  World world(seed);
  Host& host = world.host("server");
  std::array<std::unique_ptr<Engine>, 3> engines{host.make_engine(), host.make_engine(),
                                                 host.make_engine()};
  std::vector<int> order;
  BusyLoop first(*engines[0], 1000, order, 0), second(*engines[1], 1000, order, 1),
      third(*engines[2], 1000, order, 2);
  Loop* loops[] = {&first, &second, &third};
  host.start(loops);
  host.join();
  EXPECT_EQ(order.size(), 3000U);
  return order;
}

TEST(SimTurns, BusyLoopsShareTheTurnsInAnOrderOfTheSeed) {
  const std::vector<int> order = interleaving(1);
  std::array<unsigned, 3> early{};
  for (std::size_t turn = 0; turn < 900; ++turn) ++early.at(static_cast<std::size_t>(order[turn]));
  for (const unsigned share : early) EXPECT_GT(share, 200U) << "each had about a third";
  EXPECT_EQ(order, interleaving(1));
  EXPECT_NE(order, interleaving(2));
}

/// Sleeps until a given time, again and again.
class TimerLoop final : public Loop {
 public:
  TimerLoop(Engine& engine, Duration period) : engine_(&engine), period_(period) {}
  bool turn() override {
    const Instant now = engine_->now();
    if (next_ <= now) {
      fired.push_back(now);
      next_ = now + period_;
    }
    ++turns;
    engine_->poll(next_);
    return fired.size() < 5;
  }
  Engine& engine() noexcept override { return *engine_; }
  std::vector<Instant> fired;
  unsigned turns = 0;

 private:
  Engine* engine_;
  Duration period_;
  Instant next_{};
};

TEST(SimTurns, TimeJumpsToWhatALoopWaitsFor) {
  World world(1);
  Host& host = world.host("server");
  const auto engine = host.make_engine();
  TimerLoop loop(*engine, 10min);
  Loop* loops[] = {&loop};
  host.start(loops);
  host.join();
  ASSERT_EQ(loop.fired.size(), 5U);
  for (std::size_t index = 1; index < 5; ++index) {
    EXPECT_EQ(loop.fired[index] - loop.fired[index - 1], 10min);
  }
  EXPECT_LE(loop.turns, 12U) << "a sleeping loop costs no turns";
}

TEST(SimTurns, WakeEndsASleep) {
  Pair pair(1);
  pair.run(1s);
  const unsigned before = pair.client_loop.turns;
  pair.world.run_for(100s);
  EXPECT_EQ(pair.client_loop.turns, before) << "nothing to do, no turn";
  pair.client->wake();
  pair.world.run_for(1s);
  EXPECT_GT(pair.client_loop.turns, before);
}

TEST(SimTurns, WaitRunsTheWorldUntilTheGateOpens) {
  Pair pair(1);
  Gate gate;
  const Instant begin = pair.world.now();
  EXPECT_FALSE(pair.client_host.wait(gate, 3s));
  EXPECT_EQ(pair.world.now() - begin, 3s);
  pair.client->run_blocking([] {}, [&gate] { gate.open(); });
  EXPECT_TRUE(pair.client_host.wait(gate, 3s));
  EXPECT_LT(pair.world.now() - begin, 4s);
}

TEST(SimTurns, ALivelockIsReportedWithItsSeed) {
  WorldOptions options;
  options.turns_without_time = 1000;
  World world(4711, options);
  Host& host = world.host("server");
  const auto engine = host.make_engine();
  std::vector<int> order;
  BusyLoop loop(*engine, 1'000'000, order, 0);
  Loop* loops[] = {&loop};
  host.start(loops);
  try {
    world.run_for(1s);
    FAIL() << "a loop that spins for ever went unnoticed";
  } catch (const Livelock& livelock) {
    EXPECT_NE(std::string(livelock.what()).find("HAWSER_SEED=4711"), std::string::npos)
        << livelock.what();
  }
  host.crash();  // the loop must not be touched any more
}

TEST(SimTurns, JoinThatCannotEndThrows) {
  WorldOptions options;
  options.join_limit = 10s;
  Pair pair(1, options);
  EXPECT_THROW(pair.server_host.join(), std::runtime_error);
  pair.server_loop.stop = true;
  pair.wake();
  pair.server_host.join();
}

TEST(SimTurns, APausedHostHangsButItsKernelAnswers) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000)));
  pair.run(1s);
  pair.server_host.pause();
  Recorder peer(*pair.client);
  peer.greeting = "anybody?";
  ASSERT_TRUE(pair.connect(peer)) << "the kernel accepts into its backlog";
  pair.run(60s);
  EXPECT_EQ(peer.received, "");
  EXPECT_EQ(pair.client->unsent(peer.id), 0U) << "the peer's kernel has taken it";
  pair.server_host.resume();
  pair.run(1s);
  EXPECT_EQ(peer.received, "anybody?");
}

TEST(SimTurns, ACrashedHostIsSilentAndARestartedOneResets) {
  Pair pair(1);
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  pair.run(1s);
  pair.server_host.crash();
  pair.run(60s);
  EXPECT_EQ(peer.failures + peer.ends, 0U) << "nobody said anything";
  peer.send("still there?");
  pair.run(60s);
  EXPECT_EQ(peer.failures + peer.ends, 0U);
  EXPECT_FALSE(pair.server->listen(Address::any_ipv4(1), {}, pair.acceptor))
      << "its engine is dead";
  pair.server_host.join();  // a crashed host has no loops

  pair.server_host.restart();
  ASSERT_TRUE(pair.until([&] { return peer.failures == 1; }, 5s));
  EXPECT_EQ(peer.failure.code, ECONNRESET);

  const auto reborn = pair.server_host.make_engine();
  PollLoop loop(*reborn);
  Loop* loops[] = {&loop};
  pair.server_host.start(loops);
  detail::Acceptor acceptor(*reborn);
  acceptor.echo = true;
  ASSERT_TRUE(acceptor.listen(Address::any_ipv4(7000))) << "its port is free again";
  Recorder again(*pair.client);
  again.greeting = "hello";
  again.connect(pair.server_host.address(7000));
  pair.run(1s);
  EXPECT_EQ(again.received, "hello");
}

TEST(SimTurns, AFileOfACrashedHostsUnixSocketIsNoObstacle) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::unix_path("/run/x")));
  pair.server_host.crash();
  pair.server_host.restart();
  const auto reborn = pair.server_host.make_engine();
  Recorder early(*reborn);
  early.connect(Address::unix_path("/run/x"));
  reborn->poll(reborn->now() + 1s);
  reborn->poll(reborn->now() + 1s);
  EXPECT_EQ(early.failure.code, ECONNREFUSED) << "the file is there, its program is not";
  detail::Acceptor acceptor(*reborn);
  EXPECT_TRUE(acceptor.listen(Address::unix_path("/run/x")));
}

TEST(SimTurns, ASocketInTransitDiesWithItsHostsLife) {
  Pair pair(1);
  class Keeper final : public AcceptEvents {
   public:
    void on_accepted(NativeSocket socket) override { kept = std::move(socket); }
    void on_accept_failed(const Error&, bool) override {}
    NativeSocket kept;
  } keeper;
  ASSERT_TRUE(pair.server->listen(Address::any_ipv4(7000), {}, keeper));
  Recorder peer(*pair.client);
  peer.connect(pair.server_host.address(7000));
  pair.run(1s);
  ASSERT_TRUE(keeper.kept);
  pair.server_host.crash();
  pair.server_host.restart();
  const auto reborn = pair.server_host.make_engine();
  detail::Acceptor one(*reborn), two(*reborn), three(*reborn);
  ASSERT_TRUE(one.listen(Address::any_ipv4(1)));
  ASSERT_TRUE(two.listen(Address::any_ipv4(2)));
  ASSERT_TRUE(three.listen(Address::any_ipv4(3)));
  EXPECT_EQ(pair.server_host.open_descriptors(), 3U);
  keeper.kept.reset();
  EXPECT_EQ(pair.server_host.open_descriptors(), 3U) << "the number belongs to another life";
}

}  // namespace
}  // namespace hawser::sim
