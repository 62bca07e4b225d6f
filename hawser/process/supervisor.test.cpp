// The rules of OTP for starting, ending and restarting ordered children, each a test.
#include <hawser/process/supervisor.hpp>

#include <hawser/process/testing/supervision.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

namespace hawser {
namespace {

using testing::History;
using testing::supervised;
using testing::Supervision;

using testing::abc;

// ---- strategies --------------------------------------------------------------------------------

TEST(Supervisor, ChildrenStartInOrderAndEndInTheReverseOne) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    EXPECT_EQ(s.history(), (History{"a start", "b start", "c start"}));
    s.shut_down();
    EXPECT_EQ(s.history(), (History{"c end shutdown", "b end shutdown", "a end shutdown"}));
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(Supervisor, OneForOneRestartsOnlyTheOneThatEnded) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    s.history();
    s.crash("b");
    EXPECT_EQ(s.history(), (History{"b end crash", "b start"}));
    EXPECT_TRUE(s.runs("b"));
  });
}

TEST(Supervisor, OneForAllEndsTheOthersInReverseAndStartsAllInOrder) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_all));
    s.history();
    s.crash("b");
    EXPECT_EQ(s.history(), (History{"b end crash", "c end shutdown", "a end shutdown", "a start",
                                    "b start", "c start"}));
  });
}

TEST(Supervisor, RestForOneRestartsThoseStartedAfterIt) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::rest_for_one);
    options.children.push_back(s.child("d"));
    s.start(std::move(options));
    s.history();
    s.crash("b");
    EXPECT_EQ(s.history(), (History{"b end crash", "d end shutdown", "c end shutdown", "b start",
                                    "c start", "d start"}));
  });
}

TEST(Supervisor, AGroupRestartEndsTemporarySiblingsForGood) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_all);
    options.children[2].restart = Restart::temporary;
    s.start(std::move(options));
    s.history();
    s.crash("a");
    EXPECT_EQ(s.history(),
              (History{"a end crash", "c end shutdown", "b end shutdown", "a start", "b start"}));
    EXPECT_EQ(s.ask(CountChildren{})->specs, 2U);
  });
}

TEST(Supervisor, AGroupRestartStartsTransientSiblingsAndStoppedOnes) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_all);
    options.children[1].restart = Restart::transient;
    s.start(std::move(options));
    s.end("b", [] { self().stop(); });
    s.history();
    s.crash("c");
    EXPECT_EQ(s.history(),
              (History{"c end crash", "a end shutdown", "a start", "b start", "c start"}));
  });
}

TEST(Supervisor, TwoCrashesAtOnceAreOneGroupRestart) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_all));
    for (const char* name : {"a", "b", "c"})
      s.ref(name).cast(testing::Do{[] { throw std::runtime_error("boom"); }});
    s.w.settle();
    EXPECT_TRUE(s.runs("a") && s.runs("b") && s.runs("c"));
    EXPECT_EQ(s.ask(CountChildren{})->active, 3U);
  });
}

// ---- who is restarted --------------------------------------------------------------------------

TEST(Supervisor, PermanentIsRestartedWhateverTheReason) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    s.end("a", [] { self().stop(); });
    s.end("b", [] { self().stop(Reason::shutdown()); });
    EXPECT_EQ(s.plans["a"]->starts, 2);
    EXPECT_EQ(s.plans["b"]->starts, 2);
  });
}

TEST(Supervisor, TransientIsRestartedUnlessItEndedWell) {
  supervised([](Supervision& s) {
    s.start({.intensity = 5,
             .children = {s.child("normal", 1, Restart::transient),
                          s.child("shutdown", 0, Restart::transient),
                          s.child("closed", 2, Restart::transient)}});
    s.end("normal", [] { self().stop(); });
    s.end("shutdown", [] { self().stop(Reason::shutdown()); });
    s.end("closed", [] { self().stop(Reason::closed()); });
    EXPECT_EQ(s.plans["normal"]->starts, 1);
    EXPECT_EQ(s.plans["shutdown"]->starts, 1);
    EXPECT_EQ(s.plans["closed"]->starts, 2);
    EXPECT_EQ(s.ask(CountChildren{})->specs, 3U) << "the specs of the others stay";
    EXPECT_EQ(s.ask(CountChildren{})->active, 1U);
  });
}

