// Columns that go one after another when the terminal is narrow.
#include "observe_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace hawser::app {
namespace {

double number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : 0;
}

std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

const Json& part(const Json& json, const char* key) {
  static const Json none = Json::array();
  if (!json.is_object()) return none;
  const auto found = json.find(key);
  return found != json.end() && found->is_array() ? *found : none;
}

/// The element of `list` whose `key` is that of `one`.
const Json& same(const Json& list, const char* key, const Json& one) {
  static const Json none = Json::object();
  for (const Json& each : list)
    if (each.contains(key) && one.contains(key) && each[key] == one[key]) return each;
  return none;
}

/// How much a counter has grown a second, since an earlier look.
struct Rates {
  double seconds = 0;
  Rates(const Json& now, const Json& before) {
    if (before.is_object()) seconds = (number(now, "when_ms") - number(before, "when_ms")) / 1000;
  }
  std::string of(const Json& now, const Json& before, const char* key) const {
    if (seconds <= 0 || !before.contains(key)) return "-";
    return short_number(std::max(0.0, number(now, key) - number(before, key)) / seconds);
  }
};

/// A table whose columns have a rank: the least important go first when there is no room.
struct Column {
  const char* title;
  std::size_t width;  // 0: takes what is left
  int rank;
};

class Table {
 public:
  Table(std::vector<Column> columns, std::size_t width) : columns_(std::move(columns)) {
    shown_.assign(columns_.size(), true);
    constexpr std::size_t least_rest = 10;
    for (;;) {
      std::size_t used = 0;
      std::size_t worst = columns_.size();
      bool rest = false;
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!shown_[i]) continue;
        rest = rest || columns_[i].width == 0;
        used += (columns_[i].width == 0 ? least_rest : columns_[i].width) + 1;
        if (columns_[i].rank > 0 &&
            (worst == columns_.size() || columns_[i].rank > columns_[worst].rank))
          worst = i;
      }
      if (used <= width + 1 || worst == columns_.size()) {
        rest_ = rest && width + 1 > used ? least_rest + (width + 1 - used) : least_rest;
        break;
      }
      shown_[worst] = false;
    }
    width_ = width;
  }

  std::string heading() const {
    std::vector<std::string> titles;
    for (const Column& each : columns_) titles.emplace_back(each.title);
    return row(titles);
  }
  std::string row(const std::vector<std::string>& cells) const {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!shown_[i]) continue;
      const std::size_t width = columns_[i].width == 0 ? rest_ : columns_[i].width;
      if (!line.empty()) line += ' ';
      const std::string cell = fitted(cells[i], width);
      // Words to the left, figures to the right.
      const bool word = i == 0 || columns_[i].width == 0;
      line += word ? fmt::format("{:<{}}", cell, width) : fmt::format("{:>{}}", cell, width);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return fitted(line, width_);
  }

 private:
  std::vector<Column> columns_;
  std::vector<bool> shown_;
  std::size_t rest_ = 0;
  std::size_t width_ = 0;
};

std::string state_of(const Json& server) {
  std::string state = server.value("draining", false)    ? "draining"
                      : server.value("accepting", false) ? "accepting"
                                                         : text(server, "not_accepting_because");
  const Json& alarms = part(server, "alarms");
  for (const Json& alarm : alarms) state += ", alarm " + alarm.get<std::string>();
  return state;
}

void add_servers(Lines& lines, const Json& figures, const Json& before, const Rates& rates,
                 std::size_t width) {
  const Table table({{"server", 12, 0},
                     {"open", 6, 0},
                     {"acc/s", 5, 5},
                     {"pkt in/s", 8, 1},
                     {"out/s", 6, 2},
                     {"byte in/s", 9, 6},
                     {"out/s", 6, 7},
                     {"refused", 7, 8},
                     {"hs fail", 7, 9},
                     {"total", 6, 4},
                     {"state", 0, 3}},
                    width);
  lines.push_back(table.heading());
  for (const Json& server : part(figures, "servers")) {
    const Json& old = same(part(before, "servers"), "name", server);
    lines.push_back(
        table.row({text(server, "name"), short_number(number(server, "connections")),
                   rates.of(server, old, "accepted"), rates.of(server, old, "packets_in"),
                   rates.of(server, old, "packets_out"), rates.of(server, old, "bytes_in"),
                   rates.of(server, old, "bytes_out"), short_number(number(server, "refused")),
                   short_number(number(server, "handshake_failures")),
                   short_number(number(server, "accepted")), state_of(server)}));
  }
  if (const double silent = number(figures, "silent_servers"); silent > 0)
    lines.push_back(fitted(fmt::format("{} servers do not answer", silent), width));
}

