// What a server keeps of a burst: many idle connections, then a long packet on each at once, then
// silence again. Public; blocks the calling thread.
#pragma once

#include <bench/load/idle.hpp>

namespace hawser::bench {

struct BurstPlan {
  Endpoint server{};
  pid_t pid = 0;
  Wire wire = Wire::plain;
  unsigned connections = 10000;
  std::size_t payload = 65535;  ///< of the packet that each of them sends
  Duration silence = 3s;        ///< before the memory is read: servers may give it back by and by
  Duration settle = 5s;         ///< at most so long the server may go on working before it is read
  Duration stall = 10s;
};

struct BurstResult {
  MemoryUsage idle{};   ///< when all connections stand, each after one short packet
  MemoryUsage after{};  ///< when all echoes have come back and the server is quiet

  /// Anonymous memory after the burst, as a multiple of that before.
  double ratio() const noexcept;
};

/// Errors: as of run_idle.
Result<BurstResult> run_burst(const BurstPlan& plan);

}  // namespace hawser::bench
