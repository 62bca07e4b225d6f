// Prometheus metrics over HTTP: GET /metrics answers the figures of a running System. Public;
// started from a plain thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser {
class System;
}

namespace hawser::hub {

struct MetricsOptions {
  /// "127.0.0.1:9464". The page names servers and counts what they do; it holds nothing of their
  /// connections.
  std::string listen{};
  std::size_t max_connections = 64;
  std::vector<std::string> buses{};  ///< whose figures are shown
  /// Of each bus so many destinations are listed, the first by kind and name; 0: none.
  std::uint32_t destinations = 1'000;
  std::string version{};
};

/// Starts it under the root supervisor as the server "metrics". Errors: those of any server.
Result<Address> start_metrics(System& system, const MetricsOptions& options);

}  // namespace hawser::hub
