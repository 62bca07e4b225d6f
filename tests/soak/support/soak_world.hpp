// A whole hub on one simulated host and hosts full of bare peers around it: start, look inside,
// stop and count what is left. Internal to tests/soak; one thread.
#pragma once

#include <hawser/engine/sim/world.hpp>
#include <hawser/hub/hub.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/testing/left.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::soak {

using testing::Left;

/// The hub's System on host "hub"; bare peers run on whatever other hosts a test names.
class SoakWorld {
 public:
  SoakWorld(sim::World& world, unsigned schedulers);
  SoakWorld(const SoakWorld&) = delete;
  SoakWorld& operator=(const SoakWorld&) = delete;
  /// Peers of a test must be gone before: they live on these engines.
  ~SoakWorld();

  /// Starts the hub's bus and servers on the hub's own address. Throws what went wrong.
  hub::HubAddresses start_hub(hub::HubOptions options);
  /// One more packet server beside the hub's, by its name.
  template <class H, class... Arguments>
  Address serve(std::string name, ServerOptions options, Arguments... arguments) {
    options.listen = ListenAddress(world_.host("hub").address(0));
    auto started = system().start(server<H>(name, std::move(options), std::move(arguments)...));
    if (!started) throw std::runtime_error(started.error().text());
    return status(name).address;
  }

  /// The engine of the peers on that host, made on first use.
  Engine& peers_on(std::string_view host);
  /// The host loses power, and comes back empty. Its peers must be destroyed by the caller between
  /// the two.
  void crash_peers_on(std::string_view host);
  void restart_peers_on(std::string_view host);

  sim::World& world() noexcept { return world_; }
  System& system() noexcept { return *system_; }
  ServerStatus status(std::string_view server);
  bus::BusStatistics bus_statistics();
  Left left() { return testing::left_in(*system_); }
  /// Ends the System and every peers' loop; true when it was in time. Nothing works afterwards.
  bool finish(Duration limit);

  bool until(const std::function<bool()>& predicate, Duration limit) {
    return world_.run_until(predicate, limit);
  }
  std::size_t lines_with(std::string_view part) const;
  std::string all_lines() const;
  std::vector<std::string> lines;

 private:
  sim::World& world_;
  std::unique_ptr<System> system_;
  std::map<std::string, std::unique_ptr<testing::PeerLoop>, std::less<>> loops_;
};

}  // namespace hawser::soak
