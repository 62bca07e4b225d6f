// Timers by name: when they come, what stops them, and that nothing else does.
#include <hawser/process/sys.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::in_worlds;
using testing::ProcessWorld;

struct TimedWork {
  std::function<Next()> work;
};

/// Writes down each timer's name and what time it was, in milliseconds since its start.
struct Keeper {
  testing::Events* events;
  std::function<void(std::string_view)> on_timer = {};
  Instant begun = self().now();

  Next handle_cast(TimedWork task) { return task.work(); }
  void handle_timer(std::string_view name) {
    events->add(std::string(name) + " " + std::to_string((self().now() - begun) / 1ms));
    if (on_timer) on_timer(name);
  }
  void timeout() { events->add("idle " + std::to_string((self().now() - begun) / 1ms)); }
};

Ref<Keeper> keeper(ProcessWorld& w, std::function<void(std::string_view)> on_timer = {}) {
  return *w.system.spawn_on<Keeper>(w.on(1), {}, &w.events, std::move(on_timer));
}
void in(ProcessWorld& w, Ref<Keeper> process, std::function<void()> work) {
  process.cast(TimedWork{[work = std::move(work)] {
    work();
    return keep();
  }});
  w.settle(5ms);
}
int at(const std::string& event) { return std::stoi(event.substr(event.rfind(' '))); }

TEST(NamedTimers, OneComesOnceNotBeforeItsTime) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] { self().start_timer("beat", 50ms); });
    w.settle(500ms);
    ASSERT_EQ(w.events.with("beat").size(), 1U);
    EXPECT_GE(at(w.events.all().front()), 50);
    EXPECT_LE(at(w.events.all().front()), 60);
    in(w, k, [] { EXPECT_FALSE(self().cancel_timer("beat")); });
  });
}

TEST(NamedTimers, APeriodicOneDoesNotDrift) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    k.cast(TimedWork{[] {
      self().start_timer("beat", 10ms, TimerMode::periodic);
      return keep();
    }});
    w.settle(10s + 8ms);
    const auto beats = w.events.with("beat");
    ASSERT_GE(beats.size(), 999U);
    ASSERT_LE(beats.size(), 1000U);
    const int first = at(beats.front());
    for (std::size_t i = 0; i < beats.size(); ++i)
      ASSERT_NEAR(at(beats[i]), first + 10 * static_cast<int>(i), 2);
  });
}

TEST(NamedTimers, StartingANameAgainReplacesIt) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] {
      self().start_timer("beat", 10ms, TimerMode::periodic);
      self().start_timer("beat", 100ms);
      EXPECT_EQ(self().process().timer_count(), 1U);
    });
    w.settle(1s);
    ASSERT_EQ(w.events.with("beat").size(), 1U);
    EXPECT_GE(at(w.events.all().front()), 100);
  });
}

TEST(NamedTimers, ACancelledOneNeverComesAndCancelSaysWhetherItWasArmed) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] {
      self().start_timer("a", 10ms);
      self().start_timer("b", 10ms, TimerMode::periodic);
      EXPECT_TRUE(self().cancel_timer("a"));
      EXPECT_FALSE(self().cancel_timer("a"));
      EXPECT_TRUE(self().cancel_timer("b"));
      EXPECT_FALSE(self().cancel_timer("c"));
    });
    w.settle(1s);
    EXPECT_TRUE(w.events.all().empty());
  });
}

TEST(NamedTimers, CancelHoldsAlsoForOneThatIsDueInTheSameTick) {
  in_worlds([](ProcessWorld& w) {
    // Both are due at once: the first one to come cancels the other.
    auto k = keeper(w, [](std::string_view name) {
      EXPECT_TRUE(self().cancel_timer(name == "a" ? "b" : "a"));
    });
    in(w, k, [] {
      self().start_timer("a", 10ms);
      self().start_timer("b", 10ms);
    });
    w.settle(100ms);
    EXPECT_EQ(w.events.all().size(), 1U);
  });
}

