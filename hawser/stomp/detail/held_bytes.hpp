// The octets of a frame that arrives in pieces. Internal; belongs to one parser or one frame view.
// It is one pointer while empty, and grows with realloc, which for large blocks moves pages and not
// octets: a body of many megabytes is copied once, from the socket's buffer to here.
#pragma once

#include <hawser/base/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace hawser::stomp::detail {

class HeldBytes {
 public:
  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  BytesView view() const noexcept {
    return block_ == nullptr ? BytesView{} : BytesView{bytes(), block_->size};
  }

  /// Octets of memory held, for tests.
  std::size_t capacity() const noexcept { return block_ == nullptr ? 0 : block_->capacity; }

  /// Appends a copy. Memory at most doubles, and stops at `expected` while that is enough: what a
  /// peer announces never makes it grow, only what has arrived. Moves the octets: views end here.
  void append(BytesView more, std::size_t expected) {
    if (more.empty()) return;
    const std::size_t needed = size() + more.size();
    if (needed > capacity()) grow(needed, expected);
    std::memcpy(bytes() + block_->size, more.data(), more.size());
    block_->size = needed;
  }

  /// Gives the memory back.
  void clear() noexcept { block_.reset(); }

 private:
  struct Block {
    std::size_t size;
    std::size_t capacity;
  };
  struct Free {
    void operator()(Block* block) const noexcept { std::free(block); }
  };

  char* bytes() const noexcept { return reinterpret_cast<char*>(block_.get() + 1); }

  void grow(std::size_t needed, std::size_t expected) {
    std::size_t wanted = std::max({needed, capacity() * 2, std::size_t{112}});
    if (expected >= needed) wanted = std::min(wanted, std::max(expected, std::size_t{112}));
    const std::size_t held = size();
    auto* const block = static_cast<Block*>(std::realloc(block_.get(), sizeof(Block) + wanted));
    if (block == nullptr) throw std::bad_alloc();
    static_cast<void>(block_.release());  // realloc has freed or reused it
    block_.reset(block);
    block->size = held;
    block->capacity = wanted;
  }

  std::unique_ptr<Block, Free> block_;
};

}  // namespace hawser::stomp::detail
