// A double-ended queue in one block that grows by doubling: what a shard keeps by the hundred
// thousand and moves a million times a second. Internal to the bus.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

namespace hawser::bus::detail {

/// T is cheap to make empty; an element taken out is left empty.
template <class T>
class Ring {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return slots_[(head_ + i) & mask_]; }
  const T& operator[](std::size_t i) const noexcept { return slots_[(head_ + i) & mask_]; }
  T& front() noexcept { return slots_[head_]; }
  T& back() noexcept { return (*this)[size_ - 1]; }

  void push_back(T&& value) {
    if (size_ == capacity_) grow();
    slots_[(head_ + size_) & mask_] = std::move(value);
    ++size_;
  }
  void push_front(T value) {
    if (size_ == capacity_) grow();
    head_ = (head_ - 1) & mask_;
    slots_[head_] = std::move(value);
    ++size_;
  }
  T pop_front() noexcept {
    T value = std::exchange(slots_[head_], T{});
    head_ = (head_ + 1) & mask_;
    if (--size_ == 0) emptied();
    return value;
  }
  /// Before the element that is now at `place`; moves the shorter side.
  void insert(std::size_t place, T value) {
    if (place <= size_ / 2) {
      push_front(std::move(value));
      for (std::size_t i = 0; i < place; ++i) std::swap((*this)[i], (*this)[i + 1]);
    } else {
      push_back(std::move(value));
      for (std::size_t i = size_ - 1; i > place; --i) std::swap((*this)[i], (*this)[i - 1]);
    }
  }
  /// Keeps those that `keep` says, in order.
  template <class Keep>
  void filter(Keep&& keep) {
    std::size_t kept_count = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (keep((*this)[i])) {
        if (i != kept_count) (*this)[kept_count] = std::exchange((*this)[i], T{});
        ++kept_count;
      } else {
        (*this)[i] = T{};
      }
    size_ = kept_count;
  }
  void clear() noexcept {
    slots_.reset();
    capacity_ = mask_ = head_ = size_ = 0;
  }

 private:
  static constexpr std::size_t kept = 1024;  // an empty one does not keep more than this
  /// It begins at its first slot again, which the cache still has: walked round and round, a large
  /// block is always cold.
  void emptied() noexcept {
    head_ = 0;
    if (capacity_ > kept) clear();
  }
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
    auto slots = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    mask_ = capacity - 1;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::size_t capacity_ = 0;
  std::size_t mask_ = 0;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace hawser::bus::detail
