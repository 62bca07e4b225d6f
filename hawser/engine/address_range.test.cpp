// Ranges of addresses: what lies in them, and what is said of a text that is none.
#include <hawser/engine/address_range.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace hawser {
namespace {

Address at(std::string_view text) {
  const auto address = Address::parse(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(Address{});
}

AddressRange range(std::string_view text) {
  const auto parsed = AddressRange::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(AddressRange{});
}

TEST(AddressRange, contains_what_its_prefix_says) {
  struct Case {
    const char* range;
    const char* address;
    bool inside;
  };
  for (const Case& c : std::vector<Case>{{"10.0.0.0/8", "10.0.0.0:1", true},
                                         {"10.0.0.0/8", "10.255.255.255:65535", true},
                                         {"10.0.0.0/8", "11.0.0.0:1", false},
                                         {"10.0.0.0/8", "9.255.255.255:1", false},
                                         {"192.168.4.0/22", "192.168.7.255:1", true},
                                         {"192.168.4.0/22", "192.168.8.0:1", false},
                                         {"192.0.2.7", "192.0.2.7:99", true},
                                         {"192.0.2.7", "192.0.2.6:99", false},
                                         {"192.0.2.6/31", "192.0.2.7:1", true},
                                         {"0.0.0.0/0", "203.0.113.9:1", true},
                                         {"0.0.0.0/0", "[2001:db8::1]:1", false},
                                         {"fd00::/8", "[fdff::1]:1", true},
                                         {"fd00::/8", "[fe00::1]:1", false},
                                         {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
                                         {"2001:db8::/33", "[2001:db8:8000::1]:1", false},
                                         {"[::1]", "[::1]:5", true},
                                         {"::/0", "[2001:db8::1]:1", true},
                                         {"::/0", "10.0.0.1:1", false},
                                         {"::/0", "[::ffff:10.0.0.1]:1", false},
                                         {"10.0.0.0/8", "[::ffff:10.1.2.3]:1", true},
                                         {"10.0.0.0/8", "[::ffff:11.1.2.3]:1", false},
                                         {"::ffff:10.0.0.0/104", "10.1.2.3:1", true},
                                         {"*", "[2001:db8::1]:1", true},
                                         {"*", "unix:/run/x.sock", true},
                                         {"unix", "unix:@x", true},
                                         {"unix", "10.0.0.1:1", false},
                                         {"0.0.0.0/0", "unix:/run/x.sock", false}}) {
    EXPECT_EQ(range(c.range).contains(at(c.address)), c.inside) << c.range << " " << c.address;
  }
  EXPECT_TRUE(range("unix").contains(Address{})) << "an unnamed Unix peer";
  EXPECT_FALSE(range("0.0.0.0/0").contains(Address{}));
  EXPECT_FALSE(AddressRange{}.contains(at("10.0.0.1:1")));
}

TEST(AddressRange, every_prefix_length_ends_at_its_bit) {
  for (unsigned prefix = 1; prefix <= 32; ++prefix) {
    const AddressRange ones = AddressRange::of(at("255.255.255.255:0"), prefix);
    EXPECT_TRUE(ones.contains(at("255.255.255.255:1")));
    const std::uint32_t flipped = ~(std::uint32_t{1} << (32 - prefix));
    const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(flipped >> shift); };
    EXPECT_FALSE(ones.contains(Address::ipv4({octet(24), octet(16), octet(8), octet(0)}, 1)))
        << prefix;
  }
}

TEST(AddressRange, text_is_what_parse_reads) {
  for (const char* text : {"10.0.0.0/8", "192.0.2.7", "0.0.0.0/0", "fd00::/8", "::1", "::/0",
                           "2001:db8::/33", "unix", "*"}) {
    EXPECT_EQ(range(text).text(), text);
    EXPECT_EQ(range(range(text).text()), range(text));
  }
  EXPECT_EQ(range("[fd00::]/8").text(), "fd00::/8");
  EXPECT_EQ(AddressRange{}.text(), "");
}

TEST(AddressRange, says_what_is_wrong_with_a_text) {
  struct Case {
    const char* text;
    const char* word;
  };
  for (const Case& c : std::vector<Case>{{"", "is no range"},
                                         {"example.org", "is no range"},
                                         {"10.0.0/8", "is no range"},
                                         {"10.0.0.0:80", "is no range"},
                                         {"fe80::1%2", "is no range"},
                                         {"10.0.0.0/", "0 to 32"},
                                         {"10.0.0.0/33", "0 to 32"},
                                         {"10.0.0.0/-1", "0 to 32"},
                                         {"10.0.0.0/8x", "0 to 32"},
                                         {"fd00::/129", "0 to 128"},
                                         {"10.0.0.7/8", "write 10.0.0.0/8"},
                                         {"10.0.0.7/8", "10.0.0.7 for the one"},
                                         {"fd00::1/8", "write fd00::/8"}}) {
    const auto parsed = AddressRange::parse(c.text);
    ASSERT_FALSE(parsed) << c.text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(parsed.error().text().find(c.word), std::string::npos) << parsed.error().text();
    EXPECT_NE(parsed.error().text().find(c.text), std::string::npos) << parsed.error().text();
  }
}

TEST(AddressRange, a_list_contains_what_any_of_it_contains) {
  const std::vector<AddressRange> trusted = {range("10.0.0.0/8"), range("unix")};
  EXPECT_TRUE(contains(trusted, at("10.1.1.1:1")));
  EXPECT_TRUE(contains(trusted, Address{}));
  EXPECT_FALSE(contains(trusted, at("192.0.2.1:1")));
  EXPECT_FALSE(contains({}, at("192.0.2.1:1")));
}

}  // namespace
}  // namespace hawser
