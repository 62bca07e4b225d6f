// The report as JSON and as text.
#include <bench/echo.hpp>
#include <bench/load/clock.hpp>
#include <bench/load/figures.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hawser::bench {

namespace {

using Json = nlohmann::ordered_json;

std::string_view to_string(Load load) {
  switch (load) {
    case Load::echo:
      return "echo";
    case Load::idle:
      return "idle";
    case Load::churn:
      return "accept-close";
    case Load::burst:
      return "burst";
  }
  return "";
}

Json latency_json(const Histogram& latency) {
  return {{"count", latency.count()},
          {"mean_us", rounded(microseconds(latency.mean()))},
          {"p50_us", rounded(microseconds(latency.percentile(0.5)))},
          {"p90_us", rounded(microseconds(latency.percentile(0.9)))},
          {"p99_us", rounded(microseconds(latency.percentile(0.99)))},
          {"p999_us", rounded(microseconds(latency.percentile(0.999)))},
          {"max_us", rounded(microseconds(latency.max()))}};
}

Json idle_json(const IdleResult& idle) {
  const auto memory = [](const MemoryUsage& usage) {
    return Json{{"anonymous_bytes", usage.anonymous}, {"private_dirty_bytes", usage.private_dirty}};
  };
  return {{"few", idle.few},
          {"many", idle.many},
          {"at_few", memory(idle.at_few)},
          {"at_many", memory(idle.at_many)},
          {"anonymous_bytes_per_connection", rounded(idle.bytes_per_connection())},
          {"private_dirty_bytes_per_connection", rounded(idle.dirty_bytes_per_connection())},
          {"kernel_bytes_per_connection_both_ends", rounded(idle.kernel_bytes_per_connection())}};
}

Json server_json(const ServerOutcome& server, Load load) {
  Json json = {{"name", server.name}, {"floor", server.floor}};
  if (!server.error.empty()) json["error"] = server.error;
  if (server.rounds.empty()) return json;
  json["median"] = rounded(server.median);
  json["lowest"] = rounded(server.lowest);
  json["highest"] = rounded(server.highest);
  if (server.ratio > 0) json["ratio_to_floor"] = rounded(server.ratio);
  json["rounds"] = Json::array();
  for (const double round : server.rounds) json["rounds"].push_back(rounded(round));
  if (load == Load::idle) {
    json["memory"] = idle_json(server.idle);
  } else if (load == Load::burst) {
    json["memory"] = {{"idle_anonymous_bytes", server.burst.idle.anonymous},
                      {"after_anonymous_bytes", server.burst.after.anonymous}};
  } else {
    json["per_second"] = rounded(server.packets_per_second);
    json["user_share"] = rounded(server.user_share);
    json["context_switches_per_message"] = rounded(server.switches_per_packet);
    json["latency"] = latency_json(server.latency);
  }
  return json;
}

std::string title(const Scenario& scenario) {
  switch (scenario.load) {
    case Load::echo:
      return fmt::format("{}: {} connections, {} in flight each", scenario.name,
                         scenario.connections, scenario.depth);
    case Load::idle:
      return fmt::format("{}: connections that are silent", scenario.name);
    case Load::churn:
      return fmt::format("{}: accept, one packet, close; {} at a time", scenario.name,
                         scenario.connections);
    case Load::burst:
      return fmt::format("{}: 64 KiB on each of many idle connections", scenario.name);
  }
  return scenario.name;
}

void append_row(std::string& out, const ServerOutcome& server, Load load, std::size_t width) {
  const std::string name = server.name + (server.floor ? " *" : "");
  if (server.rounds.empty()) {
    out += fmt::format("  {:<{}}  {}\n", name, width, server.error);
    return;
  }
  const std::string ratio = server.ratio > 0 ? fmt::format("{:.2f}", server.ratio) : "-";
  out += fmt::format("  {:<{}}  {:>9}  {:>9}  {:>9}  {:>6}", name, width, figure(server.median),
                     figure(server.lowest), figure(server.highest), ratio);
  if (load == Load::idle) {
    out += fmt::format("  {:>10}", figure(server.idle.kernel_bytes_per_connection()));
  } else if (load == Load::burst) {
    out += fmt::format("  {:>10}  {:>10}", figure(static_cast<double>(server.burst.idle.anonymous)),
                       figure(static_cast<double>(server.burst.after.anonymous)));
  } else {
    out += fmt::format("  {:>10}  {:>5.0f} %", figure(server.packets_per_second),
                       server.user_share * 100);
    for (const double share : {0.5, 0.9, 0.99, 0.999}) {
      out += fmt::format("  {:>7}", figure(microseconds(server.latency.percentile(share))));
    }
    out += fmt::format("  {:>8}", figure(microseconds(server.latency.max())));
  }
  if (!server.error.empty()) out += fmt::format("  {}", server.error);
  out += '\n';
}

}  // namespace

