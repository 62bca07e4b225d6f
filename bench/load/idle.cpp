// The idle measurement: two points and the slope between them.
#include <bench/load/clock.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/idle.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <vector>

namespace hawser::bench {

namespace {

constexpr int window_milliseconds = 100;
constexpr Duration quiet = 1ms;           // less CPU time than this in a window is no work
constexpr unsigned own_descriptors = 64;  // what a program needs beside its connections

constexpr std::size_t longest_greeting = 4096;

double slope(std::uint64_t few, std::uint64_t many, unsigned connections) noexcept {
  if (connections == 0) return 0;
  return (static_cast<double>(many) - static_cast<double>(few)) / connections;
}

/// Waits until the server has nothing left to do: garbage collection, freed buffers.
Result<void> settle(const IdlePlan& plan) {
  const Instant end = now() + plan.settle;
  auto before = cpu_usage(plan.pid);
  while (before && now() < end) {
    poll(nullptr, 0, window_milliseconds);
    const auto after = cpu_usage(plan.pid);
    if (!after) return std::unexpected(after.error());
    if (after->total - before->total < quiet) return {};
    before = after;
  }
  if (!before) return std::unexpected(before.error());
  return {};
}

Result<void> grow(const IdlePlan& plan, unsigned count, std::vector<Descriptor>& fleet,
                  MemoryUsage& user, std::uint64_t& kernel) {
  FleetPlan opening;
  opening.server = plan.server;
  opening.count = count;
  opening.greet = true;
  opening.payload = plan.payload;
  opening.stall = plan.stall;
  if (auto opened = open_fleet(opening, fleet); !opened) return opened;
  if (auto settled = settle(plan); !settled) return settled;
  const auto memory = memory_usage(plan.pid);
  if (!memory) return std::unexpected(memory.error());
  const auto slab = kernel_memory();
  if (!slab) return std::unexpected(slab.error());
  user = *memory;
  kernel = *slab;
  return {};
}

}  // namespace

double IdleResult::bytes_per_connection() const noexcept {
  return slope(at_few.anonymous, at_many.anonymous, many - few);
}

double IdleResult::dirty_bytes_per_connection() const noexcept {
  return slope(at_few.private_dirty, at_many.private_dirty, many - few);
}

double IdleResult::kernel_bytes_per_connection() const noexcept {
  return slope(kernel_few, kernel_many, many - few);
}

Result<IdleResult> run_idle(const IdlePlan& plan) {
  if (plan.pid == 0 || plan.few == 0 || plan.many <= plan.few) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "idle", "needs a pid and 0 < few < many"});
  }
  if (plan.payload > longest_greeting) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "idle",
              fmt::format("the one packet is at most {} bytes, so that it leaves in one piece",
                          longest_greeting)});
  }
  const std::uint64_t limit = raise_descriptor_limit();
  if (plan.many + own_descriptors > limit) {
    return std::unexpected(Error{
        ErrorKind::exhausted, 0, "idle",
        fmt::format("{} connections, but only {} descriptors are allowed", plan.many, limit)});
  }
  IdleResult result;
  result.few = plan.few;
  result.many = plan.many;
  std::vector<Descriptor> fleet;
  auto grown = grow(plan, plan.few, fleet, result.at_few, result.kernel_few);
  if (grown) grown = grow(plan, plan.many, fleet, result.at_many, result.kernel_many);
  abort_fleet(fleet);
  if (!grown) return std::unexpected(grown.error());
  return result;
}

}  // namespace hawser::bench
