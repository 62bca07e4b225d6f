// The live view of `hawser observe` in a terminal. Internal to the program; one thread. ncurses,
// which does the terminal, is seen by observe_screen.cpp alone.
#pragma once

#include "observe_link.hpp"

#include <hawser/base/time.hpp>

#include <cstddef>
#include <string>

namespace hawser::app {

struct ScreenOptions {
  Duration interval = 1s;       ///< between two looks
  std::size_t bytes_shown = 0;  ///< of each packet of a traced connection
};

/// Shows until the user quits; answers the exit code. The terminal is as it was after it, whatever
/// ends it.
int run_screen(ObserveLink& link, const std::string& address, const ScreenOptions& options);

}  // namespace hawser::app
