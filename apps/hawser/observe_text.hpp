// What an observer answered, as lines of plain ASCII that fit a width: for the terminal and for
// --once alike. Internal to the program; pure.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::app {

using Json = nlohmann::json;
using Lines = std::vector<std::string>;

/// One line of at most `width` columns: what is no printable ASCII becomes '?', what is too long
/// ends in '~'.
std::string fitted(std::string_view text, std::size_t width);

/// "12.3k", "4.5M": at most five columns.
std::string short_number(double value);
/// "850 ms", "12 s", "3 h".
std::string short_time(double milliseconds);

/// Servers, schedulers, buses and stalls. `before`: the figures of an earlier look, for rates; null
/// for none.
Lines overview_lines(const Json& figures, const Json& before, std::size_t width);
Lines tree_lines(const Json& tree, std::size_t width);
/// The first line is the heading; then one a connection.
Lines connection_lines(const Json& connections, std::size_t width);
std::string event_line(const Json& event, std::size_t width);
/// "hawser 0.3.0, pid 42, uring, 2 schedulers, up 3 h".
std::string program_line(const Json& program, std::size_t width);

}  // namespace hawser::app
