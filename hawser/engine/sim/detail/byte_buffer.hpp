// A queue of bytes in one contiguous piece: the socket buffers of the simulated kernel. Internal;
// one thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/check.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

namespace hawser::sim::detail {

class ByteBuffer {
 public:
  std::size_t size() const noexcept { return bytes_.size() - head_; }
  bool empty() const noexcept { return size() == 0; }
  /// All bytes, oldest first; valid until the next append or consume.
  BytesView view() const noexcept { return {bytes_.data() + head_, size()}; }

  void append(BytesView bytes) {
    // Move down only when that frees at least half, so that each byte moves a bounded number of
    // times.
    if (head_ > 0 && bytes_.size() + bytes.size() > bytes_.capacity() && head_ >= size()) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void consume(std::size_t count) noexcept {
    check(count <= size(), "sim: consumed more bytes than a buffer holds");
    head_ += count;
    if (head_ == bytes_.size()) {
      bytes_.clear();
      head_ = 0;
    }
  }
  /// Drops the newest bytes so that `count` are left.
  void truncate(std::size_t count) noexcept {
    check(count <= size(), "sim: a buffer cannot be truncated to more than it holds");
    bytes_.resize(head_ + count);
    if (count == 0) clear();
  }
  void clear() noexcept {
    bytes_.clear();
    head_ = 0;
  }

 private:
  std::vector<char> bytes_;
  std::size_t head_ = 0;
};

}  // namespace hawser::sim::detail
