// `hawser bench stomp`: this program's hub and other brokers under the same loads, in one run.
#include "bench_files.hpp"
#include "commands.hpp"
#include "common.hpp"

#include <bench/stomp/stomp_bench.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace hawser::app {
namespace {

struct StompBenchOptions {
  bench::StompPlan plan{};
  std::vector<std::string> servers{};
  std::string hub_options{};
  std::string json{};
  std::string svg{};
};

int run_stomp_bench(StompBenchOptions options) {
  bench::StompPlan& plan = options.plan;
  plan.hub = fmt::format("\"{}\" hub {}", path_of_this_program(), options.hub_options);
  for (const std::string& text : options.servers) {
    auto broker = bench::parse_broker(text);
    if (!broker) {
      print_failure("bench stomp", broker.error().text());
      return wrong_usage;
    }
    if (const auto pid = bench::listening_process(broker->at.port)) {
      broker->pid = *pid;
    } else {
      print_failure("bench stomp", pid.error().text() + "; its CPU time is not measured");
    }
    plan.others.push_back(std::move(*broker));
  }
  const auto report =
      bench::run_stomp(plan, [](std::string_view line) { fmt::print(stderr, "{}\n", line); });
  if (!report) {
    print_failure("bench stomp", report.error().text());
    return report.error().kind == ErrorKind::invalid_argument ? wrong_usage : failure;
  }
  fmt::print("{}", bench::stomp_table(*report));
  std::fflush(stdout);
  bool good = write_file("bench stomp", options.json, bench::stomp_json(*report));
  good = write_file("bench stomp", options.svg, bench::stomp_svg(*report)) && good;
  return good && report->good() ? success : failure;
}

}  // namespace

void add_bench_stomp_command(CLI::App& parent, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand(
      "stomp", "STOMP brokers: messages a second, and what each costs the broker");
  command->footer(
      "Measured are a hub of this program, started for each scenario, and the brokers named by\n"
      "--server, which run already. The exit code is 1 when a bar is missed. Scenarios:\n"
      "  transient   a queue, a producer, a consumer, pipelined, nothing on disk\n"
      "  fan-out     a topic with 100 subscribers\n"
      "  persistent  a queue on disk, a receipt for each message, 256 of them awaited\n"
      "  stored      the same without a consumer meanwhile\n"
      "  routing     100,000 subscriptions over 10,000 topics, a tenth of them wildcards\n"
      "  slow        a topic with a consumer that does not read\n"
      "  idle        10,000 connections with heart-beats\n\n"
      "Examples:\n"
      "  hawser bench stomp --only transient --rounds 3\n"
      "  hawser bench stomp --server rabbitmq=guest:guest@127.0.0.1:61613 \\\n"
      "    --server nats=nats://127.0.0.1:4222 --json all.json --svg all.svg\n");
  const auto options = std::make_shared<StompBenchOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  bench::StompPlan& plan = options->plan;
  table->begin_group("The load");
  command->add_option("--only", plan.scenarios, "only this scenario; may be repeated")
      ->type_name("SCENARIO")
      ->allow_extra_args(false);
  table->add_number("rounds", plan.rounds, 1, 10'000, "how often each broker is measured");
  table->add_duration("warm-up", plan.warmup, "before each measurement");
  table->add_duration("length", plan.duration, "of each measurement");
  table->add_number("body", plan.body, 16, 65'536, "bytes in a message");
  table->add_number("window", plan.window, 1, 65'535, "messages under way, not on disk");
  table->add_number("receipts", plan.receipts, 1, 65'535, "messages not yet confirmed, on disk");
  table->add_number("subscribers", plan.subscribers, 1, 10'000, "of fan-out");
  table->add_number("topics", plan.topics, 1, 1'000'000, "of routing");
  table->add_number("subscriptions", plan.subscriptions, 1, 10'000'000, "of routing");
  table->add_number("idle", plan.idle, 1, 1'000'000, "connections with heart-beats");
  table->add_duration("heart-beat", plan.heart_beat, "of those, in both directions");
  table->add_text("folder", "FOLDER", plan.folder, "the disk that is measured");
  table->begin_group("The brokers");
  command
      ->add_option(
          "--server", options->servers,
          "one that runs: NAME=[stomp://|nats://][LOGIN:PASSCODE@]IP:PORT; may be repeated")
      ->type_name("NAME=ADDRESS")
      ->allow_extra_args(false);
  table->add_text("hub-options", "WORDS", options->hub_options, "for the hub of this program");
  command->add_option("--json", options->json, "where all figures go")->type_name("FILE");
  command->add_option("--svg", options->svg, "where a plot goes")->type_name("FILE");
  command->callback([=] { chosen([=] { return run_stomp_bench(*options); }); });
}

}  // namespace hawser::app
