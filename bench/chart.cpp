// Drawing charts, and the framed echo's report as one: a panel per scenario, a bar per server.
#include <bench/chart.hpp>
#include <bench/echo.hpp>
#include <bench/load/figures.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hawser::bench {

namespace {

constexpr double width = 930;
constexpr double label_width = 240;
constexpr double value_width = 170;
constexpr double bar_height = 20;
constexpr double bar_step = 27;
constexpr double panel_head = 46;
constexpr double panel_gap = 18;
constexpr double page_head = 66;
constexpr double page_foot = 42;

/// Text for an XML document: markup is escaped, and bytes that XML forbids are replaced.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string shortened(std::string text, std::size_t longest) {
  if (text.size() <= longest) return text;
  std::size_t end = longest;
  // Not within a UTF-8 sequence.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string_view colour(const ChartBar& bar) {
  if (bar.floor) return "#8a939e";
  return bar.accent ? "#c2571a" : "#4f7cac";
}

std::string heading(const Scenario& scenario) {
  switch (scenario.load) {
    case Load::echo:
      return fmt::format("{} connections, {} in flight each — server CPU, {}", scenario.connections,
                         scenario.depth, unit_of(scenario.load));
    case Load::idle:
      return fmt::format("Idle connections — user memory, {}", unit_of(scenario.load));
    case Load::burst:
      return fmt::format("64 KiB on each of many — user memory afterwards, {}",
                         unit_of(scenario.load));
    case Load::churn:
      return fmt::format("Accept, one packet, close — server CPU, {}", unit_of(scenario.load));
  }
  return scenario.name;
}

/// A round number at or above `value`: 1, 2 or 5 times a power of ten, with finer steps between.
double axis_end(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (value <= step * power) return step * power;
  }
  return 10 * power;
}

std::string text(double x, double y, std::string_view style, std::string_view words) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", x, y, style,
                     escaped(words));
}

double panel_height(const ChartPanel& panel) {
  return panel_head + bar_step * static_cast<double>(panel.bars.size()) + 20 + panel_gap;
}

void append_panel(std::string& out, const ChartPanel& panel, double top) {
  double greatest = 0;
  for (const ChartBar& bar : panel.bars) greatest = std::max({greatest, bar.value, bar.high});
  const double end = axis_end(greatest);
  const double room = width - label_width - value_width - 20;
  const double first = top + panel_head;
  const double bottom = first + bar_step * static_cast<double>(panel.bars.size());
  const auto x_of = [&](double value) {
    return label_width + room * std::clamp(value / end, 0.0, 1.0);
  };
  out += text(16, top + 24, "h", panel.heading);
  for (int tick = 0; tick <= 4; ++tick) {
    const double value = end * tick / 4;
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" class=\"g\"/>\n",
        x_of(value), first - 6, bottom);
    out += text(x_of(value), bottom + 14, "t", fmt::format("{:g}", value));
  }
  double y = first;
  for (const ChartBar& bar : panel.bars) {
    const double middle = y + bar_height / 2;
    out += text(label_width - 10, middle + 4.5, "n", shortened(bar.name, 32));
    if (!bar.error.empty()) {
      out += text(label_width + 6, middle + 4.5, "e", shortened(bar.error, 95));
    } else {
      out += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
          label_width, y, std::max(x_of(bar.value) - label_width, 1.0), bar_height, colour(bar));
      if (bar.high > bar.low) {
        out += fmt::format(
            "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"r\"/>\n",
            x_of(bar.low), middle, x_of(bar.high), middle);
      }
      out += text(x_of(std::max(bar.value, bar.high)) + 8, middle + 4.5, "v", bar.label);
    }
    y += bar_step;
  }
}

ChartBar bar_of(const ServerOutcome& server) {
  ChartBar bar;
  bar.name = server.name;
  bar.floor = server.floor;
  bar.accent = server.name.find("hawser") != std::string::npos;
  if (server.rounds.empty()) {
    bar.error = server.error.empty() ? "not measured" : server.error;
    return bar;
  }
  bar.value = server.median;
  bar.low = server.lowest;
  bar.high = server.highest;
  bar.label = figure(server.median);
  if (server.ratio > 0) bar.label += fmt::format("  (× {:.2f})", server.ratio);
  if (!server.error.empty()) bar.label += "  failed later";
  return bar;
}

}  // namespace

std::string to_svg(const Chart& chart) {
  double height = page_head + page_foot;
  for (const ChartPanel& panel : chart.panels) height += panel_height(panel);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"Helvetica, Arial, sans-serif\">\n"
      "<title>{2}</title>\n"
      "<style>.T{{font-size:20px;font-weight:bold;fill:#1d2733}}"
      ".s{{font-size:12px;fill:#5b6670}}"
      ".h{{font-size:15px;font-weight:bold;fill:#1d2733}}"
      ".n{{font-size:13px;fill:#1d2733;text-anchor:end}}"
      ".v{{font-size:13px;fill:#1d2733}}.e{{font-size:12px;fill:#a3262a}}"
      ".t{{font-size:11px;fill:#5b6670;text-anchor:middle}}"
      ".g{{stroke:#dde2e7;stroke-width:1}}.r{{stroke:#1d2733;stroke-width:1.5}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      width, height, escaped(chart.title));
  out += text(16, 32, "T", chart.heading);
  out += text(16, 52, "s", chart.under);
  double top = page_head;
  for (const ChartPanel& panel : chart.panels) {
    append_panel(out, panel, top);
    top += panel_height(panel);
  }
  out += text(16, height - 16, "s", chart.foot);
  return out + "</svg>\n";
}

std::string to_svg(const EchoReport& report) {
  Chart chart;
  chart.title = "Framed echo: cost per message and per idle connection";
  chart.heading = "Framed echo: what a message costs the server";
  chart.under = fmt::format(
      "{}, {}; {}-byte payloads behind a 2-byte length, loopback; shorter is "
      "better",
      report.machine.processor, report.machine.kernel, report.plan.payload);
  chart.foot = fmt::format(
      "Bars: median of {} interleaved rounds; lines: lowest to highest round; "
      "×: ratio to the cheaper bare loop (grey) of the same run.",
      report.plan.rounds);
  for (const ScenarioOutcome& outcome : report.scenarios) {
    ChartPanel panel;
    panel.heading = heading(outcome.scenario);
    for (const ServerOutcome& server : outcome.servers) panel.bars.push_back(bar_of(server));
    chart.panels.push_back(std::move(panel));
  }
  return to_svg(chart);
}

}  // namespace hawser::bench
