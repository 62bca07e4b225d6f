// Calls, casts and what becomes of them.
#include <hawser/process/call.hpp>

#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Do;
using testing::Events;
using testing::in_worlds;
using testing::ProcessWorld;

struct Double {
  int value;
};
struct Later {
  using Reply = int;
};
struct Drop {
  using Reply = int;
};
struct AskSlowly {
  Duration length;
};
struct Crash {};
struct Last {};
struct Note {
  int value;
};

struct Server {
  Events* events;
  std::vector<From<int>>* waiting;

  int handle_call(Double request) { return 2 * request.value; }
  void handle_call(Later, From<int> from) { waiting->push_back(std::move(from)); }
  void handle_call(Drop, From<int>) {}
  Task<int> handle_call(AskSlowly request) {
    co_await sleep(request.length);
    co_return 7;
  }
  int handle_call(Crash) { throw std::runtime_error("boom"); }
  Replied<int> handle_call(Last) { return {1, stop()}; }
  void handle_cast(Note note) { events->add("note " + std::to_string(note.value)); }
};

struct Fixture {
  explicit Fixture(ProcessWorld& world, MailboxLimit limit = {}) : w(world) {
    server = *w.system.spawn_on<Server>(w.on(1), {.mailbox = limit}, &w.events, &waiting);
    asker = w.actor("asker");
  }
  template <class M>
  Result<int> ask(M message, Duration timeout = 5s) {
    return w.system.call(server, message, timeout);
  }
  /// Asks from a task; writes "answer N" or "answer KIND".
  template <class M>
  static Task<> asking(Ref<Server> server, M message, Duration timeout, Events& events) {
    const Result<int> answer = co_await server.call(message, timeout);
    events.add("answer " +
               (answer ? std::to_string(*answer) : std::string(to_string(answer.error().kind))));
  }
  template <class M>
  void ask_in_task(M message, Duration timeout = 5s) {
    asker.cast(
        Do{[this, message, timeout] { self().start(asking(server, message, timeout, w.events)); }});
  }
  void settle(Duration length = 20ms) { w.settle(length); }

  ProcessWorld& w;
  std::vector<From<int>> waiting;
  Ref<Server> server;
  Ref<testing::Actor> asker;
};

void with_server(const std::function<void(Fixture&)>& test, MailboxLimit limit = {}) {
  in_worlds([&](ProcessWorld& w) {
    Fixture fixture(w, limit);
    test(fixture);
    fixture.waiting.clear();
  });
}

TEST(Calls, AreAnsweredToACoroutineAndToAThread) {
  with_server([](Fixture& f) {
    EXPECT_EQ(f.ask(Double{21}), 42);
    f.ask_in_task(Double{4});
    f.settle();
    EXPECT_TRUE(f.w.events.has("answer 8"));
  });
}

TEST(Calls, AHandlerMayAnswerByATask) {
  with_server([](Fixture& f) {
    EXPECT_EQ(f.ask(AskSlowly{1s}), 7);
    f.ask_in_task(AskSlowly{1s});
    EXPECT_EQ(f.ask(Double{1}), 2) << "the server goes on meanwhile";
    EXPECT_FALSE(f.w.events.has("answer 7"));
    f.settle(1100ms);
    EXPECT_TRUE(f.w.events.has("answer 7"));
  });
}

TEST(Calls, Tcp_E_35_E_47_AnAnswerMayComeLaterAndFromAnotherProcess) {
  with_server([](Fixture& f) {
    f.ask_in_task(Later{});
    f.settle(1s);
    ASSERT_EQ(f.waiting.size(), 1U);
    EXPECT_EQ(f.waiting.front().caller(), f.asker.pid());
    auto other = f.w.actor("other", 2);
    f.w.in(other, [&] { f.waiting.front().reply(9); });
    EXPECT_TRUE(f.w.events.has("answer 9"));
    EXPECT_FALSE(static_cast<bool>(f.waiting.front()));
  });
}

TEST(Calls, ADroppedFromTellsTheCaller) {
  with_server([](Fixture& f) {
    f.ask_in_task(Drop{});
    f.settle();
    EXPECT_TRUE(f.w.events.has("answer closed"));
    EXPECT_EQ(f.ask(Drop{}).error().kind, ErrorKind::closed);
  });
}

TEST(Calls, TimeOutAndTheLateAnswerIsDropped) {
  with_server([](Fixture& f) {
    f.ask_in_task(AskSlowly{2s}, 1s);
    f.settle(1100ms);
    EXPECT_TRUE(f.w.events.has("answer timeout"));
    EXPECT_EQ(f.ask(AskSlowly{2s}, 1s).error().kind, ErrorKind::timeout);
    f.settle(3s);
    EXPECT_EQ(f.w.events.with("answer").size(), 1U);
    EXPECT_TRUE(f.w.alive(f.asker.pid()));
  });
}

