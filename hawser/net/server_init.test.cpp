// The word of the user on the bound socket: three outcomes of a start, and changed arguments.
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;

using Packets = std::vector<std::string>;

struct GreeterOnly {
  std::string greeting;
  Next init() { return send(greeting); }
  void handle_packet(Packet) {}
};

TEST(Server, Tcp_E_32_R_33_TheHookSeesTheBoundSocketBeforeAnybodyIsAccepted) {
  std::vector<BoundListener> seen;
  NetWorld net(1, 2);
  ServerOptions options;
  options.spread = AcceptSpread::per_scheduler;
  options.on_listening = [&](const BoundListener& bound) {
    seen.push_back(bound);
    return ListenAnswer::go_on();
  };
  const Address at = net.serve<Echo>(std::move(options));
  ASSERT_EQ(seen.size(), 2U);
  for (unsigned i = 0; i < 2; ++i) {
    EXPECT_EQ(seen[i].address, at);
    EXPECT_NE(seen[i].address.port(), 0);
    EXPECT_GE(seen[i].descriptor, 0);
    EXPECT_EQ(seen[i].listener, i);
  }
  EXPECT_NE(seen[0].scheduler, seen[1].scheduler);
  // Each new socket is shown: of a listener that comes back, and of one that is resumed.
  send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
  net.run(1s);
  EXPECT_EQ(seen.size(), 3U);
  ASSERT_TRUE(suspend_server(*net.system, "it", SuspendMode::close_socket).has_value());
  ASSERT_TRUE(resume_server(*net.system, "it").has_value());
  EXPECT_EQ(seen.size(), 5U);
}

TEST(Server, Tcp_E_01_E_32_AServerThatIsDeclinedIsNoErrorAndNotThere) {
  NetWorld net;
  const auto before = net.left();
  ServerOptions options;
  options.listen = ListenAddress(net.world().host("server").address(7000));
  options.on_listening = [](const BoundListener&) { return ListenAnswer::decline(); };
  const auto started = net.system->start(server<Echo>("it", options));
  // Declined: no error to a supervisor, and no process.
  ASSERT_TRUE(started.has_value()) << started.error().text();
  EXPECT_FALSE(*started);
  EXPECT_EQ(server_status(*net.system, "it").error().kind, ErrorKind::not_found);
  net.run(1s);
  EXPECT_EQ(net.left(), before) << "the socket is closed again";
  // Among other children of the user's own supervisor it is just not there.
  SupervisorOptions tree;
  tree.children.push_back(server<Echo>("declined", options));
  options.on_listening = {};
  tree.children.push_back(server<Echo>("other", options));
  ASSERT_TRUE(net.system->start(supervisor("mine", std::move(tree))).has_value());
  EXPECT_TRUE(server_listener(*net.system, "other"));
}

TEST(Server, Tcp_E_01_E_32_AHookThatFailsIsTheErrorOfTheStart) {
  NetWorld net;
  const auto before = net.left();
  ServerOptions options;
  options.listen = ListenAddress(net.world().host("server").address(0));
  options.on_listening = [](const BoundListener&) { return ListenAnswer::fail("no such cpu"); };
  auto started = net.system->start(server<Echo>("it", options));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().text().find("no such cpu"), std::string::npos);
  options.on_listening = [](const BoundListener&) -> ListenAnswer {
    throw std::runtime_error("boom");
  };
  started = net.system->start(server<Echo>("it", options));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().text().find("boom"), std::string::npos) << started.error().text();
  net.run(1s);
  EXPECT_EQ(net.left(), before);
}

TEST(Server, Tcp_E_32_TheInitMayReplaceTheArguments) {
  NetWorld net;
  ServerOptions options;
  options.listen = ListenAddress(net.world().host("server").address(0));
  const auto init = [](const BoundListener& bound, std::tuple<std::string>& arguments) {
    std::get<0>(arguments) += " from port " + std::to_string(bound.address.port());
    return ListenAnswer::go_on();
  };
  ASSERT_TRUE(net.system
                  ->start(server_with_init<GreeterOnly>("it", std::move(options), init,
                                                        std::string("hello")))
                  .has_value());
  const Address at = net.status().address;
  const std::string expected = "hello from port " + std::to_string(at.port());
  auto peer = net.connect(at);
  net.run();
  EXPECT_EQ(unframed(peer->received), Packets{expected});
  send_exit(server_listener(*net.system, "it").pid(), Reason::killed());
  net.run(1s);
  auto again = net.connect(at);
  net.run();
  EXPECT_EQ(unframed(again->received), Packets{expected}) << "made from the original each time";
}

TEST(Server, Tcp_E_01_ADecliningInitOfTypedArguments) {
  NetWorld net;
  const auto init = [](const BoundListener&, std::tuple<std::string>&) {
    return ListenAnswer::decline();
  };
  const auto started = net.system->start(server_with_init<GreeterOnly>(
      "it", {.listen = net.world().host("server").address(0)}, init, std::string("hello")));
  ASSERT_TRUE(started.has_value());
  EXPECT_FALSE(*started);
}

}  // namespace
}  // namespace hawser
