// A queue that holds no memory while it is empty: thousands of idle sessions have several each, and
// an empty std::deque takes half a kilobyte. Internal; one thread.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace hawser::stomp::detail {

template <class T>
class Fifo {
 public:
  bool empty() const noexcept { return head_ == items_.size(); }
  std::size_t size() const noexcept { return items_.size() - head_; }
  T& front() noexcept { return items_[head_]; }
  T& operator[](std::size_t index) noexcept { return items_[head_ + index]; }
  const T& operator[](std::size_t index) const noexcept { return items_[head_ + index]; }

  void push_back(T item) {
    // Half of it has been taken: make room at the front, at a cost that those have paid for.
    if (head_ != 0 && items_.size() == items_.capacity() && head_ >= items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    items_.push_back(std::move(item));
  }
  void pop_front() {
    items_[head_] = T{};
    if (++head_ == items_.size()) clear();
  }
  void clear() noexcept {
    head_ = 0;
    if (items_.capacity() * sizeof(T) > kept_bytes) {
      std::vector<T>().swap(items_);
    } else {
      items_.clear();
    }
  }
  /// Removes those for which `which` says so, and keeps the order of the others.
  template <class Which>
  void remove_if(Which&& which) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
    std::erase_if(items_, which);
  }

 private:
  static constexpr std::size_t kept_bytes = 4096;  // beyond it, memory is given back
  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace hawser::stomp::detail
