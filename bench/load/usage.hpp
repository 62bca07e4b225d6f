// What another process has cost so far: its CPU time, split and whole, its context switches and its
// memory, as the kernel accounts them. Public; any thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <sys/types.h>
#include <cstdint>

namespace hawser::bench {

/// CPU time of a process, all its threads together, since it started.
struct CpuUsage {
  Duration total{0};   ///< the scheduler's own account, in nanoseconds
  Duration user{0};    ///< in ticks of 10 ms: only the share over a longer run means something
  Duration system{0};  ///< likewise
  std::uint64_t switches = 0;  ///< times that its main thread went to sleep or was interrupted

  friend CpuUsage operator-(const CpuUsage& late, const CpuUsage& early) noexcept {
    return {late.total - early.total, late.user - early.user, late.system - early.system,
            late.switches - early.switches};
  }
};

/// `total` comes from the process's CPU clock, which includes threads that have ended; where that
/// is refused, from schedstat of its threads. Of a thread that runs at this instant, what it did
/// since the last scheduler tick (1 to 10 ms) is still missing. Errors: not_found.
Result<CpuUsage> cpu_usage(pid_t pid);

/// Memory of a process that it shares with nobody, in bytes.
struct MemoryUsage {
  std::uint64_t anonymous = 0;      ///< heap, stacks, anonymous mappings
  std::uint64_t private_dirty = 0;  ///< the same plus written pages of private files
};

/// From /proc/PID/smaps_rollup; user memory only. Errors: not_found, refused.
Result<MemoryUsage> memory_usage(pid_t pid);

/// Memory the kernel holds in its own small objects (sockets, descriptors, requests), all programs
/// together, in bytes: the `Slab` line of /proc/meminfo.
Result<std::uint64_t> kernel_memory();

/// The parsers, apart from the files. Errors: failed.
Result<CpuUsage> parse_stat(BytesView stat, std::int64_t ticks_per_second);
Result<MemoryUsage> parse_smaps_rollup(BytesView text);

/// A whole small file, such as those of /proc. Errors: not_found, refused, failed.
Result<Bytes> read_file(const char* path);

}  // namespace hawser::bench
