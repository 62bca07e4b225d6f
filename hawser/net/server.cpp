// The check of a server's options, its tree, and questions to it.
#include <hawser/net/server.hpp>

#include <hawser/base/faults.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser {
namespace {

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
  if (state->options.spread == AcceptSpread::per_scheduler)
    spec.scheduler = (state->first_scheduler + number) % state->limit->schedulers();
  spec.start = [state, number](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<Listener>(context.scheduler,
                                   {.name = state->listener_name(number), .parent = context.parent},
                                   state, number);
    if (spawned) return spawned->pid();
    // The listener's own error says which address, why, and what to do.
    if (auto error = state->take_listen_error()) return std::unexpected(std::move(*error));
    return std::unexpected(std::move(spawned.error()));
  };
  return spec;
}

ChildSpec monitor_spec(const std::shared_ptr<detail::ServerState>& state) {
  ChildSpec spec;
  spec.id = "monitor";
  spec.start = [state](const StartContext& context) -> Result<Pid> {
    auto spawned = spawn<ServerMonitor>(
        context.scheduler, {.name = state->monitor_name(), .parent = context.parent}, state);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

/// The user's own keeper: whoever it is after a restart gets the news.
ChildSpec keeper_spec(const std::shared_ptr<detail::ServerState>& state) {
  ChildSpec spec = *state->options.keeper.child;
  spec.start = [state, start = spec.start](const StartContext& context) -> Result<Pid> {
    auto started = start(context);
    if (started) state->others.set(detail::ServerState::keeper, *started);
    return started;
  };
  return spec;
}

/// Binds the first socket, so that a server which cannot listen, or is declined, never was there.
Result<void> prepare(Scheduler& scheduler, detail::ServerState& state) {
  auto socket = detail::ListeningSocket::open(scheduler, state.given_name,
                                              state.bound->get(state.asked), state.options, 0);
  if (!socket) return std::unexpected(std::move(socket.error()));
  state.bound->set((*socket)->address());
  state.set_prepared(std::move(*socket));
  return {};
}

}  // namespace

ChildSpec detail::server_spec(std::string name, ServerOptions options, ConnectionStarter start) {
  ChildSpec spec;
  spec.id = name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  spec.start = [name = std::move(name), options = std::move(options), start = std::move(start),
                bound =
                    std::make_shared<BoundAddress>()](const StartContext& context) -> Result<Pid> {
    auto faults = options.faults();
    const unsigned schedulers = context.scheduler.system().scheduler_count();
    if (options.acceptors > schedulers)
      faults.push_back(fmt::format("acceptors: there are only {} schedulers", schedulers));
    if (!faults.empty())
      return std::unexpected(faulty(
          name.empty() ? "server without a name" : fmt::format("server '{}'", name), faults));
    const unsigned every = options.acceptors == 0 ? schedulers : options.acceptors;
    const unsigned acceptors = options.spread == AcceptSpread::per_scheduler ? every : 1;
    auto state = std::make_shared<ServerState>(schedulers, acceptors);
    state->given_name = name;
    state->options = options;
    state->asked = *options.listen.parsed();
    state->parent = context.parent;
    state->first_scheduler = context.scheduler.number();
    state->bound = bound;
    state->limit = std::make_shared<ConnectionLimit>(options.max_connections, schedulers);
    state->set_new_connections({options.framing, options.connection, options.transports,
                                options.mailbox, options.trace_connections, start});
    if (options.start_suspended) state->set_suspended(SuspendMode::keep_socket);
    if (auto prepared = prepare(context.scheduler, *state); !prepared)
      return std::unexpected(std::move(prepared.error()));
    state->name = name.empty() ? bound->get({}).text() : name;
    SupervisorOptions tree;
    tree.strategy = options.strategy;
    tree.intensity = options.intensity;
    tree.period = options.period;
    if (options.keeper.child) tree.children.push_back(keeper_spec(state));
    tree.children.push_back(monitor_spec(state));
    for (unsigned i = 0; i < schedulers; ++i) {
      state->counters.push_back(std::make_shared<ConnectionCounters>());
      tree.children.push_back(connections_spec(state, i));
    }
    for (unsigned i = 0; i < acceptors; ++i) tree.children.push_back(listener_spec(state, i));
    auto spawned = spawn<Supervisor>(
        context.scheduler, {.name = state->name, .parent = context.parent}, std::move(tree));
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

Result<void> detail::set_starter(System& system, std::string_view name, ConnectionStarter start) {
  const auto monitor = server_monitor(system, name);
  if (!monitor)
    return std::unexpected(
        Error{ErrorKind::not_found, 0, "server", fmt::format("no server is called '{}'", name)});
  // Answered after it has been handled: connections that come from now on have it.
  monitor.cast(SetConnectionStarter{std::move(start)});
  auto handled = system.call(monitor, GetServerPlace{});
  if (!handled) return std::unexpected(std::move(handled.error()));
  return {};
}

}  // namespace hawser
