// Sockets from systemd and from parents: what the variables say, and that nothing is taken when
// they are wrong. Real descriptors from 3 on belong to whoever runs the tests, so those cases run
// in children of their own.
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/inherited_sockets.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>

namespace hawser {
namespace {

/// Runs `body` in a child, where descriptors 3 and 4 are listening sockets and 5 is /dev/null; the
/// child's answer is "" when all is well.
void in_activated_child(const std::function<std::string()>& body) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), 0), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int out = ::fcntl(pipe[1], F_DUPFD, 100);
    const auto first = detail::open_listening_socket(Address::loopback(0), {});
    const auto second = detail::open_listening_socket(Address::loopback(0), {});
    const int a = first ? ::fcntl(first->number, F_DUPFD, 100) : -1;
    const int b = second ? ::fcntl(second->number, F_DUPFD, 100) : -1;
    const int null = ::open("/dev/null", O_RDONLY);
    const int c = ::fcntl(null, F_DUPFD, 100);
    ::dup2(a, 3);
    ::dup2(b, 4);
    ::dup2(c, 5);
    ::close(6);
    const std::string answer = body();
    [[maybe_unused]] const ssize_t written = ::write(out, answer.data(), answer.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string answer;
  char buffer[512];
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(answer, "");
}

ServiceEnvironment activated(const char* count, const char* names = "") {
  return {std::to_string(::getpid()), count, names, ""};
}

TEST(InheritedSockets, systemd_sockets_come_with_their_names) {
  in_activated_child([]() -> std::string {
    auto sockets = systemd_sockets(activated("2", "web:admin"), ::getpid());
    if (!sockets) return sockets.error().text();
    if (sockets->size() != 2) return "not two";
    const InheritedSocket& web = (*sockets)[0];
    if (web.name != "web" || (*sockets)[1].name != "admin") return "names";
    if (web.socket.number() != 3 || web.address.port() == 0) return "socket";
    if (!web.leave_at_close) return "it is systemd's";
    if ((::fcntl(3, F_GETFD) & FD_CLOEXEC) == 0) return "children would get it";
    if ((::fcntl(3, F_GETFL) & O_NONBLOCK) == 0) return "it blocks";
    return {};
  });
}

TEST(InheritedSockets, sockets_without_names_are_unknown) {
  in_activated_child([]() -> std::string {
    auto sockets = systemd_sockets(activated("1"), ::getpid());
    return sockets && sockets->at(0).name == "unknown" ? "" : "unknown";
  });
  in_activated_child([]() -> std::string {
    auto sockets = systemd_sockets(activated("2", ":b"), ::getpid());
    return sockets && sockets->at(0).name == "unknown" && sockets->at(1).name == "b" ? "" : "b";
  });
}

TEST(InheritedSockets, what_does_not_listen_is_named_and_nothing_is_taken) {
  in_activated_child([]() -> std::string {
    const auto sockets = systemd_sockets(activated("3", "a:b:wrong"), ::getpid());
    if (sockets) return "taken";
    const std::string text = sockets.error().text();
    if (text.find("wrong") == text.npos || text.find("5") == text.npos) return text;
    return ::fcntl(3, F_GETFD) >= 0 ? "" : "3 was closed";
  });
  in_activated_child([]() -> std::string {
    const auto socket = inherited_descriptor(6);
    if (socket) return "taken";
    const std::string text = socket.error().text();
    return text.find("6 is not open") == text.npos ? text : "";
  });
  EXPECT_FALSE(inherited_descriptor(2));
}

TEST(InheritedSockets, variables_for_another_process_mean_nothing) {
  auto sockets = systemd_sockets({"1", "2", "a:b", ""}, 2);
  ASSERT_TRUE(sockets);
  EXPECT_TRUE(sockets->empty());
  sockets = systemd_sockets({}, 2);
  ASSERT_TRUE(sockets);
  EXPECT_TRUE(sockets->empty());
}

TEST(InheritedSockets, variables_that_contradict_themselves_are_refused) {
  const auto refused = [](const ServiceEnvironment& environment, std::string_view word) {
    const auto sockets = systemd_sockets(environment, 7);
    ASSERT_FALSE(sockets) << word;
    EXPECT_EQ(sockets.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(sockets.error().text().find(word), std::string::npos) << sockets.error().text();
  };
  refused({"x", "1", "", ""}, "LISTEN_PID is \"x\"");
  refused({"", "1", "", ""}, "LISTEN_PID is \"\"");
  refused({"7", "", "", ""}, "LISTEN_FDS is \"\"");
  refused({"7", "-1", "", ""}, "LISTEN_FDS is \"-1\"");
  refused({"7", "1000000", "", ""}, "LISTEN_FDS is \"1000000\"");
  refused({"7", "2", "a:b:c", ""}, "3 names for 2");
}

TEST(InheritedSockets, the_environment_is_read_once_and_removed) {
  ::setenv("LISTEN_PID", "1", 1);        // NOLINT(concurrency-mt-unsafe): one thread
  ::setenv("LISTEN_FDS", "2", 1);        // NOLINT(concurrency-mt-unsafe): one thread
  ::setenv("LISTEN_FDNAMES", "a:b", 1);  // NOLINT(concurrency-mt-unsafe): one thread
  ::setenv("NOTIFY_SOCKET", "/x", 1);    // NOLINT(concurrency-mt-unsafe): one thread
  const ServiceEnvironment environment = take_service_environment();
  EXPECT_EQ(environment.listen_pid, "1");
  EXPECT_EQ(environment.listen_fds, "2");
  EXPECT_EQ(environment.listen_fdnames, "a:b");
  EXPECT_EQ(environment.notify_socket, "/x");
  const ServiceEnvironment again = take_service_environment();
  EXPECT_EQ(again.listen_pid + again.listen_fds + again.listen_fdnames + again.notify_socket, "");
}

TEST(InheritedSockets, systemd_is_told_by_a_datagram) {
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)), 0);
  const auto bound = detail::local_address(socket);  // the kernel chose an abstract name
  ASSERT_TRUE(bound);
  ServiceEnvironment environment;
  EXPECT_TRUE(notify_service(environment, "READY=1")) << "nobody wants to know";
  environment.notify_socket = bound->path();
  const auto told = notify_service(environment, "READY=1");
  ASSERT_TRUE(told) << told.error().text();
  char buffer[64];
  const ssize_t size = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))), "READY=1");
  ::close(socket);
  EXPECT_FALSE(notify_service(environment, "READY=1")) << "nobody is there";
  environment.notify_socket = "vsock:2:1";
  const auto refused = notify_service(environment, "READY=1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace hawser
