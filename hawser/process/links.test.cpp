// Links and monitors: each rule of OTP a test.
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

namespace hawser {
namespace {

using testing::Actor;
using testing::Do;
using testing::in_worlds;
using testing::ProcessWorld;

TEST(Links, ACrashEndsALinkedProcessWithTheSameReason) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().link(b.pid()); });
    w.in(b, [] { throw std::runtime_error("boom"); });
    EXPECT_FALSE(w.alive(a.pid()));
    ASSERT_EQ(w.events.with("a terminate").size(), 1U);
    EXPECT_EQ(w.events.with("a terminate").front().substr(12),
              w.events.with("b terminate").front().substr(12));
    EXPECT_NE(w.events.with("a terminate").front().find("crash: boom, in handle_cast"),
              std::string::npos);
  });
}

TEST(Links, ANormalEndHurtsNoLink) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().link(b.pid()); });
    w.in(b, [] { self().stop(); });
    EXPECT_TRUE(w.alive(a.pid()));
    EXPECT_FALSE(w.alive(b.pid()));
  });
}

TEST(Links, TrappingTurnsTheExitIntoAMessage) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0, {.trap_exit = true}), b = w.actor("b", 1), c = w.actor("c", 2);
    w.in(a, [&] {
      self().link(b.pid());
      self().link(c.pid());
    });
    w.in(b, [] { self().stop(Reason::timeout("heart")); });
    w.in(c, [] { self().stop(); });
    EXPECT_TRUE(w.alive(a.pid()));
    EXPECT_EQ(w.events.count("a exit timeout: heart"), 1U);
    EXPECT_EQ(w.events.count("a exit normal"), 1U);
  });
}

TEST(Links, AKillCannotBeTrappedAndSkipsTerminate) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1, {.trap_exit = true});
    w.in(a, [&] { self().exit(b.pid(), Reason::killed()); });
    EXPECT_FALSE(w.alive(b.pid()));
    EXPECT_TRUE(w.events.with("b terminate").empty());
    EXPECT_EQ(w.events.count("b gone"), 1U);
  });
}

TEST(Links, KilledIsWhatTheLinksOfTheKilledSeeAndCanTrap) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1), c = w.actor("c", 2, {.trap_exit = true}),
         d = w.actor("d", 1);
    w.in(b, [&] {
      self().link(c.pid());
      self().link(d.pid());
    });
    w.in(a, [&] { self().exit(b.pid(), Reason::killed()); });
    EXPECT_EQ(w.events.count("c exit killed"), 1U);
    EXPECT_TRUE(w.alive(c.pid()));
    EXPECT_FALSE(w.alive(d.pid()));
    // d was not killed by force: it may still tidy up.
    EXPECT_EQ(w.events.count("d terminate killed"), 1U);
  });
}

TEST(Links, AKillDoesNotWaitForTheMailbox) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] {
      for (int i = 0; i < 1000; ++i) b.cast(Do{[&w] { w.events.add("handled"); }});
      self().exit(b.pid(), Reason::killed());
    });
    EXPECT_FALSE(w.alive(b.pid()));
    EXPECT_LT(w.events.count("handled"), 1000U);
  });
}

TEST(Links, AnExitSignalFromAnyProcessEndsOneThatDoesNotTrap) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1), c = w.actor("c", 1),
         d = w.actor("d", 2, {.trap_exit = true});
    w.in(a, [&] {
      self().exit(b.pid(), Reason::shutdown());
      self().exit(c.pid(), Reason::normal());
      self().exit(d.pid(), Reason::shutdown());
    });
    EXPECT_EQ(w.events.count("b terminate shutdown"), 1U);
    EXPECT_TRUE(w.alive(c.pid())) << "normal from another process changes nothing";
    EXPECT_TRUE(w.alive(d.pid()));
    EXPECT_EQ(w.events.count("d exit shutdown"), 1U);
  });
}

TEST(Links, LinkingToADeadProcessGivesNoProcess) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 0, {.trap_exit = true}), dead = w.actor("dead", 1);
    w.in(dead, [] { self().stop(); });
    w.in(b, [&] { self().link(dead.pid()); });
    EXPECT_EQ(w.events.count("b exit no_process"), 1U);
    w.in(a, [&] { self().link(dead.pid()); });
    EXPECT_EQ(w.events.count("a terminate no_process"), 1U);
  });
}

TEST(Links, AfterUnlinkNoExitComesNotEvenOneUnderWay) {
  in_worlds(
      [](ProcessWorld& w) {
        auto a = w.actor("a", 0), b = w.actor("b", 1);
        w.in(a, [&] { self().link(b.pid()); });
        // Both at the same time: b's exit signal and a's unlink cross on their way, or they do not.
        bool unlinked = false;
        a.cast(Do{[&] {
          self().unlink(b.pid());
          unlinked = true;
        }});
        b.cast(Do{[] { self().stop(Reason::closed()); }});
        w.settle();
        if (unlinked) {
          EXPECT_TRUE(w.alive(a.pid()));
        } else {
          EXPECT_EQ(w.events.count("a terminate closed"), 1U) << "the exit had come first";
        }
        w.system
            .run_on(a.pid().scheduler->number(),
                    [&](Scheduler& scheduler) {
                      if (Process* process = scheduler.find(a.pid())) {
                        EXPECT_EQ(process->link_count(), 0U);
                      }
                    })
            .value();
      },
      12);
}

