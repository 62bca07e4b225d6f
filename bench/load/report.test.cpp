// Summing up and the three forms of the report.
#include <bench/echo.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace hawser::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

ServerOutcome measured(std::string name, bool floor, std::vector<double> rounds) {
  ServerOutcome server;
  server.name = std::move(name);
  server.floor = floor;
  server.rounds = std::move(rounds);
  server.latency.add(100us, 99);
  server.latency.add(5ms);
  return server;
}

EchoReport sample() {
  EchoReport report;
  report.machine = {"Linux 6.1", "Abacus <3> & sons", 2, "0.10"};
  report.plan.servers = {{"bare epoll", "/x/bare_epoll", true}, {"ours", "A=1 /x/ours", false}};
  report.notes = {"nothing special"};
  ScenarioOutcome echo;
  echo.scenario = {"64x16", Load::echo, 64, 16};
  echo.servers = {measured("bare epoll", true, {0.5, 0.25, 0.75}),
                  measured("bare io_uring", true, {0.4, 0.4, 0.4}),
                  measured("ours", false, {1.0, 0.5, 0.6, 0.7})};
  ServerOutcome absent;
  absent.name = "<gone>";
  absent.error = "did not come up: \"no\" & never";
  echo.servers.push_back(absent);
  summarize(echo);
  ScenarioOutcome idle;
  idle.scenario = {"idle", Load::idle, 0, 0};
  idle.servers = {measured("ours", false, {12345})};
  idle.servers[0].idle.few = 2000;
  idle.servers[0].idle.many = 15000;
  idle.servers[0].idle.at_many.anonymous = 13000 * 12345ULL;
  summarize(idle);
  report.scenarios = {echo, idle};
  return report;
}

TEST(SummaryTest, MediansRangesAndRatiosToTheCheaperFloor) {
  const ScenarioOutcome echo = sample().scenarios[0];
  EXPECT_DOUBLE_EQ(echo.servers[0].median, 0.5);
  EXPECT_DOUBLE_EQ(echo.servers[0].lowest, 0.25);
  EXPECT_DOUBLE_EQ(echo.servers[0].highest, 0.75);
  EXPECT_DOUBLE_EQ(echo.servers[0].ratio, 1.25);
  EXPECT_DOUBLE_EQ(echo.servers[1].ratio, 1.0);
  EXPECT_DOUBLE_EQ(echo.servers[2].median, 0.65);
  EXPECT_DOUBLE_EQ(echo.servers[2].ratio, 0.65 / 0.4);
  EXPECT_DOUBLE_EQ(echo.servers[3].ratio, 0);
}

TEST(SummaryTest, WithoutAFloorThereIsNoRatio) {
  EXPECT_DOUBLE_EQ(sample().scenarios[1].servers[0].ratio, 0);
}

TEST(SummaryTest, IdleMemoryHasNoRatio) {
  ScenarioOutcome idle;
  idle.scenario = {"idle", Load::idle, 0, 0};
  idle.servers = {measured("bare epoll", true, {16}), measured("ours", false, {160})};
  summarize(idle);
  EXPECT_DOUBLE_EQ(idle.servers[1].median, 160);
  EXPECT_DOUBLE_EQ(idle.servers[1].ratio, 0);
}

TEST(ReportTest, JsonHoldsEveryFigureAndFailure) {
  const auto json = nlohmann::json::parse(to_json(sample()));
  EXPECT_EQ(json["machine"]["processor"], "Abacus <3> & sons");
  EXPECT_EQ(json["settings"]["rounds"], 5);
  EXPECT_EQ(json["settings"]["seconds"], 2.0);
  EXPECT_EQ(json["servers"][1]["command"], "A=1 /x/ours");
  const auto& echo = json["scenarios"][0];
  EXPECT_EQ(echo["unit"], "µs per message");
  EXPECT_EQ(echo["connections"], 64);
  EXPECT_EQ(echo["depth"], 16);
  EXPECT_EQ(echo["servers"][2]["median"], 0.65);
  EXPECT_EQ(echo["servers"][2]["ratio_to_floor"], 1.625);
  EXPECT_EQ(echo["servers"][2]["rounds"].size(), 4U);
  EXPECT_EQ(echo["servers"][2]["latency"]["max_us"], 5000.0);
  EXPECT_NEAR(echo["servers"][2]["latency"]["p50_us"].get<double>(), 100, 1);
  EXPECT_EQ(echo["servers"][3]["error"], "did not come up: \"no\" & never");
  EXPECT_FALSE(echo["servers"][3].contains("median"));
  const auto& idle = json["scenarios"][1]["servers"][0];
  EXPECT_EQ(idle["memory"]["anonymous_bytes_per_connection"], 12345.0);
  EXPECT_FALSE(idle.contains("latency"));
}

