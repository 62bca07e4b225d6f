// Datagrams and interfaces in handlers: every network is reached, what comes and goes is followed,
// and a callback's fault is its process's.
#include <hawser/net/datagram_socket.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::LineLog;

constexpr std::uint16_t port = 5000;
const Address group = Address::ipv4({239, 1, 2, 3}, port);

/// What a post on some machine got and did; outlives its process.
struct Notes {
  std::vector<std::string> received;
  std::vector<std::string> interfaces;  ///< how many there were, at each change
  std::size_t sent = 0;
  unsigned starts = 0;
  Result<void> joined;
};

/// Told by casts what to do.
class Post {
 public:
  explicit Post(Notes* notes) : notes_(notes) {}
  Next init() {
    ++notes_->starts;
    const auto opened =
        socket_.open(Address::any_ipv4(port), {.broadcast = true, .reuse_address = true},
                     [this](const Datagram& datagram) { take(datagram); });
    if (!opened) return stop(Reason::failed(opened.error().text()));
    const auto watching = watch_.start([this](const std::vector<NetworkInterface>& now) {
      notes_->interfaces.push_back(std::to_string(now.size()));
    });
    if (!watching) return stop(Reason::failed(watching.error().text()));
    return keep();
  }
  void handle_cast(const std::string& order) {
    if (order == "broadcast") notes_->sent = socket_.broadcast(port, "all");
    if (order == "multicast") notes_->sent = socket_.multicast(group, "members");
    if (order == "join") notes_->joined = socket_.join(group);
    if (order == "join nonsense") notes_->joined = socket_.join(Address::ipv4({10, 0, 0, 1}, 0));
    if (order == "close") socket_.close();
    if (order == "send closed") notes_->joined = socket_.send(group, "x");
  }

 private:
  void take(const Datagram& datagram) {
    if (datagram.bytes == "crash") throw std::runtime_error("boom");
    if (datagram.bytes == "reopen") {
      const auto opened =
          socket_.open(Address::any_ipv4(port + 1), {}, [this](const Datagram& next) {
            notes_->received.push_back("again " + std::string(next.bytes));
          });
      if (!opened) throw std::runtime_error(opened.error().text());
      return;
    }
    notes_->received.emplace_back(datagram.bytes);
  }
  Notes* notes_;
  DatagramSocket socket_;
  InterfaceWatch watch_;
};

/// A System with a post on one machine.
class Machine {
 public:
  Machine(sim::World& world, std::string name) : host(world.host(name)) {
    SystemOptions options;
    options.schedulers = 1;
    system_ = std::make_unique<System>(host, options, std::make_unique<LineLog>(lines));
    if (!system_->launch()) throw std::runtime_error("launch");
    ChildSpec spec;
    spec.id = "post";
    spec.start = [this](const StartContext& at) -> Result<Pid> {
      auto spawned =
          spawn<Post>(at.scheduler, SpawnOptions{.name = "post", .parent = at.parent}, &notes);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      return spawned->pid();
    };
    if (!system_->start(std::move(spec))) throw std::runtime_error("start");
  }
  void order(const char* what) { Ref<Post>(system_->whereis("post")).cast(std::string(what)); }

  sim::Host& host;
  Notes notes;
  std::vector<std::string> lines;

 private:
  std::unique_ptr<System> system_;
};

class Datagrams : public ::testing::Test {
 protected:
  void run(Duration length = 100ms) { world.run_for(length); }
  sim::World world{1};
  Machine one{world, "one"};
  Machine two{world, "two"};
  const Address side_one = Address::ipv4({192, 168, 5, 1}, 0);
  const Address side_two = Address::ipv4({192, 168, 5, 2}, 0);
};

TEST_F(Datagrams, ABroadcastReachesEveryNetworkThatThereIs) {
  one.order("broadcast");
  run();
  EXPECT_EQ(one.notes.sent, 1U);
  EXPECT_EQ(two.notes.received.size(), 1U);
  one.host.add_interface(side_one, "side", 24);
  two.host.add_interface(side_two, "side", 24);
  one.order("broadcast");
  run();
  EXPECT_EQ(one.notes.sent, 2U);
  EXPECT_EQ(two.notes.received.size(), 3U) << "once over each";
  two.host.remove_interface(two.host.address(0));
  one.order("broadcast");
  run();
  EXPECT_EQ(two.notes.received.size(), 4U);
}

