// Dialing over many seeds: against a model of when it must connect, in any weather, and once on a
// real kernel.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/detail/address_order.hpp>
#include <hawser/net/testing/dial_world.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace hawser::detail {
namespace {

using testing::Caller;
using ::testing::HasSubstr;
using testing::NetWorld;
using testing::Service;
using ::testing::StartsWith;

using Family = Service::Family;

struct Behaviour {
  enum class Kind : std::uint8_t { answers, refuses, silent } kind;
  Duration round_trip;
};

/// When each attempt begins if each timer fires `late` after its time, and what comes of it.
struct Forecast {
  std::vector<Instant> connects;  // never() for those that do not
  Instant first_connect = Instant::never();
  Instant all_refused = Instant::never();
};
Forecast forecast(const std::vector<Behaviour>& row, Instant begin, Duration delay, Duration late) {
  Forecast result;
  Instant last_refusal = begin;
  bool all_refuse = true;
  for (const Behaviour& each : row) {
    const Instant answer = begin + each.round_trip + late;
    result.connects.push_back(each.kind == Behaviour::Kind::answers ? answer : Instant::never());
    result.first_connect = std::min(result.first_connect, result.connects.back());
    Instant next = begin + delay + late;
    if (each.kind == Behaviour::Kind::refuses) {
      next = std::min(next, answer);
      last_refusal = std::max(last_refusal, answer);
    } else {
      all_refuse = false;
    }
    begin = next;
  }
  if (all_refuse) result.all_refused = last_refusal;
  return result;
}

TEST(DialingProperty, connects_as_early_as_the_addresses_allow) {
  unsigned connected = 0, refused = 0, timed_out = 0, destroyed = 0;
  const auto report = sim::for_each_seed(
      200,
      [&](sim::World& world) {
        NetWorld net(world, 1);
        Service service(net);
        Caller caller(net);
        Random& random = world.random();
        const auto between = [&](Duration least, Duration most) {
          return least + Duration{static_cast<Duration::rep>(
                             random.below(static_cast<std::uint64_t>((most - least).count())))};
        };
        std::vector<Address> found;
        std::vector<Behaviour> behaviours;
        const bool hopeless = random.chance(0.3);
        for (auto left = 1 + random.below(8); left > 0; --left) {
          const Family family = random.chance(0.5) ? Family::ipv4 : Family::ipv6;
          const Duration way = random.chance(0.5) ? between(100us, 5ms) : between(5ms, 400ms);
          const auto kind =
              static_cast<Behaviour::Kind>(hopeless ? 1 + random.below(2) : random.below(3));
          found.push_back(kind == Behaviour::Kind::answers   ? service.answers(way, family)
                          : kind == Behaviour::Kind::refuses ? service.refuses(way, family)
                                                             : service.silent(family));
          behaviours.push_back({kind, 2 * way});
          if (random.chance(0.2)) world.add_name("service", found[random.below(found.size())]);
        }
        const DialOptions options{.host = "service",
                                  .port = Service::port,
                                  .timeout = between(200ms, 4s),
                                  .attempt_delay = between(10ms, 500ms),
                                  .first_family = static_cast<FirstFamily>(random.below(3))};
        std::vector<Behaviour> row;
        for (const Address& each : interleaved(found, options.first_family))
          row.push_back(
              behaviours[static_cast<std::size_t>(std::ranges::find(found, each) - found.begin())]);

        caller.start(options);
        if (random.chance(0.15)) {
          net.run(between(0s, 1s));
          caller.destroy();
          const unsigned told = caller.told;
          net.run(5s);
          EXPECT_EQ(caller.told, told);
          caller.expect_nothing_left();
          ++destroyed;
          return;
        }
        const std::string end = caller.end();
        // The look-up takes 50 to 200 µs; a timer is up to 1 ms late.
        const Forecast soonest = forecast(row, caller.begun + 50us, options.attempt_delay, 0s);
        const Forecast latest = forecast(row, caller.begun + 1ms, options.attempt_delay, 1200us);
        const Instant deadline = caller.begun + options.timeout;
        if (caller.connected_to) {
          ++connected;
          EXPECT_GE(caller.ended, soonest.first_connect);
          EXPECT_LE(caller.ended, latest.first_connect);
          const auto order = interleaved(found, options.first_family);
          const auto winner = static_cast<std::size_t>(
              std::ranges::find(order, *caller.connected_to) - order.begin());
          ASSERT_LT(winner, row.size());
          EXPECT_LE(soonest.connects[winner], latest.first_connect) << "another was sooner";
        } else if (caller.reason.kind() == Reason::Kind::failed) {
          ++refused;
          EXPECT_NE(soonest.all_refused, Instant::never()) << end;
          EXPECT_GE(caller.ended, soonest.all_refused);
          EXPECT_LE(caller.ended, latest.all_refused);
        } else {
          ++timed_out;
          EXPECT_EQ(caller.reason.kind(), Reason::Kind::timeout) << end;
          EXPECT_GE(caller.ended, deadline);
          EXPECT_LE(caller.ended, deadline + 2ms);
          EXPECT_GE(std::min(latest.first_connect, latest.all_refused), deadline) << end;
        }
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=DialingProperty.connects_as_early_as_the_addresses_allow"});
  EXPECT_TRUE(report) << report.reason;
  if (report.runs == 200) {
    for (const unsigned each : {connected, refused, timed_out, destroyed}) EXPECT_GE(each, 10u);
  }
}

TEST(DialingProperty, tells_once_and_leaves_nothing_in_any_weather) {
  const auto report = sim::for_each_seed(
      200,
      [](sim::World& world) {
        NetWorld net(world, 1);
        Random& random = world.random();
        world.set_faults(sim::Faults::swarm(random));
        Service service(net);
        for (auto left = random.below(6); left > 0; --left) {
          random.chance(0.3)   ? service.silent()
          : random.chance(0.5) ? service.refuses(3ms)
                               : service.answers(3ms);
        }
        std::vector<std::unique_ptr<Caller>> callers;
        for (int i = 0; i < 5; ++i) {
          callers.push_back(std::make_unique<Caller>(net));
          callers.back()->start({.host = "service", .port = Service::port, .timeout = 7s});
          net.run(Duration{static_cast<Duration::rep>(random.below(300'000'000))});
        }
        net.run(8s);
        for (const auto& each : callers) EXPECT_EQ(each->told, 1u);
        net.run(10s);  // whatever the kernel still holds
        for (const auto& each : callers) EXPECT_EQ(each->told, 1u);
        callers.front()->expect_nothing_left();
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=DialingProperty.tells_once_and_leaves_nothing_in_any_weather"});
  EXPECT_TRUE(report) << report.reason;
}

// ---- on a real kernel

/// Connects once and opens the gate.
struct RealCaller final : Dialing::Owner {
  void dialed(NativeSocket got) override {
    socket = std::move(got);
    gate.open();
  }
  void dial_failed(Reason why) override {
    reason = std::move(why);
    gate.open();
  }
  Gate gate;
  NativeSocket socket;
  Reason reason;
};
struct DeafEars final : AcceptEvents {
  void on_accepted(NativeSocket) override {}
  void on_accept_failed(const Error&, bool) override {}
};

/// "localhost" has ::1 too on most machines: nobody listens there, and 127.0.0.1 is next.
TEST(DialingReal, reaches_localhost_whichever_of_its_addresses_answers) {
  for (const EngineChoice choice : {EngineChoice::automatic, EngineChoice::epoll}) {
    const auto environment = make_real_environment({.engine = choice, .schedulers = 1});
    SystemOptions options;
    options.schedulers = 1;
    options.log_level = LogLevel::off;
    System system(*environment, options);
    ASSERT_TRUE(system.launch());
    DeafEars ears;
    RealCaller caller, refused;
    std::vector<std::shared_ptr<Dialing>> dialings;
    SocketId listener;
    ASSERT_TRUE(system.run_on(0, [&](Scheduler& scheduler) {
      auto listening =
          scheduler.engine().listen(Address::loopback(0), {.start_paused = true}, ears);
      ASSERT_TRUE(listening) << listening.error().text();
      listener = listening->id;
      auto unused = scheduler.engine().listen(Address::loopback(0), {.start_paused = true}, ears);
      ASSERT_TRUE(unused);
      scheduler.engine().close_now(unused->id);
      for (auto* each : {&caller, &refused}) {
        const auto at = each == &caller ? listening->bound.port() : unused->bound.port();
        dialings.push_back(std::make_shared<Dialing>(
            scheduler, *each, DialOptions{.host = "localhost", .port = at, .timeout = 60s}));
        dialings.back()->start();
      }
    }));
    EXPECT_TRUE(environment->wait(caller.gate, 60s));
    EXPECT_TRUE(environment->wait(refused.gate, 60s));
    ASSERT_TRUE(system.run_on(0, [&](Scheduler& scheduler) {
      EXPECT_TRUE(caller.socket) << caller.reason.text();
      EXPECT_THAT(refused.reason.text(), StartsWith("failed: connect localhost:"));
      EXPECT_THAT(refused.reason.text(), HasSubstr("nobody listens on 127.0.0.1:"));
      caller.socket = NativeSocket();
      dialings.clear();
      scheduler.engine().close_now(listener);
    }));
    EXPECT_TRUE(system.stop(10s));
  }
}

}  // namespace
}  // namespace hawser::detail
