// One measured flow through a broker: a producer process, a consumer process, and this one, which
// looks at the clock and at what the broker's process has cost. Public; blocks its thread.
#pragma once

#include <bench/load/usage.hpp>
#include <bench/stomp/broker.hpp>
#include <bench/stomp/consumer.hpp>
#include <bench/stomp/producer.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hawser::bench {

struct Flow {
  ProducerPlan producer{};
  ConsumerPlan consumer{};
  std::vector<std::vector<std::string>> reads{};   ///< what each connection subscribes to
  std::vector<std::vector<std::string>> silent{};  ///< the same, of those that never read
  /// The consumers come when the producer has ended, and take what it left.
  bool consume_after = false;
  Duration warmup = 500ms;
  Duration duration = 2s;
  Duration login_limit = 120s;  ///< for all subscriptions of a connection
};

struct FlowResult {
  double seconds = 0;               ///< that the figures below are of
  std::uint64_t messages = 0;       ///< that came through: in everybody's hands, else confirmed
  std::uint64_t deliveries = 0;     ///< to all consumers; without consumers 0
  CpuUsage broker{};                ///< what its process was charged
  Duration producer{0};             ///< CPU of ours
  Duration consumer{0};             ///< likewise
  std::uint64_t memory_before = 0;  ///< the broker's own, bytes
  std::uint64_t memory_most = 0;    ///< the most that was seen, looking often

  /// Microseconds of the broker's CPU.
  double per_message() const noexcept;
  double per_delivery() const noexcept;
};

/// Errors: what the broker or the kernel says, protocol_error (a body, an order or a count that is
/// wrong), timeout (nothing moves).
Result<FlowResult> run_flow(const Broker& broker, const Flow& flow);

}  // namespace hawser::bench
