// No exit is lost and none is told twice: random processes that link, monitor, spawn, end, kill and
// suspend each other, checked against what each of them did and saw.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/testing/process_world.hpp>
#include <hawser/process/testing/supervision.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::Do;
using testing::ProcessWorld;

/// What one process did and saw; outlives it.
struct Cell {
  std::size_t number = 0;
  Pid pid;
  bool traps = false;
  bool suspended = false;
  std::optional<Reason> ended;  // as told to terminate; killed when there was no terminate
  int destroyed = 0;
  std::map<Pid, std::vector<Reason>> exits;
  std::map<MonitorId, int> downs;
  std::map<MonitorId, Pid> monitors;  // made by it
  std::set<MonitorId> demonitored;
  std::map<Pid, int> signals;  // exit signals sent to it, by sender
  std::vector<Reason> asked;   // reasons it was asked to end with, by whomever
  std::set<Pid> unlinked;      // it called unlink on
  std::string fault;
  bool born() const { return pid.generation != 0; }
};

struct Node {
  std::shared_ptr<Cell> cell;
  explicit Node(std::shared_ptr<Cell> mine) : cell(std::move(mine)) {}
  Node(Node&&) noexcept = default;
  ~Node() {
    if (cell == nullptr) return;
    ++cell->destroyed;
    if (!cell->ended) cell->ended = Reason::killed();
  }
  void init() { cell->pid = self().pid(); }
  void handle_cast(Do task) { task.work(); }
  void handle_info(Info& info) {
    if (const auto* exit = info.get<Exit>()) {
      cell->exits[exit->from].push_back(exit->reason);
    } else if (const auto* down = info.get<Down>()) {
      ++cell->downs[down->monitor];
      if (cell->demonitored.contains(down->monitor)) cell->fault = "a Down after demonitor";
      const auto made = cell->monitors.find(down->monitor);
      if (made == cell->monitors.end() || made->second != down->from)
        cell->fault = "a Down of no monitor of its own";
    }
  }
  void terminate(const Reason& reason) {
    if (cell->ended) cell->fault = "terminate twice";
    cell->ended = reason;
  }
};

class Society {
 public:
  explicit Society(ProcessWorld& world) : w(world), random(world.world.random()) {}

  void live() {
    for (int i = 0; i < 6; ++i) spawn_free();
    const auto steps = 20 + random.below(60);
    for (std::uint64_t i = 0; i < steps; ++i) {
      act();
      for (auto pause = random.below(8); pause > 0; --pause) w.world.step();
    }
    w.settle(100ms);
    for (const auto& cell : cells) suspend(*cell, false);
    w.settle(1s);
  }

  void check() {
    for (const auto& a : cells) {
      if (!a->born()) continue;  // its parent ended before it could spawn it
      SCOPED_TRACE("process " + std::to_string(a->number));
      EXPECT_EQ(a->fault, "");
      EXPECT_EQ(a->destroyed, a->ended ? 1 : 0);
      if (a->ended) {
        check_dead(*a);
      } else {
        check_alive(*a);
      }
    }
  }

  std::vector<std::shared_ptr<Cell>> cells;

 private:
  Cell& any() { return *cells[random.below(cells.size())]; }
  Cell* find(Pid pid) {
    for (const auto& cell : cells)
      if (cell->pid == pid) return cell.get();
    return nullptr;
  }
  static std::pair<Pid, Pid> pair(Pid a, Pid b) {
    return a < b ? std::pair(a, b) : std::pair(b, a);
  }
  void in(Cell& cell, std::function<void()> work) { Ref<Node>(cell.pid).cast(Do{std::move(work)}); }

