// The life of a process: start, callbacks, timers, tasks, names, and every way to end.
#include <hawser/process/process.hpp>

#include <hawser/process/sys.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Actor;
using testing::Do;
using testing::DoNext;
using testing::Events;
using testing::in_worlds;
using testing::ProcessWorld;

// ---- init --------------------------------------------------------------------------------------

TEST(Init, ThatStopsDeclines) {
  struct Declining {
    Events* events;
    Next init() { return stop(); }
    void terminate(const Reason&) { events->add("terminate"); }
  };
  in_worlds([](ProcessWorld& w) {
    const auto spawned = w.system.spawn<Declining>({.name = "d"}, &w.events);
    ASSERT_FALSE(spawned.has_value());
    EXPECT_EQ(spawned.error().kind, ErrorKind::cancelled);
    EXPECT_FALSE(w.events.has("terminate")) << "it never came to life";
    EXPECT_FALSE(w.system.whereis("d"));
  });
}

TEST(Init, ThatThrowsIsACrashAndTheSpawnersErrorButNoExitSignal) {
  struct Throwing {
    void init() { throw std::runtime_error("no file"); }
  };
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a");
    std::string error;
    w.in(a, [&] {
      const auto spawned = self().spawn_link<Throwing>({});
      if (!spawned) error = spawned.error().text();
    });
    EXPECT_NE(error.find("no file, in init"), std::string::npos) << error;
    EXPECT_TRUE(w.alive(a.pid())) << "the error is the parent's to handle";
    EXPECT_EQ(w.log_lines(LogLevel::error, "crash: no file, in init"), 1U);
  });
}

TEST(Init, AConstructorThatThrowsIsTheSame) {
  struct Throwing {
    Throwing() { throw std::runtime_error("no member"); }
    explicit Throwing(int) {}
  };
  in_worlds([](ProcessWorld& w) {
    const auto spawned = w.system.spawn<Throwing>({});
    ASSERT_FALSE(spawned.has_value());
    EXPECT_NE(spawned.error().text().find("no member"), std::string::npos);
  });
}

TEST(Init, Tcp_E_59_MaySpawnAndTheInnerInitHasRunWhenItReturns) {
  in_worlds([](ProcessWorld& w) {
    auto outer = w.actor("outer", 1, {}, [&w] {
      const auto inner = self().spawn_link<Actor>({}, std::string("inner"), std::ref(w.events),
                                                  std::function<void()>{});
      w.events.add(inner ? "spawned" : "failed");
    });
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{"outer init", "inner init", "spawned"}));
    send_exit(outer.pid(), Reason::closed());
    w.settle();
    EXPECT_TRUE(w.events.has("inner terminate closed"));
  });
}

TEST(Init, MessagesSentToItselfInInitComeAfterwards) {
  in_worlds([](ProcessWorld& w) {
    w.actor("a", 1, {}, [] { send_info(self().pid(), std::string("me")); });
    w.settle();
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{"a init", "a info me"}));
  });
}

// ---- ending ------------------------------------------------------------------------------------

TEST(Terminate, Tcp_C_13_IsCalledOnceForEachWayOfEndingButAKill) {
  in_worlds([](ProcessWorld& w) {
    auto normal = w.actor("normal", 1), crash = w.actor("crash", 1), signal = w.actor("signal", 1),
         kill = w.actor("kill", 1), answer = w.actor("answer", 1), linked = w.actor("linked", 0);
    w.in(linked, [&] { self().link(crash.pid()); });
    w.in(normal, [] {
      self().stop();
      self().stop(Reason::closed());
    });
    w.in(crash, [] { throw std::runtime_error("boom"); });
    answer.cast(DoNext{[] { return stop(Reason::custom("done")); }});
    send_exit(signal.pid(), Reason::shutdown());
    send_exit(kill.pid(), Reason::killed());
    w.settle();
    EXPECT_EQ(w.events.with("normal terminate"),
              std::vector<std::string>{"normal terminate normal"})
        << "the first reason counts";
    EXPECT_EQ(w.events.with("crash terminate").size(), 1U);
    EXPECT_EQ(w.events.with("linked terminate").size(), 1U);
    EXPECT_EQ(w.events.with("answer terminate"),
              std::vector<std::string>{"answer terminate custom: done"});
    EXPECT_EQ(w.events.with("signal terminate").size(), 1U);
    EXPECT_EQ(w.events.with("kill terminate").size(), 0U);
    for (const char* name : {"normal", "crash", "signal", "kill", "answer", "linked"})
      EXPECT_EQ(w.events.count(std::string(name) + " gone"), 1U) << name;
  });
}

