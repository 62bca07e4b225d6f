// The whole of one program's processes: schedulers on their threads, names, the root supervisor,
// and an orderly start and end. Public; used from plain threads (main, tests).
#pragma once

#include <hawser/base/log.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/process/group.hpp>
#include <hawser/process/named.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/registry.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/spawn.hpp>
#include <hawser/process/stall_watch.hpp>
#include <hawser/process/telemetry.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

struct ChildSpec;
class SignalWatch;

struct SystemOptions {
  unsigned schedulers = 0;       ///< 0 = what the environment advises (the cores we may use)
  SchedulerOptions scheduler{};  ///< budgets and limits of each
  LogLevel log_level = LogLevel::info;
  /// A callback that holds its scheduler longer than this is named in a warning while it still
  /// does; zero switches the watch off.
  Duration stall_warning = 50ms;
  /// From launch() on, SIGTERM and SIGINT are requests to stop, for run() to heed, instead of the
  /// program's sudden death. Off for a program that has its own handling; never under sim.
  bool handle_signals = true;
  /// SIGHUP asks the processes that said so by tell_reloads() to reload what they have from files.
  /// Off, it ends the program, as the kernel has it. Only with handle_signals.
  bool reload_on_hangup = false;
  /// A start() that fails writes a log line. Off for a program that tells its user itself.
  bool log_failed_starts = true;
  /// How long run() lets connections drain after the first SIGTERM or SIGINT.
  Duration drain_limit = 10s;
  /// Restarts of root children that are let pass within the period before the System gives up.
  unsigned root_intensity = 10;
  Duration root_period = 10s;
  /// Bytes of a handler's describe() that a crash report shows; more is cut.
  std::size_t crash_state_bytes = 4096;
  /// Process groups that there may be at a time; a join beyond it fails with overloaded.
  std::size_t max_groups = 1'000'000;
};

/// Reaches handle_info of the processes that asked for it: reload what you have from files.
struct ReloadRequested {};

class System {
 public:
  /// On threads and the real kernel.
  explicit System(SystemOptions options = {});
  /// In a world of your own (sim::Host); `environment` must outlive the System. Logs to `log` if
  /// given.
  explicit System(Environment& environment, SystemOptions options = {},
                  std::unique_ptr<Log> log = nullptr);
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  /// Stops, with the drain limit.
  ~System();

  /// Makes the engines and starts the schedulers and the root supervisor; start() and spawn() do it
  /// by themselves. The error tells what the kernel refused.
  Result<void> launch();

  /// Starts a child of the root supervisor (a server, a client, a supervisor of your own) and waits
  /// until its start has come through. A failure is logged too, so that a small program may leave
  /// the answer unread: run() then ends at once when nothing at all was started.
  Result<Pid> start(ChildSpec spec);
  /// Ends a root child by its id, in order; not_found when there is none.
  Result<void> stop_child(std::string_view id);

  /// Starts one process that nobody supervises; for tests and small programs.
  template <class H, class... Arguments>
  Result<Ref<H>> spawn(SpawnOptions options, Arguments&&... arguments) {
    return spawn_on<H>(0, std::move(options), std::forward<Arguments>(arguments)...);
  }
  template <class H, class... Arguments>
  Result<Ref<H>> spawn_on(unsigned scheduler_number, SpawnOptions options,
                          Arguments&&... arguments) {
    Result<Ref<H>> result;
    auto ran = run_on(scheduler_number, [&](Scheduler& scheduler) {
      result = hawser::spawn<H>(scheduler, options, std::forward<Arguments>(arguments)...);
    });
    if (!ran) return std::unexpected(std::move(ran.error()));
    return result;
  }

  /// Asks a process and waits; see Ref::call_blocking.
  template <class H, class M>
  auto call(Ref<H> ref, M&& message, Duration timeout = default_call_timeout) {
    return ref.call_blocking(environment(), std::forward<M>(message), timeout);
  }

  /// The same of whoever has the name now; not_found when nobody has.
  template <class H, class M>
  auto call(const Named<H>& named, M&& message, Duration timeout = default_call_timeout) {
    return named.call_blocking(environment(), std::forward<M>(message), timeout);
  }

  /// Runs `work` on a scheduler's thread, outside of any process, and waits for it.
  Result<void> run_on(unsigned scheduler_number, std::move_only_function<void(Scheduler&)> work);

  /// Until SIGTERM or SIGINT (or request_stop): then drains within the limit; a second signal ends
  /// at once. Answers the program's exit status: 0 after a drain, 1 when it was cut short.
  int run();
  /// Makes run() return as a SIGTERM would. Any thread, also from a callback.
  void request_stop();
  /// From now on `target` gets a ReloadRequested for each SIGHUP. Any thread; a process that has
  /// ended is forgotten.
  void tell_reloads(Pid target);
  /// Does what a SIGHUP does. Any thread.
  void request_reload();
  /// Root supervisor down in order, at most `limit`, then by force; schedulers joined. Plain thread
  /// only. True when everything ended within the limit. Further calls do nothing.
  bool stop(Duration limit);

  unsigned scheduler_count() const noexcept { return static_cast<unsigned>(schedulers_.size()); }
  Scheduler& scheduler(unsigned number) noexcept { return *schedulers_[number]; }
  Registry& registry() noexcept { return registry_; }
  Groups& groups() noexcept { return groups_; }
  Log& log() noexcept { return *log_; }
  /// What happens here, for whoever subscribes.
  Telemetry& telemetry() noexcept { return telemetry_; }
  /// The last callbacks that held a scheduler too long, and how long the longest did.
  const StallRecord& stalls() const noexcept { return *stalls_; }
  Environment& environment() noexcept { return *environment_; }
  const SystemOptions& options() const noexcept { return options_; }
  Pid whereis(std::string_view name) const { return registry_.find(name); }
  Pid root() const noexcept { return root_; }
  bool running() const noexcept { return launched_ && !stopped_; }

 private:
  void watch_signals();

  SystemOptions options_;
  std::unique_ptr<Environment> owned_environment_;
  Environment* environment_;
  std::unique_ptr<Log> log_;
  Telemetry telemetry_{*log_};
  std::shared_ptr<StallRecord> stalls_ = std::make_shared<StallRecord>();
  Registry registry_;
  Groups groups_{options_.max_groups};
  std::mutex reload_mutex_;
  std::vector<Pid> told_reloads_;
  std::vector<std::unique_ptr<Scheduler>> schedulers_;
  Pid root_;
  std::shared_ptr<Gate> root_ended_;
  std::shared_ptr<Gate> stop_requested_;
  std::unique_ptr<SignalWatch> signals_;
  bool launched_ = false;
  bool stopped_ = false;
  bool started_any_ = false;
};

}  // namespace hawser
