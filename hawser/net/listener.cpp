// Accepting and handing over.
#include <hawser/net/listener.hpp>

#include <hawser/engine/accept_errors.hpp>
#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/server_monitor.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hawser {
namespace {
/// One line in so long for each kind of accept error.
constexpr Duration accept_report_interval = 10s;
/// How long after the spare descriptor was closed a client may take its place.
constexpr Duration spare_settles = 1ms;
// Kinds of reports that are no errno.
constexpr int shed_hook_threw = -1;
constexpr int cannot_listen = -2;
}  // namespace

Listener::Listener(std::shared_ptr<detail::ServerState> server, unsigned number) noexcept
    : server_(std::move(server)), number_(number) {}

Listener::~Listener() = default;  // closes, also when it is killed, which no terminate() sees

Next Listener::init() {
  process_ = &self().process();
  Scheduler& scheduler = process_->scheduler();
  server_->acceptors.set(number_, process_->pid());
  server_->listeners[number_].scheduler.store(scheduler.number(), std::memory_order_relaxed);
  // Without room for one more group it is not shown; no reason not to serve.
  if (number_ == 0) static_cast<void>(self().join(servers_group));
  if (server_->options.spare_descriptor) {
    spare_.emplace(scheduler.engine());
    spare_->take();
  }
  if (server_->draining()) handle_cast(DrainListener{});
  const auto suspended = server_->suspended();
  if (suspended) held_ |= hold_suspended;
  publish();
  if (server_->draining() || suspended == SuspendMode::close_socket) return keep();
  if (auto prepared = number_ == 0 ? server_->take_prepared(scheduler) : nullptr) {
    take_over(std::move(prepared));
  } else if (auto opened = open(); !opened) {
    server_->set_listen_error(opened.error());
    return stop(Reason::failed(opened.error().text()));
  }
  return keep();
}

Result<void> Listener::open() {
  auto socket =
      detail::ListeningSocket::open(process_->scheduler(), server_->given_name,
                                    server_->bound->get(server_->asked), server_->options, number_);
  if (!socket) return std::unexpected(std::move(socket.error()));
  take_over(std::move(*socket));
  return {};
}

void Listener::take_over(std::unique_ptr<detail::ListeningSocket> socket) {
  socket_ = std::move(socket);
  socket_->belong_to(*this);
  server_->bound->set(socket_->address());
  raise(trace_point::listener_started, number_ == 0 ? LogLevel::info : LogLevel::debug, [this] {
    return fmt::format("listening on {}, {}", socket_->address().text(),
                       server_->options.framing.text());
  });
  accept_if_free();
}

// ---- accepting
// ---------------------------------------------------------------------------------------

void Listener::on_accepted(NativeSocket socket) {
  process_->run_callback("accept", [&] {
    server_->listeners[number_].accepted.add();
    raise(trace_point::connection_accepted, LogLevel::debug,
          [] { return std::string(trace_point::connection_accepted.name); });
    if (shedding_) {
      server_->listeners[number_].refused.add();  // and closed, as `socket` goes
      return;
    }
    end_shortage();
    place(std::move(socket));
  });
}

void Listener::place(NativeSocket socket) {
  const bool may_wait = server_->options.at_limit == AtLimit::leave_in_backlog;
  if (accepted_.empty() && try_place(socket)) {
    // At the limit now: the next client waits in the backlog, not in our hands.
    if (may_wait && server_->limit->total() >= server_->limit->maximum()) wait_for_room();
    return;
  }
  if (may_wait) {
    accepted_.push_back(std::move(socket));
    wait_for_room();
  } else {
    no_room(std::move(socket));
  }
}

void Listener::no_room(NativeSocket socket) {
  detail::ListenerCounters& counters = server_->listeners[number_];
  counters.refused.add();
  raise(trace_point::connection_refused, LogLevel::debug,
        [] { return std::string("connection.refused: at max_connections"); });
  if (server_->options.at_limit != AtLimit::shed) return;  // closed, as `socket` goes
  std::string thrown;
  if (shedder_.shed(process_->scheduler(), std::move(socket), server_->options, thrown))
    counters.shed.add();
  if (!thrown.empty()) report(shed_hook_threw, "the shed hook threw: " + thrown);
}

unsigned Listener::next_scheduler() const noexcept {
  const bool alone = server_->options.spread == AcceptSpread::hand_over;
  return alone ? server_->limit->least_loaded(next_) : process_->scheduler().number();
}