  std::shared_ptr<Cell> make_cell() {
    auto cell = std::make_shared<Cell>();
    cell->number = cells.size();
    cell->traps = random.chance(0.5);
    cells.push_back(cell);
    return cell;
  }
  void spawn_free() {
    auto cell = make_cell();
    EXPECT_TRUE(w.system
                    .spawn_on<Node>(w.on(static_cast<unsigned>(random.below(3))),
                                    {.trap_exit = cell->traps}, cell)
                    .has_value());
  }
  Reason some_reason() {
    switch (random.below(4)) {
      case 0:
        return Reason::normal();
      case 1:
        return Reason::shutdown();
      case 2:
        return Reason::failed("reason " + std::to_string(++reasons));
      default:
        return Reason::timeout("reason " + std::to_string(++reasons));
    }
  }
  void suspend(Cell& cell, bool suspended) {
    Scheduler* scheduler = cell.pid.scheduler;
    scheduler->post([scheduler, pid = cell.pid, suspended] {
      if (Process* process = scheduler->find(pid)) process->set_suspended(suspended);
    });
  }

  void act() {
    Cell& a = any();
    Cell& b = any();
    switch (random.below(12)) {
      case 0:
        spawn_free();
        break;
      case 1: {
        auto child = make_cell();
        child->pid = Pid{a.pid.scheduler, 0, 0};  // until it is there, if ever
        in(a, [this, &a, child] {
          const auto spawned = self().spawn_link<Node>({.trap_exit = child->traps}, child);
          if (!spawned) return;
          children[child->pid] = a.pid;
          linked.insert(pair(a.pid, child->pid));
        });
        break;
      }
      case 2:
      case 3:
        // Once a pair: a second link to one who is dead is a second exit, rightly.
        if (&a == &b || !used.insert(pair(a.pid, b.pid)).second) break;
        in(a, [this, &a, &b] {
          if (!b.born() || linked.contains(pair(a.pid, b.pid))) return;  // its parent or child
          self().link(b.pid);
          linked.insert(pair(a.pid, b.pid));
        });
        break;
      case 4:
        if (&a == &b) break;
        in(a, [&a, &b] {
          if (!b.born()) return;
          self().unlink(b.pid);
          a.unlinked.insert(b.pid);
        });
        break;
      case 5:
      case 6:
        in(a, [&a, &b] {
          if (!b.born()) return;
          const MonitorId id = self().monitor(b.pid);
          a.monitors[id] = b.pid;
        });
        break;
      case 7:
        in(a, [&a] {
          if (a.monitors.empty()) return;
          self().demonitor(a.monitors.begin()->first);
          a.demonitored.insert(a.monitors.begin()->first);
        });
        break;
      case 8: {
        const Reason reason = some_reason();
        if (random.chance(0.3)) {
          in(a, [&a] {
            a.asked.push_back(Reason{Reason::Kind::crash});
            throw std::runtime_error("crash");
          });
        } else {
          in(a, [&a, reason] {
            a.asked.push_back(reason);
            self().stop(reason);
          });
        }
        break;
      }
      case 9: {
        if (&a == &b || random.chance(0.5)) break;
        const Reason reason = some_reason();
        in(a, [&a, &b, reason] {
          if (!b.born()) return;
          b.asked.push_back(reason);
          ++b.signals[a.pid];
          self().exit(b.pid, reason);
        });
        break;
      }
      case 10:
        if (random.chance(0.5)) break;
        in(a, [&b] {
          if (!b.born()) return;
          b.asked.push_back(Reason::killed());
          self().exit(b.pid, Reason::killed());
        });
        break;
      default:
        suspend(a, random.chance(0.5));
        break;
    }
  }

  bool is_child_of(const Cell& child, Pid parent) const {
    const auto found = children.find(child.pid);
    return found != children.end() && found->second == parent;
  }

