// Draining a server and taking it off its supervisor.
#include <hawser/net/server_stopper.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::detail {

void ServerStopper::init() { self().start(run()); }

Task<> ServerStopper::run() {
  Result<DrainReport> report = co_await stop_it();
  if (!report)
    self().log().warning(name_, fmt::format("could not be stopped: {}", report.error().text()));
  const Reason reason = report ? Reason::normal() : Reason::failed(report.error().text());
  if (from_) from_.answer(std::move(report));
  self().stop(reason);
}

Task<Result<DrainReport>> ServerStopper::stop_it() {
  Result<ServerPlace> place = co_await monitor_.call(GetServerPlace{}, Duration::max());
  if (!place) co_return std::unexpected(std::move(place.error()));
  DrainServer drain(how_.deadline.value_or(Duration::max()), how_.reason);
  // Should the server go by itself meanwhile, this fails, and there is nothing left to drain.
  Result<DrainReport> report = co_await monitor_.call(std::move(drain), Duration::max());
  const Ref<Supervisor> parent(place->parent);
  Result<std::vector<ChildInfo>> children = co_await parent.call(WhichChildren{}, Duration::max());
  if (!children) {
    Error error{ErrorKind::unsupported, 0, "stop_server",
                fmt::format("the parent of server '{}' is no supervisor that could end it: {}",
                            name_, children.error().text())};
    co_return std::unexpected(std::move(error));
  }
  const auto found = std::find_if(children->begin(), children->end(), [&](const ChildInfo& child) {
    return child.pid == place->server;
  });
  if (found != children->end()) {
    TerminateChild end(place->server);
    Result<bool> ended = co_await parent.call(std::move(end), Duration::max());
    DeleteChild forget(found->id);
    // A temporary child's specification went with it: that is as good.
    if (ended) static_cast<void>(co_await parent.call(std::move(forget), Duration::max()));
  }
  co_return report.value_or(DrainReport{});
}

}  // namespace hawser::detail