TEST(NamedTimers, ItsOwnCallbackMayCancelOrRestartIt) {
  in_worlds([](ProcessWorld& w) {
    int left = 3;
    auto k = keeper(w, [&left](std::string_view name) {
      if (name == "periodic") {
        EXPECT_TRUE(self().cancel_timer(name));
      }
      if (name == "once" && --left > 0) self().start_timer(name, 10ms);
    });
    in(w, k, [] {
      self().start_timer("periodic", 10ms, TimerMode::periodic);
      self().start_timer("once", 10ms);
    });
    w.settle(1s);
    EXPECT_EQ(w.events.with("periodic").size(), 1U);
    EXPECT_EQ(w.events.with("once").size(), 3U);
    in(w, k, [] { EXPECT_EQ(self().process().timer_count(), 0U); });
  });
}

TEST(NamedTimers, TheTimeLeftCanBeAsked) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] {
      self().start_timer("beat", 100ms);
      EXPECT_EQ(self().timer_left("beat"), 100ms);
      EXPECT_EQ(self().timer_left("other"), std::nullopt);
    });
    w.settle(50ms);
    in(w, k, [] {
      EXPECT_LE(self().timer_left("beat"), 50ms);
      EXPECT_GE(self().timer_left("beat"), 30ms);
    });
  });
}

TEST(NamedTimers, Tcp_E_48_EB_19_TrafficAndTheIdleTimeoutAreIndependentOfThem) {  // EB-19
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    k.cast(TimedWork{[] {
      self().start_timer("beat", 30ms, TimerMode::periodic);
      self().start_timer("once", 90ms);
      return keep().timeout(100ms);
    }});
    w.settle(105ms);
    // The beats at 30, 60 and 90 ms have not put the idle time-out off,
    ASSERT_EQ(w.events.with("idle").size(), 1U);
    EXPECT_EQ(w.events.with("beat").size(), 3U);
    // and messages that come all the time put no timer off.
    w.events.clear();
    in(w, k, [] { self().start_timer("steady", 50ms); });
    for (int i = 0; i < 10; ++i) in(w, k, [] {});
    EXPECT_EQ(w.events.with("steady").size(), 1U);
  });
}

TEST(NamedTimers, ACallbackMaySetANewIdleTimeout) {
  struct Sets {
    testing::Events* events;
    void init() { self().start_timer("t", 10ms); }
    Next handle_timer(std::string_view) { return keep().timeout(50ms); }
    void timeout() { events->add("idle"); }
  };
  in_worlds([](ProcessWorld& w) {
    ASSERT_TRUE(w.system.spawn_on<Sets>(w.on(1), {}, &w.events));
    w.settle(40ms);
    EXPECT_FALSE(w.events.has("idle"));
    w.settle(200ms);
    EXPECT_EQ(w.events.count("idle"), 1U);
  });
}

TEST(NamedTimers, WhileSuspendedNoneComesAndMissedBeatsAreSkipped) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto k = keeper(w);
    in(w, k, [] {
      self().start_timer("beat", 100ms, TimerMode::periodic);
      self().start_timer("once", 100ms);
      self().start_timer("cancelled", 100ms);
    });
    ASSERT_TRUE(sys::suspend(here, k.pid()));
    w.settle(1040ms);
    EXPECT_TRUE(w.events.all().empty());
    EXPECT_EQ(sys::statistics(here, k.pid())->timers, 3U);
    // Due, but not yet come: a cancel still counts. The signal finds the process suspended.
    ASSERT_TRUE(sys::replace_state(here, k, [](Keeper&) {
      EXPECT_EQ(self().timer_left("cancelled"), Duration::zero());
      EXPECT_TRUE(self().cancel_timer("cancelled"));
    }));
    ASSERT_TRUE(sys::resume(here, k.pid()));
    w.settle(20ms);
    ASSERT_EQ(w.events.all().size(), 1U) << "the one that comes once; beats are not made up for";
    EXPECT_TRUE(w.events.all().front().starts_with("once"));
    w.settle(100ms);
    ASSERT_EQ(w.events.with("beat").size(), 1U);
    EXPECT_EQ(at(w.events.with("beat").front()) % 100 / 5, 0) << "on the old beat";
  });
}