  void check_alive(const Cell& a) {
    for (const auto& [monitor, target] : a.monitors) {
      const Cell* b = find(target);
      const auto told = a.downs.find(monitor);
      const int downs = told == a.downs.end() ? 0 : told->second;
      if (a.demonitored.contains(monitor)) {
        EXPECT_LE(downs, 1);
      } else {
        EXPECT_EQ(downs, b->ended ? 1 : 0) << "of " << b->number;
      }
    }
    for (const auto& other : cells) {
      const Cell& b = *other;
      if (b.pid == a.pid || !b.born()) continue;
      const auto seen = a.exits.find(b.pid);
      const int exits = seen == a.exits.end() ? 0 : static_cast<int>(seen->second.size());
      const auto sent = a.signals.find(b.pid);
      const int signals = sent == a.signals.end() ? 0 : sent->second;
      const bool linked_once = linked.contains(pair(a.pid, b.pid));
      const bool cut = a.unlinked.contains(b.pid) || b.unlinked.contains(a.pid);
      if (!a.traps) {
        EXPECT_EQ(exits, 0);
        if (linked_once && !cut && b.ended) {
          EXPECT_EQ(b.ended->kind(), Reason::Kind::normal)
              << "it should have gone with " << b.number << ": " << b.ended->text();
        }
      } else if (linked_once && cut) {
        EXPECT_LE(exits, signals + 1);
        EXPECT_GE(exits, signals);
      } else if (linked_once && b.ended) {
        EXPECT_EQ(exits, signals + 1) << "from " << b.number;
        if (is_child_of(a, b.pid)) {
          EXPECT_EQ(b.ended->kind(), Reason::Kind::normal) << "its parent " << b.number;
        }
      } else {
        EXPECT_EQ(exits, signals) << "from " << b.number;
      }
    }
  }

  /// It ended for a reason: its own, one it was sent, or that of somebody linked to it.
  void check_dead(const Cell& a) {
    if (a.ended->kind() == Reason::Kind::no_process) return;  // linked itself to a dead one
    for (const Reason& reason : a.asked)
      if (reason == *a.ended || reason.kind() == a.ended->kind()) return;
    for (const auto& other : cells)
      if (other->ended && *other->ended == *a.ended && linked.contains(pair(a.pid, other->pid)))
        return;
    ADD_FAILURE() << "ended without a cause: " << a.ended->text();
  }

  ProcessWorld& w;
  Random& random;
  std::set<std::pair<Pid, Pid>> used;
  std::set<std::pair<Pid, Pid>> linked;
  std::map<Pid, Pid> children;
  int reasons = 0;
};

sim::SeedOptions seed_options(const char* test) {
  sim::SeedOptions options;
  options.has_failed = [] { return ::testing::Test::HasFailure(); };
  options.arguments = std::string("--gtest_filter=") + test;
  return options;
}

TEST(Exits, EachIsToldExactlyOnceToEachLinkAndMonitor) {
  EXPECT_TRUE(sim::for_each_seed(
      600,
      [](sim::World& world) {
        ProcessWorld w(world, world.random().chance(0.5) ? 1 : 3);
        Society society(w);
        society.live();
        society.check();
        w.system.stop(1s);
        for (const auto& cell : society.cells)
          if (cell->born()) {
            EXPECT_EQ(cell->destroyed, 1);
          }
      },
      seed_options("Exits.EachIsToldExactlyOnceToEachLinkAndMonitor")));
}

// ---- trees of supervisors ----------------------------------------------------------------------

/// A random tree of supervisors; every leaf counts its starts and ends.
class Forest {
 public:
  explicit Forest(ProcessWorld& world) : s(world), random(world.world.random()) {}

