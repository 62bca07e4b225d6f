// Views of bytes and immutable shared payloads: how bulk data is named everywhere above the kernel.
// Public. Views belong to nobody; a Payload may be handed to any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hawser {

/// Borrowed bytes. They compare with literals, slice with substr and never own anything: whoever
/// hands a view out says until when it holds.
using BytesView = std::string_view;

/// Owned bytes that may change.
using Bytes = std::string;

/// Immutable bytes shared by reference: copying a Payload counts, it never copies the bytes. That
/// is how one STOMP body reaches a thousand subscribers. Thread-safe in the way shared_ptr is: two
/// threads may hold copies, one object belongs to one thread.
class Payload {
 public:
  Payload() noexcept = default;

  /// Copies `bytes` once into a new shared block (header and bytes in one allocation).
  explicit Payload(BytesView bytes) : block_(bytes.empty() ? nullptr : Block::make(bytes)) {}

  Payload(const Payload& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Payload(Payload&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Payload& operator=(Payload other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Payload() {
    if (block_ != nullptr) Block::release(block_);
  }

  /// Holds as long as any Payload that shares the bytes.
  BytesView view() const noexcept {
    return block_ == nullptr ? BytesView{} : BytesView{block_->bytes(), block_->size};
  }
  std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  bool empty() const noexcept { return size() == 0; }

  /// How many Payloads share the bytes now; 0 when empty. For tests and the observer.
  std::uint32_t use_count() const noexcept {
    return block_ == nullptr ? 0 : block_->references.load(std::memory_order_relaxed);
  }

  friend bool operator==(const Payload& left, const Payload& right) noexcept {
    return left.view() == right.view();
  }

 private:
  struct Block {
    std::atomic<std::uint32_t> references{1};
    std::size_t size = 0;
    const char* bytes() const noexcept { return reinterpret_cast<const char*>(this + 1); }
    static Block* make(BytesView bytes);
    static void release(Block* block) noexcept;
  };
  Block* block_ = nullptr;
};

/// Without the spaces and tabs at both ends.
constexpr BytesView trimmed(BytesView text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == BytesView::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The bytes of either, for code that takes both.
inline BytesView view_of(BytesView bytes) noexcept { return bytes; }
inline BytesView view_of(const Payload& payload) noexcept { return payload.view(); }

}  // namespace hawser
