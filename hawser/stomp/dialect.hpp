// How brokers differ in what STOMP leaves open: the names of their headers, and what they do not
// do (stomp.md 3). Public; plain values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/frame.hpp>

#include <string>
#include <vector>

namespace hawser::stomp {

struct Dialect {
  std::string name = "hawser";  ///< for errors
  /// SUBSCRIBE: how many messages may be on their way unsettled; "": the broker has no such header.
  std::string prefetch = "prefetch-count";
  /// The same in octets.
  std::string prefetch_bytes{};
  /// SUBSCRIBE and UNSUBSCRIBE: the durable subscription's name; "": its name is its `id`.
  std::string durable = "durable-subscription-name";
  /// Added to SUBSCRIBE, and to the UNSUBSCRIBE that takes a durable subscription away.
  std::vector<Header> durable_headers{};
  /// It is taken away by an UNSUBSCRIBE of its own, when nobody consumes it any more (D-20).
  bool durable_ends_apart = false;
  bool has_durable = true;
  /// SEND: what tells a message that is sent once more from another one (C-05).
  std::string deduplication = "message-key";
  bool receipts = true;
  /// NACK in `client` mode takes all earlier messages with it, as the text says.
  bool cumulative_nack = true;
  /// An ACK or NACK in `client` mode takes earlier messages of the connection's other subscriptions
  /// with it, against the text. Such a subscription is then `client-individual` on the wire
  /// (not in 1.0, which has none), and what it settles gets an ACK each.
  bool acks_reach_across = false;
  bool transactions = true;
  bool transactional_acks = true;  ///< `transaction` on ACK and NACK is heeded

  static Dialect hawser();
  static Dialect rabbitmq();
  static Dialect activemq();
  static Dialect artemis();
  static Dialect spring();  ///< its simple broker; in front of a real one take that one's
};

}  // namespace hawser::stomp
