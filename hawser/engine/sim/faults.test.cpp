// Each fault shows its effect, and none of them happens where it is not on.
#include <hawser/engine/sim/detail/test_peers.hpp>
#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

namespace hawser::sim {
namespace {

using detail::Acceptor;
using detail::Pair;
using detail::Recorder;

Faults with(double Faults::* rate, double value) {
  Faults faults;
  faults.*rate = value;
  return faults;
}

std::uint64_t all_faults(World& world) {
  std::uint64_t sum = 0;
  for (int kind = 0; kind <= static_cast<int>(FaultKind::slow_blocking); ++kind) {
    sum += world.trace().faults(static_cast<FaultKind>(kind));
  }
  return sum;
}

TEST(SimFaults, NoneMeansNone) {
  Pair pair(3);
  Recorder peer(*pair.client);
  peer.greeting = std::string(200'000, 'x');
  ASSERT_TRUE(pair.connect(peer));
  pair.client->resolve("server", 1, [](auto) {});
  pair.run(10s);
  EXPECT_EQ(peer.received.size(), 200'000U);
  EXPECT_LT(peer.reads, 60U) << "nothing is split";
  peer.close(CloseMode::graceful);
  pair.run(10s);
  EXPECT_EQ(all_faults(pair.world), 0U);
  EXPECT_EQ(Faults::none().text(), "none");
}

TEST(SimFaults, JitterVariesTheWay) {
  std::set<std::int64_t> ways;
  Pair pair(1);
  Faults faults;
  faults.jitter = 10ms;
  pair.world.set_faults(faults);
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  for (int count = 1; count <= 20; ++count) {
    const Instant begin = pair.world.now();
    peer.send("x");
    ASSERT_TRUE(
        pair.until([&] { return peer.received.size() == static_cast<std::size_t>(count); }, 1s));
    ways.insert((pair.world.now() - begin).count());
    EXPECT_LE(pair.world.now() - begin, 20'200us);
  }
  EXPECT_GT(ways.size(), 15U);
}

TEST(SimFaults, SegmentsReadsAndWritesAreSplit) {
  const auto reads = [](const Faults& faults) {
    Pair pair(1);
    pair.world.set_faults(faults);
    Recorder peer(*pair.client);
    peer.greeting = std::string(1000, 'x');
    EXPECT_TRUE(pair.connect(peer));
    pair.run(10s);
    EXPECT_EQ(peer.received.size(), 1000U);
    return peer.reads;
  };
  EXPECT_EQ(reads(Faults::none()), 1U);
  Faults small;
  small.segment_bytes = 1;
  EXPECT_GT(reads(small), 10U);
  EXPECT_GT(reads(with(&Faults::split_reads, 0.95)), 5U);
  EXPECT_GT(reads(with(&Faults::short_writes, 0.95)), 2U);
}

TEST(SimFaults, ConnectionsAreRefusedOrVanish) {
  Pair refused(1);
  refused.world.set_faults(with(&Faults::connect_refused, 1));
  Recorder one(*refused.client);
  EXPECT_FALSE(refused.connect(one));
  EXPECT_EQ(one.failure.code, ECONNREFUSED);

  Pair vanished(1);
  vanished.world.set_faults(with(&Faults::connect_black_holed, 1));
  Recorder two(*vanished.client);
  const Instant begin = vanished.world.now();
  EXPECT_FALSE(vanished.connect(two));
  EXPECT_EQ(two.failure.code, ETIMEDOUT);
  EXPECT_EQ(vanished.world.now() - begin, 127s);
  EXPECT_TRUE(vanished.acceptor.peers.empty());
}

TEST(SimFaults, AResetReachesBothEnds) {
  Pair pair(1);
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  pair.run(1s);
  {
    const Rule rule = pair.world.impose("client", "server", with(&Faults::reset, 1));
    peer.send("x");
    pair.run(1s);
  }
  EXPECT_EQ(peer.failure.code, ECONNRESET);
  EXPECT_EQ(pair.acceptor.peers.at(0)->failure.code, ECONNRESET);
  Recorder after(*pair.client);
  after.greeting = "x";
  ASSERT_TRUE(pair.connect(after));
  pair.run(1s);
  EXPECT_EQ(after.received, "x") << "the rule is gone";
}

TEST(SimFaults, AHalfCloseEndsOneDirection) {
  Pair pair(1);
  pair.acceptor.close_on_end = false;
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  pair.run(1s);
  const Rule rule = pair.world.impose("client", "server", with(&Faults::half_close, 1));
  peer.send("x");
  pair.run(1s);
  Recorder& other = *pair.acceptor.peers.at(0);
  EXPECT_EQ(other.received, "x");
  EXPECT_EQ(other.ends, 1U);
  EXPECT_EQ(peer.received, "x") << "the other direction lives";
  peer.send("y");
  pair.run(1s);
  EXPECT_EQ(peer.failure.code, EPIPE);
}

TEST(SimFaults, AStallHealsByItself) {
  Pair pair(1);
  Faults faults = with(&Faults::stall, 1);
  faults.stall_length = {3s, 3s};
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  pair.run(1s);
  const Rule rule = pair.world.impose("client", "server", faults);
  peer.send("x");
  pair.run(2900ms);
  EXPECT_EQ(peer.received, "");
  pair.run(200ms);
  EXPECT_EQ(peer.received, "x");
}

TEST(SimFaults, StallResetAndCutByHand) {
  Pair pair(1);
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  pair.run(1s);
  pair.world.stall("client", "server", 5s);
  peer.send("a");
  pair.run(4s);
  EXPECT_EQ(peer.received, "");
  pair.run(2s);
  EXPECT_EQ(peer.received, "a");

  pair.world.cut_one_way("server", "client");
  peer.send("b");
  pair.run(40s);
  EXPECT_EQ(pair.acceptor.peers.at(0)->received, "ab") << "this direction is open";
  EXPECT_EQ(peer.received, "a");
  pair.world.heal();
  pair.run(2s);
  EXPECT_EQ(peer.received, "ab");

  pair.world.cut("server", "client");
  peer.send("c");
  pair.run(40s);
  EXPECT_EQ(pair.acceptor.peers.at(0)->received, "ab");
  pair.world.heal("client", "server");
  pair.run(2s);
  EXPECT_EQ(peer.received, "abc");

  pair.world.reset_connections("client", "server");
  pair.run(1s);
  EXPECT_EQ(peer.failure.code, ECONNRESET);
}

TEST(SimFaults, ALongCutTimesOut) {
  Pair pair(1);
  Recorder talks(*pair.client), silent(*pair.client), late(*pair.client);
  ASSERT_TRUE(pair.connect(talks));
  ASSERT_TRUE(pair.connect(silent));
  pair.world.cut("server", "client");
  talks.send("x");
  late.connect(pair.server_host.address(7000));
  pair.run(920s);
  EXPECT_EQ(late.failure.code, ETIMEDOUT);
  EXPECT_EQ(talks.failures, 0U);
  pair.run(10s);
  EXPECT_EQ(talks.failure.code, ETIMEDOUT);
  EXPECT_EQ(silent.failures, 0U) << "who sends nothing notices nothing";
}

TEST(SimFaults, KeepAliveNoticesASilentPeer) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000)));
  StreamOptions options;
  options.keep_alive = true;
  Recorder peer(*pair.client);
  peer.connect(pair.server_host.address(7000), options);
  pair.run(3h);
  EXPECT_EQ(peer.failures, 0U);
  pair.server_host.crash();
  pair.run(58s);  // up to a minute of silence, then six questions in ten seconds each
  EXPECT_EQ(peer.failures, 0U);
  pair.run(64s);
  EXPECT_EQ(peer.failure.code, ETIMEDOUT);
}

TEST(SimFaults, KeepAliveKeepsToItsIntervalsAndMayBeChangedOnAnOpenStream) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000)));
  Recorder peer(*pair.client);
  peer.connect(pair.server_host.address(7000), {});
  pair.run(1s);
  pair.server_host.crash();
  pair.run(3h);
  ASSERT_EQ(peer.failures, 0U) << "who only receives, and does not ask, waits for ever";
  StreamChanges changes;
  changes.keep_alive = true;
  changes.keep_alive_idle = 2s;
  changes.keep_alive_interval = 1s;
  changes.keep_alive_probes = 3;
  ASSERT_TRUE(pair.client->change_stream(peer.id, changes));
  pair.run(4500ms);
  EXPECT_EQ(peer.failures, 0U);
  pair.run(1s);
  EXPECT_EQ(peer.failure.code, ETIMEDOUT);
}

