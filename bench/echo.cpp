// Running the comparison: starting the servers of a scenario, interleaving the rounds, summing up.
#include <bench/echo.hpp>

#include <bench/load/figures.hpp>
#include <bench/load/server_process.hpp>

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace hawser::bench {

namespace {

Machine this_machine() {
  Machine machine;
  utsname names = {};
  if (uname(&names) == 0) machine.kernel = fmt::format("{} {}", names.sysname, names.release);
  machine.cpus = usable_cpus();
  if (const auto text = read_file("/proc/cpuinfo")) {
    const std::size_t key = text->find("model name");
    const std::size_t colon = text->find(": ", key);
    if (key != std::string::npos && colon != std::string::npos) {
      machine.processor = text->substr(colon + 2, text->find('\n', colon) - colon - 2);
    }
  }
  if (const auto text = read_file("/proc/loadavg")) {
    machine.load_average = text->substr(0, text->find(' '));
  }
  return machine;
}

Error bad_plan(std::string what) {
  return {ErrorKind::invalid_argument, 0, "bench echo", std::move(what)};
}

Result<void> check_plan(const EchoPlan& plan) {
  if (plan.servers.empty()) return std::unexpected(bad_plan("there is no server to measure"));
  if (plan.scenarios.empty()) return std::unexpected(bad_plan("there is no scenario to run"));
  const auto speaks_more = [](const ServerSpec& server) { return server.wire != Wire::plain; };
  const auto churns = [](const Scenario& scenario) { return scenario.load == Load::churn; };
  if (std::ranges::any_of(plan.servers, speaks_more) && std::ranges::any_of(plan.scenarios, churns))
    return std::unexpected(bad_plan("accept-close is a load of plain servers only"));
  if (plan.rounds == 0) return std::unexpected(bad_plan("rounds start at 1"));
  if (plan.duration <= Duration{0}) return std::unexpected(bad_plan("seconds must be above 0"));
  for (std::size_t i = 0; i < plan.servers.size(); ++i) {
    if (const auto command = split_command(plan.servers[i].command); !command) {
      return std::unexpected(
          bad_plan(fmt::format("server \"{}\": {}", plan.servers[i].name, command.error().text())));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (plan.servers[i].name == plan.servers[j].name) {
        return std::unexpected(
            bad_plan(fmt::format("two servers are named \"{}\"", plan.servers[i].name)));
      }
    }
  }
  return {};
}

/// Memory is weighed, once, and not timed.
bool weighs(Load load) { return load == Load::idle || load == Load::burst; }

/// One scenario: its servers' processes and what was measured so far.
class ScenarioRun {
 public:
  ScenarioRun(const EchoPlan& plan, const Scenario& scenario, const Progress& progress)
      : plan_(plan), progress_(progress) {
    outcome_.scenario = scenario;
    for (const ServerSpec& spec : plan.servers) {
      ServerOutcome server;
      server.name = spec.name;
      server.floor = spec.floor;
      outcome_.servers.push_back(std::move(server));
    }
    totals_.resize(plan.servers.size());
    processes_.resize(plan.servers.size());
  }

  ScenarioOutcome run() {
    // Idle servers hold thousands of connections: one lives at a time, and one measurement has no
    // noise to average away.
    if (weighs(outcome_.scenario.load)) {
      for (std::size_t i = 0; i < count(); ++i) {
        if (start(i)) measure(i, 0);
        processes_[i].reset();
      }
    } else {
      for (std::size_t i = 0; i < count(); ++i) start(i);
      for (unsigned round = 0; round < plan_.rounds; ++round) {
        // Each round begins with another server, so that none is always the first after a pause.
        for (std::size_t i = 0; i < count(); ++i) measure((i + round) % count(), round);
      }
    }
    for (std::size_t i = 0; i < count(); ++i) finish(i);
    processes_.clear();
    summarize(outcome_);
    return std::move(outcome_);
  }

 private:
  struct Totals {
    CpuUsage cpu{};
    std::uint64_t packets = 0;
    std::vector<double> rates{};
  };

  std::size_t count() const { return outcome_.servers.size(); }

  bool start(std::size_t index) {
    const auto command = split_command(plan_.servers[index].command);
    ServerOptions options;
    options.cpu = plan_.server_cpu;
    auto process = command ? ServerProcess::start(*command, options)
                           : Result<ServerProcess>(std::unexpected(command.error()));
    if (process) {
      processes_[index].emplace(std::move(*process));
      return true;
    }
    outcome_.servers[index].error = "did not come up: " + process.error().text();
    tell(index, outcome_.servers[index].error);
    return false;
  }

  void measure(std::size_t index, unsigned round) {
    auto& process = processes_[index];
    ServerOutcome& server = outcome_.servers[index];
    if (!process) return;
    process->drain_output();
    const Load load = outcome_.scenario.load;
    const auto measured = load == Load::idle    ? measure_idle(index)
                          : load == Load::burst ? measure_burst(index)
                                                : measure_load(index);
    if (!measured) {
      server.error = measured.error().text();
      if (!process->running())
        server.error += fmt::format("; it has ended: {}", process->last_words());
      process.reset();
      tell(index, server.error);
      return;
    }
    server.rounds.push_back(*measured);
    tell(index,
         fmt::format("round {}: {:.3f} {}", round + 1, *measured, unit_of(outcome_.scenario.load)));
  }

  Result<double> measure_load(std::size_t index) {
    const Ready& ready = processes_[index]->ready();
    LoadPlan load;
    load.server = ready.address;
    load.pid = ready.pid;
    load.connections = outcome_.scenario.connections;
    load.depth = outcome_.scenario.depth;
    load.payload = plan_.payload;
    load.warmup = plan_.warmup;
    load.duration = plan_.duration;
    load.wire = plan_.servers[index].wire;
    load.stall = 30s;
    const auto result =
        outcome_.scenario.load == Load::churn ? run_churn(load) : run_closed_loop(load);
    if (!result) return std::unexpected(result.error());
    if (result->packets == 0) {
      return std::unexpected(Error{ErrorKind::timeout, 0, "load", "not one echo in the interval"});
    }
    Totals& totals = totals_[index];
    totals.cpu.user += result->server.user;
    totals.cpu.system += result->server.system;
    totals.cpu.switches += result->server.switches;
    totals.packets += result->packets;
    totals.rates.push_back(result->packets_per_second());
    outcome_.servers[index].latency.merge(result->latency);
    return result->server_microseconds();
  }

  Result<double> measure_idle(std::size_t index) {
    IdlePlan idle;
    idle.server = processes_[index]->ready().address;
    idle.pid = processes_[index]->ready().pid;
    idle.wire = plan_.servers[index].wire;
    idle.few = plan_.idle_few;
    idle.many = plan_.idle_many;
    const auto result = run_idle(idle);
    if (!result) return std::unexpected(result.error());
    outcome_.servers[index].idle = *result;
    return result->bytes_per_connection();
  }

  Result<double> measure_burst(std::size_t index) {
    BurstPlan burst;
    burst.server = processes_[index]->ready().address;
    burst.pid = processes_[index]->ready().pid;
    burst.wire = plan_.servers[index].wire;
    burst.connections = plan_.burst_connections;
    burst.stall = 30s;
    const auto result = run_burst(burst);
    if (!result) return std::unexpected(result.error());
    outcome_.servers[index].burst = *result;
    return result->ratio();
  }

  void finish(std::size_t index) {
    const Totals& totals = totals_[index];
    ServerOutcome& server = outcome_.servers[index];
    if (totals.packets == 0) return;
    server.packets_per_second = median_of(totals.rates);
    const double user = to_seconds(totals.cpu.user);
    const double system = to_seconds(totals.cpu.system);
    server.user_share = user + system > 0 ? user / (user + system) : 0;
    server.switches_per_packet =
        static_cast<double>(totals.cpu.switches) / static_cast<double>(totals.packets);
  }

  void tell(std::size_t index, std::string_view what) const {
    if (!progress_) return;
    progress_(
        fmt::format("{}: {}: {}", outcome_.scenario.name, outcome_.servers[index].name, what));
  }

  const EchoPlan& plan_;
  const Progress& progress_;
  ScenarioOutcome outcome_;
  std::vector<Totals> totals_;
  std::vector<std::optional<ServerProcess>> processes_;
};

}  // namespace

std::vector<Scenario> known_scenarios() {
  return {{"64x1", Load::echo, 64, 1},   {"1000x1", Load::echo, 1000, 1},
          {"64x16", Load::echo, 64, 16}, {"15000x1", Load::echo, 15000, 1},
          {"idle", Load::idle, 0, 0},    {"accept-close", Load::churn, 64, 1},
          {"burst", Load::burst, 0, 0}};
}

std::vector<Scenario> default_scenarios() {
  auto scenarios = known_scenarios();
  std::erase_if(scenarios, [](const Scenario& scenario) {
    return scenario.load == Load::churn || scenario.load == Load::burst ||
           scenario.connections > 1000;
  });
  return scenarios;
}

namespace {

struct Known {
  const char* name;
  const char* file;
  bool floor;
};

std::vector<ServerSpec> found_in(const std::string& folder, std::span<const Known> known,
                                 Wire wire) {
  std::vector<ServerSpec> found;
  for (const Known& server : known) {
    const std::string path = folder + "/" + server.file;
    if (access(path.c_str(), X_OK) != 0) continue;
    std::string quoted = "'";
    for (const char c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    found.push_back({server.name, quoted + "' --listen 127.0.0.1:0", server.floor, wire});
  }
  return found;
}

}  // namespace

std::vector<ServerSpec> servers_in(const std::string& folder) {
  constexpr Known known[] = {{"bare epoll", "bare_epoll", true},
                             {"bare io_uring", "bare_uring", true},
                             {"asio", "asio_echo", false},
                             {"libuv", "libuv_echo", false},
                             {"erlang", "erlang_echo.escript", false},
                             {"erlang otp", "erlang_otp_echo.escript", false},
                             {"erlang ranch", "erlang_ranch_echo.escript", false}};
  return found_in(folder, known, Wire::plain);
}

std::vector<ServerSpec> tls_servers_in(const std::string& folder) {
  constexpr Known known[] = {{"bare TLS", "bare_tls", true}};
  return found_in(folder, known, Wire::tls);
}

std::string_view unit_of(Load load) noexcept {
  switch (load) {
    case Load::echo:
      return "µs per message";
    case Load::idle:
      return "bytes per connection";
    case Load::churn:
      return "µs per connection";
    case Load::burst:
      return "× idle memory";
  }
  return "";
}

void summarize(ScenarioOutcome& outcome) {
  // A bare loop keeps one pointer per idle connection: a ratio to that says nothing.
  const bool comparable = !weighs(outcome.scenario.load);
  double cheapest = 0;
  for (ServerOutcome& server : outcome.servers) {
    if (server.rounds.empty()) continue;
    server.median = median_of(server.rounds);
    server.lowest = std::ranges::min(server.rounds);
    server.highest = std::ranges::max(server.rounds);
    if (comparable && server.floor && server.median > 0 &&
        (cheapest <= 0 || server.median < cheapest)) {
      cheapest = server.median;
    }
  }
  for (ServerOutcome& server : outcome.servers) {
    server.ratio = cheapest > 0 && !server.rounds.empty() ? server.median / cheapest : 0;
  }
}

Result<EchoReport> run_echo(const EchoPlan& plan, const Progress& progress) {
  if (auto good = check_plan(plan); !good) return std::unexpected(good.error());
  EchoReport report;
  report.plan = plan;
  report.machine = this_machine();
  if (usable_cpus() < 2 && report.plan.server_cpu != report.plan.client_cpu) {
    report.plan.server_cpu = report.plan.client_cpu = -1;
    report.notes.emplace_back("one CPU only: nothing is pinned, server and load share it");
  }
  const CpuPin pin(report.plan.client_cpu);
  if (report.plan.client_cpu >= 0 && !pin.pinned()) {
    report.notes.push_back(
        fmt::format("the load generator could not be pinned to CPU {}", report.plan.client_cpu));
  }
  for (const Scenario& scenario : plan.scenarios) {
    report.scenarios.push_back(ScenarioRun(report.plan, scenario, progress).run());
  }
  return report;
}

}  // namespace hawser::bench
