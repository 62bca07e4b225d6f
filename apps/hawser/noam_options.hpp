// The options of a Noam host, for `hawser hub` and `hawser noam host` alike, and its start. Internal
// to the program; one thread.
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

/// What was asked for; where nothing was said, the host's own ports are taken once it is wanted.
struct NoamChoice {
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

/// `standard_http` is where the operator's API is without a word about it: "none", or an address.
void add_noam_options(OptionTable& table, NoamChoice& choice, const std::string& standard_http);

/// Starts the host; answers what the ready line shows.
Result<std::vector<std::pair<std::string, Address>>> start_noam(System& system, NoamChoice choice,
                                                                const std::string& standard_http);

}  // namespace hawser::app