TEST(Terminate, ThatThrowsMakesTheReasonACrash) {
  struct Rude {
    void handle_info(Info&) { self().stop(); }
    void terminate(const Reason&) { throw std::runtime_error("rude"); }
  };
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a");
    auto rude = *w.system.spawn_on<Rude>(w.on(1), {});
    w.in(a, [&] { self().monitor(rude.pid()); });
    send_info(rude.pid(), 1);
    w.settle();
    EXPECT_EQ(w.events.count("a down crash: rude, in terminate"), 1U);
  });
}

TEST(Terminate, MayStillSendAndSpawn) {
  struct Leaving {
    Pid heir;
    Events* events;
    void terminate(const Reason&) {
      send_info(heir, std::string("yours"));
      static_cast<void>(self().spawn_link<Actor>({}, std::string("late"), std::ref(*events),
                                                 std::function<void()>{}));
    }
  };
  in_worlds([](ProcessWorld& w) {
    auto heir = w.actor("heir", 0);
    auto leaving = *w.system.spawn_on<Leaving>(w.on(1), {}, heir.pid(), &w.events);
    send_exit(leaving.pid(), Reason::shutdown());
    w.settle();
    EXPECT_TRUE(w.events.has("heir info yours"));
    EXPECT_EQ(w.events.count("late terminate shutdown"), 1U) << "linked to one who was ending";
  });
}

TEST(Ending, ACrashHurtsNobodyElse) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a"), b = w.actor("b"), c = w.actor("c", 1);
    w.in(a, [] { throw 42; });
    EXPECT_TRUE(w.alive(b.pid()) && w.alive(c.pid()));
    EXPECT_EQ(w.log_lines(LogLevel::error, "an exception that is no std::exception"), 1U);
  });
}

TEST(Ending, Tcp_E_57_EB_20_TheCrashReportSaysWhoWhereOnWhatAndUnderWhom) {
  in_worlds([](ProcessWorld& w) {
    auto top = w.actor("top", 1, {.name = "the-top"});
    auto mid = w.actor("mid", 1, {.name = "the-middle", .parent = top.pid(), .trap_exit = true});
    auto low = w.actor("low", 1, {.name = "the-low", .parent = mid.pid()});
    w.in(low, [] { throw std::out_of_range("index 7"); });
    ASSERT_EQ(w.log_lines(LogLevel::error, "crash"), 1U);
    for (const auto& line : w.lines) {
      if (line.level != LogLevel::error) continue;
      EXPECT_EQ(line.source, "the-low");
      for (const std::string& part :
           {std::string("crash: index 7, in handle_cast on "), std::string("Do"), low.pid().text(),
            std::string("Actor"), std::string("under the-middle < the-top")})
        EXPECT_NE(line.text.find(part), std::string::npos) << part << " is not in " << line.text;
    }
  });
}

TEST(Ending, MessagesThatWaitedAreDroppedAndTheHandlerIsGoneBeforeLinksAreTold) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().monitor(b.pid()); });
    b.cast(Do{[] { self().stop(); }});
    b.cast(Do{[&] { w.events.add("handled"); }});
    w.settle();
    EXPECT_FALSE(w.events.has("handled"));
    const auto all = w.events.all();
    EXPECT_LT(std::find(all.begin(), all.end(), "b gone"),
              std::find(all.begin(), all.end(), "a down normal"));
  });
}