TEST(NamedTimers, DieWithTheirProcess) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    std::size_t before = 0, after = 0;
    const unsigned number = k.pid().scheduler->number();
    ASSERT_TRUE(w.system.run_on(number, [&](Scheduler& s) { before = s.timers().armed(); }));
    in(w, k, [] {
      self().start_timer("beat", 10ms, TimerMode::periodic);
      self().start_timer("late", 1h);
    });
    send_exit(k.pid(), Reason::shutdown());
    w.settle(100ms);
    ASSERT_TRUE(w.system.run_on(number, [&](Scheduler& s) { after = s.timers().armed(); }));
    EXPECT_FALSE(w.alive(k.pid()));
    EXPECT_EQ(before, after);
  });
}

TEST(NamedTimers, ACrashInHandleTimerEndsTheProcessAndNamesTheTimer) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w, [](std::string_view) { throw std::runtime_error("boom"); });
    in(w, k, [] { self().start_timer("beat", 10ms, TimerMode::periodic); });
    w.settle(100ms);
    EXPECT_FALSE(w.alive(k.pid()));
    EXPECT_EQ(w.events.with("beat").size(), 1U);
    EXPECT_EQ(w.log_lines(LogLevel::error, "crash: boom, in handle_timer on timer \"beat\""), 1U);
  });
}

TEST(NamedTimers, MayStopTheirProcess) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w, [](std::string_view) { self().stop(); });
    in(w, k, [] { self().start_timer("beat", 10ms, TimerMode::periodic); });
    w.settle(100ms);
    EXPECT_FALSE(w.alive(k.pid()));
  });
}

TEST(NamedTimers, AThousandNamesEachComeOnce) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] {
      for (int i = 0; i < 1000; ++i)
        self().start_timer("number " + std::to_string(i), Duration(1ms) * (10 + (i * 7) % 100));
    });
    w.settle(500ms);
    EXPECT_EQ(w.events.all().size(), 1000U);
    for (int i = 0; i < 1000; ++i)
      ASSERT_EQ(w.events.with("number " + std::to_string(i) + " ").size(), 1U);
  });
}

TEST(NamedTimers, ACoroutineTakesTheNameAsItsOwn) {
  struct Slow {
    testing::Events* events;
    void init() { self().start_timer("a name that is longer than any short string", 10ms); }
    Task<> handle_timer(std::string name) {
      co_await sleep(50ms);
      events->add(name);
    }
  };
  in_worlds([](ProcessWorld& w) {
    ASSERT_TRUE(w.system.spawn_on<Slow>(w.on(1), {}, &w.events));
    w.settle(200ms);
    EXPECT_TRUE(w.events.has("a name that is longer than any short string"));
  });
}

TEST(NamedTimers, WithoutACallbackTheyAreCountedAsUnexpected) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    w.in(a, [] { self().start_timer("beat", 10ms); });
    w.settle(100ms);
    EXPECT_EQ(sys::statistics(w.system.environment(), a.pid())->unexpected, 1U);
  });
}

TEST(NamedTimers, APeriodBelowOneTickIsRefused) {
  in_worlds([](ProcessWorld& w) {
    auto k = keeper(w);
    in(w, k, [] {
      EXPECT_THROW(self().start_timer("x", 999us, TimerMode::periodic), std::invalid_argument);
      self().start_timer("now", Duration::zero());
      self().start_timer("never", Duration::max());
    });
    w.settle(1h);
    EXPECT_EQ(w.events.with("now").size(), 1U);
    EXPECT_TRUE(w.events.with("never").empty());
  });
}

}  // namespace
}  // namespace hawser
