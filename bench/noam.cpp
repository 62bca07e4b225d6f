// A host is started for each scenario; the rounds of all hosts take turns.
#include <bench/noam.hpp>

#include <bench/load/figures.hpp>
#include <bench/load/noam.hpp>
#include <bench/load/server_process.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace hawser::bench {

namespace {

constexpr std::string_view known[] = {"1x1", "1x200", "beats"};

Result<ServerProcess> start(const NoamHost& host, int cpu) {
  const auto command = split_command(host.command);
  if (!command) return std::unexpected(command.error());
  ServerOptions options;
  options.cpu = cpu;
  options.ready_field = "noam";
  return ServerProcess::start(*command, options);
}

Result<LoadResult> measure(const NoamPlan& plan, const std::string& scenario,
                           const ServerProcess& host) {
  LoadPlan load;
  load.server = host.ready().address;
  // It may listen everywhere; we are on its machine.
  if (load.server.host == "0.0.0.0") load.server.host = "127.0.0.1";
  load.pid = host.ready().pid;
  load.depth = plan.window;
  load.payload = plan.payload;
  load.warmup = plan.warmup;
  load.duration = plan.duration;
  if (scenario == "beats") {
    load.connections = plan.lemmas;
    load.warmup = plan.beat;
    load.duration = plan.beats_duration;
    return run_noam_beats(load, plan.beat);
  }
  load.connections = scenario == "1x1" ? 1 : 200;
  return run_noam_events(load);
}

}  // namespace

Result<std::vector<NoamOutcome>> run_noam(const NoamPlan& plan,
                                          const std::function<void(std::string_view)>& say) {
  for (const std::string& name : plan.scenarios) {
    if (std::ranges::find(known, name) == std::end(known))
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "bench noam",
                                   fmt::format("there is no scenario '{}'", name)});
  }
  const CpuPin pin(plan.client_cpu);
  std::vector<NoamOutcome> outcomes;
  for (const std::string_view scenario : known) {
    if (!plan.scenarios.empty() &&
        std::ranges::find(plan.scenarios, scenario) == plan.scenarios.end())
      continue;
    std::vector<std::optional<ServerProcess>> running;
    const std::size_t first = outcomes.size();
    for (const NoamHost& host : plan.hosts) {
      outcomes.push_back({host.name, std::string(scenario), {}, {}, {}});
      auto started = start(host, plan.server_cpu);
      running.emplace_back();
      if (started) {
        running.back() = *std::move(started);
      } else {
        outcomes.back().error = started.error().text();
      }
    }
    const unsigned rounds = scenario == "beats" ? std::min(plan.rounds, 2U) : plan.rounds;
    for (unsigned round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < plan.hosts.size(); ++i) {
        const std::size_t which = (i + round) % plan.hosts.size();
        NoamOutcome& outcome = outcomes[first + which];
        if (!running[which] || !outcome.error.empty()) continue;
        say(fmt::format("{}: {}, round {} of {}", scenario, outcome.host, round + 1, rounds));
        auto result = measure(plan, std::string(scenario), *running[which]);
        running[which]->drain_output();
        if (!result) {
          outcome.error = fmt::format("{} {}", result.error().text(), running[which]->last_words());
          continue;
        }
        const double cpu = to_seconds(result->server.total);
        outcome.figures.push_back(scenario == "beats" ? 100 * cpu / to_seconds(result->elapsed)
                                                      : result->server_microseconds());
        outcome.per_second.push_back(result->packets_per_second());
      }
    }
  }
  return outcomes;
}

std::string to_table(const std::vector<NoamOutcome>& outcomes) {
  std::string text = fmt::format("{:<8} {:<14} {:>12} {:>24}\n", "", "host", "per second",
                                 "CPU (lowest, highest)");
  for (const NoamOutcome& outcome : outcomes) {
    if (!outcome.error.empty()) {
      text += fmt::format("{:<8} {:<14} {}\n", outcome.scenario, outcome.host, outcome.error);
      continue;
    }
    const auto [lowest, highest] = std::ranges::minmax(outcome.figures);
    const char* const unit = outcome.scenario == "beats" ? "% core" : "us/heard";
    text += fmt::format("{:<8} {:<14} {:>12.0f} {:>8.2f} {} ({:.2f}, {:.2f})\n", outcome.scenario,
                        outcome.host, median_of(outcome.per_second), median_of(outcome.figures),
                        unit, lowest, highest);
  }
  return text;
}

}  // namespace hawser::bench
