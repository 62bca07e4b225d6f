// What a content type says about text (P-25).
#include <hawser/stomp/content_type.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

TEST(StompContentType, P_25_charset) {
  EXPECT_EQ(charset_of("text/plain"), "utf-8");
  EXPECT_EQ(charset_of("TEXT/html"), "utf-8");
  EXPECT_EQ(charset_of("text/plain;charset=latin1"), "latin1");
  EXPECT_EQ(charset_of("application/xml ; a=\"x;charset=no\"; Charset = \"utf-16\""), "utf-16");
  EXPECT_EQ(charset_of("application/json"), std::nullopt);
  EXPECT_EQ(charset_of("application/json;charset"), std::nullopt);
  EXPECT_EQ(charset_of("application/json;charset="), std::nullopt);
  EXPECT_EQ(charset_of(""), std::nullopt);
  EXPECT_EQ(charset_of("text"), std::nullopt);
  EXPECT_EQ(charset_of("a;b=\"open;charset=x"), std::nullopt);
}

TEST(StompContentType, P_25_writing) {
  EXPECT_EQ(with_charset("text/plain", "UTF-8"), "text/plain");
  EXPECT_EQ(with_charset("text/plain", "latin1"), "text/plain;charset=latin1");
  EXPECT_EQ(with_charset("application/json", "utf-8"), "application/json;charset=utf-8");
}

TEST(StompContentType, P_25_utf8_text) {
  EXPECT_TRUE(is_utf8_text("text/csv"));
  EXPECT_TRUE(is_utf8_text("application/json;charset=UTF-8"));
  EXPECT_FALSE(is_utf8_text("application/json"));
  EXPECT_FALSE(is_utf8_text("text/plain;charset=latin1"));
}

}  // namespace
}  // namespace hawser::stomp
