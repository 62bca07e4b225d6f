// Scopes of names, and processes addressed by name.
#include <hawser/process/named.hpp>

#include <hawser/process/registry.hpp>
#include <hawser/process/sys.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Actor;
using testing::Events;
using testing::in_worlds;
using testing::ProcessWorld;

struct Tick {};
struct AskClock {};
struct Clock {
  int now = 0;
  void handle_cast(Tick) { ++now; }
  int handle_call(AskClock) { return now; }
  void handle_info(Info& info) {
    if (const int* to = info.get<int>()) now = *to;
  }
};

Result<Ref<Clock>> clock(ProcessWorld& w, unsigned where, SpawnOptions options) {
  return w.system.spawn_on<Clock>(w.on(where), std::move(options));
}

/// A scope as a user would write one; counts what is done with it.
class Ledger final : public RegistryScope {
 public:
  Result<void> register_name(std::string_view name, Pid pid, std::string_view label) override {
    ++registered;
    const auto [at, added] = names.try_emplace(std::string(name), pid);
    labels[std::string(name)] = label;
    if (name == "forbidden") throw std::runtime_error("the scope is broken");
    if (added) return {};
    --registered;
    return std::unexpected(name_taken(name, at->second, labels[at->first]));
  }
  void unregister_name(std::string_view name, Pid pid) noexcept override {
    ++unregistered;
    const auto found = names.find(name);
    if (found != names.end() && found->second == pid) names.erase(found);
  }
  Result<Pid> whereis(std::string_view name) const override {
    const auto found = names.find(name);
    if (found == names.end()) return std::unexpected(name_unknown(name));
    return found->second;
  }
  int registered = 0;
  int unregistered = 0;
  std::map<std::string, Pid, std::less<>> names;
  std::map<std::string, std::string, std::less<>> labels;
};

TEST(Scopes, OneNameInTwoScopesIsTwoNames) {  // E-20, E-21
  in_worlds([](ProcessWorld& w) {
    const auto rooms = std::make_shared<Registry>();
    auto here = clock(w, 0, {.name = "clock"});
    auto there = clock(w, 1, {.name = "clock", .scope = rooms});
    ASSERT_TRUE(here && there);
    EXPECT_EQ(w.system.whereis("clock"), here->pid());
    EXPECT_EQ(*rooms->whereis("clock"), there->pid());
    EXPECT_EQ(sys::get_status(w.system.environment(), there->pid())->name, "clock");
    auto a = w.actor("a", 2);
    w.in(a, [&] { EXPECT_EQ(self().whereis(*rooms, "clock"), there->pid()); });
  });
}

TEST(Scopes, Tcp_E_21_AClashNamesTheOwnersPidAndWhatItIs) {  // E-21
  in_worlds([](ProcessWorld& w) {
    const auto rooms = std::make_shared<Registry>();
    auto first = clock(w, 0, {.name = "clock", .scope = rooms});
    auto second = clock(w, 1, {.name = "clock", .scope = rooms});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, ErrorKind::already_exists);
    EXPECT_NE(second.error().detail.find(first->pid().text()), std::string::npos);
    EXPECT_NE(second.error().detail.find("Clock"), std::string::npos);
  });
}

TEST(Scopes, APrefixedOneIsSeenInTheOuterOne) {
  in_worlds([](ProcessWorld& w) {
    const auto chat = std::make_shared<PrefixedScope>(w.system.registry(), "chat/");
    auto room = clock(w, 1, {.name = "room 7", .scope = chat});
    ASSERT_TRUE(room);
    EXPECT_EQ(w.system.whereis("chat/room 7"), room->pid());
    EXPECT_EQ(*chat->whereis("room 7"), room->pid());
    EXPECT_FALSE(w.system.whereis("room 7"));
    send_exit(room->pid(), Reason::killed());
    w.settle();
    EXPECT_FALSE(w.system.whereis("chat/room 7"));
  });
}

TEST(Scopes, Tcp_E_22_AUsersScopeGetsEachNameAndItsReleaseOnce) {  // E-22, EB-14
  struct FailsInInit {
    void init() { throw std::runtime_error("no"); }
  };
  struct DeclinesInInit {
    Next init() { return stop(); }
  };
  in_worlds([](ProcessWorld& w) {
    const auto ledger = std::make_shared<Ledger>();
    const SpawnOptions options{.name = "clock", .scope = ledger};
    for (const auto& end : {Reason::shutdown(), Reason::killed(), Reason::failed("x")}) {
      auto one = clock(w, 1, options);
      ASSERT_TRUE(one);
      EXPECT_EQ(*ledger->whereis("clock"), one->pid());
      auto clashing = clock(w, 0, options);
      ASSERT_FALSE(clashing);
      EXPECT_EQ(ledger->registered, ledger->unregistered + 1);
      send_exit(one->pid(), end);
      w.settle();
      EXPECT_EQ(ledger->registered, ledger->unregistered);
      EXPECT_TRUE(ledger->names.empty());
    }
    EXPECT_FALSE(w.system.spawn_on<FailsInInit>(w.on(1), options).has_value());
    EXPECT_FALSE(w.system.spawn_on<DeclinesInInit>(w.on(1), options).has_value());
    EXPECT_EQ(ledger->registered, 5);
    EXPECT_EQ(ledger->unregistered, 5);
    EXPECT_TRUE(ledger->names.empty());
  });
}

