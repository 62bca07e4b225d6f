// Starting, listing and draining connections.
#include <hawser/net/connection_supervisor.hpp>

#include <hawser/net/server_monitor.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {
namespace {
/// One line in so long about connections that could not start, however many there are.
constexpr Duration refusal_report_interval = 10s;
/// What a listing may take of a turn: well below a millisecond.
constexpr std::size_t listed_per_turn = 512;
constexpr std::size_t listings_max = 16;
/// Ends of connections that a drain brings about in one turn: each closes a socket.
constexpr std::size_t ended_per_turn = 256;
}  // namespace

ConnectionSupervisor::ConnectionSupervisor(std::shared_ptr<detail::ServerState> server) noexcept
    : server_(std::move(server)) {}

void ConnectionSupervisor::init() {
  self().trap_exit();
  Scheduler& scheduler = self().process().scheduler();
  if (server_->options.keeper.wanted()) {
    keeping_ = std::make_unique<detail::ConnectionKeeping>(server_, scheduler);
    keeping_->report_lost();
  }
  handle_cast(SettingsChanged{});
  server_->supervisors.set(scheduler.number(), self().pid());
  if (auto drain = server_->draining())
    handle_cast(StartDraining{drain->deadline, std::move(drain->reason)});
}

void ConnectionSupervisor::handle_cast(SettingsChanged) {
  settings_ = server_->new_connections();
  Scheduler& scheduler = self().process().scheduler();
  ConnectionGroup::Parts parts{server_->name,
                               settings_.framing,
                               settings_.options,
                               server_->limit,
                               server_->counters[scheduler.number()],
                               settings_.transports};
  // The keeping is reached through the server's state: a connection may outlive this object.
  if (keeping_ != nullptr)
    parts.leaving = [keeping = detail::ConnectionKeeping(server_, scheduler)](
                        Connection& connection) mutable { keeping.leaving(connection); };
  groups_.begin(scheduler, self().pid(), std::move(parts));
}

void ConnectionSupervisor::raise(const TracePoint& point, LogLevel level,
                                 std::initializer_list<Measure> measures,
                                 const TelemetryEvent::Words& words) const {
  Scheduler& scheduler = self().process().scheduler();
  if (!scheduler.telemetry().wants(level)) return;
  scheduler.telemetry().raise(point, level, scheduler.now(), self().pid(), server_->name, measures,
                              words);
}

template <class Message>
void ConnectionSupervisor::tell_monitor(Message message) const {
  Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor)).cast(std::move(message));
}

void ConnectionSupervisor::handle_cast(StartConnection message) {
  if (drained_) {  // socket and permit go with the message
    groups_.current()->counters().not_started.add();
    return;
  }
  message.permit.pass_on();
  SpawnOptions spawn{.parent = self().pid(),
                     .mailbox = settings_.mailbox,
                     .report_crashes = server_->options.crash_reports};
  if (server_->options.name_connections)
    spawn.name =
        fmt::format("{}/{}.{}", server_->name, self().process().scheduler().number(), ++named_);
  auto started = settings_.start(groups_.current(), std::move(message.socket), spawn);
  if (started) {
    this->started(*started);
    if (!draining_) return;
    // It waited for room: heard like the other newcomers.
    self().send_after(grace_, EndNewcomer{*started});
    groups_.tell_when_empty();  // it may have been empty, and have told so
    return;
  }
  groups_.current()->counters().not_started.add();
  // A handler that declines the connection in init is no fault.
  if (started.error().kind != ErrorKind::cancelled) report_not_started(started.error());
}

void ConnectionSupervisor::handle_cast(StartWhenRoom message) {
  if (drained_) {
    groups_.current()->counters().not_started.add();
    return;  // closed, as the message goes
  }
  waiting_.push_back(std::move(message.socket));
  start_waiting();
}

void ConnectionSupervisor::start_waiting() {
  while (!waiting_.empty()) {
    auto permit = ConnectionLimit::take(server_->limit, self().process().scheduler().number());
    if (!permit) {
      if (!std::exchange(room_asked_, true)) server_->limit->wait_for_room(self().pid());
      return;
    }
    StartConnection start{std::move(waiting_.front()), std::move(permit)};
    waiting_.pop_front();
    handle_cast(std::move(start));
  }
  // The last of them may have declined.
  if (draining_) groups_.tell_when_empty();
}

void ConnectionSupervisor::started(Pid pid) {
  if (!settings_.traced && keeping_ == nullptr) return;
  Process* const process = self().process().scheduler().find(pid);
  if (process == nullptr) return;
  if (settings_.traced) process->set_traced(true);
  auto* const connection = static_cast<Connection*>(process->handler(type_info<Connection>));
  if (keeping_ != nullptr && connection != nullptr) keeping_->started(*connection);
}

void ConnectionSupervisor::report_not_started(const Error& error) {
  ++unreported_;
  if (self().now() < next_report_) return;
  next_report_ = self().now() + refusal_report_interval;
  const std::uint64_t times = std::exchange(unreported_, 0U);
  raise(trace_point::connections_not_started, LogLevel::warning, {}, [&] {
    return fmt::format("a connection could not start: {} ({} since the last such line)",
                       error.text(), times);
  });
}

// ---- listing
// ------------------------------------------------------------------------------------

