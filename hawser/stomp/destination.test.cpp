// Destinations and the rules about them.
#include <hawser/stomp/destination.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

using Kind = DestinationView::Kind;

TEST(StompDestination, every_kind_is_told_by_its_prefix) {
  const auto kind_of = [](BytesView text) { return parse_destination(text)->kind; };
  EXPECT_EQ(kind_of("/queue/a"), Kind::queue);
  EXPECT_EQ(kind_of("/topic/a"), Kind::topic);
  EXPECT_EQ(kind_of("/temp-queue/a"), Kind::temp_queue);
  EXPECT_EQ(kind_of("/reply-queue/a"), Kind::reply_queue);
  EXPECT_EQ(kind_of("/dlq/a"), Kind::dead_letters);
  EXPECT_EQ(parse_destination("/queue/a/b.c")->name, "a/b.c");
}

TEST(StompDestination, what_is_none_is_refused_with_what_there_is) {
  for (const char* bad : {"", "a", "/queue", "/queue/", "queue/a", "/exchange/a", "/Topic/a"}) {
    const auto parsed = parse_destination(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().detail.find("/queue/NAME"), std::string::npos);
  }
}

TEST(StompDestination, wildcards_are_whole_words) {
  for (const char* wild : {"*", ">", "#", "a.*", "*.a", "a.*.b", "a/>", "a.#"})
    EXPECT_TRUE(has_wildcards(wild)) << wild;
  for (const char* plain : {"a", "a*", "a.b*.c", "c#", ">>", "a.b", ""})
    EXPECT_FALSE(has_wildcards(plain)) << plain;
}

TEST(StompDestination, a_composite_one_is_parted_at_commas) {
  EXPECT_EQ(split_composite("/queue/a"), (std::vector<BytesView>{"/queue/a"}));
  EXPECT_EQ(split_composite("/queue/a,/topic/b"), (std::vector<BytesView>{"/queue/a", "/topic/b"}));
  EXPECT_EQ(split_composite("a,,b").size(), 3U);
}

TEST(StompDestination, a_rule_covers_what_it_names_and_no_wider_wildcard) {
  struct Row {
    const char* rule;
    const char* destination;
    bool covered;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"/queue/a", "/queue/a", true},
           {"/queue/a", "/queue/ab", false},
           {"/queue/a", "/queue/a/b", false},
           {"/queue/a", "/topic/a", false},
           {"/queue/*", "/queue/a", true},
           {"/queue/*", "/queue/a.b", false},
           {"/queue/*.b", "/queue/a.b", true},
           {"/topic/>", "/topic/a", true},
           {"/topic/>", "/topic/a.b.c", true},
           {"/topic/#", "/topic/a/b", true},
           {"/topic/>", "/topic/>", true},
           {"/topic/>", "/topic/*.#", true},
           {"/topic/*", "/topic/*", true},
           {"/topic/*", "/topic/>", false},
           {"/topic/*.>", "/topic/>", false},
           {"/topic/a.>", "/topic/a", true},
           {"/topic/a.>", "/topic/ab", false},
           {"/topic/a.*.>", "/topic/a", false},
           {"/topic/a.>", "/topic/a.*", true},
           {"/topic/a.>", "/topic/*.b", false},
           {"/topic/a", "/topic/*", false},
           {"/topic/a.>.b", "/topic/a.b.b", false},
           {">", "/queue/anything", true},
           {"/>", "/queue/anything", true},
           {"", "/queue/a", false},
       })
    EXPECT_EQ(covers(row.rule, row.destination), row.covered)
        << row.rule << " and " << row.destination;
}

}  // namespace
}  // namespace hawser::stomp
