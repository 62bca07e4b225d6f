// Links that both ends make and undo while signals are under way: whatever crosses, the two ends
// agree in the end, and an exit reaches exactly those that were linked.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Actor;
using testing::Do;
using testing::ProcessWorld;

constexpr unsigned racing_schedulers = 3;

bool linked(ProcessWorld& w, Pid one, Pid other) {
  bool answer = false;
  const auto ran = w.system.run_on(one.scheduler->number(), [&](Scheduler& scheduler) {
    const Process* process = scheduler.find(one);
    answer = process != nullptr && process->linked_to(other);
  });
  EXPECT_TRUE(ran.has_value());
  return answer;
}

/// Once nothing is under way: both ends of each pair see the same.
void expect_agreement(ProcessWorld& w, const std::vector<Ref<Actor>>& actors) {
  for (const auto& one : actors)
    for (const auto& other : actors)
      if (one.pid() < other.pid()) {
        EXPECT_EQ(linked(w, one.pid(), other.pid()), linked(w, other.pid(), one.pid()))
            << one.pid().text() << " and " << other.pid().text();
      }
}

sim::SeedOptions seeds() {
  sim::SeedOptions options;
  options.has_failed = [] { return ::testing::Test::HasFailure(); };
  return options;
}

TEST(LinkRaces, BothEndsAgreeWhateverCrosses) {
  sim::for_each_seed(
      400,
      [](sim::World& world) {
        ProcessWorld w(world, racing_schedulers);
        Random random(world.seed());
        std::vector<Ref<Actor>> actors;
        for (unsigned i = 0; i < 4; ++i) {
          SpawnOptions options;
          options.trap_exit = true;
          // The last one's link to its parent is a link like any other.
          if (i == 3) options.parent = actors[0].pid();
          actors.push_back(w.actor("a" + std::to_string(i), i, options));
        }
        for (int round = 0; round < 6; ++round) {
          // Queued at once; the schedulers take them, and the signals they cause, in any order.
          for (int step = 0; step < 14; ++step) {
            const auto one = actors[random.below(4)], other = actors[random.below(4)];
            if (one == other) continue;
            const bool links = random.below(2) == 0;
            one.cast(Do{
                [links, other] { links ? self().link(other.pid()) : self().unlink(other.pid()); }});
            const auto steps = random.below(8);
            for (std::uint64_t i = 0; i < steps; ++i) world.step();
          }
          w.settle();
          expect_agreement(w, actors);
          if (::testing::Test::HasFailure()) return;
        }
        EXPECT_TRUE(w.events.with("a0 exit").empty());

        // Now one ends: exactly those linked to it hear of it, once.
        const auto dying = actors[1 + random.below(2)];
        std::vector<bool> expected;
        for (const auto& actor : actors) expected.push_back(linked(w, actor.pid(), dying.pid()));
        dying.cast(Do{[] { self().stop(Reason::closed()); }});
        w.settle();
        for (std::size_t i = 0; i < actors.size(); ++i) {
          EXPECT_EQ(w.events.count("a" + std::to_string(i) + " exit closed"),
                    expected[i] ? 1U : 0U);
        }
      },
      seeds());
}

TEST(LinkRaces, NoExitComesAfterAnUnlinkEvenWhenEndsCross) {
  sim::for_each_seed(
      300,
      [](sim::World& world) {
        ProcessWorld w(world, racing_schedulers);
        Random random(world.seed());
        SpawnOptions traps;
        traps.trap_exit = true;
        const auto a = w.actor("a", 0, traps), b = w.actor("b", 1, traps);
        for (int step = 0; step < 10; ++step) {
          const bool links = random.below(2) == 0;
          if (random.below(3) == 0) {
            b.cast(Do{[a] { self().unlink(a.pid()); }});
          } else {
            a.cast(Do{[links, b] { links ? self().link(b.pid()) : self().unlink(b.pid()); }});
          }
          const auto steps = random.below(6);
          for (std::uint64_t i = 0; i < steps; ++i) world.step();
        }
        b.cast(Do{[] { self().stop(Reason::closed()); }});
        bool silent = false;
        a.cast(Do{[&, b] {
          self().unlink(b.pid());
          silent = w.events.with("a exit").empty();
        }});
        w.settle();
        if (silent) {
          EXPECT_TRUE(w.events.with("a exit").empty());
        }
        EXPECT_LE(w.events.with("a exit").size(), 1U);
        bool found = true;
        ASSERT_TRUE(w.system.run_on(a.pid().scheduler->number(), [&](Scheduler& scheduler) {
          found = scheduler.find(a.pid())->link_count() != 0;
        }));
        EXPECT_FALSE(found);
      },
      seeds());
}

TEST(Pids, MadeUpByHandReachNobody) {
  testing::in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0);
    auto& scheduler = w.system.scheduler(w.on(1));
    for (const std::uint32_t index : {0U, 7U, UINT32_MAX})
      for (const std::uint32_t generation : {0U, 7U, UINT32_MAX}) {
        const Pid forged{&scheduler, index, generation};
        send_info(forged, 1);
        send_exit(forged, Reason::killed());
        w.in(a, [&] {
          send_info(forged, 1);
          self().monitor(forged);
          self().unlink(forged);
        });
      }
    EXPECT_EQ(w.events.count("a down no_process"), 9U);
    EXPECT_TRUE(w.alive(a.pid()));
  });
}

}  // namespace
}  // namespace hawser
