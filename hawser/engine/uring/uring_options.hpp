// Every knob of the uring engine, with default, unit and the kernel that has it. Internal; a plain
// struct.
#pragma once

#include <cstdint>

namespace hawser::detail {

struct UringOptions {
  /// Submission queue, in entries (a power of two; any kernel). What does not fit is submitted by
  /// one more system call. Kept small on purpose: the queue is walked round and round, and a short
  /// one stays in the cache.
  unsigned submission_entries = 256;
  /// Completion queue, in entries (a power of two, at least the other; 5.5). What does not fit is
  /// kept by the kernel in a list, which is slow but loses nothing.
  unsigned completion_entries = 4096;
  /// One receive buffer, in bytes: the most that one on_received gets (5.19, as all below).
  std::uint32_t buffer_bytes = 16384;
  /// Receive buffers given to the kernel at first. The kernel hands them out in turn, so that few
  /// buffers are warm ones.
  std::uint32_t initial_buffers = 16;
  /// The pool doubles each time it runs dry, up to this many (a power of two, at most 32768).
  std::uint32_t max_buffers = 4096;
};

}  // namespace hawser::detail
