// Watchers, alarms, settings and the drain.
#include <hawser/net/server_monitor.hpp>

#include <hawser/base/faults.hpp>
#include <hawser/base/log.hpp>
#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/listener.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace hawser {
namespace {
constexpr std::size_t awaiting_max = 1000;
/// A listener that does not answer within it (it is suspended, say) does not hold a drain up.
constexpr Duration acceptors_patience = 100ms;

const TracePoint& point_of(ServerEvent::Kind kind) noexcept {
  static constexpr std::array points{&trace_point::server_suspended,
                                     &trace_point::server_resumed,
                                     &trace_point::server_accept_paused,
                                     &trace_point::server_accept_resumed,
                                     &trace_point::server_alarm_raised,
                                     &trace_point::server_alarm_cleared,
                                     &trace_point::server_drain_started,
                                     &trace_point::server_connections_gone,
                                     &trace_point::server_drain_deadline,
                                     &trace_point::server_killed,
                                     &trace_point::server_down};
  return *points[static_cast<std::size_t>(kind)];
}

LogLevel level_of(ServerEvent::Kind kind) noexcept {
  if (kind == ServerEvent::Kind::alarm_raised) return LogLevel::warning;
  return kind == ServerEvent::Kind::alarm_cleared ? LogLevel::info : LogLevel::debug;
}

std::string words_of(const ServerEvent& event) {
  const bool raised = event.kind == ServerEvent::Kind::alarm_raised;
  if (raised || event.kind == ServerEvent::Kind::alarm_cleared)
    return fmt::format("alarm \"{}\" {} at {}", event.text, raised ? "raised" : "cleared",
                       event.count);
  return fmt::format("{}: {} {}", point_of(event.kind).name, event.count, event.text);
}
}  // namespace

ServerMonitor::ServerMonitor(std::shared_ptr<detail::ServerState> server) noexcept
    : server_(std::move(server)) {}

void ServerMonitor::init() {
  server_->others.set(detail::ServerState::monitor, self().pid());
  for (const Alarm& alarm : server_->options.alarms) alarms_.emplace_back(alarm);
  alarm_token_.resize(alarms_.size());
  look_at_all(Alarm::On::connections);
  // After a crash of its predecessor in the middle of a drain: the supervisors tell again.
  if (server_->draining()) begin_drain();
}

// ---- watchers
// -----------------------------------------------------------------------------------

void ServerMonitor::handle_cast(WatchServer message) {
  const auto found = watchers_.find(message.watcher);
  if (!message.on && found != watchers_.end()) {
    self().demonitor(found->second);
    watchers_.erase(found);
  } else if (message.on && found == watchers_.end()) {
    watchers_.emplace(message.watcher, self().monitor(message.watcher));
  }
}

void ServerMonitor::handle_cast(const ServerEvent& event) {
  Scheduler& scheduler = self().process().scheduler();
  const LogLevel level = level_of(event.kind);
  if (scheduler.telemetry().wants(level))
    scheduler.telemetry().raise(point_of(event.kind), level, scheduler.now(), self().pid(),
                                server_->name, {{"count", static_cast<std::int64_t>(event.count)}},
                                [&event] { return words_of(event); });
  for (const auto& [watcher, monitor] : watchers_) send_info(watcher, event);
}

void ServerMonitor::tell(ServerEvent::Kind kind, std::size_t count, std::string text) {
  handle_cast(ServerEvent{kind, server_->name, count, std::move(text)});
}

// ---- alarms
// -------------------------------------------------------------------------------------

std::size_t ServerMonitor::figure(Alarm::On on) const {
  switch (on) {
    case Alarm::On::connections:
      return server_->limit->total();
    case Alarm::On::descriptors:
      return short_.size();
    case Alarm::On::accept_errors:
      break;
  }
  std::size_t sum = 0;
  for (const auto& [listener, rate] : error_rate_) sum += rate;
  return sum;
}

void ServerMonitor::look_at_all(Alarm::On on) {
  const std::size_t value = figure(on);
  for (std::size_t i = 0; i < alarms_.size(); ++i)
    if (alarms_[i].alarm().on == on) look_at(i, value);
}

