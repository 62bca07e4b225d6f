// Common options, the ready line, and failures in one line.
#include "common.hpp"

#include "commands.hpp"

#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace hawser::app {

void add_system_options(OptionTable& table, SystemOptions& options) {
  options.log_failed_starts = false;  // the command says it in its own line
  table.begin_group("The program");
  table.add_number("schedulers", options.schedulers, 0, 1024,
                   "threads that run connections; 0: one a core");
  table.add_choice("log-level", options.log_level,
                   {{"trace", LogLevel::trace},
                    {"debug", LogLevel::debug},
                    {"info", LogLevel::info},
                    {"warning", LogLevel::warning},
                    {"error", LogLevel::error},
                    {"off", LogLevel::off}},
                   "log lines from this level on go to stderr");
  table.add_duration("drain-limit", options.drain_limit,
                     "after SIGTERM or SIGINT, connections get so long to end");
}

void add_server_options(OptionTable& table, const std::string& prefix, ServerOptions& options,
                        ServerKind kind) {
  ConnectionOptions& connection = options.connection;
  if (prefix.empty()) table.begin_group("Connections");
  table.add_number(prefix + "max-connections", options.max_connections, 1, 100'000'000,
                   "open at once; further ones wait in the backlog");
  if (kind == ServerKind::packets) {
    // Not --packet-packet-timeout where the server itself is called so.
    table.add_duration((prefix == "packet-" ? "" : prefix) + "packet-timeout",
                       connection.packet_timeout,
                       "from a packet's first byte to its last; 0: none");
    table.add_duration(prefix + "idle-timeout", connection.idle_timeout,
                       "without a byte in either direction; 0: none");
  }
  table.add_duration(prefix + "write-timeout", connection.write_deadline,
                     "a peer that takes no byte for so long is cut off; 0: none");
  table.add_duration(prefix + "flush-timeout", connection.flush_deadline,
                     "for the last bytes of a connection that ends");
  table.add_size(prefix + "high-water", connection.high_water,
                 "unsent bytes at which a connection stops reading");
  table.add_size(prefix + "low-water", connection.low_water,
                 "unsent bytes at which it reads again");
  table.add_size(prefix + "send-limit", connection.send_limit,
                 "unsent bytes at which it is cut off");
  table.add_number(prefix + "backlog", options.backlog, 1, 1'000'000,
                   "connections that the kernel keeps ready");
}

void hold_signals(bool hangup) {
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (hangup) sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

OptionTable::Read read_listen_address(std::string& target) {
  return [&target](std::string_view text) -> std::string {
    const auto address = Address::parse(text);
    if (!address) return address.error().text();
    target = text;
    return {};
  };
}

void print_ready(System& system, const std::vector<std::pair<std::string, Address>>& addresses) {
  std::string line = "ready";
  for (const auto& [name, address] : addresses) line += fmt::format(" {}={}", name, address.text());
  std::string engine = "none";
  static_cast<void>(
      system.run_on(0, [&](Scheduler& scheduler) { engine = scheduler.engine().info().name; }));
  fmt::print("{} engine={} pid={}\n", line, engine, getpid());
  std::fflush(stdout);
}

void print_hint(std::string_view text) {
  if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}\n", text);
}

int print_failure(std::string_view command, std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  fmt::print(stderr, "hawser {}: {}\n", command, line);
  return failure;
}

}  // namespace hawser::app
