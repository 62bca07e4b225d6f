// The resolver: literals, the one name that every machine knows, and what cannot be a name.
#include <hawser/engine/detail/resolver.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace hawser::detail {
namespace {

TEST(Resolver, KnowsLiterals) {
  EXPECT_EQ(literal_address("127.0.0.1", 7), Address::loopback(7));
  EXPECT_EQ(literal_address("::1", 7)->text(), "[::1]:7");
  EXPECT_EQ(literal_address("fe80::1%3", 7)->scope(), 3U);
  EXPECT_EQ(literal_address("[::1]", 7), literal_address("::1", 7));  // as in URLs
  for (const char* name : {"", "*", "localhost", "1.2.3", "unix:/x", "example.com", "@x"}) {
    EXPECT_EQ(literal_address(name, 7), std::nullopt) << name;
  }
}

TEST(Resolver, FindsLocalhostOnceEach) {
  const auto addresses = look_up("localhost", 80);
  ASSERT_TRUE(addresses) << addresses.error().text();
  EXPECT_TRUE(std::ranges::any_of(*addresses, [](const Address& address) {
    return address == Address::loopback(80) || address.host() == "::1";
  }));
  for (const Address& address : *addresses) {
    EXPECT_EQ(std::ranges::count(*addresses, address), 1);
  }
}

TEST(Resolver, RefusesWhatIsNoName) {
  EXPECT_EQ(look_up("", 80).error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(look_up(std::string("a\0b", 3), 80).error().kind, ErrorKind::invalid_argument);
  // Labels longer than 63 characters exist nowhere, so no name server is asked.
  const auto unknown = look_up(std::string(70, 'x'), 80);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().operation, "resolve");
}

}  // namespace
}  // namespace hawser::detail
