// What a SUBSCRIBE or UNSUBSCRIBE asks for, in the words of RabbitMQ, ActiveMQ and Artemis alike
// (stomp.md 3, D-01 to D-20), and in Apollo's (3.4). Internal to the STOMP layer; pure. Views into
// the frame.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/stomp/ack_mode.hpp>
#include <hawser/stomp/frame.hpp>

#include <cstdint>
#include <optional>

namespace hawser::stomp::detail {

struct SubscribeHeaders {
  std::optional<BytesView> destination{};
  std::optional<BytesView> id{};
  std::optional<BytesView> receipt{};
  AckMode ack = AckMode::automatic;
  /// prefetch-count, activemq.prefetchSize. 0 means "no bound" on both brokers: ours is the limit.
  std::optional<std::uint64_t> prefetch{};
  /// durable-subscription-name, durable-subscriber-name, activemq.subscriptionName: belongs to the
  /// client-id.
  std::optional<BytesView> durable_name{};
  /// RabbitMQ's durable:true (before: persistent:true): the subscription's id is its name, whoever
  /// the client is.
  bool durable_by_id = false;
  BytesView selector{};
  bool browser = false;
  bool exclusive = false;
  bool no_local = false;
  /// from-seq: a position, or bus::Subscription::from_now for -1.
  std::optional<std::uint64_t> from{};
  /// include-seq: the header of each MESSAGE that is to tell its position.
  std::optional<BytesView> position_header{};

  bool durable() const noexcept { return durable_name.has_value() || durable_by_id; }
};

/// A mode nobody knows (auto where `any_ack`), a number that is none: errors which name the header.
Result<SubscribeHeaders> read_subscribe_headers(const FrameView& frame, bool any_ack = false);

}  // namespace hawser::stomp::detail
