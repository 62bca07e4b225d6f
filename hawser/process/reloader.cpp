// Files on the blocking pool, one reload at a time; what is wrong in one part leaves all as it was
// there.
#include <hawser/process/reloader.hpp>

#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace hawser {
namespace {

/// "users and rules, certificates"
void add(std::string& list, const std::string& item, const char* separator) {
  if (!list.empty()) list += separator;
  list += item;
}

/// The process is called "NAME/reloader".
std::string source(std::string_view name) { return std::string(name.substr(0, name.rfind('/'))); }

}  // namespace

void Reloader::init() { self().system().tell_reloads(self().pid()); }

void Reloader::handle_info(Info& info) {
  if (info.get<ReloadRequested>() != nullptr) {
    if (std::exchange(reading_, true)) {
      again_ = true;
    } else {
      reload();
    }
  } else if (const auto* done = info.get<Done>()) {
    const std::string from = source(self().name());
    if (!done->read.empty()) self().log().info(from, done->read + " were read again");
    if (!done->faults.empty())
      self().log().error(from, "what could not be read again stays as it was: " + done->faults);
    reading_ = false;
    if (std::exchange(again_, false)) {
      reading_ = true;
      reload();
    }
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void Reloader::reload() {
  const auto done = std::make_shared<Done>();  // shared: the pool and the engine
  self().process().scheduler().engine().run_blocking(
      [done, parts = parts_] {
        for (const ReloadPart& part : parts) {
          if (const auto read = part.read()) {
            add(done->read, part.what, ", ");
          } else {
            add(done->faults, part.what + ": " + read.error().text(), "; ");
          }
        }
      },
      [done, pid = self().pid()] { send_info(pid, *done); });
}

std::string Reloader::describe() const {
  std::string text;
  for (const ReloadPart& part : parts_) add(text, part.what, ", ");
  return text + (reading_ ? ": reading them again" : "");
}

ChildSpec reloader(const std::string& name, std::vector<ReloadPart> parts) {
  ChildSpec spec;
  spec.id = name + "/reloader";
  spec.start = [id = spec.id, parts = std::move(parts)](const StartContext& place) -> Result<Pid> {
    auto spawned = spawn<Reloader>(place.scheduler, {.name = id, .parent = place.parent}, parts);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

}  // namespace hawser