TEST(Scopes, AScopeThatThrowsLeavesTheSchedulerWhole) {
  in_worlds([](ProcessWorld& w) {
    const auto ledger = std::make_shared<Ledger>();
    auto a = w.actor("a", 1);
    w.in(a, [&] {
      EXPECT_THROW(static_cast<void>(self().spawn<Clock>({.name = "forbidden", .scope = ledger})),
                   std::runtime_error);
      auto other = self().spawn<Clock>({.name = "allowed", .scope = ledger});
      ASSERT_TRUE(other.has_value());
      EXPECT_NE(other->pid(), self().pid());
    });
    EXPECT_TRUE(w.alive(a.pid()));
    EXPECT_TRUE(w.alive(*ledger->whereis("allowed")));
  });
}

TEST(Scopes, ANameIsFreeBeforeAnybodyHearsOfTheEnd) {
  in_worlds([](ProcessWorld& w) {
    struct Watcher {
      std::shared_ptr<Registry> rooms;
      Pid watched;
      Events* events;
      void init() { self().monitor(watched); }
      void handle_info(Info& info) {
        if (info.get<Down>() != nullptr) events->add(rooms->find("clock") ? "still taken" : "free");
      }
    };
    const auto rooms = std::make_shared<Registry>();
    auto one = clock(w, 1, {.name = "clock", .scope = rooms});
    ASSERT_TRUE(w.system.spawn_on<Watcher>(w.on(2), {}, rooms, one->pid(), &w.events));
    send_exit(one->pid(), Reason::shutdown());
    w.settle();
    EXPECT_EQ(w.events.all(), (std::vector<std::string>{"free"}));
  });
}

TEST(Named, IsResolvedAnewAtEachUse) {  // E-23
  in_worlds([](ProcessWorld& w) {
    const auto by_name = named<Clock>(w.system, "clock");
    EXPECT_EQ(by_name.cast(Tick{}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(w.system.call(by_name, AskClock{}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(by_name.send_info(1).error().kind, ErrorKind::not_found);
    EXPECT_NE(by_name.resolve().error().detail.find("clock"), std::string::npos);
    auto first = clock(w, 1, {.name = "clock"});
    EXPECT_TRUE(by_name.cast(Tick{}));
    EXPECT_EQ(*w.system.call(by_name, AskClock{}), 1);
    send_exit(first->pid(), Reason::killed());
    w.settle();
    EXPECT_EQ(by_name.cast(Tick{}).error().kind, ErrorKind::not_found);
    auto second = clock(w, 2, {.name = "clock"});
    EXPECT_TRUE(by_name.send_info(40));
    EXPECT_TRUE(by_name.cast(Tick{}));
    EXPECT_EQ(*w.system.call(by_name, AskClock{}), 41);
    EXPECT_EQ(by_name.resolve()->pid(), second->pid());
  });
}

TEST(Named, Tcp_E_23_AProcessCallsByNameInItsOwnSystemAndInAScope) {  // E-23
  in_worlds([](ProcessWorld& w) {
    const auto rooms = std::make_shared<Registry>();
    ASSERT_TRUE(clock(w, 1, {.name = "clock"}));
    ASSERT_TRUE(clock(w, 2, {.name = "clock", .scope = rooms}));
    auto a = w.actor("a", 0);
    const auto asks = [](std::shared_ptr<Registry> scope, Events& events) -> Task<> {
      const auto mine = named<Clock>("clock");
      const auto other = named<Clock>(scope, "clock");
      const auto nobody = named<Clock>("nobody");
      if (!mine.cast(Tick{}) || !other.cast(Tick{}) || !other.cast(Tick{})) co_return;
      const AskClock question;
      auto one = co_await mine.call(question);
      auto two = co_await other.call(question);
      auto none = co_await nobody.call(question);
      events.add(std::to_string(one.value_or(-1)) + " " + std::to_string(two.value_or(-1)) + " " +
                 (none ? "?" : none.error().text()));
    };
    w.in(a, [&] { self().start(asks(rooms, w.events)); });
    const auto heard = w.events.with("1 2 ");
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_NE(heard.front().find("nobody"), std::string::npos);
  });
}

TEST(Named, OnAPlainThreadItNeedsItsSystem) {
  EXPECT_EQ(named<Clock>("clock").resolve().error().kind, ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace hawser
