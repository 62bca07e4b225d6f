// Supervisors under test: children that write down their starts and ends, and the calls of a
// supervisor from a plain thread. Internal to tests.
#pragma once

#include <hawser/process/supervisor.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// What a child does at its starts and ends; shared by a test and its children.
struct ChildPlan {
  Events* events = nullptr;
  int starts = 0;
  int fail_starts_from = 1 << 30;  // this start (1 = the first) and later ones fail …
  int fail_starts_to = 1 << 30;    // … up to this one
  bool decline = false;
  bool throws_in_start = false;
  bool ignores_shutdown = false;
  Pid pid;
};
using Plan = std::shared_ptr<ChildPlan>;

/// Writes "NAME start", "NAME end REASON".
class Child {
 public:
  Child(std::string name, Plan plan) : name_(std::move(name)), plan_(std::move(plan)) {}
  Next init() {
    ++plan_->starts;
    if (plan_->decline) return stop();
    if (plan_->starts >= plan_->fail_starts_from && plan_->starts <= plan_->fail_starts_to) {
      plan_->events->add(name_ + " fails");
      return stop(Reason::failed("no luck"));
    }
    if (plan_->throws_in_start) throw std::runtime_error("no init");
    plan_->pid = self().pid();
    plan_->events->add(name_ + " start");
    return keep();
  }
  void handle_cast(Do task) { task.work(); }
  void handle_shutdown(const Reason& reason) {
    if (plan_->ignores_shutdown) return;
    self().stop(reason);
  }
  void terminate(const Reason& reason) {
    plan_->events->add(name_ + " end " + std::string(to_string(reason.kind())));
  }

 private:
  std::string name_;
  Plan plan_;
};

class Supervision {
 public:
  explicit Supervision(ProcessWorld& world) : w(world) {}

  /// A child's spec; its plan is plans[name].
  ChildSpec child(std::string name, unsigned where = 0, Restart restart = Restart::permanent) {
    Plan& plan = plans[name];
    if (plan == nullptr) plan = std::make_shared<ChildPlan>();
    plan->events = &w.events;
    ChildSpec spec = worker<Child>(name, name, plan);
    spec.restart = restart;
    if (where != 0) spec.scheduler = w.on(where);
    return spec;
  }
  Ref<Child> ref(const std::string& name) { return Ref<Child>(plans.at(name)->pid); }
  bool runs(const std::string& name) { return w.alive(plans.at(name)->pid); }

  Ref<Supervisor> start(SupervisorOptions options) {
    auto spawned = w.system.spawn_on<Supervisor>(0, {}, std::move(options));
    EXPECT_TRUE(spawned.has_value()) << spawned.error().text();
    supervisor = spawned.value_or(Ref<Supervisor>{});
    w.settle();
    return supervisor;
  }
  void crash(const std::string& name) {
    end(name, [] { throw std::runtime_error("boom"); });
  }
  void end(const std::string& name, std::function<void()> how) {
    ref(name).cast(Do{std::move(how)});
    w.settle();
  }
  template <class M>
  auto ask(M message, Duration timeout = 60s) {
    return w.system.call(supervisor, std::move(message), timeout);
  }
  void shut_down(Duration settle = 20ms) {
    send_exit(supervisor.pid(), Reason::shutdown());
    w.settle(settle);
  }
  /// The events since the last time, of starts and ends only.
  std::vector<std::string> history() {
    auto all = w.events.all();
    w.events.clear();
    return all;
  }

  ProcessWorld& w;
  std::map<std::string, Plan> plans;
  Ref<Supervisor> supervisor;
};

using History = std::vector<std::string>;

/// Runs `test` in several worlds.
inline void supervised(const std::function<void(Supervision&)>& test, unsigned seeds = 4) {
  in_worlds(
      [&](ProcessWorld& world) {
        Supervision supervision(world);
        test(supervision);
      },
      seeds);
}

/// Three children; scheduler 1 and 2 are other ones than the supervisor's in the worlds
/// that have three.
inline SupervisorOptions abc(Supervision& s, Strategy strategy, unsigned intensity = 5) {
  return {.strategy = strategy,
          .intensity = intensity,
          .children = {s.child("a"), s.child("b", 1), s.child("c", 2)}};
}

}  // namespace hawser::testing
