// The parts of Self that need to know the scheduler and the System.
#include <hawser/process/self.hpp>

#include <hawser/engine/engine.hpp>
#include <hawser/process/registry.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/system.hpp>

namespace hawser {

Instant Self::now() const noexcept { return process_->scheduler().now(); }
Random& Self::random() const noexcept { return process_->scheduler().engine().random(); }
Log& Self::log() const noexcept { return process_->scheduler().log(); }
System& Self::system() const noexcept { return process_->scheduler().system(); }
Pid Self::whereis(std::string_view name) const { return system().registry().find(name); }

void SleepAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  Process& process = self().process();
  waiter_.enlist(process, coroutine);
  process.scheduler().timers().arm(*this, process.scheduler().now() + length_);
}

void SleepAwaiter::fire() {
  Process* process = waiter_.process();
  if (process == nullptr) return;
  if (process->suspended()) {
    auto& scheduler = process->scheduler();
    scheduler.timers().arm(*this, scheduler.now() + Process::suspended_recheck);
    return;
  }
  process->run_callback("task", [this] { waiter_.resume(); });
}

}  // namespace hawser
