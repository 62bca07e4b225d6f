// The world a System runs in: it makes engines and gives the schedulers' loops their turns. The
// real one uses a thread a loop; the simulator interleaves them on one thread. Public.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/engine.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

namespace hawser {

class Log;

/// Something that wants turns on a thread of its own: a scheduler.
class Loop {
 public:
  /// One turn: run what is runnable, then poll the engine (waiting there at most until the next
  /// timer). False when the loop has finished and wants no further turn.
  virtual bool turn() = 0;
  /// The engine this loop polls.
  virtual Engine& engine() noexcept = 0;

 protected:
  ~Loop() = default;
};

/// Lets a plain thread (main, a test) wait for something that happens on a scheduler. Opened once.
class Gate {
 public:
  /// Any thread.
  void open() {
    const std::lock_guard lock(mutex_);
    opened_ = true;
    condition_.notify_all();
  }
  bool is_open() {
    const std::lock_guard lock(mutex_);
    return opened_;
  }

 private:
  friend class RealEnvironment;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool opened_ = false;
};

class Environment {
 public:
  virtual ~Environment() = default;

  /// How many schedulers are sensible here: the cores we may use, or what the simulated host has.
  virtual unsigned default_schedulers() const noexcept = 0;
  /// The engine for scheduler `index` (0, 1, …). `log` gets the line that says which and why. The
  /// environment must outlive its engines: they share what is in it.
  virtual Result<std::unique_ptr<Engine>> make_engine(unsigned index, Log& log) = 0;
  /// Starts each loop's engine (Engine::start) on the loop's own thread, then gives the loop turns.
  /// The loops must live until join().
  virtual void start(std::span<Loop* const> loops) = 0;
  /// Returns when every loop of start() has finished.
  virtual void join() = 0;
  /// Calls `look` with the monotonic time every `every`, beside the loops, from start() on until
  /// join(). Under sim nothing is called: no virtual time passes inside a callback.
  virtual void watch(Duration every, std::move_only_function<void(Instant)> look) = 0;
  /// Waits on a plain thread until `gate` opens, at most `limit`; false on time-out. Under sim this
  /// runs the world meanwhile. Never called from inside a turn.
  virtual bool wait(Gate& gate, Duration limit) = 0;
};

/// Which engine make_real_environment() shall use.
enum class EngineChoice : unsigned char { automatic, uring, epoll };

/// "uring", "epoll", "auto" (as in HAWSER_ENGINE); anything else is an error naming the three.
Result<EngineChoice> parse_engine_choice(std::string_view text);

struct RealOptions {
  /// automatic: what HAWSER_ENGINE says if set; else uring where the kernel allows it, else epoll.
  EngineChoice engine = EngineChoice::automatic;
  unsigned schedulers = 0;        ///< 0 = the cores this program may use
  unsigned blocking_threads = 4;  ///< threads for name look-up and file work, started on demand
};

/// Threads, the kernel and its clock.
std::unique_ptr<Environment> make_real_environment(RealOptions options = {});

}  // namespace hawser
