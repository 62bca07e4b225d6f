// The order of attempts, for lists made up.
#include <hawser/net/detail/address_order.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::detail {
namespace {

Address four(std::uint8_t last) { return Address::ipv4({10, 0, 0, last}, 7); }
Address six(std::uint8_t last) {
  return Address::ipv6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}, 7);
}
using List = std::vector<Address>;

TEST(AddressOrder, families_take_turns_from_that_of_the_first) {
  EXPECT_EQ(interleaved({six(1), six(2), four(1), four(2)}, FirstFamily::as_looked_up),
            (List{six(1), four(1), six(2), four(2)}));
  EXPECT_EQ(interleaved({four(1), six(1), six(2), four(2)}, FirstFamily::as_looked_up),
            (List{four(1), six(1), four(2), six(2)}));
}

TEST(AddressOrder, a_setting_chooses_the_first_family) {
  const List found{six(1), six(2), four(1), four(2)};
  EXPECT_EQ(interleaved(found, FirstFamily::ipv4), (List{four(1), six(1), four(2), six(2)}));
  EXPECT_EQ(interleaved({four(1), six(1)}, FirstFamily::ipv6), (List{six(1), four(1)}));
}

TEST(AddressOrder, a_first_family_that_is_not_there_changes_nothing) {
  EXPECT_EQ(interleaved({four(2), four(1)}, FirstFamily::ipv6), (List{four(2), four(1)}));
}

TEST(AddressOrder, what_is_left_of_the_longer_family_comes_last_in_its_order) {
  EXPECT_EQ(interleaved({four(3), four(1), four(2), six(9)}, FirstFamily::as_looked_up),
            (List{four(3), six(9), four(1), four(2)}));
}

TEST(AddressOrder, an_address_that_is_there_twice_comes_once) {
  EXPECT_EQ(interleaved({four(1), four(1), six(1), four(2), six(1)}, FirstFamily::as_looked_up),
            (List{four(1), six(1), four(2)}));
}

TEST(AddressOrder, nothing_stays_nothing) {
  EXPECT_TRUE(interleaved({}, FirstFamily::ipv6).empty());
}

}  // namespace
}  // namespace hawser::detail
