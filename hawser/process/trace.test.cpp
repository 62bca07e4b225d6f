// What a traced process shows, where it goes, and the crash report.
#include <hawser/process/trace.hpp>

#include <hawser/process/sys.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Events;
using testing::in_worlds;
using testing::ProcessWorld;

struct Work {
  std::function<Next()> work;
};
struct AskBusy {};
struct Busy {
  Next handle_cast(const Work& act) { return act.work(); }
  int handle_call(AskBusy) { return 1; }
  void handle_info(Info&) {}
  void handle_event(const int&) {}
  void handle_timer(std::string_view) {}
  void timeout() {}
  std::string describe() const { return "very busy"; }
};

TraceOptions into(Events& events) {
  return TraceOptions().to([&events](const TraceEvent& event) {
    events.add(std::string(to_string(event.kind)) + ": " + event.what);
  });
}

void exercise(ProcessWorld& w, Ref<Busy> busy) {
  static_cast<void>(w.system.call(busy, AskBusy{}));
  send_info(busy.pid(), 1);
  busy.cast(Work{[] {
    EXPECT_TRUE(self().join("room"));
    self().start_timer("beat", 10ms);
    send_info(self().pid(), std::string("me"));
    return keep().timeout(15ms);
  }});
  w.settle(50ms);
  publish(w.system, "room", 5);
  busy.cast(Work{[] { return keep().timeout(15ms); }});
  w.settle(50ms);
  static_cast<void>(sys::statistics(w.system.environment(), busy.pid()));
  send_exit(busy.pid(), Reason::closed());
  w.settle();
}

TEST(Trace, ASinkSeesEachKindOfEvent) {  // E-56
  in_worlds([](ProcessWorld& w) {
    SpawnOptions options;
    options.trace = std::make_shared<const TraceOptions>(into(w.events));
    auto busy = *w.system.spawn_on<Busy>(w.on(1), options);
    exercise(w, busy);
    EXPECT_EQ(w.events.with("call: ").size(), 1U);
    EXPECT_TRUE(w.events.with("call: ").front().ends_with("AskBusy"));
    EXPECT_TRUE(w.events.has("info: int"));
    EXPECT_EQ(w.events.with("cast: ").size(), 2U);
    EXPECT_TRUE(w.events.has("timer: beat"));
    EXPECT_TRUE(w.events.has("event: int"));
    EXPECT_EQ(w.events.with("timeout: ").size(), 1U);
    EXPECT_EQ(w.events.with("message_out: ").size(), 1U);
    EXPECT_TRUE(w.events.with("message_out: ").front().ends_with(busy.pid().text()));
    EXPECT_TRUE(w.events.has("system: sys request"));
    EXPECT_TRUE(w.events.has("exit: exit signal"));
    EXPECT_TRUE(w.events.has("end: closed"));
    EXPECT_EQ(w.events.all().back(), "end: closed");
  });
}

TEST(Trace, NothingIsSeenOfAProcessThatIsNotTraced) {
  in_worlds([](ProcessWorld& w) {
    auto traced = *w.system.spawn_on<Busy>(w.on(1), {});
    auto other = *w.system.spawn_on<Busy>(w.on(1), {});
    auto& here = w.system.environment();
    ASSERT_TRUE(sys::trace(here, traced.pid(), into(w.events)));
    exercise(w, other);
    EXPECT_TRUE(w.events.all().empty());
    EXPECT_EQ(sys::trace_report(here, other.pid()).error().kind, ErrorKind::not_found);
  });
}

TEST(Trace, CanBeChangedAndSwitchedOffAtRunTime) {  // E-27
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
    Events first, second;
    ASSERT_TRUE(sys::trace(here, busy.pid(), into(first)));
    send_info(busy.pid(), 1);
    ASSERT_TRUE(sys::trace(here, busy.pid(), into(second)));
    send_info(busy.pid(), 1);
    ASSERT_TRUE(sys::trace(here, busy.pid(), false));
    send_info(busy.pid(), 1);
    w.settle();
    EXPECT_EQ(first.count("info: int"), 1U);
    EXPECT_EQ(second.count("info: int"), 1U);
    EXPECT_FALSE(sys::statistics(here, busy.pid())->traced);
    EXPECT_EQ(sys::trace_report(here, busy.pid()).error().kind, ErrorKind::invalid_argument);
  });
}

TEST(Trace, AnotherProcessMayCollectTheEvents) {
  struct Collector {
    Events* events;
    void handle_info(Info& info) {
      if (const auto* event = info.get<TraceEvent>())
        events->add(event->pid.text() + " " + std::string(to_string(event->kind)));
    }
  };
  in_worlds([](ProcessWorld& w) {
    auto collector = *w.system.spawn_on<Collector>(w.on(2), {}, &w.events);
    auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
    ASSERT_TRUE(sys::trace(w.system.environment(), busy.pid(), TraceOptions().to(collector.pid())));
    send_info(busy.pid(), 1);
    w.settle();
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{busy.pid().text() + " info"}));
  });
}

TEST(Trace, WhatASinkDoesIsNotTracedAndOneThatThrowsIsDropped) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
    auto other = w.actor("other", 2);
    int calls = 0;
    ASSERT_TRUE(sys::trace(here, busy.pid(), TraceOptions().to([&](const TraceEvent&) {
      if (++calls == 3) throw std::runtime_error("full");
      send_info(other.pid(), std::string("seen"));
    })));
    for (int i = 0; i < 5; ++i) send_info(busy.pid(), 1);
    w.settle();
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(w.events.count("other info seen"), 2U);
    EXPECT_TRUE(w.alive(busy.pid()));
    EXPECT_EQ(w.log_lines(LogLevel::warning, "trace sink threw"), 1U);
  });
}

