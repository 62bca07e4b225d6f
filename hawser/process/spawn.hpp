// Starting processes. Public; from a callback use self().spawn, from a plain thread System::spawn.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/scheduler.hpp>

#include <memory>
#include <tuple>
#include <utility>

namespace hawser {

/// Starts a process whose handler `make()` answers, on `scheduler` (whose thread this must be). Its
/// init has run when this returns.
template <class H, class Make>
Result<Ref<H>> spawn_made(Scheduler& scheduler, const SpawnOptions& options, Make make) {
  auto spawned =
      scheduler.spawn(std::make_unique<HandlerProcess<H, Make>>(std::move(make)), options);
  if (!spawned) return std::unexpected(std::move(spawned.error()));
  return Ref<H>(*spawned);
}

/// The same with the handler's constructor arguments (or its members, for an aggregate).
template <class H, class... Arguments>
Result<Ref<H>> spawn(Scheduler& scheduler, const SpawnOptions& options, Arguments&&... arguments) {
  return spawn_made<H>(scheduler, options,
                       [kept = std::tuple<std::decay_t<Arguments>...>(
                            std::forward<Arguments>(arguments)...)]() mutable {
                         return std::apply([](auto&... each) { return H{std::move(each)...}; },
                                           kept);
                       });
}

}  // namespace hawser
