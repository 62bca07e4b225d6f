// Supervisors under supervisors.
#include <hawser/process/supervisor.hpp>

#include <hawser/process/testing/supervision.hpp>

#include <gtest/gtest.h>

#include <optional>

namespace hawser {
namespace {

using testing::History;
using testing::supervised;
using testing::Supervision;

// ---- supervisors under supervisors -------------------------------------------------------------

SupervisorOptions tree(Supervision& s, std::optional<unsigned> where = {}) {
  auto inner = supervisor("inner", {.intensity = 1, .children = {s.child("x", 1), s.child("y")}});
  inner.scheduler = where;
  return {.intensity = 3, .children = {s.child("a"), std::move(inner), s.child("c", 2)}};
}

TEST(SupervisorTrees, AnInnerSupervisorCountsAsStartedWhenItsChildrenAre) {
  supervised([](Supervision& s) {
    for (const auto where : {std::optional<unsigned>{}, std::optional(s.w.on(2))}) {
      s.start(tree(s, where));
      EXPECT_EQ(s.history(), (History{"a start", "x start", "y start", "c start"}));
      s.shut_down();
      EXPECT_EQ(s.history(),
                (History{"c end shutdown", "y end shutdown", "x end shutdown", "a end shutdown"}));
    }
  });
}

TEST(SupervisorTrees, AnInnerStartThatFailsIsTheOutersFailure) {
  supervised([](Supervision& s) {
    for (const auto where : {std::optional<unsigned>{}, std::optional(s.w.on(2))}) {
      const auto before = s.w.processes();
      auto options = tree(s, where);
      s.plans["y"]->fail_starts_from = 1;
      auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, std::move(options));
      if (spawned) {
        const auto started = s.w.system.call(*spawned, AwaitStarted{});
        ASSERT_FALSE(started.has_value());
        EXPECT_NE(started.error().text().find("no luck"), std::string::npos)
            << started.error().text();
      }
      s.w.settle();
      EXPECT_EQ(s.history(),
                (History{"a start", "x start", "y fails", "x end shutdown", "a end shutdown"}));
      EXPECT_EQ(s.w.processes(), before);
    }
  });
}

TEST(SupervisorTrees, AnInnerOneThatGivesUpIsRestartedWithItsChildren) {
  supervised([](Supervision& s) {
    s.start(tree(s, s.w.on(2)));
    s.history();
    s.crash("x");
    s.crash("x");
    EXPECT_EQ(s.history(), (History{"x end crash", "x start", "x end crash", "y end shutdown",
                                    "x start", "y start"}));
  });
}

TEST(SupervisorTrees, AskedToStopWhileAnInnerOneStartsNothingIsLeftBehind) {
  supervised(
      [](Supervision& s) {
        const auto before = s.w.processes();
        auto spawned = s.w.system.spawn_on<Supervisor>(0, {}, tree(s, s.w.on(2)));
        ASSERT_TRUE(spawned.has_value());
        for (std::uint64_t steps = s.w.world.random().below(25); steps > 0; --steps)
          s.w.world.step();
        send_exit(spawned->pid(), Reason::shutdown());
        s.w.settle();
        EXPECT_EQ(s.w.processes(), before);
        EXPECT_TRUE(s.w.events.with("c end").size() <= 1);
      },
      30);
}

TEST(SupervisorTrees, AnInnerStartThatNeverEndsIsCutShort) {
  supervised([](Supervision& s) {
    const auto before = s.w.processes();
    // Suspended in the middle of its start, where its child lives elsewhere.
    SupervisorOptions options{.children = {s.child("x", 1)}};
    auto inner = supervisor("inner", options);
    inner.start = [options](const StartContext& context) -> Result<Pid> {
      auto spawned = spawn<Supervisor>(context.scheduler, {.parent = context.parent}, options);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      context.scheduler.find(spawned->pid())->set_suspended(true);
      return spawned->pid();
    };
    s.start({.children = {s.child("a"), inner, s.child("c")}});
    s.w.settle(1min);
    if (s.w.on(1) != 0) {
      EXPECT_EQ(s.plans["c"]->starts, 0);
    }
    s.shut_down(1s);
    EXPECT_FALSE(s.w.alive(s.supervisor.pid()));
    EXPECT_EQ(s.w.processes(), before);
  });
}

TEST(SupervisorTrees, TheSystemsOwnSupervisorWaitsForTheWholeTree) {
  supervised([](Supervision& s) {
    auto inner = supervisor("tree", tree(s, s.w.on(1)));
    inner.scheduler = s.w.on(2);
    const auto started = s.w.system.start(std::move(inner));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    EXPECT_TRUE(s.runs("a") && s.runs("x") && s.runs("y") && s.runs("c"));
    EXPECT_TRUE(s.w.system.stop_child("tree").has_value());
    EXPECT_FALSE(s.runs("a") || s.runs("x") || s.runs("y") || s.runs("c"));
    EXPECT_TRUE(s.w.system.stop(10s));
  });
}

}  // namespace
}  // namespace hawser
