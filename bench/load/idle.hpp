// What an idle connection costs a server in memory. Public; blocks the calling thread.
#pragma once

#include <bench/load/sockets.hpp>
#include <bench/load/stream.hpp>
#include <bench/load/usage.hpp>
#include <hawser/base/result.hpp>

namespace hawser::bench {

/// Opens `few` and then, beside them, up to `many` connections, each of which exchanges one packet
/// and then stays silent, and reads the server's memory at both points. The difference leaves out
/// what a server has once, however many connections it serves.
struct IdlePlan {
  Endpoint server{};
  pid_t pid = 0;
  Wire wire = Wire::plain;
  unsigned few = 2000;
  unsigned many = 15000;    ///< above `few`; each takes a descriptor here and one in the server
  std::size_t payload = 4;  ///< of the one packet, in bytes
  Duration settle = 5s;     ///< at most so long the server may go on working before it is read
  Duration stall = 10s;
};

struct IdleResult {
  unsigned few = 0;
  unsigned many = 0;
  MemoryUsage at_few{};
  MemoryUsage at_many{};
  std::uint64_t kernel_few = 0;
  std::uint64_t kernel_many = 0;

  /// User memory of the server per connection, in bytes: the slope of its anonymous memory.
  double bytes_per_connection() const noexcept;
  /// The same by its private dirty memory.
  double dirty_bytes_per_connection() const noexcept;
  /// Kernel memory per connection in bytes, both ends together and with whatever else the machine
  /// did meanwhile.
  double kernel_bytes_per_connection() const noexcept;
};

/// Waits until the server has nothing left to do (garbage collection, freed buffers), at most
/// `settle`, and reads its memory.
Result<void> quiet_memory(pid_t pid, Duration settle, MemoryUsage& memory);

/// Errors: invalid_argument, exhausted (descriptors; the text says how many are allowed), and those
/// of opening connections.
Result<IdleResult> run_idle(const IdlePlan& plan);

}  // namespace hawser::bench
