// What bounds a connection: sizes of packets, deadlines, marks of unsent bytes, its share of a
// turn.
#include <hawser/net/testing/lost_bytes.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::framed_all;
using testing::NetWorld;
using testing::Scripted;
using testing::unframed;

using Packets = std::vector<std::string>;

TEST(Connection, APacketOverTheLimitIsAProtocolError) {
  NetWorld net;
  ServerOptions options;
  options.framing = length_prefixed(4, {.maximum = 1000});
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send(std::string("\0\0\x03\xe9", 4));
  net.run(1s);
  EXPECT_TRUE(peer->ended);
  EXPECT_EQ(
      net.events.all,
      Packets{
          "terminate protocol_error: packet of 1001 bytes is over the limit of 1000 (maximum)"});
  EXPECT_EQ(net.lines_with("over the limit of 1000"), 1U);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::protocol_error), 1U);
}

TEST(Connection, ABrokenLengthBehindGoodPacketsEndsItAfterThem) {
  NetWorld net;
  ServerOptions options;
  options.framing = decimal_prefixed(6);
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  peer->send("000006echo x00zz");
  net.run(1s);
  EXPECT_EQ(peer->received, "000001x");
  EXPECT_TRUE(peer->ended);
}

TEST(Connection, OneByteAMinuteIsCutOff) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto peer = net.connect(at);
  for (int i = 0; i < 3 && !peer->over(); ++i) {
    peer->send("\x01");
    net.run(60s);
  }
  EXPECT_TRUE(peer->over());
  EXPECT_EQ(net.status().ended_by(Reason::Kind::timeout), 1U);
}

TEST(Connection, Tcp_E_38_R_13_ConnectingAndSayingNothingHitsTheIdleTimeout) {
  NetWorld net;
  ServerOptions options;
  options.connection.idle_timeout = 30s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto silent = net.connect(at);
  auto talks = net.connect(at);
  for (int i = 0; i < 7; ++i) {
    net.run(10s);
    talks->send(framed(i < 6 ? "echo x" : "heard, and not answered"));
    // A message of this program is no traffic.
    const auto connections = server_connections(*net.system, "it");
    ASSERT_TRUE(connections.has_value());
    for (const auto& each : *connections) send_info(each.pid, std::string("nothing"));
    if (i <= 1) {
      EXPECT_FALSE(silent->over());
    } else if (i >= 3) {
      EXPECT_TRUE(silent->over());
    }
  }
  EXPECT_FALSE(talks->over());
  EXPECT_EQ(net.events.starting_with("terminate timeout: idle_timeout"), 1U);
  net.run(25s);
  EXPECT_FALSE(talks->over()) << "it was heard 25 s ago, and last answered 35 s ago";
  net.run(6s);
  EXPECT_TRUE(talks->over());
}

TEST(Connection, Tcp_CB_11_APeerThatNeverReadsIsResetAtTheWriteDeadline) {
  NetWorld net;
  const Address at = net.serve<Scripted>({}, &net.events);
  auto deaf = net.connect(at, false);
  auto other = net.connect(at);
  deaf->send(framed("many 900"));
  net.run(25s);
  EXPECT_EQ(net.status().connections, 2U);
  other->send(framed("echo x"));
  net.run(15s);
  EXPECT_EQ(net.status().connections, 1U);
  EXPECT_EQ(unframed(other->received), Packets{"x"});
  EXPECT_EQ(net.events.starting_with("terminate timeout: write_deadline"), 1U);
}

