// Accepting and handing over.
#include <hawser/net/listener.hpp>

#include <hawser/base/log.hpp>
#include <hawser/engine/accept_errors.hpp>
#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/detail/open_listener.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {
namespace {
/// One line in so long for each kind of accept error.
constexpr Duration report_interval = 10s;
}  // namespace

Listener::Listener(std::shared_ptr<detail::ServerState> server, unsigned number) noexcept
    : server_(std::move(server)), number_(number) {}

Listener::~Listener() {
  // Also when it is killed, which no terminate() sees.
  if (socket_) process_->scheduler().engine().close_now(socket_);
}

Next Listener::init() {
  process_ = &self().process();
  const ServerOptions& options = server_->options;
  const bool alone = options.spread == AcceptSpread::hand_over;
  ListenOptions listen;
  listen.backlog = options.backlog;
  listen.reuse_port = !alone;
  listen.ipv6_only = options.ipv6_only;
  listen.start_paused = options.start_suspended;
  listen.unix_mode = options.unix_mode;
  listen.accepted = options.socket;
  if (options.start_suspended) held_ = hold_suspended;
  auto listening = detail::open_listener(process_->scheduler(), server_->name, number_, options,
                                         server_->bound->get(server_->asked), listen, *this);
  if (!listening) {
    const std::lock_guard lock(server_->mutex);
    server_->listen_error = listening.error();
    return stop(Reason::failed(listening.error().text()));
  }
  socket_ = listening->id;
  address_ = listening->bound;
  server_->bound->set(address_);
  if (number_ == 0)
    self().log().info(server_->name,
                      fmt::format("listening on {}, {}", address_.text(), options.framing.text()));
  return keep();
}

// ---- accepting
// ---------------------------------------------------------------------------------------

void Listener::on_accepted(NativeSocket socket) {
  process_->run_callback("accept", [&] {
    server_->listeners[number_].accepted.add();
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
    server_->listeners[number_].refused.add();  // and closed, as `socket` goes
  }
}

bool Listener::try_place(NativeSocket& socket) {
  const bool alone = server_->options.spread == AcceptSpread::hand_over;
  const unsigned target =
      alone ? server_->limit->least_loaded(next_) : process_->scheduler().number();
  auto permit = ConnectionLimit::take(server_->limit, target);
  if (!permit) return false;
  next_ = target + 1;
  Ref<ConnectionSupervisor>(server_->supervisors.get(target))
      .cast(StartConnection{std::move(socket), std::move(permit)});
  return true;
}

void Listener::wait_for_room() {
  if ((held_ & hold_limit) != 0) return;
  hold(hold_limit);
  server_->limit->wait_for_room(process_->pid());
}

void Listener::hold(Hold why) {
  held_ |= why;
  process_->scheduler().engine().pause_accepting(socket_);
}

void Listener::let_go(Hold why) {
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  if (held_ == 0) process_->scheduler().engine().resume_accepting(socket_);
}

void Listener::on_accept_failed(const Error& error, bool paused) {
  process_->run_callback("accept", [&] {
    server_->listeners[number_].errors.add();
    report(error);
    if (!paused) return;
    if (accept_reaction(error.code) == AcceptReaction::fatal) {
      self().stop(Reason::failed(error.text()));
      return;
    }
    hold(hold_exhausted);
    self().send_after(server_->options.accept_pause, RetryAccept{});
  });
}

void Listener::report(const Error& error) {
  Report& report = reports_[error.code];
  ++report.unreported;
  if (self().now() < report.next) return;
  report.next = self().now() + report_interval;
  self().log().warning(server_->name, fmt::format("{} ({} since the last such line)", error.text(),
                                                  std::exchange(report.unreported, 0)));
}

// ---- messages
// -------------------------------------------------------------------------------------------

void Listener::handle_info(Info& info) {
  if (info.get<RoomForConnections>() != nullptr) {
    held_ = static_cast<std::uint8_t>(held_ & ~hold_limit);
    while (!accepted_.empty() && (held_ & hold_suspended) == 0) {
      if (!try_place(accepted_.front())) break;
      accepted_.pop_front();
    }
    if (!accepted_.empty() || server_->limit->total() >= server_->limit->maximum()) {
      wait_for_room();
    } else {
      let_go(hold_limit);
    }
  } else if (info.get<RetryAccept>() != nullptr) {
    let_go(hold_exhausted);
  } else {
    process_->count_unexpected(info.type_name());
  }
}

Next Listener::handle_shutdown(const Reason& reason) {
  process_->scheduler().engine().close_now(std::exchange(socket_, {}));
  accepted_.clear();
  // Children end in reverse order: number 0 is the last listener to go.
  if (number_ == 0)
    for (unsigned i = 0; i < server_->limit->schedulers(); ++i)
      Ref<ConnectionSupervisor>(server_->supervisors.get(i)).cast(StartDraining{});
  return stop(reason);
}

void Listener::handle_cast(SuspendAccepting message) {
  self().log().info(server_->name, message.suspended ? "suspended" : "resumed");
  message.suspended ? hold(hold_suspended) : let_go(hold_suspended);
}

void Listener::handle_cast(SetMaxConnections message) {
  server_->limit->set_maximum(message.maximum);
}

std::string Listener::holds() const {
  std::string text;
  const auto add = [&](Hold hold, const char* name) {
    if ((held_ & hold) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(hold_suspended, "suspended");
  add(hold_limit, "at max_connections");
  add(hold_exhausted, "out of descriptors or memory");
  return text;
}

ServerStatus Listener::handle_call(GetServerStatus) const {
  ServerStatus status;
  status.name = server_->name;
  status.address = address_;
  status.accepting = held_ == 0;
  status.not_accepting_because = holds();
  status.connections = server_->limit->total();
  status.max_connections = server_->limit->maximum();
  for (const auto& listener : server_->listeners) {
    status.accepted += listener.accepted.get();
    status.accept_errors += listener.errors.get();
    status.refused += listener.refused.get();
  }
  for (unsigned i = 0; i < server_->limit->schedulers(); ++i) {
    const ConnectionCounters& counters = *server_->counters[i];
    status.per_scheduler.push_back(server_->limit->on_scheduler(i));
    status.started += counters.started.get();
    status.not_started += counters.not_started.get();
    for (std::size_t kind = 0; kind < status.ended.size(); ++kind)
      status.ended[kind] += counters.ended[kind].get();
    status.packets_in += counters.packets_in.get();
    status.packets_out += counters.packets_out.get();
    status.bytes_in += counters.bytes_in.get();
    status.bytes_out += counters.bytes_out.get();
    status.pauses += counters.pauses.get();
    status.cut_off += counters.cut_off.get();
  }
  return status;
}

std::string Listener::describe() const {
  return fmt::format("{}, {} of {} connections{}{}", address_.text(), server_->limit->total(),
                     server_->limit->maximum(), held_ == 0 ? "" : ", not accepting: ", holds());
}

}  // namespace hawser
