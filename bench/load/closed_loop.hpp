// The load: connections that each keep a fixed number of packets in flight, and a second mode in
// which a connection lives for one packet. Public; blocks the calling thread, which does all work.
#pragma once

#include <bench/load/histogram.hpp>
#include <bench/load/sockets.hpp>
#include <bench/load/stream.hpp>
#include <bench/load/usage.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace hawser::bench {

/// A closed loop: a new packet leaves only when an echo has come back.
struct LoadPlan {
  Endpoint server{};
  pid_t pid = 0;              ///< whose CPU time to read; 0 for none
  unsigned connections = 64;  ///< at least 1; each takes one descriptor
  unsigned depth = 1;         ///< packets in flight per connection, at least 1
  std::size_t payload = 4;    ///< bytes, up to 65,535
  Duration warmup = 500ms;    ///< load before the measured interval
  Duration duration = 2s;     ///< the measured interval, if `packets` is 0
  std::uint64_t packets = 0;  ///< else: it ends after this many echoes
  Duration stall = 10s;       ///< without any progress for so long the run fails
  Wire wire = Wire::plain;    ///< run_churn knows no other
};

/// What was seen in the measured interval. In run_churn a "packet" is a whole connection.
struct LoadResult {
  std::uint64_t packets = 0;
  Duration elapsed{0};
  Histogram latency{};
  CpuUsage server{};  ///< zero when no pid was given
  CpuUsage client{};  ///< the load generator itself

  double packets_per_second() const noexcept;
  /// Server CPU time per packet (or connection), user and system, in microseconds.
  double server_microseconds() const noexcept;
};

/// Opens the connections, loads them, and in the end waits for all echoes still due. Every echo is
/// compared with what was sent. Errors: invalid_argument, refused, exhausted, closed (by the
/// server), protocol_error (a wrong echo), timeout (stalled).
Result<LoadResult> run_closed_loop(const LoadPlan& plan);

/// Accept, one packet, close: `connections` slots, each of which connects, sends one packet, takes
/// its echo and closes, over and over. `depth` is not used. Latency is from connect to echo.
Result<LoadResult> run_churn(const LoadPlan& plan);

}  // namespace hawser::bench
