// A System in a simulated world, and an actor that does what a test tells it and writes down what
// happens to it. Internal to the tests of this layer and those above.
#pragma once

#include <hawser/engine/sim/world.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// Keeps every line.
class CapturingLog final : public Log {
 public:
  struct Line {
    LogLevel level;
    std::string source;
    std::string text;
  };
  explicit CapturingLog(std::vector<Line>& lines) : Log(LogLevel::trace), lines_(lines) {}
  void write(LogLevel level, std::string_view source, std::string_view text) override {
    lines_.push_back({level, std::string(source), std::string(text)});
  }

 private:
  std::vector<Line>& lines_;  // the test's: it is read after the System has gone
};

/// What happened, in order. The simulator runs everything on one thread, so that no lock is needed.
class Events {
 public:
  void add(std::string event) { events_.push_back(std::move(event)); }
  const std::vector<std::string>& all() const { return events_; }
  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
  }
  bool has(std::string_view event) const { return count(event) != 0; }
  /// Those that begin with `prefix`.
  std::vector<std::string> with(std::string_view prefix) const {
    std::vector<std::string> found;
    for (const auto& event : events_)
      if (event.starts_with(prefix)) found.push_back(event);
    return found;
  }
  void clear() { events_.clear(); }

 private:
  std::vector<std::string> events_;
};

/// Casts: run this as the actor's callback.
struct Do {
  std::function<void()> work;
};
struct DoNext {
  std::function<Next()> work;
};

/// Writes "NAME init", "NAME exit REASON", "NAME down REASON", "NAME info TEXT", "NAME timeout",
/// "NAME terminate REASON", "NAME gone" (its destructor).
class Actor {
 public:
  Actor(std::string name, Events& events, std::function<void()> on_init = {})
      : name_(std::move(name)), events_(&events), on_init_(std::move(on_init)) {}
  Actor(Actor&& other) noexcept
      : name_(std::move(other.name_)),
        events_(std::exchange(other.events_, nullptr)),
        on_init_(std::move(other.on_init_)) {}
  ~Actor() {
    if (events_ != nullptr) events_->add(name_ + " gone");
  }

  void init() {
    events_->add(name_ + " init");
    if (on_init_) on_init_();
  }
  void handle_cast(Do task) { task.work(); }
  Next handle_cast(DoNext task) { return task.work(); }
  void handle_info(Info& info) {
    if (const auto* exit = info.get<Exit>()) {
      events_->add(name_ + " exit " + exit->reason.text());
    } else if (const auto* down = info.get<Down>()) {
      events_->add(name_ + " down " + down->reason.text());
    } else if (const auto* text = info.get<std::string>()) {
      events_->add(name_ + " info " + *text);
    }
  }
  void timeout() { events_->add(name_ + " timeout"); }
  void terminate(const Reason& reason) { events_->add(name_ + " terminate " + reason.text()); }

 private:
  std::string name_;
  Events* events_;
  std::function<void()> on_init_;
};

/// One System with `schedulers` schedulers, seeded.
class ProcessWorld {
 public:
  ProcessWorld(std::uint64_t seed, unsigned schedulers, SystemOptions options = {})
      : ProcessWorld(std::make_unique<sim::World>(seed), nullptr, schedulers, std::move(options)) {}
  ProcessWorld(sim::World& given, unsigned schedulers, SystemOptions options = {})
      : ProcessWorld(nullptr, &given, schedulers, std::move(options)) {}

 private:
  ProcessWorld(std::unique_ptr<sim::World> owned, sim::World* given, unsigned schedulers,
               SystemOptions options)
      : owned_(std::move(owned)),
        world(given == nullptr ? *owned_ : *given),
        system(
            world.host("here"),
            [&] {
              options.schedulers = schedulers;
              return options;
            }(),
            std::make_unique<CapturingLog>(lines)),
        schedulers_(schedulers) {
    const auto launched = system.launch();
    if (!launched) throw std::runtime_error(launched.error().text());
  }

 public:
  /// Scheduler number `n` of those there are: 0, 1, 2 are different ones only if there are three.
  unsigned on(unsigned n) const { return n % schedulers_; }

  Ref<Actor> actor(std::string name, unsigned where = 0, SpawnOptions options = {},
                   std::function<void()> on_init = {}) {
    auto spawned = system.spawn_on<Actor>(on(where), std::move(options), std::move(name),
                                          std::ref(events), std::move(on_init));
    EXPECT_TRUE(spawned.has_value()) << spawned.error().text();
    return spawned.value_or(Ref<Actor>{});
  }
  /// Runs `work` as a callback of the actor, and everything that follows from it.
  void in(Ref<Actor> actor, std::function<void()> work) {
    actor.cast(Do{std::move(work)});
    settle();
  }
  void settle(Duration length = 20ms) { world.run_for(length); }

  bool alive(Pid pid) {
    bool found = false;
    const auto ran = system.run_on(pid.scheduler->number(), [&](Scheduler& scheduler) {
      found = scheduler.find(pid) != nullptr;
    });
    EXPECT_TRUE(ran.has_value());
    return found;
  }
  std::size_t processes() {
    std::size_t count = 0;
    for (unsigned n = 0; n < schedulers_; ++n)
      static_cast<void>(
          system.run_on(n, [&](Scheduler& scheduler) { count += scheduler.process_count(); }));
    return count;
  }
  std::size_t log_lines(LogLevel level, std::string_view part) const {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [&](const CapturingLog::Line& line) {
          return line.level == level && line.text.find(part) != std::string::npos;
        }));
  }

  Events events;
  std::vector<CapturingLog::Line> lines;

 private:
  std::unique_ptr<sim::World> owned_;

 public:
  sim::World& world;
  System system;

 private:
  unsigned schedulers_;
};

/// Runs `test` in several worlds: seeds vary the order of turns, one scheduler and three vary what
/// is near and what is far.
inline void in_worlds(const std::function<void(ProcessWorld&)>& test, unsigned seeds = 4) {
  for (const unsigned schedulers : {1U, 3U})
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(schedulers) +
                   " schedulers");
      ProcessWorld world(seed, schedulers);
      test(world);
      if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace hawser::testing
