// A pool: clients of one kind to one or several targets, of which whoever needs a connection takes
// the one with least to do. Public.
//
//   system.start(pool<Query>("db", {.targets = {"db-1:5000", "db-2:5000"}, .size = 8}));
//   auto lease = co_await pool_named(self().system(), "db").call(Checkout{});
//
//   supervisor NAME (one_for_all)
//   ├── NAME/members   the clients; none is restarted without the pool's decision
//   └── NAME/pool      knows them, lends them, watches their health
#pragma once

#include <hawser/net/client.hpp>
#include <hawser/net/detail/packet_queue.hpp>
#include <hawser/net/pool_options.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/task.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace hawser {

class System;
class Supervisor;

namespace detail {

/// What the pool must know of its members' handler.
struct PoolKind {
  /// The spec of one member.
  std::function<ChildSpec(const std::string& name, ClientOptions options)> member;
  /// Asks it CheckHealth; unset when the handler has no such callback.
  std::function<Task<bool>(Pid member, Duration timeout)> health;
};
ChildSpec pool_spec(std::string name, PoolOptions options, PoolKind kind);

template <class H>
Task<bool> ask_health(Pid member, Duration timeout) {
  const CheckHealth question;
  const auto answer = co_await Ref<H>(member).call(question, timeout);
  co_return answer.has_value() && *answer;
}
template <class H>
concept ChecksHealth = CallsNow<H, CheckHealth> || CallsLater<H, CheckHealth>;

}  // namespace detail

class Pool {
 public:
  Pool(std::string name, PoolOptions options, detail::PoolKind kind);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void init();
  void handle_call(Checkout request, From<Lease> from);
  void handle_cast(CheckIn message);
  void handle_cast(PoolSend message);
  void handle_call(PoolWrite request, From<bool> from);
  void handle_call(AddMembers request, From<bool> from);
  void handle_call(RemoveMembers request, From<std::size_t> from);
  std::vector<MemberInfo> handle_call(ListMembers) const;
  PoolStatus handle_call(GetPoolStatus) const;
  void handle_info(Info& info);
  void handle_shutdown(const Reason& reason);
  std::string describe() const;

 private:
  struct Member {
    Member(std::uint64_t its_number, Target its_target, ReconnectPolicy its_policy)
        : number(its_number), target(std::move(its_target)), policy(its_policy) {}
    std::uint64_t number;
    Target target;
    Pid pid;
    MonitorId monitor{};
    MemberState state = MemberState::starting;
    std::size_t leases = 0;
    std::size_t writes = 0;
    std::uint64_t sent = 0;
    std::uint64_t used = 0;  // when it was last chosen
    std::uint32_t restarts = 0;
    bool connected = false;  // also while it drains
    Instant started;
    ReconnectPolicy policy;
  };
  struct Lent {
    std::uint64_t member = 0;
    Pid borrower;
    MonitorId monitor{};
  };
  struct Waiting {
    std::uint64_t number = 0;
    From<Lease> from;
  };
  struct WaitDue {
    std::uint64_t number;
  };
  struct RestartDue {
    std::uint64_t member;
  };
  struct DrainDue {
    std::uint64_t member;
  };
  struct HealthDue {};
  struct StopDue {};

  // pool_members.cpp
  void add_member(const Target& target);
  void tell_member(const Member& member, LogLevel level, std::string_view what) const;
  Task<> start_member(std::uint64_t number);
  void member_changed(const ClientChange& change);
  void member_ended(Member& member, const Reason& reason);
  void carry_out(Member& member, const MemberDecision& decision);
  void drop_member(std::uint64_t number);
  void end_member(Member& member);
  void end_if_drained(Member& member);
  void leases_lost(const Member& member, const Reason& reason);
  Task<> check_health(std::uint64_t number);
  Member* find(std::uint64_t number);
  Member* find(Pid pid);

  // pool.cpp
  Member* least_loaded(bool for_lease);
  void lend(Member& member, From<Lease> from);
  void end_lease(std::uint64_t id);
  void submit(Payload packet, detail::WriteDone done);
  Task<> write(std::uint64_t number, Payload packet, detail::WriteDone done);
  /// Something has become free: serves who waits.
  void pump();
  void stop_when_drained();

  std::string name_;
  PoolOptions options_;
  detail::PoolKind kind_;
  Ref<Supervisor> supervisor_;
  std::map<std::uint64_t, Member> members_;
  std::map<std::uint64_t, Lent> leases_;
  std::deque<Waiting> waiting_;
  detail::PacketQueue queue_;
  std::uint64_t last_number_ = 0;
  std::uint64_t uses_ = 0;
  PoolStatus totals_;
  std::optional<Reason> stopping_;
};

/// The child spec of a pool whose members' handler is H, made from copies of `arguments`. It has
/// started when its members are being made; it does not wait for connections. Errors as client().
template <class H, class... Arguments>
ChildSpec pool(std::string name, PoolOptions options, Arguments... arguments) {
  detail::PoolKind kind;
  kind.member = [kept = std::make_tuple(std::move(arguments)...)](const std::string& member,
                                                                  ClientOptions client_options) {
    return std::apply(
        [&](const auto&... each) { return client<H>(member, std::move(client_options), each...); },
        kept);
  };
  if constexpr (detail::ChecksHealth<H>) kind.health = detail::ask_health<H>;
  return detail::pool_spec(std::move(name), std::move(options), std::move(kind));
}

/// The pool of that name; no Ref when there is none.
Ref<Pool> pool_named(System& system, std::string_view name);

}  // namespace hawser