TEST(Links, UnlinkAndLinkAgainHoldsFromBothSides) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] {
      self().link(b.pid());
      self().unlink(b.pid());
      self().link(b.pid());
    });
    w.in(a, [] { self().stop(Reason::closed()); });
    EXPECT_FALSE(w.alive(b.pid()));
  });
}

TEST(Links, AProcessThatWasUnlinkedByTheOtherIsToldNothing) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().link(b.pid()); });
    w.in(b, [&] { self().unlink(a.pid()); });
    w.in(a, [] { self().stop(Reason::closed()); });
    EXPECT_TRUE(w.alive(b.pid()));
  });
}

TEST(Links, TheParentsEndEndsAChildEvenOneThatTraps) {
  in_worlds([](ProcessWorld& w) {
    auto parent = w.actor("parent", 0);
    auto plain = w.actor("plain", 1, {.parent = parent.pid()});
    auto trapping = w.actor("trapping", 2, {.parent = parent.pid(), .trap_exit = true});
    w.in(parent, [] { self().stop(Reason::closed()); });
    EXPECT_EQ(w.events.count("plain terminate closed"), 1U);
    EXPECT_EQ(w.events.count("trapping terminate closed"), 1U);
    EXPECT_TRUE(w.events.with("trapping exit").empty());
    EXPECT_FALSE(w.alive(trapping.pid()));
    EXPECT_FALSE(w.alive(plain.pid()));
  });
}

TEST(Links, TheParentsShutdownRequestEndsAChildThatTraps) {
  in_worlds([](ProcessWorld& w) {
    auto parent = w.actor("parent", 0, {.trap_exit = true});
    auto child = w.actor("child", 1, {.parent = parent.pid(), .trap_exit = true});
    w.in(parent, [&] { self().exit(child.pid(), Reason::shutdown()); });
    EXPECT_EQ(w.events.count("child terminate shutdown"), 1U);
    EXPECT_EQ(w.events.count("parent exit shutdown"), 1U);
  });
}

TEST(Links, TheEndOfAChildReachesItsParentOnce) {
  in_worlds([](ProcessWorld& w) {
    auto parent = w.actor("parent", 0, {.trap_exit = true});
    auto child = w.actor("child", 1, {.parent = parent.pid()});
    w.in(parent, [&] { self().link(child.pid()); });  // linked already: no second one
    w.in(child, [] { self().stop(Reason::failed("disk")); });
    EXPECT_EQ(w.events.with("parent exit").size(), 1U);
    EXPECT_EQ(w.events.count("parent exit failed: disk"), 1U);
  });
}

TEST(Links, AChildOfAParentThatIsGoneAlreadyEnds) {
  in_worlds([](ProcessWorld& w) {
    auto parent = w.actor("parent", 0);
    w.in(parent, [] { self().stop(); });
    auto child = w.actor("child", 1, {.parent = parent.pid(), .trap_exit = true});
    w.settle();
    EXPECT_FALSE(w.alive(child.pid()));
    EXPECT_EQ(w.events.count("child terminate no_process"), 1U);
  });
}

TEST(Monitors, DownComesExactlyOnceWithTheReason) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().monitor(b.pid()); });
    w.in(b, [] { self().stop(Reason::overloaded("queue")); });
    EXPECT_EQ(w.events.with("a down").size(), 1U);
    EXPECT_EQ(w.events.count("a down overloaded: queue"), 1U);
    EXPECT_TRUE(w.alive(a.pid()));
  });
}

TEST(Monitors, EachOfTwoMonitorsGetsItsOwnDown) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] {
      self().monitor(b.pid());
      self().monitor(b.pid());
    });
    w.in(b, [] { self().stop(); });
    EXPECT_EQ(w.events.count("a down normal"), 2U);
  });
}

TEST(Monitors, ADeadTargetIsDownWithNoProcess) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(b, [] { self().stop(); });
    w.in(a, [&] {
      self().monitor(b.pid());
      self().monitor(Pid{});
    });
    EXPECT_EQ(w.events.count("a down no_process"), 2U);
  });
}

TEST(Monitors, DemonitorFlushesADownThatIsInTheMailbox) {
  in_worlds(
      [](ProcessWorld& w) {
        auto a = w.actor("a", 0), b = w.actor("b", 1);
        MonitorId id{};
        w.in(a, [&] { id = self().monitor(b.pid()); });
        bool demonitored_alive = false;
        a.cast(Do{[&] {
          self().demonitor(id);
          demonitored_alive = w.events.with("a down").empty();
        }});
        b.cast(Do{[] { self().stop(); }});
        w.settle();
        EXPECT_EQ(w.events.with("a down").size(), demonitored_alive ? 0U : 1U);
      },
      12);
}

TEST(Monitors, DemonitorWorksOnADownThatWaitedForTheEndOfASuspension) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    MonitorId id{};
    w.in(a, [&] {
      id = self().monitor(b.pid());
      self().process().set_suspended(true);
    });
    w.in(a, [&] { self().demonitor(id); });
    w.in(b, [] { self().stop(); });
    w.system
        .run_on(a.pid().scheduler->number(),
                [&](Scheduler& scheduler) { scheduler.find(a.pid())->set_suspended(false); })
        .value();
    w.settle();
    EXPECT_TRUE(w.events.with("a down").empty());
  });
}

TEST(Monitors, AMonitorDoesNotLinkAndTheWatchersEndIsNoBusinessOfTheWatched) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 1);
    w.in(a, [&] { self().monitor(b.pid()); });
    w.in(a, [] { self().stop(Reason::closed()); });
    EXPECT_TRUE(w.alive(b.pid()));
  });
}

}  // namespace
}  // namespace hawser