TEST(Connection, BytesThatNeverLeaveAreCountedAndTold) {
  enum class How { flush_deadline, no_flush, kill, peer_resets, drain };
  for (const How how :
       {How::flush_deadline, How::no_flush, How::kill, How::peer_resets, How::drain}) {
    NetWorld net;
    testing::LostBytes told(*net.system);
    ServerOptions options;
    options.connection.flush_deadline = how == How::no_flush ? 0s : how == How::drain ? 60s : 2s;
    const Address at = net.serve<Scripted>(std::move(options), &net.events);
    auto deaf = net.connect(at, false);
    deaf->send(framed("many 900"));
    net.run(1s);
    const Pid pid = server_connections(*net.system, "it")->front().pid;
    if (how == How::kill) {
      send_exit(pid, Reason::killed());
    } else if (how != How::drain) {
      Ref<Scripted>(pid).cast(std::string("quit"));
    }
    net.run(1s);
    if (how == How::peer_resets) deaf->close(CloseMode::reset);
    if (how == How::drain) {
      const auto drained =
          net.system->call(server_monitor(*net.system, "it"), DrainServer(3s), Duration(1h));
      ASSERT_TRUE(drained.has_value());
      EXPECT_EQ(drained->cut_off, 1U);
    }
    net.run(3s);
    ASSERT_EQ(told.left.size(), 1U) << static_cast<int>(how);
    ASSERT_EQ(told.lost.size(), 1U) << static_cast<int>(how);
    EXPECT_GT(told.lost[0], 100'000) << static_cast<int>(how);
    EXPECT_EQ(told.lost[0], told.left[0]) << "the peer took nothing meanwhile";
    EXPECT_EQ(net.status().bytes_lost, static_cast<std::uint64_t>(told.lost[0]));
    EXPECT_EQ(net.lines_with("bytes that had not left: the flush deadline passed"),
              how == How::flush_deadline || how == How::no_flush ? 1U : 0U)
        << net.all_lines();
  }
}

TEST(Connection, ASlowReaderLosesNothingAndNothingIsTold) {
  NetWorld net;
  testing::LostBytes told(*net.system);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto slow = net.connect(at, false);
  slow->send(framed_all({"many 900", "quit"}));
  net.run(1s);
  ASSERT_EQ(told.left.size(), 1U);
  EXPECT_GT(told.left[0], 0);
  slow->read(true);
  net.run(10s);
  EXPECT_EQ(unframed(slow->received).size(), 900U);
  EXPECT_TRUE(told.lost.empty());
  EXPECT_EQ(net.status().bytes_lost, 0U);
}

TEST(Connection, ASlowReaderThatGoesOnReadingIsNotCutOff) {
  NetWorld net;
  sim::Faults faults;
  faults.bytes_per_second = 10'000;
  net.world().set_faults(faults);
  const Address at = net.serve<Scripted>({}, &net.events);
  auto slow = net.connect(at);
  slow->send(framed("many 900"));  // 90 s at this speed
  net.run(95s);
  EXPECT_EQ(unframed(slow->received).size(), 900U);
  EXPECT_FALSE(slow->over());
}

TEST(Connection, Tcp_C_20_AtHighWaterReadingStopsAndGoesOnWhenDrained) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.write_deadline = 0s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  Packets commands(200, "many 20");
  peer->send(framed_all(commands) + framed("echo last"));
  net.run(20s);
  const auto handled = net.events.starting_with("packet many");
  EXPECT_LT(handled, 100U);  // the kernel's buffers and 100 kB, not all 4 MB
  EXPECT_EQ(net.events.count("packet echo last"), 0U);
  const auto listed = server_connections(*net.system, "it");
  ASSERT_TRUE(listed.has_value());
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_FALSE(listed->front().reading);
  EXPECT_LT(listed->front().unsent, 140'000U);
  EXPECT_GE(net.status().pauses, 1U);
  peer->read(true);
  ASSERT_TRUE(net.until([&] { return net.events.count("packet echo last") == 1; }));
  net.run(1s);
  const auto packets = unframed(peer->received);
  ASSERT_EQ(packets.size(), 4001U);
  EXPECT_EQ(packets.back(), "last");
}

TEST(Connection, WhileItDoesNotReadThePacketClockStandsStill) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.write_deadline = 0s;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  peer->send(framed("echo late").substr(0, 4));
  net.run();
  const Pid pid = server_connections(*net.system, "it")->front().pid;
  Ref<Scripted>(pid).cast(std::string("many 900"));
  net.run(30s);
  EXPECT_FALSE(server_connections(*net.system, "it")->front().reading);
  peer->read(true);
  net.run(5s);
  peer->send(framed("echo late").substr(4));
  net.run(1s);
  EXPECT_EQ(unframed(peer->received).back(), "late");
  EXPECT_EQ(net.status().connections, 1U);
}

TEST(Connection, Tcp_CB_11_AHandlerThatSendsPastTheLimitEndsOverloaded) {
  NetWorld net;
  ServerOptions options;
  options.connection.high_water = 100'000;
  options.connection.low_water = 20'000;
  options.connection.send_limit = 1'000'000;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at, false);
  net.run();
  const auto listed = server_connections(*net.system, "it");
  ASSERT_EQ(listed->size(), 1U);
  // Its own doing, not the peer's: casts arrive though it does not read.
  for (int i = 0; i < 100; ++i) Ref<Scripted>(listed->front().pid).cast(std::string("many 20"));
  net.run(1s);
  EXPECT_EQ(net.status().ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(net.events.starting_with("terminate overloaded"), 1U);
  EXPECT_EQ(net.lines_with("(send_limit)"), 1U);
}

TEST(Connection, PacketsPerTurnLetOthersThrough) {
  NetWorld net(1, 1);
  ServerOptions options;
  options.connection.packets_per_turn = 10;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto peer = net.connect(at);
  net.run();
  const auto listed = server_connections(*net.system, "it");
  Packets commands(100, "a");
  peer->send(framed_all(commands));
  // The cast is queued while the first turn's packets are being handled, so it comes before the
  // rest.
  net.until([&] { return net.events.count("packet a") >= 10; });
  Ref<Scripted>(listed->front().pid).cast(std::string("echo cast"));
  net.run();
  EXPECT_EQ(net.events.count("packet a"), 100U);
  EXPECT_EQ(unframed(peer->received), Packets{"cast"});
}

}  // namespace
}  // namespace hawser
