// Who gets which events, and what an unwanted one costs: nothing but the question.
#include <hawser/process/telemetry.hpp>

#include <hawser/process/sys.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

constexpr TracePoint point{"test.happened"};

struct ListLog final : Log {
  explicit ListLog(LogLevel level) : Log(level) {}
  void write(LogLevel, std::string_view source, std::string_view text) override {
    lines.push_back(std::string(source) + ": " + std::string(text));
  }
  std::vector<std::string> lines;
};

struct Raised {
  int words = 0;
  void raise(Telemetry& telemetry, LogLevel level) {
    if (!telemetry.wants(level)) return;
    telemetry.raise(point, level, Instant(5ms), {}, "somebody", {{"length_ns", 7}}, [this] {
      ++words;
      return std::string("it happened");
    });
  }
};

TEST(Telemetry, Tcp_R_22_TheLogIsASubscriberOfItsLevel) {
  ListLog log(LogLevel::info);
  Telemetry telemetry(log);
  Raised raised;
  raised.raise(telemetry, LogLevel::debug);
  EXPECT_FALSE(telemetry.wants(LogLevel::debug));
  EXPECT_EQ(raised.words, 0) << "nobody wants it: nothing is put together";
  raised.raise(telemetry, LogLevel::info);
  EXPECT_EQ(log.lines, (std::vector<std::string>{"somebody: it happened"}));
}

TEST(Telemetry, ASubscriberGetsItsLevelAndAboveUntilItEnds) {
  ListLog log(LogLevel::off);
  Telemetry telemetry(log);
  Raised raised;
  int seen = 0;
  std::optional<std::int64_t> measure;
  {
    const auto subscription =
        telemetry.subscribe(LogLevel::debug, [&](const TelemetryEvent& event) {
          ++seen;
          measure = event.measure("length_ns");
          EXPECT_EQ(event.point(), "test.happened");
          EXPECT_EQ(event.source(), "somebody");
          EXPECT_EQ(event.when(), Instant(5ms));
          EXPECT_EQ(event.measure("width"), std::nullopt);
        });
    raised.raise(telemetry, LogLevel::trace);
    EXPECT_EQ(seen, 0);
    raised.raise(telemetry, LogLevel::debug);
    raised.raise(telemetry, LogLevel::error);
  }
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(measure, 7);
  EXPECT_EQ(raised.words, 0) << "figures need no words";
  EXPECT_FALSE(telemetry.wants(LogLevel::error)) << "off again";
  raised.raise(telemetry, LogLevel::error);
  EXPECT_EQ(seen, 2);
}

TEST(Telemetry, SeveralSubscribersShareTheWords) {
  ListLog log(LogLevel::info);
  Telemetry telemetry(log);
  Raised raised;
  std::vector<std::string> texts;
  const auto note = [&](const TelemetryEvent& event) { texts.push_back(event.text()); };
  const auto one = telemetry.subscribe(LogLevel::info, note);
  auto other = telemetry.subscribe(LogLevel::warning, note);
  raised.raise(telemetry, LogLevel::warning);
  EXPECT_EQ(texts.size(), 2U);
  EXPECT_EQ(raised.words, 1);
  other = {};
  raised.raise(telemetry, LogLevel::warning);
  EXPECT_EQ(texts.size(), 3U);
}

TEST(Telemetry, ASubscriberThatThrowsIsDropped) {
  ListLog log(LogLevel::warning);
  Telemetry telemetry(log);
  Raised raised;
  int calls = 0, others = 0;
  const auto bad = telemetry.subscribe(LogLevel::debug, [&](const TelemetryEvent&) {
    ++calls;
    throw std::runtime_error("full");
  });
  const auto good = telemetry.subscribe(LogLevel::debug, [&](const TelemetryEvent&) { ++others; });
  raised.raise(telemetry, LogLevel::debug);
  raised.raise(telemetry, LogLevel::debug);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(others, 2);
  ASSERT_EQ(log.lines.size(), 1U);
  EXPECT_NE(log.lines[0].find("full"), std::string::npos);
}

TEST(Telemetry, CallsThatTimeOutAndCrashesAreEvents) {
  struct Never {
    using Reply = int;
  };
  struct Silent {
    std::vector<From<int>> kept{};
    void handle_call(Never, From<int> from) { kept.push_back(std::move(from)); }
  };
  testing::in_worlds([](testing::ProcessWorld& w) {
    std::vector<std::string> points;
    const auto subscription = w.system.telemetry().subscribe(
        LogLevel::debug, [&](const TelemetryEvent& event) { points.emplace_back(event.point()); });
    auto silent = *w.system.spawn_on<Silent>(w.on(1), {});
    auto asker = w.actor("asker");
    const auto asks = [](Ref<Silent> whom) -> Task<> {
      const Never request;
      static_cast<void>(co_await whom.call(request, 20ms));
      throw std::runtime_error("boom");
    };
    w.in(asker, [&] { self().start(asks(silent)); });
    w.settle(100ms);
    EXPECT_EQ(points, (std::vector<std::string>{"call.timed_out", "process.crashed"}));
  });
}

TEST(Scheduler, ShowsItsLoadToOtherThreads) {
  testing::in_worlds([](testing::ProcessWorld& w) {
    auto one = w.actor("one");
    w.settle(10ms);
    const auto& load = w.system.scheduler(0).load();
    EXPECT_GT(load.turns.load(), 0U);
    EXPECT_GE(load.processes.load(), 2U) << "the root supervisor and the actor";
    const auto before = load.messages.load();
    w.in(one, [] {});
    w.settle(10ms);
    EXPECT_GT(load.messages.load(), before);
  });
}

}  // namespace
}  // namespace hawser