TEST(Trace, CountsAndTheLastEventsCanBeAskedFor) {
  in_worlds([](ProcessWorld& w) {
    auto& here = w.system.environment();
    auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
    ASSERT_TRUE(sys::trace(here, busy.pid(), TraceOptions().keep(3)));
    for (int i = 0; i < 10; ++i) send_info(busy.pid(), 1);
    static_cast<void>(w.system.call(busy, AskBusy{}));
    const auto report = sys::trace_report(here, busy.pid());
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->count(TraceKind::info), 10U);
    EXPECT_EQ(report->count(TraceKind::call), 1U);
    ASSERT_EQ(report->last.size(), 3U);
    EXPECT_EQ(report->last[0].kind, TraceKind::info);
    EXPECT_EQ(report->last[1].kind, TraceKind::call);
    EXPECT_EQ(report->last[2].kind, TraceKind::system);
    EXPECT_EQ(w.log_lines(LogLevel::info, "trace"), 0U) << "kept, not logged";
  });
}

TEST(Trace, AProcessMayAskForIt) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0);
    auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
    const auto asks = [](Ref<Busy> other, Events& events) -> Task<> {
      auto on = co_await sys::trace(other.pid(), TraceOptions().keep(10));
      send_info(other.pid(), 1);
      auto report = co_await sys::trace_report(other.pid());
      if (on && report) events.add(std::to_string(report->count(TraceKind::info)));
    };
    w.in(a, [&] { self().start(asks(busy, w.events)); });
    EXPECT_TRUE(w.events.has("1"));
  });
}

// ---- the crash report (E-57) -------------------------------------------------------------------

std::string only_error(ProcessWorld& w) {
  std::string text;
  for (const auto& line : w.lines)
    if (line.level == LogLevel::error) {
      EXPECT_TRUE(text.empty()) << "one line a crash";
      text = line.source + ": " + line.text;
    }
  return text;
}

TEST(CrashReport, HasNameReasonCallbackMessageStateAndTheLastEvents) {
  in_worlds([](ProcessWorld& w) {
    SpawnOptions options{.name = "busy bee"};
    options.trace = std::make_shared<const TraceOptions>(TraceOptions().keep(2));
    auto busy = *w.system.spawn_on<Busy>(w.on(1), options);
    send_info(busy.pid(), std::string("x"));
    send_info(busy.pid(), 1);
    busy.cast(Work{[]() -> Next { throw std::runtime_error("boom"); }});
    w.settle();
    const std::string text = only_error(w);
    const std::vector<std::string> parts{
        "busy bee: ",      "crash: boom",      "in handle_cast", "Work", "Busy",
        busy.pid().text(), "state: very busy", "info int; ",     "cast "};
    for (const auto& part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
    EXPECT_EQ(text.find("basic_string"), std::string::npos) << "only the last two are kept";
  });
}

struct Secret {
  static constexpr bool redact_state = true;
  std::string describe() const { return "password 1234"; }
  void handle_info(Info&) { throw std::runtime_error("boom"); }
};

TEST(CrashReport, Tcp_E_57_EB_15_AHandlerMayKeepItsStateSecret) {
  in_worlds([](ProcessWorld& w) {
    auto secret = *w.system.spawn_on<Secret>(w.on(1), {});
    EXPECT_EQ(*sys::describe(w.system.environment(), secret.pid()), "(redacted)");
    send_info(secret.pid(), 1);
    w.settle();
    EXPECT_NE(only_error(w).find("state: (redacted)"), std::string::npos);
    EXPECT_EQ(only_error(w).find("1234"), std::string::npos);
  });
}

TEST(CrashReport, ALongStateIsCutAndADescribeThatThrowsIsSurvived) {
  struct Long {
    std::string describe() const { return std::string(100, 'x'); }
    void handle_info(Info&) { throw std::runtime_error("boom"); }
  };
  struct Throws {
    std::string describe() const { throw std::runtime_error("worse"); }
    void handle_info(Info&) { throw std::runtime_error("boom"); }
  };
  SystemOptions options;
  options.crash_state_bytes = 30;
  ProcessWorld w(1, 1, options);
  send_info(w.system.spawn<Long>({})->pid(), 1);
  w.settle();
  EXPECT_NE(only_error(w).find("state: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… (100 bytes)"),
            std::string::npos);
  w.lines.clear();
  send_info(w.system.spawn<Throws>({})->pid(), 1);
  w.settle();
  EXPECT_NE(only_error(w).find("crash: boom"), std::string::npos);
  EXPECT_NE(only_error(w).find("describe() threw: worse"), std::string::npos);
}

TEST(CrashReport, Tcp_E_57_ThereIsNoneForAnyOtherEnd) {
  in_worlds([](ProcessWorld& w) {
    for (const auto& reason : {Reason::normal(), Reason::shutdown(), Reason::closed(),
                               Reason::killed(), Reason::custom("own")}) {
      auto busy = *w.system.spawn_on<Busy>(w.on(1), {});
      busy.cast(Work{[reason] { return stop(reason); }});
      w.settle();
      EXPECT_FALSE(w.alive(busy.pid()));
    }
    EXPECT_EQ(w.log_lines(LogLevel::error, ""), 0U);
    EXPECT_EQ(w.log_lines(LogLevel::warning, ""), 0U);
  });
}

}  // namespace
}  // namespace hawser