TEST(SimFaults, AUserTimeoutBoundsWhatIsNotAcknowledgedAndHasNoRoom) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000)));
  StreamOptions options;
  options.user_timeout = 20s;
  Recorder full(*pair.client);
  full.connect(pair.server_host.address(7000), options);
  Recorder cut(*pair.client);
  cut.connect(pair.server_host.address(7000), options);
  pair.run(1s);
  ASSERT_EQ(pair.acceptor.peers.size(), 2U);
  pair.server->pause_receiving(pair.acceptor.peers[0]->id);
  pair.run(1s);
  full.send(Bytes(1'000'000, 'x'));
  pair.run(15s);
  EXPECT_EQ(full.failures, 0U);
  pair.run(6s);
  EXPECT_EQ(full.failure.code, ETIMEDOUT) << "the peer is there, but takes nothing";
  EXPECT_EQ(cut.failures, 0U);
  pair.server_host.crash();
  cut.send("x");
  pair.run(19s);
  EXPECT_EQ(cut.failures, 0U);
  pair.run(2s);
  EXPECT_EQ(cut.failure.code, ETIMEDOUT);
}

TEST(SimFaults, AcceptsFail) {
  Pair aborted(1);
  aborted.world.set_faults(with(&Faults::accept_aborted, 1));
  Recorder one(*aborted.client);
  ASSERT_TRUE(aborted.connect(one));
  aborted.run(1s);
  EXPECT_TRUE(aborted.acceptor.peers.empty());
  EXPECT_EQ(one.failures, 1U) << "the client's connection was reset";
  EXPECT_EQ(aborted.world.trace().faults(FaultKind::accept_aborted), 1U);

  Pair exhausted(1);
  {
    const Rule rule = exhausted.server_host.impose(with(&Faults::accept_exhausted, 1));
    Recorder two(*exhausted.client);
    ASSERT_TRUE(exhausted.connect(two));
    exhausted.run(1s);
    EXPECT_EQ(exhausted.acceptor.failure.code, EMFILE);
    EXPECT_TRUE(exhausted.acceptor.is_paused);
  }
  exhausted.server->resume_accepting(exhausted.acceptor.id);
  exhausted.run(1s);
  EXPECT_EQ(exhausted.acceptor.peers.size(), 1U) << "it waited in the backlog";
}

