// Echo peers on raw engines under whatever faults the seed chooses: what a stream promises must
// hold in every world.
#include <hawser/engine/sim/detail/test_peers.hpp>
#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser::sim {
namespace {

using detail::Acceptor;
using detail::PollLoop;
using detail::Recorder;

/// Bytes that differ at every place, so that a lost or swapped piece shows.
std::string pattern(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

/// What was received is the beginning of what was sent, and nothing came twice.
void expect_sane(const Recorder& peer, const std::string& sent) {
  EXPECT_EQ(peer.received, sent.substr(0, peer.received.size()));
  EXPECT_LE(peer.ends, 1U);
  EXPECT_LE(peer.failures, 1U);
  EXPECT_LE(peer.connected, 1U);
}

/// Some clients send to an echo server while the world does its worst; answers the digest.
/// `ballast` blocks of memory are taken first, so that two runs have their objects elsewhere.
std::uint64_t run_swarm(World& world, std::size_t ballast = 0) {
  std::vector<std::unique_ptr<char[]>> blocks;
  for (std::size_t index = 0; index < ballast; ++index) {
    blocks.push_back(std::make_unique<char[]>(16 + index * 8));
  }
  Random& random = world.random();
  world.set_faults(Faults::swarm(random));
  Host& server_host = world.host("server");
  Host& client_host = world.host("client");
  const auto server = server_host.make_engine();
  const auto client = client_host.make_engine();
  const auto server_loop = std::make_unique<PollLoop>(*server);
  const auto client_loop = std::make_unique<PollLoop>(*client);
  Loop* one[] = {server_loop.get()};
  Loop* two[] = {client_loop.get()};
  server_host.start(one);
  client_host.start(two);

  Acceptor acceptor(*server);
  acceptor.echo = true;
  acceptor.close_on_end = true;
  EXPECT_TRUE(acceptor.listen(Address::any_ipv4(7000)));
  struct Sender {
    std::unique_ptr<Recorder> peer;
    std::string sent;
  };
  std::vector<Sender> senders;
  const std::size_t count = 1 + random.below(6);
  for (std::size_t index = 0; index < count; ++index) {
    senders.push_back({std::make_unique<Recorder>(*client), {}});
    senders.back().peer->connect(server_host.address(7000));
  }
  // What is begun from outside a turn leaves with the next poll, for which a loop has to wake.
  const auto go_on = [&] {
    server->wake();
    client->wake();
  };
  for (int round = 0; round < 12; ++round) {
    for (Sender& sender : senders) {
      if (sender.peer->closed || !random.chance(0.6)) continue;
      const std::size_t size = 1 + random.below(random.chance(0.1) ? 300'000 : 300);
      const std::string bytes = pattern(size, world.seed() + sender.sent.size());
      if (sender.peer->connected != 0 && sender.peer->send(bytes)) sender.sent += bytes;
      if (random.chance(0.1)) client->pause_receiving(sender.peer->id);
      if (random.chance(0.3) && sender.peer->connected != 0) {
        client->resume_receiving(sender.peer->id);
      }
      if (random.chance(0.05)) client->shutdown_sending(sender.peer->id);
      if (random.chance(0.03)) {
        constexpr CloseMode modes[] = {CloseMode::graceful, CloseMode::immediate, CloseMode::reset};
        sender.peer->close(modes[random.below(3)]);
      }
    }
    if (random.chance(0.1)) world.cut("server", "client");
    if (random.chance(0.05)) world.cut_one_way("client", "server");
    if (random.chance(0.3)) world.heal();
    if (random.chance(0.03)) world.reset_connections("server", "client");
    if (random.chance(0.05)) server_host.pause();
    if (random.chance(0.4)) server_host.resume();
    if (acceptor.is_paused) {
      acceptor.is_paused = false;
      server->resume_accepting(acceptor.id);
    }
    go_on();
    world.run_for(Duration{static_cast<Duration::rep>(random.below(3'000'000'000))});
  }
  world.heal();
  server_host.resume();
  world.run_for(30s);
  for (Sender& sender : senders) sender.peer->close(CloseMode::graceful, 5s);
  go_on();
  world.run_for(10s);
  for (const auto& peer : acceptor.peers) peer->close(CloseMode::immediate);
  acceptor.close();
  go_on();
  EXPECT_TRUE(
      world.run_until([&] { return server->open_sockets() + client->open_sockets() == 0; }, 60s))
      << server->open_sockets() << " and " << client->open_sockets() << " sockets are left";
  for (const Sender& sender : senders) expect_sane(*sender.peer, sender.sent);
  for (const auto& peer : acceptor.peers) {
    // The server side has the bytes of one of the clients, from the beginning.
    bool fits = false;
    for (const Sender& sender : senders) {
      fits = fits || sender.sent.starts_with(peer->received);
    }
    EXPECT_TRUE(fits);
    EXPECT_LE(peer->ends, 1U);
    EXPECT_LE(peer->failures, 1U);
  }
  EXPECT_EQ(server_host.open_descriptors() + client_host.open_descriptors(), 0U);
  world.run_for(1000s);  // longer than any kernel keeps what nobody owns
  EXPECT_EQ(world.streams(), 0U);
  return world.digest();
}

SeedOptions options(const char* test) {
  SeedOptions chosen;
  chosen.has_failed = [] { return ::testing::Test::HasFailure(); };
  chosen.arguments = std::string("--gtest_filter=SimSwarm.") + test;
  return chosen;
}

TEST(SimSwarm, StreamsKeepTheirPromises) {
  std::uint64_t struck[16] = {};
  const SeedReport report = for_each_seed(
      500,
      [&struck](World& world) {
        run_swarm(world);
        for (std::size_t kind = 0; kind < 16; ++kind) {
          struck[kind] += world.trace().faults(static_cast<FaultKind>(kind));
        }
      },
      options("StreamsKeepTheirPromises"));
  EXPECT_TRUE(report);
  if (report.runs < 500) return;
  using enum FaultKind;
  for (const FaultKind kind :
       {connect_refused, connect_black_holed, reset, half_close, stall, split_read, short_write,
        receive_starvation, accept_aborted, accept_exhausted}) {
    EXPECT_GT(struck[static_cast<std::size_t>(kind)], 0U) << to_string(kind) << " never struck";
  }
}

TEST(SimSwarm, SameSeedSameRun) {
  std::vector<std::uint64_t> digests;
  EXPECT_TRUE(for_each_seed(
      20,
      [&](World& world) {
        World again(world.seed());
        const std::uint64_t first = run_swarm(world);
        EXPECT_EQ(first, run_swarm(again, 300));
        EXPECT_EQ(world.trace().count(), again.trace().count());
        digests.push_back(first);
      },
      options("SameSeedSameRun")));
  for (std::size_t index = 1; index < digests.size(); ++index) {
    EXPECT_NE(digests[index - 1], digests[index]) << "two seeds, one run";
  }
}

}  // namespace
}  // namespace hawser::sim
