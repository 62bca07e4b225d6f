// Events before turns, turns before time: how a simulated world moves.
#include <hawser/engine/sim/detail/universe.hpp>

#include <hawser/base/check.hpp>
#include <hawser/engine/detail/resolver.hpp>
#include <hawser/engine/sim/detail/sim_engine.hpp>
#include <hawser/engine/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::sim::detail {

TransitCloser::TransitCloser(Universe& universe, HostIndex host) noexcept
    : universe_(&universe), host_(host), life_(universe.life(host)) {}

void TransitCloser::close_native(int number) noexcept {
  if (universe_->life(host_) == life_) universe_->streams.close(host_, number, false);
}

Universe::Universe(std::uint64_t seed, std::uint64_t turns_without_time,
                   std::chrono::system_clock::time_point start_date)
    : ground(seed),
      streams(ground),
      datagrams(ground),
      seed_(seed),
      turns_without_time_(turns_without_time),
      start_date_(start_date) {}

std::chrono::system_clock::time_point Universe::wall_clock() const noexcept {
  return start_date_ +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(ground.now.since_zero());
}

std::string Universe::place() const {
  return fmt::format("seed {} at {:.6f} s", seed_,
                     static_cast<double>(ground.now.nanoseconds()) / 1e9);
}

// ---- hosts
// ---------------------------------------------------------------------------------------

HostIndex Universe::add_host(const std::string& name) {
  const auto index = static_cast<HostIndex>(ground.hosts.size());
  ground.hosts.push_back(std::make_unique<HostState>(index, name));
  ground.links.add_host();
  lives_.push_back(0);
  closers_.emplace_back();
  closers_.back().push_back(std::make_unique<TransitCloser>(*this, index));
  const auto number = index + 1;
  check(number < 65'000, "sim: a world has room for 65,000 hosts");
  add_interface(
      index,
      Address::ipv4(
          {10, 0, static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)}, 0),
      "lan", 16);
  ground.trace.add(ground.now, TraceKind::host, index,
                   static_cast<std::uint64_t>(HostChange::created));
  return index;
}

void Universe::add_interface(HostIndex index, const Address& address, const std::string& segment,
                             unsigned prefix) {
  HostState& host = ground.host(index);
  const Address plain = address.with_port(0);
  check(!ground.addresses.contains(Ip::of(plain)), "sim: an address belongs to one host");
  ground.addresses.emplace(Ip::of(plain), index);
  host.interfaces.push_back({plain, ++host.last_interface, prefix, segment});
  add_name(host.name(), plain);
  datagrams.interfaces_changed(index);
}

void Universe::remove_interface(HostIndex index, const Address& address) {
  HostState& host = ground.host(index);
  const Address plain = address.with_port(0);
  const auto gone = std::ranges::find(host.interfaces, plain, &Interface::address);
  check(gone != host.interfaces.end(), "sim: the host has an interface of that address");
  host.interfaces.erase(gone);
  ground.addresses.erase(Ip::of(plain));
  std::erase(names_[host.name()], plain);
  datagrams.interfaces_changed(index);
}

void Universe::add_name(const std::string& name, const Address& address) {
  names_[name].push_back(address);
}

Result<std::vector<Address>> Universe::look_up(const std::string& name, std::uint16_t port) const {
  if (const auto literal = hawser::detail::literal_address(name, port)) {
    return std::vector<Address>{*literal};
  }
  if (name == "localhost") {
    return std::vector<Address>{
        Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port),
        Address::loopback(port)};
  }
  const auto place = names_.find(name);
  if (name.empty() || name.find('\0') != std::string::npos) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "resolve",
                                 fmt::format("\"{}\" is no host name", name)});
  }
  if (place == names_.end()) {
    return std::unexpected(
        Error{ErrorKind::not_found, 0, "resolve",
              fmt::format("\"{}\" is unknown; the world has no such host", name)});
  }
  std::vector<Address> addresses;
  for (const Address& address : place->second) addresses.push_back(address.with_port(port));
  return addresses;
}

void Universe::crash(HostIndex index) {
  HostState& host = ground.host(index);
  if (!host.up) return;
  host.up = false;
  host.paused = false;
  ++lives_[index];
  closers_[index].push_back(std::make_unique<TransitCloser>(*this, index));
  streams.crash(index);
  host.forget_everything();
  for (SimEngine* engine : engines_) {
    if (engine != nullptr && engine->host() == index) engine->die();
  }
  ground.trace.add(ground.now, TraceKind::host, index,
                   static_cast<std::uint64_t>(HostChange::crashed));
}

void Universe::restart(HostIndex index) {
  HostState& host = ground.host(index);
  if (host.up) crash(index);
  host.up = true;
  ground.trace.add(ground.now, TraceKind::host, index,
                   static_cast<std::uint64_t>(HostChange::restarted));
  streams.kick_all();
}

