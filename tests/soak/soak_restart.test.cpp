// Shards of the bus die while clients come and go: who was connected is told so, who comes back
// finds the whole bus, and nobody ever talks to a part of it as if it were all.
#include "support/sim_stomp_client.hpp"
#include "support/soak_world.hpp"

#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser::soak {
namespace {

constexpr int destinations = 12;

std::string destination(int number) {
  return (number % 2 == 0 ? "/topic/d" : "/queue/d") + std::to_string(number);
}

/// Ends one shard, as a bug in it would.
void end_a_shard(SoakWorld& hub, Random& random) {
  const auto number = random.below(hub.system().scheduler_count());
  const Pid shard = hub.system().whereis("bus/default/" + std::to_string(number));
  if (shard) send_exit(shard, random.below(2) == 0 ? Reason::killed() : Reason::failed("as told"));
}

/// Two clients talk over every destination; false when one of them was told to come again.
bool talk_over_all(SoakWorld& hub, const Address& at) {
  SimStompClient left(hub.peers_on("good"), at, {.pipelines = true});
  SimStompClient right(hub.peers_on("good"), at, {.pipelines = true});
  for (int i = 0; i < destinations; ++i)
    left.subscribe(destination(i), std::to_string(i), "in " + std::to_string(i));
  const auto over = [&] { return left.over() || right.over(); };
  EXPECT_TRUE(hub.until([&] { return over() || left.receipts.size() == destinations; }, 20s));
  for (int i = 0; i < destinations && !over(); ++i)
    right.send(destination(i), "x", "sent " + std::to_string(i));
  EXPECT_TRUE(hub.until(
      [&] {
        return over() || (left.messages == destinations && right.receipts.size() == destinations);
      },
      20s))
      << left.messages << " messages, " << right.receipts.size() << " receipts";
  if (!over()) return true;
  for (const SimStompClient* each : {&left, &right}) {
    if (each->over()) {
      EXPECT_EQ(each->error_message, "the broker restarts") << each->failed;
    }
  }
  return false;
}

TEST(SoakRestart, NobodyEverSeesAPartOfTheBus) {
  int told = 0;
  int talked = 0;
  const auto report = sim::for_each_seed(
      HAWSER_SOAK_SEEDS / 5,
      [&](sim::World& world) {
        Random& random = world.random();
        SoakWorld hub(world, 2 + static_cast<unsigned>(random.below(2)));
        hub::HubOptions options;
        options.packet.reset();
        const Left before = hub.left();
        const Address at = *hub.start_hub(options).stomp;
        for (int round = 0; round < 12; ++round) {
          std::vector<std::unique_ptr<SimStompClient>> clients;
          const auto connect = [&](int count) {
            for (int i = 0; i < count; ++i)
              clients.push_back(std::make_unique<SimStompClient>(
                  hub.peers_on("good"), at, StompClientOptions{.pipelines = true}));
          };
          connect(3);
          world.run_for(1s);
          // Some are connected when it happens, and some come at that very instant.
          connect(8);
          for (auto steps = random.below(120); steps > 0; --steps) world.step();
          end_a_shard(hub, random);
          world.run_for(1s);
          // Each either was told, or found the bus as it is now, and works.
          const std::string topic =
              destination(2 * static_cast<int>(random.below(destinations / 2)));
          std::size_t listening = 0;
          for (const auto& client : clients) {
            if (client->over()) {
              EXPECT_EQ(client->error_message, "the broker restarts");
              ++told;
            } else if (client->subscribe(topic, "1", "in")) {
              ++listening;
            }
          }
          world.run_for(1s);
          for (const auto& client : clients)
            if (!client->over()) client->send(topic, "hello");
          world.run_for(1s);
          for (const auto& client : clients) {
            if (client->over()) continue;
            EXPECT_EQ(client->messages, listening) << topic;
          }
          if (talk_over_all(hub, at)) ++talked;
          world.run_for(Duration(static_cast<std::int64_t>(random.below(4'000'000'000))));
        }
        EXPECT_TRUE(talk_over_all(hub, at));
        for (const char* child : {"stomp", "bus/default"})
          EXPECT_TRUE(hub.system().stop_child(child).has_value()) << child;
        world.run_for(6s);
        EXPECT_EQ(hub.left(), before) << hub.left().text();
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=SoakRestart.NobodyEverSeesAPartOfTheBus"});
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
  RecordProperty("told", told);
  RecordProperty("talked", talked);
}

}  // namespace
}  // namespace hawser::soak
