// Many clients, a handler that crashes, and whatever the seed makes of the network: nobody gets
// another's bytes, nobody's order is lost, and at the end nothing is left.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;

struct Lives {
  int handlers = 0;
  int terminated = 0;
};

/// Says every packet back with its count; some crash it, some stop it, some make it send a lot.
struct Moody {
  Lives* lives;
  int count = 0;
  bool counted = false;

  void init() { ++lives->handlers; }
  Next handle_packet(Packet packet) {
    if (packet == "crash") throw std::runtime_error("as told");
    if (packet == "stop") return send("bye").then_stop();
    if (packet.starts_with("much")) return send(std::string(20'000, 'm')).send(packet);
    ++count;
    return send(std::to_string(count) + " " + std::string(packet));
  }
  Next handle_disconnect() {
    if (count % 7 == 3) throw std::runtime_error("in disconnect");
    return keep();
  }
  void terminate(const Reason&) {
    ++lives->terminated;
    if (count % 11 == 5) throw std::runtime_error("in terminate");
  }
};

TEST(Soak, Tcp_R_35_ThreeHundredSeedsOfAFaultyNetwork) {
  ServerStatus sum;  // over all seeds: shows that everything meant to happen did
  sim::SeedOptions seeds;
  seeds.has_failed = [] { return ::testing::Test::HasFailure(); };
  seeds.arguments = "--gtest_filter=Soak.Tcp_R_35_ThreeHundredSeedsOfAFaultyNetwork";
  const auto report = sim::for_each_seed(
      300,
      [&sum](sim::World& world) {
        NetWorld net(world, 1 + static_cast<unsigned>(world.seed() % 3));
        Lives lives;
        Random& random = world.random();
        ServerOptions options;
        options.max_connections = 1 + random.below(20);
        options.at_limit = random.below(2) == 0 ? AtLimit::close : AtLimit::leave_in_backlog;
        options.spread =
            random.below(3) == 0 ? AcceptSpread::per_scheduler : AcceptSpread::hand_over;
        options.connection.high_water = 30'000;
        options.connection.low_water = 5'000;
        options.connection.packets_per_turn = static_cast<std::uint32_t>(1 + random.below(5));
        options.connection.packet_timeout = 5s;
        options.connection.write_deadline = 10s;
        options.connection.idle_timeout = random.below(2) == 0 ? Duration(40s) : Duration(0s);
        options.drain_deadline = 5s;
        const std::size_t limit = options.max_connections;
        const auto before = net.left();
        const Address at = net.serve<Moody>(std::move(options), &lives);
        world.set_faults(sim::Faults::swarm(random));

        struct Client {
          std::unique_ptr<Peer> peer;
          std::vector<std::string> sent;
        };
        std::vector<Client> clients;
        for (int round = 0; round < 150; ++round) {
          if (clients.size() < 40 && random.below(2) == 0)
            clients.push_back({net.connect(at, random.below(4) != 0), {}});
          if (!clients.empty()) {
            Client& client = clients[random.below(clients.size())];
            switch (random.below(12)) {
              case 0:
                client.peer->send(framed("crash"));
                break;
              case 1:
                client.peer->send(framed("stop"));
                break;
              case 2:
                for (std::uint64_t i = random.below(30); i > 0; --i) {
                  client.peer->send(framed("much " + std::to_string(round)));
                }
                break;
              case 3:
                client.peer->end();
                break;
              case 4:
                client.peer->close(random.below(2) == 0 ? CloseMode::graceful : CloseMode::reset);
                break;
              case 5:
                client.peer->send("\x01");
                break;
              default:
                for (std::uint64_t i = random.below(6); i > 0; --i) {
                  client.sent.push_back("p" + std::to_string(round) + "." + std::to_string(i));
                  client.peer->send(framed(client.sent.back()));
                }
            }
          }
          world.run_for(Duration(static_cast<std::int64_t>(random.below(300'000'000))));
          const auto connections = net.status().connections;
          EXPECT_LE(connections, limit);
        }
        // The answers are numbered by the handler: in order, without a gap, and one's own.
        for (const Client& client : clients) {
          int expected = 0;
          for (const auto& packet : unframed(client.peer->received)) {
            if (packet == "bye" || packet[0] == 'm') continue;
            ++expected;
            const auto space = packet.find(' ');
            EXPECT_EQ(packet.substr(0, space), std::to_string(expected));
          }
        }
        const ServerStatus status = net.status();
        sum.started += status.started;
        sum.refused += status.refused;
        sum.pauses += status.pauses;
        sum.accept_errors += status.accept_errors;
        sum.packets_in += status.packets_in;
        for (std::size_t kind = 0; kind < sum.ended.size(); ++kind)
          sum.ended[kind] += status.ended[kind];
        world.set_faults(sim::Faults::none());
        EXPECT_TRUE(net.system->stop_child("it").has_value());
        clients.clear();
        EXPECT_EQ(lives.terminated, lives.handlers);
        world.run_for(120s);
        EXPECT_EQ(net.left(), before);
        EXPECT_EQ(net.lines_with("check failed"), 0U);
      },
      seeds);
  if (report.runs >= 300) {
    EXPECT_GT(sum.started, 3'000U);
    EXPECT_GT(sum.packets_in, 15'000U);
    EXPECT_GT(sum.refused, 100U);
    EXPECT_GT(sum.pauses, 100U);
    EXPECT_GT(sum.accept_errors, 100U);
    for (const auto kind :
         {Reason::Kind::normal, Reason::Kind::crash, Reason::Kind::closed, Reason::Kind::timeout})
      EXPECT_GT(sum.ended_by(kind), 100U) << to_string(kind);
  }
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

}  // namespace
}  // namespace hawser
