// --observe and --metrics of the commands that run a System: what lets others look at it. Internal
// to the program; one thread.
#pragma once

#include "option_table.hpp"

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/process/system.hpp>

#include <string>
#include <utility>
#include <vector>

namespace hawser::app {

struct ObservationOptions {
  std::string observe = "auto";  ///< or "off", or a path
  std::string metrics = "off";   ///< or an address
};

void add_observation_options(OptionTable& table, ObservationOptions& options);

/// Starts what is wanted, before the program's own servers, and adds where it listens to
/// `listening`. The socket of "auto" is a convenience: without it the program runs all the same,
/// and says so in its log.
Result<void> start_observation(System& system, const ObservationOptions& options,
                               const std::vector<std::string>& buses,
                               std::vector<std::pair<std::string, Address>>& listening);

}  // namespace hawser::app
