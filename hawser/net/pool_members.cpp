// The members of a pool: made, watched, restarted, taken out.
#include <hawser/net/pool.hpp>

#include <hawser/net/trace_points.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace hawser {

Pool::Member* Pool::find(std::uint64_t number) {
  const auto found = members_.find(number);
  return found == members_.end() ? nullptr : &found->second;
}

Pool::Member* Pool::find(Pid pid) {
  for (auto& [number, member] : members_)
    if (member.pid == pid) return &member;
  return nullptr;
}

void Pool::add_member(const Target& target) {
  const std::uint64_t number = ++last_number_;
  members_.try_emplace(number, number, target, ReconnectPolicy(options_.restart));
  self().start(start_member(number));
}

Task<> Pool::start_member(std::uint64_t number) {
  Member* member = find(number);
  member->state = MemberState::starting;
  ClientOptions client_options = options_.client;
  client_options.targets = TargetList(member->target);
  auto spec = kind_.member(fmt::format("{}/member/{}", name_, number), std::move(client_options));
  spec.scheduler = static_cast<unsigned>(number % self().system().scheduler_count());
  auto request = StartChild(std::move(spec));
  const auto started = co_await supervisor_.call(std::move(request), 30s);
  member = find(number);
  if (member == nullptr) {
    // Taken out meanwhile.
    if (started) self().exit(*started, Reason::shutdown());
    co_return;
  }
  if (!started) {
    member_ended(*member, Reason::failed(started.error().text()));
    co_return;
  }
  member->pid = *started;
  member->started = self().now();
  if (member->state != MemberState::draining) member->state = MemberState::away;
  member->policy.connected(self().now());
  member->monitor = self().monitor(*started);
  Ref<Client>(*started).cast(WatchClient{self().pid()});
  end_if_drained(*member);
}

void Pool::tell_member(const Member& member, LogLevel level, std::string_view what) const {
  Scheduler& scheduler = self().process().scheduler();
  if (!scheduler.telemetry().wants(level)) return;
  scheduler.telemetry().raise(
      trace_point::pool_member, level, scheduler.now(), self().pid(), name_,
      {{"member", static_cast<std::int64_t>(member.number)}},
      [&] { return fmt::format("member {} ({}) {}", member.number, member.target.text(), what); });
}

void Pool::member_changed(const ClientChange& change) {
  Member* member = find(change.client);
  if (member == nullptr) return;
  const bool was = std::exchange(member->connected, change.state == ClientState::connected);
  if (member->state != MemberState::draining)
    member->state = member->connected ? MemberState::connected : MemberState::away;
  if (was != member->connected)
    tell_member(*member, LogLevel::debug, member->connected ? "is connected" : "is away");
  if (was && !member->connected) leases_lost(*member, change.reason);
  if (member->connected) pump();
}

void Pool::member_ended(Member& member, const Reason& reason) {
  tell_member(member, LogLevel::debug, "has ended: " + reason.text());
  member.pid = {};
  member.connected = false;
  leases_lost(member, reason);
  if (member.state == MemberState::draining || stopping_) {
    drop_member(member.number);
    stop_when_drained();
    return;
  }
  const Duration lived =
      member.started == Instant{} ? Duration::zero() : self().now() - member.started;
  member.policy.lost(self().now());
  auto decision = MemberDecision::restart_after(member.policy.next(self().random()));
  if (options_.on_exit) {
    // Of all the callbacks this one alone belongs to every connection of the pool: what it throws
    // must not take them down.
    try {
      decision = options_.on_exit({member.target.text(), reason, lived, member.restarts});
    } catch (const std::exception& thrown) {
      self().log().error(name_,
                         fmt::format("on_exit threw ({}); the member is restarted", thrown.what()));
    }
  }
  carry_out(member, decision);
}

void Pool::carry_out(Member& member, const MemberDecision& decision) {
  switch (decision.kind) {
    case MemberDecision::Kind::restart:
      ++member.restarts;
      member.state = MemberState::restarting;
      self().send_after(decision.after, RestartDue{member.number});
      break;
    case MemberDecision::Kind::drop:
      tell_member(member, LogLevel::info, "is dropped");
      drop_member(member.number);
      break;
    case MemberDecision::Kind::stop_pool:
      self().stop(decision.reason);
      break;
  }
}

void Pool::drop_member(std::uint64_t number) {
  std::erase_if(leases_, [&](auto& each) {
    if (each.second.member != number) return false;
    if (each.second.borrower) self().demonitor(each.second.monitor);
    return true;
  });
  members_.erase(number);
}

void Pool::end_member(Member& member) {
  if (member.pid) {
    self().exit(member.pid, Reason::shutdown());
  } else {
    drop_member(member.number);
  }
}

void Pool::end_if_drained(Member& member) {
  if (member.state == MemberState::draining && member.leases == 0 && member.writes == 0)
    end_member(member);
}

void Pool::handle_call(AddMembers request, From<bool> from) {
  auto target = Target::parse(request.target);
  if (!target) {
    from.fail(std::move(target.error()));
    return;
  }
  for (std::size_t i = 0; i < request.size; ++i) add_member(*target);
  from.reply(true);
}

void Pool::handle_call(RemoveMembers request, From<std::size_t> from) {
  std::vector<Member*> candidates;
  for (auto& [number, member] : members_)
    if (member.target.text() == request.target && member.state != MemberState::draining)
      candidates.push_back(&member);
  if (candidates.empty()) {
    from.fail(Error{ErrorKind::not_found, 0, "remove members",
                    fmt::format("the pool has no member for '{}'", request.target)});
    return;
  }
  std::sort(candidates.begin(), candidates.end(), [](const Member* left, const Member* right) {
    const auto load = [](const Member& of) { return of.leases + of.writes; };
    return load(*left) != load(*right) ? load(*left) < load(*right) : left->number < right->number;
  });
  candidates.resize(std::min(candidates.size(), request.size));
  const std::size_t count = candidates.size();
  for (Member* member : candidates) {
    const bool under_way = member->state == MemberState::starting;
    member->state = MemberState::draining;
    if (under_way) continue;  // start_member ends it
    self().send_after(request.deadline, DrainDue{member->number});
    end_if_drained(*member);
  }
  from.reply(count);
}

Task<> Pool::check_health(std::uint64_t number) {
  const Pid pid = find(number)->pid;
  const bool healthy = co_await kind_.health(pid, options_.health_timeout);
  const Member* member = find(number);
  if (healthy || member == nullptr || member->pid != pid || !member->connected) co_return;
  ++totals_.unhealthy;
  self().log().warning(name_, fmt::format("member {} ({}) is not healthy: it connects anew", number,
                                          member->target.text()));
  Ref<Client>(pid).cast(Reconnect{});
}

}  // namespace hawser
