// The engine over epoll: for kernels or containers that refuse io_uring. Internal: made by the real
// environment; belongs to its thread, only wake() may come from another.
#pragma once

#include <hawser/engine/detail/blocking_pool.hpp>
#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hawser::detail {

/// Bounds of one poll(), so that one busy socket does not starve the others.
struct EpollOptions {
  std::size_t receive_buffer = 64 * 1024;  ///< bytes a stream hands out at once; one buffer for all
  unsigned reads_per_socket = 4;           ///< receive buffers a stream may fill in one poll
  unsigned accepts_per_listener = 64;
  unsigned datagrams_per_socket = 64;
  /// Readiness reports taken in one poll. What they lead to is sent in the next one: with more, the
  /// kernel's side of the first sockets has left the cache by then.
  unsigned events = 64;
  /// Waits by epoll_pwait2 to the nanosecond. Without it (kernels before 5.11 are found out by
  /// themselves) waits are rounded up to whole milliseconds.
  bool precise_waits = true;
};

/// `reason` says in few words why this engine was chosen. Fails when the machine has no descriptors
/// left.
Result<std::unique_ptr<Engine>> make_epoll_engine(BlockingPool& pool, std::uint64_t seed,
                                                  std::string reason, EpollOptions options = {});

}  // namespace hawser::detail
