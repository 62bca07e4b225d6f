// A simulated world: hosts, the network between them and virtual time, all from one seed and on one
// thread. Public; a World, its hosts and everything that runs on them belong to one thread (only
// Engine::wake and Gate may be touched by others). Engines and sockets in transit go before their
// World does.
//
//   sim::World world(seed);
//   auto& server = world.host("server");        // an Environment: give it to a System, or make
//   auto& client = world.host("client");        // engines on it
//   …
//   world.cut("server", "client");
//   world.run_for(40s);
//   world.heal();
//
// What the faults are stands in faults.hpp, how a test runs many seeds in seeds.hpp.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/engine/sim/faults.hpp>
#include <hawser/engine/sim/trace.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::sim {

namespace detail {
class Universe;
}
class World;

/// Too many turns and events while virtual time stood still: something spins. what() has the seed.
class Livelock : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct WorldOptions {
  /// Turns and events at one instant after which a Livelock is thrown.
  std::uint64_t turns_without_time = 1'000'000;
  /// What wall_clock() says at virtual zero (worlds begin 1,000 s later): 2026-01-01 00:00 UTC.
  std::chrono::system_clock::time_point start_date{std::chrono::seconds{1'767'225'600}};
  /// How much virtual time Environment::join() gives loops to finish; then it throws.
  Duration join_limit = 1h;
};

/// Faults that hold as long as this object lives. Rules stack: the newest that fits a link or a
/// host holds for it, all of it.
class [[nodiscard]] Rule {
 public:
  Rule() noexcept = default;
  Rule(Rule&& other) noexcept
      : universe_(std::exchange(other.universe_, nullptr)), id_(other.id_) {}
  Rule& operator=(Rule&& other) noexcept;
  ~Rule() { remove(); }
  /// Ends it early.
  void remove() noexcept;

 private:
  friend class World;
  Rule(detail::Universe& universe, std::uint64_t id) noexcept : universe_(&universe), id_(id) {}
  detail::Universe* universe_ = nullptr;
  std::uint64_t id_ = 0;
};

/// One simulated machine, and the Environment of the System that runs on it. Owned by its World.
class Host final : public Environment {
 public:
  Host(World& world, detail::Universe& universe, std::uint32_t index);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const noexcept;
  /// Its first address, with `port`: 10.0.0.1, 10.0.0.2, … in the order of creation.
  Address address(std::uint16_t port) const;
  /// Gives it one more interface on a segment of the network; broadcast and multicast reach the
  /// hosts of one segment. Every host is on "lan" with its first address. `prefix` is the length of
  /// the network's part.
  void add_interface(const Address& address, std::string_view segment = "lan",
                     unsigned prefix = 16);
  /// Takes one away: nothing reaches or leaves its address any more, connections from there hang.
  /// A host that moves to another network has one removed and another added.
  void remove_interface(const Address& address);

  /// Its loops get no turns; its kernel goes on, so that peers see a program that hangs.
  void pause();
  void resume();
  /// Everything on it is gone at once, without a word to anybody. Its loops never get another turn,
  /// its engines answer every call with an error, join() returns. Files of Unix sockets stay.
  void crash();
  /// It is back, empty: what others send to its former connections is answered with resets. Make
  /// new engines on it.
  void restart();
  bool is_up() const noexcept;
  bool is_paused() const noexcept;

  /// Who its programs are that begin to listen or connect from now on, as Unix sockets tell it
  /// (default: pid, uid and gid 1000).
  void set_credentials(const PeerCredentials& credentials);

  /// Most descriptors open at once (default 65,536).
  void set_descriptor_limit(std::size_t limit);
  std::size_t open_descriptors() const noexcept;
  /// The next accepts on it that have a connection to answer with fail with these errno values, one
  /// after another; the connections stay in the backlog.
  void fail_accepts(const std::vector<int>& codes);
  /// What default_schedulers() answers (default 2).
  void set_default_schedulers(unsigned count) noexcept { schedulers_ = count; }

  /// Its engines see `faults` (reads, writes, accepts, blocking work) while the rule lives.
  Rule impose(const Faults& faults);

  /// A simulated engine on this host; without a log line.
  std::unique_ptr<Engine> make_engine();

  // ---- Environment -----------------------------------------------------------------------------
  unsigned default_schedulers() const noexcept override { return schedulers_; }
  Result<std::unique_ptr<Engine>> make_engine(unsigned index, Log& log) override;
  void start(std::span<Loop* const> loops) override;
  /// Runs the world until the loops of this host have finished. Throws std::runtime_error when they
  /// have not after WorldOptions::join_limit.
  void join() override;
  bool wait(Gate& gate, Duration limit) override;
  void watch(Duration, std::move_only_function<void(Instant)>) override {}

 private:
  World& world_;
  detail::Universe& universe_;
  std::uint32_t index_;
  unsigned schedulers_ = 2;
};

class World {
 public:
  explicit World(std::uint64_t seed, WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::uint64_t seed() const noexcept;
  /// The host of this name, made on first use. Holds as long as the World. The name resolves, from
  /// every host, to its addresses.
  Host& host(std::string_view name);
  /// One more name for resolve(): first come, first tried.
  void add_name(std::string_view name, const Address& address);

  // ---- time ------------------------------------------------------------------------------------
  // None of these may be called from inside a turn. They throw Livelock, and whatever a loop
  // throws.

  Instant now() const noexcept;
  /// One event, one turn of one loop, or one move of time to the next thing that happens; false
  /// when nothing is left that could ever happen.
  bool step();
  void run_for(Duration length);
  /// Runs until `predicate` holds, at most `limit` of virtual time; answers whether it held.
  bool run_until(const std::function<bool()>& predicate, Duration limit);

  // ---- the network -----------------------------------------------------------------------------

  /// Nothing gets through between the two, in either direction, until healed. Connections live on:
  /// TCP repeats what was lost, gives up after 924 s, and new attempts after 127 s.
  void cut(std::string_view left, std::string_view right);
  void cut_one_way(std::string_view from, std::string_view to);
  /// Every cut ends. What was held back gets through within about a second.
  void heal();
  void heal(std::string_view left, std::string_view right);
  /// Every connection between the two is reset now, at both ends.
  void reset_connections(std::string_view left, std::string_view right);
  /// On each connection that exists, what `from` sends to `to` stands still for so long.
  void stall(std::string_view from, std::string_view to, Duration length);

  // ---- faults ----------------------------------------------------------------------------------

  /// What holds where no rule does. A new world starts with Faults::none().
  void set_faults(const Faults& faults);
  const Faults& faults() const noexcept;
  Rule impose(const Faults& faults);
  /// In this direction only.
  Rule impose(std::string_view from, std::string_view to, const Faults& faults);

  // ---- what happened ---------------------------------------------------------------------------

  /// Chance for the test's own choices: drawn from the seed, and a stream of its own, so that the
  /// number of draws does not change what the network does.
  Random& random() noexcept;
  Trace& trace() noexcept;
  /// Two runs of one program with one seed have the same digest.
  std::uint64_t digest() const noexcept;
  /// A line in the trace.
  void remark(std::string_view text);
  /// Ends of connections that exist in any kernel, those that only still close included.
  std::size_t streams() const noexcept;
  /// Seed, time, faults, digest and the trace kept: for the report of a failure.
  std::string report() const;

 private:
  friend class Host;
  struct Parts;
  std::uint32_t index_of(std::string_view name);
  Rule impose_on(std::uint32_t host, const Faults& faults);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hawser::sim
