// What a supervisor can be asked, and its back-off.
#include <hawser/process/supervisor.hpp>

#include <hawser/process/testing/supervision.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::abc;
using testing::History;
using testing::supervised;
using testing::Supervision;

// ---- calls -------------------------------------------------------------------------------------

TEST(SupervisorCalls, StartChildAddsAtTheEndOfTheOrder) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    const auto pid = s.ask(StartChild{s.child("d", 1)});
    ASSERT_TRUE(pid.has_value());
    EXPECT_EQ(*pid, s.plans["d"]->pid);
    s.history();
    s.shut_down();
    EXPECT_EQ(s.history().front(), "d end shutdown");
  });
}

TEST(SupervisorCalls, StartChildOfATakenIdNamesTheProcess) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    const auto pid = s.ask(StartChild{s.child("b")});
    ASSERT_FALSE(pid.has_value());
    EXPECT_EQ(pid.error().kind, ErrorKind::already_exists);
    EXPECT_NE(pid.error().detail.find(s.plans["b"]->pid.text()), std::string::npos);
  });
}

TEST(SupervisorCalls, StartChildThatFailsAddsNothing) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    auto spec = s.child("d", 1);
    s.plans["d"]->fail_starts_from = 1;
    const auto pid = s.ask(StartChild{spec});
    ASSERT_FALSE(pid.has_value());
    EXPECT_EQ(pid.error().kind, ErrorKind::failed);
    EXPECT_NE(pid.error().text().find("no luck"), std::string::npos);
    EXPECT_EQ(s.ask(CountChildren{})->specs, 3U);
    EXPECT_EQ(s.plans["d"]->starts, 1) << "a first start is not tried again";
  });
}

TEST(SupervisorCalls, TerminateKeepsTheSpecRestartStartsItAgain) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    ASSERT_TRUE(s.ask(TerminateChild{"b"}).has_value());
    EXPECT_FALSE(s.runs("b"));
    EXPECT_EQ(s.plans["b"]->starts, 1) << "ended by hand: not restarted";
    EXPECT_EQ(s.ask(StartChild{s.child("b")}).error().kind, ErrorKind::already_exists);
    ASSERT_TRUE(s.ask(RestartChild{"b"}).has_value());
    EXPECT_TRUE(s.runs("b"));
    EXPECT_EQ(s.ask(RestartChild{"b"}).error().kind, ErrorKind::already_exists);
  });
}

TEST(SupervisorCalls, TerminateByPidWorksToo) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    ASSERT_TRUE(s.ask(TerminateChild{s.plans["b"]->pid}).has_value());
    EXPECT_FALSE(s.runs("b"));
  });
}

TEST(SupervisorCalls, DeleteRemovesOnlyAStoppedChild) {
  supervised([](Supervision& s) {
    s.start(abc(s, Strategy::one_for_one));
    EXPECT_EQ(s.ask(DeleteChild{"b"}).error().kind, ErrorKind::already_exists);
    ASSERT_TRUE(s.ask(TerminateChild{"b"}).has_value());
    ASSERT_TRUE(s.ask(DeleteChild{"b"}).has_value());
    EXPECT_EQ(s.ask(DeleteChild{"b"}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(s.ask(CountChildren{})->specs, 2U);
  });
}

TEST(SupervisorCalls, UnknownIdsAreNotFound) {
  supervised([](Supervision& s) {
    s.start({});
    EXPECT_EQ(s.ask(TerminateChild{"x"}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(s.ask(TerminateChild{Pid{}}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(s.ask(RestartChild{"x"}).error().kind, ErrorKind::not_found);
  });
}

TEST(SupervisorCalls, ATerminatedTemporaryChildIsGone) {
  supervised([](Supervision& s) {
    s.start({});
    ASSERT_TRUE(s.ask(StartChild{s.child("t", 1, Restart::temporary)}).has_value());
    ASSERT_TRUE(s.ask(TerminateChild{"t"}).has_value());
    EXPECT_EQ(s.ask(RestartChild{"t"}).error().kind, ErrorKind::not_found);
  });
}

TEST(SupervisorCalls, WhichAndCountTellWhatIsThere) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    options.children.push_back(supervisor("inner", {.children = {s.child("x", 1)}}));
    s.start(std::move(options));
    ASSERT_TRUE(s.ask(TerminateChild{"b"}).has_value());
    const auto which = *s.ask(WhichChildren{});
    ASSERT_EQ(which.size(), 4U);
    EXPECT_EQ(which[0].id, "a");
    EXPECT_EQ(which[0].pid, s.plans["a"]->pid);
    EXPECT_EQ(which[0].state, ChildState::running);
    EXPECT_EQ(which[1].state, ChildState::stopped);
    EXPECT_TRUE(which[3].supervisor);
    const auto counts = *s.ask(CountChildren{});
    EXPECT_EQ(counts.specs, 4U);
    EXPECT_EQ(counts.active, 3U);
    EXPECT_EQ(counts.supervisors, 1U);
    EXPECT_EQ(counts.workers, 3U);
  });
}

TEST(SupervisorCalls, ACallToASupervisorThatEndsMeanwhileIsAnswered) {
  supervised([](Supervision& s) {
    auto options = abc(s, Strategy::one_for_one);
    options.children[2].shutdown = 1s;
    s.start(std::move(options));
    s.plans["c"]->ignores_shutdown = true;
    send_exit(s.supervisor.pid(), Reason::shutdown());
    s.w.settle(1ms);
    EXPECT_EQ(s.ask(StartChild{s.child("d")}).error().kind, ErrorKind::closed);
  });
}

// ---- back-off ----------------------------------------------------------------------------------

SupervisorOptions with_backoff(Supervision& s, Strategy strategy = Strategy::one_for_one) {
  auto options = abc(s, strategy, 1000);
  options.backoff = {
      .initial = 1s, .factor = 2.0, .maximum = 4s, .jitter = 0.2, .reset_after = 60s};
  return options;
}

TEST(SupervisorBackoff, TheFirstRestartIsAtOnceThenTheDelaysGrowToTheMaximum) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s));
    s.crash("b");
    EXPECT_EQ(s.plans["b"]->starts, 2);
    int starts = 2;
    for (const Duration delay : {1s, 2s, 4s, 4s, 4s}) {
      s.crash("b");
      s.w.settle(delay * 8 / 10 - 50ms);
      EXPECT_EQ(s.plans["b"]->starts, starts) << "too early";
      s.w.settle(delay * 4 / 10 + 100ms);
      EXPECT_EQ(s.plans["b"]->starts, ++starts) << "too late";
    }
  });
}

