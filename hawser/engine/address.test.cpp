// Address: every form of the grammar, the canonical text, and text that must be refused.
#include <hawser/engine/address.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace hawser {
namespace {

std::string canonical(std::string_view text) {
  const Result<Address> address = Address::parse(text);
  return address ? address->text() : "refused: " + address.error().text();
}

TEST(Address, ReadsEveryForm) {
  EXPECT_EQ(canonical("127.0.0.1:7007"), "127.0.0.1:7007");
  EXPECT_EQ(canonical("[::1]:7007"), "[::1]:7007");
  EXPECT_EQ(canonical("[fe80::1%2]:7007"), "[fe80::1%2]:7007");
  EXPECT_EQ(canonical(":7007"), "127.0.0.1:7007");
  EXPECT_EQ(canonical("7007"), "127.0.0.1:7007");
  EXPECT_EQ(canonical("*:7007"), "0.0.0.0:7007");
  EXPECT_EQ(canonical("0"), "127.0.0.1:0");
  EXPECT_EQ(canonical("65535"), "127.0.0.1:65535");
  EXPECT_EQ(canonical("unix:/run/x.sock"), "unix:/run/x.sock");
  EXPECT_EQ(canonical("unix:@abstract"), "unix:@abstract");
}

TEST(Address, WritesIpv6AsRfc5952) {
  EXPECT_EQ(canonical("[2001:DB8:0:0:0:0:2:1]:1"), "[2001:db8::2:1]:1");
  EXPECT_EQ(canonical("[2001:db8:0:1:1:1:1:1]:1"), "[2001:db8:0:1:1:1:1:1]:1");  // one zero stays
  EXPECT_EQ(canonical("[2001:0:0:1:0:0:0:1]:1"), "[2001:0:0:1::1]:1");           // the longest run
  EXPECT_EQ(canonical("[2001:db8:0:0:1:0:0:1]:1"), "[2001:db8::1:0:0:1]:1");     // the first of two
  EXPECT_EQ(canonical("[::]:1"), "[::]:1");
  EXPECT_EQ(canonical("[1::]:1"), "[1::]:1");
  EXPECT_EQ(canonical("[0:0:0:0:0:0:0:1]:1"), "[::1]:1");
  EXPECT_EQ(canonical("[::ffff:c000:201]:1"), "[::ffff:192.0.2.1]:1");
  EXPECT_EQ(canonical("[1:2:3:4:5:6:0:0]:1"), "[1:2:3:4:5:6::]:1");
}

TEST(Address, RefusesWhatItCannotMean) {
  for (const std::string_view text : {"",
                                      ":",
                                      "localhost:80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:+1",
                                      "127.0.0.1: 1",
                                      "127.0.0.1:1 ",
                                      "1.2.3:4",
                                      "1.2.3.256:4",
                                      "01.2.3.4:5",
                                      "::1:7007",
                                      "[::1]",
                                      "[::1]7007",
                                      "[::1",
                                      "[::1]:",
                                      "[]:1",
                                      "[1.2.3.4]:1",
                                      "[::1%eth0]:1",
                                      "[::1%]:1",
                                      "[:::1]:1",
                                      "unix:",
                                      "unix:@",
                                      "99999999999999999999"}) {
    const Result<Address> address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().kind, ErrorKind::invalid_argument) << text;
  }
  EXPECT_NE(Address::parse("localhost:80").error().detail.find("resolve"), std::string::npos);
}

TEST(Address, BoundsUnixPaths) {
  EXPECT_TRUE(Address::parse("unix:" + std::string(107, 'a')));
  EXPECT_FALSE(Address::parse("unix:" + std::string(108, 'a')));
  EXPECT_FALSE(Address::parse(std::string("unix:/a\0b", 9)));
  EXPECT_FALSE(Address::parse(std::string("1.2.3.4\0:5", 10)));
}

TEST(Address, ChangesPortWhereThereIsOne) {
  EXPECT_EQ(Address::loopback(1).with_port(2), Address::loopback(2));
  EXPECT_EQ(Address::unix_path("/x").with_port(2), Address::unix_path("/x"));
  EXPECT_EQ(Address().with_port(2), Address());
  EXPECT_EQ(Address().text(), "");
  EXPECT_EQ(Address::unix_path("/x").host(), "/x");
}

RC_GTEST_PROP(AddressProperty, Ipv4TextReadsBack,
              (std::array<std::uint8_t, 4> o, std::uint16_t p)) {
  const Address address = Address::ipv4(o, p);
  RC_ASSERT(Address::parse(address.text()).value() == address);
}

RC_GTEST_PROP(AddressProperty, Ipv6TextReadsBack, (std::uint16_t p, std::uint32_t scope)) {
  // Mostly zero groups, so that runs of every length and place are met.
  const auto octets =
      *rc::gen::container<std::array<std::uint8_t, 16>>(rc::gen::weightedOneOf<std::uint8_t>(
          {{4, rc::gen::just<std::uint8_t>(0)}, {1, rc::gen::arbitrary<std::uint8_t>()}}));
  const Address address = Address::ipv6(octets, p, scope);
  RC_ASSERT(Address::parse(address.text()).value() == address);
}

RC_GTEST_PROP(AddressProperty, ArbitraryTextNeverReadsPastItself, (const std::string& tail)) {
  const std::string start = *rc::gen::elementOf(
      std::vector<std::string>{"", "[", "[::1]:", "1.2.3.4:", "unix:", "*:", "[fe80::1%", ":"});
  const std::string text = start + tail;
  const Result<Address> address = Address::parse(text);
  if (address) RC_ASSERT(Address::parse(address->text()).value() == address.value());
}

}  // namespace
}  // namespace hawser
