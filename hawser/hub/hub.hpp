// The program `hawser hub` as a library: a bus, a STOMP server and a packet server in one System,
// from one set of options. Public; used from a plain thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/system.hpp>
#include <hawser/stomp/broker.hpp>

#include <optional>
#include <string>

namespace hawser::hub {

/// Where the hub listens and within which limits. Unset: that server is not started.
struct HubOptions {
  /// STOMP 1.0, 1.1 and 1.2.
  std::optional<std::string> stomp = "127.0.0.1:61613";
  /// Two-byte length-prefixed packets: "ping" is answered "pong", everything else echoed.
  std::optional<std::string> packet = "127.0.0.1:7007";
  SystemOptions system{};
  ServerOptions stomp_server{};
  ServerOptions packet_server{};
  stomp::BrokerOptions broker{};
  bus::BusOptions bus{};
};

/// Where it really listens (ports that were 0 are known now).
struct HubAddresses {
  std::optional<Address> stomp;
  std::optional<Address> packet;
};

/// Starts everything in `system`, the buses first. The error names the option at fault and the
/// cure; what was started until then ends with the System.
Result<HubAddresses> start_hub(System& system, const HubOptions& options);

/// What the packet server's connections run: "ping" → "pong", anything else comes back as it is.
struct PingEcho {
  Next handle_packet(Packet packet);
};

}  // namespace hawser::hub
