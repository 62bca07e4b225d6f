// Files on the blocking pool, one reload at a time; what is wrong in one leaves all as it was
// there.
#include <hawser/hub/reloader.hpp>

#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>

#include <utility>

namespace hawser::hub {

void Reloader::init() { self().system().tell_reloads(self().pid()); }

void Reloader::handle_info(Info& info) {
  if (info.get<ReloadRequested>() != nullptr) {
    if (std::exchange(reading_, true)) {
      again_ = true;
    } else {
      reload();
    }
  } else if (const auto* done = info.get<Done>()) {
    if (done->faults.empty()) {
      self().log().info("hub", "users, rules and certificates were read again");
    } else {
      self().log().error("hub", "what could not be read again stays as it was: " + done->faults);
    }
    reading_ = false;
    if (std::exchange(again_, false)) {
      reading_ = true;
      reload();
    }
  }
}

void Reloader::reload() {
  auto done = std::make_shared<Done>();
  self().process().scheduler().engine().run_blocking(
      [done, plan = plan_] {
        if (plan.access != nullptr) {
          auto rules = read_access_rules(plan.users);
          if (rules) {
            plan.access->replace(std::move(*rules));
          } else {
            done->faults += rules.error().text();
          }
        }
        if (plan.tls) {
          if (auto read = plan.tls->reload(); !read)
            done->faults += (done->faults.empty() ? "" : "; ") + read.error().text();
        }
      },
      [done, pid = self().pid()] { send_info(pid, *done); });
}

Result<Pid> start_reloader(System& system, ReloadPlan plan) {
  ChildSpec spec;
  spec.id = "hub/reloader";
  spec.start = [plan = std::move(plan), id = spec.id](const StartContext& place) -> Result<Pid> {
    auto spawned = spawn<Reloader>(place.scheduler, {.name = id, .parent = place.parent}, plan);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return system.start(std::move(spec));
}

}  // namespace hawser::hub
