// Servers that come up, that do not, and that do not want to end.
#include <bench/load/server_process.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace hawser::bench {
namespace {

Result<ServerProcess> start(std::string_view line, ServerOptions options = {}) {
  const auto command = split_command(line);
  if (!command) return std::unexpected(command.error());
  return ServerProcess::start(*command, options);
}

bool alive(pid_t pid) { return kill(pid, 0) == 0; }

TEST(ServerProcessTest, TheReadyLineMayComeAfterOthersAndSeesTheEnvironment) {
  auto server = start(
      "PORT=7007 /bin/sh -c 'echo loading; echo ready packet=127.0.0.1:$PORT pid=$$; exec sleep "
      "1000'");
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_EQ(server->ready().address, (Endpoint{"127.0.0.1", 7007}));
  const pid_t pid = server->ready().pid;
  EXPECT_TRUE(server->running());
  EXPECT_TRUE(alive(pid));
  server->stop();
  EXPECT_FALSE(alive(pid));
}

TEST(ServerProcessTest, AProgramThatIsNotThereIsNamed) {
  const auto server = start("/nowhere/at-all");
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::not_found);
  EXPECT_NE(server.error().text().find("/nowhere/at-all"), std::string::npos);
}

TEST(ServerProcessTest, LastWordsOfAProgramThatEndsAreTold) {
  const auto server = start("/bin/sh -c 'echo first >&2; echo port is taken >&2; exit 3'");
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::closed);
  EXPECT_EQ(server.error().detail, "it ended before it was ready; port is taken");
}

TEST(ServerProcessTest, ASilentProgramTimesOutAndIsGone) {
  ServerOptions options;
  options.start_limit = 50ms;
  const auto server = start("sleep 1000", options);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::timeout);
  EXPECT_EQ(server.error().detail, "no ready line within 0.05 s");
}

TEST(ServerProcessTest, ABadReadyLineIsAnError) {
  const auto server = start("/bin/sh -c 'echo ready packet=nowhere pid=1; exec sleep 1000'");
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::invalid_argument);
}

TEST(ServerProcessTest, OneThatIgnoresTheSignalIsKilled) {
  ServerOptions options;
  options.stop_limit = 50ms;
  auto server = start(
      "/bin/sh -c \"trap '' TERM; echo ready packet=127.0.0.1:1 pid=\\$\\$; while :; do sleep "
      "1000; done\"",
      options);
  ASSERT_TRUE(server) << server.error().text();
  const pid_t pid = server->ready().pid;
  ASSERT_TRUE(alive(pid));
  server->stop();
  EXPECT_FALSE(alive(pid));
}

TEST(ServerProcessTest, MovingMovesTheDutyToStop) {
  pid_t pid = 0;
  {
    auto first = start("/bin/sh -c 'echo ready packet=127.0.0.1:1 pid=$$; exec sleep 1000'");
    ASSERT_TRUE(first) << first.error().text();
    ServerProcess second = std::move(*first);
    pid = second.ready().pid;
    first->stop();
    EXPECT_TRUE(alive(pid));
  }
  EXPECT_FALSE(alive(pid));
}

TEST(ServerProcessTest, AnEndedServerIsNoticed) {
  auto server = start("/bin/sh -c 'echo ready packet=127.0.0.1:1 pid=$$; read never; exit 0'");
  ASSERT_TRUE(server) << server.error().text();
  while (server->running()) {  // its input is empty, so it ends by itself
  }
  server->stop();
  EXPECT_FALSE(server->running());
}

}  // namespace
}  // namespace hawser::bench
