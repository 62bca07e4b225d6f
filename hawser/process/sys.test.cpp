// Looking into live processes from a thread and from another process.
#include <hawser/process/sys.hpp>

#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace hawser {
namespace {

using testing::in_worlds;
using testing::ProcessWorld;

struct Add {
  int amount;
};
struct Counter {
  int value = 0;
  void handle_cast(Add add) { value += add.amount; }
  void handle_info(Info& info) {
    if (info.get<int>() != nullptr) value += 100;
    if (info.get<Exit>() != nullptr || info.get<Down>() != nullptr) value += 10'000;
  }
  void timeout() { value += 1'000'000; }
  std::string describe() const { return "at " + std::to_string(value); }
};

Ref<Counter> counter(ProcessWorld& w, SpawnOptions options = {}) {
  return *w.system.spawn_on<Counter>(w.on(1), std::move(options));
}

TEST(Sys, Tcp_E_53_E_54_StateCanBeReadAndReplaced) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto c = counter(w);
    c.cast(Add{5});
    EXPECT_EQ(sys::get_state(here, c)->value, 5);
    EXPECT_TRUE(sys::replace_state(here, c, [](Counter& counter) { counter.value = 7; }));
    EXPECT_EQ(sys::get_state(here, c)->value, 7);
    EXPECT_EQ(*sys::describe(here, c.pid()), "at 7");
  });
}

TEST(Sys, AChangeThatThrowsIsAnErrorAndHurtsNobody) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto c = counter(w);
    const auto changed =
        sys::replace_state(here, c, [](Counter&) { throw std::runtime_error("no"); });
    ASSERT_FALSE(changed.has_value());
    EXPECT_EQ(changed.error().kind, ErrorKind::failed);
    EXPECT_TRUE(w.alive(c.pid()));
  });
}

TEST(Sys, AnotherHandlerTypeAndADeadProcessAreErrors) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto a = w.actor("a", 1);
    EXPECT_EQ(sys::get_state(here, Ref<Counter>(a.pid())).error().kind,
              ErrorKind::invalid_argument);
    w.in(a, [] { self().stop(); });
    EXPECT_EQ(sys::get_status(here, a.pid()).error().kind, ErrorKind::not_found);
    EXPECT_EQ(sys::suspend(here, Pid{}).error().kind, ErrorKind::not_found);
  });
}

TEST(Sys, Tcp_E_55_WhileSuspendedMessagesWaitInOrderAndSignalsWork) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto a = w.actor("a", 1);
    ASSERT_TRUE(sys::suspend(here, a.pid()));
    for (const char* text : {"1", "2", "3"}) send_info(a.pid(), std::string(text));
    w.settle();
    EXPECT_TRUE(w.events.with("a info").empty());
    const auto status = sys::get_status(here, a.pid());
    EXPECT_TRUE(status->statistics.suspended);
    EXPECT_EQ(status->statistics.mailbox, 3U);
    ASSERT_TRUE(sys::resume(here, a.pid()));
    w.settle();
    EXPECT_EQ(w.events.with("a info"),
              (std::vector<std::string>{"a info 1", "a info 2", "a info 3"}));
  });
}

TEST(Sys, ASuspendedProcessStillEndsByAnExitSignal) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 1);
    ASSERT_TRUE(sys::suspend(w.system.environment(), a.pid()));
    send_exit(a.pid(), Reason::shutdown());
    w.settle();
    EXPECT_FALSE(w.alive(a.pid()));
  });
}

TEST(Sys, TrappedExitsAndDownsWaitForResumeAndNoLimitDropsThem) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto a = w.actor(
        "a", 1,
        {.trap_exit = true, .mailbox = {.messages = 3, .overflow = MailboxOverflow::drop_oldest}});
    auto b = w.actor("b", 2);
    w.in(a, [&] {
      self().link(b.pid());
      self().monitor(b.pid());
    });
    ASSERT_TRUE(sys::suspend(here, a.pid()));
    w.in(b, [] { self().stop(Reason::closed()); });
    for (const char* text : {"1", "2", "3", "4"}) send_info(a.pid(), std::string(text));
    w.settle();
    EXPECT_TRUE(w.events.with("a ").size() == 1) << "only its init";
    ASSERT_TRUE(sys::resume(here, a.pid()));
    w.settle();
    EXPECT_EQ(w.events.count("a exit closed"), 1U);
    EXPECT_EQ(w.events.count("a down closed"), 1U);
    EXPECT_EQ(w.events.with("a info").size(), 1U) << "three may wait, the signals among them";
    EXPECT_EQ(w.events.with("a info").front(), "a info 4");
  });
}

