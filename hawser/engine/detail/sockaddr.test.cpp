// sockaddr conversion there and back, and the lengths that the kernel insists on.
#include <hawser/engine/detail/sockaddr.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>

namespace hawser::detail {
namespace {

RC_GTEST_PROP(Sockaddr, Ipv4ComesBack, (std::array<std::uint8_t, 4> o, std::uint16_t p)) {
  const Address address = Address::ipv4(o, p);
  RC_ASSERT(from_sockaddr(to_sockaddr(address).value()) == address);
}

RC_GTEST_PROP(Sockaddr, Ipv6ComesBack,
              (std::array<std::uint8_t, 16> o, std::uint16_t p, std::uint32_t s)) {
  const Address address = Address::ipv6(o, p, s);
  RC_ASSERT(from_sockaddr(to_sockaddr(address).value()) == address);
}

TEST(Sockaddr, IsInNetworkOrder) {
  const auto converted = to_sockaddr(Address::ipv4({192, 0, 2, 1}, 0x1234));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&converted->storage);
  EXPECT_EQ(bytes[2], 0x12);
  EXPECT_EQ(bytes[3], 0x34);
  EXPECT_EQ(bytes[4], 192);
  EXPECT_EQ(bytes[7], 1);
}

TEST(Sockaddr, UnixPathsComeBack) {
  for (const std::string& path : {std::string("/run/x.sock"), std::string("@name"),
                                  "/" + std::string(106, 'p'), "@" + std::string(106, 'n')}) {
    const auto converted = to_sockaddr(Address::unix_path(path));
    ASSERT_TRUE(converted) << path;
    EXPECT_EQ(from_sockaddr(*converted).path(), path);
  }
}

TEST(Sockaddr, AbstractNamesStartWithNulAndHaveNoTerminator) {
  const auto converted = to_sockaddr(Address::unix_path("@ab"));
  const auto* un = reinterpret_cast<const sockaddr_un*>(&converted->storage);
  EXPECT_EQ(converted->length, offsetof(sockaddr_un, sun_path) + 3);
  EXPECT_EQ(un->sun_path[0], '\0');
  EXPECT_EQ(un->sun_path[1], 'a');
}

TEST(Sockaddr, RefusesNoAddressAndLongPaths) {
  EXPECT_FALSE(to_sockaddr(Address()));
  EXPECT_FALSE(to_sockaddr(Address::unix_path("")));
  EXPECT_FALSE(to_sockaddr(Address::unix_path(std::string(108, 'x'))));
}

TEST(Sockaddr, UnnamedAndShortAddressesAreNone) {
  SocketAddress unnamed;
  unnamed.storage.ss_family = AF_UNIX;
  unnamed.length = offsetof(sockaddr_un, sun_path);
  EXPECT_EQ(from_sockaddr(unnamed), Address());
  SocketAddress cut = *to_sockaddr(Address::loopback(7));
  cut.length = 4;
  EXPECT_EQ(from_sockaddr(cut), Address());
  cut.length = 0;
  EXPECT_EQ(from_sockaddr(cut), Address());
}

}  // namespace
}  // namespace hawser::detail