bool Listener::try_place(NativeSocket& socket) {
  const unsigned target = next_scheduler();
  auto permit = ConnectionLimit::take(server_->limit, target);
  if (!permit) return false;
  next_ = target + 1;
  Ref<ConnectionSupervisor>(server_->supervisors.get(target))
      .cast(StartConnection{std::move(socket), std::move(permit)});
  return true;
}

void Listener::wait_for_room() {
  if (room_asked_) return;
  room_asked_ = true;
  hold(hold_limit);
  server_->limit->wait_for_room(process_->pid());
}

void Listener::place_waiting() {
  // Asking for room again would be answered at once, and so on: resuming comes back here.
  if ((held_ & hold_suspended) != 0) return;
  while (!accepted_.empty() && try_place(accepted_.front())) accepted_.pop_front();
  if (!accepted_.empty() || server_->limit->total() >= server_->limit->maximum()) {
    wait_for_room();
  } else {
    let_go(hold_limit);
  }
}

void Listener::hold(Hold why) {
  held_ |= why;
  publish();
  if (socket_) socket_->accept(false);
}

void Listener::let_go(Hold why) {
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  publish();
  accept_if_free();
}

void Listener::accept_if_free() {
  if (held_ == 0 && socket_) socket_->accept(true);
}

void Listener::publish() noexcept {
  server_->listeners[number_].held.store(held_, std::memory_order_relaxed);
}

void Listener::raise(const TracePoint& point, LogLevel level, const TelemetryEvent::Words& words,
                     std::initializer_list<Measure> measures) const {
  Telemetry& telemetry = process_->scheduler().telemetry();
  if (!telemetry.wants(level)) return;
  telemetry.raise(point, level, process_->scheduler().now(), process_->pid(), server_->name,
                  measures, words);
}

void Listener::tell(ServerEvent::Kind kind, std::string text) const {
  if (number_ != 0) return;
  Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
      .cast(ServerEvent{kind, server_->name, 0, std::move(text)});
}

// ---- errors
// -------------------------------------------------------------------------------------------

void Listener::on_accept_failed(const Error& error, bool paused) {
  process_->run_callback("accept", [&] {
    server_->listeners[number_].errors.add();
    count_error();
    raise(trace_point::accept_failed, LogLevel::debug,
          [&error] { return "accept.failed: " + error.text(); }, {{"errno", error.code}});
    report(error.code, error.text());
    if (!paused) return;
    if (accept_reaction(error.code) == AcceptReaction::fatal) {
      self().stop(Reason::failed(error.text()));
      return;
    }
    out_of_something(error);
  });
}

void Listener::out_of_something(const Error& error) {
  ++shortages_;
  if ((held_ & hold_exhausted) == 0)
    self().send_after(server_->options.accept_pause, RetryAccept{});
  hold(hold_exhausted);
  if (!std::exchange(short_, true))
    Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
        .cast(detail::AcceptShortage{number_, true, error.text()});
  const bool descriptors = error.code == EMFILE || error.code == ENFILE;
  if (!descriptors || shedding_ || !spare_ || !spare_->held()) return;
  // The kernel may take a moment to let go of it.
  spare_->give_up();
  shedding_ = true;
  self().send_after(spare_settles, ShedBacklog{});
}

void Listener::end_of_pause() {
  if (std::exchange(shedding_, false) && socket_) socket_->accept(false);
  if (spare_) spare_->take();
  let_go(hold_exhausted);
  // With nobody there to be accepted, no news is good news.
  self().send_after(server_->options.accept_pause, ShortageOver{shortages_});
}

void Listener::end_shortage() {
  if (!std::exchange(short_, false)) return;
  Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
      .cast(detail::AcceptShortage{number_, false, {}});
}

void Listener::count_error() {
  const auto& alarms = server_->options.alarms;
  if (std::none_of(alarms.begin(), alarms.end(),
                   [](const Alarm& alarm) { return alarm.on == Alarm::On::accept_errors; }))
    return;
  ++second_errors_;
  if (!std::exchange(second_running_, true)) self().send_after(1s, ErrorSecond{});
}

void Listener::end_of_second() {
  const std::uint64_t errors = std::exchange(second_errors_, 0U);
  Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
      .cast(detail::AcceptErrorRate{number_, errors});
  second_running_ = errors > 0;
  if (second_running_) self().send_after(1s, ErrorSecond{});
}

