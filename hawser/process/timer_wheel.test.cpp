// The wheel against a sorted map, and the promises its users rely on.
#include <hawser/process/timer_wheel.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace hawser {
namespace {

class Probe final : public Timer {
 public:
  explicit Probe(std::function<void()> action) : action_(std::move(action)) {}

 private:
  void fire() override { action_(); }
  std::function<void()> action_;
};

Instant at(Duration since) { return Instant{since}; }

TEST(TimerWheel, fires_once_its_tick_has_passed_and_never_early) {
  TimerWheel wheel(at(0ms));
  int fired = 0;
  Probe probe([&] { ++fired; });
  wheel.arm(probe, at(10ms));
  wheel.advance(at(10ms));
  EXPECT_EQ(fired, 0);
  wheel.advance(at(11ms));
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(probe.armed());
  wheel.advance(at(1h));
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, a_cancelled_and_a_destroyed_timer_never_fire) {
  TimerWheel wheel(at(0ms));
  int fired = 0;
  Probe probe([&] { ++fired; });
  wheel.arm(probe, at(5ms));
  probe.cancel();
  auto doomed = std::make_unique<Probe>([&] { ++fired; });
  wheel.arm(*doomed, at(5ms));
  doomed.reset();
  EXPECT_EQ(wheel.armed(), 0U);
  wheel.advance(at(1s));
  EXPECT_EQ(fired, 0);
}

TEST(TimerWheel, a_timer_may_cancel_its_neighbour_of_the_same_tick) {
  TimerWheel wheel(at(0ms));
  int fired = 0;
  std::unique_ptr<Probe> first, second;
  first = std::make_unique<Probe>([&] {
    ++fired;
    second->cancel();
  });
  second = std::make_unique<Probe>([&] {
    ++fired;
    first->cancel();
  });
  wheel.arm(*first, at(5ms));
  wheel.arm(*second, at(5ms));
  wheel.advance(at(1s));
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, a_timer_that_rearms_itself_in_the_past_cannot_hold_the_turn) {
  TimerWheel wheel(at(0ms));
  int fired = 0;
  std::unique_ptr<Probe> probe;
  probe = std::make_unique<Probe>([&] {
    ++fired;
    wheel.arm(*probe, at(0ms));
  });
  wheel.arm(*probe, at(0ms));
  wheel.advance(at(1ms));
  EXPECT_EQ(fired, 1);
  wheel.advance(at(2ms));
  EXPECT_EQ(fired, 2);
}

TEST(TimerWheel, timers_armed_together_fire_in_the_order_armed) {
  for (const Duration far : {Duration{5ms}, Duration{500ms}, Duration{1h}}) {
    TimerWheel wheel(at(0ms));
    std::vector<int> order;
    Probe a([&] { order.push_back(1); }), b([&] { order.push_back(2); }),
        c([&] { order.push_back(3); });
    wheel.arm(a, at(far));
    wheel.arm(b, at(far));
    wheel.arm(c, at(far));
    wheel.advance(at(far) + 10ms);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  }
}

TEST(TimerWheel, never_is_no_deadline_and_a_wheel_may_go_before_its_timers) {
  int fired = 0;
  Probe probe([&] { ++fired; });
  {
    TimerWheel wheel(at(0ms));
    wheel.arm(probe, Instant::never());
    EXPECT_FALSE(probe.armed());
    EXPECT_EQ(wheel.next_due(), Instant::never());
    wheel.arm(probe, at(1s));
  }
  EXPECT_FALSE(probe.armed());
}

// The model: a sorted map of deadlines. Random arms, moves, cancels and steps of any size must fire
// the same timers, none early, none later than one tick, and next_due() must never be late.
TEST(TimerWheel, agrees_with_a_sorted_map) {
  const bool holds = rc::check("wheel agrees with the model", [] {
    const auto start = at(std::chrono::milliseconds(*rc::gen::inRange<std::int64_t>(0, 1LL << 38)));
    TimerWheel wheel(start);
    Instant now = start;
    std::map<int, Instant> armed;
    std::vector<int> fired;
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 20; ++i)
      probes.push_back(std::make_unique<Probe>([&fired, i] { fired.push_back(i); }));
    const int steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
      const int which = *rc::gen::inRange(0, 20);
      const auto magnitude = *rc::gen::inRange(0, 40);
      const auto length =
          Duration{*rc::gen::inRange<std::int64_t>(0, (1LL << magnitude) + 1) * 1000};
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
        case 1:
          wheel.arm(*probes[static_cast<std::size_t>(which)], now + length);
          armed[which] = now + length;
          break;
        case 2:
          probes[static_cast<std::size_t>(which)]->cancel();
          armed.erase(which);
          break;
        default: {
          Instant earliest = Instant::never();
          for (const auto& [_, deadline] : armed) earliest = std::min(earliest, deadline);
          RC_ASSERT(armed.empty() == (wheel.next_due() == Instant::never()));
          if (!armed.empty()) RC_ASSERT(wheel.next_due() <= earliest + 2 * TimerWheel::tick);
          now = now + length;
          fired.clear();
          wheel.advance(now);
          for (const int i : fired) {
            RC_ASSERT(armed.contains(i));
            RC_ASSERT(armed[i] <= now);
            armed.erase(i);
          }
          for (const auto& [_, deadline] : armed) RC_ASSERT(deadline + 2 * TimerWheel::tick > now);
        }
      }
      RC_ASSERT(wheel.armed() == armed.size());
    }
  });
  EXPECT_TRUE(holds);
}

// A scheduler that sleeps until next_due() must reach the timer in a handful of looks, however far.
TEST(TimerWheel, sleeping_until_next_due_converges) {
  for (const Duration far :
       {Duration{3ms}, Duration{100ms}, Duration{7s}, Duration{25h}, Duration{24h * 400}}) {
    TimerWheel wheel(at(123456ms));
    bool fired = false;
    Probe probe([&] { fired = true; });
    wheel.arm(probe, at(123456ms) + far);
    int looks = 0;
    Instant now = at(123456ms);
    while (!fired && looks < 20) {
      const Instant due = wheel.next_due();
      ASSERT_GT(due, now);
      now = due;
      wheel.advance(now);
      ++looks;
    }
    EXPECT_TRUE(fired);
    EXPECT_LT(looks, 10);
    EXPECT_GE(now, at(123456ms) + far);
  }
}

}  // namespace
}  // namespace hawser
