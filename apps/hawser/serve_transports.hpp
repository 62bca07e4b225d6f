// The options of `hawser serve` about what stands between its packets and its socket. Internal to
// the program; one thread.
#pragma once

#include "option_table.hpp"

#include <hawser/base/result.hpp>
#include <hawser/engine/address_range.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/reloader.hpp>

#include <string>
#include <vector>

namespace hawser::app {

struct ServeTransports {
  std::string tls_certificate{};
  std::string tls_key{};
  std::string tls_client_ca{};
  std::string websocket{};
  std::string unix_path{};
  std::vector<AddressRange> proxies{};
};

void add_transport_options(OptionTable& table, ServeTransports& transports);

/// Puts the transports, and what they ask of framing and listening, into `server`; answers what is
/// read again upon SIGHUP. Errors name the option and what is wrong with it. `keep_request`: the
/// handler may look at the WebSocket's request.
Result<std::vector<ReloadPart>> apply_transports(const ServeTransports& transports,
                                                 std::size_t packet_limit, bool keep_request,
                                                 ServerOptions& server);

}  // namespace hawser::app
