// Everything a client can be told, with its defaults; its states, and what it answers about itself.
// Public; plain values.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/net/connection_options.hpp>
#include <hawser/net/detail/packet_queue.hpp>
#include <hawser/net/dial_options.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/reconnect_policy.hpp>
#include <hawser/net/target.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// What a client is told when it is made. Wrong settings are the error of its start, each by name.
struct ClientOptions {
  /// Where to: "broker-1:61613", several of them with an order, "unix:/run/x.sock".
  TargetList targets{};
  Framing framing = length_prefixed(2);
  /// What stands between socket and packets, the lowest first: {tls_client(…)}. None: plain.
  TransportMakers transports{};
  /// Deadlines and bounds of each connection. One that passes ends that connection, not the client.
  ConnectionOptions connection{};
  /// Look-up, time-out and attempts of one dialing (its host and port are the target's).
  DialOptions dial{};
  ReconnectBackoff backoff{};
  /// Attempts in a row that may fail before the client ends with the last failure's reason; 0: it
  /// never gives up. (One attempt is one dialing of one target.)
  std::uint32_t attempts = 0;
  /// A connection that the peer closes in order is also made again; if not, the client ends then.
  bool reconnect_after_close = true;

  /// Packets sent while there is no connection wait here, in order, and leave after what
  /// handle_connect answers.
  std::size_t queue_packets = 10'000;
  std::size_t queue_bytes = std::size_t{16} << 20;       ///< of their payloads together
  QueueOverflow queue_overflow = QueueOverflow::reject;  ///< at either bound
  /// The queue leaves only when the handler calls client().open_queue(), for protocols that must
  /// log in first.
  bool queue_waits_for_handler = false;

  MailboxLimit mailbox{};  ///< of the client's process

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// What a client does just now.
enum class ClientState : std::uint8_t {
  connecting,  ///< looks up, dials, and goes through the transports' handshakes
  connected,   ///< the handler may talk to its peer
  waiting,     ///< until the next attempt
};
std::string_view to_string(ClientState state) noexcept;

/// What handle_state gets, and whoever watches (WatchClient).
struct ClientChange {
  Pid client;
  ClientState state = ClientState::connecting;
  /// connecting, connected: where to.
  std::string target;
  /// waiting: why there is no connection, and for how long it waits.
  Reason reason;
  Duration wait{};
  /// Attempts since the last connection.
  std::uint32_t attempt = 0;
};

/// A client in figures, since its process was started.
struct ClientStatus {
  Pid pid;
  std::string name;
  ClientState state = ClientState::connecting;
  std::string target;               ///< the last one that was tried
  std::uint32_t attempt = 0;        ///< attempts since the last connection
  std::uint64_t connects = 0;       ///< connections that stood
  std::uint64_t losses = 0;         ///< of those, the ones that were lost
  Reason last_reason;               ///< of the last loss, or of the last attempt that failed
  std::size_t waiting_packets = 0;  ///< for a connection
  std::size_t waiting_bytes = 0;    ///< of those packets
  std::uint64_t dropped = 0;        ///< packets that found no room, or gave way to newer ones
  /// Bytes that were queued on its connections and never left them: each time
  /// `connection.bytes_lost` tells so.
  std::uint64_t bytes_lost = 0;
  std::size_t watchers = 0;  ///< processes that are told of changes (WatchClient)
};

/// call of Ref<Client>: answers a ClientStatus, at once.
struct GetClientStatus {};
/// cast of Ref<Client>: `watcher` gets a ClientChange (handle_info) for the state as it is and for
/// each that follows, until UnwatchClient or its own end.
struct WatchClient {
  Pid watcher;
};
/// cast: no more of that.
struct UnwatchClient {
  Pid watcher;
};
/// cast of Ref<Client>: drops the connection there is and makes another, as if it had been lost;
/// without one, tries again at once.
struct Reconnect {};

}  // namespace hawser
