// The same on real threads and a real engine: for the thread sanitizer, which sees nothing in the
// simulator. Waits on gates, never on a clock.
#include <hawser/engine/environment.hpp>
#include <hawser/process/group.hpp>
#include <hawser/process/registry.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/sys.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

struct Shared {
  explicit Shared(int wanted) : left(wanted) {}
  std::atomic<int> left;  // starts until the gate opens
  std::atomic<int> alive{0};
  Gate done;
};
using Board = std::shared_ptr<Shared>;

struct AskOneOfMany {};
/// Lives on one scheduler, is told to crash by the others.
struct Mortal {
  Board board;
  std::vector<Pid> friends;
  explicit Mortal(Board shared) : board(std::move(shared)) { ++board->alive; }
  Mortal(const Mortal&) = delete;
  Mortal& operator=(const Mortal&) = delete;
  ~Mortal() { --board->alive; }
  void init() {
    if (--board->left == 0) board->done.open();
    // Everybody ends by a timer, so that the restarts never stop by themselves.
    self().send_after(1ms, 0);
  }
  void handle_info(Info&) { throw std::runtime_error("my time has come"); }
  int handle_call(AskOneOfMany) { return 1; }
};

ChildSpec mortal(std::string id, Board board, unsigned scheduler) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.scheduler = scheduler;
  spec.start = [board](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<Mortal>(context.scheduler, {.parent = context.parent}, board);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

class Threads : public ::testing::Test {
 protected:
  Threads()
      : environment(make_real_environment({.engine = EngineChoice::epoll})),
        system(*environment, options()) {}
  static SystemOptions options() {
    SystemOptions options;
    options.schedulers = 3;
    options.log_level = LogLevel::off;
    return options;
  }
  std::unique_ptr<Environment> environment;
  System system;
};

TEST_F(Threads, SupervisorsRestartChildrenOnOtherSchedulersUntilTheyAreStopped) {
  for (const auto strategy :
       {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one}) {
    const auto board = std::make_shared<Shared>(200);
    SupervisorOptions options{.strategy = strategy, .intensity = 1'000'000};
    for (unsigned i = 0; i < 6; ++i)
      options.children.push_back(mortal("m" + std::to_string(i), board, i % 3));
    auto spec = supervisor("mortals", std::move(options));
    spec.scheduler = 1;
    const auto started = system.start(std::move(spec));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    EXPECT_TRUE(environment->wait(board->done, 60s));
    EXPECT_TRUE(system.stop_child("mortals").has_value());
    EXPECT_EQ(board->alive.load(), 0);
  }
}

TEST_F(Threads, ADynamicSupervisorIsAskedFromEverywhere) {
  const auto board = std::make_shared<Shared>(300);
  SupervisorOptions options{.strategy = Strategy::simple_one_for_one,
                            .children = {mortal("", board, 2)}};
  options.children[0].restart = Restart::temporary;
  const auto started = system.start(supervisor("many", std::move(options)));
  ASSERT_TRUE(started.has_value()) << started.error().text();
  struct Asker {
    Ref<Supervisor> many;
    static Task<> work(Ref<Supervisor> many) {
      for (int i = 0; i < 100; ++i) {
        const Result<Pid> child = co_await many.call(StartChild{});
        if (!child) continue;
        self().monitor(*child);
        static_cast<void>(co_await Ref<Mortal>(*child).call(AskOneOfMany{}));
        static_cast<void>(co_await sys::get_status(*child));
        if (i % 3 == 0) self().exit(*child, Reason::killed());
      }
    }
    void init() const { self().start(work(many)); }
    void handle_info(Info&) const {}
  };
  for (unsigned i = 0; i < 3; ++i)
    ASSERT_TRUE(system.spawn_on<Asker>(i, {}, Ref<Supervisor>(*started)).has_value());
  EXPECT_TRUE(environment->wait(board->done, 60s));
  EXPECT_TRUE(system.stop(30s));
  EXPECT_EQ(board->alive.load(), 0);
}

/// Joins and leaves without a pause while everybody publishes, and counts what it is told.
struct News {
  int round;
};
struct Member {
  Board board;
  std::string group;
  int rounds = 0;
  void init() const { self().send_after(1ms, 0); }
  void handle_info(Info& info) {
    if (info.get<int>() == nullptr) return;
    static_cast<void>(self().join(group));
    self().publish(group, News{rounds});
    self().publish_to_others("all", News{rounds});
    if (++rounds % 3 == 0) self().leave(group);
    if (rounds == 40) throw std::runtime_error("members may crash, too");
    self().send_after(1ms, 0);
  }
  void handle_event(const News&) const {
    if (--board->left == 0) board->done.open();
  }
};
/// Is always there, and must be told of everything that is published to "all".
struct Witness {
  Board board;
  void init() const { ASSERT_TRUE(self().join("all")); }
  void handle_event(const News&) const {
    if (--board->alive == 0) board->done.open();
  }
};

TEST_F(Threads, GroupsAreJoinedLeftAndToldFromAllSchedulersAtOnce) {
  const auto events = std::make_shared<Shared>(1000);
  const auto witnessed = std::make_shared<Shared>(0);
  constexpr int members = 30;
  constexpr int publishes_each = 40;
  witnessed->alive = members * publishes_each;
  ASSERT_TRUE(system.spawn_on<Witness>(0, {}, witnessed).has_value());
  for (unsigned i = 0; i < members; ++i) {
    ASSERT_TRUE(
        system.spawn_on<Member>(i % 3, {}, events, "group " + std::to_string(i % 4)).has_value());
  }
  EXPECT_TRUE(environment->wait(witnessed->done, 60s)) << "not one publish was lost";
  EXPECT_TRUE(environment->wait(events->done, 60s));
  EXPECT_TRUE(system.stop(30s));
  EXPECT_TRUE(system.groups().list().empty()) << "who ends has left";
}

/// Takes a name that many want; whoever has it holds it for a turn.
struct Claimant {};
struct Rival {
  Board board;
  std::shared_ptr<RegistryScope> scope;
  int tries = 0;
  void init() const { self().send_after(1ms, 0); }
  void handle_info(Info& info) {
    if (info.get<int>() == nullptr) return;
    SpawnOptions options;
    options.name = "the one";
    options.scope = scope;
    const auto claimed = self().spawn<Claimant>(options);
    if (claimed) {
      // Nobody else can have had it meanwhile.
      if (++board->alive != 1) board->left = -1;
      const auto owner = scope->whereis("the one");
      if (!owner || *owner != claimed->pid()) board->left = -1;
      --board->alive;
      self().exit(claimed->pid(), Reason::killed());
    } else if (claimed.error().kind != ErrorKind::already_exists) {
      board->left = -1;
    }
    if (++tries == 100 && --board->left == 0) board->done.open();
    if (tries < 100) self().send_after(1ms, 0);
  }
};

TEST_F(Threads, ANameOfAnyScopeIsOneProcessesAloneHoweverManyWantIt) {
  const std::vector<std::shared_ptr<RegistryScope>> scopes{
      std::make_shared<Registry>(), std::make_shared<PrefixedScope>(system.registry(), "rivals/")};
  for (const auto& scope : scopes) {
    const auto board = std::make_shared<Shared>(9);
    for (unsigned i = 0; i < 9; ++i)
      ASSERT_TRUE(system.spawn_on<Rival>(i % 3, {}, board, scope).has_value());
    EXPECT_TRUE(environment->wait(board->done, 60s));
    EXPECT_EQ(board->left.load(), 0);
  }
  EXPECT_TRUE(system.stop(30s));
  for (const auto& scope : scopes) EXPECT_FALSE(scope->whereis("the one"));
}

}  // namespace
}  // namespace hawser
