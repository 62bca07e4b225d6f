// The real world: which engine this kernel and user may have, one thread for each loop, and the
// blocking pool that all engines share.
#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/engine/detail/blocking_pool.hpp>
#include <hawser/engine/detail/kernel_random.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/engine/epoll/epoll_engine.hpp>
#include <hawser/engine/uring/uring_engine.hpp>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hawser {

namespace {

constexpr const char* choice_variable = "HAWSER_ENGINE";

/// The cores that this program may run on, which may be fewer than the machine has.
unsigned usable_cores() noexcept {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) {
    return static_cast<unsigned>(std::max(CPU_COUNT(&cores), 1));
  }
  return std::max(std::thread::hardware_concurrency(), 1U);  // more than 1024 of them
}

Result<std::uint64_t> random_seed() {
  if (const auto seed = detail::kernel_random()) return *seed;
  return std::unexpected(system_error(errno, "start the engine", "getrandom"));
}

}  // namespace

Result<EngineChoice> parse_engine_choice(std::string_view text) {
  if (text == "auto") return EngineChoice::automatic;
  if (text == "uring") return EngineChoice::uring;
  if (text == "epoll") return EngineChoice::epoll;
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "choose an engine",
                               fmt::format("\"{}\" is none: write uring, epoll or auto", text)});
}

class RealEnvironment final : public Environment {
 public:
  explicit RealEnvironment(const RealOptions& options)
      : options_(options), pool_(options.blocking_threads) {}
  ~RealEnvironment() override { join(); }

  unsigned default_schedulers() const noexcept override {
    return options_.schedulers != 0 ? options_.schedulers : usable_cores();
  }

  Result<std::unique_ptr<Engine>> make_engine(unsigned index, Log& log) override {
    Result<std::unique_ptr<Engine>> engine = choose_engine();
    if (engine && (index == 0 || log.enabled(LogLevel::debug))) {
      const EngineInfo info = (*engine)->info();
      log.info("engine", fmt::format("{} ({})", info.name, info.reason));
    }
    return engine;
  }

  void start(std::span<Loop* const> loops) override {
    check(threads_.empty(), "Environment::start called twice without join");
    // Signals are for the thread that the program handles them on; a loop must not be interrupted,
    // and a write to a closed pipe is an error value here. Threads inherit the mask.
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&blocked, signal);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    threads_.reserve(loops.size());
    for (Loop* loop : loops) {
      threads_.emplace_back([loop, index = threads_.size()] {
        // At most 15 characters, or the call does nothing.
        pthread_setname_np(pthread_self(), fmt::format("hawser/{}", index).c_str());
        loop->engine().start();
        while (loop->turn()) {
        }
      });
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void join() override {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    watch_end_.open();
    if (watcher_.joinable()) watcher_.join();
  }

  void watch(Duration every, std::move_only_function<void(Instant)> look) override {
    check(!watcher_.joinable(), "Environment::watch called twice");
    watcher_ = std::thread([this, every, look = std::move(look)]() mutable {
      pthread_setname_np(pthread_self(), "hawser/watch");
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      while (!wait(watch_end_, every))
        look(Instant{std::chrono::steady_clock::now().time_since_epoch()});
    });
  }

  bool wait(Gate& gate, Duration limit) override {
    std::unique_lock lock(gate.mutex_);
    const auto opened = [&gate] { return gate.opened_; };
    // Added to a clock, a limit near the end of time would wrap around.
    if (limit > std::chrono::years(100)) {
      gate.condition_.wait(lock, opened);
      return true;
    }
    return gate.condition_.wait_for(lock, limit, opened);
  }

 private:
  Result<std::unique_ptr<Engine>> choose_engine() {
    EngineChoice choice = options_.engine;
    std::string why = "chosen by option";
    if (choice == EngineChoice::automatic) {
      why = "automatic";
      if (const char* text = std::getenv(choice_variable); text != nullptr && *text != '\0') {
        Result<EngineChoice> parsed = parse_engine_choice(text);
        if (!parsed) {
          parsed.error().detail = fmt::format("{}={}", choice_variable, parsed.error().detail);
          return std::unexpected(std::move(parsed).error());
        }
        choice = *parsed;
        why = fmt::format("chosen by {}", choice_variable);
      }
    }
    const Result<std::uint64_t> seed = random_seed();
    if (!seed) return std::unexpected(seed.error());
    if (choice == EngineChoice::epoll) {
      return detail::make_epoll_engine(pool_, *seed, std::move(why));
    }

    Result<std::string> found = detail::probe_uring();
    Result<std::unique_ptr<Engine>> uring =
        found ? detail::make_uring_engine(pool_, *seed, *std::move(found))
              : std::unexpected(std::move(found).error());
    if (uring) return uring;
    if (choice == EngineChoice::uring) {
      uring.error().operation = fmt::format("engine uring, {}", why);
      uring.error().detail += "; choose auto or epoll to run without it";
      return uring;
    }
    return detail::make_epoll_engine(pool_, *seed, uring.error().detail);
  }

  const RealOptions options_;
  detail::BlockingPool pool_;
  std::vector<std::thread> threads_;
  std::thread watcher_;
  Gate watch_end_;
};

std::unique_ptr<Environment> make_real_environment(RealOptions options) {
  return std::make_unique<RealEnvironment>(options);
}

}  // namespace hawser
