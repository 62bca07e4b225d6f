// Rules resolved into one set of faults per direction, and the arithmetic of latency and bandwidth.
#include <hawser/engine/sim/detail/links.hpp>

#include <algorithm>

namespace hawser::sim::detail {

namespace {
Duration drawn(Random& random, Duration most) {
  if (most <= Duration::zero()) return Duration::zero();
  return Duration{
      static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}
}  // namespace

void Links::add_host() {
  ++hosts_;
  ways_.resize(hosts_);
  for (auto& row : ways_) row.resize(hosts_);
  host_faults_.resize(hosts_);
  apply_rules();
}

std::uint64_t Links::add_rule(const Scope& scope, const Faults& faults) {
  rules_.push_back({next_rule_, scope, faults});
  apply_rules();
  return next_rule_++;
}

void Links::remove_rule(std::uint64_t id) {
  std::erase_if(rules_, [id](const Rule& rule) { return rule.id == id; });
  apply_rules();
}

void Links::set_base(const Faults& faults) {
  base_ = faults;
  apply_rules();
}

void Links::apply_rules() {
  for (HostIndex from = 0; from < hosts_; ++from) {
    for (HostIndex to = 0; to < hosts_; ++to) {
      Faults& faults = at(from, to).faults;
      faults = base_;
      for (const Rule& rule : rules_) {
        const bool fits = !rule.scope.host_only && (!rule.scope.from || *rule.scope.from == from) &&
                          (!rule.scope.to || *rule.scope.to == to);
        if (fits) faults = rule.faults;
      }
    }
    Faults& own = host_faults_[from];
    own = base_;
    for (const Rule& rule : rules_) {
      // A rule for every link is a rule for every host too; a rule for one link is not.
      const bool everywhere = !rule.scope.from && !rule.scope.to;
      if (everywhere || (rule.scope.host_only && rule.scope.from == from)) own = rule.faults;
    }
  }
}

Instant Links::arrival(HostIndex from, HostIndex to, std::size_t bytes, Instant now,
                       Random& random) {
  if (from == to) return now + loopback_latency;
  Way& way = at(from, to);
  Instant leaves = now;
  if (way.faults.bytes_per_second != 0) {
    const auto nanoseconds =
        static_cast<double>(bytes) * 1e9 / static_cast<double>(way.faults.bytes_per_second);
    leaves = std::max(now, way.busy_until) + Duration{static_cast<Duration::rep>(nanoseconds)};
    way.busy_until = leaves;
  }
  return leaves + way.faults.latency + drawn(random, way.faults.jitter);
}

Duration Links::delay(HostIndex from, HostIndex to, Random& random) const {
  if (from == to) return loopback_latency;
  const Faults& faults = at(from, to).faults;
  return faults.latency + drawn(random, faults.jitter);
}

}  // namespace hawser::sim::detail
