// What the subcommands that run a System share: their common options, the ready line and the one
// line that says why a command failed. Internal to the program; one thread.
#pragma once

#include "option_table.hpp"

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/system.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::app {

/// --schedulers, --log-level, --drain-limit.
void add_system_options(OptionTable& table, SystemOptions& options);

/// Deadlines and bounds of a server's connections, each name with `prefix` before it ("stomp-").
/// Those about packets only where there are any.
enum class ServerKind { packets, stream };
void add_server_options(OptionTable& table, const std::string& prefix, ServerOptions& options,
                        ServerKind kind);

/// How long a server's connections get of the drain limit; the rest is for what ends after them.
inline Duration connections_drain(const SystemOptions& options) noexcept {
  return options.drain_limit - options.drain_limit / 10;
}

/// Makes SIGTERM and SIGINT wait for System::run, from before the System's threads are there: one
/// that comes between the ready line and run() must drain too, not end the program. `hangup`:
/// SIGHUP too, for a System with reload_on_hangup.
void hold_signals(bool hangup = false);

/// Reads "127.0.0.1:7007", "[::1]:0", "unix:/run/x.sock"; for options that name where to listen.
OptionTable::Read read_listen_address(std::string& target);

/// Prints `ready NAME=ADDRESS … engine=uring pid=42` on stdout: the moment at which it can be used.
void print_ready(System& system, const std::vector<std::pair<std::string, Address>>& addresses);

/// A hint on stderr, when somebody reads there.
void print_hint(std::string_view text);

/// One line on stderr; answers the exit code `failure`.
int print_failure(std::string_view command, std::string_view text);

}  // namespace hawser::app
