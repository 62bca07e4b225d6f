// Pools: lending, sending, members that end, and targets that come and go.
#include <hawser/net/pool.hpp>

#include <hawser/net/testing/net_world.hpp>

#include <map>
#include <set>

namespace hawser::testing {
namespace {

/// A member's handler: asks and answers one at a time.
struct Query {
  explicit Query(Events* to) : events(to) {}
  Next handle_packet(Packet packet) {
    if (packet == "crash") throw std::runtime_error("boom");
    if (packet == "stop") return stop();
    events->add("answer " + std::string(packet));
    return keep();
  }
  bool handle_call(CheckHealth) {
    events->add("health");
    return events->count("sick") == 0;
  }
  Events* events;
};

/// Goes when the other side does.
class ClosesToo final : public BareStream {
 public:
  using BareStream::BareStream;

 private:
  void on_end_of_stream() override { close(); }
  void on_failed(const Error&) override { close(); }
};

/// Servers on host "client" of the world, by port; each keeps what it was sent.
class FarSide final : public BareListener<ClosesToo> {
 public:
  using BareListener::BareListener;
  void vanish() {
    shut();
    close_all();
  }
  std::size_t packets() const {
    std::size_t sum = 0;
    for (const auto& link : links) sum += unframed(link->received).size();
    return sum;
  }
  std::string text() const { return address().text(); }
};

struct Borrow {};
struct GiveBack {};

/// Borrows and gives back as it is told.
struct Borrower {
  std::vector<Lease>* leases;
  Events* events;
  Ref<Pool> pool;
  void handle_cast(Borrow) { self().start(borrow()); }
  void handle_cast(GiveBack) {
    pool.cast(CheckIn{leases->front().id});
    leases->erase(leases->begin());
  }
  Task<> borrow() {
    auto lease = co_await pool.call(Checkout(2s));
    if (lease) {
      leases->push_back(*lease);
    } else {
      events->add("refused " + lease.error().text());
    }
  }
  void handle_info(Info& info) {
    if (info.get<LeaseLost>() != nullptr) events->add("lease lost");
  }
};

class PoolTest : public ::testing::Test {
 protected:
  explicit PoolTest()
      : world(11, 2),
        first(world.peers->engine(), world.world().host("client").address(5001)),
        second(world.peers->engine(), world.world().host("client").address(5002)) {}

  PoolOptions options(std::size_t size = 2) {
    PoolOptions made;
    made.targets = TargetList(std::vector<std::string>{first.text(), second.text()});
    made.size = size;
    return made;
  }
  void start(PoolOptions options) {
    auto started = world.system->start(pool<Query>("db", std::move(options), &world.events));
    ASSERT_TRUE(started) << started.error().text();
  }
  Ref<Pool> db() { return pool_named(*world.system, "db"); }
  PoolStatus status() { return *world.system->call(db(), GetPoolStatus{}); }
  std::vector<MemberInfo> members() { return *world.system->call(db(), ListMembers{}); }
  bool connected(std::size_t count) {
    return world.until([&] { return first.open_now() + second.open_now() == count; }) &&
           (world.run(50ms), status().connected == count);
  }
  Ref<Borrower> borrower() {
    return *world.system->spawn<Borrower>({}, &leases, &world.events, db());
  }

