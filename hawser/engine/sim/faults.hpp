// What a simulated network and its hosts may do to the programs on them: plain numbers, each fault
// a rate drawn from the world's seed or a length of time. Public; plain value.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace hawser::sim {

/// A span of time to draw from, both ends included.
struct Span {
  Duration least{0};
  Duration most{0};
  friend bool operator==(const Span&, const Span&) = default;
};

/// The defaults are a clean, quick network: nothing is lost, split or refused. A rate is a
/// probability from 0 (never) to 1 (always), asked each time the thing it names happens.
///
/// Faults of a link are asked for the direction in which the bytes travel; those of a host (reads,
/// accepts, the blocking pool) use what is set for the world or for that host alone.
struct Faults {
  // ---- the link --------------------------------------------------------------------------------
  Duration latency = 100us;            ///< one way; loopback and Unix sockets always take 5 µs
  Duration jitter{0};                  ///< added to each segment, uniform from zero to this
  std::uint64_t bytes_per_second = 0;  ///< of one direction of one link; 0 = unlimited
  std::size_t segment_bytes = 65536;   ///< most bytes that travel and arrive together, at least 1

  double connect_refused = 0;      ///< a connection attempt is answered with a reset
  double connect_black_holed = 0;  ///< an attempt is never answered: it times out after 127 s
  double reset = 0;                ///< a segment arrives as a reset, which reaches both ends
  double half_close = 0;       ///< after a segment its sender's direction ends, as if by shutdown
  double stall = 0;            ///< a segment freezes its direction of the connection …
  Span stall_length{1s, 10s};  ///< … for so long; then it goes on where it stood
  /// A reset destroys what its receiver has not read yet. TCP allows it; Linux keeps such bytes
  /// readable where they had arrived, so 0 gives its exact manner and 1 the hardest one.
  double reset_discards = 1;

  double datagram_loss = 0;
  double datagram_duplication = 0;
  double datagram_reordering = 0;  ///< a datagram takes up to reordering_delay longer
  Duration reordering_delay = 20ms;

  // ---- the host --------------------------------------------------------------------------------
  double split_reads = 0;         ///< a read delivers a part only, down to one byte
  double short_writes = 0;        ///< a write takes a part only, down to one byte
  double receive_starvation = 0;  ///< a read finds the receive pool empty and has to come again
  double accept_aborted = 0;      ///< an accepted connection is gone already (ECONNABORTED)
  double accept_exhausted = 0;    ///< an accept fails for want of descriptors (EMFILE)
  Duration completion_delay{0};   ///< each completion comes up to this later
  /// How often a cancel comes too late: the operation ends as if nobody had cancelled it, or has
  /// its effect once more before the cancel takes hold. Kernels do that on a clean network too.
  double late_cancels = 0.1;

  double slow_blocking = 0;  ///< a blocking job or name look-up takes blocking_slow
  Span blocking_usual{50us, 200us};
  Span blocking_slow{100ms, 5s};

  /// The clean network, as above.
  static Faults none() { return {}; }
  /// The seed chooses which faults are on (each about every third time) and how strong. Rates stay
  /// below those at which no connection would ever do any work.
  static Faults swarm(Random& random);

  /// The settings that differ from none(), on one line: "reset=0.01 jitter=3ms"; "none" if nothing
  /// does.
  std::string text() const;

  friend bool operator==(const Faults&, const Faults&) = default;
};

}  // namespace hawser::sim
