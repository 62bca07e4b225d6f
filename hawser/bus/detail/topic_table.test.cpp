// Patterns: what fits, and that the trie and the plain comparison agree.
#include <hawser/bus/detail/topic_table.hpp>

#include <hawser/base/random.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/detail/words.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace hawser::bus::detail {
namespace {

TEST(Topics, words_and_wildcards) {
  EXPECT_TRUE(matches("a.b", "a/b"));
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "a.b.c"));
  EXPECT_TRUE(matches("a.#", "a"));
  EXPECT_TRUE(matches("a/>", "a/b/c"));
  EXPECT_TRUE(matches("#", "x"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_FALSE(matches("a", "a.b"));
  EXPECT_FALSE(matches("a.b", "a"));
  EXPECT_TRUE(is_pattern("a.*"));
  EXPECT_FALSE(is_pattern("a.b*"));
}

TEST(Topics, the_trie_agrees_with_the_plain_comparison_while_patterns_come_and_go) {
  Random random(7);
  const auto name = [&random](bool pattern) {
    std::string text;
    const std::uint64_t words = 1 + random.below(4);
    for (std::uint64_t i = 0; i < words; ++i) {
      if (i > 0) text += random.below(2) == 0 ? '.' : '/';
      const std::uint64_t kind = pattern ? random.below(6) : 9;
      text += kind == 0                     ? "*"
              : kind == 1 && i + 1 == words ? (random.below(2) == 0 ? "#" : ">")
                                            : std::string(1, "abc"[random.below(3)]);
    }
    return text;
  };
  struct Kept {
    std::string pattern;
    TopicTarget target;
  };
  std::deque<Kept> kept;
  std::vector<Kept*> here;
  TopicTable table;
  std::vector<std::pair<std::string, Topic>> topics;
  for (int i = 0; i < 40; ++i) topics.emplace_back(name(false), Topic{});
  for (int step = 0; step < 2'000; ++step) {
    if (here.empty() || random.below(2) == 0) {
      kept.push_back({name(true), {}});
      table.add(kept.back().pattern, kept.back().target);
      here.push_back(&kept.back());
    } else {
      const std::size_t index = random.below(here.size());
      table.remove(here[index]->pattern, here[index]->target);
      here.erase(here.begin() + static_cast<std::ptrdiff_t>(index));
    }
    auto& [topic_name, topic] = topics[random.below(topics.size())];
    std::vector<const TopicTarget*> found;
    table.for_each(topic_name, topic, [&](TopicTarget& target) { found.push_back(&target); });
    std::vector<const TopicTarget*> wanted;
    for (const Kept* each : here)
      if (matches(each->pattern, topic_name)) wanted.push_back(&each->target);
    std::ranges::sort(found);
    std::ranges::sort(wanted);
    ASSERT_EQ(found, wanted) << topic_name << " at step " << step;
    ASSERT_EQ(table.patterns(), here.size());
  }
}

}  // namespace
}  // namespace hawser::bus::detail
