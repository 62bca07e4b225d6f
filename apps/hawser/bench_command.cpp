// `hawser bench echo`: this program's echo server against bare loops and others, in one run.
#include "bench_files.hpp"
#include "commands.hpp"
#include "common.hpp"

#include <bench/echo.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace hawser::app {
namespace {

struct BenchOptions {
  bench::EchoPlan plan{};
  unsigned connections = 64;
  unsigned depth = 1;
  bool own_load = false;
  std::vector<std::string> scenarios{};
  std::vector<std::string> servers{};
  std::vector<std::string> only{};
  std::string folder{};
  std::string json{};
  std::string svg{};
};

/// This program with each engine: one scheduler, as the bare loops have one thread.
std::vector<bench::ServerSpec> own_servers() {
  std::vector<bench::ServerSpec> servers;
  for (const char* engine : {"uring", "epoll"}) {
    servers.push_back({fmt::format("hawser {}", engine),
                       fmt::format("HAWSER_ENGINE={} \"{}\" serve echo --listen 127.0.0.1:0 "
                                   "--length-bytes 2 --schedulers 1 --max-connections 100000 "
                                   "--log-level error",
                                   engine, path_of_this_program()),
                       false});
  }
  return servers;
}

/// Words into servers and scenarios; answers what is wrong, or "".
std::string complete(BenchOptions& options) {
  bench::EchoPlan& plan = options.plan;
  if (options.folder.empty()) {
    const std::string self = path_of_this_program();
    options.folder = self.substr(0, self.rfind('/')) + "/bench/servers";
  }
  plan.servers = own_servers();
  for (auto& server : bench::servers_in(options.folder)) plan.servers.push_back(std::move(server));
  for (const std::string& text : options.servers) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fmt::format("--server: '{}' is not NAME=COMMAND", text);
    plan.servers.push_back({text.substr(0, equals), text.substr(equals + 1), false});
  }
  for (const std::string& name : options.only) {
    if (std::ranges::find(plan.servers, name, &bench::ServerSpec::name) == plan.servers.end())
      return fmt::format("--only: no server is named '{}'", name);
  }
  if (!options.only.empty()) {
    std::erase_if(plan.servers, [&](const bench::ServerSpec& server) {
      return std::ranges::find(options.only, server.name) == options.only.end();
    });
  }
  if (options.own_load || !options.scenarios.empty()) plan.scenarios.clear();
  for (const std::string& name : options.scenarios) {
    const auto known = bench::known_scenarios();
    const auto found = std::ranges::find(known, name, &bench::Scenario::name);
    if (found == known.end()) return fmt::format("--scenario: there is none named '{}'", name);
    plan.scenarios.push_back(*found);
  }
  if (options.own_load) {
    plan.scenarios.push_back({fmt::format("{}x{}", options.connections, options.depth),
                              bench::Load::echo, options.connections, options.depth});
  }
  return {};
}

int run_bench(BenchOptions options) {
  if (const std::string wrong = complete(options); !wrong.empty()) {
    print_failure("bench echo", wrong);
    return wrong_usage;
  }
  const auto report = bench::run_echo(
      options.plan, [](std::string_view line) { fmt::print(stderr, "{}\n", line); });
  if (!report) {
    print_failure("bench echo", report.error().text());
    return report.error().kind == ErrorKind::invalid_argument ? wrong_usage : failure;
  }
  fmt::print("{}", bench::to_table(*report));
  std::fflush(stdout);
  bool good = write_file("bench echo", options.json, bench::to_json(*report));
  good = write_file("bench echo", options.svg, bench::to_svg(*report)) && good;
  for (const auto& scenario : report->scenarios) {
    for (const auto& server : scenario.servers) good = good && server.error.empty();
  }
  return good ? success : failure;
}

}  // namespace

void add_bench_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* parent = app.add_subcommand("bench", "Comparisons with other servers");
  parent->require_subcommand(1);
  add_bench_stomp_command(*parent, chosen);
  CLI::App* command = parent->add_subcommand(
      "echo", "Echoed packets: server CPU a message, and memory of idle connections");
  command->footer(
      "Measured are this program with both engines, and the bare loops and others found in\n"
      "bench/servers beside it. Servers take turns; the figures are medians.\n\n"
      "Examples:\n"
      "  hawser bench echo --scenario 64x1 --rounds 3\n"
      "  hawser bench echo --connections 1000 --depth 4 --payload 100 --json all.json --svg "
      "plot.svg\n"
      "  hawser bench echo --only 'hawser uring' --only 'bare io_uring'\n");
  const auto options = std::make_shared<BenchOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  bench::EchoPlan& plan = options->plan;
  const auto names = [command](const char* name, std::vector<std::string>& target, const char* help,
                               const char* type) {
    command->add_option(name, target, help)->type_name(type)->allow_extra_args(false);
  };
  table->begin_group("The load");
  table->add_number("connections", options->connections, 1, 1'000'000,
                    "a load of so many connections, instead of the usual ones");
  table->add_number("depth", options->depth, 1, 100'000, "packets in flight on each of them");
  names("--scenario", options->scenarios,
        "64x1, 1000x1, 64x16, idle or accept-close; may be repeated", "NAME");
  table->add_number("payload", plan.payload, std::size_t{0}, std::size_t{65535},
                    "bytes in a packet");
  table->add_number("rounds", plan.rounds, 1, 1000, "measurements of each server");
  table->add_duration("duration", plan.duration, "of one measurement");
  table->add_duration("warmup", plan.warmup, "before each");
  table->add_number("server-cpu", plan.server_cpu, -1, 4095, "CPU of the server; -1: any");
  table->add_number("client-cpu", plan.client_cpu, -1, 4095, "CPU of the load; -1: any");
  table->begin_group("The servers");
  names("--server", options->servers, "a further one, which prints a ready line; may be repeated",
        "NAME=COMMAND");
  names("--only", options->only, "only this one; may be repeated", "NAME");
  command->add_option("--servers", options->folder, "folder of those to compare with")
      ->type_name("FOLDER");
  command->add_option("--json", options->json, "where all figures go")->type_name("FILE");
  command->add_option("--svg", options->svg, "where a plot goes")->type_name("FILE");
  command->callback([=] {
    options->own_load = command->count("--connections") + command->count("--depth") != 0;
    chosen([=] { return run_bench(*options); });
  });
}

}  // namespace hawser::app