TEST(Supervisor, TemporaryIsNeverRestartedNeverCountsAndItsSpecGoes) {
  supervised([](Supervision& s) {
    s.start({.intensity = 0, .children = {s.child("a")}});
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(s.ask(StartChild{s.child("t", 1, Restart::temporary)}).has_value());
      s.crash("t");
    }
    EXPECT_EQ(s.plans["t"]->starts, 5);
    EXPECT_EQ(s.ask(CountChildren{})->specs, 1U);
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(Supervisor, AChildThatIsKilledIsRestarted) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    send_exit(s.plans["b"]->pid, Reason::killed());
    s.w.settle();
    EXPECT_EQ(s.plans["b"]->starts, 2);
  });
}

// ---- giving up ---------------------------------------------------------------------------------

TEST(Supervisor, MoreRestartsThanTheIntensityEndsAllInReverseAndItselfWithShutdown) {
  supervised([](Supervision& s) {
    auto watcher = s.w.actor("watcher", 1);
    s.start(abc(s, Strategy::one_for_one, 2));
    s.w.in(watcher, [&] { self().monitor(s.supervisor.pid()); });
    s.crash("a");
    s.crash("a");
    EXPECT_TRUE(s.runs("a"));
    s.history();
    s.crash("a");
    EXPECT_EQ(s.history(), (History{"a end crash", "c end shutdown", "b end shutdown",
                                    "watcher down shutdown"}));
    EXPECT_EQ(s.w.log_lines(LogLevel::error, "gives up: more than 2 restarts within 5 s"), 1U);
  });
}

TEST(Supervisor, RestartsOutsideThePeriodAreForgotten) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one, 1));
    for (int i = 0; i < 5; ++i) {
      s.crash("a");
      s.w.settle(6s);
    }
    EXPECT_TRUE(s.runs("a"));
  });
}

TEST(Supervisor, IntensityZeroGivesUpAtTheFirstRestart) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one, 0));
    s.crash("c");
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
    EXPECT_FALSE(s.runs("a") || s.runs("b"));
  });
}

TEST(Supervisor, ARestartThatFailsIsTriedAgainAndCounts) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one, 4);
    s.plans["b"]->fail_starts_from = 2;
    s.plans["b"]->fail_starts_to = 3;
    s.start(std::move(options));
    s.history();
    s.crash("b");  // 1st restart fails, 2nd fails, 3rd comes through
    EXPECT_EQ(s.history(), (History{"b end crash", "b fails", "b fails", "b start"}));
    s.crash("b");  // the 4th
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
    s.crash("b");
    EXPECT_FALSE(s.w.alive(s.supervisor.pid())) << "the failed attempts counted";
  });
}

TEST(Supervisor, ARestartThatAlwaysFailsEndsInGivingUp) {
  for (const auto strategy : {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one})
    supervised([&](Supervision& s) {
      auto options = abc(s, strategy, 3);
      s.plans["b"]->fail_starts_from = 2;
      s.start(std::move(options));
      s.crash("b");
      EXPECT_EQ(s.plans["b"]->starts, 4) << "one start and three attempts";
      EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
      EXPECT_FALSE(s.runs("a") || s.runs("c"));
    });
}

TEST(Supervisor, AGroupWhoseStartFailsInTheMiddleIsTriedFromTheBeginning) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_all, 5);
    s.plans["b"]->fail_starts_from = 2;
    s.plans["b"]->fail_starts_to = 2;
    s.start(std::move(options));
    s.history();
    s.crash("c");
    EXPECT_EQ(s.history(), (History{"c end crash", "b end shutdown", "a end shutdown", "a start",
                                    "b fails", "a end shutdown", "a start", "b start", "c start"}));
  });
}

// ---- starting ----------------------------------------------------------------------------------

TEST(Supervisor, AChildThatFailsToStartEndsTheOthersInReverseAndTheSupervisor) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    s.plans["c"]->fail_starts_from = 1;
    auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, std::move(options));
    if (spawned) {
      // Not known before the others have been ended: then the call tells.
      const auto started = s.w.system.call(*spawned, AwaitStarted{});
      EXPECT_FALSE(started.has_value());
      s.w.settle();
      EXPECT_FALSE(s.w.alive(spawned->pid()));
    }
    s.w.settle();
    EXPECT_EQ(s.history(),
              (History{"a start", "b start", "c fails", "b end shutdown", "a end shutdown"}));
  });
}