TEST(ReportTest, JsonSurvivesBytesThatAreNoUtf8) {
  EchoReport report = sample();
  report.scenarios[0].servers[3].error = "broken \xff byte";
  EXPECT_TRUE(nlohmann::json::accept(to_json(report)));
}

TEST(ReportTest, TheTableHasARowPerServer) {
  const std::string table = to_table(sample());
  EXPECT_THAT(table, HasSubstr("64x16: 64 connections, 16 in flight each"));
  EXPECT_THAT(table, HasSubstr("bare io_uring *      0.400      0.400      0.400    1.00"));
  EXPECT_THAT(table, HasSubstr("ours                 0.650      0.500       1.00    1.62"));
  EXPECT_THAT(table, HasSubstr("<gone>           did not come up: \"no\" & never"));
  EXPECT_THAT(table, HasSubstr("12,345"));
  EXPECT_THAT(table, HasSubstr("note: nothing special"));
}

/// Enough of an XML reader to find tags that do not match and markup that is not escaped.
bool well_formed(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '&') {
      const std::size_t end = text.find(';', at);
      if (end == std::string::npos || end - at > 6) return false;
    }
    if (text[at] != '<') {
      ++at;
      continue;
    }
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.empty() || tag.find('<') != std::string::npos) return false;
    if (std::ranges::count(tag, '"') % 2 != 0) return false;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find_first_of(" \n")));
    }
    at = end + 1;
  }
  return open.empty();
}

TEST(ReportTest, ThePlotIsWellFormedAndNamesEverything) {
  const std::string svg = to_svg(sample());
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, HasSubstr("Abacus &lt;3&gt; &amp; sons"));
  EXPECT_THAT(svg, HasSubstr(">&lt;gone&gt;<"));
  EXPECT_THAT(svg, HasSubstr("did not come up: &quot;no&quot; &amp; never"));
  EXPECT_THAT(svg, HasSubstr("64 connections, 16 in flight each — server CPU, µs per message"));
  EXPECT_THAT(svg, HasSubstr("0.650  (× 1.62)"));
  EXPECT_THAT(svg, HasSubstr("bytes per connection"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(ReportTest, BarsAreInProportion) {
  EchoReport report = sample();
  report.scenarios.resize(1);
  report.scenarios[0].servers = {measured("half", false, {1.0}), measured("whole", false, {2.0})};
  summarize(report.scenarios[0]);
  const std::string svg = to_svg(report);
  std::vector<double> widths;
  for (std::size_t at = 0; (at = svg.find("<rect x=", at)) != std::string::npos; ++at) {
    const std::string key = "width=\"";
    widths.push_back(std::stod(svg.substr(svg.find(key, at) + key.size())));
  }
  ASSERT_EQ(widths.size(), 2U);
  EXPECT_NEAR(widths[1], 2 * widths[0], 0.2);
}

TEST(PlanTest, WhatCannotRunIsRefused) {
  EchoPlan plan;
  EXPECT_EQ(run_echo(plan, {}).error().kind, ErrorKind::invalid_argument);
  plan.servers = {{"a", "x", false}, {"a", "y", false}};
  EXPECT_THAT(run_echo(plan, {}).error().text(), HasSubstr("two servers are named \"a\""));
  plan.servers = {{"a", "'x", false}};
  EXPECT_THAT(run_echo(plan, {}).error().text(), HasSubstr("is not closed"));
  plan.servers = {{"a", "x", false}};
  plan.rounds = 0;
  EXPECT_THAT(run_echo(plan, {}).error().text(), HasSubstr("rounds"));
  plan.rounds = 1;
  plan.scenarios.clear();
  EXPECT_THAT(run_echo(plan, {}).error().text(), HasSubstr("scenario"));
}

TEST(PlanTest, AServerThatDoesNotComeUpIsReported) {
  EchoPlan plan;
  plan.servers = {{"absent", "/nowhere/at-all", false}};
  plan.scenarios = {{"1x1", Load::echo, 1, 1}};
  std::vector<std::string> lines;
  const auto report = run_echo(plan, [&](std::string_view line) { lines.emplace_back(line); });
  ASSERT_TRUE(report);
  EXPECT_THAT(report->scenarios[0].servers[0].error, HasSubstr("did not come up"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("1x1: absent: did not come up"));
}

}  // namespace
}  // namespace hawser::bench