void add_schedulers(Lines& lines, const Json& figures, const Json& before, const Rates& rates,
                    std::size_t width) {
  const Table table({{"scheduler", 9, 0},
                     {"procs", 6, 0},
                     {"queue", 6, 0},
                     {"turns/s", 7, 1},
                     {"msgs/s", 7, 2},
                     {"traced", 6, 3}},
                    width);
  lines.push_back(table.heading());
  for (const Json& each : part(figures, "schedulers")) {
    const Json& old = same(part(before, "schedulers"), "number", each);
    lines.push_back(table.row(
        {fmt::format("{}", number(each, "number")), short_number(number(each, "processes")),
         short_number(number(each, "run_queue")), rates.of(each, old, "turns"),
         rates.of(each, old, "messages"), short_number(number(each, "traced"))}));
  }
}

void add_buses(Lines& lines, const Json& figures, const Json& before, const Rates& rates,
               std::size_t width) {
  const Json& buses = part(figures, "buses");
  if (buses.empty()) return;
  const Table table({{"bus", 12, 0},
                     {"pub/s", 6, 0},
                     {"deliv/s", 7, 1},
                     {"topics", 6, 3},
                     {"queues", 6, 4},
                     {"subs", 6, 2},
                     {"waiting", 7, 1},
                     {"dropped", 7, 5}},
                    width);
  lines.emplace_back();
  lines.push_back(table.heading());
  for (const Json& each : buses) {
    const Json& old = same(part(before, "buses"), "name", each);
    lines.push_back(table.row(
        {text(each, "name"), rates.of(each, old, "published"), rates.of(each, old, "delivered"),
         short_number(number(each, "topics")), short_number(number(each, "queues")),
         short_number(number(each, "subscriptions")),
         short_number(number(each, "waiting_messages")), short_number(number(each, "dropped"))}));
  }
}

void add_stalls(Lines& lines, const Json& figures, std::size_t width) {
  const auto found = figures.find("stalls");
  if (found == figures.end() || !found->is_object()) return;
  lines.emplace_back();
  lines.push_back(
      fitted(fmt::format("memory {}B, stalls {}, longest callback seen {}",
                         short_number(number(figures, "resident_bytes")), number(*found, "count"),
                         short_time(number(*found, "longest_callback_ms"))),
             width));
  const Json& last = part(*found, "last");
  for (auto each = last.rbegin(); each != last.rend(); ++each)
    lines.push_back(fitted(fmt::format("  {} ago: {} in {} held scheduler {} for {} or more",
                                       short_time(number(*each, "ago_ms")), text(*each, "handler"),
                                       text(*each, "callback"), number(*each, "scheduler"),
                                       short_time(number(*each, "so_far_ms"))),
                           width));
}

void add_node(Lines& lines, const Json& node, const std::string& indent, const std::string& branch,
              std::size_t width) {
  std::string line = indent + branch + text(node, "id");
  if (const std::string pid = text(node, "pid"); !pid.empty()) line += ' ' + pid;
  if (node.value("restarting", false)) line += " restarting";
  if (!text(node, "handler").empty()) line += "  " + text(node, "handler");
  if (!text(node, "state").empty()) line += ": " + text(node, "state");
  if (!text(node, "silent").empty()) line += "  (does not answer: " + text(node, "silent") + ")";
  if (const double waiting = number(node, "mailbox"); waiting > 0)
    line += fmt::format(", {} waiting", waiting);
  lines.push_back(fitted(line, width));
  const Json& children = part(node, "children");
  const std::string below = indent + (branch.empty() ? "" : branch == "`- " ? "   " : "|  ");
  for (std::size_t i = 0; i < children.size(); ++i)
    add_node(lines, children[i], below, i + 1 == children.size() ? "`- " : "|- ", width);
  if (children.empty() && number(node, "children_count") > 0)
    lines.push_back(
        fitted(fmt::format("{}`- {} children", below, number(node, "children_count")), width));
}

}  // namespace

