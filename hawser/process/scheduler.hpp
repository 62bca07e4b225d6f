// One thread's worth of processes: run queue, process table, timers and the engine they wait in.
// Internal to the process layer and those above; belongs to its thread, but for post() and the
// atomic counters.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/process/message.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace hawser {

class Engine;
class Log;
class RegistryScope;
class System;
class Telemetry;
namespace detail {
class GroupTable;
}

struct SpawnOptions {
  /// Registered under this name from before init until the end; a taken name is an error that tells
  /// by whom.
  std::string name{};
  /// Where the name is unique: a Registry of your own (a group of names), a PrefixedScope, a scope
  /// that you implement; nullptr: the System's registry.
  std::shared_ptr<RegistryScope> scope{};
  /// Linked to this process from its first moment on (see Process::parent).
  Pid parent{};
  bool trap_exit = false;
  MailboxLimit mailbox{};
  /// Traced from before init on. See sys::trace.
  std::shared_ptr<const TraceOptions> trace{};
  /// False: a crash of it is told to links, monitors and supervisors as ever, but not to the log.
  bool report_crashes = true;
};

struct SchedulerOptions {
  /// Messages a process may handle before the next one gets its turn.
  std::uint32_t messages_per_turn = 128;
  /// Processes run between two polls of the engine, so that a busy run queue cannot starve sockets.
  std::uint32_t processes_per_poll = 1024;
  /// Processes a scheduler may hold.
  std::uint32_t max_processes = 4'000'000;
};

/// What a watcher on another thread may read of a scheduler while it runs: who holds it, since
/// which callback. Written with plain relaxed stores, two a callback.
struct SchedulerPulse {
  std::atomic<std::uint64_t> callbacks{0};        ///< changes with every callback begun or ended
  std::atomic<const TypeInfo*> handler{nullptr};  ///< of the running callback, else nullptr
  std::atomic<const char*> callback{nullptr};
  std::atomic<std::uint32_t> process_index{0};
};

/// How much a scheduler has to do, for whoever looks from another thread; as of its last turn.
struct SchedulerLoad {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<std::uint64_t> messages{0};   ///< handled by processes so far
  std::atomic<std::uint32_t> run_queue{0};  ///< processes with something to do
  std::atomic<std::uint32_t> processes{0};
  std::atomic<std::uint32_t> traced{0};  ///< of them
};

class Scheduler final : public Loop {
 public:
  Scheduler(System& system, unsigned number, std::unique_ptr<Engine> engine,
            SchedulerOptions options);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// The scheduler whose turn runs on this thread; nullptr on a plain thread.
  static Scheduler* current() noexcept;

  // ---- Loop
  // --------------------------------------------------------------------------------------
  bool turn() override;
  Engine& engine() noexcept override { return *engine_; }

  System& system() noexcept { return system_; }
  unsigned number() const noexcept { return number_; }
  Log& log() noexcept;
  Telemetry& telemetry() noexcept { return telemetry_; }
  Instant now() const noexcept { return engine_->now(); }
  TimerWheel& timers() noexcept { return timers_; }
  const SchedulerPulse& pulse() const noexcept { return pulse_; }
  const SchedulerLoad& load() const noexcept { return load_; }

  // ---- messages
  // ------------------------------------------------------------------------------------

  /// Any thread. Queues `message` for `target`: straight into its mailbox on its own scheduler, by
  /// the inbox from elsewhere. False when it is known not to arrive (dead, refused by the limit);
  /// then undelivered() has been called.
  static bool send(Pid target, std::unique_ptr<Message> message);

  /// Runs `work` on this scheduler's thread, outside of any process. Any thread.
  void post(std::move_only_function<void()> work);

  /// One process more, or fewer, is traced here.
  void traced_changed(int difference) noexcept {
    traced_ = static_cast<std::uint32_t>(static_cast<int>(traced_) + difference);
  }

  // ---- processes
  // -------------------------------------------------------------------------------------

  /// The live process, or nullptr.
  Process* find(Pid pid) noexcept;
  std::size_t process_count() const noexcept { return live_; }
  /// Every live process, in the order of the table. For the observer; the visitor must not spawn.
  void for_each_process(const std::function<void(Process&)>& visit);

  /// Takes a process in and runs its init; the error tells why it did not come to life (the table
  /// is full, the name is taken, init stopped or threw).
  Result<Pid> spawn(std::unique_ptr<Process> process, const SpawnOptions& options);
  /// Puts it in the run queue unless it is there.
  void schedule(Process& process) noexcept;

  detail::GroupTable& group_table() noexcept { return *group_table_; }

  /// Ends every process that is left by force and finishes the loop.
  void finish();
  bool finished() const noexcept { return finished_; }

  /// After the loops have been joined: tells the senders of what raced with the end that it did not
  /// arrive. True when there was anything; an answer may land in another scheduler's inbox, so all
  /// are discarded until none had any, before the first is destroyed.
  bool discard_inbox();

 private:
  friend class Process;
  friend class CurrentProcess;
  friend bool detail::begin_callback(Process& process) noexcept;
  friend bool detail::begin_quietly(Process& process) noexcept;
  friend void detail::end_callback(Process& process) noexcept;

  struct Slot {
    std::unique_ptr<Process> process;
    std::uint32_t generation = 1;
    std::uint32_t next_free = 0;
  };

  bool deliver(Process& process, std::unique_ptr<Message> message);
  /// Keeps a message for when `process` is resumed.
  void defer(Process& process, std::unique_ptr<Message> message);
  static void drop_oldest(Mailbox& mailbox, Pid owner, const Reason& reason);
  /// The running process sends `message`, and may be traced.
  void trace_out(Pid target, const Message& message);
  void drain_inbox();
  void show_load() noexcept;
  void run_processes();
  void run_process(Process& process);
  Result<void> register_name(Process& process, const SpawnOptions& options);
  void remove(Process& process) noexcept;
  void bury() noexcept;
  /// A callback begins or has ended, on whatever path it was reached.
  void enter() noexcept;
  void leave() noexcept;
  /// Tells the pulse who runs now.
  void show_running() noexcept;

  System& system_;
  Telemetry& telemetry_;
  unsigned number_;
  SchedulerOptions options_;
  std::unique_ptr<Engine> engine_;
  TimerWheel timers_;
  std::unique_ptr<detail::GroupTable> group_table_;
  Inbox inbox_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = UINT32_MAX;
  std::size_t live_ = 0;
  std::uint32_t traced_ = 0;  // processes: most often none, and then sending looks no further
  Process* run_head_ = nullptr;
  Process* run_tail_ = nullptr;
  std::uint32_t run_count_ = 0;
  Process* running_ = nullptr;
  const char* callback_ = nullptr;
  const Message* message_ = nullptr;             // the one being delivered, for the crash report
  std::vector<std::unique_ptr<Process>> ended_;  // kept until no frame of theirs is on the stack
  std::uint32_t depth_ = 0;  // callbacks nested on the stack (spawn runs init inside)
  SchedulerPulse pulse_;
  std::uint64_t pulse_count_ = 0;
  SchedulerLoad load_;
  std::uint64_t turns_ = 0;
  std::uint64_t messages_ = 0;
  bool finished_ = false;
};

}  // namespace hawser