TEST(SupervisorBackoff, AChildThatLivedLongEnoughStartsAtOnceAgain) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s));
    s.crash("b");
    s.w.settle(61s);
    s.crash("b");
    EXPECT_EQ(s.plans["b"]->starts, 3);
  });
}

TEST(SupervisorBackoff, TheDelaysOfManyChildrenDiffer) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s));
    s.crash("a");
    s.crash("b");
    s.history();
    s.ref("a").cast(testing::Do{[] { self().stop(); }});
    s.ref("b").cast(testing::Do{[] { self().stop(); }});
    const auto starts = [&] { return s.plans["a"]->starts + s.plans["b"]->starts; };
    ASSERT_TRUE(s.w.world.run_until([&] { return starts() == 5; }, 5s));
    const Instant first = s.w.world.now();
    ASSERT_TRUE(s.w.world.run_until([&] { return starts() == 6; }, 5s));
    EXPECT_LT(first, s.w.world.now());
  });
}

TEST(SupervisorBackoff, WhileItWaitsAChildIsRestartingAndCanBeTakenOffIt) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s));
    s.crash("b");
    s.crash("b");
    EXPECT_EQ((*s.ask(WhichChildren{}))[1].state, ChildState::restarting);
    EXPECT_EQ(s.ask(RestartChild{"b"}).error().kind, ErrorKind::refused);
    EXPECT_EQ(s.ask(DeleteChild{"b"}).error().kind, ErrorKind::refused);
    EXPECT_EQ(s.ask(StartChild{s.child("b")}).error().kind, ErrorKind::refused);
    ASSERT_TRUE(s.ask(TerminateChild{"b"}).has_value());
    s.w.settle(10s);
    EXPECT_EQ(s.plans["b"]->starts, 2);
    EXPECT_EQ((*s.ask(WhichChildren{}))[1].state, ChildState::stopped);
  });
}

TEST(SupervisorBackoff, TheOthersOfAGroupEndAtOnceAndStartAfterTheDelay) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s, Strategy::one_for_all));
    s.crash("b");
    s.history();
    s.crash("b");
    EXPECT_EQ(s.history(), (History{"b end crash", "c end shutdown", "a end shutdown"}));
    s.w.settle(2s);
    EXPECT_EQ(s.history(), (History{"a start", "b start", "c start"}));
  });
}

TEST(SupervisorBackoff, ShuttingDownDoesNotWaitForIt) {
  supervised([](Supervision& s) {
    s.start(with_backoff(s));
    s.crash("b");
    s.crash("b");
    s.shut_down();
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
    EXPECT_EQ(s.plans["b"]->starts, 2);
  });
}

}  // namespace
}  // namespace hawser