TEST(Sys, WhatWaitsForResumeIsBoundedByTheMailboxLimit) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto a = w.actor("a", 1, {.mailbox = {.messages = 2}});
    auto ender =
        w.actor("ender", 1, {.mailbox = {.messages = 2, .overflow = MailboxOverflow::end}});
    ASSERT_TRUE(sys::suspend(here, a.pid()));
    ASSERT_TRUE(sys::suspend(here, ender.pid()));
    for (const char* text : {"1", "2", "3"}) {
      send_info(a.pid(), std::string(text));
      send_info(ender.pid(), std::string(text));
      w.settle();
    }
    EXPECT_FALSE(w.alive(ender.pid()));
    EXPECT_EQ(sys::statistics(here, a.pid())->dropped, 1U);
    ASSERT_TRUE(sys::resume(here, a.pid()));
    w.settle();
    EXPECT_EQ(w.events.with("a info"), (std::vector<std::string>{"a info 1", "a info 2"}));
  });
}

TEST(Sys, TimersOfASuspendedProcessFallDueAfterResume) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto a = w.actor("a", 1);
    const auto sleeper = [](testing::Events& events) -> Task<> {
      co_await sleep(100ms);
      events.add("slept");
    };
    w.in(a, [&] {
      self().start(sleeper(w.events));
      self().send_after(100ms, std::string("later"));
    });
    a.cast(testing::DoNext{[] { return keep().timeout(150ms); }});
    w.settle();
    ASSERT_TRUE(sys::suspend(here, a.pid()));
    w.settle(1s);
    EXPECT_FALSE(w.events.has("slept") || w.events.has("a info later") ||
                 w.events.has("a timeout"));
    ASSERT_TRUE(sys::resume(here, a.pid()));
    w.settle(100ms);
    EXPECT_TRUE(w.events.has("slept"));
    EXPECT_TRUE(w.events.has("a info later"));
  });
}

TEST(Sys, TraceWritesALineAMessage) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto c = counter(w);
    ASSERT_TRUE(sys::trace(here, c.pid(), true));
    c.cast(Add{1});
    c.cast(Add{1});
    w.settle();
    EXPECT_EQ(w.log_lines(LogLevel::info, "trace cast: "), 2U);
    ASSERT_TRUE(sys::trace(here, c.pid(), false));
    c.cast(Add{1});
    w.settle();
    EXPECT_EQ(w.log_lines(LogLevel::info, "Add"), 2U);
  });
}

TEST(Sys, StatusTellsWhoItIs) {
  in_worlds([](ProcessWorld& w) {
    auto parent = w.actor("p");
    auto c = counter(w, {.name = "counter", .parent = parent.pid(), .trap_exit = true});
    c.cast(Add{3});
    w.settle(2s);
    const auto status = sys::get_status(w.system.environment(), c.pid());
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->pid, c.pid());
    EXPECT_EQ(status->parent, parent.pid());
    EXPECT_EQ(status->name, "counter");
    EXPECT_TRUE(status->handler.ends_with("Counter"));
    EXPECT_EQ(status->state, "at 3");
    EXPECT_TRUE(status->trap_exit);
    EXPECT_GE(status->statistics.age, 2s);
    EXPECT_EQ(status->statistics.links, 1U);
    EXPECT_NE(status->text().find("at 3"), std::string::npos);
  });
}

TEST(Sys, AProcessAsksAnotherOne) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0);
    auto c = counter(w);
    const auto asking = [](Ref<Counter> counter, testing::Events& events) -> Task<> {
      auto suspended = co_await sys::suspend(counter.pid());
      counter.cast(Add{1});
      auto before = co_await sys::get_state(counter);
      auto changed = co_await sys::replace_state(counter, [](Counter& state) { state.value = 5; });
      auto resumed = co_await sys::resume(counter.pid());
      co_await sleep(10ms);
      auto status = co_await sys::get_status(counter.pid());
      auto numbers = co_await sys::statistics(counter.pid());
      auto traced = co_await sys::trace(counter.pid(), true);
      if (suspended && changed && resumed && traced && numbers->messages > 0)
        events.add(std::to_string(before->value) + " " + status->state);
    };
    w.in(a, [&] { self().start(asking(c, w.events)); });
    EXPECT_TRUE(w.events.has("0 at 6"));
  });
}

}  // namespace
}  // namespace hawser
