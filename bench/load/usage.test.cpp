// What the kernel's accounts say, in text and for this very process.
#include <bench/load/usage.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

namespace hawser::bench {
namespace {

TEST(UsageTest, StatIsReadPastANameWithParentheses) {
  const auto usage = parse_stat("42 (a) S (b)) S 1 42 42 0 -1 4194304 95 0 0 0 12 34 0 0 20", 100);
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->user, 120ms);
  EXPECT_EQ(usage->system, 340ms);
  EXPECT_EQ(usage->total, 460ms);
}

TEST(UsageTest, StatOfAnotherFormIsRefused) {
  EXPECT_FALSE(parse_stat("", 100));
  EXPECT_FALSE(parse_stat("42 (a) S 1 42", 100));
  EXPECT_FALSE(parse_stat("42 (a) S 1 42 42 0 -1 4194304 95 0 0 0 twelve 34 0", 100));
}

TEST(UsageTest, RollupIsReadByWholeKeys) {
  const auto usage = parse_smaps_rollup(
      "00400000-7ffd000 ---p 00000000 00:00 0 [rollup]\n"
      "Rss:                1668 kB\nPss_Anon:            7 kB\n"
      "Private_Dirty:       120 kB\nAnonymous:           112 kB\nLazyFree: 0 kB\n");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->anonymous, 112U * 1024);
  EXPECT_EQ(usage->private_dirty, 120U * 1024);
  EXPECT_FALSE(parse_smaps_rollup("Rss: 1 kB\nAnonymous: 1 kB\n"));
}

TEST(UsageTest, CpuTimeOfAProcessGrowsWithItsWork) {
  const auto before = cpu_usage(getpid());
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_GT(before->total, 0ns);
  // Work until the account has moved; if it never does, the test's own time limit ends it.
  auto after = before;
  while (after && after->total - before->total < 1ms) after = cpu_usage(getpid());
  EXPECT_TRUE(after);
}

TEST(UsageTest, MemoryThatIsWrittenIsCounted) {
  const auto before = memory_usage(getpid());
  ASSERT_TRUE(before) << before.error().text();
  constexpr std::size_t size = 16 * 1024 * 1024;
  const auto block = std::make_unique_for_overwrite<char[]>(size);
  for (std::size_t at = 0; at < size; at += 1024) block[at] = static_cast<char>(at);
  const auto after = memory_usage(getpid());
  ASSERT_TRUE(after);
  EXPECT_GE(after->anonymous, before->anonymous + size * 9 / 10);
  EXPECT_LE(after->anonymous, before->anonymous + size * 2);
  EXPECT_GT(kernel_memory().value_or(0), 0U);
}

TEST(UsageTest, AProcessThatIsNotThereIsNotFound) {
  constexpr pid_t nobody = 0x7ffffffe;  // beyond what the kernel gives out
  EXPECT_EQ(cpu_usage(nobody).error().kind, ErrorKind::not_found);
  EXPECT_EQ(memory_usage(nobody).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hawser::bench
