// hawser_bench_echo: the framed-echo comparison as a program. It measures the servers built beside
// it, and others given by command line.
#include <bench/echo.hpp>
#include <bench/load/clock.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::bench;

std::string folder_of_this_program() {
  std::array<char, 4096> path = {};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  const std::string text(path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text.substr(0, text.rfind('/'));
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return true;
  fmt::print(stderr, "cannot write {}\n", path);
  return false;
}

struct Options {
  EchoPlan plan{};
  std::string folder = folder_of_this_program() + "/servers";
  std::vector<std::string> servers{};
  std::vector<std::string> websocket_servers{};
  std::vector<std::string> floors{};
  bool tls = false;
  std::vector<std::string> only{};
  std::vector<std::string> scenarios{};
  unsigned connections = 64;
  unsigned depth = 1;
  double seconds = 2;
  double warmup = 0.5;
  std::string json{};
  std::string svg{};
};

/// Turns the words of the command line into servers and scenarios; answers what is wrong, or "".
std::string complete(Options& options, bool own_load) {
  EchoPlan& plan = options.plan;
  plan.servers = options.tls ? tls_servers_in(options.folder) : servers_in(options.folder);
  for (const char* name :
       {"bare epoll", "bare io_uring", "asio", "libuv", "erlang", "erlang otp"}) {
    if (options.tls) break;
    if (std::ranges::find(plan.servers, name, &ServerSpec::name) == plan.servers.end()) {
      fmt::print(stderr, "{}: not built, so it is not in the comparison\n", name);
    }
  }
  const auto add = [&](const std::vector<std::string>& servers, Wire wire) {
    for (const std::string& text : servers) {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) return false;
      plan.servers.push_back({text.substr(0, equals), text.substr(equals + 1), false, wire});
    }
    return true;
  };
  if (!add(options.servers, options.tls ? Wire::tls : Wire::plain))
    return "--server wants NAME=COMMAND";
  if (!add(options.websocket_servers, Wire::websocket))
    return "--websocket-server wants NAME=COMMAND";
  for (const std::string& name : options.only) {
    const auto named = [&](const ServerSpec& server) { return server.name == name; };
    if (std::ranges::none_of(plan.servers, named)) return "--only: no server is named " + name;
  }
  if (!options.only.empty()) {
    std::erase_if(plan.servers, [&](const ServerSpec& server) {
      return std::ranges::find(options.only, server.name) == options.only.end();
    });
  }
  for (const std::string& name : options.floors) {
    const auto found = std::ranges::find(plan.servers, name, &ServerSpec::name);
    if (found == plan.servers.end()) return "--floor: no server is named " + name;
  }
  if (!options.floors.empty()) {
    for (ServerSpec& server : plan.servers)
      server.floor = std::ranges::find(options.floors, server.name) != options.floors.end();
  }
  if (!options.scenarios.empty() || own_load) plan.scenarios.clear();
  if (options.tls) {
    std::erase_if(plan.scenarios, [](const Scenario& each) { return each.load == Load::idle; });
  }
  for (const std::string& name : options.scenarios) {
    const auto known = known_scenarios();
    const auto found = std::ranges::find(known, name, &Scenario::name);
    if (found == known.end()) return "--scenario: there is none named " + name;
    plan.scenarios.push_back(*found);
  }
  if (own_load) {
    plan.scenarios.push_back({fmt::format("{}x{}", options.connections, options.depth), Load::echo,
                              options.connections, options.depth});
  }
  plan.duration = from_seconds(options.seconds);
  plan.warmup = from_seconds(options.warmup);
  return "";
}

}  // namespace

int main(int count, char** words) {
  Options options;
  EchoPlan& plan = options.plan;
  CLI::App app("Measures framed-echo servers: CPU per message, memory per idle connection");
  auto* connections = app.add_option("--connections", options.connections,
                                     "a load of so many connections, beside the --scenario ones");
  auto* depth = app.add_option("--depth", options.depth, "packets in flight on each of them");
  app.add_option("--payload", plan.payload, "bytes in a packet")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "length of one measurement")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "seconds of load before each")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_option("--rounds", plan.rounds, "measurements of each server")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--scenario", options.scenarios,
                 "64x1, 1000x1, 64x16, 15000x1, idle, burst or accept-close; may be repeated");
  app.add_option("--server", options.servers, "NAME=COMMAND: a further server; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--only", options.only, "NAME: only this server; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--websocket-server", options.websocket_servers,
                 "NAME=COMMAND: one that speaks WebSocket at /; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--floor", options.floors,
                 "NAME: ratios are to the cheapest of these instead of the bare loops")
      ->allow_extra_args(false);
  app.add_flag("--tls", options.tls,
               "over TLS: the bare OpenSSL loop and each --server, none of which is verified");
  app.add_option("--servers", options.folder, "folder of the servers to compare with");
  app.add_option("--server-cpu", plan.server_cpu, "CPU of the server, -1 for any")
      ->capture_default_str();
  app.add_option("--client-cpu", plan.client_cpu, "CPU of the load generator, -1 for any")
      ->capture_default_str();
  app.add_option("--idle-few", plan.idle_few, "idle connections at the first point")
      ->capture_default_str();
  app.add_option("--idle-many", plan.idle_many, "idle connections at the second")
      ->capture_default_str();
  app.add_option("--burst-connections", plan.burst_connections, "connections of \"burst\"")
      ->capture_default_str();
  app.add_option("--json", options.json, "FILE for all figures");
  app.add_option("--svg", options.svg, "FILE for the plot");
  CLI11_PARSE(app, count, words);

  const bool own_load = connections->count() + depth->count() != 0;
  if (const std::string wrong = complete(options, own_load); !wrong.empty()) {
    fmt::print(stderr, "{}\n", wrong);
    return 2;
  }
  const auto report =
      run_echo(plan, [](std::string_view line) { fmt::print(stderr, "{}\n", line); });
  if (!report) {
    fmt::print(stderr, "{}\n", report.error().text());
    return 2;
  }
  fmt::print("{}", to_table(*report));
  std::fflush(stdout);
  bool good = true;
  if (!options.json.empty()) good = write_file(options.json, to_json(*report)) && good;
  if (!options.svg.empty()) good = write_file(options.svg, to_svg(*report)) && good;
  for (const ScenarioOutcome& scenario : report->scenarios) {
    for (const ServerOutcome& server : scenario.servers) good = good && server.error.empty();
  }
  return good ? 0 : 1;
}