void ServerMonitor::look_at(std::size_t index, std::size_t value) {
  detail::AlarmState& state = alarms_[index];
  const Alarm& alarm = state.alarm();
  if (const auto became = state.update(value, self().now())) {
    std::vector<std::string> raised;
    for (const auto& each : alarms_)
      if (each.raised()) raised.push_back(each.alarm().name);
    server_->set_alarms(std::move(raised));
    const ServerEvent event{*became, server_->name, value, alarm.name};
    handle_cast(event);
    if (alarm.notify) {
      try {
        alarm.notify(event);
      } catch (const std::exception& thrown) {
        self().log().error(server_->name, fmt::format("alarm \"{}\": its function threw: {}",
                                                      alarm.name, thrown.what()));
      }
    }
  }
  if (state.due()) {
    self().send_after(*state.due() - self().now(), RecheckAlarm{index});
  } else if (alarm.on == Alarm::On::connections) {
    watch_connections(index, ++last_token_);
  }
}

void ServerMonitor::watch_connections(std::size_t index, std::uint64_t token) {
  const detail::AlarmState& state = alarms_[index];
  alarm_token_[index] = token;
  alarm_watches_.emplace(token, index);
  state.raised()
      ? server_->limit->watch_level(self().pid(), token, ConnectionLimit::Direction::falling,
                                    state.alarm().clear_at)
      : server_->limit->watch_level(self().pid(), token, ConnectionLimit::Direction::rising,
                                    state.alarm().raise_at);
}

void ServerMonitor::handle_cast(detail::AcceptShortage message) {
  if (message.on ? !short_.insert(message.listener).second : short_.erase(message.listener) == 0)
    return;
  tell(message.on ? ServerEvent::Kind::accept_paused : ServerEvent::Kind::accept_resumed,
       message.listener, std::move(message.text));
  look_at_all(Alarm::On::descriptors);
}

void ServerMonitor::handle_cast(detail::AcceptErrorRate message) {
  error_rate_[message.listener] = message.in_last_second;
  look_at_all(Alarm::On::accept_errors);
}

// ---- calls
// --------------------------------------------------------------------------------------

void ServerMonitor::handle_call(AwaitConnections request, From<std::size_t> from) {
  const std::size_t now = server_->limit->total();
  if (now <= request.at_most) {
    from.reply(now);
  } else if (awaiting_.size() >= awaiting_max) {
    from.fail({ErrorKind::overloaded, 0, "await_connections",
               fmt::format("{} such calls wait already", awaiting_max)});
  } else {
    const std::uint64_t token = ++last_token_;
    awaiting_.emplace(token, std::move(from));
    server_->limit->watch_level(self().pid(), token, ConnectionLimit::Direction::falling,
                                request.at_most);
  }
}

void ServerMonitor::handle_call(SetServerOptions request, From<bool> from) {
  const auto faults = request.faults();
  if (!faults.empty()) {
    from.fail(faulty(fmt::format("server '{}'", server_->name), faults));
    return;
  }
  if (request.max_connections) server_->limit->set_maximum(*request.max_connections);
  auto settings = server_->new_connections();
  if (request.connection) settings.options = *request.connection;
  if (request.transports) settings.transports = std::move(*request.transports);
  if (request.framing) settings.framing = *request.framing;
  if (request.mailbox) settings.mailbox = *request.mailbox;
  if (request.trace_connections) settings.traced = *request.trace_connections;
  server_->set_new_connections(std::move(settings));
  settings_changed();
  from.reply(true);
}

void ServerMonitor::handle_cast(detail::SetConnectionStarter message) {
  auto settings = server_->new_connections();
  settings.start = std::move(message.start);
  server_->set_new_connections(std::move(settings));
  settings_changed();
}

void ServerMonitor::settings_changed() const {
  for (const Pid pid : server_->supervisors.all())
    Ref<ConnectionSupervisor>(pid).cast(SettingsChanged{});
}

ServerPlace ServerMonitor::handle_call(GetServerPlace) const {
  return {self().parent(), server_->parent};
}

// ---- draining
// -----------------------------------------------------------------------------------

