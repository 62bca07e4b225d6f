// What connections say of bytes that they could not send any more, as a subscriber of telemetry
// hears it. Internal to the tests of this layer; for a simulated System.
#pragma once

#include <hawser/net/trace_points.hpp>
#include <hawser/process/system.hpp>

#include <cstdint>
#include <vector>

namespace hawser::testing {

class LostBytes {
 public:
  explicit LostBytes(System& system)
      : subscription_(
            system.telemetry().subscribe(LogLevel::debug, [this](const TelemetryEvent& event) {
              if (event.point() == trace_point::connection_ended.name)
                left.push_back(event.measure("unsent").value_or(-1));
              if (event.point() == trace_point::connection_bytes_lost.name)
                lost.push_back(event.measure("bytes").value_or(-1));
            })) {}

  std::vector<std::int64_t> left;  ///< `unsent` of each connection that ended
  std::vector<std::int64_t> lost;  ///< `bytes` of each that lost some

 private:
  Telemetry::Subscription subscription_;
};

}  // namespace hawser::testing
