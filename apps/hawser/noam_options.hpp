// The options of a Noam host, for `hawser hub` and `hawser noam host` alike, and its start.
// Internal to the program; one thread.
#pragma once

#include "option_table.hpp"

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/noam/host_options.hpp>
#include <hawser/process/system.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::app {

/// What was asked for; where nothing was said, the protocol's own ports are taken once a host is
/// wanted at all.
struct NoamChoice {
  bool alone = false;  ///< `hawser noam host`: it is always wanted, and has the operator's API
  noam::HostOptions host{};
  std::optional<std::string> room{};
  std::string discovery{};  ///< "" nothing was said, "none", or an address; the same for the others
  std::string tcp{};
  std::string websocket{};
  std::string http{};
  std::string policy = "suggested";

  /// `hawser hub` has a Noam host when a room or one of its addresses was named.
  bool wanted() const;
};

void add_noam_options(OptionTable& table, NoamChoice& choice);

/// Starts the host; answers what the ready line shows.
Result<std::vector<std::pair<std::string, Address>>> start_noam(System& system, NoamChoice choice);

}  // namespace hawser::app
