// Ten thousand clients at once, at the limits of the server and of the machine.
#include "support/neighbours.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace hawser::soak {
namespace {

constexpr std::size_t crowd_size = 10'000;

using testing::Echo;

struct CrowdScene {
  explicit CrowdScene(ServerOptions options) : hub(world, 2) {
    options.backlog = 20'000;
    at = hub.serve<Echo>("crowded", std::move(options));
    neighbour.emplace(hub, hub.serve<Echo>("other", {}));
    EXPECT_TRUE(neighbour->is_served());
  }
  void everybody_connects() {
    crowd.reserve(crowd_size);
    for (std::size_t i = 0; i < crowd_size; ++i)
      crowd.push_back(std::make_unique<testing::Peer>(hub.peers_on("crowd"), at));
  }
  std::size_t served() {
    for (const auto& peer : crowd) peer->send(testing::framed("hello"));
    // The kernel's backlog is shorter than the crowd: the rest comes with repeated SYNs.
    world.run_for(20s);
    return static_cast<std::size_t>(std::count_if(crowd.begin(), crowd.end(), [](const auto& peer) {
      return peer->received == testing::framed("hello");
    }));
  }

  sim::World world{1};
  SoakWorld hub;
  Address at;
  std::optional<PacketNeighbour> neighbour;
  std::vector<std::unique_ptr<testing::Peer>> crowd;
};

TEST(HostileCrowd, TenThousandAtOnceAreLetIn) {
  CrowdScene scene({.max_connections = crowd_size});
  scene.everybody_connects();
  EXPECT_EQ(scene.served(), crowd_size);
  const ServerStatus status = scene.hub.status("crowded");
  EXPECT_EQ(status.connections, crowd_size);
  EXPECT_EQ(status.per_scheduler[0] + status.per_scheduler[1], crowd_size);
  EXPECT_EQ(status.per_scheduler[0], status.per_scheduler[1]) << "spread";
  EXPECT_TRUE(scene.neighbour->is_served());
  scene.crowd.clear();
  scene.world.run_for(6s);
  EXPECT_EQ(scene.hub.status("crowded").connections, 0U);
}

TEST(HostileCrowd, BeyondTheLimitTheyWaitInTheBacklog) {
  CrowdScene scene({.max_connections = 1'000, .at_limit = AtLimit::leave_in_backlog});
  scene.everybody_connects();
  EXPECT_EQ(scene.served(), 1'000U);
  ServerStatus status = scene.hub.status("crowded");
  EXPECT_EQ(status.connections, 1'000U);
  EXPECT_FALSE(status.accepting);
  EXPECT_EQ(status.not_accepting_because, "at max_connections");
  EXPECT_TRUE(scene.neighbour->is_served());
  // Whoever is served leaves, and the next come in, until the last.
  std::size_t served = 0;
  for (int wave = 0; wave < 12 && !scene.crowd.empty(); ++wave) {
    served += std::erase_if(scene.crowd, [](const auto& peer) { return !peer->received.empty(); });
    scene.world.run_for(8s);
    EXPECT_LE(scene.hub.status("crowded").connections, 1'000U);
  }
  EXPECT_EQ(served, crowd_size);
  scene.world.run_for(8s);
  status = scene.hub.status("crowded");
  EXPECT_EQ(status.connections, 0U);
  EXPECT_TRUE(status.accepting);
}

TEST(HostileCrowd, BeyondTheLimitTheyAreClosed) {
  CrowdScene scene({.max_connections = 1'000, .at_limit = AtLimit::close});
  scene.everybody_connects();
  EXPECT_EQ(scene.served(), 1'000U);
  const ServerStatus status = scene.hub.status("crowded");
  EXPECT_EQ(status.connections, 1'000U);
  EXPECT_EQ(status.refused, crowd_size - 1'000);
  EXPECT_TRUE(status.accepting);
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileCrowd, OutOfDescriptorsItPausesAndRecovers) {
  CrowdScene scene({.max_connections = crowd_size});
  scene.world.host("hub").set_descriptor_limit(2'000);
  scene.everybody_connects();
  const std::size_t served = scene.served();
  EXPECT_LE(served, 2'000U);
  EXPECT_GT(served, 1'900U);
  EXPECT_LE(scene.world.host("hub").open_descriptors(), 2'000U);
  EXPECT_TRUE(scene.neighbour->is_served());
  scene.world.run_for(20s);
  ServerStatus status = scene.hub.status("crowded");
  EXPECT_GT(status.accept_errors, 100U) << "it tries again";
  EXPECT_LT(status.accept_errors, 600U) << "and does not spin";
  const std::size_t lines = scene.hub.lines_with("EMFILE");
  EXPECT_GE(lines, 1U);
  EXPECT_LE(lines, 8U) << "one line in ten seconds";
  EXPECT_EQ(scene.hub.lines_with("error "), 0U) << scene.hub.all_lines();
  scene.world.host("hub").set_descriptor_limit(65'536);
  EXPECT_TRUE(scene.hub.until(
      [&] {
        return std::all_of(scene.crowd.begin(), scene.crowd.end(),
                           [](const auto& peer) { return !peer->received.empty(); });
      },
      60s))
      << "those beyond the backlog wait for their next SYN";
  EXPECT_EQ(scene.hub.status("crowded").connections, crowd_size);
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileCrowd, ConnectedAndGoneBeforeTheyAreAccepted) {
  CrowdScene scene({.max_connections = crowd_size});
  scene.everybody_connects();
  for (const auto& peer : scene.crowd) peer->close(CloseMode::reset);
  scene.world.run_for(10s);
  EXPECT_EQ(scene.hub.status("crowded").connections, 0U);
  EXPECT_TRUE(scene.hub.status("crowded").accepting);
  EXPECT_TRUE(scene.neighbour->is_served());
}

}  // namespace
}  // namespace hawser::soak
