// Publish and subscribe among processes of one scheduler and of several.
#include <hawser/process/group.hpp>

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

struct Chat {
  std::string text;
};
struct Left {
  int who;
};
struct Act {
  std::function<void()> work;
};

/// Writes "NAME chat TEXT", "NAME change joined|left".
struct Guest {
  std::string name;
  Events* events;
  void handle_cast(const Act& act) { act.work(); }
  void handle_event(const Chat& chat) { events->add(name + " chat " + chat.text); }
  void handle_info(Info& info) {
    if (const auto* change = info.get<GroupChange>())
      events->add(name + (change->joined ? " joined " : " left ") + change->group + " " +
                  change->member.text());
  }
};

Ref<Guest> guest(ProcessWorld& w, const std::string& name, unsigned where,
                 SpawnOptions options = {}) {
  return *w.system.spawn_on<Guest>(w.on(where), std::move(options), name, &w.events);
}
template <class H>
void in(ProcessWorld& w, Ref<H> process, std::function<void()> work) {
  process.cast(Act{std::move(work)});
  w.settle();
}
void join(ProcessWorld& w, Ref<Guest> process, const std::string& group) {
  in(w, process, [group] { EXPECT_TRUE(self().join(group).value()); });
}

TEST(Groups, Tcp_E_36_EB_01_APublishReachesEveryMemberOnEveryScheduler) {
  in_worlds([](ProcessWorld& w) {
    std::vector<Ref<Guest>> guests;
    for (unsigned i = 0; i < 9; ++i) {
      guests.push_back(guest(w, "g" + std::to_string(i), i));
      join(w, guests.back(), "room");
    }
    auto outsider = guest(w, "outsider", 2);
    in(w, outsider, [] { self().publish("room", Chat{"from outside"}); });
    in(w, guests[0], [] { self().publish("room", Chat{"from inside"}); });
    publish(w.system, "room", Chat{"from a thread"});
    publish(w.system, "nobody's room", Chat{"lost"});
    w.settle();
    for (unsigned i = 0; i < 9; ++i)
      EXPECT_EQ(w.events.with("g" + std::to_string(i) + " chat").size(), 3U);
    EXPECT_TRUE(w.events.with("outsider").empty());
    EXPECT_EQ(w.system.groups().count("room"), 9U);
    EXPECT_EQ(w.system.groups().members("room").size(), 9U);
    EXPECT_EQ(w.system.groups().list(),
              (std::vector<std::pair<std::string, std::size_t>>{{"room", 9U}}));
  });
}

TEST(Groups, ThePublisherMayLeaveItselfOut) {
  in_worlds([](ProcessWorld& w) {
    auto a = guest(w, "a", 0), b = guest(w, "b", 1);
    join(w, a, "room");
    join(w, b, "room");
    in(w, a, [] { self().publish_to_others("room", Chat{"x"}); });
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{"b chat x"}));
  });
}

TEST(Groups, JoiningTwiceIsOneMembershipAndLeavingEndsIt) {
  in_worlds([](ProcessWorld& w) {
    auto a = guest(w, "a", 1);
    join(w, a, "room");
    in(w, a, [] { EXPECT_FALSE(self().join("room").value()); });
    publish(w.system, "room", Chat{"1"});
    w.settle();
    in(w, a, [] {
      EXPECT_TRUE(self().leave("room"));
      EXPECT_FALSE(self().leave("room"));
      EXPECT_FALSE(self().leave("never joined"));
    });
    publish(w.system, "room", Chat{"2"});
    w.settle();
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{"a chat 1"}));
    EXPECT_TRUE(w.system.groups().list().empty());
    join(w, a, "room");
    publish(w.system, "room", Chat{"3"});
    w.settle();
    EXPECT_TRUE(w.events.has("a chat 3"));
  });
}

TEST(Groups, AMembershipEndsWithItsProcessHoweverItEnds) {
  in_worlds([](ProcessWorld& w) {
    for (const auto* how : {"stop", "crash", "kill"}) {
      auto a = guest(w, "a", 1);
      join(w, a, "room");
      join(w, a, "other room");
      if (how == std::string("stop")) in(w, a, [] { self().stop(); });
      if (how == std::string("crash")) in(w, a, [] { throw std::runtime_error("boom"); });
      if (how == std::string("kill")) send_exit(a.pid(), Reason::killed());
      w.settle();
      EXPECT_TRUE(w.system.groups().list().empty()) << how;
      publish(w.system, "room", Chat{"nobody"});
      w.settle();
    }
    EXPECT_TRUE(w.events.all().empty());
  });
}

