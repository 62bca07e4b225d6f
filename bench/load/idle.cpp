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
constexpr Duration quiet = 1ms;  // less CPU time than this in a window is no work

constexpr std::size_t longest_greeting = 4096;

double slope(std::uint64_t few, std::uint64_t many, unsigned connections) noexcept {
  if (connections == 0) return 0;
  return (static_cast<double>(many) - static_cast<double>(few)) / connections;
}

Result<void> grow(const IdlePlan& plan, unsigned count, const TlsClients& clients,
                  std::vector<Fellow>& fleet, MemoryUsage& user, std::uint64_t& kernel) {
  FleetPlan opening;
  opening.server = plan.server;
  opening.count = count;
  opening.greet = true;
  opening.payload = plan.payload;
  opening.stall = plan.stall;
  if (auto opened = open_streams(opening, plan.wire, clients, fleet); !opened) return opened;
  if (auto read = quiet_memory(plan.pid, plan.settle, user); !read) return read;
  const auto slab = kernel_memory();
  if (!slab) return std::unexpected(slab.error());
  kernel = *slab;
  return {};
}

}  // namespace

Result<void> quiet_memory(pid_t pid, Duration settle, MemoryUsage& memory) {
  const Instant end = now() + settle;
  auto before = cpu_usage(pid);
  while (before && now() < end) {
    poll(nullptr, 0, window_milliseconds);
    const auto after = cpu_usage(pid);
    if (!after) return std::unexpected(after.error());
    if (after->total - before->total < quiet) break;
    before = after;
  }
  if (!before) return std::unexpected(before.error());
  const auto usage = memory_usage(pid);
  if (!usage) return std::unexpected(usage.error());
  memory = *usage;
  return {};
}

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
  if (auto enough = check_descriptors(plan.many, "idle"); !enough)
    return std::unexpected(enough.error());
  IdleResult result;
  result.few = plan.few;
  result.many = plan.many;
  const TlsClients clients;
  std::vector<Fellow> fleet;
  auto grown = grow(plan, plan.few, clients, fleet, result.at_few, result.kernel_few);
  if (grown) grown = grow(plan, plan.many, clients, fleet, result.at_many, result.kernel_many);
  abort_streams(fleet);
  if (!grown) return std::unexpected(grown.error());
  return result;
}

}  // namespace hawser::bench