void ServerMonitor::handle_call(DrainServer request, From<DrainReport> from) {
  drain_waiters_.push_back(std::move(from));
  const Duration deadline =
      request.deadline == Duration::max() ? server_->options.drain_deadline : request.deadline;
  server_->begin_drain({deadline, std::move(request.reason)});
  begin_drain();
  if (drained_) settle_drain();
}

void ServerMonitor::handle_cast(detail::DrainBegun) { note_drain(); }

bool ServerMonitor::note_drain() {
  if (std::exchange(draining_, true)) return false;
  drain_ = {};
  deadline_told_ = false;
  drain_begun_ = self().now();
  drain_.connections = server_->limit->load();
  for (unsigned i = 0; i < server_->limit->schedulers(); ++i) still_draining_.insert(i);
  tell(ServerEvent::Kind::drain_started, drain_.connections);
  return true;
}

void ServerMonitor::begin_drain() {
  if (!note_drain()) return;
  // First the listeners: a supervisor that has nobody is done at once, and what is on its way from
  // a listener would find it closed.
  const std::vector<Pid> acceptors = server_->acceptors.all();
  for (unsigned i = 0; i < acceptors.size(); ++i) {
    still_accepting_.insert(i);
    Ref<Listener>(acceptors[i]).cast(DrainListener{});
  }
  self().send_after(std::min(acceptors_patience, server_->draining()->deadline), AcceptorsLate{});
}

void ServerMonitor::handle_cast(detail::ListenerDrained message) {
  if (still_accepting_.erase(message.listener) != 0 && still_accepting_.empty())
    drain_connections();
}

void ServerMonitor::drain_connections() {
  still_accepting_.clear();
  const auto drain = server_->draining();
  if (!drain) return;
  for (const Pid pid : server_->supervisors.all())
    Ref<ConnectionSupervisor>(pid).cast(StartDraining{drain->deadline, drain->reason});
}

void ServerMonitor::handle_cast(detail::SchedulerDrained message) {
  still_draining_.erase(message.scheduler);
  if (!draining_ || !still_draining_.empty() || drained_) return;
  drained_ = true;
  drain_.took = self().now() - drain_begun_;
  tell(ServerEvent::Kind::connections_gone, 0);
  settle_drain();
}

void ServerMonitor::settle_drain() {
  for (auto& from : std::exchange(drain_waiters_, {})) from.reply(drain_);
}

void ServerMonitor::handle_cast(detail::DrainDeadlinePassed message) {
  drain_.killed += message.killed;
  drain_.cut_off += message.cut_off;
  drain_.refused += message.refused;
  // Parts that are restarted drain, too, without a drain of the server.
  if (draining_ && !std::exchange(deadline_told_, true))
    tell(ServerEvent::Kind::drain_deadline, server_->limit->load() + message.killed);
  tell(ServerEvent::Kind::killed, message.killed);
}

// ---- the rest
// -----------------------------------------------------------------------------------

void ServerMonitor::handle_info(Info& info) {
  if (const auto* reached = info.get<LevelReached>()) {
    if (const auto found = awaiting_.find(reached->token); found != awaiting_.end()) {
      found->second.reply(reached->total);
      awaiting_.erase(found);
    } else if (const auto watch = alarm_watches_.find(reached->token);
               watch != alarm_watches_.end()) {
      const std::size_t index = watch->second;
      alarm_watches_.erase(watch);
      if (alarm_token_[index] == reached->token) look_at(index, reached->total);
    }
  } else if (const auto* recheck = info.get<RecheckAlarm>()) {
    look_at(recheck->index, figure(alarms_[recheck->index].alarm().on));
  } else if (info.get<AcceptorsLate>() != nullptr) {
    if (!still_accepting_.empty()) drain_connections();
  } else if (const auto* down = info.get<Down>()) {
    watchers_.erase(down->from);
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

Next ServerMonitor::handle_shutdown(const Reason& reason) {
  tell(ServerEvent::Kind::down, 0);
  return stop(reason);
}

std::string ServerMonitor::describe() const {
  std::size_t raised = 0;
  for (const auto& alarm : alarms_) raised += alarm.raised() ? 1 : 0;
  return fmt::format("{} watchers, {} of {} alarms raised{}", watchers_.size(), raised,
                     alarms_.size(), draining_ ? ", draining" : "");
}

}  // namespace hawser
