// `hawser observe`: a look at a running program through its observer's socket, live or once, and
// the few orders it takes.
#include "commands.hpp"
#include "common.hpp"
#include "observe_link.hpp"
#include "observe_screen.hpp"
#include "observe_text.hpp"

#include <hawser/hub/observer.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

namespace hawser::app {
namespace {

struct ObserveOptions {
  std::string where;
  bool once = false;
  bool json = false;
  std::string by = "packets";
  std::uint32_t count = 20;
  std::string suspend;
  std::string resume;
  std::string drain;
  bool refuse = false;
  Duration deadline{};
  ScreenOptions screen;
};

/// The sockets in this user's folder.
std::vector<std::string> sockets_here() {
  std::vector<std::string> found;
  std::error_code wrong;
  for (const auto& each : std::filesystem::directory_iterator(hub::observer_folder(), wrong))
    if (each.path().extension() == ".sock") found.push_back(each.path().string());
  std::ranges::sort(found);
  return found;
}

/// A path, a process id, or nothing: then the one program there is.
Result<std::string> address_of(const std::string& where) {
  if (where.starts_with("unix:")) return where;
  const bool number = !where.empty() && std::ranges::all_of(where, [](unsigned char c) {
    return std::isdigit(c) != 0;
  });
  if (number) return fmt::format("unix:{}/{}.sock", hub::observer_folder(), where);
  if (!where.empty()) return "unix:" + where;
  std::vector<std::string> live;
  for (const std::string& path : sockets_here()) {
    // What a killed program has left behind answers nobody.
    const std::string process = std::filesystem::path(path).stem().string();
    if (std::filesystem::exists("/proc/" + process)) live.push_back(path);
  }
  if (live.size() == 1) return "unix:" + live.front();
  std::string text = live.empty()
                         ? fmt::format("no program of this user is in {}", hub::observer_folder())
                         : "there are several; name one:";
  for (const std::string& path : live) text += " " + path;
  return std::unexpected(Error{ErrorKind::not_found, 0, {}, text});
}

int fail(const Error& error) { return print_failure("observe", error.text()); }

/// Two looks, an interval apart: the rates are those of that interval.
Result<Json> snapshot(ObserveLink& link, const ObserveOptions& options) {
  Json all = Json::object();
  const Json connections{{"ask", "connections"}, {"by", options.by}, {"count", options.count}};
  if (auto first = link.ask({{"ask", "figures"}})) {
    all["before"] = std::move(*first);
  } else {
    return first;
  }
  if (auto first = link.ask(connections); !first) return first;
  link.pause(options.screen.interval);
  for (const char* ask : {"program", "figures", "tree"}) {
    auto answer = link.ask({{"ask", ask}});
    if (!answer) return answer;
    all[ask] = std::move(*answer);
  }
  auto answer = link.ask(connections);
  if (!answer) return answer;
  all["connections"] = std::move(*answer);
  return all;
}

void print(const Lines& lines) {
  for (const std::string& line : lines) fmt::print("{}\n", line);
}

int print_snapshot(ObserveLink& link, const ObserveOptions& options) {
  auto all = snapshot(link, options);
  if (!all) return fail(all.error());
  if (options.json) {
    fmt::print("{}\n", all->dump(2, ' ', false, Json::error_handler_t::replace));
    return success;
  }
  constexpr std::size_t width = 120;
  fmt::print("{}\n\n", program_line((*all)["program"], width));
  print(overview_lines((*all)["figures"], (*all)["before"], width));
  fmt::print("\n");
  print(tree_lines((*all)["tree"], width));
  fmt::print("\n");
  print(connection_lines((*all)["connections"], width));
  return success;
}

/// One after another, in the order suspend, resume, drain.
int give_orders(ObserveLink& link, const ObserveOptions& options) {
  const auto give = [&](const Json& order, Duration limit) -> int {
    const auto answer = link.ask(order, limit);
    if (!answer) return fail(answer.error());
    fmt::print("{}\n", answer->dump());
    return success;
  };
  if (!options.suspend.empty()) {
    Json order{{"ask", "suspend"}, {"server", options.suspend}};
    if (options.refuse) order["socket"] = "close";
    if (const int status = give(order, 10s); status != success) return status;
  }
  if (!options.resume.empty())
    if (const int status = give({{"ask", "resume"}, {"server", options.resume}}, 10s);
        status != success)
      return status;
  if (!options.drain.empty()) {
    const auto deadline =
        std::chrono::duration_cast<std::chrono::milliseconds>(options.deadline).count();
    Json order{{"ask", "drain"}, {"server", options.drain}};
    if (deadline > 0) order["deadline_ms"] = deadline;
    if (const int status = give(order, Duration::max()); status != success) return status;
  }
  return success;
}

int observe(ObserveOptions options) {
  options.screen.interval = std::max(options.screen.interval, Duration(10ms));
  const auto address = address_of(options.where);
  if (!address) return fail(address.error());
  ObserveLink link(*address);
  if (auto connected = link.connect(); !connected)
    return print_failure("observe", fmt::format("{}: {}", *address, connected.error().text()));
  if (!options.suspend.empty() || !options.resume.empty() || !options.drain.empty())
    return give_orders(link, options);
  if (options.once || options.json) return print_snapshot(link, options);
  if (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1)
    return print_failure("observe", "this is no terminal; use --once or --json");
  return run_screen(link, *address, options.screen);
}

}  // namespace

void add_observe_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "observe", "Shows a running program: servers, connections, processes, rates");
  command->footer(
      "Keys: 1 overview, 2 supervision tree, 3 busiest connections, 4 events; s sorts, t traces\n"
      "the chosen connection, e asks for events, p pauses, q quits. It finds the program again\n"
      "when that has been restarted at the same path.\n\n"
      "Examples:\n"
      "  hawser observe                          the one program of this user\n"
      "  hawser observe 4242 --once              a snapshot as text\n"
      "  hawser observe /run/hub.sock --json     the same for scripts\n"
      "  hawser observe /run/hub.sock --suspend stomp\n");
  const auto options = std::make_shared<ObserveOptions>();
  command->add_option("WHERE", options->where, "the socket's path, or the program's process id");
  const auto table = std::make_shared<OptionTable>(*command);
  table->add_flag("once", options->once, "print one snapshot as text, and end");
  table->add_flag("json", options->json, "the same as JSON (docs/observation.md)");
  table->add_duration("interval", options->screen.interval,
                      "between two looks, 10ms or more; --once: over which rates are taken");
  table->add_choice<std::string>(
      "by", options->by,
      {{"packets", "packets"}, {"bytes", "bytes"}, {"unsent", "unsent"}, {"age", "age"}},
      "--once: the order of the connections");
  table->add_number("count", options->count, 1, 1000, "--once: how many connections");
  table->add_size("show-bytes", options->screen.bytes_shown,
                  "of each packet of a traced connection; they may hold secrets");
  table->begin_group("Orders");
  table->add_text("suspend", "SERVER", options->suspend, "it accepts nobody; clients wait");
  table->add_flag("refuse", options->refuse, "--suspend: clients are refused instead");
  table->add_text("resume", "SERVER", options->resume, "it accepts again");
  table->add_text("drain", "SERVER", options->drain,
                  "it lets its connections end, and serves nobody again; waits for the last");
  table->add_duration("deadline", options->deadline,
                      "--drain: then what is left is killed; 0: as the server is set");
  command->callback([options, table, chosen] { chosen([=] { return observe(*options); }); });
}

}  // namespace hawser::app
