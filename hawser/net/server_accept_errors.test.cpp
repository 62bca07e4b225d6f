// What accept may answer, entry by entry, and the want of descriptors.
#include <hawser/engine/accept_errors.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;

using Packets = std::vector<std::string>;
using Peers = std::vector<std::unique_ptr<Peer>>;

TEST(Server, Tcp_R_29_WantOfDescriptorsPausesAndIsLoggedOnce) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto first = net.connect(at);
  net.run();
  net.world().host("server").set_descriptor_limit(net.world().host("server").open_descriptors());
  Peers peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(net.connect(at));
    peers.back()->send(framed("x"));
  }
  net.run(5s);
  EXPECT_GT(net.status().accept_errors, 10U);   // it tried every 100 ms …
  EXPECT_LT(net.status().accept_errors, 120U);  // … and did not spin
  EXPECT_EQ(net.lines_with("accept"), 1U) << net.all_lines();
  EXPECT_EQ(net.status().not_accepting_because, "out of descriptors or memory");
  net.world().host("server").set_descriptor_limit(1000);
  net.run(1s);
  for (const auto& each : peers) EXPECT_EQ(unframed(each->received), Packets{"x"});
  EXPECT_TRUE(net.status().accepting);
}

TEST(Server, Tcp_CB_06_AbortedConnectionsNeverEndTheListener) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const Pid listener = server_listener(*net.system, "it").pid();
  {
    sim::Faults faults;
    faults.accept_aborted = 0.9;
    const auto rule = net.world().host("server").impose(faults);
    Peers peers;
    for (int i = 0; i < 300; ++i) peers.push_back(net.connect(at));
    net.run(1s);
  }
  EXPECT_GT(net.status().accept_errors, 100U);
  EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

struct AcceptError {
  int code;
  AcceptReaction reaction;
};

void PrintTo(const AcceptError& tested, std::ostream* out) { *out << strerrorname_np(tested.code); }

class ServerAcceptErrors : public ::testing::TestWithParam<AcceptError> {};

TEST_P(ServerAcceptErrors, Tcp_R_29_EB_04_HasItsReaction) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  auto old = net.connect(at);
  net.run();
  const Pid listener = server_listener(*net.system, "it").pid();
  const Pid supervisor = net.system->whereis("it");
  net.world().host("server").fail_accepts({GetParam().code});
  auto peer = net.connect(at);
  peer->send(framed("x"));
  old->send(framed("y"));
  net.run(50ms);
  const bool paused = GetParam().reaction == AcceptReaction::pause;
  if (GetParam().reaction != AcceptReaction::fatal) {
    EXPECT_EQ(net.status().accept_errors, GetParam().code == EINTR ? 0U : 1U);
    EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
    EXPECT_EQ(net.status().not_accepting_because, paused ? "out of descriptors or memory" : "");
    EXPECT_EQ(unframed(peer->received), paused ? Packets{} : Packets{"x"});
  }
  net.run(1s);
  // A fatal one ended the listener, and a new one has the port: nothing else ever ends.
  EXPECT_EQ(server_listener(*net.system, "it").pid() == listener,
            GetParam().reaction != AcceptReaction::fatal);
  EXPECT_EQ(net.system->whereis("it"), supervisor);
  EXPECT_EQ(net.status().address, at);
  EXPECT_TRUE(net.status().accepting);
  EXPECT_EQ(unframed(old->received), Packets{"y"});
  auto fresh = net.connect(at);
  fresh->send(framed("z"));
  net.run();
  EXPECT_EQ(unframed(fresh->received), Packets{"z"});
}

using enum AcceptReaction;
INSTANTIATE_TEST_SUITE_P(
    Table, ServerAcceptErrors,
    ::testing::Values(
        AcceptError{ECONNABORTED, retry}, AcceptError{ECONNRESET, retry},
        AcceptError{EINTR, retry},  // (EAGAIN comes with an empty backlog only)
        AcceptError{ENETDOWN, retry}, AcceptError{ENETUNREACH, retry},
        AcceptError{EHOSTDOWN, retry}, AcceptError{EHOSTUNREACH, retry}, AcceptError{ENONET, retry},
        AcceptError{EPROTO, retry}, AcceptError{ENOPROTOOPT, retry}, AcceptError{EOPNOTSUPP, retry},
        AcceptError{ETIMEDOUT, retry}, AcceptError{EPERM, retry}, AcceptError{EMFILE, pause},
        AcceptError{ENFILE, pause}, AcceptError{ENOBUFS, pause}, AcceptError{ENOMEM, pause},
        AcceptError{EBADF, fatal}, AcceptError{ENOTSOCK, fatal}, AcceptError{EINVAL, fatal},
        AcceptError{EFAULT, fatal}, AcceptError{EIO, pause}),
    [](const auto& tested) { return std::string(strerrorname_np(tested.param.code)); });

