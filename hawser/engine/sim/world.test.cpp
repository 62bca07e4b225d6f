// The clean network and its kernels: connections, ends and resets, buffers, ports, names, time.
#include <hawser/base/log.hpp>
#include <hawser/engine/sim/detail/test_peers.hpp>
#include <hawser/engine/sim/world.hpp>

#include <gtest/gtest.h>

#include <cerrno>

namespace hawser::sim {
namespace {

using detail::Acceptor;
using detail::Pair;
using detail::PollLoop;
using detail::Recorder;

TEST(SimWorld, CarriesBytesBothWaysAndEndsClean) {
  Pair pair(1);
  Recorder peer(*pair.client);
  peer.greeting = "ahoy";
  ASSERT_TRUE(pair.connect(peer));
  EXPECT_TRUE(pair.until([&] { return peer.received == "ahoy"; }, 1s));
  EXPECT_EQ(pair.client->peer(peer.id), pair.server_host.address(7000));
  EXPECT_EQ(pair.client->local(peer.id)->host(), "10.0.0.2");
  peer.close(CloseMode::graceful);
  pair.acceptor.close();
  EXPECT_TRUE(pair.until(
      [&] { return pair.server->open_sockets() + pair.client->open_sockets() == 0; }, 1s));
  EXPECT_EQ(pair.acceptor.peers.at(0)->ends, 1U);
  EXPECT_EQ(peer.failures, 0U);
  EXPECT_EQ(pair.world.streams(), 0U) << "both kernels have forgotten the connection";
}

TEST(SimWorld, LatencyAndBandwidthTakeVirtualTime) {
  Pair pair(1);
  Faults slow;
  slow.latency = 50ms;
  slow.bytes_per_second = 100'000;
  pair.world.set_faults(slow);
  Recorder peer(*pair.client);
  const Instant begin = pair.world.now();
  ASSERT_TRUE(pair.connect(peer));
  EXPECT_EQ(pair.world.now() - begin, 100ms) << "connecting is one round trip";
  const Instant sent = pair.world.now();
  peer.send(std::string(100'000, 'x'));
  ASSERT_TRUE(pair.until([&] { return pair.received() == 100'000; }, 9s));
  const Duration took = pair.world.now() - sent;
  EXPECT_GE(took, 1050ms);
  EXPECT_LE(took, 1060ms);
}

TEST(SimWorld, AReaderThatPausesHoldsTheSenderBack) {
  Pair pair(1);
  pair.acceptor.leave_paused = true;
  pair.acceptor.echo = false;
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  constexpr std::size_t size = 5'000'000;
  peer.send(std::string(size, 'x'));
  pair.run(10s);
  const std::size_t waiting = pair.client->unsent(peer.id);
  EXPECT_GT(waiting, 4'000'000U) << "the kernels' buffers are bounded";
  EXPECT_LT(waiting, size) << "and take what fits";
  pair.run(100s);
  EXPECT_EQ(pair.client->unsent(peer.id), waiting);
  pair.server->resume_receiving(pair.acceptor.peers.at(0)->id);
  EXPECT_TRUE(pair.until([&] { return pair.received() == size; }, 60s));
  EXPECT_EQ(pair.client->unsent(peer.id), 0U);
}

TEST(SimWorld, HalfCloseLeavesTheOtherDirectionOpen) {
  Pair pair(1);
  pair.acceptor.close_on_end = false;
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  peer.send("last words");
  pair.client->shutdown_sending(peer.id);
  ASSERT_TRUE(pair.until([&] { return pair.received() == 10; }, 1s));
  EXPECT_TRUE(pair.until([&] { return peer.received == "last words"; }, 1s));
  EXPECT_TRUE(pair.acceptor.peers.at(0)->send("still here"));
  EXPECT_TRUE(pair.until([&] { return peer.received == "last wordsstill here"; }, 1s));
  EXPECT_EQ(peer.failures + peer.ends, 0U);
}

TEST(SimWorld, BytesForAClosedProgramAreAnsweredWithAReset) {
  Pair pair(1);
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  ASSERT_TRUE(pair.until([&] { return pair.acceptor.peers.size() == 1; }, 1s));
  pair.acceptor.peers.at(0)->close(CloseMode::immediate);
  ASSERT_TRUE(pair.until([&] { return peer.ends == 1; }, 1s)) << "a close without loss is a FIN";
  peer.send("too late");
  pair.run(1s);
  peer.send("again");
  pair.run(1s);
  EXPECT_EQ(peer.failures, 1U);
  EXPECT_EQ(peer.failure.code, EPIPE) << "after the peer's FIN a reset is a broken pipe";
}

TEST(SimWorld, ClosingOverUnreadBytesIsAReset) {
  Pair pair(1);
  pair.acceptor.leave_paused = true;
  Recorder peer(*pair.client);
  ASSERT_TRUE(pair.connect(peer));
  peer.send("never read");
  pair.run(1s);
  pair.acceptor.peers.at(0)->close(CloseMode::immediate);
  ASSERT_TRUE(pair.until([&] { return peer.failures == 1; }, 1s));
  EXPECT_EQ(peer.failure.code, ECONNRESET);
  EXPECT_EQ(peer.ends, 0U);
}

TEST(SimWorld, AResetDestroysWhatWasNotRead) {
  for (const bool discards : {true, false}) {
    Pair pair(1);
    Faults faults;
    faults.reset_discards = discards ? 1 : 0;
    pair.world.set_faults(faults);
    pair.acceptor.leave_paused = true;
    Recorder peer(*pair.client);
    ASSERT_TRUE(pair.connect(peer));
    peer.send("unread");
    pair.run(1s);
    peer.close(CloseMode::reset);
    pair.run(1s);
    Recorder& other = *pair.acceptor.peers.at(0);
    pair.server->resume_receiving(other.id);
    pair.run(1s);
    EXPECT_EQ(other.received, discards ? "" : "unread");
    EXPECT_EQ(other.failures, 1U);
  }
}

TEST(SimWorld, ConnectingFailsAsOnARealNetwork) {
  Pair pair(1);
  Recorder nobody_listens(*pair.client);
  nobody_listens.connect(pair.server_host.address(9));
  Recorder nobody_there(*pair.client);
  nobody_there.connect(Address::ipv4({10, 0, 77, 77}, 9));
  Recorder no_file(*pair.client);
  no_file.connect(Address::unix_path("/run/none"));
  pair.run(1s);
  EXPECT_EQ(nobody_listens.failure.code, ECONNREFUSED);
  EXPECT_EQ(nobody_there.failure.code, EHOSTUNREACH);
  EXPECT_EQ(no_file.failure.code, ENOENT);
  pair.server_host.crash();
  Recorder host_is_off(*pair.client);
  host_is_off.connect(pair.server_host.address(7000));
  pair.run(126s);
  EXPECT_EQ(host_is_off.failures, 0U);
  pair.run(2s);
  EXPECT_EQ(host_is_off.failure.code, ETIMEDOUT);
}

TEST(SimWorld, PortsAndPathsAreTakenOnceAHost) {
  Pair pair(1);
  Acceptor first(*pair.server), second(*pair.server), elsewhere(*pair.client);
  ASSERT_TRUE(first.listen(pair.server_host.address(80)));
  EXPECT_EQ(second.listen(Address::any_ipv4(80)).error().kind, ErrorKind::already_exists);
  EXPECT_TRUE(second.listen(Address::loopback(80)));
  EXPECT_TRUE(elsewhere.listen(Address::any_ipv4(80))) << "another host has ports of its own";
  EXPECT_EQ(elsewhere.listen(pair.server_host.address(81)).error().code, EADDRNOTAVAIL);
  Acceptor path(*pair.server), same_path(*pair.server), other_host(*pair.client);
  ASSERT_TRUE(path.listen(Address::unix_path("/run/x")));
  EXPECT_EQ(same_path.listen(Address::unix_path("/run/x")).error().kind, ErrorKind::already_exists);
  EXPECT_TRUE(other_host.listen(Address::unix_path("/run/x")));
  Acceptor any(*pair.server), another(*pair.server);
  ASSERT_TRUE(any.listen(Address::any_ipv4(0)));
  ASSERT_TRUE(another.listen(Address::any_ipv4(0)));
  EXPECT_NE(any.bound.port(), 0);
  EXPECT_NE(any.bound.port(), another.bound.port());
}

TEST(SimWorld, ListenersShareAPortByReusePort) {
  Pair pair(1);
  ListenOptions shared;
  shared.reuse_port = true;
  Acceptor left(*pair.server), right(*pair.server);
  ASSERT_TRUE(left.listen(Address::any_ipv4(7000), shared));
  ASSERT_TRUE(right.listen(Address::any_ipv4(7000), shared));
  std::vector<std::unique_ptr<Recorder>> peers;
  for (int count = 0; count < 64; ++count) {
    peers.push_back(std::make_unique<Recorder>(*pair.client));
    peers.back()->connect(pair.server_host.address(7000));
  }
  pair.run(1s);
  EXPECT_EQ(left.peers.size() + right.peers.size(), 64U);
  EXPECT_GT(left.peers.size(), 8U);
  EXPECT_GT(right.peers.size(), 8U);
}

TEST(SimWorld, AFullBacklogMakesClientsWait) {
  Pair pair(1);
  ListenOptions small;
  small.backlog = 2;
  small.start_paused = true;
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000), small));
  std::vector<std::unique_ptr<Recorder>> peers;
  for (int count = 0; count < 5; ++count) {
    peers.push_back(std::make_unique<Recorder>(*pair.client));
    peers.back()->connect(pair.server_host.address(7000));
  }
  const auto connected = [&] {
    std::size_t sum = 0;
    for (const auto& peer : peers) sum += peer->connected;
    return sum;
  };
  pair.run(500ms);
  EXPECT_EQ(connected(), 3U) << "Linux keeps one more than the backlog says";
  pair.server->resume_accepting(pair.acceptor.id);
  pair.run(3s);
  EXPECT_EQ(connected(), 5U) << "the repeated attempts came through";
}

TEST(SimWorld, TheDescriptorLimitStopsAccepting) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::any_ipv4(7000)));
  pair.server_host.set_descriptor_limit(pair.server_host.open_descriptors() + 1);
  Recorder one(*pair.client), two(*pair.client);
  one.connect(pair.server_host.address(7000));
  two.connect(pair.server_host.address(7000));
  pair.run(1s);
  EXPECT_EQ(pair.acceptor.peers.size(), 1U);
  EXPECT_EQ(pair.acceptor.failure.code, EMFILE);
  EXPECT_TRUE(pair.acceptor.is_paused);
  pair.acceptor.peers.at(0)->close(CloseMode::immediate);
  pair.run(1s);
  pair.server->resume_accepting(pair.acceptor.id);
  pair.run(1s);
  EXPECT_EQ(pair.acceptor.peers.size(), 2U);
}

TEST(SimWorld, NamesResolveToHosts) {
  Pair pair(1);
  pair.world.add_name("www", pair.server_host.address(0));
  std::vector<std::string> answers;
  for (const char* name : {"server", "www", "10.1.2.3", "nowhere"}) {
    pair.client->resolve(name, 80, [&answers](Result<std::vector<Address>> found) {
      answers.push_back(found ? found->at(0).text() : std::string(to_string(found.error().kind)));
    });
    pair.run(10ms);
  }
  EXPECT_EQ(answers,
            (std::vector<std::string>{"10.0.0.1:80", "10.0.0.1:80", "10.1.2.3:80", "not found"}));
}

TEST(SimWorld, BlockingWorkTakesTimeAndComesBackInAPoll) {
  Pair pair(1);
  const Instant begin = pair.world.now();
  std::vector<std::string> order;
  pair.client->run_blocking([&] { order.emplace_back("work"); },
                            [&] {
                              order.emplace_back("done");
                              EXPECT_GT(pair.client->now(), begin);
                            });
  EXPECT_TRUE(order.empty());
  pair.run(10ms);
  EXPECT_EQ(order, (std::vector<std::string>{"work", "done"}));
}

TEST(SimWorld, UnixSocketsStayOnTheirHost) {
  Pair pair(1);
  ASSERT_TRUE(pair.acceptor.listen(Address::unix_path("/run/x")));
  Recorder near(*pair.server), far(*pair.client);
  near.greeting = "hello";
  near.connect(Address::unix_path("/run/x"));
  far.connect(Address::unix_path("/run/x"));
  pair.run(10ms);
  EXPECT_EQ(near.received, "hello");
  EXPECT_EQ(far.failure.code, ENOENT);
}

TEST(SimWorld, WallClockIsAFixedDateAndMovesWithVirtualTime) {
  Pair pair(1);
  const auto before = pair.client->wall_clock();
  pair.run(90s);
  EXPECT_EQ(pair.client->wall_clock() - before, 90s);
  EXPECT_EQ(World(2).host("x").make_engine()->wall_clock(), before);
}

TEST(SimWorld, AnEngineWithoutALoopIsPolledDirectly) {
  World world(1);
  const auto engine = world.host("alone").make_engine();
  engine->start();
  const Instant begin = engine->now();
  engine->poll(begin + 5s);
  EXPECT_EQ(engine->now(), begin + 5s) << "nothing happened, so the whole time passed";
  engine->wake();
  engine->poll(begin + 10s);
  EXPECT_EQ(engine->now(), begin + 5s) << "woken, so no waiting";
  EXPECT_THROW(engine->poll(Instant::never()), std::runtime_error) << "nothing can ever happen";
}

TEST(SimWorld, TheEnvironmentMakesEnginesAndLogsThem) {
  World world(7);
  Environment& environment = world.host("server");
  EXPECT_EQ(environment.default_schedulers(), 2U);
  world.host("server").set_default_schedulers(5);
  EXPECT_EQ(environment.default_schedulers(), 5U);
  const auto log = make_null_log();
  const auto engine = environment.make_engine(0, *log);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->info().name, "sim");
}

}  // namespace
}  // namespace hawser::sim