  NetWorld world;
  FarSide first;
  FarSide second;
  std::vector<Lease> leases;
};

TEST_F(PoolTest, Tcp_E_14_E_16_E_19_ItConnectsSoManyTimesToEachTarget) {
  start(options(3));
  ASSERT_TRUE(connected(6));
  EXPECT_EQ(first.open_now(), 3U);
  EXPECT_EQ(second.open_now(), 3U);
  EXPECT_EQ(members().size(), 6U);
  EXPECT_EQ(members()[0].state, MemberState::connected);
}

TEST_F(PoolTest, Tcp_EB_21_ALeaseIsAloneAndWhoWaitsGetsTheNextInOrder) {
  start(options(1));
  ASSERT_TRUE(connected(2));
  auto who = borrower();
  for (int i = 0; i < 4; ++i) who.cast(Borrow{});
  world.run(10ms);
  ASSERT_EQ(leases.size(), 2U);
  EXPECT_NE(leases[0].member, leases[1].member);
  EXPECT_EQ(status().waiting_checkouts, 2U);
  const Pid freed = leases[0].member;
  who.cast(GiveBack{});
  world.run(10ms);
  ASSERT_EQ(leases.size(), 2U);
  EXPECT_EQ(leases[1].member, freed);
  // The fourth waits longer than it said.
  ASSERT_TRUE(world.until([&] { return world.events.starting_with("refused") == 1; }));
  EXPECT_EQ(status().waiting_checkouts, 0U);
}

TEST_F(PoolTest, ABorrowerThatEndsGivesBack) {
  start(options(1));
  ASSERT_TRUE(connected(2));
  auto who = borrower();
  who.cast(Borrow{});
  who.cast(Borrow{});
  world.run(10ms);
  EXPECT_EQ(status().leases, 2U);
  send_exit(who.pid(), Reason::killed());
  world.run(10ms);
  EXPECT_EQ(status().leases, 0U);
}

TEST_F(PoolTest, ALostConnectionIsToldToTheBorrower) {
  start(options(1));
  ASSERT_TRUE(connected(2));
  auto who = borrower();
  who.cast(Borrow{});
  world.run(10ms);
  first.links[0]->close();
  second.links[0]->close();
  EXPECT_TRUE(world.until([&] { return world.events.count("lease lost") == 1; }));
}

TEST_F(PoolTest, PacketsGoToWhoHasLeastToDoAndWaitWhenNobodyIsThere) {
  start(options(1));
  ASSERT_TRUE(connected(2));
  for (int i = 0; i < 10; ++i) db().cast(PoolSend(Payload("x")));
  ASSERT_TRUE(world.until([&] { return first.packets() + second.packets() == 10; }));
  EXPECT_EQ(first.packets(), 5U);
  first.vanish();
  second.vanish();
  world.run(200ms);
  for (int i = 0; i < 3; ++i) db().cast(PoolSend(Payload("later")));
  world.run(10ms);
  EXPECT_EQ(status().waiting_packets, 3U);
  first.links.clear();
  first.open();
  ASSERT_TRUE(world.until([&] { return first.packets() == 3; }));
}

TEST_F(PoolTest, Tcp_E_18_EachDecisionAboutAMemberThatEnded) {
  auto with = options(1);
  std::vector<std::string> asked;
  with.on_exit = [&](const MemberExit& exit) {
    asked.push_back(exit.target);
    if (exit.target == second.text()) return MemberDecision::drop();
    return exit.restarts == 0 ? MemberDecision::restart_now() : MemberDecision::restart_after(5s);
  };
  start(with);
  ASSERT_TRUE(connected(2));
  first.links.back()->send(framed("crash"));
  ASSERT_TRUE(world.until([&] { return first.links.size() == 2; }, 1s));
  world.run(100ms);
  first.links.back()->send(framed("crash"));
  world.run(4s);
  EXPECT_EQ(first.links.size(), 2U);
  ASSERT_TRUE(world.until([&] { return first.links.size() == 3; }, 3s));
  second.links.back()->send(framed("stop"));
  world.run(10s);
  EXPECT_EQ(second.links.size(), 1U);
  EXPECT_EQ(members().size(), 1U);
  EXPECT_EQ(asked.size(), 3U);
}

TEST_F(PoolTest, Tcp_E_18_ADecisionThatThrowsIsLoggedAndTheMemberRestarted) {
  auto with = options(1);
  with.on_exit = [](const MemberExit&) -> MemberDecision { throw std::runtime_error("oops"); };
  start(with);
  ASSERT_TRUE(connected(2));
  const auto before = members()[1].pid;
  first.links.back()->send(framed("crash"));
  ASSERT_TRUE(world.until([&] { return first.links.size() == 2; }));
  EXPECT_EQ(members()[1].pid, before) << "the other member is untouched";
  EXPECT_EQ(world.lines_with("on_exit threw (oops)"), 1U);
}

TEST_F(PoolTest, Tcp_E_18_ADecisionMayStopThePool) {
  auto with = options(1);
  with.on_exit = [](const MemberExit& exit) { return MemberDecision::stop_pool(exit.reason); };
  auto spec = pool<Query>("db", with, &world.events);
  spec.restart = Restart::temporary;
  ASSERT_TRUE(world.system->start(std::move(spec)));
  ASSERT_TRUE(connected(2));
  first.links.back()->send(framed("crash"));
  EXPECT_TRUE(world.until([&] { return second.open_now() == 0; }));
}

TEST_F(PoolTest, Tcp_E_17_TargetsComeAndGo) {
  auto with = options(1);
  with.targets = TargetList(first.text());
  start(with);
  ASSERT_TRUE(connected(1));
  ASSERT_TRUE(world.system->call(db(), AddMembers(second.text(), 2)));
  ASSERT_TRUE(connected(3));
  const auto wrong = world.system->call(db(), AddMembers("nonsense", 1));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::invalid_argument);
  // One with a lease stays until it is given back.
  auto who = borrower();
  for (int i = 0; i < 3; ++i) who.cast(Borrow{});
  world.run(10ms);
  ASSERT_EQ(leases.size(), 3U);
  EXPECT_EQ(*world.system->call(db(), RemoveMembers(second.text(), SIZE_MAX, 60s)), 2U);
  world.run(1s);
  EXPECT_EQ(second.open_now(), 2U);
  for (int i = 0; i < 3; ++i) who.cast(GiveBack{});
  ASSERT_TRUE(world.until([&] { return second.open_now() == 0; }));
  world.run(100ms);
  EXPECT_EQ(members().size(), 1U);
  EXPECT_FALSE(world.system->call(db(), RemoveMembers(second.text(), 1)));
  // One without a lease goes at once, and not at the deadline.
  ASSERT_TRUE(world.system->call(db(), AddMembers(second.text(), 1)));
  ASSERT_TRUE(world.until([&] { return second.open_now() == 1; }));
  world.run(100ms);
  EXPECT_EQ(*world.system->call(db(), RemoveMembers(second.text(), 1, 60s)), 1U);
  world.run(1s);
  EXPECT_EQ(second.open_now(), 0U);
}

TEST_F(PoolTest, ASickMemberConnectsAnew) {
  auto with = options(1);
  with.health_interval = 1s;
  start(with);
  ASSERT_TRUE(connected(2));
  ASSERT_TRUE(world.until([&] { return world.events.count("health") >= 4; }));
  EXPECT_EQ(first.links.size(), 1U);
  world.events.add("sick");
  ASSERT_TRUE(world.until([&] { return first.links.size() == 2 && second.links.size() == 2; }));
  EXPECT_GE(status().unhealthy, 2U);
}

TEST_F(PoolTest, Tcp_E_15_StoppingWaitsForLeasesUntilTheDeadline) {
  const auto before = world.left();
  auto with = options(1);
  with.drain_deadline = 3s;
  start(with);
  ASSERT_TRUE(connected(2));
  auto who = borrower();
  who.cast(Borrow{});
  world.run(10ms);
  const auto begin = world.world().now();
  ASSERT_TRUE(world.system->stop_child("db"));
  EXPECT_GE(world.world().now() - begin, 3s);
  world.run(100ms);
  EXPECT_EQ(first.open_now() + second.open_now(), 0U);
  EXPECT_EQ(world.lines_with("drain deadline: 1 leases"), 1U);
  send_exit(who.pid(), Reason::killed());
  world.run(10s);
  EXPECT_TRUE(world.left() == before);
}

TEST_F(PoolTest, ACrashOfThePoolItselfMakesAllAnew) {
  start(options(1));
  ASSERT_TRUE(connected(2));
  send_exit(db().pid(), Reason::crash("test", "", ""));
  ASSERT_TRUE(world.until([&] { return first.links.size() == 2 && second.links.size() == 2; }));
  world.run(100ms);
  EXPECT_EQ(status().connected, 2U);
}

TEST_F(PoolTest, WrongOptionsAreNamedAllAtOnce) {
  PoolOptions wrong;
  wrong.size = 0;
  wrong.client.queue_packets = 0;
  const auto started = world.system->start(pool<Query>("db", wrong, &world.events));
  ASSERT_FALSE(started);
  for (const char* part : {"targets", "size", "client.queue_packets"})
    EXPECT_NE(started.error().text().find(part), std::string::npos) << started.error().text();
}

}  // namespace
}  // namespace hawser::testing
