// So many packets and no more: activate(), handle_passive, and what the peer feels of it.
#include <hawser/net/testing/rigged_handler.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::framed_all;
using testing::NetWorld;
using testing::Rig;
using testing::Rigged;
using testing::unframed;

using Packets = std::vector<std::string>;

ServerOptions active(std::uint32_t packets) {
  ServerOptions options;
  options.connection.active_packets = packets;
  return options;
}

TEST(ActiveN, Tcp_E_66_TheOptionGivesSoManyAndThenHandlePassive) {
  Rig rig;
  NetWorld net;
  const Address at = net.serve<Rigged>(active(3), &rig);
  auto peer = net.connect(at);
  peer->send(framed_all({"1", "2", "3", "4", "5"}));
  net.run(1s);
  EXPECT_EQ(rig.seen.all, (Packets{"init", "packet 1", "packet 2", "packet 3", "passive"}));
  EXPECT_FALSE(server_connections(*net.system, "it")->front().reading);
}

TEST(ActiveN, ActivateFromACastGoesOnWithWhatWasLeft) {
  Rig rig;
  NetWorld net;
  rig.cast = [](const std::string& word) {
    connection().activate(word == "all" ? ConnectionOptions::unlimited
                                        : static_cast<std::uint32_t>(std::stoul(word)));
    return keep();
  };
  const Address at = net.serve<Rigged>(active(0), &rig);
  auto peer = net.connect(at);
  Packets sent;
  for (int i = 0; i < 20; ++i) sent.push_back(std::to_string(i));
  peer->send(framed_all(sent));
  net.run(1s);
  EXPECT_EQ(rig.seen.starting_with("packet"), 0U);
  const Ref<Rigged> ref(rig.pid);
  ref.cast(std::string("2"));
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 2U);
  EXPECT_EQ(rig.seen.count("passive"), 1U);
  ref.cast(std::string("0"));
  ref.cast(std::string("1"));
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 3U);
  ref.cast(std::string("all"));
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 20U);
  EXPECT_EQ(rig.seen.count("passive"), 2U);
  peer->send(framed("more"));
  net.run();
  EXPECT_EQ(rig.seen.count("packet more"), 1U);
}

TEST(ActiveN, AnybodyMayLetItReadOnByItsPid) {
  Rig rig;
  NetWorld net;
  const Address at = net.serve<Rigged>(active(2), &rig);
  auto peer = net.connect(at);
  peer->send(framed_all({"1", "2", "3", "4", "5", "6"}));
  net.run(1s);
  EXPECT_EQ(rig.seen.starting_with("packet"), 2U);
  const Ref<Connection> ref(rig.pid);
  ref.cast(Activate{3});
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 5U);
  EXPECT_EQ(rig.seen.count("passive"), 2U);
  ref.cast(Activate{ConnectionOptions::unlimited});
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 6U);
  ref.cast(Activate{0});
  net.run();
  peer->send(framed("more"));
  net.run();
  EXPECT_EQ(rig.seen.starting_with("packet"), 6U) << "none from now on";
}

TEST(ActiveN, ActivateInsideACallbackNeedsNoPause) {
  for (const bool in_passive : {false, true}) {
    Rig rig;
    NetWorld net;
    if (in_passive) {
      rig.passive = [] { connection().activate(1); };
    } else {
      rig.packet = [](Packet) {
        connection().activate(1);
        return keep();
      };
    }
    const Address at = net.serve<Rigged>(active(1), &rig);
    auto peer = net.connect(at);
    peer->send(framed_all(Packets(2500, "x")));
    net.run(1s);
    EXPECT_EQ(rig.seen.count("packet x"), 2500U);
    EXPECT_EQ(rig.seen.count("passive"), in_passive ? 2500U : 0U);
  }
}

TEST(ActiveN, Tcp_EB_20_ACrashNamesTheCallbackAlsoNextToHandlePassive) {
  for (const bool in_passive : {true, false}) {
    Rig rig;
    NetWorld net;
    rig.passive = [in_passive] {
      if (in_passive) throw std::runtime_error("boom");
      connection().activate(1);
    };
    rig.packet = [](Packet packet) {
      if (packet == "crash") throw std::runtime_error("boom");
      return keep();
    };
    const Address at = net.serve<Rigged>(active(1), &rig);
    auto peer = net.connect(at);
    peer->send(framed("x") + framed("crash"));
    net.run(1s);
    const std::string callback = in_passive ? "handle_passive" : "handle_packet";
    EXPECT_EQ(net.lines_with("crash: boom, in " + callback), 1U) << net.all_lines();
  }
}

TEST(ActiveN, ActivateZeroStopsAtThisPacketAndIsNoNews) {
  for (const std::uint32_t credit : {5U, ConnectionOptions::unlimited}) {
    Rig rig;
    NetWorld net;
    rig.packet = [](Packet packet) {
      if (packet == "stop") connection().activate(0);
      return keep();
    };
    rig.cast = [](const std::string&) {
      connection().activate();
      return keep();
    };
    const Address at = net.serve<Rigged>(active(credit), &rig);
    auto peer = net.connect(at);
    peer->send(framed_all({"a", "stop", "b"}));
    net.run(1s);
    EXPECT_EQ(rig.seen.all, (Packets{"init", "packet a", "packet stop"}));
    Ref<Rigged>(rig.pid).cast(std::string("go"));
    net.run();
    EXPECT_EQ(rig.seen.all.back(), "packet b");
  }
}

TEST(ActiveN, OffAndOnAgainWithinOneCallbackGoesOnReading) {
  Rig rig;
  NetWorld net;
  rig.packet = [](Packet) {
    connection().activate(0);
    connection().activate();
    return keep();
  };
  const Address at = net.serve<Rigged>({}, &rig);
  auto peer = net.connect(at);
  for (int i = 0; i < 3; ++i) {
    peer->send(framed("x") + framed("y"));
    net.run();
  }
  EXPECT_EQ(rig.seen.starting_with("packet"), 6U);
}

TEST(ActiveN, Tcp_EB_02_ThePeerFeelsTheBackPressure) {
  Rig rig;
  NetWorld net;
  const Address at = net.serve<Rigged>(active(1), &rig);
  rig.cast = [](const std::string&) {
    connection().activate();
    return keep();
  };
  auto peer = net.connect(at);
  const Packets sent(500, std::string(60'000, 'x'));
  peer->send(framed_all(sent));
  net.run(60s);
  EXPECT_LT(net.status().bytes_in, 2'000'000U);  // of 30 MB
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run(10s);
  EXPECT_EQ(rig.seen.starting_with("packet"), 500U);
}

TEST(ActiveN, WhileItIsPassiveThePacketClockStandsStill) {
  Rig rig;
  NetWorld net;
  rig.cast = [](const std::string&) {
    connection().activate(1);
    return keep();
  };
  const Address at = net.serve<Rigged>(active(1), &rig);
  auto peer = net.connect(at);
  peer->send(framed("a") + framed("bcd").substr(0, 3));
  net.run(60s);
  EXPECT_FALSE(peer->over());
  Ref<Rigged>(rig.pid).cast(std::string("go"));
  net.run(9s);
  EXPECT_FALSE(peer->over());
  peer->send(framed("bcd").substr(3));
  net.run(1s);
  EXPECT_EQ(rig.seen.count("packet bcd"), 1U);
}

}  // namespace
}  // namespace hawser
