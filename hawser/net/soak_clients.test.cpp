// Clients and pools on one host, a server on another, any stack of transports between, and whatever
// the seed makes of the network while the server is suspended, changed and its connections are
// killed: every connection's answers come in order and are its own, and at the end nothing is left.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/client.hpp>
#include <hawser/net/pool.hpp>
#include <hawser/net/proxy_protocol.hpp>
#include <hawser/net/server_control.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/tls/testing/certificates.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/websocket/websocket.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::left_in;
using testing::LineLog;
using testing::NetWorld;

struct Tally {
  int answers = 0;
  int connects = 0;
  std::string wrong;
};

/// Says each packet back with its number on this connection.
struct Counting {
  int count = 0;
  Next handle_packet(Packet packet) {
    if (packet == "crash") throw std::runtime_error("as told");
    std::string answer = std::to_string(++count) + " " + std::string(packet);
    if (packet.starts_with("much")) answer += std::string(30'000, 'm');
    return send(std::move(answer));
  }
};

/// Says something every now and then, and looks at what comes back.
class Talker {
 public:
  Talker(Tally* tally, std::string name) : tally_(tally), name_(std::move(name)) {}

  void init() { self().send_after(10ms, 1); }
  Next handle_connect() {
    ++tally_->connects;
    sent_.clear();
    answered_ = 0;
    connected_ = true;
    return say(1);
  }
  Next handle_info(Info& info) {
    if (info.get<int>() == nullptr) return keep();
    Random& random = self().random();
    self().send_after(Duration(static_cast<std::int64_t>(random.below(400'000'000))), 1);
    // While there is no connection it would wait in the queue, for a connection of other numbers.
    return connected_ ? say(random.below(4)) : keep();
  }
  Next handle_packet(Packet packet) {
    ++tally_->answers;
    const std::string due = answered_ < sent_.size()
                                ? std::to_string(answered_ + 1) + " " + sent_[answered_]
                                : std::string("nothing");
    ++answered_;
    if (packet.substr(0, due.size()) != due && tally_->wrong.empty())
      tally_->wrong = name_ + " got '" + std::string(packet.substr(0, 60)) + "', due was " + due;
    return keep();
  }
  void handle_disconnect() { connected_ = false; }

 private:
  Next say(std::uint64_t count) {
    Next next = keep();
    for (; count > 0; --count) {
      const auto kind = self().random().below(60);
      const std::string text = (kind < 3 ? "much " : "") + name_ + "." + std::to_string(++said_);
      if (kind == 5) {
        std::move(next).send(BytesView("crash"));
        break;
      }
      sent_.push_back(text);
      std::move(next).send(BytesView(text));
    }
    return next;
  }

  Tally* tally_;
  std::string name_;
  std::vector<std::string> sent_;
  std::size_t answered_ = 0;
  int said_ = 0;
  bool connected_ = false;
};

/// The two sides of one stack.
struct Stack {
  TransportMakers server;
  TransportMakers client;
  Framing framing = length_prefixed(4);
};

Stack choose_stack(Random& random, const testing::IssuedCertificate& certificate,
                   const testing::TestAuthority& authority) {
  Stack stack;
  if (random.below(3) == 0) {
    ProxyProtocolOptions trusted;
    trusted.trusted = {*AddressRange::parse("0.0.0.0/0"), *AddressRange::parse("::/0")};
    stack.server.push_back(proxy_protocol(trusted));
    ProxyHeader header;
    header.source = Address::ipv4({192, 0, 2, 7}, 1234);
    header.destination = Address::ipv4({192, 0, 2, 8}, 80);
    header.version = random.below(2) == 0 ? ProxyHeader::Version::v1 : ProxyHeader::Version::v2;
    stack.client.push_back(send_proxy_protocol(header));
  }
  if (random.below(2) == 0) {
    TlsServerOptions server;
    server.identities = {certificate.identity()};
    TlsClientOptions client;
    client.trust = authority.trust();
    client.server_name = "it.example";
    stack.server.push_back(tls_server(*TlsServerContext::create(server)));
    stack.client.push_back(tls_client(*TlsClientContext::create(client)));
  }
  if (random.below(2) == 0) {
    WebSocketClientOptions client;
    client.host = "it.example";
    stack.server.push_back(websocket_server());
    stack.client.push_back(websocket_client(client));
    stack.framing = whole();
  }
  return stack;
}

class Round {
 public:
  Round(NetWorld& net, Random& random) : net_(net), random_(random) {}

