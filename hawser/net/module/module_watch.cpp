// Looking at the file, loading, distributing, cleaning up. Whatever waits for the disk or the
// loader runs on the blocking pool and comes back as a message.
#include <hawser/net/module/module_watch.hpp>

#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/module/detail/pid_slices.hpp>
#include <hawser/net/module/module_handler.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <functional>
#include <utility>
#include <vector>

namespace hawser {
namespace {

/// How often it looks for versions to unload, beside looking at the file.
constexpr Duration clean_up_interval = 1s;
/// Sweeps in a row that must find nothing: schedulers are looked at one after another, and a
/// process of the old code could have started one, in its last moments, where the first had been
/// already.
constexpr unsigned sweeps = 2;

/// Runs `work` on the blocking pool; what it answers comes to this process's handle_info.
template <class Answer, class Work>
void run_aside(Work work) {
  const auto answer = std::make_shared<std::optional<Answer>>();  // shared: the pool and the engine
  self().process().scheduler().engine().run_blocking(
      [answer, work = std::move(work)]() mutable { answer->emplace(work()); },
      [answer, pid = self().pid()] { send_info(pid, std::move(**answer)); });
}

}  // namespace

struct ModuleWatch::Looked {
  Result<FileIdentity> found;
};
struct ModuleWatch::Loaded {
  Result<std::shared_ptr<LoadedModule>> module;
  std::optional<FileIdentity> file;  // as it was before it was read
  bool asked;
};
struct ModuleWatch::Unloaded {
  std::shared_ptr<LoadedModule> module;
  bool gone;
};

ModuleWatch::ModuleWatch(std::shared_ptr<ModuleHost> host) noexcept : host_(std::move(host)) {
  const ModuleUse current = host_->current();
  known_ = current->identity();
  status_.handler = current->handler();
}

void ModuleWatch::init() {
  self().system().tell_reloads(self().pid());
  self().send_after(clean_up_interval, Tick{});
  if (host_->options().poll > Duration::zero()) look();
}

void ModuleWatch::handle_info(Info& info) {
  if (info.get<ReloadRequested>() != nullptr) {
    load(true);
  } else if (info.get<Tick>() != nullptr) {
    clean_up();
    self().send_after(clean_up_interval, Tick{});
  } else if (auto* seen = info.get<Looked>()) {
    looked(std::move(seen->found));
  } else if (auto* result = info.get<Loaded>()) {
    loaded(*result);
  } else if (auto* changed = info.get<CodeChanged>()) {
    report(*changed);
  } else if (auto* through = info.get<detail::ModuleSwept>()) {
    swept(*through);
  } else if (auto* gone = info.get<Unloaded>()) {
    unloaded(*gone);
  } else if (info.get<LookTime>() != nullptr) {
    look();
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

ModuleStatus ModuleWatch::handle_call(GetModuleStatus) const {
  ModuleStatus status = status_;
  status.version = host_->current()->version();
  return status;
}

std::string ModuleWatch::describe() const {
  return fmt::format("{} of {}; {} loaded since the start, {} refused, {} unloaded",
                     host_->current()->text(), host_->path(), status_.loads, status_.failed,
                     status_.unloads);
}

// ---- the file
// ------------------------------------------------------------------------------------------

void ModuleWatch::look() {
  run_aside<Looked>([path = host_->path()] { return Looked{identify_file(path)}; });
}

void ModuleWatch::looked(Result<FileIdentity> found) {
  // A file that is not there is being replaced, or was removed: what runs goes on.
  if (!found || *found == known_) {
    last_seen_.reset();
  } else if (last_seen_ == *found) {
    load(false);  // it has stood still since the last look: whoever writes it is done
  } else {
    last_seen_ = *found;
  }
  self().send_after(host_->options().poll, LookTime{});
}

void ModuleWatch::load(bool asked) {
  if (std::exchange(loading_, true)) {
    load_again_ = load_again_ || asked;
    return;
  }
  run_aside<Loaded>([host = host_, asked] {
    std::optional<FileIdentity> file;
    if (const auto found = identify_file(host->path())) file = *found;
    return Loaded{host->load_next(), file, asked};
  });
}

void ModuleWatch::loaded(Loaded& result) {
  loading_ = false;
  if (result.file) known_ = *result.file;
  last_seen_.reset();
  auto& log = self().log();
  if (result.module) {
    known_ = (*result.module)->identity();
    bring_in(std::move(*result.module));
  } else {
    ++status_.failed;
    const std::string keeps =
        fmt::format("{} stays: {}", host_->current()->text(), result.module.error().text());
    // Asked for, and nothing to do: that is no mishap.
    if (result.asked && result.module.error().kind == ErrorKind::already_exists) {
      log.info(self().name(), keeps);
    } else {
      log.warning(self().name(), keeps);
    }
  }
  if (std::exchange(load_again_, false)) load(true);
}

// ---- the change
// ----------------------------------------------------------------------------------------

void ModuleWatch::bring_in(std::shared_ptr<LoadedModule> module) {
  ++status_.loads;
  const ModuleUse next(module);
  const ModuleUse before = host_->replace(std::move(module));
  self().log().info(self().name(), fmt::format("{} replaces version {}: moving the connections",
                                               next->text(), before->version()));
  const auto tally = std::make_shared<CodeChangeTally>(self().pid(), next->version());
  System& system = self().system();
  for (unsigned i = 0; i < host_->roster_count(); ++i) {
    Scheduler& home = system.scheduler(i);
    // From here on nobody new gets the old version, so who is in the roster now is everybody.
    home.post([host = host_, &home, next, tally] {
      std::vector<Pid> pids;
      for (const ModuleHandler* each : host->roster(home.number()).all())
        pids.push_back(each->pid());
      detail::for_each_in_slices(home, std::move(pids), [next, tally](Pid pid) {
        Scheduler::send(pid, std::make_unique<CodeChangeMessage>(CodeChange(next, tally)));
      });
    });
  }
}

void ModuleWatch::report(const CodeChanged& changed) const {
  std::string text =
      fmt::format("version {}: {} connections moved", changed.version, changed.moved);
  if (changed.gone > 0) text += fmt::format(", {} ended meanwhile", changed.gone);
  if (changed.kept == 0) {
    self().log().info(self().name(), text);
  } else {
    self().log().warning(self().name(), fmt::format("{}, {} kept their version: {}", text,
                                                    changed.kept, changed.why));
  }
}

// ---- what is not used any more
// -------------------------------------------------------------------------

void ModuleWatch::clean_up() {
  for (const auto& each : host_->take_pinned())
    self().log().info(
        self().name(),
        fmt::format("version {} has no connection left and stays loaded: {}", each->version(),
                    each->code().keep_loaded ? "it asks for that (keep_loaded)"
                                             : "connections ended in the middle of a task"));
  if (sweeping_) return;
  const auto idle = host_->idle_versions();
  if (idle.empty()) return;
  sweeping_ = true;
  sweeps_left_ = sweeps;
  detail::sweep_module(self().system(), idle.front(), self().pid());
}

void ModuleWatch::swept(detail::ModuleSwept& result) {
  sweeping_ = false;
  if (result.processes_left || result.module->stays())
    return;  // looked at again with the next tick
  host_->forget(*result.module);
  run_aside<Unloaded>(
      [module = std::move(result.module)] { return Unloaded{module, module->unload()}; });
}

void ModuleWatch::unloaded(const Unloaded& result) {
  if (result.gone) {
    ++status_.unloads;
    self().log().info(self().name(), fmt::format("version {} unloaded", result.module->version()));
  } else {
    self().log().warning(
        self().name(),
        fmt::format("version {} is not used any more, but the loader keeps it in memory (a "
                    "thread-local object with a destructor, or linked with -z nodelete)",
                    result.module->version()));
  }
}

}  // namespace hawser