// ---- engines and loops
// ---------------------------------------------------------------------------

std::uint32_t Universe::add_engine(SimEngine& engine) {
  engines_.push_back(&engine);
  return static_cast<std::uint32_t>(engines_.size() - 1);
}

void Universe::remove_engine(std::uint32_t id) noexcept {
  std::erase_if(loops_, [&](const LoopEntry& entry) { return entry.engine == engines_[id]; });
  engines_[id] = nullptr;
}

void Universe::start(HostIndex host, std::span<Loop* const> loops) {
  for (Loop* loop : loops) {
    SimEngine* engine = nullptr;
    for (SimEngine* candidate : engines_) {
      if (candidate == &loop->engine()) engine = candidate;
    }
    check(engine != nullptr && engine->host() == host,
          "sim: a host runs loops on engines that it made itself");
    loops_.push_back({loop, engine, host, life(host)});
    engine->want_turn();
  }
}

bool Universe::has_loops(HostIndex host) const {
  return std::ranges::any_of(loops_, [&](const LoopEntry& entry) {
    return entry.host == host && entry.life == lives_[host];
  });
}

void Universe::forget_loops(HostIndex host) {
  std::erase_if(loops_, [host](const LoopEntry& entry) { return entry.host == host; });
}

// ---- running
// -------------------------------------------------------------------------------------

void Universe::dispatch(const Event& event) {
  switch (event.kind) {
    case EventKind::datagram:
      datagrams.arrive(event.index);
      return;
    case EventKind::engine:
      if (SimEngine* engine = engines_[event.index]) engine->fall_due(event.extra);
      return;
    default:
      streams.handle(event);
  }
}

bool Universe::can_run(const LoopEntry& entry) const {
  return entry.life == lives_[entry.host] && !ground.hosts[entry.host]->paused &&
         entry.engine->runnable(ground.now);
}

bool Universe::has_runnable() const {
  return std::ranges::any_of(loops_, [this](const LoopEntry& entry) { return can_run(entry); });
}

bool Universe::give_turn() {
  runnable_.clear();
  for (std::size_t index = 0; index < loops_.size(); ++index) {
    if (can_run(loops_[index])) runnable_.push_back(index);
  }
  if (runnable_.empty()) return false;
  const std::size_t chosen =
      runnable_.size() == 1 ? runnable_[0] : runnable_[ground.random.below(runnable_.size())];
  const LoopEntry entry = loops_[chosen];
  ground.trace.add(ground.now, TraceKind::turn, chosen, entry.host);
  entry.engine->begin_turn();
  struct InTurn {
    bool& flag;
    explicit InTurn(bool& in_turn) : flag(in_turn) { flag = true; }
    ~InTurn() { flag = false; }
  };
  bool goes_on = false;
  {
    const InTurn guard(in_turn_);
    goes_on = entry.loop->turn();
  }
  if (!goes_on) std::erase_if(loops_, [&](const LoopEntry& at) { return at.loop == entry.loop; });
  return true;
}

Instant Universe::next_wanted() const {
  Instant next = ground.events.next();
  for (const LoopEntry& entry : loops_) {
    if (entry.life != lives_[entry.host] || ground.hosts[entry.host]->paused) continue;
    next = std::min(next, entry.engine->wanted_at());
  }
  return next;
}

void Universe::count_step() {
  if (++turns_now_ <= turns_without_time_) return;
  throw Livelock(
      fmt::format("livelock: {} turns and events while virtual time stood still ({}); replay with "
                  "HAWSER_SEED={}",
                  turns_without_time_, place(), seed_));
}

bool Universe::step(Instant limit) {
  check(!in_turn_, "sim: the world cannot be run from inside a turn");
  const bool event_due = ground.events.next() <= ground.now;
  // Of an event and a turn at one instant either may come first: so a loop sees now one segment,
  // now several at once.
  if ((!event_due || (has_runnable() && ground.random.chance(0.5))) && give_turn()) {
    count_step();
    return true;
  }
  if (event_due) {
    count_step();
    dispatch(ground.events.pop());
    return true;
  }
  const Instant next = std::max(next_wanted(), ground.now);
  if (next > limit || next == Instant::never()) {
    if (limit != Instant::never() && limit > ground.now) {
      ground.now = limit;
      turns_now_ = 0;
    }
    return false;
  }
  ground.now = next;
  turns_now_ = 0;
  ground.trace.add(ground.now, TraceKind::advance);
  return true;
}

bool Universe::run_until(const std::function<bool()>& predicate, Instant limit) {
  while (!predicate()) {
    if (!step(limit)) return predicate();
  }
  return true;
}

void Universe::run_to(Instant limit) {
  while (step(limit)) {
  }
}

}  // namespace hawser::sim::detail