TEST(Ending, AProcessMayKillItselfAndItsNeighboursFromACallback) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 0);
    w.in(a, [&] {
      self().exit(b.pid(), Reason::killed());
      w.events.add("b killed");
      self().exit(self().pid(), Reason::killed());
      w.events.add("still here");
    });
    EXPECT_TRUE(w.events.has("still here"));
    EXPECT_FALSE(w.alive(a.pid()) || w.alive(b.pid()));
    EXPECT_TRUE(w.events.with("a terminate").empty());
  });
}

TEST(Ending, ManyKilledInOneTurnWhileTheyAreQueuedAreLetGo) {
  in_worlds(
      [](ProcessWorld& w) {
        const auto before = w.processes();
        auto a = w.actor("a", 0);
        w.in(a, [&] {
          std::vector<Ref<Actor>> all;
          for (int i = 0; i < 20'000; ++i)
            all.push_back(*self().spawn<Actor>({}, std::string("x"), std::ref(w.events),
                                               std::function<void()>{}));
          for (auto each : all) send_info(each.pid(), 1);
          for (auto each : all) self().exit(each.pid(), Reason::killed());
        });
        EXPECT_EQ(w.processes(), before + 1);
      },
      1);
}

// ---- timers ------------------------------------------------------------------------------------

TEST(Timers, SendAfterComesNotBeforeItsTimeAndOnce) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    w.in(a, [] { self().send_after(1s, std::string("tick")); });
    w.settle(970ms);
    EXPECT_FALSE(w.events.has("a info tick"));
    w.settle(50ms);
    EXPECT_EQ(w.events.count("a info tick"), 1U);
    w.settle(5s);
    EXPECT_EQ(w.events.count("a info tick"), 1U);
  });
}

TEST(Timers, ACancelledOneNeverComesAndCancelSaysSo) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    w.in(a, [&] {
      const auto timer = self().send_after(1s, std::string("tick"));
      EXPECT_TRUE(self().cancel_timer(timer));
      EXPECT_FALSE(self().cancel_timer(timer));
    });
    w.settle(2s);
    EXPECT_FALSE(w.events.has("a info tick"));
  });
}

TEST(Timers, DieWithTheirProcess) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    w.in(a, [] {
      self().send_after(1s, std::string("tick"));
      self().stop();
    });
    w.settle(2s);
    EXPECT_FALSE(w.events.has("a info tick"));
  });
}

TEST(IdleTimeout, ComesWhenNothingElseDoesAndHoldsForOneWait) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    a.cast(DoNext{[] { return keep().timeout(1s); }});
    w.settle(1100ms);
    EXPECT_EQ(w.events.count("a timeout"), 1U);
    w.settle(5s);
    EXPECT_EQ(w.events.count("a timeout"), 1U);
    a.cast(DoNext{[] { return keep().timeout(1s); }});
    w.settle(500ms);
    send_info(a.pid(), std::string("something"));
    w.settle(5s);
    EXPECT_EQ(w.events.count("a timeout"), 1U) << "a message ends the wait";
  });
}

TEST(IdleTimeout, WithoutATimeoutCallbackEndsTheProcess) {
  struct Plain {
    Next init() { return keep().timeout(1s); }
  };
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a");
    auto plain = *w.system.spawn_on<Plain>(w.on(1), {});
    w.in(a, [&] { self().monitor(plain.pid()); });
    w.settle(2s);
    ASSERT_EQ(w.events.with("a down timeout").size(), 1U);
  });
}

// ---- tasks -------------------------------------------------------------------------------------

/// Says when it goes.
struct Guard {
  Events* events;
  std::string name;
  Guard(Events& all, std::string text) : events(&all), name(std::move(text)) {}
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() { events->add(name + " unwound"); }
};

