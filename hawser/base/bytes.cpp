// The one allocation behind a Payload: the reference count and the bytes lie next to each other.
#include <hawser/base/bytes.hpp>

#include <cstring>
#include <new>

namespace hawser {

Payload::Block* Payload::Block::make(BytesView bytes) {
  void* memory = ::operator new(sizeof(Block) + bytes.size());
  auto* block = ::new (memory) Block;
  block->size = bytes.size();
  std::memcpy(static_cast<char*>(memory) + sizeof(Block), bytes.data(), bytes.size());
  return block;
}

void Payload::Block::release(Block* block) noexcept {
  if (block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block->~Block();
  ::operator delete(block);
}

}  // namespace hawser
