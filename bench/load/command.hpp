// Command lines of servers as a user types them, and the line by which a server says that it is
// ready. Public; plain values.
#pragma once

#include <bench/load/sockets.hpp>
#include <hawser/base/result.hpp>

#include <sys/types.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::bench {

struct Command {
  std::vector<std::pair<std::string, std::string>> environment{};  ///< set on top of the caller's
  std::vector<std::string> words{};                                ///< the program first
  friend bool operator==(const Command&, const Command&) = default;
};

/// Splits a command line as a shell does, without a shell: blanks separate, '…' and "…" keep them,
/// a backslash keeps the next character (within "…" only before ", \ and $), and words of the form
/// NAME=VALUE before the program set its environment. Nothing is expanded. Errors:
/// invalid_argument (an open quote, no program).
Result<Command> split_command(std::string_view line);

struct Ready {
  Endpoint address{};  ///< of the field that was asked for
  pid_t pid = 0;       ///< whose CPU time and memory are read
  friend bool operator==(const Ready&, const Ready&) = default;
};

/// Reads "ready packet=127.0.0.1:7007 pid=42": fields in any order, unknown ones ignored. A line
/// that does not begin with "ready " is not_found; one that does but lacks a field, or has a bad
/// one, is invalid_argument.
/// `field` is the name of the address that the load is for.
Result<Ready> parse_ready(std::string_view line, std::string_view field = "packet");

}  // namespace hawser::bench
