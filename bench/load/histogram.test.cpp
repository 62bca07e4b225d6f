// Buckets, percentiles and their error.
#include <bench/load/histogram.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hawser::bench {
namespace {

TEST(HistogramTest, AnEmptyOneAnswersZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(0.5), 0ns);
  EXPECT_EQ(histogram.max(), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.add(Duration{i});
  EXPECT_EQ(histogram.percentile(0.5), 50ns);
  EXPECT_EQ(histogram.percentile(0.9), 90ns);
  EXPECT_EQ(histogram.percentile(0.99), 99ns);
  EXPECT_EQ(histogram.percentile(0.0), 1ns);
  EXPECT_EQ(histogram.percentile(1.0), 100ns);
  EXPECT_EQ(histogram.max(), 100ns);
  EXPECT_EQ(histogram.mean(), 50ns);
}

TEST(HistogramTest, BucketsFollowOneAnotherWithoutAGap) {
  std::int64_t next = 0;
  for (std::size_t bucket = 0; next <= Histogram::longest; ++bucket) {
    ASSERT_EQ(Histogram::bucket_of(next), bucket);
    const std::int64_t end = Histogram::bucket_end(bucket);
    ASSERT_GE(end, next);
    ASSERT_EQ(Histogram::bucket_of(end), bucket);
    next = end + 1;
  }
}

TEST(HistogramTest, ValuesOutOfRangeCountAtTheEnds) {
  Histogram histogram;
  histogram.add(Duration{-5});
  histogram.add(Duration::max());
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile(0.5), 0ns);
  EXPECT_EQ(histogram.max(), Duration{Histogram::longest});
}

TEST(HistogramTest, AddingManyTimesIsAddingOften) {
  Histogram often;
  for (int i = 0; i < 7; ++i) often.add(3us);
  Histogram once;
  once.add(3us, 7);
  EXPECT_EQ(once.count(), often.count());
  EXPECT_EQ(once.percentile(0.5), often.percentile(0.5));
  once.add(1s, 0);
  EXPECT_EQ(once.max(), 3us);
}

TEST(HistogramTest, MergingKeepsAllCountsAndTheMaximum) {
  Histogram low;
  Histogram high;
  low.add(10ns, 90);
  high.add(1ms, 10);
  low.merge(high);
  EXPECT_EQ(low.count(), 100U);
  EXPECT_EQ(low.percentile(0.9), 10ns);
  EXPECT_EQ(low.percentile(0.91), 1ms);
  EXPECT_EQ(low.max(), 1ms);
}

RC_GTEST_PROP(HistogramTest, PercentilesAreRightToOnePercent, ()) {
  auto values = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 1LL << 38)));
  const double share = *rc::gen::inRange(0, 1001) / 1000.0;
  Histogram histogram;
  for (const auto value : values) histogram.add(Duration{value});
  std::ranges::sort(values);
  const auto wanted = std::ceil(share * static_cast<double>(values.size()));
  const auto rank = std::max<std::size_t>(static_cast<std::size_t>(wanted), 1);
  const std::int64_t exact = values[rank - 1];
  const std::int64_t answered = histogram.percentile(share).count();
  RC_ASSERT(answered >= exact);
  RC_ASSERT(answered - exact <= exact / 100 + 1);
}

}  // namespace
}  // namespace hawser::bench
