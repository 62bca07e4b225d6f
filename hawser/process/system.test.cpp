// Requests to reload: by a call, and by SIGHUP.
#include <hawser/engine/sim/world.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <memory>

namespace hawser {
namespace {

struct Reloader {
  int* reloads;
  std::shared_ptr<Gate> gate;
  void init() { self().system().tell_reloads(self().pid()); }
  void handle_info(Info& info) {
    if (info.get<ReloadRequested>() == nullptr) return;
    ++*reloads;
    gate->open();
  }
};

TEST(System, a_reload_reaches_those_who_asked_and_no_one_who_has_ended) {
  sim::World world(1);
  System system(world.host("one"), SystemOptions{.schedulers = 2}, make_null_log());
  int first = 0, second = 0;
  const auto gate = std::make_shared<Gate>();
  const auto one = system.spawn_on<Reloader>(0, {}, &first, gate);
  const auto two = system.spawn_on<Reloader>(1, {}, &second, gate);
  ASSERT_TRUE(one.has_value() && two.has_value());
  system.request_reload();
  world.run_for(10ms);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
  send_exit(two->pid(), Reason::shutdown());
  world.run_for(10ms);
  for (int i = 0; i < 2; ++i) {
    system.request_reload();
    world.run_for(10ms);
  }
  EXPECT_EQ(first, 3);
  EXPECT_EQ(second, 1);
}

TEST(System, sighup_is_a_reload_where_that_is_wanted) {
  SystemOptions options;
  options.schedulers = 1;
  options.log_level = LogLevel::off;
  options.reload_on_hangup = true;
  System system(options);
  int reloads = 0;
  const auto gate = std::make_shared<Gate>();
  ASSERT_TRUE(system.spawn<Reloader>({}, &reloads, gate).has_value());
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_TRUE(system.environment().wait(*gate, 30s));
  EXPECT_TRUE(system.running());
}

}  // namespace
}  // namespace hawser