TEST(SimFaults, AStarvedReceiveComesAgain) {
  Pair pair(1);
  const Rule rule = pair.server_host.impose(with(&Faults::receive_starvation, 0.8));
  Recorder peer(*pair.client);
  peer.greeting = "hello";
  ASSERT_TRUE(pair.connect(peer));
  for (int count = 0; count < 20; ++count) {
    peer.send("more");
    pair.run(100ms);
  }
  EXPECT_EQ(peer.received.size(), 85U) << "nothing is lost by it";
  EXPECT_GT(pair.server->counters().buffer_starvations, 10U);
  EXPECT_EQ(pair.client->counters().buffer_starvations, 0U) << "the rule is the server's";
}

TEST(SimFaults, BlockingWorkIsSlow) {
  Pair pair(1);
  Faults faults = with(&Faults::slow_blocking, 1);
  faults.blocking_slow = {2s, 2s};
  pair.world.set_faults(faults);
  bool found = false;
  pair.client->resolve("server", 1, [&found](auto answer) { found = answer.has_value(); });
  pair.run(1900ms);
  EXPECT_FALSE(found);
  pair.run(200ms);
  EXPECT_TRUE(found);
  // Four threads: of six jobs two wait for a free one.
  int done = 0;
  for (int count = 0; count < 6; ++count) pair.client->run_blocking([] {}, [&done] { ++done; });
  pair.run(2100ms);
  EXPECT_EQ(done, 4);
  pair.run(2s);
  EXPECT_EQ(done, 6);
}

