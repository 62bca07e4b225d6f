// Bounds, offers and leniencies of a broker's sessions. Public; plain values.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/bus/subscription.hpp>
#include <hawser/stomp/access.hpp>
#include <hawser/stomp/heartbeat.hpp>
#include <hawser/stomp/parser.hpp>
#include <hawser/stomp/version.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hawser::stomp {

/// What is let pass though STOMP or this broker's own rules forbid it; all off. What the parser
/// lets pass is in ParserOptions.
struct Leniency {
  /// ACK and NACK of what is not unsettled do nothing, instead of ERROR.
  bool unknown_acks = false;
  /// An unknown `ack` mode counts as auto (as ActiveMQ does).
  bool unknown_ack_modes = false;
  /// SUBSCRIBE without `id` since 1.1: the destination is its id (as RabbitMQ does).
  bool missing_ids = false;
  /// NACK in a 1.0 session (as RabbitMQ does, A-11).
  bool nack_in_1_0 = false;
};

/// One object serves all sessions of a listener and outlives them.
struct SessionOptions {
  ParserOptions parser{};
  Leniency lenient{};
  VersionSet versions = VersionSet::all();
  /// Who may log in, and do what; nullptr: everybody everything.
  std::shared_ptr<const Access> access{};
  /// The `host` headers that are welcome; empty: any. A missing one always is (N-08).
  std::vector<std::string> hosts{};
  /// How long a peer may take from connecting to CONNECTED.
  Duration login_timeout = 10s;
  /// What the broker offers as `heart-beat`.
  Heartbeat heartbeat{std::chrono::milliseconds(10'000), std::chrono::milliseconds(10'000)};
  /// Heart-beats leave after this part of the agreed interval since the last octet written, or so
  /// long before its end, whichever is later: after 0.5 s of 1, after 8 s of 10.
  double send_factor = 0.5;
  Duration send_margin = 2s;
  /// A peer is dead after this many agreed intervals without an octet, plus the grace.
  double receive_factor = 2.0;
  Duration receive_grace = 500ms;
  /// The same for who sends no heart-beats (1.0, or 0 in CONNECT); zero: never.
  Duration idle_timeout{0};
  std::uint32_t subscriptions = 1'000;        ///< per session
  std::uint32_t subscription_id = 1'024;      ///< octets of a subscription's id or durable name
  std::uint32_t destination = 1'024;          ///< octets of a destination
  std::uint32_t receipt = 1'024;              ///< octets of a receipt's name
  std::uint32_t transactions = 16;            ///< open at a time in a session
  std::uint32_t transaction_actions = 1'024;  ///< SENDs, ACKs and NACKs in one
  std::uint32_t transaction_id = 1'024;       ///< octets of its name
  /// What the messages in all open transactions of a session may weigh.
  std::size_t transaction_bytes = std::size_t{64} << 20;
  /// Frames with a receipt that the bus has not answered yet: no more is read meanwhile.
  std::uint32_t awaited_receipts = 10'000;
  /// Deliveries of one subscription that are unsettled: what a `prefetch-count` gets at most, and
  /// without one.
  std::uint32_t prefetch = 1'024;
  std::size_t prefetch_bytes = std::size_t{16} << 20;  ///< the same in octets
  /// Of durable subscriptions that are made here. When one is full the oldest makes room: who
  /// collects and does not come must not stop those who publish.
  bus::QueueOptions durable = [] {
    bus::QueueOptions options;
    options.overflow = bus::QueueOverflow::drop_oldest;
    return options;
  }();
  /// Destinations of one SEND, parted by commas.
  std::uint32_t composite = 64;
  /// The longest `delay` of a SEND.
  Duration delay = 24h * 30;
  std::string server = "hawser/0.1.0";  ///< the `server` header of CONNECTED
};

}  // namespace hawser::stomp
