// The bytes that one socket still has to send: small writes run together in one chunk, payloads are
// kept by reference, and one gathered write takes as much as the kernel accepts. Public; belongs to
// its engine's thread.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

struct iovec;

namespace hawser {

/// Memory for send queues, recycled: an engine owns one and lends it to the queues of its sockets,
/// so that the steady path neither allocates nor keeps memory for sockets with nothing to send.
class SendPool {
 public:
  /// How much memory stays here when no queue needs it, in bytes. The rest goes back to the heap.
  static constexpr std::size_t default_kept_bytes = 4 << 20;

  explicit SendPool(std::size_t kept_bytes = default_kept_bytes) noexcept
      : kept_bytes_(kept_bytes) {}
  SendPool(const SendPool&) = delete;
  SendPool& operator=(const SendPool&) = delete;
  ~SendPool();

  /// Gives back to the heap what lies here unused beyond so many bytes.
  void trim(std::size_t kept_bytes) noexcept;

  /// Bytes that lie here unused.
  std::size_t idle_bytes() const noexcept { return idle_bytes_; }
  /// Bytes that queues hold now. The pool must outlive them.
  std::size_t lent_bytes() const noexcept { return lent_bytes_; }

 private:
  friend class SendQueue;
  struct Free {
    Free* next;
  };
  enum Class : std::uint8_t { small, large, single };
  void* take(Class which, std::size_t bytes);
  void give(void* memory, Class which, std::size_t bytes) noexcept;

  Free* free_[2] = {nullptr, nullptr};
  std::size_t kept_bytes_;
  std::size_t idle_bytes_ = 0;
  std::size_t lent_bytes_ = 0;
};

/// Appending never fails and never blocks: bounding it is the sender's business (see the
/// connection's high-water mark), for which size() is cheap. An empty queue holds no memory.
class SendQueue {
 public:
  /// A payload at least this long is sent from where it lies; a shorter one is copied, because one
  /// more element of a gathered write costs more than copying this much.
  static constexpr std::size_t reference_threshold = 1024;

  /// `pool` must outlive the queue.
  explicit SendQueue(SendPool& pool) noexcept : pool_(&pool) {}
  SendQueue(SendQueue&&) = delete;
  ~SendQueue() { clear(); }

  void append(BytesView bytes) {
    if (tail_ != nullptr && tail_->capacity - tail_->end >= bytes.size()) [[likely]] {
      if (bytes.empty()) return;
      std::memcpy(tail_->bytes() + tail_->end, bytes.data(), bytes.size());
      tail_->end += bytes.size();
      size_ += bytes.size();
      return;
    }
    append_slow(bytes);
  }
  void append(const Payload& payload);
  /// Moves everything from the front of `from` to the end of this queue and leaves `from` empty:
  /// segments change hands as they are, only what is short is copied. A mark of this queue stays
  /// valid, one of `from` does not.
  void splice(SendQueue& from);

  /// Room for `size` bytes to be written in place; commit() takes the first `used` of them.
  char* prepare(std::size_t size) {
    if (tail_ == nullptr || tail_->capacity - tail_->end < size) add_chunk(size);
    return tail_->bytes() + tail_->end;
  }
  void commit(std::size_t used) noexcept {
    tail_->end += used;
    size_ += used;
    if (size_ == 0) clear();
  }

  /// Bytes queued and not yet accepted by the kernel.
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// A place in the queue; rollback() takes back what was appended after it. Only valid until
  /// consume() is called, that is, within one callback.
  struct Mark {
    const void* segment = nullptr;
    std::size_t tail = 0;
    std::size_t size = 0;
  };
  Mark mark() const noexcept { return {tail_, tail_ == nullptr ? 0 : tail_->end, size_}; }
  void rollback(const Mark& mark) noexcept;

  /// Fills `vectors` with the front of the queue; answers how many were filled. The memory stays
  /// where it is until consume() has passed it, whatever is appended meanwhile.
  std::size_t gather(std::span<iovec> vectors) const noexcept;
  /// Drops `count` bytes from the front: the kernel has taken them.
  void consume(std::size_t count) noexcept;
  /// Gives every byte of memory back.
  void clear() noexcept;

 private:
  /// A payload by reference (often none), then bytes of our own, which follow this header. So a
  /// payload between two short writes, as a broker's messages are, costs one segment, not two.
  struct Segment {
    Segment* next = nullptr;
    Payload payload;
    std::size_t payload_begin = 0;  // first byte of the payload not yet sent
    std::size_t begin = 0;          // the same of our own bytes
    std::size_t end = 0;            // one past the last of them
    std::size_t capacity = 0;
    SendPool::Class kind = SendPool::small;

    char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
  };
  Segment* add_segment(SendPool::Class kind, std::size_t bytes);
  void add_chunk(std::size_t room);
  void append_slow(BytesView bytes);
  void free_segment(Segment* segment) noexcept;
  void free_from(Segment* segment) noexcept;

  Segment* head_ = nullptr;
  Segment* tail_ = nullptr;
  std::size_t size_ = 0;
  SendPool* pool_;
};

}  // namespace hawser
