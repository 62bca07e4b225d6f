// The log-linear buckets: values below 128 have one each; above, each power of two has 128.
#include <bench/load/histogram.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace hawser::bench {

namespace {
constexpr int sub_bits = 7;
constexpr std::size_t sub_buckets = std::size_t{1} << sub_bits;
}  // namespace

std::size_t Histogram::bucket_of(std::int64_t nanoseconds) noexcept {
  const auto value = static_cast<std::uint64_t>(std::clamp<std::int64_t>(nanoseconds, 0, longest));
  if (value < sub_buckets) return static_cast<std::size_t>(value);
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - sub_bits;
  return static_cast<std::size_t>(shift) * sub_buckets + static_cast<std::size_t>(value >> shift);
}

std::int64_t Histogram::bucket_end(std::size_t bucket) noexcept {
  if (bucket < 2 * sub_buckets) return static_cast<std::int64_t>(bucket);
  const std::size_t shift = bucket / sub_buckets - 1;
  const std::size_t within = bucket % sub_buckets + sub_buckets;
  return static_cast<std::int64_t>(((within + 1) << shift) - 1);
}

Histogram::Histogram() : buckets_(bucket_of(longest) + 1) {}

void Histogram::add(Duration value, std::uint64_t times) noexcept {
  const std::int64_t bounded = std::clamp<std::int64_t>(value.count(), 0, longest);
  buckets_[bucket_of(bounded)] += times;
  count_ += times;
  if (times != 0) max_ = std::max(max_, bounded);
  sum_ += static_cast<double>(bounded) * static_cast<double>(times);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

Duration Histogram::mean() const noexcept {
  if (count_ == 0) return Duration{0};
  return Duration{static_cast<std::int64_t>(sum_ / static_cast<double>(count_))};
}

Duration Histogram::percentile(double share) const noexcept {
  if (count_ == 0) return Duration{0};
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    below += buckets_[i];
    if (below >= rank) return Duration{std::min(bucket_end(i), max_)};
  }
  return max();
}

}  // namespace hawser::bench
