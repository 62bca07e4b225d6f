// The options of `hawser hub`, on the command line and in its configuration file. Internal to the
// program; one thread.
#pragma once

#include "option_table.hpp"

#include <hawser/hub/hub.hpp>

#include <string>

namespace hawser::app {

/// Where it listens, its certificates and its data.
void add_hub_places(OptionTable& table, hub::HubOptions& options);
/// Limits, leniencies and transports of STOMP.
void add_stomp_options(OptionTable& table, hub::HubOptions& options);
void add_bus_options(OptionTable& table, hub::HubOptions& options);

/// Asks for a password on the terminal, or takes the first line of stdin, and prints its hash for
/// the configuration file. The exit code.
int print_password_hash();

}  // namespace hawser::app
