// The queue's segments and the pool they come from.
//
// Three sizes of segment. A queue starts with a small one: most sockets answer a few bytes a turn,
// and a thousand of them then touch a thousand short blocks at odd distances instead of a thousand
// pages that all fall on the same lines of the cache. A queue that grows goes on in large ones, and
// what is larger than those gets a block of its own.
#include <hawser/base/check.hpp>
#include <hawser/engine/send_queue.hpp>

#include <sys/uio.h>

#include <algorithm>
#include <new>
#include <utility>

namespace hawser {

namespace {
constexpr std::size_t class_bytes[2] = {512, 16384};
}

SendPool::~SendPool() { trim(0); }

void SendPool::trim(std::size_t kept_bytes) noexcept {
  // The long ones first: a few of them are most of what there is.
  for (const Class which : {large, small}) {
    Free*& list = free_[which];
    while (list != nullptr && idle_bytes_ > kept_bytes) {
      ::operator delete(std::exchange(list, list->next));
      idle_bytes_ -= class_bytes[which];
    }
  }
}

void* SendPool::take(Class which, std::size_t bytes) {
  if (which != single) {
    bytes = class_bytes[which];
    if (free_[which] != nullptr) {
      void* memory = std::exchange(free_[which], free_[which]->next);
      idle_bytes_ -= bytes;
      lent_bytes_ += bytes;
      return memory;
    }
  }
  void* memory = ::operator new(bytes);
  lent_bytes_ += bytes;
  return memory;
}

void SendPool::give(void* memory, Class which, std::size_t bytes) noexcept {
  lent_bytes_ -= bytes;
  if (which == single || idle_bytes_ + bytes > kept_bytes_) {
    ::operator delete(memory);
    return;
  }
  idle_bytes_ += bytes;
  free_[which] = ::new (memory) Free{free_[which]};
}

SendQueue::Segment* SendQueue::add_segment(SendPool::Class kind, std::size_t bytes) {
  if (kind != SendPool::single) bytes = class_bytes[kind];
  auto* segment = ::new (pool_->take(kind, bytes)) Segment;
  segment->kind = kind;
  segment->capacity = bytes - sizeof(Segment);
  (tail_ == nullptr ? head_ : tail_->next) = segment;
  tail_ = segment;
  return segment;
}

void SendQueue::add_chunk(std::size_t room) {
  const std::size_t bytes = room + sizeof(Segment);
  if (head_ == nullptr && bytes <= class_bytes[SendPool::small]) {
    add_segment(SendPool::small, bytes);
  } else if (bytes <= class_bytes[SendPool::large]) {
    add_segment(SendPool::large, bytes);
  } else {
    add_segment(SendPool::single, bytes);
  }
}

void SendQueue::append_slow(BytesView bytes) {
  if (bytes.empty()) return;
  // What still fits goes where it fits, so that a long series of writes leaves no holes.
  if (tail_ != nullptr) {
    const std::size_t fits = std::min(bytes.size(), tail_->capacity - tail_->end);
    std::memcpy(tail_->bytes() + tail_->end, bytes.data(), fits);
    tail_->end += fits;
    size_ += fits;
    bytes.remove_prefix(fits);
  }
  add_chunk(bytes.size());
  std::memcpy(tail_->bytes(), bytes.data(), bytes.size());
  tail_->end = bytes.size();
  size_ += bytes.size();
}

void SendQueue::append(const Payload& payload) {
  if (payload.size() < reference_threshold) {
    append(payload.view());
    return;
  }
  Segment* segment = add_segment(SendPool::small, 0);
  segment->payload = payload;
  size_ += payload.size();
}

void SendQueue::splice(SendQueue& from) {
  check(&from != this, "SendQueue::splice: a queue into itself");
  if (from.size_ < reference_threshold) {  // one more element of a write would cost more
    for (Segment* segment = from.head_; segment != nullptr; segment = segment->next) {
      append(segment->payload.view().substr(segment->payload_begin));
      append(BytesView(segment->bytes() + segment->begin, segment->end - segment->begin));
    }
    from.clear();
    return;
  }
  if (from.pool_ != pool_) {  // each pool counts what it gets back
    for (Segment* segment = from.head_; segment != nullptr; segment = segment->next) {
      const std::size_t bytes = segment->capacity + sizeof(Segment);
      from.pool_->lent_bytes_ -= bytes;
      pool_->lent_bytes_ += bytes;
    }
  }
  (tail_ == nullptr ? head_ : tail_->next) = from.head_;
  tail_ = from.tail_;
  size_ += from.size_;
  from.head_ = from.tail_ = nullptr;
  from.size_ = 0;
}

void SendQueue::free_segment(Segment* segment) noexcept {
  const SendPool::Class kind = segment->kind;
  const std::size_t bytes = segment->capacity + sizeof(Segment);
  segment->~Segment();
  pool_->give(segment, kind, bytes);
}

void SendQueue::free_from(Segment* segment) noexcept {
  while (segment != nullptr) free_segment(std::exchange(segment, segment->next));
}

void SendQueue::rollback(const Mark& mark) noexcept {
  check(mark.size <= size_, "SendQueue::rollback: bytes were consumed since the mark");
  if (mark.segment == nullptr || mark.size == 0) {
    clear();
    return;
  }
  // The mark names the segment that was last; it is still there, since nothing was consumed.
  auto* last = const_cast<Segment*>(static_cast<const Segment*>(mark.segment));
  free_from(std::exchange(last->next, nullptr));
  last->end = mark.tail;
  tail_ = last;
  size_ = mark.size;
}

std::size_t SendQueue::gather(std::span<iovec> vectors) const noexcept {
  std::size_t count = 0;
  for (Segment* segment = head_; segment != nullptr && count < vectors.size();
       segment = segment->next) {
    const BytesView rest = segment->payload.view().substr(segment->payload_begin);
    if (!rest.empty()) {
      vectors[count++] = {const_cast<char*>(rest.data()), rest.size()};  // only read by the kernel
    }
    if (segment->end > segment->begin && count < vectors.size()) {
      vectors[count++] = {segment->bytes() + segment->begin, segment->end - segment->begin};
    }
  }
  return count;
}

void SendQueue::consume(std::size_t count) noexcept {
  check(count <= size_, "SendQueue::consume: more than is queued");
  size_ -= count;
  if (size_ == 0) {
    clear();
    return;
  }
  while (true) {
    if (!head_->payload.empty()) {
      const std::size_t taken = std::min(count, head_->payload.size() - head_->payload_begin);
      head_->payload_begin += taken;
      count -= taken;
      if (head_->payload_begin != head_->payload.size()) break;
      head_->payload = Payload{};  // others may wait for the last reference to go
      head_->payload_begin = 0;
    }
    const std::size_t taken = std::min(count, head_->end - head_->begin);
    head_->begin += taken;
    count -= taken;
    if (head_->begin != head_->end) break;
    // Bytes are left, so an exhausted segment is not the last one.
    free_segment(std::exchange(head_, head_->next));
  }
}

void SendQueue::clear() noexcept {
  free_from(head_);
  head_ = nullptr;
  tail_ = nullptr;
  size_ = 0;
}

}  // namespace hawser