TEST(SimFaults, CompletionsComeLate) {
  Pair pair(1);
  Faults faults;
  faults.latency = Duration{0};
  faults.completion_delay = 50ms;
  pair.world.set_faults(faults);
  Recorder peer(*pair.client);
  const Instant begin = pair.world.now();
  peer.greeting = "x";
  ASSERT_TRUE(pair.connect(peer));
  ASSERT_TRUE(pair.until([&] { return peer.received == "x"; }, 1s));
  EXPECT_GT(pair.world.now() - begin, 20ms);
}

TEST(SimFaults, EverySwarmFaultComesUp) {
  // Whatever a seed can choose is chosen by some seed, and left alone by another.
  std::set<std::string> on;
  unsigned calm = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const std::string text = Faults::swarm(random).text();
    for (std::size_t begin = 0; begin < text.size();) {
      on.insert(text.substr(begin, text.find('=', begin) - begin));
      const std::size_t space = text.find(' ', begin);
      if (space == std::string::npos) break;
      begin = space + 1;
    }
    calm += text.find("reset=") == std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(on.size(), 22U) << "one for each setting that swarm() touches";
  EXPECT_GT(calm, 50U);
}

// ---- datagrams
// -----------------------------------------------------------------------------------

class Mailbox final : public DatagramEvents {
 public:
  explicit Mailbox(Engine& engine) : engine_(&engine) {}
  bool open(const Address& bind, const DatagramOptions& options = {}) {
    auto made = engine_->open_datagram(bind, options, *this);
    if (!made) return false;
    id = made->id;
    bound = made->bound;
    return true;
  }
  Result<void> send(const Address& to, BytesView bytes) {
    return engine_->send_datagram(id, to, bytes);
  }
  void on_datagram(const Datagram& datagram) override {
    received.emplace_back(datagram.bytes);
    from = datagram.from;
    interface = datagram.interface_index;
  }
  void on_failed(const Error&) override {}
  SocketId id;
  Address bound, from;
  std::uint32_t interface = 0;
  std::vector<std::string> received;

 private:
  Engine* engine_;
};

