// The program's entry: reads the command line, and makes one line of whatever is wrong with it.
#include "commands.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace {

using namespace hawser::app;

/// The subcommand's words as they were typed ("stomp send"), for messages.
std::string chosen_words(const CLI::App& app) {
  std::string words;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    words += ' ' + at->get_name();
  }
  return words;
}

int say_wrong_usage(const CLI::App& app, std::string what) {
  std::ranges::replace(what, '\n', ' ');
  const std::string words = chosen_words(app);
  fmt::print(stderr, "hawser{}: {} (see hawser{} --help)\n", words, what, words);
  return wrong_usage;
}

}  // namespace

int main(int count, char** words) {
  CLI::App app("hawser: supervised connections for Linux", "hawser");
  app.set_version_flag("--version", "hawser " HAWSER_VERSION);
  app.set_help_flag("--help,-h", "this text; each command has its own");
  app.require_subcommand(1);
  app.footer(
      "Sizes are written 4096, 64KiB, 16MiB; times 250ms, 10s, 5min; addresses 127.0.0.1:7007,\n"
      "[::1]:0, unix:/run/x.sock. HAWSER_ENGINE=uring|epoll|auto chooses how the program waits.\n"
      "Exit codes: 0 done, 1 it failed, 2 the command line or the configuration file is wrong.\n");

  std::function<int()> run;
  const Chosen chosen = [&run](std::function<int()> what) { run = std::move(what); };
  add_hub_command(app, chosen);
  add_serve_command(app, chosen);
  add_stomp_command(app, chosen);
  add_noam_command(app, chosen);
  add_observe_command(app, chosen);
  add_bench_command(app, chosen);
  try {
    app.parse(count, words);
    return run();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    return say_wrong_usage(app, error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "hawser{}: {}\n", chosen_words(app), error.what());
    return failure;
  }
}
