// Every acceptor is told; the drain is the server's own affair.
#include <hawser/hub/detail/observer_orders.hpp>

#include <hawser/base/log.hpp>
#include <hawser/hub/detail/observer_json.hpp>
#include <hawser/net/listener.hpp>
#include <hawser/net/server_monitor.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <utility>

namespace hawser::hub::detail {
namespace {

using Answer = Result<std::shared_ptr<Json>>;

Task<Result<bool>> tell_acceptors(Order order) {
  System& system = self().system();
  Result<bool> all = true;
  for (unsigned number = 0;; ++number) {
    const Pid pid = system.whereis(fmt::format("{}/listener/{}", order.server, number));
    if (!pid) break;
    Result<bool> answer;
    if (order.verb == "resume") {
      answer = co_await Ref<Listener>(pid).call(ResumeListener{});
    } else {
      const SuspendListener suspend{order.close_socket ? SuspendMode::close_socket
                                                       : SuspendMode::keep_socket};
      answer = co_await Ref<Listener>(pid).call(suspend);
    }
    if (!answer && all) all = std::move(answer);
  }
  co_return all;
}

}  // namespace

Task<Answer> obey(Order order) {
  System& system = self().system();
  const Pid monitor = system.whereis(order.server + "/monitor");
  if (order.server.empty() || !monitor ||
      !system.whereis(fmt::format("{}/listener/0", order.server)))
    co_return std::unexpected(Error{ErrorKind::not_found, 0, order.verb,
                                    fmt::format("no server is called '{}'", order.server)});
  self().log().info("observer", fmt::format("{} {}", order.verb, order.server));
  if (order.verb == "drain") {
    const DrainServer drain(order.deadline_ms == 0 ? Duration::max()
                                                   : std::chrono::milliseconds(order.deadline_ms));
    const Result<DrainReport> report =
        co_await Ref<ServerMonitor>(monitor).call(drain, Duration::max());
    if (!report) co_return std::unexpected(report.error());
    co_return std::make_shared<Json>(
        Json{{"server", order.server},
             {"connections", report->connections},
             {"killed", report->killed},
             {"cut_off", report->cut_off},
             {"refused", report->refused},
             {"took_ms", std::chrono::duration<double, std::milli>(report->took).count()}});
  }
  Task<Result<bool>> telling = tell_acceptors(order);
  const Result<bool> done = co_await telling;
  if (!done) co_return std::unexpected(done.error());
  co_return std::make_shared<Json>(Json{{"server", order.server}, {"done", order.verb}});
}

}  // namespace hawser::hub::detail