void Listener::report(int key, const std::string& text) {
  Report& report = reports_[key];
  ++report.unreported;
  if (self().now() < report.next) return;
  report.next = self().now() + accept_report_interval;
  const std::uint64_t times = std::exchange(report.unreported, 0U);
  raise(trace_point::accept_errors, LogLevel::warning,
        [&] { return fmt::format("{} ({} since the last such line)", text, times); });
}

// ---- suspending
// ---------------------------------------------------------------------------------------

bool Listener::handle_call(SuspendListener message) {
  server_->set_suspended(message.mode);
  const bool already = (held_ & hold_suspended) != 0;
  hold(hold_suspended);
  if (message.mode == SuspendMode::close_socket) {
    socket_.reset();
    let_go(hold_unbound);
  }
  if (already) return true;
  const char* how =
      message.mode == SuspendMode::close_socket ? "clients are refused" : "clients wait";
  raise(trace_point::listener_suspended, number_ == 0 ? LogLevel::info : LogLevel::debug,
        [how] { return fmt::format("suspended: {}", how); });
  tell(ServerEvent::Kind::suspended, how);
  return true;
}

void Listener::handle_call(ResumeListener, From<bool> from) {
  if (auto resumed = resume(); !resumed) {
    from.fail(std::move(resumed.error()));
  } else {
    from.reply(true);
  }
}

Result<void> Listener::resume() {
  if ((held_ & hold_draining) != 0)
    return std::unexpected(Error{ErrorKind::closed, 0, "resume_server",
                                 fmt::format("server '{}' is draining", server_->name)});
  if ((held_ & (hold_suspended | hold_unbound)) == 0) return {};
  if (!socket_) {
    if (auto opened = open(); !opened) {
      if (server_->options.listen_retry > Duration::zero()) {
        server_->set_suspended(std::nullopt);
        held_ |= hold_unbound;
        let_go(hold_suspended);
        if (!std::exchange(retrying_listen_, true))
          self().send_after(server_->options.listen_retry, RetryListen{});
      }
      return opened;
    }
  }
  server_->set_suspended(std::nullopt);
  held_ = static_cast<std::uint8_t>(held_ & ~hold_unbound);
  let_go(hold_suspended);
  if ((held_ & hold_limit) != 0 && !room_asked_) place_waiting();
  raise(trace_point::listener_resumed, number_ == 0 ? LogLevel::info : LogLevel::debug,
        [] { return std::string("resumed"); });
  tell(ServerEvent::Kind::resumed, {});
  return {};
}

void Listener::retry_listen() {
  retrying_listen_ = false;
  if ((held_ & hold_unbound) == 0) return;
  if (const auto resumed = resume(); !resumed) report(cannot_listen, resumed.error().text());
}

void Listener::handle_cast(SuspendAccepting message) {
  if (message.suspended) {
    static_cast<void>(handle_call(SuspendListener{}));
  } else if (const auto resumed = resume(); !resumed) {
    report(cannot_listen, resumed.error().text());
  }
}

void Listener::handle_cast(SetMaxConnections message) {
  server_->limit->set_maximum(message.maximum);
}

void Listener::handle_cast(DrainListener) {
  if ((held_ & hold_draining) == 0)
    raise(trace_point::listener_draining, LogLevel::debug,
          [] { return std::string("listener.draining: nobody is accepted any more"); });
  hold(hold_draining);
  socket_.reset();
  // They have connected, and in a hand-over nobody else has them.
  for (NativeSocket& socket : std::exchange(accepted_, {})) {
    const unsigned target = next_scheduler();
    next_ = target + 1;
    Ref<ConnectionSupervisor>(server_->supervisors.get(target))
        .cast(StartWhenRoom{std::move(socket)});
  }
  Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
      .cast(detail::ListenerDrained{number_});
}

/// Whether a connection supervisor ends, too: a restart of the listeners alone leaves it as it is.
bool Listener::ends_with_us(Pid supervisor) const {
  Process* const parent = process_->scheduler().find(self().parent());
  if (parent == nullptr) return true;
  const auto* tree = static_cast<const Supervisor*>(parent->handler(type_info<Supervisor>));
  return tree == nullptr || tree->ends(supervisor);
}