TEST(SimDatagrams, GoToTheirPortAndOtherwiseNowhere) {
  Pair pair(1);
  Mailbox server(*pair.server), client(*pair.client);
  ASSERT_TRUE(server.open(Address::any_ipv4(5000)));
  ASSERT_TRUE(client.open(Address::any_ipv4(0)));
  pair.run(1ms);
  EXPECT_TRUE(client.send(pair.server_host.address(5000), "one"));
  EXPECT_TRUE(client.send(pair.server_host.address(5001), "nobody"));
  EXPECT_FALSE(client.send(pair.server_host.address(5000), std::string(70'000, 'x')));
  pair.run(1s);
  EXPECT_EQ(server.received, std::vector<std::string>{"one"});
  EXPECT_EQ(server.from, pair.client_host.address(client.bound.port()));
  EXPECT_EQ(server.interface, 2U);
}

TEST(SimDatagrams, BroadcastReachesEverySocketOfTheSegment) {
  Pair pair(1);
  DatagramOptions shared;
  shared.reuse_address = true;
  shared.broadcast = true;
  Mailbox one(*pair.server), two(*pair.server), sender(*pair.client), plain(*pair.client);
  ASSERT_TRUE(one.open(Address::any_ipv4(5000), shared));
  ASSERT_TRUE(two.open(Address::any_ipv4(5000), shared));
  EXPECT_FALSE(plain.open(Address::any_ipv4(5000)) && sender.open(Address::any_ipv4(5000)));
  ASSERT_TRUE(sender.open(Address::any_ipv4(0), shared));
  Host& far = pair.world.host("far");
  far.add_interface(Address::ipv4({192, 168, 1, 1}, 0), "elsewhere", 24);
  pair.run(1ms);
  EXPECT_FALSE(plain.send(Address::ipv4({255, 255, 255, 255}, 5000), "x")) << "needs the option";
  EXPECT_TRUE(sender.send(Address::ipv4({255, 255, 255, 255}, 5000), "all"));
  EXPECT_TRUE(sender.send(Address::ipv4({10, 0, 255, 255}, 5000), "net"));
  pair.run(1s);
  EXPECT_EQ(one.received, (std::vector<std::string>{"all", "net"}));
  EXPECT_EQ(two.received, one.received);
  EXPECT_EQ(plain.received.size(), 2U) << "the sender's own host hears it too";
}

TEST(SimDatagrams, ABroadcastThroughAnInterfaceStaysOnItsSegment) {
  Pair pair(1);
  Host& client = pair.world.host("client");
  client.add_interface(Address::ipv4({192, 168, 1, 2}, 0), "side", 24);
  Host& far = pair.world.host("far");
  far.add_interface(Address::ipv4({192, 168, 1, 1}, 0), "side", 24);
  far.remove_interface(far.address(0));
  const auto far_engine = far.make_engine();
  far_engine->start();
  DatagramOptions shared;
  shared.broadcast = true;
  Mailbox near_box(*pair.server), far_box(*far_engine), sender(*pair.client);
  ASSERT_TRUE(near_box.open(Address::any_ipv4(5000)));
  ASSERT_TRUE(far_box.open(Address::any_ipv4(5000)));
  ASSERT_TRUE(sender.open(Address::any_ipv4(0), shared));
  const auto interfaces = pair.client->interfaces();
  ASSERT_TRUE(interfaces);
  ASSERT_EQ(interfaces->size(), 3U) << "loopback and two";
  EXPECT_EQ((*interfaces)[2].networks.front().broadcast, Address::ipv4({192, 168, 1, 255}, 0));
  const Address everybody = Address::ipv4({255, 255, 255, 255}, 5000);
  for (const NetworkInterface& interface : *interfaces) {
    const auto sent =
        pair.client->send_datagram(sender.id, everybody, interface.name, interface.index);
    EXPECT_TRUE(sent) << sent.error().text();
  }
  for (int turn = 0; turn < 20; ++turn) {
    pair.run(10ms);
    far_engine->poll(pair.world.now());
  }
  EXPECT_EQ(near_box.received, std::vector<std::string>{(*interfaces)[1].name});
  EXPECT_EQ(far_box.received, std::vector<std::string>{(*interfaces)[2].name});
}

TEST(SimDatagrams, AWatchTellsOfInterfacesThatComeAndGo) {
  Pair pair(1);
  Mailbox watch(*pair.server);
  const auto id = pair.server->watch_interfaces(watch);
  ASSERT_TRUE(id);
  pair.run(1ms);
  EXPECT_TRUE(watch.received.empty());
  Host& server = pair.world.host("server");
  const Address old = server.address(0);
  server.remove_interface(old);
  pair.run(1ms);
  EXPECT_EQ(watch.received.size(), 1U);
  server.add_interface(Address::ipv4({10, 0, 9, 9}, 0));
  pair.run(1ms);
  EXPECT_EQ(watch.received.size(), 2U);
  EXPECT_EQ(server.address(0), Address::ipv4({10, 0, 9, 9}, 0)) << "it has moved";
  pair.server->close_now(*id);
}

TEST(SimDatagrams, AConnectionFromAnAddressThatIsGoneHangs) {
  Pair pair(1);
  Recorder client(*pair.client);
  ASSERT_TRUE(pair.connect(client));
  const Address old = pair.client_host.address(0);
  pair.client_host.remove_interface(old);
  pair.client_host.add_interface(Address::ipv4({10, 0, 9, 9}, 0));
  client.send("into the void");
  pair.run(60s);
  EXPECT_EQ(client.failures, 0U);
  EXPECT_EQ(pair.received(), 0U);
  pair.run(1000s);
  EXPECT_EQ(client.failures, 1U) << "TCP gives up";
}

TEST(SimDatagrams, MulticastReachesMembers) {
  Pair pair(1);
  const Address group = Address::ipv4({239, 1, 2, 3}, 5000);
  DatagramOptions member;
  member.multicast_groups = {group};
  Mailbox in(*pair.server), sender(*pair.client);
  ASSERT_TRUE(in.open(Address::any_ipv4(5000), member));
  ASSERT_TRUE(sender.open(Address::any_ipv4(5000)));
  pair.run(1ms);
  EXPECT_TRUE(sender.send(group, "members only"));
  pair.run(1s);
  EXPECT_EQ(in.received, std::vector<std::string>{"members only"});
  EXPECT_TRUE(sender.received.empty());
}

TEST(SimDatagrams, AGroupIsJoinedOnInterfacesThatComeLater) {
  Pair pair(1);
  const Address group = Address::ipv4({239, 1, 2, 3}, 5000);
  Mailbox in(*pair.server), sender(*pair.client);
  ASSERT_TRUE(in.open(Address::any_ipv4(5000)));
  ASSERT_TRUE(sender.open(Address::any_ipv4(5000)));
  EXPECT_TRUE(sender.send(group, "nobody"));
  pair.run(1s);
  const auto join = [&](const Address& to, std::uint32_t index) {
    return pair.server->join_group(in.id, to, index);
  };
  EXPECT_EQ(join(group, 77).error().kind, ErrorKind::not_found);
  EXPECT_FALSE(join(Address::ipv4({10, 1, 2, 3}, 0), 2)) << "no group";
  ASSERT_TRUE(join(group, 2));
  EXPECT_TRUE(join(group, 2)) << "once more is no error";
  EXPECT_TRUE(sender.send(group, "one"));
  pair.run(1s);
  Host& server = pair.world.host("server");
  server.remove_interface(server.address(0));
  server.add_interface(Address::ipv4({10, 0, 9, 9}, 0));
  EXPECT_TRUE(sender.send(group, "left with its interface"));
  pair.run(1s);
  ASSERT_TRUE(join(group, pair.server->interfaces()->back().index));
  EXPECT_TRUE(sender.send(group, "two"));
  pair.run(1s);
  EXPECT_EQ(in.received, (std::vector<std::string>{"one", "two"}));
}

std::vector<std::string> received_of(const Faults& faults, int count) {
  Pair pair(1);
  pair.world.set_faults(faults);
  Mailbox server(*pair.server), client(*pair.client);
  EXPECT_TRUE(server.open(Address::any_ipv4(5000)));
  EXPECT_TRUE(client.open(Address::any_ipv4(0)));
  pair.run(1ms);
  for (int number = 0; number < count; ++number) {
    EXPECT_TRUE(client.send(pair.server_host.address(5000), std::to_string(1000 + number)));
    pair.run(1ms);
  }
  pair.run(1s);
  return server.received;
}

TEST(SimDatagrams, AreLostDoubledAndReordered) {
  const auto clean = received_of(Faults::none(), 100);
  EXPECT_EQ(clean.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(clean));
  const auto lost = received_of(with(&Faults::datagram_loss, 0.5), 100);
  EXPECT_GT(lost.size(), 25U);
  EXPECT_LT(lost.size(), 75U);
  EXPECT_EQ(received_of(with(&Faults::datagram_duplication, 1), 100).size(), 200U);
  const auto mixed = received_of(with(&Faults::datagram_reordering, 0.5), 100);
  EXPECT_EQ(mixed.size(), 100U);
  EXPECT_FALSE(std::ranges::is_sorted(mixed));
}

// ---- seeds
// ---------------------------------------------------------------------------------------

TEST(SimSeeds, StopAtTheFirstFailureAndNameItsSeed) {
  ::testing::internal::CaptureStderr();
  const SeedReport thrown = for_each_seed(100, [](World& world) {
    if (world.seed() == 13) throw std::runtime_error("bad luck");
  });
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(thrown);
  EXPECT_EQ(thrown.seed, 13U);
  EXPECT_EQ(thrown.runs, 13U);
  EXPECT_NE(told.find("HAWSER_SEED=13"), std::string::npos) << told;
  EXPECT_NE(told.find("bad luck"), std::string::npos) << told;

  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(for_each_seed(3, [](World&) { return false; }));
  EXPECT_FALSE(for_each_seed(3, [](World&) -> Result<void> {
    return std::unexpected(Error{ErrorKind::timeout, 0, "test", ""});
  }));
  ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(for_each_seed(3, [](World&) { return true; }));
}

TEST(SimSeeds, TheEnvironmentChoosesSeeds) {
  std::vector<std::uint64_t> seen;
  const auto note = [&seen](World& world) { seen.push_back(world.seed()); };
  ::setenv("HAWSER_SEEDS", "2", 1);
  EXPECT_TRUE(for_each_seed(100, note));
  ::setenv("HAWSER_SEED", "77", 1);
  EXPECT_TRUE(for_each_seed(100, note));
  ::unsetenv("HAWSER_SEED");
  ::unsetenv("HAWSER_SEEDS");
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2, 77}));
}

}  // namespace
}  // namespace hawser::sim
