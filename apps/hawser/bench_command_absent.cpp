// `hawser bench` in a build without bench/: it says so.
#include "commands.hpp"
#include "common.hpp"

namespace hawser::app {

void add_bench_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command = app.add_subcommand("bench", "Comparisons (not in this build)");
  command->allow_extras();
  command->callback([chosen] {
    chosen([] {
      return print_failure("bench", "not in this build; configure with -DHAWSER_BENCH=ON");
    });
  });
}

}  // namespace hawser::app
