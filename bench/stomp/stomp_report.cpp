// The comparison of brokers as JSON, as a table and as a picture.
#include <bench/chart.hpp>
#include <bench/load/clock.hpp>
#include <bench/load/figures.hpp>
#include <bench/stomp/stomp_bench.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace hawser::bench {

namespace {

using Json = nlohmann::ordered_json;

std::string span_text(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax_element(values);
  return fmt::format("{} to {}", figure(*low), figure(*high));
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(rounded(value));
  return list;
}

bool idle(const StompOutcome& outcome) { return outcome.scenario.name == "idle"; }

/// What a unit of the row's figures is.
std::string unit_text(const StompOutcome& outcome) {
  if (idle(outcome)) return "heart-beats";
  const std::string& name = outcome.scenario.name;
  return name == "fan-out" || name == "routing" ? "deliveries" : "messages";
}

std::string row_name(const StompRow& row) {
  return row.variant.empty() ? row.broker : fmt::format("{}, {}", row.broker, row.variant);
}

}  // namespace

std::string stomp_json(const StompReport& report) {
  const StompPlan& plan = report.plan;
  Json json;
  json["benchmark"] = "stomp brokers";
  json["machine"] = report.machine;
  json["settings"] = {{"hub", plan.hub},
                      {"rounds", plan.rounds},
                      {"warmup_seconds", to_seconds(plan.warmup)},
                      {"seconds", to_seconds(plan.duration)},
                      {"body_bytes", plan.body},
                      {"window", plan.window},
                      {"receipts_under_way", plan.receipts},
                      {"subscribers", plan.subscribers},
                      {"topics", plan.topics},
                      {"subscriptions", plan.subscriptions},
                      {"idle_connections", plan.idle},
                      {"heart_beat_seconds", to_seconds(plan.heart_beat)}};
  json["scenarios"] = Json::array();
  for (const StompOutcome& outcome : report.outcomes) {
    Json scenario = {{"name", outcome.scenario.name},
                     {"title", outcome.scenario.title},
                     {"unit", unit_text(outcome)},
                     {"notes", outcome.notes},
                     {"brokers", Json::array()}};
    for (const StompRow& row : outcome.rows) {
      Json entry = {{"name", row.broker}, {"variant", row.variant}};
      if (!row.error.empty()) entry["error"] = row.error;
      if (!row.rates.empty()) {
        entry["per_second"] = rounded(row.rate());
        entry[idle(outcome) ? "percent_of_a_core" : "cpu_us"] = rounded(row.cost());
        entry["rounds"] = {{"per_second", numbers(row.rates)}, {"cpu", numbers(row.cpu)}};
        entry["generator_cpu_us"] = rounded(median_of(row.client));
        entry["grown_megabytes"] = rounded(row.memory);
      }
      scenario["brokers"].push_back(std::move(entry));
    }
    json["scenarios"].push_back(std::move(scenario));
  }
  json["bars"] = Json::array();
  for (const StompBar& bar : report.bars) {
    json["bars"].push_back({{"scenario", bar.scenario},
                            {"what", bar.what},
                            {"measured", rounded(bar.measured)},
                            {bar.at_most ? "at_most" : "at_least", rounded(bar.bound)},
                            {"note", bar.note},
                            {"met", bar.met()}});
  }
  json["good"] = report.good();
  // Brokers' own words may hold any byte.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string stomp_table(const StompReport& report) {
  std::string out =
      fmt::format("{}\n{} rounds of {} s, bodies of {} bytes, medians\n", report.machine,
                  report.plan.rounds, to_seconds(report.plan.duration), report.plan.body);
  for (const StompOutcome& outcome : report.outcomes) {
    std::size_t width = 10;
    for (const StompRow& row : outcome.rows) width = std::max(width, row_name(row).size());
    out += fmt::format("\n{}: {}\n  {:<{}}  {:>12}  {:>10}  {:>18}  {:>9}  {:>7}\n",
                       outcome.scenario.name, outcome.scenario.title, "", width,
                       unit_text(outcome) + "/s", idle(outcome) ? "% of a core" : "CPU us each",
                       "lowest to highest", "generator", "grew MB");
    for (const StompRow& row : outcome.rows) {
      if (row.rates.empty()) {
        out += fmt::format("  {:<{}}  {}\n", row_name(row), width, row.error);
        continue;
      }
      out += fmt::format("  {:<{}}  {:>12}  {:>10}  {:>18}  {:>9}  {:>7.0f}{}\n", row_name(row),
                         width, grouped(row.rate()), figure(row.cost()), span_text(row.cpu),
                         row.client.empty() ? "" : figure(median_of(row.client)), row.memory,
                         row.error.empty() ? "" : "  then: " + row.error);
    }
    for (const std::string& note : outcome.notes) out += fmt::format("  {}\n", note);
  }
  if (!report.bars.empty()) {
    out += fmt::format("\n{:<11} {:<58} {:>10}    {:>10}\n", "bars", "", "measured", "bound");
    for (const StompBar& bar : report.bars) {
      out += fmt::format("{:<11} {:<58} {:>10} {} {:>10}  {}{}\n", bar.scenario, bar.what,
                         figure(bar.measured), bar.at_most ? "<=" : ">=", figure(bar.bound),
                         bar.met() ? "met" : "MISSED",
                         bar.note.empty() ? "" : fmt::format(" ({})", bar.note));
    }
  }
  return out;
}

std::string stomp_svg(const StompReport& report) {
  Chart chart;
  chart.title = "STOMP brokers: what a message costs";
  chart.heading = "STOMP brokers: what a message costs the broker";
  chart.under = fmt::format("{}; bodies of {} bytes, loopback; shorter is better", report.machine,
                            report.plan.body);
  chart.foot = fmt::format(
      "Bars: median of {} interleaved rounds; lines: lowest to highest round; "
      "behind them what came through a second.",
      report.plan.rounds);
  for (const StompOutcome& outcome : report.outcomes) {
    ChartPanel panel;
    panel.heading = fmt::format(
        "{} — {}", outcome.scenario.title,
        idle(outcome) ? "% of a core" : fmt::format("broker CPU, µs, {}", unit_text(outcome)));
    for (const StompRow& row : outcome.rows) {
      ChartBar bar;
      bar.name = row_name(row);
      bar.error = row.rates.empty() ? row.error : "";
      bar.accent = row.own;
      if (!row.rates.empty()) {
        const auto [low, high] = std::ranges::minmax_element(row.cpu);
        bar.value = row.cost();
        bar.low = *low;
        bar.high = *high;
        bar.label = fmt::format("{}  ({}/s)", figure(row.cost()), grouped(row.rate()));
      }
      panel.bars.push_back(std::move(bar));
    }
    chart.panels.push_back(std::move(panel));
  }
  return to_svg(chart);
}

}  // namespace hawser::bench