  /// One thing that an operator, or bad luck, does to the server.
  void disturb() {
    System& system = *net_.system;
    switch (random_.below(9)) {
      case 0:
        static_cast<void>(suspend_server(
            system, "it",
            random_.below(2) == 0 ? SuspendMode::keep_socket : SuspendMode::close_socket));
        break;
      case 1:
        static_cast<void>(resume_server(system, "it"));
        break;
      case 2:
        if (const auto all = server_connections(system, "it"); all && !all->empty())
          send_exit((*all)[random_.below(all->size())].pid, Reason::killed());
        break;
      case 3: {
        SetServerOptions changes;
        changes.max_connections = 1 + random_.below(12);
        static_cast<void>(set_server_options(system, "it", changes));
        break;
      }
      case 4:
        net_.world().reset_connections("server", "crowd");
        break;
      case 5:
        net_.world().cut("server", "crowd");
        break;
      case 6:
        net_.world().heal();
        break;
      default:
        break;
    }
  }

 private:
  NetWorld& net_;
  Random& random_;
};

TEST(Soak, ClientsAndPoolsOverAnyTransportsInAnyWeather) {
  testing::TestAuthority authority({.common_name = "soak", .key = testing::KeyKind::ed25519});
  const auto certificate = authority.issue(
      {.common_name = "it", .names = {"it.example"}, .key = testing::KeyKind::ed25519});
  Tally sum;
  sim::SeedOptions seeds;
  seeds.has_failed = [] { return ::testing::Test::HasFailure(); };
  seeds.arguments = "--gtest_filter=Soak.ClientsAndPoolsOverAnyTransportsInAnyWeather";
  const auto report = sim::for_each_seed(
      40,
      [&](sim::World& world) {
        Random& random = world.random();
        Tally tally;
        NetWorld net(world, 1 + static_cast<unsigned>(world.seed() % 3));
        std::vector<std::string> lines;
        SystemOptions crowd_options;
        crowd_options.schedulers = 1 + static_cast<unsigned>(random.below(2));
        auto crowd = std::make_unique<System>(world.host("crowd"), crowd_options,
                                              std::make_unique<LineLog>(lines));
        ASSERT_TRUE(crowd->launch());
        const Stack stack = choose_stack(random, certificate, authority);
        const auto server_before = net.left();
        const auto crowd_before = left_in(*crowd);

        ServerOptions options;
        options.framing = stack.framing;
        options.transports = stack.server;
        options.max_connections = 1 + random.below(12);
        options.connection.high_water = 40'000;
        options.connection.low_water = 5'000;
        options.connection.handshake_timeout = 5s;
        options.connection.packet_timeout = 5s;
        options.connection.write_deadline = 10s;
        options.connection.idle_timeout = 20s;
        options.connection.packets_per_turn = static_cast<std::uint32_t>(1 + random.below(5));
        options.drain_deadline = 5s;
        const Address at = net.serve<Counting>(std::move(options));

        PoolOptions members;
        members.targets = TargetList(std::vector<std::string>{at.text()});
        members.size = 1 + random.below(4);
        members.client.framing = stack.framing;
        members.client.transports = stack.client;
        members.client.connection.idle_timeout = 30s;
        members.client.connection.handshake_timeout = 5s;
        members.client.backoff.cap = 2s;
        ClientOptions lone = members.client;
        lone.targets = TargetList(std::vector<std::string>{at.text()});
        ASSERT_TRUE(crowd->start(pool<Talker>("many", members, &tally, std::string("m"))));
        ASSERT_TRUE(crowd->start(client<Talker>("one", lone, &tally, std::string("o"))));

        world.set_faults(sim::Faults::swarm(random));
        Round round(net, random);
        for (int i = 0; i < 40; ++i) {
          round.disturb();
          world.run_for(Duration(static_cast<std::int64_t>(random.below(3'000'000'000))));
        }
        EXPECT_EQ(tally.wrong, "");

        // In good weather everybody finds the way back.
        world.set_faults(sim::Faults::none());
        world.heal();
        static_cast<void>(resume_server(*net.system, "it"));
        SetServerOptions enough;
        enough.max_connections = 100;
        EXPECT_TRUE(set_server_options(*net.system, "it", enough));
        const int before = tally.answers;
        world.run_for(60s);
        EXPECT_GT(tally.answers, before) << "nobody talks any more";
        EXPECT_EQ(tally.wrong, "");

        if (random.below(2) == 0) {
          EXPECT_TRUE(stop_server(*net.system, "it"));
          world.run_for(1s);
        }
        EXPECT_TRUE(crowd->stop_child("many"));
        EXPECT_TRUE(crowd->stop_child("one"));
        static_cast<void>(stop_server(*net.system, "it"));
        world.run_for(1000s);
        EXPECT_EQ(net.left(), server_before);
        EXPECT_EQ(left_in(*crowd), crowd_before);
        EXPECT_EQ(net.lines_with("check failed"), 0U);
        crowd.reset();
        sum.answers += tally.answers;
        sum.connects += tally.connects;
      },
      seeds);
  if (report.runs >= 40) {
    EXPECT_GT(sum.answers, 4'000);
    EXPECT_GT(sum.connects, 400);
  }
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

}  // namespace
}  // namespace hawser
