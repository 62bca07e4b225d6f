// Listing, comparing and choosing, a piece at a time.
#include <hawser/hub/detail/busiest.hpp>

#include <hawser/net/connection_supervisor.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::hub::detail {
namespace {

/// Connections compared before others get their turn.
constexpr std::size_t compared_at_once = 1024;
constexpr Duration listing_limit = 5s;

double weight(const RatedConnection& row, BusiestQuery::By by) {
  switch (by) {
    case BusiestQuery::By::packets:
      return row.packets_in + row.packets_out;
    case BusiestQuery::By::bytes:
      return row.bytes_in + row.bytes_out;
    case BusiestQuery::By::unsent:
      return static_cast<double>(row.info.unsent + row.info.waiting_bytes);
    case BusiestQuery::By::age:
      break;
  }
  return static_cast<double>(row.info.age.count());
}

/// The heavier first; of equals the one that came first.
struct Heavier {
  BusiestQuery::By by;
  bool operator()(const RatedConnection& left, const RatedConnection& right) const {
    const double one = weight(left, by), other = weight(right, by);
    if (one != other) return one > other;
    return left.info.pid < right.info.pid;
  }
};

/// Keeps the `limit` heaviest: a heap whose top is the lightest.
void offer(std::vector<RatedConnection>& best, RatedConnection row, std::size_t limit,
           const Heavier& heavier) {
  if (limit == 0) return;
  if (best.size() == limit) {
    if (!heavier(row, best.front())) return;
    std::pop_heap(best.begin(), best.end(), heavier);
    best.pop_back();
  }
  best.push_back(std::move(row));
  std::push_heap(best.begin(), best.end(), heavier);
}

}  // namespace

RatedConnection Busiest::rate(const ConnectionInfo& info, Instant now) {
  const unsigned scheduler = info.pid.scheduler->number();
  if (seen_.size() <= scheduler) seen_.resize(scheduler + 1);
  std::vector<Seen>& table = seen_[scheduler];
  if (table.size() <= info.pid.index) table.resize(info.pid.index + 1);
  Seen& before = table[info.pid.index];
  if (before.generation != info.pid.generation) {
    before = {};
    before.generation = info.pid.generation;
    before.when = now - info.age;
  }
  RatedConnection row;
  const double seconds = to_seconds(now - before.when);
  const auto per_second = [seconds](std::uint64_t value, std::uint64_t old) {
    return seconds <= 0 || value < old ? 0.0 : static_cast<double>(value - old) / seconds;
  };
  row.packets_in = per_second(info.packets_in, before.packets_in);
  row.packets_out = per_second(info.packets_out, before.packets_out);
  row.bytes_in = per_second(info.bytes_in, before.bytes_in);
  row.bytes_out = per_second(info.bytes_out, before.bytes_out);
  before.when = now;
  before.packets_in = info.packets_in;
  before.packets_out = info.packets_out;
  before.bytes_in = info.bytes_in;
  before.bytes_out = info.bytes_out;
  return row;
}

Task<BusiestAnswer> Busiest::look(BusiestQuery query, std::vector<std::string> servers) {
  System& system = self().system();
  BusiestAnswer answer;
  const Heavier heavier{query.by};
  const std::size_t limit = query.offset + query.count;
  for (const std::string& server : servers) {
    if (!query.server.empty() && query.server != server) continue;
    for (unsigned number = 0; number < system.scheduler_count(); ++number) {
      const Pid pid = system.whereis(fmt::format("{}/connections/{}", server, number));
      if (!pid) continue;
      const Result<std::vector<ConnectionInfo>> list =
          co_await Ref<ConnectionSupervisor>(pid).call(ListConnections{}, listing_limit);
      if (!list) continue;
      std::size_t left = compared_at_once;
      for (const ConnectionInfo& info : *list) {
        if (left-- == 0) {
          co_await sleep(1ms);
          left = compared_at_once;
        }
        RatedConnection row = rate(info, self().now());
        row.info = info;
        row.server = server;
        ++answer.connections;
        offer(answer.rows, std::move(row), limit, heavier);
      }
    }
  }
  std::sort_heap(answer.rows.begin(), answer.rows.end(), heavier);
  const std::size_t skipped = std::min(query.offset, answer.rows.size());
  answer.rows.erase(answer.rows.begin(),
                    answer.rows.begin() + static_cast<std::ptrdiff_t>(skipped));
  co_return answer;
}

}  // namespace hawser::hub::detail
