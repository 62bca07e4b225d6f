// What every part of a simulated world stands on: one clock, one heap of events, one source of
// chance, the trace, the links and the hosts. Internal; one thread.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/engine/sim/detail/event_queue.hpp>
#include <hawser/engine/sim/detail/host_state.hpp>
#include <hawser/engine/sim/detail/links.hpp>
#include <hawser/engine/sim/trace.hpp>

#include <map>
#include <memory>
#include <vector>

namespace hawser::sim::detail {

struct Ground {
  explicit Ground(std::uint64_t seed) : random(seed) {}

  Instant now{1000s};  // no code may take zero for "now"
  EventQueue events;
  Random random;
  Trace trace;
  Links links;
  std::vector<std::unique_ptr<HostState>> hosts;
  std::map<Ip, HostIndex> addresses;

  HostState& host(HostIndex index) { return *hosts[index]; }
  /// Nothing sent from `from` reaches `to` now.
  bool unreachable(HostIndex from, HostIndex to) const {
    return !hosts[to]->up || links.is_cut(from, to);
  }
  void after(Duration length, EventKind kind, std::uint32_t index, std::uint32_t generation,
             std::uint64_t extra = 0) {
    events.add(now + length, kind, index, generation, extra);
  }
  Duration drawn(const Span& span) {
    if (span.most <= span.least) return span.least;
    return span.least + Duration{static_cast<Duration::rep>(random.below(
                            static_cast<std::uint64_t>((span.most - span.least).count()) + 1))};
  }
  /// Asks chance for a fault, and only then: a rate of zero draws nothing.
  bool strikes(double rate, FaultKind kind, std::uint64_t object) {
    if (rate <= 0 || !random.chance(rate)) return false;
    trace.add(now, kind, object);
    return true;
  }
};

}  // namespace hawser::sim::detail
