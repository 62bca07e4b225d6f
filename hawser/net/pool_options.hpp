// Everything a pool of clients can be told and asked, with the defaults. Public; plain values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/net/client_options.hpp>
#include <hawser/net/reconnect_policy.hpp>
#include <hawser/net/target.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// A member (one client of the pool) has ended: its handler crashed or stopped, or it gave up after
/// ClientOptions::attempts. A lost connection is no end: the member makes another by itself.
struct MemberExit {
  std::string target;
  Reason reason;
  Duration lived{};
  std::uint32_t restarts = 0;  ///< of this member so far
};

/// What becomes of it.
struct MemberDecision {
  enum class Kind : std::uint8_t { restart, drop, stop_pool };
  Kind kind = Kind::restart;
  Duration after{};  ///< restart: zero is now
  Reason reason{};   ///< stop_pool: the pool's own

  static MemberDecision restart_now() { return {}; }
  static MemberDecision restart_after(Duration delay) { return {Kind::restart, delay, {}}; }
  static MemberDecision drop() { return {Kind::drop, {}, {}}; }
  static MemberDecision stop_pool(Reason why) { return {Kind::stop_pool, {}, std::move(why)}; }
};

/// What a pool is told when it is made. Wrong settings are the error of its start, each by name.
struct PoolOptions {
  /// Where the members connect; each target gets `size` of them.
  TargetList targets{};
  std::size_t size = 4;  ///< members of each target, at least 1
  /// Of each member; its targets are not looked at.
  ClientOptions client{};

  /// Leases a member has at a time; 1: whoever checked it out has it alone. 0: any number.
  std::size_t leases_per_member = 1;
  /// Checkouts that may wait for a member; beyond that they are refused (overloaded).
  std::size_t waiting_checkouts = 10'000;
  /// Packets of PoolSend that may wait while no member can take them.
  std::size_t queue_packets = 10'000;
  std::size_t queue_bytes = std::size_t{16} << 20;  ///< of their payloads together
  QueueOverflow queue_overflow = QueueOverflow::reject;

  /// Decides when a member ends; unset: restart after `restart`'s back-off. What it throws is
  /// logged, and the default taken.
  std::function<MemberDecision(const MemberExit&)> on_exit{};
  ReconnectBackoff restart{};  ///< between restarts of a member whose process ended

  /// Each connected member without a lease is asked CheckHealth so often (0: never), when its
  /// handler has handle_call(CheckHealth); one that answers false, or not within the time-out,
  /// makes a new connection.
  Duration health_interval = 0s;
  Duration health_timeout = 5s;  ///< above zero

  /// How long leases and packets under way are waited for when the pool is stopped.
  Duration drain_deadline = 10s;

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// call of a member's handler: true when its connection is fit for use.
struct CheckHealth {
  using Reply = bool;
};

// ---- what a pool can be asked, by Ref<Pool>
// ------------------------------------------------------------

/// The right to use a member until CheckIn, or until the borrower ends.
struct Lease {
  std::uint64_t id = 0;
  Pid member;  ///< Ref<H>(member), Ref<Connection>(member)
  std::string target;
};
/// call: a lease of the member that has least to do; waits for one that is connected and free.
/// Errors: overloaded (too many wait), timeout (none within `wait`, which should be shorter than
/// the call's time-out), closed (the pool is stopping).
struct Checkout {
  Checkout() = default;
  explicit Checkout(Duration longest) : wait(longest) {}
  Duration wait = 4s;
  using Reply = Lease;
};
/// cast: the lease is over.
struct CheckIn {
  std::uint64_t lease = 0;
};
/// Sent (to handle_info) to a borrower whose member has lost its connection or ended.
struct LeaseLost {
  std::uint64_t lease = 0;
  Reason reason;
};

/// cast: sends one packet by the connected member that has least to do, or lets it wait in the
/// pool's queue. Order is kept only per member.
struct PoolSend {
  PoolSend() = default;
  explicit PoolSend(Payload bytes) : packet(std::move(bytes)) {}
  Payload packet;
};
/// call: the same, answered when the kernel has taken the packet, or with the error.
struct PoolWrite {
  explicit PoolWrite(Payload bytes) : packet(std::move(bytes)) {}
  Payload packet;
  using Reply = bool;
};

/// call: `size` members more for a target (new or not). Errors: invalid_argument.
struct AddMembers {
  AddMembers(std::string where, std::size_t members) : target(std::move(where)), size(members) {}
  std::string target;
  std::size_t size;
  using Reply = bool;
};
/// call: takes members of a target out (the idlest first; SIZE_MAX: all): they get no new leases,
/// and end when those they have are over, at the latest after `deadline`. Answers how many; errors:
/// not_found.
struct RemoveMembers {
  RemoveMembers(std::string where, std::size_t members, Duration longest = 10s)
      : target(std::move(where)), size(members), deadline(longest) {}
  std::string target;
  std::size_t size;
  Duration deadline;
  using Reply = std::size_t;
};

/// Where a member is on its way.
enum class MemberState : std::uint8_t {
  starting,    ///< its process is being made
  away,        ///< no connection
  connected,   ///< fit for use
  draining,    ///< taken out, with leases or packets under way
  restarting,  ///< ended; waits to be made again
};
std::string_view to_string(MemberState state) noexcept;

/// One member in figures.
struct MemberInfo {
  std::uint64_t number = 0;  ///< its own for as long as the pool lives
  std::string target;        ///< where it connects
  Pid pid;                   ///< no Pid while it has no process
  MemberState state = MemberState::starting;
  std::size_t leases = 0;      ///< out now
  std::size_t writes = 0;      ///< packets given to it and not written yet
  std::uint64_t sent = 0;      ///< packets of the pool that it has written
  std::uint32_t restarts = 0;  ///< of its process
};
/// call: every member, by number.
struct ListMembers {
  using Reply = std::vector<MemberInfo>;
};

/// A pool in figures, since it was started.
struct PoolStatus {
  std::size_t members = 0;            ///< in whatever state
  std::size_t connected = 0;          ///< of them, those that are fit for use
  std::size_t leases = 0;             ///< out now
  std::size_t waiting_checkouts = 0;  ///< for a member
  std::size_t waiting_packets = 0;    ///< for one, likewise
  std::uint64_t sent = 0;             ///< packets that were written
  std::uint64_t failed = 0;           ///< packets whose member was lost before they were written
  std::uint64_t dropped = 0;          ///< packets the queue had no room for
  std::uint64_t unhealthy = 0;        ///< answers to CheckHealth that were no, or did not come
};
/// call: answered at once.
struct GetPoolStatus {
  using Reply = PoolStatus;
};

}  // namespace hawser