TEST(Groups, AnInitThatJoinsAndFailsLeavesNoMember) {
  struct Fails {
    void init() {
      EXPECT_TRUE(self().join("room").value());
      throw std::runtime_error("no");
    }
  };
  in_worlds([](ProcessWorld& w) {
    EXPECT_FALSE(w.system.spawn_on<Fails>(w.on(1), {}).has_value());
    w.settle();
    EXPECT_EQ(w.system.groups().count("room"), 0U);
  });
}

TEST(Groups, ATerminateThatJoinsIsRefused) {
  struct Late {
    void handle_cast(const Act&) {}
    void terminate(const Reason&) {
      EXPECT_EQ(self().join("room").error().kind, ErrorKind::closed);
      EXPECT_EQ(self().watch_group("room").error().kind, ErrorKind::closed);
    }
  };
  in_worlds([](ProcessWorld& w) {
    auto late = *w.system.spawn_on<Late>(w.on(1), {});
    send_exit(late.pid(), Reason::shutdown());
    w.settle();
    EXPECT_EQ(w.system.groups().count("room"), 0U);
  });
}

TEST(Groups, OnePublishersEventsAndCastsArriveInOrder) {
  in_worlds(
      [](ProcessWorld& w) {
        auto a = guest(w, "a", 0), b = guest(w, "b", 1);
        join(w, b, "room");
        in(w, a, [&] {
          for (int i = 0; i < 100; ++i) {
            const std::string text = std::to_string(i);
            if (i % 3 == 0) {
              b.cast(Act{[&w, text] { w.events.add("b chat " + text); }});
            } else {
              self().publish("room", Chat{text});
            }
          }
        });
        ASSERT_EQ(w.events.all().size(), 100U);
        for (std::size_t i = 0; i < 100; ++i)
          ASSERT_EQ(w.events.all()[i], "b chat " + std::to_string(i));
      },
      12);
}

TEST(Groups, WhoeverHearsOfAJoinReachesTheMember) {
  in_worlds(
      [](ProcessWorld& w) {
        // a joins and tells b; b tells c; c publishes. No table may be behind the news.
        auto a = guest(w, "a", 0), b = guest(w, "b", 1), c = guest(w, "c", 2);
        a.cast(Act{[&, b, c] {
          ASSERT_TRUE(self().join("room"));
          b.cast(Act{[c] {
            self().publish("room", Chat{"b"});
            c.cast(Act{[] { self().publish("room", Chat{"c"}); }});
          }});
        }});
        w.settle();
        EXPECT_TRUE(w.events.has("a chat b"));
        EXPECT_TRUE(w.events.has("a chat c"));
      },
      40);
}

TEST(Groups, AllMembersShareOneCopyOfTheValue) {
  struct Counted {
    explicit Counted(int& the_copies) : copies(&the_copies) {}
    Counted(const Counted& other) : copies(other.copies) { ++*copies; }
    Counted(Counted&& other) noexcept : copies(other.copies) {}
    int* copies;
  };
  struct Looks {
    std::vector<const void*>* seen;
    void init() { ASSERT_TRUE(self().join("room")); }
    void handle_event(const Counted& value) { seen->push_back(&value); }
  };
  in_worlds([](ProcessWorld& w) {
    std::vector<const void*> seen;
    for (unsigned i = 0; i < 6; ++i) ASSERT_TRUE(w.system.spawn_on<Looks>(w.on(i), {}, &seen));
    int copies = 0;
    publish(w.system, "room", Counted(copies));
    w.settle();
    ASSERT_EQ(seen.size(), 6U);
    for (const void* each : seen) EXPECT_EQ(each, seen.front());
    EXPECT_EQ(copies, 0);
  });
}

struct Both {
  testing::Events* events;
  using Events = EventTypes<Chat, Left>;
  void init() { ASSERT_TRUE(self().join("room")); }
  void handle_event(const Chat& chat, const Event& event) {
    events->add("chat " + chat.text + " in " + std::string(event.group()));
  }
  Next handle_event(const Left& left) {
    events->add("left " + std::to_string(left.who));
    return keep();
  }
  void handle_event(Event& event) {
    events->add("other " + std::to_string(event.get<int>() == nullptr ? 0 : *event.get<int>()));
  }
};

