// Start and end of a System: engines, schedulers, the root supervisor, signals, the stall watch.
#include <hawser/process/system.hpp>

#include <hawser/engine/engine.hpp>
#include <hawser/engine/signal_watch.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/stall_watch.hpp>
#include <hawser/process/supervisor.hpp>

#include <fmt/format.h>

#include <csignal>
#include <mutex>
#include <utility>

namespace hawser {
namespace {

/// Opens a gate when the process it watches has ended.
struct EndWatcher {
  Pid watched;
  std::shared_ptr<Gate> gate;
  void init() const { self().monitor(watched); }
  void handle_info(Info& info) const {
    if (info.get<Down>() == nullptr) return;
    gate->open();
    self().stop();
  }
};

/// Long past any limit that a user sets; finite, so that a bug ends in an error and not in silence.
constexpr Duration start_limit = 60s;

}  // namespace

System::System(SystemOptions options)
    : options_(std::move(options)),
      owned_environment_(make_real_environment({.schedulers = options_.schedulers})),
      environment_(owned_environment_.get()),
      log_(make_stderr_log(options_.log_level)),
      root_ended_(std::make_shared<Gate>()),
      stop_requested_(std::make_shared<Gate>()) {}

System::System(Environment& environment, SystemOptions options, std::unique_ptr<Log> log)
    : options_(std::move(options)),
      environment_(&environment),
      log_(log != nullptr ? std::move(log) : make_null_log()),
      root_ended_(std::make_shared<Gate>()),
      stop_requested_(std::make_shared<Gate>()) {}

System::~System() { stop(options_.drain_limit); }

void System::watch_signals() {
  // The first signal opens the gate; the second finds it open and ends the program at once.
  std::vector<int> signals{SIGTERM, SIGINT};
  if (options_.reload_on_hangup) signals.push_back(SIGHUP);
  signals_ = std::make_unique<SignalWatch>(signals, [this](int number) {
    if (number == SIGHUP) {
      log_->info("system", "SIGHUP: reloading");
      request_reload();
      return;
    }
    if (stop_requested_->is_open()) {
      log_->warning("system", "second signal: ending at once");
      std::_Exit(128 + number);
    }
    log_->info("system", fmt::format("signal {}: draining for at most {} s", number,
                                     to_seconds(options_.drain_limit)));
    stop_requested_->open();
  });
}

void System::tell_reloads(Pid target) {
  const std::lock_guard lock(reload_mutex_);
  told_reloads_.push_back(target);
}

namespace {
/// Tells the System when the process is not there any more.
class ReloadMessage final : public Message {
 public:
  explicit ReloadMessage(std::move_only_function<void(Pid)> forget) : forget_(std::move(forget)) {}
  void deliver(Process& receiver) override {
    ReloadRequested request;
    Info info(type_info<ReloadRequested>, request);
    receiver.deliver_info(info);
  }
  void undelivered(Pid target, const Reason& reason) noexcept override {
    if (reason.kind() != Reason::Kind::overloaded) forget_(target);
  }
  std::string_view describe() const noexcept override { return "reload"; }

