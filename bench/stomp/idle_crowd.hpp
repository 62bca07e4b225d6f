// Connections that do nothing but beat their hearts, and what they cost a broker. Public; one
// thread.
#pragma once

#include <bench/stomp/broker.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstdint>

namespace hawser::bench {

struct CrowdPlan {
  unsigned connections = 10'000;
  Duration heart_beat = 10s;  ///< asked for in both directions
  Duration length = 10s;      ///< of the measured interval
};

struct CrowdResult {
  double share = 0;             ///< of one core, 0 to 1
  double beats_per_second = 0;  ///< received by us
  std::uint64_t memory_before = 0;
  std::uint64_t memory_after = 0;
};

/// Errors: those of connecting; closed (the broker lost patience with one of them), exhausted.
Result<CrowdResult> measure_crowd(const Broker& broker, const CrowdPlan& plan);

}  // namespace hawser::bench
