// Telling the keeper.
#include <hawser/net/connection_keeping.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/send.hpp>

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace hawser::detail {
namespace {

/// A keeper's function that throws must not take the connections of its scheduler with it.
template <class Call>
void guarded(Scheduler& scheduler, const std::string& server, const char* which, Call&& call) {
  try {
    call();
  } catch (const std::exception& thrown) {
    scheduler.log().error(server, fmt::format("keeper.{} threw: {}", which, thrown.what()));
  } catch (...) {
    scheduler.log().error(server, fmt::format("keeper.{} threw what is no exception", which));
  }
}

}  // namespace

ConnectionKeeping::ConnectionKeeping(std::shared_ptr<ServerState> server,
                                     Scheduler& scheduler) noexcept
    : server_(std::move(server)), scheduler_(scheduler) {}

std::map<Pid, ConnectionInfo>& ConnectionKeeping::kept() const noexcept {
  return server_->kept[scheduler_.number()];
}

template <class Message>
void ConnectionKeeping::send(const Message& message) const {
  if (server_->options.keeper.pid) send_info(server_->options.keeper.pid, message);
  if (const Pid child = server_->others.get(ServerState::keeper)) send_info(child, message);
}

void ConnectionKeeping::report_lost() {
  for (const auto& [pid, info] : std::exchange(kept(), {})) tell_ended(info, Reason::killed());
}

void ConnectionKeeping::started(Connection& connection) {
  const ConnectionInfo info = connection.info();
  kept().insert_or_assign(info.pid, info);
  const auto& call = server_->options.keeper.started;
  if (call) guarded(scheduler_, server_->name, "started", [&] { call(info); });
  send(ConnectionStarted{server_->name, info});
}

void ConnectionKeeping::leaving(Connection& connection) {
  if (!connection.pid()) return;  // it never came to life
  const auto found = kept().find(connection.pid());
  if (found == kept().end()) return;
  // Its socket is closed by now, and knows no peer any more.
  const Address peer = found->second.peer;
  found->second = connection.info();
  found->second.peer = peer;
}

void ConnectionKeeping::ended(Pid pid, const Reason& reason) {
  auto node = kept().extract(pid);
  if (!node.empty()) tell_ended(node.mapped(), reason);
}

void ConnectionKeeping::tell_ended(const ConnectionInfo& info, const Reason& reason) {
  const auto& call = server_->options.keeper.ended;
  if (call) guarded(scheduler_, server_->name, "ended", [&] { call(info, reason); });
  send(ConnectionEnded{server_->name, info, reason});
}

}  // namespace hawser::detail
