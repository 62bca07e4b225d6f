// Making sockets on the real kernel, over loopback and in a folder of the test's own.
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace hawser::detail {
namespace {

/// Closes what a test opened.
class Opened {
 public:
  ~Opened() {
    for (const int number : numbers_) ::close(number);
  }
  int operator()(int number) {
    numbers_.push_back(number);
    return number;
  }
  int operator()(const Result<BoundSocket>& socket) {
    EXPECT_TRUE(socket) << socket.error().text();
    return (*this)(socket ? socket->number : -1);
  }

 private:
  std::vector<int> numbers_;
};

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/hawser-socket-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Address at(const std::string& name) const { return Address::unix_path(path_ + "/" + name); }

 private:
  std::string path_;
};

int option(int number, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(number, level, name, &value, &length), 0) << std::strerror(errno);
  return value;
}

bool answers(const Address& address) {
  const SocketAddress target = to_sockaddr(address).value();
  const int number = ::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(number, target.get(), target.length) == 0;
  ::close(number);
  return connected;
}

TEST(ListeningSocket, GetsARealPortAndListens) {
  Opened opened;
  const auto socket = open_listening_socket(Address::loopback(0), {});
  const int number = opened(socket);
  EXPECT_NE(socket->bound.port(), 0);
  EXPECT_EQ(socket->bound.host(), "127.0.0.1");
  EXPECT_TRUE(answers(socket->bound));
  EXPECT_NE(::fcntl(number, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(option(number, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(option(number, SOL_SOCKET, SO_REUSEPORT), 0);
}

TEST(ListeningSocket, HandsItsOptionsToAcceptedSockets) {
  Opened opened;
  ListenOptions options;
  options.accepted.keep_alive = true;
  options.accepted.keep_alive_idle = 7s;
  options.accepted.keep_alive_interval = 1500ms;
  options.accepted.keep_alive_probes = 4;
  options.accepted.user_timeout = 12s;
  options.accepted.receive_buffer = 20'000;
  const auto socket = open_listening_socket(Address::loopback(0), options);
  const int listener = opened(socket);
  const int client = opened(::socket(AF_INET, SOCK_STREAM, 0));
  const SocketAddress target = to_sockaddr(socket->bound).value();
  ASSERT_EQ(::connect(client, target.get(), target.length), 0);
  const int accepted = opened(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
  ASSERT_GE(accepted, 0);
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 7);
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 2) << "whole seconds, rounded up";
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 12'000);
  EXPECT_EQ(option(accepted, SOL_SOCKET, SO_RCVBUF), 40'000);  // the kernel doubles it
}

TEST(ListeningSocket, SaysWhoHasThePort) {
  Opened opened;
  const auto first = open_listening_socket(Address::loopback(0), {});
  opened(first);
  const auto second = open_listening_socket(first->bound, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::already_exists);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_EQ(second.error().text(), "listen: " + first->bound.text() +
                                       " is taken by another program; choose another port or "
                                       "stop that program (EADDRINUSE)");
}

TEST(ListeningSocket, SharesAPortWhereAsked) {
  Opened opened;
  ListenOptions options;
  options.reuse_port = true;
  const auto first = open_listening_socket(Address::loopback(0), options);
  opened(first);
  opened(open_listening_socket(first->bound, options));
}

TEST(ListeningSocket, NamesAForeignAddress) {
  const auto socket = open_listening_socket(Address::ipv4({192, 0, 2, 1}, 0), {});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().kind, ErrorKind::invalid_argument);
  EXPECT_NE(socket.error().text().find("no interface of this machine"), std::string::npos);
}

TEST(ListeningSocket, LeavesIpv4AloneWhereAsked) {
  Opened opened;
  const Address any = Address::parse("[::]:0").value();
  const auto both = open_listening_socket(any, {});
  if (!both && both.error().kind == ErrorKind::unsupported) GTEST_SKIP() << "no IPv6 here";
  opened(both);
  EXPECT_TRUE(answers(Address::loopback(both->bound.port())));
  ListenOptions options;
  options.ipv6_only = true;
  const auto only = open_listening_socket(any, options);
  opened(only);
  EXPECT_FALSE(answers(Address::loopback(only->bound.port())));
}

TEST(ListeningSocket, FreesItsAddressWhenStopped) {
  Opened opened;
  const auto first = open_listening_socket(Address::loopback(0), {});
  stop_listening_socket(opened(first));
  EXPECT_FALSE(answers(first->bound));
  opened(open_listening_socket(first->bound, {}));  // the first descriptor is still open
}

TEST(UnixListener, HasTheModeAskedFor) {
  Opened opened;
  const Folder folder;
  ListenOptions options;
  options.unix_mode = 0660;
  const auto socket = open_listening_socket(folder.at("a"), options);
  opened(socket);
  EXPECT_EQ(socket->bound, folder.at("a"));
  struct stat file{};
  ASSERT_EQ(::stat(socket->bound.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0660U);
}

TEST(UnixListener, ReplacesAStaleFileButNotALiveOne) {
  Opened opened;
  const Folder folder;
  const Address path = folder.at("a");
  const auto first = open_listening_socket(path, {});
  ASSERT_TRUE(first);
  const auto refused = open_listening_socket(path, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::already_exists);
  EXPECT_NE(refused.error().text().find("choose another path"), std::string::npos);
  ::close(first->number);  // as a killed program leaves it
  opened(open_listening_socket(path, {}));
  EXPECT_TRUE(answers(path));
}

TEST(UnixListener, NeverReplacesAnOrdinaryFile) {
  const Folder folder;
  const Address path = folder.at("precious");
  const int file = ::open(path.path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  ::close(file);
  EXPECT_FALSE(open_listening_socket(path, {}));
  EXPECT_TRUE(std::filesystem::exists(path.path()));
}

TEST(UnixListener, RemovesItsFileWhenStoppedUnlessASuccessorHasIt) {
  Opened opened;
  const Folder folder;
  const Address path = folder.at("a");
  const int first = opened(open_listening_socket(path, {}));
  stop_listening_socket(first);
  EXPECT_FALSE(std::filesystem::exists(path.path()));
  opened(open_listening_socket(path, {}));
  stop_listening_socket(first);
  EXPECT_TRUE(answers(path));
}

TEST(UnixListener, ListensOnAbstractNames) {
  Opened opened;
  const Address name = Address::unix_path("@hawser-test-" + std::to_string(::getpid()));
  const auto socket = open_listening_socket(name, {});
  opened(socket);
  EXPECT_EQ(socket->bound, name);
  EXPECT_TRUE(answers(name));
}

TEST(UnixListener, SaysThatItsFolderIsMissing) {
  const auto socket = open_listening_socket(Address::unix_path("/nonexistent/hawser/a"), {});
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().text().find("create it first"), std::string::npos);
}

TEST(StreamSocket, HasItsOptionsAndLocalAddress) {
  Opened opened;
  StreamOptions options;
  options.keep_alive = true;
  const auto socket =
      open_stream_socket(Address::loopback(1), options, Address::ipv4({127, 0, 0, 3}, 0));
  ASSERT_TRUE(socket) << socket.error().text();
  const int number = opened(*socket);
  EXPECT_EQ(option(number, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(number, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_NE(::fcntl(number, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(local_address(number)->host(), "127.0.0.3");
  EXPECT_EQ(peer_address(number).error().kind, ErrorKind::closed);
}

TEST(StreamSocket, MayBeChangedWhileItIsOpen) {
  Opened opened;
  const auto socket = open_stream_socket(Address::loopback(1), {}, std::nullopt);
  ASSERT_TRUE(socket);
  const int number = opened(*socket);
  StreamChanges changes;
  changes.no_delay = false;
  changes.keep_alive = true;
  changes.keep_alive_idle = 9s;
  changes.user_timeout = 1s;
  changes.send_buffer = 20'000;
  changes.receive_low_water = 7;
  ASSERT_TRUE(change_stream_options(number, changes));
  EXPECT_EQ(option(number, SOL_SOCKET, SO_RCVLOWAT), 7);
  EXPECT_EQ(option(number, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option(number, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(number, IPPROTO_TCP, TCP_KEEPIDLE), 9);
  EXPECT_EQ(option(number, IPPROTO_TCP, TCP_USER_TIMEOUT), 1000);
  EXPECT_EQ(option(number, SOL_SOCKET, SO_SNDBUF), 40'000);

  const int on_unix = opened(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_TRUE(change_stream_options(on_unix, changes)) << "what is TCP's is passed over";
  EXPECT_EQ(option(on_unix, SOL_SOCKET, SO_SNDBUF), 40'000);
  ASSERT_FALSE(time_since_arrival(on_unix));
  EXPECT_EQ(time_since_arrival(on_unix).error().kind, ErrorKind::unsupported);

  changes.keep_alive_probes = 128;
  changes.user_timeout = -1s;
  EXPECT_EQ(changes.faults().size(), 2U);
  changes.user_timeout.reset();
  const auto refused = change_stream_options(number, changes);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("keep_alive_probes"), std::string::npos);
}

TEST(StreamSocket, RefusesToComeFromElsewhere) {
  const auto socket =
      open_stream_socket(Address::loopback(1), {}, Address::ipv4({192, 0, 2, 1}, 0));
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().text().find("192.0.2.1"), std::string::npos);
}

TEST(DatagramSocket, SendsAndTellsTheLocalAddress) {
  Opened opened;
  const auto receiver = open_datagram_socket(Address::any_ipv4(0), {});
  const int number = opened(receiver);
  const auto sender = open_datagram_socket(Address::loopback(0), {});
  opened(sender);
  ASSERT_TRUE(send_datagram_to(sender->number, Address::loopback(receiver->bound.port()), "marco"));
  pollfd ready{number, POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 5000), 1);
  char bytes[16], control[128];
  iovec vector{bytes, sizeof bytes};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(::recvmsg(number, &message, 0), 5);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->cmsg_type, IP_PKTINFO);
}

TEST(DatagramSocket, SharesItsPortOnlyWhereAsked) {
  Opened opened;
  DatagramOptions shared;
  shared.reuse_address = true;
  shared.broadcast = true;
  const auto first = open_datagram_socket(Address::any_ipv4(0), shared);
  EXPECT_EQ(option(opened(first), SOL_SOCKET, SO_BROADCAST), 1);
  opened(open_datagram_socket(first->bound, shared));
  const auto refused = open_datagram_socket(first->bound, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::already_exists);
}

TEST(DatagramSocket, JoinsGroups) {
  Opened opened;
  DatagramOptions options;
  options.multicast_groups = {Address::ipv4({239, 1, 2, 3}, 0)};
  opened(open_datagram_socket(Address::loopback(0), options));
  options.multicast_groups = {Address::ipv4({10, 1, 2, 3}, 0)};
  const auto refused = open_datagram_socket(Address::loopback(0), options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("10.1.2.3"), std::string::npos);
}

TEST(DatagramSocket, NamesWhatIsWrongWithADatagram) {
  Opened opened;
  const int number = opened(open_datagram_socket(Address::loopback(0), {}));
  const auto long_one = send_datagram_to(number, Address::loopback(9), std::string(70'000, 'x'));
  ASSERT_FALSE(long_one);
  EXPECT_EQ(long_one.error().kind, ErrorKind::invalid_argument);
  EXPECT_FALSE(open_datagram_socket(Address::unix_path("/tmp/x"), {}));
}

TEST(DescriptorCloser, ClosesWhatNobodyAdopted) {
  const auto socket = open_listening_socket(Address::loopback(0), {});
  ASSERT_TRUE(socket);
  {
    const NativeSocket dropped(socket->number, descriptor_closer());
  }
  EXPECT_EQ(::fcntl(socket->number, F_GETFD), -1);
}

TEST(AddressError, SaysCauseAndCure) {
  EXPECT_EQ(address_error(ECONNREFUSED, "connect", Address::loopback(61613)).text(),
            "connect: nobody listens on 127.0.0.1:61613; start the server or mend the address "
            "(ECONNREFUSED)");
  EXPECT_NE(address_error(EACCES, "listen", Address::any_ipv4(80)).text().find("port 80"),
            std::string::npos);
  EXPECT_NE(address_error(EMFILE, "listen", Address::loopback(1)).text().find("ulimit -n"),
            std::string::npos);
  EXPECT_NE(address_error(EIO, "listen", Address::loopback(1)).text().find("127.0.0.1:1"),
            std::string::npos);
}

}  // namespace
}  // namespace hawser::detail
