// Stalls seen in a pulse that the test moves, and in that of a real scheduler.
#include <hawser/process/stall_watch.hpp>

#include <hawser/process/scheduler.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

Instant after(Duration since) { return Instant{since}; }

struct Watched {
  explicit Watched(Duration limit = 50ms) : detector(limit) {}
  StallDetector detector;
  SchedulerPulse pulse;
  void runs(const TypeInfo* handler, const char* callback, std::uint32_t index = 7) {
    pulse.callbacks.fetch_add(1);
    pulse.handler = handler;
    pulse.callback = callback;
    pulse.process_index = index;
  }
};

TEST(StallDetector, TellsOnceWhoHoldsTheScheduler) {
  Watched w;
  w.runs(&type_info<int>, "handle_cast");
  EXPECT_FALSE(w.detector.look(after(0ms), w.pulse));
  EXPECT_FALSE(w.detector.look(after(49ms), w.pulse));
  const auto stall = w.detector.look(after(60ms), w.pulse);
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->handler, "int");
  EXPECT_EQ(stall->callback, "handle_cast");
  EXPECT_EQ(stall->process_index, 7U);
  EXPECT_EQ(stall->so_far, 60ms);
  EXPECT_NE(stall->text().find("int has been in handle_cast for 60 ms"), std::string::npos);
  EXPECT_FALSE(w.detector.look(after(500ms), w.pulse)) << "once a stall";
}

TEST(StallDetector, TheNextStallIsToldAgain) {
  Watched w;
  w.runs(&type_info<int>, "init");
  w.detector.look(after(0ms), w.pulse);
  EXPECT_TRUE(w.detector.look(after(50ms), w.pulse));
  w.runs(&type_info<char>, "timeout");
  EXPECT_FALSE(w.detector.look(after(60ms), w.pulse));
  EXPECT_FALSE(w.detector.look(after(109ms), w.pulse));
  EXPECT_TRUE(w.detector.look(after(110ms), w.pulse));
}

TEST(StallDetector, ManyShortCallbacksAreNoStall) {
  Watched w;
  for (int i = 0; i < 100; ++i) {
    w.runs(&type_info<int>, "handle_cast");
    EXPECT_FALSE(w.detector.look(after(i * 40ms), w.pulse));
  }
}

TEST(StallDetector, AnIdleSchedulerIsNoStall) {
  Watched w;
  w.runs(nullptr, "handle_cast");
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(w.detector.look(after(i * 40ms), w.pulse));
}

TEST(StallDetector, ZeroSwitchesItOff) {
  Watched w(0ms);
  w.runs(&type_info<int>, "handle_cast");
  w.detector.look(after(0ms), w.pulse);
  EXPECT_FALSE(w.detector.look(after(1h), w.pulse));
}

TEST(StallWatch, WarnsInTheLog) {
  std::vector<testing::CapturingLog::Line> lines;
  testing::CapturingLog log(lines);
  Telemetry telemetry(log);
  const auto record = std::make_shared<StallRecord>();
  StallWatch watch(40ms, 2, record);
  EXPECT_EQ(watch.interval(), 20ms);
  SchedulerPulse busy, idle;
  busy.handler = &type_info<int>;
  busy.callback = "handle_info";
  for (int i = 0; i < 20; ++i) {
    watch.look(after(i * watch.interval()), 0, idle, telemetry);
    watch.look(after(i * watch.interval()), 1, busy, telemetry);
  }
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].source, "scheduler 1");
  EXPECT_EQ(record->count(), 1U);
  ASSERT_EQ(record->last().size(), 1U);
  EXPECT_EQ(record->last()[0].scheduler, 1U);
  EXPECT_EQ(record->last()[0].stall.callback, "handle_info");
  EXPECT_EQ(record->longest(), 380ms) << "as long as it was looked at";
}

TEST(StallWatch, ThePulseNamesTheRunningCallbackAlsoAroundANestedOne) {
  testing::in_worlds(
      [](testing::ProcessWorld& w) {
        auto a = w.actor("a");
        const auto& pulse = w.system.scheduler(0).pulse();
        std::vector<std::string> seen;
        const auto note = [&] {
          seen.push_back(std::string(pulse.handler.load()->name) + " " + pulse.callback.load());
        };
        struct Inner {
          std::function<void()> note;
          void init() { note(); }
        };
        w.in(a, [&] {
          note();
          static_cast<void>(self().spawn<Inner>({}, note));
          note();
        });
        ASSERT_EQ(seen.size(), 3U);
        EXPECT_TRUE(seen[0].ends_with("Actor handle_cast")) << seen[0];
        EXPECT_TRUE(seen[1].ends_with("Inner init")) << seen[1];
        EXPECT_EQ(seen[2], seen[0]);
        EXPECT_EQ(pulse.handler.load(), nullptr);
      },
      1);
}

}  // namespace
}  // namespace hawser