Task<int> inner_task(Events& events) {
  const Guard guard(events, "inner");
  co_await sleep(1s);
  co_return 5;
}
Task<> outer_task(Events& events) {
  const Guard guard(events, "outer");
  const int five = co_await inner_task(events);
  events.add("got " + std::to_string(five));
  co_await sleep(1s);
  events.add("done");
}

TEST(Tasks, AwaitEachOtherAndSleep) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    w.in(a, [&] { self().start(outer_task(w.events)); });
    w.settle(1s);
    EXPECT_TRUE(w.events.has("got 5"));
    EXPECT_EQ(sys::statistics(w.system.environment(), a.pid())->tasks, 1U);
    w.settle(1s);
    EXPECT_TRUE(w.events.has("done"));
    EXPECT_EQ(sys::statistics(w.system.environment(), a.pid())->tasks, 0U);
  });
}

TEST(Tasks, AreDestroyedWithTheirProcessWhereverTheyWait) {
  struct Never {
    using Reply = int;
  };
  struct Silent {
    std::vector<From<int>> froms;
    void handle_call(Never, From<int> from) { froms.push_back(std::move(from)); }
  };
  in_worlds([](ProcessWorld& w) {
    auto silent = *w.system.spawn_on<Silent>(w.on(2), {});
    const auto calling = [](Ref<Silent> ref, Events& events) -> Task<> {
      const Guard guard(events, "calling");
      static_cast<void>(co_await ref.call(Never{}, Duration::max()));
    };
    for (const bool by_force : {false, true}) {
      w.events.clear();
      auto a = w.actor("a", 1);
      w.in(a, [&] {
        self().start(outer_task(w.events));
        self().start(calling(silent, w.events));
      });
      send_exit(a.pid(), by_force ? Reason::killed() : Reason::shutdown());
      w.settle();
      const auto all = w.events.all();
      for (const char* name : {"inner unwound", "outer unwound", "calling unwound"}) {
        EXPECT_EQ(w.events.count(name), 1U) << name;
        EXPECT_LT(std::find(all.begin(), all.end(), name),
                  std::find(all.begin(), all.end(), "a gone"))
            << "before the handler whose members they use";
      }
    }
  });
}

TEST(Tasks, AnExceptionCrashesTheProcessAlsoFromTheInnerOne) {
  in_worlds([](ProcessWorld& w) {
    const auto inner = []() -> Task<> {
      co_await sleep(10ms);
      throw std::runtime_error("deep");
    };
    const auto outer = [](Task<> task) -> Task<> { co_await task; };
    auto a = w.actor("a", 1);
    w.in(a, [&] { self().start(outer(inner())); });
    w.settle();
    EXPECT_FALSE(w.alive(a.pid()));
    EXPECT_EQ(w.events.count("a terminate crash: deep, in task"), 1U);
  });
}

TEST(Tasks, AnExceptionOfTheInnerOneCanBeCaughtByTheOuterOne) {
  in_worlds([](ProcessWorld& w) {
    const auto inner = []() -> Task<> {
      co_await sleep(10ms);
      throw std::runtime_error("deep");
    };
    const auto outer = [](Task<> task, Events& events) -> Task<> {
      try {
        co_await task;
      } catch (const std::exception& thrown) {
        events.add(thrown.what());
      }
    };
    auto a = w.actor("a", 1);
    w.in(a, [&] { self().start(outer(inner(), w.events)); });
    w.settle();
    EXPECT_TRUE(w.events.has("deep"));
    EXPECT_TRUE(w.alive(a.pid()));
  });
}

TEST(Tasks, MayStopTheirProcess) {
  in_worlds([](ProcessWorld& w) {
    const auto stopping = []() -> Task<> {
      co_await sleep(10ms);
      self().stop(Reason::closed());
      co_await sleep(1h);
    };
    auto a = w.actor("a", 1);
    w.in(a, [&] { self().start(stopping()); });
    w.settle(50ms);
    EXPECT_EQ(w.events.count("a terminate closed"), 1U);
  });
}

