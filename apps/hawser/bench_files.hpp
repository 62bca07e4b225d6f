// What the benchmark commands share. Internal to the program; one thread.
#pragma once

#include "commands.hpp"

#include <string>

namespace hawser::app {

std::string path_of_this_program();

/// An empty path writes nothing. False when it cannot be written; a line on stderr has said so.
bool write_file(std::string_view command, const std::string& path, const std::string& text);

void add_bench_stomp_command(CLI::App& parent, const Chosen& chosen);

}  // namespace hawser::app