TEST(Supervisor, WhenTheFirstChildHereFailsToStartSpawnItselfSaysSo) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    s.plans["a"]->throws_in_start = true;
    const auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, std::move(options));
    ASSERT_FALSE(spawned.has_value());
    EXPECT_NE(spawned.error().text().find("no init"), std::string::npos) << spawned.error().text();
  });
}

TEST(Supervisor, AwaitStartedAnswersWhenAllChildrenRun) {
  supervised([](Supervision& s) {
    auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, abc(s, Strategy::one_for_one));
    ASSERT_TRUE(spawned.has_value());
    ASSERT_TRUE(s.w.system.call(*spawned, AwaitStarted{}).has_value());
    EXPECT_TRUE(s.runs("a") && s.runs("b") && s.runs("c"));
  });
}

TEST(Supervisor, AChildThatDeclinesIsJustNotThere) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    s.plans["b"]->decline = true;
    s.start(std::move(options));
    EXPECT_EQ(s.history(), (History{"a start", "c start"}));
    const auto which = s.ask(WhichChildren{});
    ASSERT_EQ(which->size(), 3U);
    EXPECT_EQ((*which)[1].state, ChildState::stopped);
    EXPECT_FALSE((*which)[1].pid);
    s.plans["b"]->decline = false;
    EXPECT_TRUE(s.ask(RestartChild{"b"}).has_value());
  });
}

TEST(Supervisor, ASupervisorAskedToStopWhileStartingLeavesNothingBehind) {
  supervised(
      [](Supervision& s) {
        const auto before = s.w.processes();
        auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, abc(s, Strategy::one_for_one));
        ASSERT_TRUE(spawned.has_value());
        for (std::uint64_t steps = s.w.world.random().below(12); steps > 0; --steps)
          s.w.world.step();
        send_exit(spawned->pid(), Reason::shutdown());
        s.w.settle();
        EXPECT_FALSE(s.w.alive(spawned->pid()));
        EXPECT_EQ(s.w.processes(), before);
      },
      30);
}

TEST(Supervisor, ASupervisorKilledWhileStartingLeavesNothingBehind) {
  supervised(
      [](Supervision& s) {
        const auto before = s.w.processes();
        auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, abc(s, Strategy::one_for_one));
        ASSERT_TRUE(spawned.has_value());
        for (std::uint64_t steps = s.w.world.random().below(12); steps > 0; --steps)
          s.w.world.step();
        send_exit(spawned->pid(), Reason::killed());
        s.w.settle();
        EXPECT_EQ(s.w.processes(), before);
      },
      30);
}

TEST(Supervisor, TwoChildrenOfOneIdAreAnError) {
  supervised([](Supervision& s) {
    const auto spawned = s.w.system.spawn_on<Supervisor>(
        0, {}, SupervisorOptions{.children = {s.child("a"), s.child("a")}});
    ASSERT_FALSE(spawned.has_value());
    EXPECT_NE(spawned.error().text().find("two children have the id \"a\""), std::string::npos);
  });
}

TEST(Supervisor, ASchedulerThatDoesNotExistIsAnError) {
  supervised([](Supervision& s) {
    auto spec = s.child("a");
    spec.scheduler = 77;
    s.start({});
    const auto started = s.ask(StartChild{spec});
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().kind, ErrorKind::invalid_argument);
    EXPECT_EQ(s.ask(CountChildren{})->specs, 0U);
  });
}

TEST(Supervisor, AStartFunctionThatForgetsTheLinkIsPutRight) {
  supervised([](Supervision& s) {
    auto spec = s.child("a", 1);
    spec.start = [plan = s.plans["a"]](const StartContext& context) -> Result<Pid> {
      auto spawned = spawn<testing::Child>(context.scheduler, {}, std::string("a"), plan);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      return spawned->pid();
    };
    s.start({.intensity = 5, .children = {spec}});
    s.crash("a");
    EXPECT_EQ(s.plans["a"]->starts, 2);
    s.shut_down();
    EXPECT_FALSE(s.runs("a"));
  });
}

