// Lending members and sending through them.
#include <hawser/net/pool.hpp>

#include <hawser/base/faults.hpp>
#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace hawser {

std::string_view to_string(MemberState state) noexcept {
  switch (state) {
    case MemberState::starting:
      return "starting";
    case MemberState::away:
      return "away";
    case MemberState::connected:
      return "connected";
    case MemberState::draining:
      return "draining";
    case MemberState::restarting:
      return "restarting";
  }
  return "";
}

std::vector<std::string> PoolOptions::faults() const {
  std::vector<std::string> faults = targets.faults();
  ClientOptions member = client;
  member.targets = TargetList("127.0.0.1:1");  // any: each member gets one of ours
  for (auto& fault : member.faults()) faults.push_back("client." + fault);
  for (const auto& fault : restart.faults()) faults.push_back("restart: " + fault);
  if (size == 0) faults.emplace_back("size: must be at least 1");
  if (waiting_checkouts == 0) faults.emplace_back("waiting_checkouts: must be at least 1");
  if (queue_packets == 0) faults.emplace_back("queue_packets: must be at least 1");
  if (queue_bytes == 0) faults.emplace_back("queue_bytes: must be at least 1");
  if (health_interval < Duration::zero())
    faults.emplace_back("health_interval: must not be negative (0 switches it off)");
  if (health_timeout <= Duration::zero())
    faults.emplace_back("health_timeout: must be longer than zero");
  if (drain_deadline < Duration::zero())
    faults.emplace_back("drain_deadline: must not be negative");
  return faults;
}

Pool::Pool(std::string name, PoolOptions options, detail::PoolKind kind)
    : name_(std::move(name)), options_(std::move(options)), kind_(std::move(kind)) {}

void Pool::init() {
  supervisor_ = Ref<Supervisor>(self().whereis(name_ + "/members"));
  for (const Target& target : options_.targets.targets())
    for (std::size_t i = 0; i < options_.size; ++i) add_member(target);
  if (options_.health_interval > Duration::zero() && kind_.health)
    self().send_after(options_.health_interval, HealthDue{});
}

// ---- leases
// ---------------------------------------------------------------------------------------------

Pool::Member* Pool::least_loaded(bool for_lease) {
  const bool alone = options_.leases_per_member == 1;
  Member* best = nullptr;
  for (auto& [number, member] : members_) {
    if (member.state != MemberState::connected) continue;
    if (for_lease && options_.leases_per_member != 0 && member.leases >= options_.leases_per_member)
      continue;
    if (!for_lease && alone && member.leases != 0) continue;  // it is somebody's
    const auto load = [](const Member& of) { return of.leases + of.writes; };
    if (best == nullptr || load(member) < load(*best) ||
        (load(member) == load(*best) && member.used < best->used))
      best = &member;
  }
  if (best != nullptr) best->used = ++uses_;
  return best;
}

void Pool::handle_call(Checkout request, From<Lease> from) {
  if (stopping_) {
    from.fail(Error{ErrorKind::closed, 0, "checkout", "the pool is stopping"});
    return;
  }
  if (waiting_.empty()) {
    if (Member* member = least_loaded(true)) {
      lend(*member, std::move(from));
      return;
    }
  }
  if (waiting_.size() >= options_.waiting_checkouts) {
    from.fail(Error{ErrorKind::overloaded, 0, "checkout",
                    fmt::format("{} checkouts wait already (waiting_checkouts)", waiting_.size())});
    return;
  }
  waiting_.push_back({++last_number_, std::move(from)});
  self().send_after(request.wait, WaitDue{last_number_});
}

void Pool::lend(Member& member, From<Lease> from) {
  ++member.leases;
  const std::uint64_t id = ++last_number_;
  Lent lent{member.number, from.caller(), {}};
  if (lent.borrower) lent.monitor = self().monitor(lent.borrower);
  leases_.emplace(id, lent);
  from.reply(Lease{id, member.pid, member.target.text()});
}

void Pool::handle_cast(CheckIn message) { end_lease(message.lease); }

