// The figures of a running program, gathered from its parts in one go: what metrics and the
// observer show. Public; plain values, gathered inside a process.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/stall_watch.hpp>
#include <hawser/process/task.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hawser::hub {

/// One scheduler, as of its last turn.
struct SchedulerFigures {
  unsigned number = 0;
  std::uint64_t turns = 0;
  std::uint64_t messages = 0;
  std::uint32_t run_queue = 0;
  std::uint32_t processes = 0;
  std::uint32_t traced = 0;
};

struct BusFigures {
  std::string name;
  bus::BusStatistics statistics;
  /// The first of them, by kind and name; only where they were asked for.
  std::vector<bus::DestinationStatistics> destinations{};
};

struct Figures {
  Instant when;
  /// Bytes of memory the program has resident; 0 where the kernel does not tell.
  std::uint64_t resident = 0;
  std::vector<SchedulerFigures> schedulers;
  std::uint64_t stalls = 0;
  Duration longest_callback{};  ///< see StallRecord::longest
  std::vector<StallRecord::Seen> last_stalls;
  std::vector<ServerStatus> servers;  ///< by name
  /// Servers that did not answer in time: a scheduler is held up, or they are going.
  std::size_t silent_servers = 0;
  std::vector<BusFigures> buses;
};

/// Asks every server of this System and each bus named; those that are not there are left out.
/// Waits for none longer than a second. `destinations`: of each bus so many at most are listed.
Task<Figures> gather_figures(std::vector<std::string> buses, std::uint32_t destinations = 0);

}  // namespace hawser::hub