 private:
  std::move_only_function<void(Pid)> forget_;
};
}  // namespace

void System::request_reload() {
  std::vector<Pid> targets;
  {
    const std::lock_guard lock(reload_mutex_);
    targets = told_reloads_;
  }
  for (const Pid target : targets)
    Scheduler::send(target, std::make_unique<ReloadMessage>([this](Pid gone) {
                      const std::lock_guard lock(reload_mutex_);
                      std::erase(told_reloads_, gone);
                    }));
}

Result<void> System::launch() {
  if (launched_) {
    if (!stopped_) return {};
    return std::unexpected(
        Error{ErrorKind::closed, 0, "launch", "this System was stopped; make a new one"});
  }
  // Before any thread is there: each inherits the mask, and none is ended by a signal meant for
  // all.
  if (options_.handle_signals && owned_environment_ != nullptr) watch_signals();
  const unsigned count =
      options_.schedulers == 0 ? environment_->default_schedulers() : options_.schedulers;
  std::vector<Loop*> loops;
  for (unsigned number = 0; number < count; ++number) {
    auto engine = environment_->make_engine(number, *log_);
    if (!engine) {
      schedulers_.clear();
      return std::unexpected(std::move(engine.error()));
    }
    schedulers_.push_back(
        std::make_unique<Scheduler>(*this, number, std::move(*engine), options_.scheduler));
    loops.push_back(schedulers_.back().get());
  }
  environment_->start(loops);
  if (options_.stall_warning > Duration::zero()) {
    auto watch = std::make_unique<StallWatch>(options_.stall_warning, schedulers_.size(), stalls_);
    const Duration every = watch->interval();
    environment_->watch(every, [this, watch = std::move(watch)](Instant now) {
      for (std::size_t i = 0; i < schedulers_.size(); ++i)
        watch->look(now, i, schedulers_[i]->pulse(), telemetry_);
    });
  }
  launched_ = true;
  SupervisorOptions root;
  root.intensity = options_.root_intensity;
  root.period = options_.root_period;
  auto started = spawn<Supervisor>({.name = "root"}, std::move(root));
  if (!started) return std::unexpected(std::move(started.error()));
  root_ = started->pid();
  auto watcher = spawn<EndWatcher>({}, root_, root_ended_);
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  // A root that gives up ends the program's reason to run: run() must not wait for ever.
  auto end = spawn<EndWatcher>({}, root_, stop_requested_);
  if (!end) return std::unexpected(std::move(end.error()));
  return {};
}

Result<void> System::run_on(unsigned scheduler_number,
                            std::move_only_function<void(Scheduler&)> work) {
  if (!launched_ || stopped_) {
    if (auto launched = launch(); !launched) return launched;
  }
  if (scheduler_number >= schedulers_.size())
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "run_on",
                                 fmt::format("there is no scheduler {}; this System has {}",
                                             scheduler_number, schedulers_.size())});
  /// Shared with the posted work, which may come to its turn only after we have given up waiting:
  /// what it refers to is gone then, and it must not run.
  struct Handshake {
    Gate gate;
    std::mutex mutex;  // held while the work runs
    bool abandoned = false;
  };
  const auto handshake = std::make_shared<Handshake>();
  Scheduler& scheduler = *schedulers_[scheduler_number];
  scheduler.post([&scheduler, handshake, work = std::move(work)]() mutable {
    {
      const std::lock_guard lock(handshake->mutex);
      if (handshake->abandoned) return;
      work(scheduler);
    }
    handshake->gate.open();
  });
  if (environment_->wait(handshake->gate, start_limit)) return {};
  const std::lock_guard lock(handshake->mutex);
  if (handshake->gate.is_open()) return {};
  handshake->abandoned = true;
  return std::unexpected(
      Error{ErrorKind::timeout, 0, "run_on",
            fmt::format("scheduler {} did not take the work within {} s", scheduler_number,
                        std::chrono::duration_cast<std::chrono::seconds>(start_limit).count())});
}

Result<Pid> System::start(ChildSpec spec) {
  const std::string id = spec.id;
  Result<Pid> started;
  if (auto launched = launch(); launched) {
    started = call(Ref<Supervisor>(root_), StartChild{std::move(spec)}, start_limit);
  } else {
    started = std::unexpected(std::move(launched.error()));
  }
  if (started) {
    started_any_ = true;
  } else if (options_.log_failed_starts) {
    log_->error("system",
                fmt::format("{} did not start: {}", id.empty() ? "a child without an id" : id,
                            started.error().text()));
  }
  return started;
}

Result<void> System::stop_child(std::string_view id) {
  if (!running())
    return std::unexpected(Error{ErrorKind::closed, 0, "stop_child", "the System is not running"});
  auto ended = call(Ref<Supervisor>(root_), TerminateChild{std::string(id)}, Duration::max());
  if (!ended) return std::unexpected(std::move(ended.error()));
  auto deleted = call(Ref<Supervisor>(root_), DeleteChild{std::string(id)});
  // A temporary child's specification went with it: nothing is left to delete.
  if (!deleted && deleted.error().kind != ErrorKind::not_found)
    return std::unexpected(std::move(deleted.error()));
  return {};
}

void System::request_stop() { stop_requested_->open(); }

int System::run() {
  if (auto launched = launch(); !launched) {
    log_->error("system", launched.error().text());
    return 1;
  }
  if (!started_any_) {
    log_->error("system", "nothing to run: no start() has come through");
    stop(options_.drain_limit);
    return 1;
  }
  environment_->wait(*stop_requested_, Duration::max());
  const bool in_time = stop(options_.drain_limit);
  return in_time ? 0 : 1;
}

bool System::stop(Duration limit) {
  if (!launched_ || stopped_) return true;
  bool in_time = root_ended_->is_open();
  if (!in_time && root_) {
    const Pid root = root_;
    schedulers_.front()->post([root] {
      // From no process at all: root has no parent, and this is what a parent would send.
      send_exit(root, Reason::shutdown());
    });
    in_time = environment_->wait(*root_ended_, limit);
    if (!in_time) log_->warning("system", "the drain limit passed: what is left is ended by force");
  }
  for (auto& scheduler : schedulers_) {
    Scheduler* ending = scheduler.get();
    ending->post([ending] { ending->finish(); });
  }
  environment_->join();
  signals_.reset();  // whose thread sends to processes: before the inboxes are emptied for good
  for (bool any = true; any;) {
    any = false;
    for (auto& scheduler : schedulers_) any = scheduler->discard_inbox() || any;
  }
  stopped_ = true;
  schedulers_.clear();
  return in_time;
}

}  // namespace hawser
