// Dialing in a simulated network: what it becomes, and each way in which it fails.
#include <hawser/net/dial.hpp>

#include <hawser/net/framing.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gmock/gmock.h>

namespace hawser {
namespace {

using testing::Echo;
using testing::Events;
using ::testing::HasSubstr;
using testing::NetWorld;
using ::testing::StartsWith;

/// Greets, and writes down what comes.
struct Caller {
  Events* events;
  Next init() {
    events->add("init");
    return send("hello");
  }
  Next handle_packet(Packet packet) {
    events->add("packet " + std::string(packet));
    return keep();
  }
  Next handle_cast(std::string word) { return send(std::string(word)); }
  void handle_info(Info&) { events->add("info"); }
};

/// Dials, and writes down how it ends.
struct Owner {
  Events* events;
  DialOptions to;
  std::shared_ptr<ConnectionGroup> group{};
  Pid dialed{};

  void init() {
    self().trap_exit();
    group = std::make_shared<ConnectionGroup>(
        self().process().scheduler(), self().pid(),
        ConnectionGroup::Parts{.name = "dialed",
                               .framing = length_prefixed(2),
                               .counters = std::make_shared<ConnectionCounters>()});
    auto pid = dial<Caller>(group, to, {.parent = self().pid()},
                            [events = events] { return Caller{events}; });
    if (!pid) throw std::runtime_error(pid.error().text());
    dialed = *pid;
  }
  void handle_cast(std::string word) {
    if (word == "stop") {
      self().exit(dialed, Reason::shutdown());
    } else if (word == "info") {
      send_info(dialed, 1);
    } else {
      events->add(Ref<Caller>(dialed).cast(std::move(word)) ? "cast" : "cast refused");
    }
  }
  void handle_info(Info& info) {
    if (const auto* exit = info.get<Exit>()) events->add("end " + exit->reason.text());
  }
};

struct DialTest : ::testing::Test {
  NetWorld net;

  Ref<Owner> dial_to(DialOptions to) {
    auto owner = net.system->spawn<Owner>({}, &net.events, std::move(to));
    if (!owner) throw std::runtime_error(owner.error().text());
    return *owner;
  }
  std::string end() {
    EXPECT_TRUE(net.until([&] { return net.events.starting_with("end ") > 0; }, 1h));
    return net.events.all.empty() ? "" : net.events.all.back();
  }
};

TEST_F(DialTest, becomes_an_ordinary_connection) {
  const Address server = net.serve<Echo>({});
  const auto owner = dial_to({.host = "server", .port = server.port()});
  ASSERT_TRUE(net.until([&] { return net.events.count("packet hello") == 1; }));
  owner.cast(std::string("again"));
  ASSERT_TRUE(net.until([&] { return net.events.count("packet again") == 1; }));
  EXPECT_EQ(net.events.count("init"), 1u);
  owner.cast(std::string("stop"));
  EXPECT_EQ(end(), "end shutdown");
  net.run(1s);
  EXPECT_EQ(net.status().connections, 0u);
}

TEST_F(DialTest, goes_to_an_address_without_a_look_up) {
  const Address server = net.serve<Echo>({});
  dial_to({.address = server});
  EXPECT_TRUE(net.until([&] { return net.events.count("packet hello") == 1; }));
}

TEST_F(DialTest, says_that_nobody_listens) {
  dial_to({.host = "server", .port = 9});
  EXPECT_THAT(end(), StartsWith("end failed: connect server:9: "));
  EXPECT_EQ(net.events.count("init"), 0u);
}

TEST_F(DialTest, says_that_there_is_no_such_host) {
  dial_to({.host = "nowhere", .port = 9});
  EXPECT_THAT(end(), StartsWith("end failed: connect nowhere:9: "));
}

TEST_F(DialTest, Tcp_E_26_gives_up_in_time) {
  net.world().host("far");
  net.world().cut("server", "far");
  const Instant begun = net.world().now();
  dial_to({.host = "far", .port = 9, .timeout = 3s});
  EXPECT_THAT(end(), StartsWith("end timeout: connect far:9: no answer within 3 s"));
  EXPECT_GE(net.world().now() - begun, Duration(3s));
  EXPECT_LE(net.world().now() - begun, Duration(3100ms));
}

TEST_F(DialTest, tries_the_next_address_when_one_refuses_or_is_silent) {
  const Address server = net.serve<Echo>({});
  net.world().host("far");
  net.world().cut("server", "far");
  net.world().add_name("service", net.world().host("client").address(0));  // refuses
  net.world().add_name("service", net.world().host("far").address(0));     // does not answer
  net.world().add_name("service", net.world().host("server").address(0));
  dial_to({.host = "service", .port = server.port()});
  EXPECT_TRUE(net.until([&] { return net.events.count("packet hello") == 1; }, 10s));
}

TEST_F(DialTest, can_be_stopped_while_it_dials) {
  net.world().host("far");
  net.world().cut("server", "far");
  const auto owner = dial_to({.host = "far", .port = 9, .timeout = 1h});
  net.run(1s);
  owner.cast(std::string("info"));
  owner.cast(std::string("too early"));
  net.run(1s);
  EXPECT_EQ(net.events.count("info"), 0u);
  owner.cast(std::string("stop"));
  EXPECT_EQ(end(), "end shutdown");
  net.run(1s);
  EXPECT_EQ(net.left().sockets, 0u);
}

TEST_F(DialTest, a_look_up_that_comes_too_late_finds_nobody) {
  const auto owner = dial_to({.host = "server", .port = 9});
  owner.cast(std::string("stop"));
  EXPECT_THAT(end(), StartsWith("end "));
  net.run(10s);
  EXPECT_EQ(net.events.starting_with("end "), 1u);
  EXPECT_EQ(net.left().sockets, 0u);
}

TEST_F(DialTest, the_servers_end_is_the_connections_end) {
  const Address server = net.serve<testing::Scripted>({}, &net.events);
  const auto owner = dial_to({.host = "server", .port = server.port()});
  ASSERT_TRUE(net.until([&] { return net.events.count("packet hello") == 1; }));
  owner.cast(std::string("quit"));
  ASSERT_TRUE(net.until([&] { return net.events.starting_with("end ") == 1; }));
  EXPECT_EQ(net.events.count("end closed"), 1u) << end();
}

TEST(DialOptions, text_names_the_place) {
  EXPECT_EQ((DialOptions{.host = "h", .port = 7}).text(), "h:7");
  EXPECT_EQ((DialOptions{.host = "::1", .port = 7}).text(), "[::1]:7");
  EXPECT_EQ((DialOptions{.address = Address::unix_path("/x")}).text(), "unix:/x");
}

}  // namespace
}  // namespace hawser