Next Listener::handle_shutdown(const Reason& reason) {
  handle_cast(DrainListener{});
  // Children end in reverse order: number 0 is the last listener to go. Those that end next drain
  // all at once: one after another, their deadlines would add up.
  if (number_ == 0) {
    std::vector<Pid> ending = server_->supervisors.all();
    const std::size_t all = ending.size();
    std::erase_if(ending, [this](Pid pid) { return !ends_with_us(pid); });
    if (ending.size() == all)
      Ref<ServerMonitor>(server_->others.get(detail::ServerState::monitor))
          .cast(detail::DrainBegun{});
    for (const Pid pid : ending)
      Ref<ConnectionSupervisor>(pid).cast(
          StartDraining{server_->options.drain_deadline, Reason::shutdown()});
  }
  return stop(reason);
}

void Listener::terminate(const Reason& reason) const {
  raise(trace_point::listener_stopped, LogLevel::debug,
        [&reason] { return "listener.stopped: " + reason.text(); });
}

void Listener::handle_info(Info& info) {
  if (info.get<RoomForConnections>() != nullptr) {
    room_asked_ = false;
    place_waiting();
  } else if (info.get<RetryAccept>() != nullptr) {
    end_of_pause();
  } else if (const auto* over = info.get<ShortageOver>()) {
    if (over->shortages == shortages_) end_shortage();
  } else if (info.get<ShedBacklog>() != nullptr) {
    if (shedding_ && held_ == hold_exhausted && socket_) socket_->accept(true);
  } else if (info.get<ErrorSecond>() != nullptr) {
    end_of_second();
  } else if (info.get<RetryListen>() != nullptr) {
    retry_listen();
  } else {
    process_->count_unexpected(info.type_name());
  }
}

// ---- what it says of itself
// -------------------------------------------------------------------------------------------

std::string Listener::holds(std::uint8_t held) {
  std::string text;
  const auto add = [&](Hold hold, const char* name) {
    if ((held & hold) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(hold_suspended, "suspended");
  add(hold_limit, "at max_connections");
  add(hold_exhausted, "out of descriptors or memory");
  add(hold_unbound, "the address is taken");
  add(hold_draining, "draining");
  return text;
}

ServerStatus Listener::handle_call(GetServerStatus) const {
  ServerStatus status;
  status.name = server_->name;
  status.address = server_->bound->get(server_->asked);
  status.accepting = held_ == 0;
  status.not_accepting_because = holds(held_);
  status.draining = server_->draining().has_value();
  status.connections = server_->limit->total();
  status.uncounted = server_->limit->uncounted();
  status.alarms = server_->alarms();
  status.max_connections = server_->limit->maximum();
  for (unsigned i = 0; i < server_->listeners.size(); ++i) {
    const auto& listener = server_->listeners[i];
    const std::uint8_t held = listener.held.load(std::memory_order_relaxed);
    status.accepted += listener.accepted.get();
    status.accept_errors += listener.errors.get();
    status.refused += listener.refused.get();
    status.shed += listener.shed.get();
    status.acceptors.push_back({server_->listener_name(i), server_->acceptors.get(i),
                                listener.scheduler.load(std::memory_order_relaxed), held == 0,
                                holds(held), listener.accepted.get(), listener.errors.get(),
                                listener.refused.get()});
  }
  for (unsigned i = 0; i < server_->limit->schedulers(); ++i) {
    const ConnectionCounters& counters = *server_->counters[i];
    status.per_scheduler.push_back(server_->limit->on_scheduler(i));
    status.started += counters.started.get();
    status.not_started += counters.not_started.get();
    status.handshake_failures += counters.handshake_failed.get();
    for (std::size_t kind = 0; kind < status.ended.size(); ++kind)
      status.ended[kind] += counters.ended[kind].get();
    status.packets_in += counters.packets_in.get();
    status.packets_out += counters.packets_out.get();
    status.bytes_in += counters.bytes_in.get();
    status.bytes_out += counters.bytes_out.get();
    status.pauses += counters.pauses.get();
    status.cut_off += counters.cut_off.get();
    status.bytes_lost += counters.bytes_lost.get();
  }
  return status;
}

std::string Listener::describe() const {
  return fmt::format("{}, {} of {} connections{}{}", server_->bound->get(server_->asked).text(),
                     server_->limit->total(), server_->limit->maximum(),
                     held_ == 0 ? "" : ", not accepting: ", holds(held_));
}

}  // namespace hawser
