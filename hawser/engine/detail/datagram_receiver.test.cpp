// The receiver on real sockets: who sent, to which address, how long.
#include <hawser/engine/detail/datagram_receiver.hpp>
#include <hawser/engine/detail/socket_setup.hpp>

#include <gtest/gtest.h>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace hawser::detail {
namespace {

struct BareSocket {
  explicit BareSocket(const Address& at) : socket(open_datagram_socket(at, {})) {}
  ~BareSocket() {
    if (socket) ::close(socket->number);
  }
  void wait() const {
    pollfd ready{socket->number, POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
  }
  int receive(DatagramReceiver& reader, Datagram& datagram) const {
    return reader.receive(socket->number, socket->bound.port(), datagram);
  }
  Result<BoundSocket> socket;
};

TEST(DatagramReceiver, TellsBothAddressesAndTheInterface) {
  const BareSocket receiver(Address::any_ipv4(0)), sender(Address::loopback(0));
  ASSERT_TRUE(receiver.socket && sender.socket);
  const Address to = Address::ipv4({127, 0, 0, 5}, receiver.socket->bound.port());
  ASSERT_TRUE(send_datagram_to(sender.socket->number, to, "marco"));
  receiver.wait();
  DatagramReceiver reader;
  Datagram datagram;
  ASSERT_EQ(receiver.receive(reader, datagram), 5);
  EXPECT_EQ(datagram.bytes, "marco");
  EXPECT_EQ(datagram.from, sender.socket->bound);
  EXPECT_EQ(datagram.to, to);
  EXPECT_NE(datagram.interface_index, 0U);
  EXPECT_EQ(receiver.receive(reader, datagram), -EAGAIN);
}

TEST(DatagramReceiver, SpeaksIpv6) {
  const BareSocket receiver(Address::parse("[::]:0").value()),
      sender(Address::parse("[::1]:0").value());
  if (!sender.socket) GTEST_SKIP() << sender.socket.error().text();
  const Address to = sender.socket->bound.with_port(receiver.socket->bound.port());
  ASSERT_TRUE(send_datagram_to(sender.socket->number, to, "six"));
  receiver.wait();
  DatagramReceiver reader;
  Datagram datagram;
  ASSERT_EQ(receiver.receive(reader, datagram), 3);
  EXPECT_EQ(datagram.from, sender.socket->bound);
  EXPECT_EQ(datagram.to, to);
}

TEST(DatagramReceiver, TakesTheLongestAndTheEmpty) {
  const BareSocket receiver(Address::loopback(0)), sender(Address::loopback(0));
  ASSERT_TRUE(receiver.socket && sender.socket);
  const std::string longest(65'507, 'x');
  ASSERT_TRUE(send_datagram_to(sender.socket->number, receiver.socket->bound, longest));
  ASSERT_TRUE(send_datagram_to(sender.socket->number, receiver.socket->bound, ""));
  receiver.wait();
  DatagramReceiver reader;
  Datagram datagram;
  ASSERT_EQ(receiver.receive(reader, datagram), 65'507);
  EXPECT_EQ(datagram.bytes, longest);
  ASSERT_EQ(receiver.receive(reader, datagram), 0);
  EXPECT_TRUE(datagram.bytes.empty());
}

}  // namespace
}  // namespace hawser::detail
