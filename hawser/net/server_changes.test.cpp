// Settings and handlers that are changed for connections to come, while the server runs.
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Echo;
using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::Scripted;
using testing::unframed;

using Packets = std::vector<std::string>;

struct Greeter {
  std::string greeting;
  Next init() { return send(greeting); }
  Next handle_packet(Packet packet) { return send(packet); }
};

TEST(Server, Tcp_R_19_OptionsApplyToNewConnections) {
  NetWorld net(1, 1);
  const Address at = net.serve<Echo>({});
  auto old = net.connect(at);
  net.run();
  SetServerOptions changes;
  changes.connection = ConnectionOptions{};
  changes.connection->idle_timeout = 5s;
  changes.framing = length_prefixed(1);
  ASSERT_TRUE(set_server_options(*net.system, "it", changes).has_value());
  auto fresh = net.connect(at);
  old->send(framed("x"));
  fresh->send(std::string("\x01") + "y");
  net.run(1s);
  EXPECT_EQ(old->received, framed("x"));
  EXPECT_EQ(fresh->received, std::string("\x01") + "y");
  net.run(10s);
  EXPECT_TRUE(fresh->over()) << "idle";
  EXPECT_FALSE(old->over());
  EXPECT_EQ(server_connections(*net.system, "it")->size(), 1U);
  // A supervisor that is restarted starts with them, and draining reaches both kinds.
  auto third = net.connect(at);
  net.run(1s);
  EXPECT_EQ(server_connections(*net.system, "it")->size(), 2U);
  const auto report = stop_server(*net.system, "it", StopServer(5s));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->connections, 2U);
  net.run();
  EXPECT_TRUE(old->over());
  EXPECT_TRUE(third->over());
}

TEST(Server, Tcp_R_19_ARestartedSupervisorHasTheChangedOptions) {
  NetWorld net(1, 1);
  const Address at = net.serve<Echo>({});
  SetServerOptions changes;
  changes.framing = length_prefixed(1);
  changes.mailbox = MailboxLimit{.messages = 5};
  ASSERT_TRUE(set_server_options(*net.system, "it", changes).has_value());
  send_exit(net.system->whereis("it/connections/0"), Reason::killed());
  net.run(1s);
  auto peer = net.connect(at);
  peer->send(std::string("\x01") + "y");
  net.run();
  EXPECT_EQ(peer->received, std::string("\x01") + "y");
}

TEST(Server, Tcp_R_18_R_19_AHandlerIsReplacedForNewConnections) {
  NetWorld net;
  const Address at = net.serve<Greeter>({}, std::string("one"));
  auto first = net.connect(at);
  net.run();
  ASSERT_TRUE(set_server_handler<Greeter>(*net.system, "it", std::string("two")).has_value());
  auto second = net.connect(at);
  net.run();
  ASSERT_TRUE(set_server_handler<Echo>(*net.system, "it").has_value());
  auto third = net.connect(at);
  net.run();
  for (auto* each : {first.get(), second.get(), third.get()}) each->send(framed("x"));
  net.run();
  EXPECT_EQ(unframed(first->received), (Packets{"one", "x"}));
  EXPECT_EQ(unframed(second->received), (Packets{"two", "x"}));
  EXPECT_EQ(unframed(third->received), Packets{"x"});
  EXPECT_EQ(set_server_handler<Echo>(*net.system, "nobody").error().kind, ErrorKind::not_found);
}

TEST(Server, Tcp_R_34_E_27_ConnectionsMayHaveNamesAndBeTracedFromTheStart) {
  NetWorld net(1, 1);
  ServerOptions options;
  options.name_connections = true;
  options.trace_connections = true;
  const Address at = net.serve<Scripted>(std::move(options), &net.events);
  auto first = net.connect(at);
  auto second = net.connect(at);
  net.run();
  const auto list = server_connections(*net.system, "it");
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ(net.system->whereis("it/0.1"), (*list)[0].pid);
  EXPECT_EQ(net.system->whereis("it/0.2"), (*list)[1].pid);
  const auto traced = [&](std::string_view name) {
    bool is = false;
    static_cast<void>(net.system->run_on(0, [&](Scheduler& scheduler) {
      is = scheduler.find(net.system->whereis(name))->traced();
    }));
    return is;
  };
  EXPECT_TRUE(traced("it/0.1"));
  Ref<Scripted>((*list)[1].pid).cast(std::string("crash"));
  net.run();
  EXPECT_GE(net.lines_with("it/0.2"), 1U) << net.all_lines();
  EXPECT_FALSE(net.system->whereis("it/0.2")) << "the name goes with it";
  SetServerOptions silent;
  silent.trace_connections = false;
  ASSERT_TRUE(set_server_options(*net.system, "it", silent).has_value());
  auto third = net.connect(at);
  net.run();
  EXPECT_FALSE(traced("it/0.3"));
}

}  // namespace
}  // namespace hawser
