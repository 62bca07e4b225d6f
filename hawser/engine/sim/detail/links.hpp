// The ways between simulated hosts: which are cut, which faults hold on each, and when what is sent
// now arrives. Internal; one thread.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/sim/faults.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace hawser::sim::detail {

using HostIndex = std::uint32_t;

class Links {
 public:
  /// One-way time on loopback and Unix sockets, whatever the faults say.
  static constexpr Duration loopback_latency = 5us;

  void add_host();
  std::size_t hosts() const noexcept { return hosts_; }

  // ---- faults ----------------------------------------------------------------------------------
  struct Scope {
    std::optional<HostIndex> from;  // none: any
    std::optional<HostIndex> to;
    bool host_only = false;  // the faults of host `from` itself, not of a link
  };
  /// The newest rule that fits wins as a whole.
  std::uint64_t add_rule(const Scope& scope, const Faults& faults);
  void remove_rule(std::uint64_t id);
  void set_base(const Faults& faults);
  const Faults& base() const noexcept { return base_; }
  const Faults& faults(HostIndex from, HostIndex to) const { return at(from, to).faults; }
  const Faults& host_faults(HostIndex host) const { return host_faults_[host]; }

  // ---- cuts ------------------------------------------------------------------------------------
  void cut(HostIndex from, HostIndex to) { at(from, to).cut = true; }
  void heal(HostIndex from, HostIndex to) { at(from, to).cut = false; }
  bool is_cut(HostIndex from, HostIndex to) const { return from != to && at(from, to).cut; }

  /// When `bytes` that leave now arrive; moves the link's busy time on.
  Instant arrival(HostIndex from, HostIndex to, std::size_t bytes, Instant now, Random& random);
  /// A small packet that does not wait for the link: an answer, an acknowledgement.
  Duration delay(HostIndex from, HostIndex to, Random& random) const;

 private:
  struct Way {
    Faults faults;
    Instant busy_until;
    bool cut = false;
  };
  struct Rule {
    std::uint64_t id;
    Scope scope;
    Faults faults;
  };
  Way& at(HostIndex from, HostIndex to) { return ways_[from][to]; }
  const Way& at(HostIndex from, HostIndex to) const { return ways_[from][to]; }
  void apply_rules();

  std::size_t hosts_ = 0;
  std::vector<std::vector<Way>> ways_;
  std::vector<Faults> host_faults_;
  Faults base_;
  std::vector<Rule> rules_;
  std::uint64_t next_rule_ = 1;
};

}  // namespace hawser::sim::detail
