// Supervisors of strategy simple_one_for_one.
#include <hawser/process/testing/supervision.hpp>

#include <gtest/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <stdexcept>

namespace hawser {
namespace {

using testing::in_worlds;
using testing::ProcessWorld;
using testing::supervised;
using testing::Supervision;

SupervisorOptions many(ChildSpec spec, unsigned intensity = 1) {
  spec.id.clear();
  return {.strategy = Strategy::simple_one_for_one,
          .intensity = intensity,
          .children = {std::move(spec)}};
}

TEST(DynamicSupervisor, StartsNothingAtFirstThenAsManyAsAsked) {
  supervised([](Supervision& s) {
    s.start(many(s.child("k", 1)));
    EXPECT_EQ(s.plans["k"]->starts, 0);
    for (int i = 0; i < 10; ++i) {
      const auto pid = s.ask(StartChild{});
      ASSERT_TRUE(pid.has_value());
      EXPECT_TRUE(s.w.alive(*pid));
    }
    EXPECT_EQ(s.ask(CountChildren{})->active, 10U);
    EXPECT_EQ(s.ask(CountChildren{})->workers, 10U);
    const auto which = *s.ask(WhichChildren{});
    ASSERT_EQ(which.size(), 10U);
    EXPECT_NE(which[0].id, which[1].id);
    s.shut_down();
    EXPECT_EQ(s.w.events.count("k end shutdown"), 10U);
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(DynamicSupervisor, NeedsExactlyOneTemplate) {
  supervised([](Supervision& s) {
    const auto spawned = s.w.system.spawn_on<Supervisor>(
        0, {}, SupervisorOptions{.strategy = Strategy::simple_one_for_one});
    ASSERT_FALSE(spawned.has_value());
    EXPECT_NE(spawned.error().text().find("exactly one child"), std::string::npos);
  });
}

TEST(DynamicSupervisor, AStartOfOnesOwnIsUsedAgainForTheRestart) {
  supervised([](Supervision& s) {
    s.start(many(s.child("k", 1), 5));
    const auto pid = s.ask(StartChild{s.child("own", 2)});
    ASSERT_TRUE(pid.has_value());
    EXPECT_EQ(pid->scheduler->number(), s.w.on(2));
    s.crash("own");
    EXPECT_EQ(s.plans["own"]->starts, 2);
    EXPECT_EQ(s.plans["own"]->pid.scheduler->number(), s.w.on(2));
    EXPECT_EQ(s.plans["k"]->starts, 0);
    EXPECT_EQ(s.ask(CountChildren{})->active, 1U);
  });
}

TEST(DynamicSupervisor, TemporaryChildrenGoWithoutCountingWhateverTheReason) {
  supervised([](Supervision& s) {
    s.start(many(s.child("t", 1, Restart::temporary), 0));
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(s.ask(StartChild{}).has_value());
      s.crash("t");
    }
    EXPECT_EQ(s.ask(CountChildren{})->specs, 0U);
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(DynamicSupervisor, RestartsByTheTypeOfTheTemplateAndGivesUp) {
  supervised([](Supervision& s) {
    s.start(many(s.child("k", 1, Restart::transient), 2));
    ASSERT_TRUE(s.ask(StartChild{}).has_value());
    s.end("k", [] { self().stop(); });
    EXPECT_EQ(s.ask(CountChildren{})->specs, 0U);
    ASSERT_TRUE(s.ask(StartChild{}).has_value());
    s.crash("k");
    s.crash("k");
    EXPECT_EQ(s.plans["k"]->starts, 4);
    s.crash("k");
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(DynamicSupervisor, ARestartThatFailsIsTriedAgainWithBackoff) {
  supervised([](Supervision& s) {
    auto options = many(s.child("k", 1), 100);
    options.backoff = {.initial = 1s, .factor = 1.0, .maximum = 1s, .jitter = 0.0};
    s.plans["k"]->fail_starts_from = 2;
    s.plans["k"]->fail_starts_to = 4;
    s.start(std::move(options));
    ASSERT_TRUE(s.ask(StartChild{}).has_value());
    s.crash("k");
    EXPECT_EQ(s.plans["k"]->starts, 2);
    EXPECT_EQ(s.ask(WhichChildren{})->front().state, ChildState::restarting);
    s.w.settle(3500ms);
    EXPECT_EQ(s.plans["k"]->starts, 5);
    EXPECT_EQ(s.ask(WhichChildren{})->front().state, ChildState::running);
  });
}

TEST(DynamicSupervisor, AFirstStartThatFailsIsTheCallersErrorOnly) {
  supervised([](Supervision& s) {
    s.start(many(s.child("k", 1), 0));
    s.plans["k"]->fail_starts_from = 1;
    EXPECT_EQ(s.ask(StartChild{}).error().kind, ErrorKind::failed);
    s.plans["k"]->fail_starts_from = 99;
    s.plans["k"]->decline = true;
    EXPECT_EQ(s.ask(StartChild{}).value(), Pid{});
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
    EXPECT_EQ(s.ask(CountChildren{})->specs, 0U);
  });
}

TEST(DynamicSupervisor, TerminateByPidEndsOneWithinItsTimeOut) {
  supervised([](Supervision& s) {
    auto spec = s.child("k", 1);
    spec.shutdown = 1s;
    s.start(many(std::move(spec)));
    const auto first = s.ask(StartChild{}), second = s.ask(StartChild{});
    ASSERT_TRUE(s.ask(TerminateChild{*first}).has_value());
    EXPECT_FALSE(s.w.alive(*first));
    s.plans["k"]->ignores_shutdown = true;
    const auto before = s.w.world.now();
    ASSERT_TRUE(s.ask(TerminateChild{*second}).has_value());
    EXPECT_FALSE(s.w.alive(*second));
    EXPECT_GE(s.w.world.now() - before, 1s);
    EXPECT_EQ(s.ask(TerminateChild{*second}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(s.ask(RestartChild{"1"}).error().kind, ErrorKind::unsupported);
    EXPECT_EQ(s.ask(DeleteChild{"1"}).error().kind, ErrorKind::unsupported);
    EXPECT_EQ(s.plans["k"]->starts, 2) << "ended by hand: not restarted";
  });
}

TEST(DynamicSupervisor, AllAreShutDownInParallelWithinOneTimeOut) {
  supervised([](Supervision& s) {
    auto spec = s.child("k", 1);
    spec.shutdown = 1s;
    s.start(many(std::move(spec)));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(s.ask(StartChild{}).has_value());
    s.plans["k"]->ignores_shutdown = true;
    s.shut_down(900ms);
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
    s.w.settle(200ms);
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
    EXPECT_EQ(s.w.log_lines(LogLevel::warning, "kills 50 children"), 1U);
  });
}

TEST(DynamicSupervisor, StoppedWhileStartsAreUnderWayNothingIsLeftBehind) {
  supervised(
      [](Supervision& s) {
        const auto before = s.w.processes();
        s.start(many(s.child("k", 1)));
        for (int i = 0; i < 5; ++i) {
          auto a = s.w.actor("asker" + std::to_string(i), static_cast<unsigned>(i));
          const auto asks = [](Ref<Supervisor> supervisor, testing::Events& events) -> Task<> {
            const auto pid = co_await supervisor.call(StartChild{});
            events.add(pid ? "started" : "refused");
            self().stop();
          };
          auto& events = s.w.events;
          a.cast(testing::Do{
              [&events, asks, ref = s.supervisor] { self().start(asks(ref, events)); }});
        }
        for (std::uint64_t steps = s.w.world.random().below(40); steps > 0; --steps)
          s.w.world.step();
        s.shut_down();
        EXPECT_EQ(s.w.events.count("started") + s.w.events.count("refused"), 5U);
        EXPECT_EQ(s.w.processes(), before);
      },
      30);
}

TEST(DynamicSupervisor, ChildrenThatAreSupervisorsCountAsStartedWhenTheirChildrenAre) {
  supervised([](Supervision& s) {
    auto inner = supervisor("", {.intensity = 0, .children = {s.child("x", 2), s.child("y", 0)}});
    inner.scheduler = s.w.on(1);
    s.start(many(std::move(inner), 3));
    const auto pid = s.ask(StartChild{});
    ASSERT_TRUE(pid.has_value());
    EXPECT_TRUE(s.runs("x") && s.runs("y"));
    s.crash("x");
    EXPECT_EQ(s.plans["y"]->starts, 2) << "the inner one gave up and was started again";
    EXPECT_EQ(s.ask(CountChildren{})->supervisors, 1U);
    s.plans["y"]->fail_starts_from = 3;
    EXPECT_NE(s.ask(StartChild{}).error().text().find("no luck"), std::string::npos);
    s.shut_down();
    EXPECT_FALSE(s.runs("x") || s.runs("y"));
  });
}

// ---- very many ---------------------------------------------------------------------------------

struct Idle {};

std::size_t heap_bytes() { return mallinfo2().uordblks; }

TEST(DynamicSupervisor, HoldsAHundredThousandChildrenCheaply) {
  ProcessWorld w(1, 2);
  constexpr std::size_t count = 100'000;
  const auto starter = [](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<Idle>(context.scheduler, {.parent = context.parent});
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  ChildSpec spec{.start = starter, .restart = Restart::temporary, .shutdown = 5s};
  auto supervisor = *w.system.spawn_on<Supervisor>(0, {}, many(std::move(spec)));
  const auto fill = [](Ref<Supervisor> ref, std::size_t wanted, testing::Events& events) -> Task<> {
    for (std::size_t i = 0; i < wanted; ++i)
      if (!co_await ref.call(StartChild{})) events.add("failed");
    events.add("full");
  };
  // What the processes alone cost, for comparison.
  const auto at_first = heap_bytes();
  std::vector<Pid> bare;
  static_cast<void>(w.system.run_on(0, [&](Scheduler& scheduler) {
    for (std::size_t i = 0; i < count; ++i) bare.push_back(spawn<Idle>(scheduler, {})->pid());
  }));
  bare.shrink_to_fit();
  const auto bare_bytes = heap_bytes() - at_first - bare.capacity() * sizeof(Pid);
  static_cast<void>(w.system.run_on(0, [&](Scheduler& scheduler) {
    for (const Pid pid : bare) scheduler.find(pid)->kill();
  }));
  bare = {};
  const auto before = heap_bytes();
  auto asker = w.actor("asker", 0);
  w.in(asker, [&] { self().start(fill(supervisor, count, w.events)); });
  ASSERT_TRUE(w.world.run_until([&] { return w.events.has("full"); }, 60s));
  EXPECT_FALSE(w.events.has("failed"));
  EXPECT_EQ(w.system.call(supervisor, CountChildren{})->active, count);
  const auto supervised_bytes = heap_bytes() - before;
  const auto extra = (supervised_bytes - std::min(supervised_bytes, bare_bytes)) / count;
  RecordProperty("bytes_per_child_bare", static_cast<int>(bare_bytes / count));
  RecordProperty("bytes_per_child_extra", static_cast<int>(extra));
  EXPECT_LE(extra, 200U) << "two map entries: the link and the child";
  send_exit(supervisor.pid(), Reason::shutdown());
  w.settle(4s);
  EXPECT_FALSE(w.alive(supervisor.pid()));
  EXPECT_LT(w.processes(), 10U);
}

}  // namespace
}  // namespace hawser
