// The program's subcommands: each adds its words to the command line and answers how it went.
// Internal to the program; one thread.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace hawser::app {

/// Exit codes, as in docs/operations.md.
inline constexpr int success = 0;
inline constexpr int failure = 1;
inline constexpr int wrong_usage = 2;

/// Takes what a subcommand does when it was chosen; called once, after the whole line is read.
using Chosen = std::function<void(std::function<int()>)>;

void add_hub_command(CLI::App& app, const Chosen& chosen);
void add_serve_command(CLI::App& app, const Chosen& chosen);
void add_stomp_command(CLI::App& app, const Chosen& chosen);
void add_noam_command(CLI::App& app, const Chosen& chosen);
void add_observe_command(CLI::App& app, const Chosen& chosen);
void add_bench_command(CLI::App& app, const Chosen& chosen);

}  // namespace hawser::app