std::string to_json(const EchoReport& report) {
  const EchoPlan& plan = report.plan;
  Json json;
  json["benchmark"] = "framed echo";
  json["machine"] = {{"kernel", report.machine.kernel},
                     {"processor", report.machine.processor},
                     {"cpus", report.machine.cpus},
                     {"load_average_at_start", report.machine.load_average}};
  json["settings"] = {{"rounds", plan.rounds},
                      {"warmup_seconds", to_seconds(plan.warmup)},
                      {"seconds", to_seconds(plan.duration)},
                      {"payload_bytes", plan.payload},
                      {"prefix_bytes", 2},
                      {"server_cpu", plan.server_cpu},
                      {"client_cpu", plan.client_cpu}};
  json["notes"] = report.notes;
  json["servers"] = Json::array();
  for (const ServerSpec& server : plan.servers) {
    json["servers"].push_back(
        {{"name", server.name}, {"command", server.command}, {"wire", to_string(server.wire)}});
  }
  json["scenarios"] = Json::array();
  for (const ScenarioOutcome& outcome : report.scenarios) {
    Json scenario = {{"name", outcome.scenario.name},
                     {"load", to_string(outcome.scenario.load)},
                     {"unit", unit_of(outcome.scenario.load)}};
    if (outcome.scenario.connections != 0) {
      scenario["connections"] = outcome.scenario.connections;
      scenario["depth"] = outcome.scenario.depth;
    }
    scenario["servers"] = Json::array();
    for (const ServerOutcome& server : outcome.servers) {
      scenario["servers"].push_back(server_json(server, outcome.scenario.load));
    }
    json["scenarios"].push_back(std::move(scenario));
  }
  // Names and errors come from outside and may hold any byte.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_table(const EchoReport& report) {
  std::string out =
      fmt::format("{}, {}, {} CPUs; {}-byte payloads, {} rounds of {} s\n",
                  report.machine.processor, report.machine.kernel, report.machine.cpus,
                  report.plan.payload, report.plan.rounds, to_seconds(report.plan.duration));
  for (const std::string& note : report.notes) out += fmt::format("note: {}\n", note);
  for (const ScenarioOutcome& outcome : report.scenarios) {
    const Load load = outcome.scenario.load;
    std::size_t width = 8;
    for (const auto& server : outcome.servers) width = std::max(width, server.name.size() + 2);
    out += fmt::format("\n{}\n", title(outcome.scenario));
    out += fmt::format("  {}\n",
                       load == Load::idle    ? "user memory of the server, bytes per connection"
                       : load == Load::burst ? "user memory of the server, afterwards to idle"
                                             : fmt::format("server CPU, {}", unit_of(load)));
    out += fmt::format("  {:<{}}  {:>9}  {:>9}  {:>9}  {:>6}", "server", width, "median", "lowest",
                       "highest", "ratio");
    if (load == Load::idle) {
      out += fmt::format("  {:>10}\n", "kernel");
    } else if (load == Load::burst) {
      out += fmt::format("  {:>10}  {:>10}\n", "idle", "afterwards");
    } else {
      out += fmt::format("  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>8}\n", "per second",
                         "user", "p50 us", "p90 us", "p99 us", "p99.9", "max us");
    }
    for (const ServerOutcome& server : outcome.servers) append_row(out, server, load, width);
  }
  out += "\n* a bare loop; the ratio is to the cheaper of these\n";
  return out;
}

}  // namespace hawser::bench
