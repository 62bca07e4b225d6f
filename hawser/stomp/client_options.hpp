// Everything a STOMP client can be told, with its defaults, and presets for brokers. Public; plain
// values.
#pragma once

#include <hawser/net/connection_options.hpp>
#include <hawser/net/dial_options.hpp>
#include <hawser/net/reconnect_policy.hpp>
#include <hawser/net/target.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/process.hpp>
#include <hawser/stomp/client_messages.hpp>
#include <hawser/stomp/client_session.hpp>
#include <hawser/stomp/dialect.hpp>
#include <hawser/stomp/version.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace hawser {
struct ClientOptions;
struct WebSocketClientOptions;
}  // namespace hawser

namespace hawser::stomp {

/// What a full outbox does with one more message.
enum class OutboxOverflow : std::uint8_t {
  reject,       ///< it is refused: overloaded
  drop_oldest,  ///< the one that waited longest goes; its sender is told overloaded
  wait,         ///< a call waits for room, in order; what cannot wait (a cast) is refused
};

/// Octets as they come and go, for debugging; pieces of frames as likely as frames. A passcode is
/// shown as ***. Called on the client's thread.
enum class Direction : std::uint8_t { in, out };
using TraceOctets = std::function<void(Direction, BytesView)>;

struct ClientOptions {
  /// Where to. With several, one that lets nobody log in is left for the next; after a session the
  /// first is tried first again (TargetOrder::in_order), or the one after that session's
  /// (round_robin).
  TargetList targets{};
  /// {tls_client(…)}, {websocket_client(stomp_websocket("/ws"))}, or both, TLS first.
  TransportMakers transports{};
  /// Login, virtual host, heart-beats, limits. An empty `host` is the host that is dialled (C-01).
  ClientSessionOptions session{};
  Dialect dialect{};
  /// Wanted from the start, beside those that are asked for later.
  std::vector<Subscription> subscriptions{};

  /// Socket options are in `dial`, deadlines and buffers of the connection in `connection`.
  DialOptions dial{};
  ConnectionOptions connection{.packet_timeout = 0s, .write_deadline = 10s};
  ReconnectBackoff backoff{.base = 1s, .cap = 60s, .stable_after = 60s};
  std::uint32_t attempts =
      0;  ///< connections that may fail in a row before the client ends; 0: any
  /// Refused logins in a row before the client ends for good, with a reason that restarts no
  /// transient child; 0: it never gives up.
  std::uint32_t login_attempts = 1;
  /// An ERROR with one of these in its message or body is no such refusal: whoever has the name or
  /// the subscription now will give it back (F-04).
  std::vector<std::string> passing_refusals{"already connected", "in use", "InvalidClientID"};

  std::size_t outbox_messages = 10'000;  ///< that wait to be sent, at least 1
  std::size_t outbox_bytes = std::size_t{16} << 20;
  OutboxOverflow outbox_overflow = OutboxOverflow::reject;
  std::uint32_t waiting_senders = 1'000;  ///< OutboxOverflow::wait: calls that wait at once
  std::uint32_t confirm_window = 1'000;   ///< sent messages whose receipts may be awaited at once
  /// A message at whose sending the connection broke so often is given up: it may be what breaks
  /// it. From the first time on it is sent alone.
  std::uint32_t send_attempts = 5;
  std::uint32_t transactions = 16;  ///< open at once

  /// Messages that the handler's coroutines may have unfinished before reading stops.
  std::uint32_t unprocessed = 1'000;
  std::uint32_t batch = 1'000;  ///< messages in one handle_messages, at most
  /// Bodies from this size on, or of unknown size, go to handle_body_part, where the handler has
  /// it.
  std::size_t stream_from = std::size_t{256} << 10;

  /// The handler writes and reads frames itself, CONNECT included (S-05).
  bool raw = false;
  MailboxLimit mailbox{};
  TraceOctets trace{};

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
  /// What the connection below is told.
  hawser::ClientOptions connection_options() const;
};

/// What this broker cannot do for a subscription: invalid_argument or unsupported.
Result<void> check_subscription(const Dialect& dialect, const Subscription& subscription);

/// Of `base`, what the broker needs (C-07). `host` of the session is the virtual host.
ClientOptions rabbitmq(ClientOptions base, std::string virtual_host = "/");
ClientOptions activemq(ClientOptions base, std::string client_id = {});
ClientOptions artemis(ClientOptions base, std::string client_id = {});
ClientOptions spring(ClientOptions base);
/// ActiveMQ with a durable subscription for each topic, acknowledged in `client` mode, whose names
/// are `name` and the topic. `client_id` must be unique: the account, and what tells this program's
/// instances apart (F-02).
ClientOptions network_rail(ClientOptions base, std::string client_id, std::string name,
                           const std::vector<std::string>& topics);

/// A WebSocket for STOMP: the sub-protocols of `versions`, which should be the session's, highest
/// first (W-01): the broker picks the version with it. As a stream (W-02), binary.
WebSocketClientOptions stomp_websocket(std::string path = "/stomp",
                                       VersionSet versions = VersionSet::all());

}  // namespace hawser::stomp
