// When a run warms up, measures and drains, and the accounts taken at the seams. Internal to
// bench/load; one thread.
#pragma once

#include <bench/load/clock.hpp>
#include <bench/load/closed_loop.hpp>

#include <unistd.h>

#include <utility>

namespace hawser::bench {

class Interval {
 public:
  enum class Phase { warmup, measuring, draining };

  explicit Interval(const LoadPlan& plan) : plan_(plan), begin_(now()) {}

  /// The warm-up begins anew: to be called when the connections are open.
  void restart() noexcept { begin_ = now(); }

  bool measuring() const noexcept { return phase_ == Phase::measuring; }
  bool draining() const noexcept { return phase_ == Phase::draining; }

  /// Counts one echo that was awaited since `sent`, if it belongs to the measured interval.
  void echo(Instant sent, Instant received) noexcept {
    if (!measuring()) return;
    ++result_.packets;
    result_.latency.add(received - sent);
  }

  /// To be called once per turn: goes on to the next phase when it is time.
  Result<void> advance(Instant at) {
    if (phase_ == Phase::warmup && at - begin_ >= plan_.warmup) {
      if (auto taken = account(server_, client_); !taken) return taken;
      begin_ = now();
      phase_ = Phase::measuring;
    } else if (phase_ == Phase::measuring && (plan_.packets != 0 ? result_.packets >= plan_.packets
                                                                 : at - begin_ >= plan_.duration)) {
      CpuUsage server;
      CpuUsage client;
      result_.elapsed = now() - begin_;
      if (auto taken = account(server, client); !taken) return taken;
      result_.server = server - server_;
      result_.client = client - client_;
      phase_ = Phase::draining;
    }
    return {};
  }

  LoadResult take() { return std::move(result_); }

 private:
  Result<void> account(CpuUsage& server, CpuUsage& client) const {
    if (plan_.pid != 0) {
      const auto usage = cpu_usage(plan_.pid);
      if (!usage) return std::unexpected(usage.error());
      server = *usage;
    }
    const auto usage = cpu_usage(getpid());
    if (!usage) return std::unexpected(usage.error());
    client = *usage;
    return {};
  }

  const LoadPlan& plan_;
  Phase phase_ = Phase::warmup;
  Instant begin_;
  CpuUsage server_{};
  CpuUsage client_{};
  LoadResult result_{};
};

}  // namespace hawser::bench
