// `hawser bench echo`: this program's echo server against bare loops and others, in one run.
// `hawser bench noam`: what this program's Noam host costs.
#include "bench_files.hpp"
#include "commands.hpp"
#include "common.hpp"

#include <bench/echo.hpp>
#include <bench/noam.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::app {
namespace {

struct BenchOptions {
  bench::EchoPlan plan{};
  unsigned connections = 64;
  unsigned depth = 1;
  bool own_load = false;
  std::string tls_certificate{};
  std::string tls_key{};
  bool websocket = false;
  std::vector<std::string> scenarios{};
  std::vector<std::string> servers{};
  std::vector<std::string> websocket_servers{};
  std::vector<std::string> floors{};
  std::vector<std::string> only{};
  std::string folder{};
  std::string json{};
  std::string svg{};
};

/// This program with each engine: one scheduler, as the bare loops have one thread. `more` is added
/// to the command and `suffix` to the name.
void add_own_servers(std::vector<bench::ServerSpec>& servers, bench::Wire wire,
                     std::string_view suffix, std::string_view more) {
  for (const char* engine : {"uring", "epoll"}) {
    servers.push_back({fmt::format("hawser {}{}", engine, suffix),
                       fmt::format("HAWSER_ENGINE={} \"{}\" serve echo --listen 127.0.0.1:0 "
                                   "--schedulers 1 --max-connections 100000 --log-level error{}",
                                   engine, path_of_this_program(), more),
                       false, wire});
  }
}

/// "NAME=COMMAND"s; answers the one that is none, or "".
std::string add_given(std::vector<bench::ServerSpec>& servers,
                      const std::vector<std::string>& given, bench::Wire wire) {
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) return text;
    servers.push_back({text.substr(0, equals), text.substr(equals + 1), false, wire});
  }
  return {};
}

/// Words into servers and scenarios; answers what is wrong, or "".
std::string complete(BenchOptions& options) {
  bench::EchoPlan& plan = options.plan;
  if (options.folder.empty()) {
    const std::string self = path_of_this_program();
    options.folder = self.substr(0, self.rfind('/')) + "/bench/servers";
  }
  const bool tls = !options.tls_certificate.empty();
  if (tls != !options.tls_key.empty()) return "--tls-certificate and --tls-key belong together";
  const bench::Wire wire = tls ? bench::Wire::tls : bench::Wire::plain;
  const std::string files = fmt::format(" --tls-certificate \"{}\" --tls-key \"{}\"",
                                        options.tls_certificate, options.tls_key);
  add_own_servers(plan.servers, wire, "", " --length-bytes 2" + (tls ? files : ""));
  if (options.websocket)
    add_own_servers(plan.servers, bench::Wire::websocket, " websocket", " --websocket /");
  for (auto& server :
       tls ? bench::tls_servers_in(options.folder) : bench::servers_in(options.folder))
    plan.servers.push_back(std::move(server));
  if (const auto wrong = add_given(plan.servers, options.servers, wire); !wrong.empty())
    return fmt::format("--server: '{}' is not NAME=COMMAND", wrong);
  if (const auto wrong = add_given(plan.servers, options.websocket_servers, bench::Wire::websocket);
      !wrong.empty())
    return fmt::format("--websocket-server: '{}' is not NAME=COMMAND", wrong);
  for (const auto& [option, names] :
       {std::pair("--only", &options.only), std::pair("--floor", &options.floors)})
    for (const std::string& name : *names)
      if (std::ranges::find(plan.servers, name, &bench::ServerSpec::name) == plan.servers.end())
        return fmt::format("{}: no server is named '{}'", option, name);
  const auto among = [](const std::vector<std::string>& names, const bench::ServerSpec& server) {
    return std::ranges::find(names, server.name) != names.end();
  };
  if (!options.only.empty()) {
    std::erase_if(plan.servers,
                  [&](const bench::ServerSpec& server) { return !among(options.only, server); });
  }
  if (!options.floors.empty())
    for (auto& server : plan.servers) server.floor = among(options.floors, server);
  if (options.own_load || !options.scenarios.empty()) plan.scenarios.clear();
  if (tls) {  // the load of idle connections speaks plain only
    std::erase_if(plan.scenarios,
                  [](const bench::Scenario& each) { return each.load == bench::Load::idle; });
  }
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

struct NoamBench {
  bench::NoamPlan plan{};
  std::vector<std::string> servers{};
};

int run_noam_bench(NoamBench options) {
  for (const char* engine : {"uring", "epoll"}) {
    options.plan.hosts.push_back(
        {fmt::format("hawser {}", engine),
         fmt::format("HAWSER_ENGINE={} \"{}\" noam host --room bench --noam 127.0.0.1:0 "
                     "--noam-discovery none --noam-websocket none --noam-http none "
                     "--schedulers 1 --log-level error",
                     engine, path_of_this_program())});
  }
  for (const std::string& text : options.servers) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      print_failure("bench noam", fmt::format("--server: '{}' is not NAME=COMMAND", text));
      return wrong_usage;
    }
    options.plan.hosts.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  const auto outcomes = bench::run_noam(
      options.plan, [](std::string_view line) { fmt::print(stderr, "{}\n", line); });
  if (!outcomes) {
    print_failure("bench noam", outcomes.error().text());
    return wrong_usage;
  }
  fmt::print("{}", bench::to_table(*outcomes));
  const bool good = std::ranges::all_of(
      *outcomes, [](const bench::NoamOutcome& outcome) { return outcome.error.empty(); });
  return good ? success : failure;
}

