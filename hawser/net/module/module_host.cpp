// Loading the first version and the next ones, and the list of those that were.
#include <hawser/net/module/module_host.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/faults.hpp>
#include <hawser/net/module/module_handler.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace hawser {

std::vector<std::string> ModuleOptions::faults() const {
  std::vector<std::string> faults;
  if (size_limit == 0) faults.emplace_back("size_limit: must be at least 1");
  if (poll < Duration::zero()) faults.emplace_back("poll: must not be negative");
  if (poll > Duration::zero() && poll < 10ms) faults.emplace_back("poll: must be at least 10 ms");
  if (task_limit < Duration::zero()) faults.emplace_back("task_limit: must not be negative");
  return faults;
}

void ModuleRoster::add(ModuleHandler& handler) {
  handler.roster_place_ = all_.size();
  all_.push_back(&handler);
}

void ModuleRoster::remove(ModuleHandler& handler) noexcept {
  const std::size_t place = handler.roster_place_;
  all_[place] = all_.back();
  all_[place]->roster_place_ = place;
  all_.pop_back();
}

Result<std::shared_ptr<ModuleHost>> ModuleHost::open(std::string path, ModuleOptions options) {
  if (const auto faults = options.faults(); !faults.empty())
    return std::unexpected(faulty("load module", faults));
  // allocation: the constructor is private, so that each has a version
  std::shared_ptr<ModuleHost> host(new ModuleHost(std::move(path), options));
  auto file = read_module_file(host->path_, options.size_limit);
  if (!file) return std::unexpected(std::move(file.error()));
  auto module = LoadedModule::load(*file, host->path_);
  if (!module) return std::unexpected(std::move(module.error()));
  host->current_ = ModuleUse(std::move(*module));
  return host;
}

ModuleUse ModuleHost::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<std::shared_ptr<LoadedModule>> ModuleHost::load_next() const {
  auto file = read_module_file(path_, options_.size_limit);
  if (!file) return std::unexpected(std::move(file.error()));
  const ModuleUse now = current();
  if (file->handler() != now->handler())
    return std::unexpected(Error{
        ErrorKind::invalid_argument, 0, "load module",
        fmt::format("{} has the handler {} now, and the connections have {}; a handler keeps its "
                    "name",
                    path_, file->handler(), now->handler())});
  if (file->stamp.version == now->version())
    return std::unexpected(
        Error{ErrorKind::already_exists, 0, "load module",
              file->identity == now->identity()
                  ? fmt::format("{} has not changed", path_)
                  : fmt::format("{} has changed, but says that it is version {} still; give it "
                                "another number",
                                path_, now->version())});
  return LoadedModule::load(*file, path_);
}

ModuleUse ModuleHost::replace(std::shared_ptr<LoadedModule> next) {
  ModuleUse use(std::move(next));
  const std::lock_guard lock(mutex_);
  auto former = std::exchange(current_, std::move(use));
  former_.push_back(former.shared());
  return former;
}

std::vector<std::shared_ptr<LoadedModule>> ModuleHost::idle_versions() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<LoadedModule>> idle;
  for (const auto& each : former_)
    if (each->unused() && !each->stays()) idle.push_back(each);
  return idle;
}

std::vector<std::shared_ptr<LoadedModule>> ModuleHost::take_pinned() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<LoadedModule>> pinned;
  for (const auto& each : former_)
    if (each->unused() && each->stays()) pinned.push_back(each);
  std::erase_if(former_, [](const auto& each) { return each->unused() && each->stays(); });
  return pinned;
}

void ModuleHost::forget(const LoadedModule& module) {
  const std::lock_guard lock(mutex_);
  std::erase_if(former_, [&](const auto& each) { return each.get() == &module; });
}

void ModuleHost::prepare(unsigned schedulers) {
  if (rosters_.empty()) rosters_.resize(schedulers);
  check(rosters_.size() == schedulers, "a ModuleHost belongs to one System");
}

}  // namespace hawser