TEST(Supervisor, AChildDeadWhenItsStartAnswersIsRestarted) {
  supervised([](Supervision& s) {
    auto spec = s.child("a", 1);
    spec.start = [plan = s.plans["a"]](const StartContext& context) -> Result<Pid> {
      auto spawned = spawn<testing::Child>(context.scheduler, {.parent = context.parent},
                                           std::string("a"), plan);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      if (plan->starts == 1) send_exit(spawned->pid(), Reason::killed());
      return spawned->pid();
    };
    s.start({.intensity = 5, .children = {spec}});
    s.w.settle();
    EXPECT_EQ(s.plans["a"]->starts, 2);
    EXPECT_TRUE(s.runs("a"));
  });
}

TEST(Supervisor, AStartFunctionThatThrowsIsAnError) {
  supervised([](Supervision& s) {
    auto spec = s.child("a", 1);
    spec.start = [](const StartContext&) -> Result<Pid> { throw std::runtime_error("odd"); };
    s.start({});
    const auto started = s.ask(StartChild{spec});
    ASSERT_FALSE(started.has_value());
    EXPECT_NE(started.error().text().find("start threw: odd"), std::string::npos);
    EXPECT_TRUE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(Supervisor, AnotherKindOfSupervisorHasStartedWhenItsStartReturns) {
  supervised([](Supervision& s) {
    auto spec = s.child("a", 1);
    spec.supervisor = true;
    s.start({.children = {spec, s.child("b")}});
    EXPECT_TRUE(s.runs("b"));
    EXPECT_EQ(s.ask(CountChildren{})->supervisors, 1U);
  });
}

// ---- ending ------------------------------------------------------------------------------------

TEST(Supervisor, AChildThatDoesNotEndInTimeIsKilled) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    for (auto& child : options.children) child.shutdown = 1s;
    s.start(std::move(options));
    s.plans["b"]->ignores_shutdown = true;
    s.history();
    s.shut_down(900ms);
    EXPECT_EQ(s.history(), (History{"c end shutdown"})) << "a waits for its turn";
    s.w.settle(200ms);
    EXPECT_EQ(s.history(), (History{"a end shutdown"})) << "b was killed, without terminate";
    EXPECT_FALSE(s.runs("b"));
    EXPECT_EQ(s.w.log_lines(LogLevel::warning, "kills child \"b\""), 1U);
  });
}

TEST(Supervisor, ShutdownZeroKillsAtOnce) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    options.children[1].shutdown = 0s;
    s.start(std::move(options));
    s.history();
    s.shut_down();
    EXPECT_EQ(s.history(), (History{"c end shutdown", "a end shutdown"}));
    EXPECT_FALSE(s.runs("b"));
  });
}

TEST(Supervisor, ShutdownMaxWaitsAsLongAsItTakes) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    options.children[1].shutdown = Duration::max();
    s.start(std::move(options));
    s.plans["b"]->ignores_shutdown = true;
    s.shut_down(24h);
    EXPECT_TRUE(s.runs("b"));
    s.end("b", [] { self().stop(); });
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(Supervisor, AChildThatUnlinkedItselfIsEndedAllTheSame) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    s.end("b", [&] { self().unlink(s.supervisor.pid()); });
    s.shut_down(30s);
    EXPECT_FALSE(s.runs("b"));
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
  });
}

TEST(Supervisor, KilledItselfItsChildrenEndByTheirLinks) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    send_exit(s.supervisor.pid(), Reason::killed());
    s.w.settle();
    EXPECT_FALSE(s.runs("a") || s.runs("b") || s.runs("c"));
  });
}

TEST(Supervisor, ItsParentsNormalEndEndsItToo) {
  supervised([](Supervision& s) {
    auto parent = s.w.actor("parent", 1);
    auto spawned =
        s.w.system.spawn_on<Supervisor>(0, {.parent = parent.pid()}, abc(s, Strategy::one_for_one));
    ASSERT_TRUE(spawned.has_value());
    s.w.settle();
    s.w.in(parent, [] { self().stop(); });
    EXPECT_FALSE(s.w.alive(spawned->pid()));
    EXPECT_FALSE(s.runs("a") || s.runs("b") || s.runs("c"));
  });
}

}  // namespace
}  // namespace hawser