TEST(Groups, SeveralTypesAreListedAndACatchAllTakesTheRest) {
  in_worlds([](ProcessWorld& w) {
    ASSERT_TRUE(w.system.spawn_on<Both>(w.on(1), {}, &w.events));
    publish(w.system, "room", Chat{"hello"});
    publish(w.system, "room", Left{7});
    publish(w.system, "room", 42);
    w.settle();
    EXPECT_EQ(w.events.all(),
              (std::vector<std::string>{"chat hello in room", "left 7", "other 42"}));
  });
}

TEST(Groups, AnEventSaysWhoPublishedIt) {
  struct Asks {
    Pid* publisher;
    void init() { ASSERT_TRUE(self().join("room")); }
    void handle_event(Event& event) { *publisher = event.publisher(); }
  };
  in_worlds([](ProcessWorld& w) {
    Pid publisher;
    ASSERT_TRUE(w.system.spawn_on<Asks>(w.on(1), {}, &publisher));
    auto a = guest(w, "a", 0);
    in(w, a, [] { self().publish("room", 1); });
    EXPECT_EQ(publisher, a.pid());
    publish(w.system, "room", 1);
    w.settle();
    EXPECT_EQ(publisher, Pid{});
  });
}

TEST(Groups, ACoroutineMayKeepWhatItIsGiven) {
  struct Slow {
    Events* events;
    void init() { ASSERT_TRUE(self().join("room")); }
    Task<> handle_event(const Chat& chat) {
      co_await sleep(50ms);
      events->add(chat.text);
    }
  };
  in_worlds([](ProcessWorld& w) {
    ASSERT_TRUE(w.system.spawn_on<Slow>(w.on(1), {}, &w.events));
    publish(w.system, "room", Chat{"a text that is longer than any short string is"});
    w.settle(200ms);
    EXPECT_TRUE(w.events.has("a text that is longer than any short string is"));
  });
}

TEST(Groups, UnexpectedEventsAreCounted) {
  in_worlds([](ProcessWorld& w) {
    auto g = guest(w, "g", 1);
    join(w, g, "room");
    auto a = w.actor("a", 2);  // has no handle_event at all
    w.in(a, [] { ASSERT_TRUE(self().join("room")); });
    publish(w.system, "room", Left{1});
    w.settle();
    auto& here = w.system.environment();
    EXPECT_EQ(sys::statistics(here, g.pid())->unexpected, 1U);
    EXPECT_EQ(sys::statistics(here, a.pid())->unexpected, 1U);
    EXPECT_TRUE(w.alive(a.pid()));
  });
}

TEST(Groups, ACrashInHandleEventHurtsNoOtherMember) {
  struct Bad {
    void init() { ASSERT_TRUE(self().join("room")); }
    void handle_event(const Chat&) { throw std::runtime_error("boom"); }
  };
  in_worlds([](ProcessWorld& w) {
    auto before = guest(w, "before", 1);
    join(w, before, "room");
    ASSERT_TRUE(w.system.spawn_on<Bad>(w.on(1), {}));
    auto after = guest(w, "after", 1);
    join(w, after, "room");
    publish(w.system, "room", Chat{"x"});
    w.settle();
    EXPECT_TRUE(w.events.has("before chat x") && w.events.has("after chat x"));
    EXPECT_EQ(w.log_lines(LogLevel::error, "in handle_event"), 1U);
    EXPECT_EQ(w.system.groups().count("room"), 2U);
  });
}

