// The same on real threads and a real engine: for the thread sanitizer, which sees nothing in the
// simulator. Waits on gates, never on a clock.
#include <hawser/engine/environment.hpp>
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

struct Ask {};
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
  int handle_call(Ask) { return 1; }
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
        static_cast<void>(co_await Ref<Mortal>(*child).call(Ask{}));
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

}  // namespace
}  // namespace hawser