TEST(Server, Tcp_CB_06_ThousandsThatResetBeforeTheyAreAcceptedDoNotHurt) {
  NetWorld net;
  ServerOptions options;
  options.intensity = 1;
  options.start_suspended = true;
  const Address at = net.serve<Echo>(std::move(options));
  const Pid listener = server_listener(*net.system, "it").pid();
  const auto before = net.left();
  for (int round = 0; round < 5; ++round) {
    Peers peers;
    for (int i = 0; i < 1000; ++i) peers.push_back(net.connect(at));
    net.run(100ms);
    if (round % 2 == 0) net.world().reset_connections("server", "client");
    peers.clear();
    ASSERT_TRUE(resume_server(*net.system, "it").has_value());
    net.run(1s);
    ASSERT_TRUE(suspend_server(*net.system, "it").has_value());
  }
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  net.run(10s);
  EXPECT_EQ(net.left(), before);
  EXPECT_EQ(net.status().connections, 0U) << "none of them takes anybody's room";
  EXPECT_EQ(server_listener(*net.system, "it").pid(), listener);
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

TEST(Server, Tcp_EB_05_ASpareDescriptorLetsClientsBeClosedAtOnce) {
  NetWorld net;
  const auto before = net.left();
  ServerOptions options;
  options.spare_descriptor = true;
  options.alarms.push_back({.name = "descriptors", .on = Alarm::On::descriptors, .cooldown = 0s});
  const Address at = net.serve<Echo>(std::move(options));
  auto first = net.connect(at);
  net.run();
  sim::Host& host = net.world().host("server");
  host.set_descriptor_limit(host.open_descriptors());
  Peers peers;
  for (int i = 0; i < 20; ++i) peers.push_back(net.connect(at));
  net.run(1s);
  EXPECT_TRUE(
      std::all_of(peers.begin(), peers.end(), [](const auto& each) { return each->over(); }));
  EXPECT_EQ(net.status().refused, 20U);
  EXPECT_EQ(net.lines_with("alarm \"descriptors\" raised"), 1U) << net.all_lines();
  // With nobody in want of one, the shortage is over, whatever the limit.
  net.run(1s);
  EXPECT_EQ(net.lines_with("alarm \"descriptors\" cleared"), 1U) << net.all_lines();
  // Once per pause: it is taken again, and does it again.
  auto more = net.connect(at);
  net.run(1s);
  EXPECT_TRUE(more->over());
  host.set_descriptor_limit(1000);
  net.run(1s);
  auto served = net.connect(at);
  served->send(framed("x"));
  first->send(framed("y"));
  net.run();
  EXPECT_EQ(unframed(served->received), Packets{"x"});
  EXPECT_EQ(unframed(first->received), Packets{"y"});
  ASSERT_TRUE(net.system->stop_child("it").has_value());
  net.run(10s);
  EXPECT_EQ(net.left(), before);
}

TEST(Server, Tcp_EB_07_MessagesThatNobodyExpectsAreDroppedAndCounted) {
  NetWorld net;
  const Address at = net.serve<Echo>({});
  const std::vector<std::string> parts{"it/monitor", "it/connections/0", "it/connections/1",
                                       "it/listener/0"};
  std::vector<Pid> pids;
  for (const auto& part : parts) {
    pids.push_back(net.system->whereis(part));
    for (int i = 0; i < 100; ++i) send_info(pids.back(), std::string("nonsense"));
  }
  net.run(1s);
  for (std::size_t i = 0; i < parts.size(); ++i)
    EXPECT_EQ(net.system->whereis(parts[i]), pids[i]) << parts[i];
  auto peer = net.connect(at);
  peer->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{"x"});
}

}  // namespace
}  // namespace hawser
