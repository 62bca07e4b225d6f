// The check of a server's options, its tree, and questions to it.
#include <hawser/net/server.hpp>

#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser {
namespace {

std::unexpected<Error> no_server(std::string_view name) {
  return std::unexpected(
      Error{ErrorKind::not_found, 0, "server", fmt::format("no server is called '{}'", name)});
}

ChildSpec connections_spec(const std::shared_ptr<detail::ServerState>& state, unsigned scheduler) {
  ChildSpec spec;
  spec.id = fmt::format("connections/{}", scheduler);
  spec.scheduler = scheduler;
  // It ends by itself at the drain deadline; the rest is for what the killing takes.
  spec.shutdown = state->options.drain_deadline + 5s;
  spec.start = [state, scheduler](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<ConnectionSupervisor>(
        context.scheduler, {.name = state->connections_name(scheduler), .parent = context.parent},
        state);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

ChildSpec listener_spec(const std::shared_ptr<detail::ServerState>& state, unsigned number) {
  ChildSpec spec;
  spec.id = fmt::format("listener/{}", number);
  if (state->options.spread == AcceptSpread::per_scheduler) spec.scheduler = number;
  spec.start = [state, number](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<Listener>(context.scheduler,
                                   {.name = state->listener_name(number), .parent = context.parent},
                                   state, number);
    if (spawned) return spawned->pid();
    // The listener's own error says which address, why, and what to do.
    const std::lock_guard lock(state->mutex);
    if (state->listen_error)
      return std::unexpected(*std::exchange(state->listen_error, std::nullopt));
    return std::unexpected(std::move(spawned.error()));
  };
  return spec;
}

}  // namespace

std::vector<std::string> ServerOptions::faults() const {
  std::vector<std::string> faults;
  if (const auto& address = listen.parsed(); !address) {
    faults.push_back(fmt::format("listen: {}", address.error().detail));
  } else if (!listen.inherited().empty()) {
    if (sockets == nullptr) {
      faults.push_back(fmt::format("listen: '{}' is an inherited socket, and sockets names none",
                                   listen.inherited()));
    }
  } else if (address->family() == Address::Family::none) {
    faults.emplace_back("listen: no address");
  } else if (address->is_unix() && spread == AcceptSpread::per_scheduler) {
    faults.emplace_back("spread: per_scheduler is not for Unix sockets; use hand_over");
  }
  if (const auto valid = framing.validate(); !valid)
    faults.push_back(fmt::format("framing: {}", valid.error().detail));
  for (const auto& fault : connection.faults()) faults.push_back("connection." + fault);
  if (max_connections == 0) faults.emplace_back("max_connections: must be at least 1");
  if (backlog < 1) faults.emplace_back("backlog: must be at least 1");
  if (drain_deadline < Duration::zero())
    faults.emplace_back("drain_deadline: must not be negative");
  if (accept_pause <= Duration::zero())
    faults.emplace_back("accept_pause: must be longer than zero");
  if (period <= Duration::zero()) faults.emplace_back("period: must be longer than zero");
  if (unix_mode > 0777) faults.emplace_back("unix_mode: permission bits are 0 to 0777");
  if (socket.send_buffer < 0) faults.emplace_back("socket.send_buffer: must not be negative");
  if (socket.receive_buffer < 0) faults.emplace_back("socket.receive_buffer: must not be negative");
  if (mailbox.messages == 0) faults.emplace_back("mailbox.messages: must be at least 1");
  return faults;
}

ChildSpec detail::server_spec(std::string name, ServerOptions options, ConnectionStarter start) {
  ChildSpec spec;
  spec.id = name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  spec.start = [name = std::move(name), options = std::move(options), start = std::move(start),
                bound =
                    std::make_shared<BoundAddress>()](const StartContext& context) -> Result<Pid> {
    auto faults = options.faults();
    if (name.empty()) faults.insert(faults.begin(), "name: must not be empty");
    if (!faults.empty())
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, fmt::format("server '{}'", name),
                                   fmt::format("{}", fmt::join(faults, "; "))});
    const unsigned schedulers = context.scheduler.system().scheduler_count();
    auto state = std::make_shared<ServerState>(schedulers);
    state->name = name;
    state->options = options;
    state->asked = *options.listen.parsed();
    state->start = start;
    state->bound = bound;
    state->limit = std::make_shared<ConnectionLimit>(options.max_connections, schedulers);
    const unsigned listeners = options.spread == AcceptSpread::per_scheduler ? schedulers : 1;
    state->listeners = std::vector<ListenerCounters>(listeners);
    SupervisorOptions tree;
    tree.strategy = Strategy::one_for_one;
    tree.intensity = options.intensity;
    tree.period = options.period;
    for (unsigned i = 0; i < schedulers; ++i) {
      state->counters.push_back(std::make_shared<ConnectionCounters>());
      tree.children.push_back(connections_spec(state, i));
    }
    for (unsigned i = 0; i < listeners; ++i) tree.children.push_back(listener_spec(state, i));
    auto spawned = spawn<Supervisor>(context.scheduler, {.name = name, .parent = context.parent},
                                     std::move(tree));
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

Ref<Listener> server_listener(System& system, std::string_view name) {
  return Ref<Listener>(system.whereis(fmt::format("{}/listener/0", name)));
}

Result<ServerStatus> server_status(System& system, std::string_view name) {
  const auto listener = server_listener(system, name);
  if (!listener) return no_server(name);
  return system.call(listener, GetServerStatus{});
}

Result<std::vector<ConnectionInfo>> server_connections(System& system, std::string_view name) {
  std::vector<ConnectionInfo> all;
  for (unsigned i = 0; i < system.scheduler_count(); ++i) {
    const Pid pid = system.whereis(fmt::format("{}/connections/{}", name, i));
    if (!pid) return no_server(name);
    auto some = system.call(Ref<ConnectionSupervisor>(pid), ListConnections{});
    if (!some) return std::unexpected(std::move(some.error()));
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

namespace {
Result<void> set_suspended(System& system, std::string_view name, bool suspended) {
  bool found = false;
  for (unsigned i = 0; i < system.scheduler_count(); ++i) {
    const Pid pid = system.whereis(fmt::format("{}/listener/{}", name, i));
    if (!pid) break;
    found = true;
    Ref<Listener>(pid).cast(SuspendAccepting{suspended});
  }
  if (!found) return no_server(name);
  return {};
}
}  // namespace

Result<void> suspend_server(System& system, std::string_view name) {
  return set_suspended(system, name, true);
}
Result<void> resume_server(System& system, std::string_view name) {
  return set_suspended(system, name, false);
}

}  // namespace hawser