TEST(Calls, ToADeadProcessFailAtOnce) {
  with_server([](Fixture& f) {
    send_exit(f.server.pid(), Reason::shutdown());
    f.settle();
    f.ask_in_task(Double{1}, Duration::max());
    f.settle();
    EXPECT_TRUE(f.w.events.has("answer not found"));
    EXPECT_EQ(f.ask(Double{1}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(f.w.system.call(Ref<Server>{}, Double{1}).error().kind, ErrorKind::not_found);
  });
}

TEST(Calls, TheCalleesEndIsAnAnswerWhereverTheRequestStands) {
  with_server([](Fixture& f) {
    // In the handler, kept by it, and waiting in its mailbox.
    f.ask_in_task(AskSlowly{1h}, Duration::max());
    f.settle();
    f.server.cast(Note{1});
    f.ask_in_task(Crash{}, Duration::max());
    f.ask_in_task(Double{1}, Duration::max());
    f.settle();
    EXPECT_EQ(f.w.events.with("answer").size(), 3U);
    for (const auto& answer : f.w.events.with("answer"))
      EXPECT_TRUE(answer == "answer closed" || answer == "answer not found") << answer;
  });
}

TEST(Calls, AReplyAndAStopGoTogether) {
  with_server([](Fixture& f) {
    EXPECT_EQ(f.ask(Last{}), 1);
    f.settle();
    EXPECT_FALSE(f.w.alive(f.server.pid()));
  });
}

TEST(Calls, ToAnotherHandlerTypeAreAnError) {
  with_server([](Fixture& f) {
    EXPECT_EQ(f.w.system.call(Ref<Server>(f.asker.pid()), Double{1}).error().kind,
              ErrorKind::invalid_argument);
  });
}

TEST(Calls, ACallerThatEndsFirstHurtsNobody) {
  with_server([](Fixture& f) {
    f.ask_in_task(Later{}, Duration::max());
    f.settle();
    send_exit(f.asker.pid(), Reason::shutdown());
    f.settle();
    ASSERT_EQ(f.waiting.size(), 1U);
    auto other = f.w.actor("other", 2);
    f.w.in(other, [&] { f.waiting.front().reply(9); });
    EXPECT_TRUE(f.w.events.with("answer").empty());
  });
}

TEST(Calls, ToAFullMailboxAreOverloadedAndTheAnswerToAFullCallerStillComes) {
  with_server(
      [](Fixture& f) {
        f.server.cast(Note{0});
        f.w.system
            .run_on(
                f.server.pid().scheduler->number(),
                [&](Scheduler& scheduler) { scheduler.find(f.server.pid())->set_suspended(true); })
            .value();
        f.settle();
        f.server.cast(Note{1});
        f.server.cast(Note{2});
        f.ask_in_task(Double{1}, Duration::max());
        f.settle();
        EXPECT_TRUE(f.w.events.has("answer overloaded"));
      },
      {.messages = 2});
}

TEST(Casts, ArriveInTheOrderSent) {
  with_server([](Fixture& f) {
    f.w.in(f.asker, [&] {
      for (int i = 0; i < 500; ++i) EXPECT_TRUE(f.server.cast(Note{i}));
    });
    const auto notes = f.w.events.with("note");
    ASSERT_EQ(notes.size(), 500U);
    for (int i = 0; i < 500; ++i)
      ASSERT_EQ(notes[static_cast<std::size_t>(i)], "note " + std::to_string(i));
  });
}

TEST(Casts, ToADeadLocalProcessAnswerFalse) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0), b = w.actor("b", 0);
    w.in(b, [] { self().stop(); });
    bool sent = true;
    w.in(a, [&] { sent = b.cast(Do{}); });
    EXPECT_FALSE(sent);
    w.in(a, [&] { sent = send_info(Pid{}, 1); });
    EXPECT_FALSE(sent);
  });
}

// Five messages in one callback of a neighbour, to a mailbox of three.
std::vector<std::string> overfill(ProcessWorld& w, MailboxOverflow overflow, int& refused) {
  auto a = w.actor("a", 0);
  auto b = w.actor("b", 0, {.mailbox = {.messages = 3, .overflow = overflow}});
  w.in(a, [&] {
    for (int i = 0; i < 5; ++i)
      if (!send_info(b.pid(), std::to_string(i))) ++refused;
  });
  return w.events.with("b ");
}
using Names = std::vector<std::string>;

TEST(MailboxLimits, RejectRefusesTheNewOnesAndTellsTheSender) {
  in_worlds([](ProcessWorld& w) {
    int refused = 0;
    EXPECT_EQ(overfill(w, MailboxOverflow::reject, refused),
              (Names{"b init", "b info 0", "b info 1", "b info 2"}));
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(w.log_lines(LogLevel::warning, "mailbox limit of 3 messages hit"), 1U) << "one line";
  });
}

TEST(MailboxLimits, DropOldestMakesRoom) {
  in_worlds([](ProcessWorld& w) {
    int refused = 0;
    EXPECT_EQ(overfill(w, MailboxOverflow::drop_oldest, refused),
              (Names{"b init", "b info 2", "b info 3", "b info 4"}));
    EXPECT_EQ(refused, 0);
  });
}

TEST(MailboxLimits, EndEndsTheProcessWithOverloaded) {
  in_worlds([](ProcessWorld& w) {
    int refused = 0;
    EXPECT_EQ(overfill(w, MailboxOverflow::end, refused),
              (Names{"b init", "b terminate overloaded: mailbox limit of 3 messages", "b gone"}));
    EXPECT_EQ(refused, 2);
  });
}

TEST(MailboxLimits, SignalsAreNeverRefused) {
  in_worlds([](ProcessWorld& w) {
    auto a = w.actor("a", 0);
    auto b = w.actor("b", 0, {.trap_exit = true, .mailbox = {.messages = 1}});
    w.in(a, [&] {
      for (int i = 0; i < 3; ++i) self().exit(b.pid(), Reason::closed());
    });
    EXPECT_EQ(w.events.count("b exit closed"), 3U);
  });
}

}  // namespace
}  // namespace hawser
