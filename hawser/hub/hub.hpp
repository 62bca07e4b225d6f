// The program `hawser hub` as a library: a bus, STOMP servers over each transport and a packet
// server in one System, from one set of options. Public; used from a plain thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/hub/access_list.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/system.hpp>
#include <hawser/stomp/broker.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::hub {

/// Certificate and key of the servers over TLS, PEM files.
struct HubTls {
  std::string certificate{};  ///< with its intermediates
  std::string key{};
  /// Clients must show a certificate that one of these authorities has signed; "": none is asked
  /// for.
  std::string client_ca{};
};

/// What a STOMP server lets pass though it is forbidden.
struct StompLeniency {
  stomp::Leniency session{};
  bool escapes = false;          ///< undefined ones stay as they are
  bool any_subprotocol = false;  ///< WebSocket clients that offer none of ours
};

/// Where the hub listens and within which limits. Unset: that server is not started.
struct HubOptions {
  /// STOMP 1.0, 1.1 and 1.2.
  std::optional<std::string> stomp = "127.0.0.1:61613";
  std::optional<std::string> stomp_tls{};            ///< the same over TLS; needs `tls`
  std::optional<std::string> stomp_websocket{};      ///< over WebSocket
  std::optional<std::string> stomp_websocket_tls{};  ///< over WebSocket over TLS
  /// Two-byte length-prefixed packets: "ping" is answered "pong", everything else echoed.
  std::optional<std::string> packet = "127.0.0.1:7007";
  SystemOptions system{};
  /// Of each of the STOMP servers.
  ServerOptions stomp_server{};
  ServerOptions packet_server{};
  HubTls tls{};
  stomp::BrokerWebSocket websocket{};
  /// `session.durable` is overridden: as `bus.queue`, but for `durable_overflow`.
  stomp::BrokerOptions broker{};
  bus::QueueOverflow durable_overflow = bus::QueueOverflow::drop_oldest;
  /// What one STOMP server lets pass, by its name ("stomp-tls"), instead of what `broker` and
  /// `websocket` say.
  std::map<std::string, StompLeniency, std::less<>> lenient{};
  bus::BusOptions bus{};
  /// Where durable queues are kept, unless `bus.store` is set: a folder, "" for the user's state
  /// folder, ":memory:" for none.
  std::string data = ":memory:";
  /// A TOML file with [users.NAME] and [anonymous]; "": everybody may do everything. Read again,
  /// with the certificates, on SIGHUP (SystemOptions::reload_on_hangup) and System::request_reload.
  std::string users{};
};

/// Where it really listens (ports that were 0 are known now).
struct HubAddresses {
  std::optional<Address> stomp{};
  std::optional<Address> stomp_tls{};
  std::optional<Address> stomp_websocket{};
  std::optional<Address> stomp_websocket_tls{};
  std::optional<Address> packet{};
  /// Those that there are, by the names of the servers, which the ready line has, too: "stomp-tls".
  std::vector<std::pair<std::string, Address>> list() const;
};

/// Starts everything in `system`, the buses first. The error names the option at fault and the
/// cure; what was started until then ends with the System.
Result<HubAddresses> start_hub(System& system, const HubOptions& options);

/// What the packet server's connections run: "ping" → "pong", anything else comes back as it is.
struct PingEcho {
  Next handle_packet(Packet packet);
};

}  // namespace hawser::hub