std::string fitted(std::string_view text, std::size_t width) {
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) == 0x80U) continue;  // the rest of a character of several bytes
    line += byte >= 0x20 && byte < 0x7f ? text[i] : '?';
  }
  if (line.size() > width) {
    line.resize(width);
    if (width > 0) line.back() = '~';
  }
  return line;
}

std::string short_number(double value) {
  constexpr std::array<const char*, 6> units{"", "k", "M", "G", "T", "P"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const bool whole = unit == 0 && value == std::floor(value);
  return whole || value >= 99.5 ? fmt::format("{:.0f}{}", value, units[unit])
                                : fmt::format("{:.1f}{}", value, units[unit]);
}

std::string short_time(double milliseconds) {
  if (milliseconds < 999.5) return fmt::format("{:.0f} ms", milliseconds);
  const double seconds = milliseconds / 1000;
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} d", seconds / 86400);
}

Lines overview_lines(const Json& figures, const Json& before, std::size_t width) {
  Lines lines;
  const Rates rates(figures, before);
  add_servers(lines, figures, before, rates, width);
  lines.emplace_back();
  add_schedulers(lines, figures, before, rates, width);
  add_buses(lines, figures, before, rates, width);
  add_stalls(lines, figures, width);
  return lines;
}

Lines tree_lines(const Json& tree, std::size_t width) {
  Lines lines;
  if (tree.is_object()) add_node(lines, tree, "", "", width);
  return lines;
}

Lines connection_lines(const Json& connections, std::size_t width) {
  const Table table({{"pid", 12, 0},
                     {"server", 8, 3},
                     {"pkt in/s", 8, 0},
                     {"out/s", 6, 1},
                     {"byte in/s", 9, 5},
                     {"out/s", 6, 6},
                     {"unsent", 6, 4},
                     {"age", 6, 7},
                     {"peer", 0, 2}},
                    width);
  Lines lines{table.heading()};
  for (const Json& each : part(connections, "connections")) {
    std::string peer = text(each, "peer");
    if (each.value("handshaking", false)) peer += " handshake";
    if (!each.value("reading", true)) peer += " not reading";
    lines.push_back(table.row(
        {text(each, "pid"), text(each, "server"), short_number(number(each, "packets_in_rate")),
         short_number(number(each, "packets_out_rate")),
         short_number(number(each, "bytes_in_rate")), short_number(number(each, "bytes_out_rate")),
         short_number(number(each, "unsent")), short_time(number(each, "age_ms")), peer}));
  }
  return lines;
}

std::string event_line(const Json& event, std::size_t width) {
  const std::string kind = text(event, "event");
  const double at = number(event, "at_ms") / 1000;
  if (kind == "trace")
    return fitted(fmt::format("{:.3f} {} {}: {}", at, text(event, "pid"), text(event, "kind"),
                              text(event, "what")),
                  width);
  if (kind == "telemetry")
    return fitted(fmt::format("{:.3f} {} {}: {}", at, text(event, "level"), text(event, "source"),
                              text(event, "text")),
                  width);
  if (kind == "lost")
    return fitted(fmt::format("({} lines lost: too many at once)", number(event, "count")), width);
  return fitted(event.dump(), width);
}

std::string program_line(const Json& program, std::size_t width) {
  return fitted(
      fmt::format("{} {}, pid {}, {}, {} schedulers, up {}", text(program, "program"),
                  text(program, "version"), number(program, "pid"), text(program, "engine"),
                  number(program, "schedulers"), short_time(number(program, "up_ms"))),
      width);
}

}  // namespace hawser::app
