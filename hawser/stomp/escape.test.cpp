// Escapes both ways in each version (stomp.md 1.2, S-30).
#include <hawser/stomp/escape.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace hawser::stomp {
namespace {

TEST(StompEscape, P_11_P_12_P_13_both_versions) {
  for (Version version : {Version::v1_1, Version::v1_2}) {
    EXPECT_EQ(escape("a\\b:c\nd", version), "a\\\\b\\cc\\nd");
    EXPECT_EQ(unescape("a\\\\b\\cc\\nd", version), "a\\b:c\nd");
  }
}

TEST(StompEscape, P_14_cr_only_in_1_2) {
  EXPECT_EQ(escape("\r", Version::v1_2), "\\r");
  EXPECT_EQ(unescape("\\r", Version::v1_2), "\r");
  EXPECT_EQ(escape("\r", Version::v1_1).error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(unescape("\\r", Version::v1_1).error().text(),
            "unescape: undefined escape \"\\r\" in STOMP 1.1");
}

TEST(StompEscape, P_15_undefined_escapes) {
  EXPECT_EQ(unescape("a\\tb", Version::v1_2).error().kind, ErrorKind::protocol_error);
  EXPECT_EQ(unescape("a\\", Version::v1_2).error().kind, ErrorKind::protocol_error);
  EXPECT_EQ(unescape("a\\t\\\\\\c\\", Version::v1_2, UndefinedEscape::pass), "a\\t\\:\\");
  EXPECT_EQ(find_undefined_escape("\\\\\\c\\n\\r", Version::v1_2), BytesView::npos);
  EXPECT_EQ(find_undefined_escape("\\\\\\c\\n\\r", Version::v1_1), 6U);
}

TEST(StompEscape, P_15_1_0_has_none) {
  EXPECT_EQ(unescape("\\c\\t\\", Version::v1_0), "\\c\\t\\");
  EXPECT_EQ(escape(":\\", Version::v1_0), ":\\");
  EXPECT_FALSE(escape("\n", Version::v1_0));
}

TEST(StompEscape, one_scan_from_left_to_right) {
  EXPECT_EQ(unescape("\\\\n", Version::v1_2), "\\n");
  EXPECT_EQ(unescape("\\\\\\n", Version::v1_2), "\\\n");
  EXPECT_EQ(unescape("\\\\c\\c", Version::v1_2), "\\c:");
}

TEST(StompEscape, nul_can_never_be_sent) {
  for (Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
    EXPECT_EQ(find_unsendable(BytesView("a\0", 2), version), 1U);
  }
}

TEST(StompEscape, P_19_padding) {
  EXPECT_EQ(trim_padding(" \t v "), "v ");
  EXPECT_EQ(trim_padding("  "), "");
}

RC_GTEST_PROP(StompEscape, what_is_escaped_is_unescaped, (const Bytes& text)) {
  for (Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
    const auto there = escape(text, version);
    RC_ASSERT(there.has_value() == (find_unsendable(text, version) == BytesView::npos));
    if (!there) continue;
    RC_ASSERT(there->find('\n') == Bytes::npos);
    RC_ASSERT(version == Version::v1_0 || there->find(':') == Bytes::npos);
    RC_ASSERT(unescape(*there, version).value() == text);
  }
}

}  // namespace
}  // namespace hawser::stomp
