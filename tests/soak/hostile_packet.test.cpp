// What a hostile peer may do to a packet server, and a faulty handler to itself: the connection
// ends with one log line and a counter, and the neighbours do not notice.
#include "support/neighbours.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace hawser::soak {
namespace {

using testing::Echo;
using testing::framed;

ServerOptions with(Framing framing) {
  ServerOptions options;
  options.framing = std::move(framing);
  return options;
}

/// A server "victim" for the hostile peer, and one "other" of the same System for the neighbour.
struct PacketScene {
  explicit PacketScene(ServerOptions options = {}) : hub(world, 2) {
    victim = hub.serve<Echo>("victim", std::move(options));
    other = hub.serve<Echo>("other", {});
    neighbour.emplace(hub, other);
    EXPECT_TRUE(neighbour->is_served());
  }
  std::unique_ptr<testing::Peer> connect() {
    return std::make_unique<testing::Peer>(hub.peers_on("bad"), victim);
  }
  /// One connection has ended so, with one line that says why, and the neighbour is well.
  void expect_one_end(Reason::Kind kind, std::string_view why) {
    const ServerStatus status = hub.status("victim");
    EXPECT_EQ(status.ended_by(kind), 1U) << hub.all_lines();
    EXPECT_EQ(status.connections, 0U);
    EXPECT_EQ(hub.lines_with("victim: connection"), 1U) << hub.all_lines();
    EXPECT_EQ(hub.lines_with(why), 1U) << hub.all_lines();
    EXPECT_TRUE(neighbour->is_served());
  }