void ConnectionSupervisor::handle_call(ListConnections, From<std::vector<ConnectionInfo>> from) {
  if (listings_.size() >= listings_max) {
    from.fail({ErrorKind::overloaded, 0, "list_connections",
               fmt::format("{} listings are being made already", listings_max)});
    return;
  }
  listings_.emplace_back(groups_.all(), std::move(from));
  if (listings_.back().go_on(listed_per_turn)) {
    listings_.pop_back();
  } else {
    // A message to itself would be handled in this very turn: a timer lets the engine in between.
    self().send_after(1ms, ContinueListing{});
  }
}

// ---- messages and ends
// ------------------------------------------------------------------------------------

void ConnectionSupervisor::handle_info(Info& info) {
  if (const auto* exit = info.get<Exit>()) {
    groups_.drop_empty();
    if (keeping_ == nullptr) return;  // the groups know by themselves who is there
    keeping_->ended(exit->from, exit->reason);
    if (draining_) check_drained();
  } else if (info.get<ConnectionsGone>() != nullptr) {
    check_drained();
  } else if (info.get<RoomForConnections>() != nullptr) {
    room_asked_ = false;
    start_waiting();
  } else if (info.get<DrainDeadline>() != nullptr) {
    if (!drained_) kill_the_rest();
  } else if (info.get<ContinueEnding>() != nullptr) {
    end_some();
  } else if (const auto* const newcomer = info.get<EndNewcomer>()) {
    self().exit(newcomer->pid, ending_reason_);
  } else if (info.get<ContinueListing>() != nullptr) {
    if (listings_.empty()) return;
    if (!listings_.front().go_on(listed_per_turn)) {
      self().send_after(1ms, ContinueListing{});
    } else {
      listings_.pop_front();
    }
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void ConnectionSupervisor::handle_cast(StartDraining message) {
  if (std::exchange(draining_, true)) {
    if (drained_) tell_monitor(detail::SchedulerDrained{self().process().scheduler().number()});
    return;
  }
  grace_ = std::min(server_->options.newcomers_grace, message.deadline / 2);
  if (!groups_.empty() || !waiting_.empty()) {
    const std::size_t there = groups_.size() + groups_.lingering();
    const std::size_t waiting = waiting_.size();
    raise(trace_point::connections_draining, LogLevel::info,
          {{"connections", static_cast<std::int64_t>(there)},
           {"waiting", static_cast<std::int64_t>(waiting)}},
          [&] {
            return fmt::format("draining {} connections for at most {} s{}", there,
                               to_seconds(message.deadline),
                               waiting == 0 ? "" : fmt::format(", {} more wait for room", waiting));
          });
    end_all(std::move(message.reason));
    self().send_after(message.deadline, DrainDeadline{});
  }
  groups_.tell_when_empty();
}

void ConnectionSupervisor::kill_the_rest() {
  const std::size_t killed = groups_.size();
  const std::size_t cut = groups_.lingering();
  const std::size_t refused = waiting_.size();
  waiting_.clear();
  groups_.current()->counters().not_started.add(refused);
  raise(trace_point::connections_killed, LogLevel::warning,
        {{"killed", static_cast<std::int64_t>(killed)},
         {"cut_off", static_cast<std::int64_t>(cut)},
         {"refused", static_cast<std::int64_t>(refused)}},
        [&] {
          return fmt::format(
              "drain deadline: killing {} connections, cutting {} off their last bytes{}", killed,
              cut, refused == 0 ? "" : fmt::format(", closing {} that waited for room", refused));
        });
  tell_monitor(detail::DrainDeadlinePassed{killed, cut, refused});
  groups_.tell_when_empty();  // it may be, with nobody there but those who waited
  end_all(Reason::killed());
  groups_.cut_lingering();
}

void ConnectionSupervisor::end_all(Reason reason) {
  const bool under_way = ending_walk_.has_value();  // and goes on with this reason, from the front
  ending_reason_ = std::move(reason);
  ending_walk_.emplace(groups_.all());
  if (!under_way) end_some();
}

void ConnectionSupervisor::end_some() {
  const bool killing = ending_reason_.kind() == Reason::Kind::killed;
  for (std::size_t i = 0; i < ended_per_turn; ++i) {
    Connection* const next = ending_walk_->next();
    if (next == nullptr) break;
    if (!killing && grace_ > Duration::zero() && next->packets_in() == 0) {
      self().send_after(grace_, EndNewcomer{next->pid()});
    } else {
      self().exit(next->pid(), ending_reason_);
    }
  }
  if (ending_walk_->left() > 0) {
    self().send_after(1ms, ContinueEnding{});
  } else {
    ending_walk_.reset();
    // Those who ended by themselves while the others were killed get no time any more either.
    if (killing) groups_.cut_lingering();
  }
}

void ConnectionSupervisor::check_drained() {
  if (!groups_.empty() || !waiting_.empty() || (keeping_ != nullptr && !keeping_->settled()))
    return;
  if (!std::exchange(drained_, true))
    tell_monitor(detail::SchedulerDrained{self().process().scheduler().number()});
  if (ending_) self().stop(*ending_);
}

void ConnectionSupervisor::handle_shutdown(const Reason& reason) {
  ending_ = reason;
  handle_cast(StartDraining{server_->options.drain_deadline, Reason::shutdown()});
  if (drained_) self().stop(reason);
}

std::string ConnectionSupervisor::describe() const {
  return fmt::format("{} connections, {} on their last bytes{}{}", groups_.size(),
                     groups_.lingering(),
                     waiting_.empty() ? "" : fmt::format(", {} wait for room", waiting_.size()),
                     draining_ ? ", draining" : "");
}

}  // namespace hawser