  SupervisorOptions branch(int depth) {
    SupervisorOptions options;
    options.strategy = static_cast<Strategy>(random.below(3));
    options.intensity = static_cast<unsigned>(random.below(6));
    if (random.chance(0.3))
      options.backoff = {.initial = 50ms, .factor = 2.0, .maximum = 1s, .jitter = 0.5};
    for (auto left = 1 + random.below(3); left > 0; --left) {
      if (depth > 0 && random.chance(0.4)) {
        auto inner = supervisor("inner " + std::to_string(++names), branch(depth - 1));
        if (random.chance(0.5)) inner.scheduler = s.w.on(static_cast<unsigned>(random.below(3)));
        options.children.push_back(std::move(inner));
      } else {
        const std::string name = "leaf " + std::to_string(++names);
        auto leaf = s.child(name, static_cast<unsigned>(random.below(3)),
                            static_cast<Restart>(random.below(3)));
        auto& plan = *s.plans[name];
        plan.ignores_shutdown = random.chance(0.05);
        if (random.chance(0.1)) {
          plan.fail_starts_from = 2 + static_cast<int>(random.below(3));
          plan.fail_starts_to = plan.fail_starts_from + static_cast<int>(random.below(3));
        }
        leaf.shutdown = random.chance(0.1) ? Duration::zero() : Duration(100ms);
        options.children.push_back(std::move(leaf));
      }
    }
    return options;
  }

  void disturb() {
    for (auto left = random.below(20); left > 0; --left) {
      auto at = s.plans.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(s.plans.size())));
      const Pid pid = at->second->pid;
      switch (random.below(4)) {
        case 0:
          send_exit(pid, Reason::killed());
          break;
        case 1:
          Ref<testing::Child>(pid).cast(Do{[] { self().stop(); }});
          break;
        case 2:
          Ref<testing::Child>(pid).cast(Do{[] { throw std::runtime_error("boom"); }});
          break;
        default:
          s.w.settle(Duration(random.below(2'000'000'000)));
          break;
      }
      for (auto pause = random.below(30); pause > 0; --pause) s.w.world.step();
    }
  }

  /// What the supervisors say they have is what there is.
  void check(std::size_t before) {
    s.w.settle(30s);
    if (!s.w.alive(s.supervisor.pid())) {
      EXPECT_EQ(s.w.processes(), before) << "a supervisor that ended leaves nothing behind";
      return;
    }
    std::size_t processes = 1;
    std::set<Pid> running;
    count(s.supervisor, processes, running);
    EXPECT_EQ(s.w.processes(), before + processes) << "nobody runs outside the tree";
    for (const auto& [name, plan] : s.plans)
      if (s.w.alive(plan->pid)) {
        EXPECT_TRUE(running.contains(plan->pid)) << name;
      }
  }

  void end(std::size_t before) {
    send_exit(s.supervisor.pid(), Reason::shutdown());
    s.w.settle(Duration(random.below(5'000'000)));
    disturb();
    s.w.settle(30s);
    EXPECT_EQ(s.w.processes(), before);
  }

  testing::Supervision s;

 private:
  void count(Ref<Supervisor> ref, std::size_t& processes, std::set<Pid>& running) {
    const auto which = s.w.system.call(ref, WhichChildren{});
    ASSERT_TRUE(which.has_value());
    for (const auto& child : *which) {
      EXPECT_NE(child.state, ChildState::starting) << child.id;
      EXPECT_EQ(static_cast<bool>(child.pid), child.state == ChildState::running) << child.id;
      if (child.restart == Restart::permanent) {
        EXPECT_NE(child.state, ChildState::stopped) << child.id << " was lost";
      }
      if (!child.pid) continue;
      EXPECT_TRUE(s.w.alive(child.pid)) << child.id << ": its end was lost";
      ++processes;
      running.insert(child.pid);
      if (child.supervisor) count(Ref<Supervisor>(child.pid), processes, running);
    }
  }

  Random& random;
  int names = 0;
};

TEST(Exits, EachIsToldExactlyOnceToTheSupervisor) {
  EXPECT_TRUE(sim::for_each_seed(
      500,
      [](sim::World& world) {
        ProcessWorld w(world, world.random().chance(0.5) ? 1 : 3);
        const auto before = w.processes();
        Forest forest(w);
        forest.s.start(forest.branch(3));
        forest.disturb();
        forest.check(before);
        if (::testing::Test::HasFailure()) return;
        forest.end(before);
      },
      seed_options("Exits.EachIsToldExactlyOnceToTheSupervisor")));
}

}  // namespace
}  // namespace hawser