void Pool::end_lease(std::uint64_t id) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return;
  if (found->second.borrower) self().demonitor(found->second.monitor);
  Member* member = find(found->second.member);
  leases_.erase(found);
  if (member != nullptr) {
    --member->leases;
    end_if_drained(*member);
  }
  pump();
}

void Pool::leases_lost(const Member& member, const Reason& reason) {
  for (const auto& [id, lent] : leases_)
    if (lent.member == member.number && lent.borrower)
      send_info(lent.borrower, LeaseLost{id, reason});
}

// ---- sending
// --------------------------------------------------------------------------------------------

void Pool::handle_cast(PoolSend message) { submit(std::move(message.packet), {}); }

void Pool::handle_call(PoolWrite request, From<bool> from) {
  submit(std::move(request.packet), [answer = std::move(from)](Result<void> written) mutable {
    written ? answer.reply(true) : answer.fail(std::move(written.error()));
  });
}

void Pool::submit(Payload packet, detail::WriteDone done) {
  if (stopping_) {
    if (done) done(std::unexpected(Error{ErrorKind::closed, 0, "send", "the pool is stopping"}));
    return;
  }
  if (queue_.empty()) {
    if (Member* member = least_loaded(false)) {
      self().start(write(member->number, std::move(packet), std::move(done)));
      return;
    }
  }
  auto taken =
      queue_.add(std::move(packet), std::move(done), options_.queue_packets, options_.queue_bytes,
                 options_.queue_overflow, "queue_packets, queue_bytes");
  totals_.dropped = queue_.dropped();
  if (!taken && done) done(std::move(taken));
}

Task<> Pool::write(std::uint64_t number, Payload packet, detail::WriteDone done) {
  Member* member = find(number);
  ++member->writes;
  ++member->sent;
  ++totals_.sent;
  auto request = WritePacket(std::move(packet));
  // The member's own deadlines bound this: it writes, or its connection ends.
  auto written = co_await Ref<Connection>(member->pid).call(std::move(request), Duration::max());
  if (!written) ++totals_.failed;
  if (done) {
    if (written) {
      done({});
    } else {
      done(std::unexpected(std::move(written.error())));
    }
  }
  member = find(number);
  if (member == nullptr) co_return;
  --member->writes;
  end_if_drained(*member);
  pump();
}

void Pool::pump() {
  while (!waiting_.empty()) {
    Member* member = least_loaded(true);
    if (member == nullptr) break;
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    lend(*member, std::move(first.from));
  }
  while (!queue_.empty()) {
    Member* member = least_loaded(false);
    if (member == nullptr) break;
    auto entry = queue_.take();
    self().start(write(member->number, std::move(entry.packet), std::move(entry.done)));
  }
  stop_when_drained();
}

// ---- the rest
// -------------------------------------------------------------------------------------------

