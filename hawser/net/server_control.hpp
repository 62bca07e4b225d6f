// What a running server can be told and asked by its name: status, listing, suspending, settings,
// draining, stopping. Public; from plain threads, unless it says otherwise. Inside processes the
// same goes by messages to Ref<ServerMonitor>, Ref<Listener> and stop_server_from_here().
//
// Errors of all: not_found when no server has that name; what a call may fail with.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/listener.hpp>
#include <hawser/net/server_monitor.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/ref.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class System;

/// The listener of a server, for calls (GetServerStatus) and casts from coroutines and callbacks;
/// no Ref when there is none of that name.
Ref<Listener> server_listener(System& system, std::string_view name);
/// Its monitor: WatchServer, DrainServer, AwaitConnections, SetServerOptions.
Ref<ServerMonitor> server_monitor(System& system, std::string_view name);

/// What a server is called whose start answered this pid: its name, or, when it was given none,
/// where it listens ("127.0.0.1:40713").
Result<std::string> server_name(System& system, Pid server);

Result<ServerStatus> server_status(System& system, std::string_view name);
/// Every connection, by scheduler, the oldest first. Made in small pieces: no scheduler is held up
/// by it, however many there are.
Result<std::vector<ConnectionInfo>> server_connections(System& system, std::string_view name);
/// Waits until there are at most so many counted connections, on an event; timeout otherwise.
Result<std::size_t> await_server_connections(System& system, std::string_view name,
                                             std::size_t at_most, Duration within);

/// Stops accepting: clients wait in the backlog, or are refused; connections go on. Constant time,
/// and a suspended server does no work at all. Returns when every acceptor has stopped.
Result<void> suspend_server(System& system, std::string_view name,
                            SuspendMode mode = SuspendMode::keep_socket);
/// Ends that. A socket that was closed is bound again, to the same port: already_exists when
/// somebody else has taken it (the server tries again by itself, ServerOptions::listen_retry).
Result<void> resume_server(System& system, std::string_view name);

/// Changes settings while it runs: all of them, or none and invalid_argument.
Result<void> set_server_options(System& system, std::string_view name, SetServerOptions changes);

struct StopServer {
  StopServer() = default;
  /// At once: what has not ended within `within` is killed.
  explicit StopServer(Duration within, Reason why = Reason::shutdown())
      : deadline(within), reason(std::move(why)) {}
  /// How long the connections get; unset: ServerOptions::drain_deadline.
  std::optional<Duration> deadline{};
  /// What their handlers are told, and end with.
  Reason reason = Reason::shutdown();
};

/// Drains the server (see DrainServer), then ends it and takes it off its supervisor. Returns when
/// everything is down, names and address free again.
Result<DrainReport> stop_server(System& system, std::string_view name, StopServer how = {});
/// The same with a deadline in front.
inline Result<DrainReport> server_drain(System& system, std::string_view name, Duration deadline) {
  return stop_server(system, name, StopServer(deadline));
}

/// stop_server from inside any process of the System, also a connection of that very server: a
/// process of its own does the work. Answers its pid, whose end (normal) tells that all is down.
Result<Pid> stop_server_from_here(std::string_view name, StopServer how = {});

}  // namespace hawser