  sim::World world{1};
  SoakWorld hub;
  Address victim;
  Address other;
  std::optional<PacketNeighbour> neighbour;
};

// ---- bytes that are no packet
// ------------------------------------------------------------------------

struct Broken {
  std::string name;
  Framing framing;
  std::string bytes;
  std::string why;
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class HostilePacket : public ::testing::TestWithParam<Broken> {};

TEST_P(HostilePacket, EndsTheConnectionWithItsReason) {
  PacketScene scene(with(GetParam().framing));
  const auto peer = scene.connect();
  peer->send(GetParam().bytes);
  EXPECT_TRUE(scene.hub.until([&] { return peer->over(); }, 10s));
  scene.world.run_for(6s);
  scene.expect_one_end(Reason::Kind::protocol_error, GetParam().why);
  EXPECT_TRUE(peer->received.empty());
}

const std::string fifty(50, 'x');
INSTANTIATE_TEST_SUITE_P(
    Bytes, HostilePacket,
    ::testing::Values(
        Broken{"OverTheLimit", length_prefixed(2, {.maximum = 20}), framed(fifty), "limit of 20"},
        Broken{"AnnouncedOverTheLimit", length_prefixed(4), std::string("\xff\xff\xff\xff", 4),
               "limit"},
        Broken{"EightBytesOfLength", length_prefixed(8), std::string(8, '\xff'), "limit"},
        Broken{"VarintWithoutEnd", varint_prefixed(), std::string(11, '\xff'), "protocol_error"},
        Broken{"VarintOverTheLimit", varint_prefixed({.maximum = 20}), "\x32" + fifty,
               "limit of 20"},
        Broken{"DecimalThatIsNone", decimal_prefixed(6), "00x012hello", "protocol_error"},
        Broken{"DecimalOverTheLimit", decimal_prefixed(6, {.maximum = 20}), "000050" + fifty,
               "limit of 20"},
        Broken{"LineWithoutEnd", line({.maximum = 20}), fifty, "more than 20 bytes"},
        Broken{"LineTooLong", line({.maximum = 20}), fifty + "\n", "more than 20 bytes"},
        Broken{"DelimiterThatNeverComes", delimiter("--", {.maximum = 20}), fifty,
               "more than 20 bytes"}),
    [](const auto& each) { return each.param.name; });

// ---- too slow, too quiet
// -------------------------------------------------------------------------------

TEST(HostilePacketPace, OneByteAMinute) {
  PacketScene scene;
  const auto peer = scene.connect();
  for (const char byte : framed("never")) {
    peer->send(std::string(1, byte));
    scene.world.run_for(60s);
  }
  EXPECT_TRUE(peer->over());
  scene.expect_one_end(Reason::Kind::timeout, "packet_timeout");
}

TEST(HostilePacketPace, ConnectsAndSaysNothing) {
  ServerOptions options;
  options.connection.idle_timeout = 30s;
  PacketScene scene(std::move(options));
  const auto peer = scene.connect();
  scene.world.run_for(29s);
  EXPECT_FALSE(peer->over());
  scene.world.run_for(2s);
  EXPECT_TRUE(peer->over());
  scene.expect_one_end(Reason::Kind::timeout, "idle_timeout");
}

TEST(HostilePacketPace, SendsAndNeverReads) {
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 10'000;
  PacketScene scene(std::move(options));
  const auto peer = std::make_unique<testing::Peer>(scene.hub.peers_on("bad"), scene.victim, false);
  for (int i = 0; i < 500; ++i) peer->send(framed(std::string(10'000, 'r')));
  for (int i = 0; i < 25; ++i) {
    scene.world.run_for(1s);
    const auto list = server_connections(scene.hub.system(), "victim");
    ASSERT_TRUE(list.has_value());
    for (const ConnectionInfo& each : *list)
      EXPECT_LT(each.unsent, 200'000U) << "it stops reading instead";
    EXPECT_TRUE(scene.neighbour->is_served());
  }
  EXPECT_EQ(scene.hub.status("victim").pauses, 1U);
  scene.world.run_for(30s);
  scene.expect_one_end(Reason::Kind::timeout, "write_deadline");
}

// ---- handlers that throw
// ---------------------------------------------------------------------------------

/// Throws in the callback of that name.
struct Thrower {
  std::string where;
  struct Poke {};
  void in(const char* callback) const {
    if (where == callback) throw std::runtime_error("boom");
  }
  Next init() const {
    in("init");
    if (where == "timeout") return keep().timeout(100ms);
    self().send_after(10ms, Poke{});
    return keep();
  }
  Next handle_packet(Packet packet) const {
    in("handle_packet");
    // So much that the peer, which reads late, has to drain it.
    return where == "handle_drained" ? send(std::string(60'000, 'd')) : send(packet);
  }
  void handle_info(Info&) const { in("handle_info"); }
  void handle_cast(int) const { in("handle_cast"); }
  int handle_call(int) const {
    in("handle_call");
    return 1;
  }
  Next timeout() const {
    in("timeout");
    return keep();
  }
  void handle_drained() const { in("handle_drained"); }
  void handle_disconnect() const { in("handle_disconnect"); }
  void terminate(const Reason&) const { in("terminate"); }
};

class HostileHandler : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileHandler, CrashesAloneWithOneLine) {
  const std::string where = GetParam();
  PacketScene scene;
  ServerOptions options;
  options.connection.high_water = 50'000;
  options.connection.low_water = 10'000;
  const Address at = scene.hub.serve<Thrower>("thrower", std::move(options), where);
  auto peer = std::make_unique<testing::Peer>(scene.hub.peers_on("bad"), at, false);
  scene.world.run_for(1ms);
  if (where == "handle_packet" || where == "handle_drained") {
    for (int i = 0; i < 12; ++i) peer->send(framed("x"));
  }
  if (where == "handle_cast" || where == "handle_call") {
    const auto list = server_connections(scene.hub.system(), "thrower");
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->size(), 1U);
    const Ref<Thrower> thrower(list->front().pid);
    if (where == "handle_cast") {
      EXPECT_TRUE(scene.hub.system().run_on(0, [&](Scheduler&) { thrower.cast(1); }).has_value());
    } else {
      const auto answer = scene.hub.system().call(thrower, 1);
      ASSERT_FALSE(answer.has_value());
      EXPECT_EQ(answer.error().kind, ErrorKind::closed) << answer.error().text();
    }
  }
  scene.world.run_for(1s);
  peer->read(true);
  scene.world.run_for(1s);
  if (where == "handle_disconnect" || where == "terminate") peer->close(CloseMode::graceful);
  scene.world.run_for(6s);

  const ServerStatus status = scene.hub.status("thrower");
  EXPECT_EQ(status.connections, 0U);
  if (where == "init") {
    EXPECT_EQ(status.not_started, 1U);
    EXPECT_EQ(status.started, 0U);
  } else {
    EXPECT_EQ(status.ended_by(Reason::Kind::crash), 1U);
  }
  if (where != "handle_disconnect" && where != "terminate") {
    EXPECT_TRUE(peer->over());
  }
  EXPECT_EQ(scene.hub.lines_with("crash: boom, in " + where), where == "init" ? 2U : 1U)
      << scene.hub.all_lines();
  EXPECT_EQ(scene.hub.lines_with("error "), 1U) << scene.hub.all_lines();
  EXPECT_TRUE(scene.neighbour->is_served());
  // Nor does the server itself: the next one is let in.
  testing::Peer next(scene.hub.peers_on("bad"), at);
  scene.world.run_for(1ms);
  EXPECT_EQ(scene.hub.status("thrower").accepted, 2U);
}

INSTANTIATE_TEST_SUITE_P(Callbacks, HostileHandler,
                         ::testing::Values("init", "handle_packet", "handle_info", "handle_cast",
                                           "handle_call", "timeout", "handle_drained",
                                           "handle_disconnect", "terminate"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace hawser::soak