void Pool::handle_info(Info& info) {
  if (const auto* change = info.get<ClientChange>()) {
    member_changed(*change);
  } else if (const auto* down = info.get<Down>()) {
    if (Member* member = find(down->from); member != nullptr && member->monitor == down->monitor) {
      member_ended(*member, down->reason);
      return;
    }
    const auto lent = std::find_if(leases_.begin(), leases_.end(), [&](const auto& each) {
      return each.second.borrower == down->from && each.second.monitor == down->monitor;
    });
    if (lent != leases_.end()) end_lease(lent->first);
  } else if (const auto* due = info.get<WaitDue>()) {
    const auto waiting = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) {
      return each.number == due->number;
    });
    if (waiting == waiting_.end()) return;
    From<Lease> from = std::move(waiting->from);
    waiting_.erase(waiting);
    from.fail(Error{ErrorKind::timeout, 0, "checkout", "no member became free in time"});
  } else if (const auto* restart = info.get<RestartDue>()) {
    if (find(restart->member) != nullptr && !stopping_) self().start(start_member(restart->member));
  } else if (const auto* drain = info.get<DrainDue>()) {
    if (Member* member = find(drain->member)) end_member(*member);
  } else if (info.get<HealthDue>() != nullptr) {
    for (auto& [number, member] : members_)
      if (member.state == MemberState::connected && member.leases == 0)
        self().start(check_health(number));
    self().send_after(options_.health_interval, HealthDue{});
  } else if (info.get<StopDue>() != nullptr) {
    self().log().warning(name_, fmt::format("drain deadline: {} leases and {} packets are cut off",
                                            leases_.size(), queue_.packets()));
    self().stop(*stopping_);
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void Pool::handle_shutdown(const Reason& reason) {
  if (stopping_) return;
  stopping_ = reason;
  for (auto& waiting : std::exchange(waiting_, {}))
    waiting.from.fail(Error{ErrorKind::closed, 0, "checkout", "the pool is stopping"});
  self().send_after(options_.drain_deadline, StopDue{});
  stop_when_drained();
}

void Pool::stop_when_drained() {
  if (!stopping_ || !leases_.empty()) return;
  // Packets that wait for a connection wait for as long as the deadline lets them.
  if (!queue_.empty()) return;
  for (const auto& [number, member] : members_)
    if (member.writes != 0) return;
  self().stop(*stopping_);
}

std::vector<MemberInfo> Pool::handle_call(ListMembers) const {
  std::vector<MemberInfo> list;
  list.reserve(members_.size());
  for (const auto& [number, member] : members_)
    list.push_back({number, member.target.text(), member.pid, member.state, member.leases,
                    member.writes, member.sent, member.restarts});
  return list;
}

PoolStatus Pool::handle_call(GetPoolStatus) const {
  PoolStatus status = totals_;
  status.members = members_.size();
  for (const auto& [number, member] : members_)
    if (member.connected) ++status.connected;
  status.leases = leases_.size();
  status.waiting_checkouts = waiting_.size();
  status.waiting_packets = queue_.packets();
  return status;
}

std::string Pool::describe() const {
  const PoolStatus status = handle_call(GetPoolStatus{});
  return fmt::format("{} of {} members connected, {} leases, {} checkouts and {} packets wait{}",
                     status.connected, status.members, status.leases, status.waiting_checkouts,
                     status.waiting_packets, stopping_ ? ", stopping" : "");
}

ChildSpec detail::pool_spec(std::string name, PoolOptions options, PoolKind kind) {
  ChildSpec spec;
  spec.id = name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  spec.start = [name = std::move(name), options = std::move(options),
                kind = std::move(kind)](const StartContext& context) -> Result<Pid> {
    auto faults = options.faults();
    if (name.empty()) faults.insert(faults.begin(), "name: must not be empty");
    if (!faults.empty()) return std::unexpected(faulty(fmt::format("pool '{}'", name), faults));
    ChildSpec pattern;
    pattern.restart = Restart::temporary;
    pattern.start = [](const StartContext&) -> Result<Pid> {
      return std::unexpected(
          Error{ErrorKind::invalid_argument, 0, "pool", "members are started by their pool"});
    };
    SupervisorOptions members{.strategy = Strategy::simple_one_for_one, .children = {pattern}};
    ChildSpec holder;
    holder.id = "members";
    holder.supervisor = true;
    holder.shutdown = Duration::max();
    holder.start = [name, members](const StartContext& at) -> Result<Pid> {
      auto made = spawn<Supervisor>(at.scheduler, {.name = name + "/members", .parent = at.parent},
                                    members);
      if (!made) return std::unexpected(std::move(made.error()));
      return made->pid();
    };
    ChildSpec keeper;
    keeper.id = "pool";
    keeper.shutdown = options.drain_deadline + 5s;
    keeper.restart = Restart::transient;
    keeper.start = [name, options, kind](const StartContext& at) -> Result<Pid> {
      auto made = spawn<Pool>(at.scheduler, {.name = name + "/pool", .parent = at.parent}, name,
                              options, kind);
      if (!made) return std::unexpected(std::move(made.error()));
      return made->pid();
    };
    auto spawned = spawn<Supervisor>(
        context.scheduler, {.name = name, .parent = context.parent},
        SupervisorOptions{.strategy = Strategy::one_for_all, .children = {holder, keeper}});
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

Ref<Pool> pool_named(System& system, std::string_view name) {
  return Ref<Pool>(system.whereis(fmt::format("{}/pool", name)));
}

}  // namespace hawser
