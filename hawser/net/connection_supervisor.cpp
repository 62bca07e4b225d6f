// Starting, listing and draining connections.
#include <hawser/net/connection_supervisor.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {
namespace {
/// One line in so long about connections that could not start, however many there are.
constexpr Duration report_interval = 10s;
}  // namespace

ConnectionSupervisor::ConnectionSupervisor(std::shared_ptr<detail::ServerState> server) noexcept
    : server_(std::move(server)) {}

void ConnectionSupervisor::init() {
  self().trap_exit();
  Scheduler& scheduler = self().process().scheduler();
  group_ = std::make_shared<ConnectionGroup>(
      scheduler, self().pid(),
      ConnectionGroup::Parts{server_->name, server_->options.framing, server_->options.connection,
                             server_->limit, server_->counters[scheduler.number()],
                             server_->options.transports});
  server_->supervisors.set(scheduler.number(), self().pid());
}

void ConnectionSupervisor::handle_cast(StartConnection message) {
  if (draining_) return;  // socket and permit go with the message
  message.permit.pass_on();
  auto started = server_->start(group_, std::move(message.socket),
                                {.parent = self().pid(), .mailbox = server_->options.mailbox});
  if (started) return;
  group_->counters().not_started.add();
  // A handler that declines the connection in init is no fault.
  if (started.error().kind != ErrorKind::cancelled) report_not_started(started.error());
}

void ConnectionSupervisor::report_not_started(const Error& error) {
  ++unreported_;
  if (self().now() < next_report_) return;
  next_report_ = self().now() + report_interval;
  self().log().warning(server_->name,
                       fmt::format("a connection could not start: {} ({} since the last such line)",
                                   error.text(), std::exchange(unreported_, 0)));
}

std::vector<ConnectionInfo> ConnectionSupervisor::handle_call(ListConnections) const {
  std::vector<ConnectionInfo> list;
  list.reserve(group_->size());
  group_->for_each([&](Connection& each) { list.push_back(each.info()); });
  return list;
}

void ConnectionSupervisor::handle_info(Info& info) {
  if (info.get<Exit>() != nullptr) return;  // the group knows by itself who is there
  if (info.get<ConnectionsGone>() != nullptr) {
    if (ending_) self().stop(*ending_);
  } else if (info.get<DrainDeadline>() != nullptr) {
    self().log().warning(
        server_->name,
        fmt::format("drain deadline: killing {} connections, cutting {} off their last bytes",
                    group_->size(), group_->lingering()));
    group_->for_each([](Connection& each) { self().exit(each.pid(), Reason::killed()); });
    group_->cut_lingering();
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void ConnectionSupervisor::handle_cast(StartDraining) {
  if (std::exchange(draining_, true) || group_->empty()) return;
  const Duration deadline = server_->options.drain_deadline;
  self().log().info(server_->name, fmt::format("draining {} connections for at most {} s",
                                               group_->size() + group_->lingering(),
                                               std::chrono::duration<double>(deadline).count()));
  group_->for_each([](Connection& each) { self().exit(each.pid(), Reason::shutdown()); });
  self().send_after(deadline, DrainDeadline{});
}

void ConnectionSupervisor::handle_shutdown(const Reason& reason) {
  handle_cast(StartDraining{});
  ending_ = reason;
  group_->tell_when_empty();
}

std::string ConnectionSupervisor::describe() const {
  return fmt::format("{} connections, {} on their last bytes{}", group_->size(),
                     group_->lingering(), draining_ ? ", draining" : "");
}

}  // namespace hawser
