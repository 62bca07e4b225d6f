// The ring's memory. Both parts are mapped, not allocated: pages of buffers that were never lent
// are never there, and the kernel keeps hold of the ring's own pages for as long as it needs them.
#include <hawser/base/check.hpp>
#include <hawser/engine/uring/detail/buffer_ring.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace hawser::detail {

namespace {
void* map(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}
}  // namespace

BufferRing::~BufferRing() {
  if (memory_ != nullptr) ::munmap(memory_, stride_ * capacity_);
  if (entries_ != nullptr) ::munmap(entries_, sizeof(io_uring_buf) * capacity_);
}

Result<void> BufferRing::open(Ring& ring, const UringOptions& options) {
  check(entries_ == nullptr, "BufferRing::open called twice");
  capacity_ = std::bit_ceil(std::clamp<std::uint32_t>(options.max_buffers, 8, 32768));
  bytes_ = std::max<std::uint32_t>(options.buffer_bytes, 64);
  // Not a power of two apart: the first lines of all buffers, which short packets live in, would
  // then fall on the same few sets of the cache and push each other out.
  stride_ = (bytes_ + 63) / 64 * 64;
  if (stride_ / 64 % 2 == 0) stride_ += 64;

  entries_ = static_cast<io_uring_buf*>(map(sizeof(io_uring_buf) * capacity_));
  memory_ = static_cast<char*>(map(stride_ * capacity_));
  if (entries_ == nullptr || memory_ == nullptr) {
    return std::unexpected(system_error(ENOMEM, "io_uring", "mapping the receive buffers"));
  }
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_);
  registration.ring_entries = capacity_;
  registration.bgid = group;
  if (const int done = io_uring_register_buf_ring(ring.native(), &registration, 0); done < 0) {
    return std::unexpected(
        system_error(-done, "io_uring", "this kernel takes no ring of buffers (5.19 has it)"));
  }
  count_ = initial_ = std::clamp<std::uint32_t>(options.initial_buffers, 1, capacity_);
  for (std::uint32_t id = 0; id < count_; ++id) lend(static_cast<std::uint16_t>(id));
  publish();
  return {};
}

void BufferRing::give_back(std::uint16_t id) noexcept {
  lend(id);
  ++used_;
  ++written_;
}

void BufferRing::clean() noexcept {
  ::madvise(memory_, stride_ * count_, MADV_DONTNEED);
  written_ = 0;
}

void BufferRing::lend(std::uint16_t id) noexcept {
  io_uring_buf& entry = entries_[tail_++ & (capacity_ - 1)];
  entry.addr = reinterpret_cast<std::uint64_t>(memory_ + stride_ * id);
  entry.len = bytes_;
  entry.bid = id;
  // Not entry.resv: that of the first entry is where the tail lies.
}

void BufferRing::publish() noexcept {
  if (published_ == tail_) return;
  published_ = tail_;
  io_uring_smp_store_release(&reinterpret_cast<io_uring_buf_ring*>(entries_)->tail, tail_);
}

void BufferRing::grow() noexcept {
  const std::uint32_t wanted = std::min(count_ * 2, capacity_);
  for (; count_ < wanted; ++count_) lend(static_cast<std::uint16_t>(count_));
}

}  // namespace hawser::detail