TEST(Tasks, MayStartOthers) {
  in_worlds([](ProcessWorld& w) {
    struct Starter {
      static Task<> run(int depth, Events& events) {
        if (depth > 0) self().start(run(depth - 1, events));
        co_await sleep(10ms);
        events.add("ran");
      }
    };
    auto a = w.actor("a", 1);
    w.in(a, [&] { self().start(Starter::run(20, w.events)); });
    w.settle(50ms);
    EXPECT_EQ(w.events.count("ran"), 21U);
  });
}

// ---- names -------------------------------------------------------------------------------------

TEST(Names, AClashNamesTheOwner) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1, {.name = "clock"});
    const auto second = w.system.spawn_on<Actor>(w.on(2), {.name = "clock"}, std::string("b"),
                                                 std::ref(w.events), std::function<void()>{});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, ErrorKind::already_exists);
    EXPECT_NE(second.error().detail.find(a.pid().text()), std::string::npos);
    EXPECT_FALSE(w.events.has("b init"));
  });
}

TEST(Names, Tcp_E_20_AreFoundAndFreedAtTheEnd) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1, {.name = "clock"});
    EXPECT_EQ(w.system.whereis("clock"), a.pid());
    send_exit(a.pid(), Reason::shutdown());
    w.settle();
    EXPECT_FALSE(w.system.whereis("clock"));
    auto b = w.actor("b", 2, {.name = "clock"});
    EXPECT_EQ(w.system.whereis("clock"), b.pid());
  });
}

TEST(Pids, Tcp_C_21_CB_04_OfAnEndedProcessNeverReachesItsSuccessor) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    send_exit(a.pid(), Reason::killed());
    w.settle();
    for (int i = 0; i < 5; ++i) w.actor("b" + std::to_string(i), 1);
    send_info(a.pid(), std::string("stray"));
    a.cast(Do{[&] { w.events.add("stray"); }});
    w.settle();
    for (const auto& event : w.events.all()) EXPECT_EQ(event.find("stray"), std::string::npos);
  });
}

// ---- fairness and the end of everything --------------------------------------------------------

TEST(Fairness, AProcessThatAlwaysHasWorkStarvesNobody) {
  struct Greedy {
    void handle_info(Info&) { send_info(self().pid(), 1); }
    void init() { send_info(self().pid(), 1); }
  };
  for (const unsigned schedulers : {1U, 3U}) {
    SystemOptions options;
    options.scheduler.messages_per_turn = 16;
    ProcessWorld w(1, schedulers, options);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(w.system.spawn<Greedy>({}).has_value());
    auto a = w.actor("a", 0);
    send_info(a.pid(), std::string("hello"));
    for (int step = 0; step < 2'000 && !w.events.has("a info hello"); ++step) w.world.step();
    EXPECT_TRUE(w.events.has("a info hello"));
    // They never rest: virtual time cannot move, so they are ended by hand, not by the drain.
    for (unsigned n = 0; n < schedulers; ++n)
      w.system.scheduler(n).post([&w, n] { w.system.scheduler(n).finish(); });
    for (int step = 0; step < 2'000; ++step) w.world.step();
  }
}

TEST(Teardown, EndsEveryProcessAndLeavesNoTimerBehind) {
  in_worlds([](ProcessWorld& w) {
    for (unsigned i = 0; i < 6; ++i) {
      auto a = w.actor("a" + std::to_string(i), i, {.trap_exit = true});
      w.in(a, [&] {
        self().start(outer_task(w.events));
        self().send_after(1h, std::string("late"));
      });
    }
    EXPECT_TRUE(w.system.stop(1s));
    for (unsigned i = 0; i < 6; ++i)
      EXPECT_EQ(w.events.count("a" + std::to_string(i) + " gone"), 1U);
    EXPECT_EQ(w.events.count("outer unwound"), 6U);
  });
}

}  // namespace
}  // namespace hawser