void add_noam_bench(CLI::App& parent, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand(
      "noam", "A Noam host: its CPU for an event that is heard, and for lemmas that only beat");
  command->footer(
      "Lemmas without any framework play and hear; events are in flight all the time.\n\n"
      "Examples:\n"
      "  hawser bench noam\n"
      "  hawser bench noam --scenario 1x200 --window 16 --rounds 3\n");
  const auto options = std::make_shared<NoamBench>();
  const auto table = std::make_shared<OptionTable>(*command);
  bench::NoamPlan& plan = options->plan;
  command
      ->add_option("--scenario", plan.scenarios,
                   "1x1, 1x200 (speakers by hearers) or beats; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  table->add_number("window", plan.window, 1, 100'000, "events in flight");
  table->add_number("payload", plan.payload, std::size_t{14}, std::size_t{900'000},
                    "bytes of an event's value");
  table->add_number("lemmas", plan.lemmas, 1, 100'000, "that only beat");
  table->add_duration("beat", plan.beat, "between two heart-beats of one of them");
  table->add_number("rounds", plan.rounds, 1, 1000, "measurements of each host");
  table->add_duration("duration", plan.duration, "of one measurement of events");
  table->add_duration("beats-duration", plan.beats_duration, "of one measurement of heart-beats");
  table->add_duration("warmup", plan.warmup, "before each");
  table->add_number("server-cpu", plan.server_cpu, -1, 4095, "CPU of the host; -1: any");
  table->add_number("client-cpu", plan.client_cpu, -1, 4095, "CPU of the lemmas; -1: any");
  command
      ->add_option("--server", options->servers,
                   "a further host, which prints a ready line with noam= and pid=; may be repeated")
      ->type_name("NAME=COMMAND")
      ->allow_extra_args(false);
  command->callback([=] {
    (void)table;
    chosen([=] { return run_noam_bench(*options); });
  });
}

}  // namespace

void add_bench_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* parent = app.add_subcommand("bench", "Comparisons with other servers");
  parent->require_subcommand(1);
  add_noam_bench(*parent, chosen);
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
      "  hawser bench echo --only 'hawser uring' --only 'bare io_uring'\n"
      "  hawser bench echo --tls-certificate chain.pem --tls-key key.pem --scenario 64x1\n"
      "  hawser bench echo --websocket --only 'hawser uring' --only 'hawser uring websocket' \\\n"
      "    --floor 'hawser uring'\n");
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
        "64x1, 1000x1, 64x16, 15000x1, idle, burst or accept-close; may be repeated", "NAME");
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
  names("--websocket-server", options->websocket_servers,
        "one that speaks WebSocket at /; may be repeated", "NAME=COMMAND");
  names("--only", options->only, "only this one; may be repeated", "NAME");
  names("--floor", options->floors,
        "ratios are to the cheapest of these, not of the bare loops; may be repeated", "NAME");
  command->add_flag("--websocket", options->websocket, "this program over WebSocket, too");
  command
      ->add_option("--tls-certificate", options->tls_certificate,
                   "all over TLS: what this program shows, and nobody verifies")
      ->type_name("FILE");
  command->add_option("--tls-key", options->tls_key, "its key")->type_name("FILE");
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
