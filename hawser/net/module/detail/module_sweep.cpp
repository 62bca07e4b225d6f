// Looking at every process, and the message through every mailbox.
#include <hawser/net/module/detail/module_sweep.hpp>

#include <hawser/net/module/detail/pid_slices.hpp>
#include <hawser/process/message.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/system.hpp>

#include <atomic>
#include <utility>
#include <vector>

namespace hawser::detail {
namespace {

/// Shared by all messages of the sweep, on all threads; tells when the last of them is gone.
struct Sweep {
  Sweep(std::shared_ptr<LoadedModule> swept, Pid whom) noexcept
      : module(std::move(swept)), asker(whom) {}
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;
  ~Sweep() { send_info(asker, ModuleSwept{std::move(module), processes_left.load()}); }

  std::shared_ptr<LoadedModule> module;
  Pid asker;
  std::atomic<bool> processes_left{false};
};

/// A signal: anything else would end the time-out that a handler waits for.
class SweepMessage final : public Message {
 public:
  explicit SweepMessage(std::shared_ptr<Sweep> sweep, bool delayed = false) noexcept
      : sweep_(std::move(sweep)), delayed_(delayed) {}
  void deliver(Process& receiver) override {
    if (receiver.suspended()) {
      // It has overtaken what the process has set aside.
      receiver.send_after(suspended_interval, std::make_unique<SweepMessage>(sweep_, true));
    } else if (delayed_) {
      // What was set aside is in the mailbox again: once more, behind all of it.
      Scheduler::send(receiver.pid(), std::make_unique<SweepMessage>(sweep_));
    }
  }
  std::string_view describe() const noexcept override { return "module sweep"; }
  bool is_signal() const noexcept override { return true; }

 private:
  static constexpr Duration suspended_interval = 1s;

  std::shared_ptr<Sweep> sweep_;
  bool delayed_;
};

}  // namespace

void sweep_module(System& system, std::shared_ptr<LoadedModule> module, Pid asker) {
  const auto sweep = std::make_shared<Sweep>(std::move(module), asker);
  for (unsigned i = 0; i < system.scheduler_count(); ++i) {
    Scheduler& home = system.scheduler(i);
    home.post([&home, sweep] {
      std::vector<Pid> pids;
      home.for_each_process([&](Process& process) {
        // A process of the module's code names its type by the module's own object.
        if (sweep->module->contains(&process.handler_type())) sweep->processes_left = true;
        pids.push_back(process.pid());
      });
      if (sweep->processes_left) return;
      for_each_in_slices(home, std::move(pids), [sweep](Pid pid) {
        Scheduler::send(pid, std::make_unique<SweepMessage>(sweep));
      });
    });
  }
}

}  // namespace hawser::detail
