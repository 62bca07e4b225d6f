// Negotiation (stomp.md 2.3).
#include <hawser/stomp/version.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

constexpr VersionSet all = VersionSet::all();

TEST(StompVersion, N_01_a_list_in_any_order) {
  EXPECT_EQ(parse_accept_version("1.0,1.1,1.2"), all);
  EXPECT_EQ(parse_accept_version(" 1.2 ,\t1.0"), (VersionSet{Version::v1_0, Version::v1_2}));
  EXPECT_EQ(parse_accept_version("1.3,,2.0,1.1,x"), (VersionSet{Version::v1_1}));
  EXPECT_TRUE(parse_accept_version("").empty());
  EXPECT_TRUE(parse_accept_version("1.10,11,1.").empty());
}

TEST(StompVersion, N_01_missing_means_1_0) {
  EXPECT_EQ(parse_accept_version(std::nullopt), (VersionSet{Version::v1_0}));
  EXPECT_EQ(negotiate(std::nullopt, all), Version::v1_0);
}

TEST(StompVersion, N_02_highest_common) {
  EXPECT_EQ(negotiate("1.2,1.0,1.1", all), Version::v1_2);
  EXPECT_EQ(negotiate("1.0,1.1", all), Version::v1_1);
  EXPECT_EQ(negotiate("1.0,1.2", {Version::v1_0, Version::v1_1}), Version::v1_0);
}

TEST(StompVersion, N_03_connected_without_version_is_1_0) {
  EXPECT_EQ(agreed_version(std::nullopt, all), Version::v1_0);
  EXPECT_FALSE(agreed_version(std::nullopt, {Version::v1_2}));
}

TEST(StompVersion, N_04_none_in_common) {
  const auto result = negotiate("1.3", {Version::v1_1, Version::v1_2});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(result.error().detail,
            "no common version: the client accepts \"1.3\", the server speaks 1.1,1.2");
  EXPECT_FALSE(negotiate(std::nullopt, {Version::v1_2}));
  EXPECT_EQ(all.to_list(), "1.0,1.1,1.2");
}

TEST(StompVersion, N_05_a_version_that_was_not_offered) {
  EXPECT_EQ(agreed_version("1.1", all), Version::v1_1);
  EXPECT_EQ(agreed_version("1.1", {Version::v1_2}).error().kind, ErrorKind::protocol_error);
  EXPECT_EQ(agreed_version("1.3", all).error().kind, ErrorKind::protocol_error);
  EXPECT_EQ(agreed_version("", all).error().kind, ErrorKind::protocol_error);
}

TEST(StompVersion, W_01_subprotocols) {
  for (Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
    EXPECT_EQ(find_subprotocol(subprotocol(version)), version);
    EXPECT_EQ(find_version(to_string(version)), version);
  }
  EXPECT_EQ(find_subprotocol("v12.stomp"), Version::v1_2);
  EXPECT_FALSE(find_subprotocol("V12.stomp"));
}

}  // namespace
}  // namespace hawser::stomp
