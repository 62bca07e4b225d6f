// World and Host: names and handles over the universe inside.
#include <hawser/engine/sim/world.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/engine/sim/detail/sim_engine.hpp>
#include <hawser/engine/sim/detail/universe.hpp>

#include <fmt/format.h>

#include <map>

namespace hawser::sim {

// ---- Rule
// ----------------------------------------------------------------------------------------

Rule& Rule::operator=(Rule&& other) noexcept {
  if (this != &other) {
    remove();
    universe_ = std::exchange(other.universe_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void Rule::remove() noexcept {
  if (universe_ != nullptr) universe_->ground.links.remove_rule(id_);
  universe_ = nullptr;
}

// ---- World
// ---------------------------------------------------------------------------------------

struct World::Parts {
  Parts(std::uint64_t seed, const WorldOptions& chosen)
      : universe(seed, chosen.turns_without_time, chosen.start_date),
        // Streams of chance of their own: the test's draws and the number of engines change nothing
        // in what the network draws.
        test_random(seed ^ 0x7465737400000000U),
        engine_seeds(seed ^ 0x656e67696e650000U),
        options(chosen) {}
  detail::Universe universe;
  Random test_random;
  Random engine_seeds;
  WorldOptions options;
  std::map<std::string, std::unique_ptr<Host>, std::less<>> hosts;
};

World::World(std::uint64_t seed, WorldOptions options)
    : parts_(std::make_unique<Parts>(seed, options)) {}
World::~World() = default;

std::uint64_t World::seed() const noexcept { return parts_->universe.seed(); }

Host& World::host(std::string_view name) {
  const auto place = parts_->hosts.find(name);
  if (place != parts_->hosts.end()) return *place->second;
  const std::uint32_t index = parts_->universe.add_host(std::string(name));
  auto host = std::make_unique<Host>(*this, parts_->universe, index);
  return *parts_->hosts.emplace(name, std::move(host)).first->second;
}

void World::add_name(std::string_view name, const Address& address) {
  parts_->universe.add_name(std::string(name), address.with_port(0));
}

std::uint32_t World::index_of(std::string_view name) {
  const std::string& key = host(name).name();
  for (const auto& state : parts_->universe.ground.hosts) {
    if (state->name() == key) return state->index;
  }
  check(false, "sim: a host has no state");
  return 0;
}

Instant World::now() const noexcept { return parts_->universe.ground.now; }
bool World::step() { return parts_->universe.step(Instant::never()); }
void World::run_for(Duration length) { parts_->universe.run_to(now() + length); }
bool World::run_until(const std::function<bool()>& predicate, Duration limit) {
  return parts_->universe.run_until(predicate, now() + limit);
}

void World::cut(std::string_view left, std::string_view right) {
  cut_one_way(left, right);
  cut_one_way(right, left);
}

void World::cut_one_way(std::string_view from, std::string_view to) {
  detail::Ground& ground = parts_->universe.ground;
  const auto one = index_of(from);
  const auto two = index_of(to);
  ground.links.cut(one, two);
  ground.trace.add(ground.now, TraceKind::link, one, two, 1);
}

void World::heal() {
  detail::Ground& ground = parts_->universe.ground;
  const auto count = static_cast<detail::HostIndex>(ground.hosts.size());
  for (detail::HostIndex from = 0; from < count; ++from) {
    for (detail::HostIndex to = 0; to < count; ++to) {
      if (!ground.links.is_cut(from, to)) continue;
      ground.links.heal(from, to);
      ground.trace.add(ground.now, TraceKind::link, from, to, 0);
    }
  }
  parts_->universe.streams.kick_all();
}

void World::heal(std::string_view left, std::string_view right) {
  detail::Ground& ground = parts_->universe.ground;
  const auto one = index_of(left);
  const auto two = index_of(right);
  ground.links.heal(one, two);
  ground.links.heal(two, one);
  ground.trace.add(ground.now, TraceKind::link, one, two, 0);
  parts_->universe.streams.kick_all();
}

void World::reset_connections(std::string_view left, std::string_view right) {
  parts_->universe.streams.reset_between(index_of(left), index_of(right));
}

void World::stall(std::string_view from, std::string_view to, Duration length) {
  parts_->universe.streams.stall_between(index_of(from), index_of(to), now() + length);
}

void World::set_faults(const Faults& faults) { parts_->universe.ground.links.set_base(faults); }
const Faults& World::faults() const noexcept { return parts_->universe.ground.links.base(); }

Rule World::impose(const Faults& faults) {
  return {parts_->universe, parts_->universe.ground.links.add_rule({}, faults)};
}

Rule World::impose(std::string_view from, std::string_view to, const Faults& faults) {
  const auto one = index_of(from);
  const auto two = index_of(to);
  return {parts_->universe, parts_->universe.ground.links.add_rule(
                                {.from = one, .to = two, .host_only = false}, faults)};
}

Rule World::impose_on(std::uint32_t host, const Faults& faults) {
  return {parts_->universe, parts_->universe.ground.links.add_rule(
                                {.from = host, .to = std::nullopt, .host_only = true}, faults)};
}

Random& World::random() noexcept { return parts_->test_random; }
Trace& World::trace() noexcept { return parts_->universe.ground.trace; }
std::uint64_t World::digest() const noexcept { return parts_->universe.ground.trace.digest(); }
void World::remark(std::string_view text) { trace().remark(now(), text); }
std::size_t World::streams() const noexcept { return parts_->universe.streams.alive(); }

std::string World::report() const {
  const Trace& trace = parts_->universe.ground.trace;
  return fmt::format("{}, faults: {}, {} trace entries, digest {:016x}\n{}",
                     parts_->universe.place(), faults().text(), trace.count(), trace.digest(),
                     trace.text());
}

// ---- Host
// ----------------------------------------------------------------------------------------

Host::Host(World& world, detail::Universe& universe, std::uint32_t index)
    : world_(world), universe_(universe), index_(index) {}

const std::string& Host::name() const noexcept { return universe_.ground.host(index_).name(); }

Address Host::address(std::uint16_t port) const {
  return universe_.ground.host(index_).interfaces.front().address.with_port(port);
}

void Host::add_interface(const Address& address, std::string_view segment, unsigned prefix) {
  universe_.add_interface(index_, address, std::string(segment), prefix);
}

void Host::remove_interface(const Address& address) { universe_.remove_interface(index_, address); }

void Host::pause() {
  detail::HostState& state = universe_.ground.host(index_);
  state.paused = state.up;
  world_.trace().add(world_.now(), TraceKind::host, index_,
                     static_cast<std::uint64_t>(HostChange::paused));
}

void Host::resume() {
  universe_.ground.host(index_).paused = false;
  world_.trace().add(world_.now(), TraceKind::host, index_,
                     static_cast<std::uint64_t>(HostChange::resumed));
}

void Host::crash() { universe_.crash(index_); }
void Host::restart() { universe_.restart(index_); }
bool Host::is_up() const noexcept { return universe_.ground.host(index_).up; }
bool Host::is_paused() const noexcept { return universe_.ground.host(index_).paused; }

void Host::set_credentials(const PeerCredentials& credentials) {
  universe_.ground.host(index_).credentials = credentials;
}
void Host::set_descriptor_limit(std::size_t limit) {
  universe_.ground.host(index_).descriptor_limit = limit;
}
void Host::fail_accepts(const std::vector<int>& codes) {
  auto& failures = universe_.ground.host(index_).accept_failures;
  failures.insert(failures.end(), codes.begin(), codes.end());
}
std::size_t Host::open_descriptors() const noexcept {
  return universe_.ground.host(index_).open_descriptors();
}

Rule Host::impose(const Faults& faults) { return world_.impose_on(index_, faults); }

std::unique_ptr<Engine> Host::make_engine() {
  return std::make_unique<detail::SimEngine>(universe_, index_, world_.parts_->engine_seeds.next());
}

Result<std::unique_ptr<Engine>> Host::make_engine(unsigned index, Log& log) {
  if (!is_up()) {
    return std::unexpected(Error{ErrorKind::closed, 0, "make_engine",
                                 "the simulated host " + name() + " has crashed; restart it"});
  }
  auto engine = make_engine();
  if (log.enabled(LogLevel::info)) {
    const EngineInfo info = engine->info();
    log.info("engine", fmt::format("scheduler {}: {} ({})", index, info.name, info.reason));
  }
  return engine;
}

void Host::start(std::span<Loop* const> loops) {
  for (Loop* loop : loops) loop->engine().start();
  universe_.start(index_, loops);
}

void Host::join() {
  const auto finished = [this] { return !universe_.has_loops(index_); };
  const Instant limit = world_.now() + world_.parts_->options.join_limit;
  if (!universe_.run_until(finished, limit)) {
    throw std::runtime_error("sim: the loops of host " + name() + " did not finish (" +
                             universe_.place() + ")");
  }
  universe_.forget_loops(index_);
}

bool Host::wait(Gate& gate, Duration limit) {
  const std::uint32_t life = universe_.life(index_);
  universe_.run_until([&] { return gate.is_open() || universe_.life(index_) != life; },
                      world_.now() + limit);
  return gate.is_open();
}

}  // namespace hawser::sim