TEST_F(Datagrams, WithoutANetworkABroadcastStaysOnTheMachine) {
  one.host.remove_interface(one.host.address(0));
  one.order("broadcast");
  run();
  EXPECT_EQ(one.notes.sent, 1U);
  EXPECT_EQ(one.notes.received, std::vector<std::string>{"all"});
  EXPECT_TRUE(two.notes.received.empty());
}

TEST_F(Datagrams, AGroupIsJoinedEverywhereAlsoWhereANetworkComesLater) {
  two.order("multicast");
  run();
  EXPECT_TRUE(one.notes.received.empty()) << "no member yet";
  one.order("join");
  run();
  ASSERT_TRUE(one.notes.joined) << one.notes.joined.error().text();
  two.order("multicast");
  run();
  EXPECT_EQ(one.notes.received.size(), 1U);
  // The machines move to another network, and the membership moves along.
  one.host.add_interface(side_one, "side", 24);
  two.host.add_interface(side_two, "side", 24);
  one.host.remove_interface(one.host.address(0));
  run();
  two.order("multicast");
  run();
  EXPECT_EQ(two.notes.sent, 2U);
  EXPECT_EQ(one.notes.received.size(), 2U);
  EXPECT_TRUE(two.notes.received.empty()) << "a sender is no member";
  one.order("close");
  one.host.add_interface(Address::ipv4({192, 168, 6, 1}, 0), "third", 24);
  run();
  two.order("multicast");
  run();
  EXPECT_EQ(one.notes.received.size(), 2U) << "closed, and nothing joins any more";
}

TEST_F(Datagrams, WhatIsNoGroupOrNoSocketIsAnError) {
  one.order("join nonsense");
  run();
  ASSERT_FALSE(one.notes.joined);
  EXPECT_EQ(one.notes.joined.error().kind, ErrorKind::invalid_argument);
  one.order("close");
  one.order("join");
  run();
  EXPECT_EQ(one.notes.joined.error().kind, ErrorKind::closed);
  one.notes.joined = {};
  one.order("send closed");
  run();
  EXPECT_EQ(one.notes.joined.error().kind, ErrorKind::closed);
  EXPECT_EQ(one.notes.starts, 1U);
}

TEST_F(Datagrams, AWatchTellsEachChangeOnceAndNoneThatIsNone) {
  run();
  EXPECT_TRUE(one.notes.interfaces.empty());
  one.host.add_interface(side_one, "side", 24);
  run();
  EXPECT_EQ(one.notes.interfaces, std::vector<std::string>{"3"}) << "loopback and two";
  one.host.remove_interface(side_one);
  one.host.remove_interface(one.host.address(0));
  run();
  ASSERT_FALSE(one.notes.interfaces.empty());
  EXPECT_EQ(one.notes.interfaces.back(), "1");
  EXPECT_LE(one.notes.interfaces.size(), 3U);
  EXPECT_TRUE(two.notes.interfaces.empty());
}

/// A bare sender on the second machine's network.
class Sender final : public DatagramEvents {
 public:
  explicit Sender(sim::World& world) : loop_(world.host("bare").make_engine()) {
    Loop* const loop = &loop_;
    world.host("bare").start(std::span<Loop* const>(&loop, 1));
    world_ = &world;
    id_ = loop_.engine().open_datagram(Address::any_ipv4(0), {.broadcast = true}, *this)->id;
    world.run_for(1ms);
  }
  ~Sender() {
    loop_.engine().close_now(id_);
    loop_.finish();
    world_->host("bare").join();
  }
  void send(const Address& to, BytesView bytes) {
    EXPECT_TRUE(loop_.engine().send_datagram(id_, to, bytes));
  }

 private:
  void on_datagram(const Datagram&) override {}
  void on_failed(const Error&) override {}
  sim::World* world_ = nullptr;
  testing::PeerLoop loop_;
  SocketId id_;
};

TEST_F(Datagrams, WhatACallbackThrowsEndsItsProcessWhichComesAgain) {
  Sender sender(world);
  sender.send(one.host.address(port), "crash");
  run();
  EXPECT_EQ(one.notes.starts, 2U);
  sender.send(one.host.address(port), "hello");
  run();
  EXPECT_EQ(one.notes.received, std::vector<std::string>{"hello"}) << "the port was free again";
}

TEST_F(Datagrams, ASocketMayBeOpenedAnewInItsOwnCallback) {
  Sender sender(world);
  sender.send(one.host.address(port), "reopen");
  run();
  sender.send(one.host.address(port + 1), "hello");
  sender.send(one.host.address(port), "nobody");
  run();
  EXPECT_EQ(one.notes.received, std::vector<std::string>{"again hello"});
}

}  // namespace
}  // namespace hawser
