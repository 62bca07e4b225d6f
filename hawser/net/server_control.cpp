// Questions and orders to a server, by name.
#include <hawser/net/server_control.hpp>

#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/server_stopper.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/sys.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {
namespace {

std::unexpected<Error> no_server(std::string_view name) {
  return std::unexpected(
      Error{ErrorKind::not_found, 0, "server", fmt::format("no server is called '{}'", name)});
}

/// Every acceptor is asked, also when one has failed: the first error is the answer.
template <class M>
Result<void> ask_acceptors(System& system, std::string_view name, const M& message) {
  Result<void> all;
  unsigned number = 0;
  for (;; ++number) {
    const Pid pid = system.whereis(fmt::format("{}/listener/{}", name, number));
    if (!pid) break;
    auto answer = system.call(Ref<Listener>(pid), M(message));
    if (!answer && all) all = std::unexpected(std::move(answer.error()));
  }
  if (number == 0) return no_server(name);
  return all;
}

}  // namespace

Ref<Listener> server_listener(System& system, std::string_view name) {
  return Ref<Listener>(system.whereis(fmt::format("{}/listener/0", name)));
}

Ref<ServerMonitor> server_monitor(System& system, std::string_view name) {
  return Ref<ServerMonitor>(system.whereis(fmt::format("{}/monitor", name)));
}

Result<std::string> server_name(System& system, Pid server) {
  auto asked = sys::get_status(system.environment(), server);
  if (!asked) return std::unexpected(std::move(asked.error()));
  if (asked->name.empty() || !server_monitor(system, asked->name))
    return std::unexpected(Error{ErrorKind::not_found, 0, "server",
                                 fmt::format("process {} is no server", server.text())});
  return std::move(asked->name);
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

Result<std::size_t> await_server_connections(System& system, std::string_view name,
                                             std::size_t at_most, Duration within) {
  const auto monitor = server_monitor(system, name);
  if (!monitor) return no_server(name);
  return system.call(monitor, AwaitConnections{at_most}, within);
}

Result<void> suspend_server(System& system, std::string_view name, SuspendMode mode) {
  return ask_acceptors(system, name, SuspendListener{mode});
}

Result<void> resume_server(System& system, std::string_view name) {
  return ask_acceptors(system, name, ResumeListener{});
}

Result<void> set_server_options(System& system, std::string_view name, SetServerOptions changes) {
  const auto monitor = server_monitor(system, name);
  if (!monitor) return no_server(name);
  auto changed = system.call(monitor, std::move(changes));
  if (!changed) return std::unexpected(std::move(changed.error()));
  return {};
}

Result<DrainReport> stop_server(System& system, std::string_view name, StopServer how) {
  const auto monitor = server_monitor(system, name);
  if (!monitor) return no_server(name);
  return detail::wait_for_answer<DrainReport>(
      system.environment(), Duration::max(), [&](From<DrainReport> from) {
        static_cast<void>(system.spawn<detail::ServerStopper>({}, std::string(name), monitor,
                                                              std::move(how), std::move(from)));
      });
}

Result<Pid> stop_server_from_here(std::string_view name, StopServer how) {
  const auto monitor = server_monitor(self().system(), name);
  if (!monitor) return no_server(name);
  auto stopper = self().spawn<detail::ServerStopper>({}, std::string(name), monitor, std::move(how),
                                                     From<DrainReport>());
  if (!stopper) return std::unexpected(std::move(stopper.error()));
  return stopper->pid();
}

}  // namespace hawser