TEST(Groups, AMemberThatEndsWhileAnEventIsHandedOutLeavesTheOthersInPeace) {
  // A full mailbox ends its process in the middle of the delivery, and its terminate publishes and
  // kills a neighbour.
  struct Dies {
    Pid neighbour;
    void init() { ASSERT_TRUE(self().join("room")); }
    void handle_event(const Chat&) {}
    void terminate(const Reason&) {
      self().publish("room", Chat{"last words"});
      self().exit(neighbour, Reason::killed());
    }
  };
  in_worlds([](ProcessWorld& w) {
    auto publisher = guest(w, "publisher", 1);
    auto first = guest(w, "first", 1);
    join(w, first, "room");
    auto neighbour = guest(w, "neighbour", 1);
    join(w, neighbour, "room");
    auto dies = *w.system.spawn_on<Dies>(
        w.on(1), {.mailbox = {.messages = 1, .overflow = MailboxOverflow::end}}, neighbour.pid());
    auto last = guest(w, "last", 1);
    join(w, last, "room");
    in(w, publisher, [] {
      self().publish("room", Chat{"1"});
      self().publish("room", Chat{"2"});
      self().publish("room", Chat{"3"});
    });
    EXPECT_FALSE(w.alive(dies.pid()));
    EXPECT_FALSE(w.alive(neighbour.pid()));
    EXPECT_EQ(w.events.with("first chat").size(), 4U);
    EXPECT_EQ(w.events.with("last chat").size(), 4U);
    EXPECT_EQ(w.system.groups().count("room"), 2U);
    publish(w.system, "room", Chat{"again"});
    w.settle();
    EXPECT_EQ(w.events.count("last chat again"), 1U);
  });
}

TEST(Groups, AWatcherIsToldOfEachChange) {
  in_worlds([](ProcessWorld& w) {
    auto a = guest(w, "a", 0), b = guest(w, "b", 1), watcher = guest(w, "w", 2);
    join(w, a, "room");
    in(w, watcher,
       [&] { EXPECT_EQ(self().watch_group("room").value(), (std::vector<Pid>{a.pid()})); });
    join(w, b, "room");
    in(w, a, [] { self().leave("room"); });
    send_exit(b.pid(), Reason::killed());
    w.settle();
    EXPECT_EQ(w.events.with("w "), (std::vector<std::string>{"w joined room " + b.pid().text(),
                                                             "w left room " + a.pid().text(),
                                                             "w left room " + b.pid().text()}));
    in(w, watcher, [] {
      EXPECT_TRUE(self().unwatch_group("room"));
      EXPECT_FALSE(self().unwatch_group("room"));
    });
    w.events.clear();
    auto c = guest(w, "c", 0);
    join(w, c, "room");
    EXPECT_TRUE(w.events.all().empty());
  });
}

TEST(Groups, ThereIsALimitAndItIsNamed) {
  SystemOptions options;
  options.max_groups = 2;
  ProcessWorld w(1, 2, options);
  auto a = guest(w, "a", 1);
  in(w, a, [] {
    EXPECT_TRUE(self().join("1").has_value());
    EXPECT_TRUE(self().join("2").has_value());
    const auto third = self().join("3");
    ASSERT_FALSE(third.has_value());
    EXPECT_EQ(third.error().kind, ErrorKind::overloaded);
    EXPECT_NE(third.error().detail.find("max_groups"), std::string::npos);
    EXPECT_EQ(self().join("").error().kind, ErrorKind::invalid_argument);
    self().leave("1");
    EXPECT_TRUE(self().join("3").has_value());
  });
}

TEST(Groups, RandomJoinsAndLeavesAgreeWithAModel) {
  in_worlds(
      [](ProcessWorld& w) {
        Random random(w.world.seed() * 7 + 1);
        std::vector<Ref<Guest>> guests;
        std::vector<std::vector<bool>> member(8, std::vector<bool>(4));
        for (unsigned i = 0; i < 8; ++i) guests.push_back(guest(w, "g" + std::to_string(i), i));
        for (int step = 0; step < 120; ++step) {
          const auto who = static_cast<std::size_t>(random.below(8));
          const auto where = static_cast<std::size_t>(random.below(4));
          const std::string group = "room " + std::to_string(where);
          if (random.below(3) == 0) {
            w.events.clear();
            in(w, guests[who], [&] { self().publish(group, Chat{"x"}); });
            for (std::size_t i = 0; i < 8; ++i)
              ASSERT_EQ(w.events.with("g" + std::to_string(i)).size(), member[i][where] ? 1U : 0U);
          } else {
            const bool joins = !member[who][where];
            in(w, guests[who], [&] {
              if (joins) {
                EXPECT_TRUE(self().join(group).value());
              } else {
                EXPECT_TRUE(self().leave(group));
              }
            });
            member[who][where] = joins;
          }
        }
      },
      8);
}

}  // namespace
}  // namespace hawser
