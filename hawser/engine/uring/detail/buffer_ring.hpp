// The receive buffers of one engine: lent to the kernel in a ring that it takes from in turn, and
// given back as soon as a callback has seen the bytes. Internal to the uring engine; its thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/uring/detail/ring.hpp>
#include <hawser/engine/uring/uring_options.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace hawser::detail {

class BufferRing {
 public:
  static constexpr std::uint16_t group = 0;

  BufferRing() noexcept = default;
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  /// The ring that lends must be closed first.
  ~BufferRing();

  /// Registers with `ring`, which must outlive the use of the buffers.
  Result<void> open(Ring& ring, const UringOptions& options);

  const char* bytes(std::uint16_t id) const noexcept { return memory_ + stride_ * id; }
  /// The buffer may be filled again, from the next publish() on.
  void give_back(std::uint16_t id) noexcept;
  /// Lends one batch of buffers to the kernel with one store.
  void publish() noexcept;
  /// The kernel found no buffer: doubles the pool, up to its limit, in the next publish().
  void grow() noexcept;

  /// More buffers have been written to than the pool began with, so that clean() is of use.
  bool soiled() const noexcept { return count_ > initial_ && written_ > initial_; }
  /// Gives the memory of all buffers back to the system, which makes it anew as it is written to.
  /// Only while none of them holds bytes that nobody has seen.
  void clean() noexcept;
  /// Buffers that were given back since the last call.
  std::uint32_t take_used() noexcept { return std::exchange(used_, 0U); }

  /// Buffers in use by now.
  std::uint32_t count() const noexcept { return count_; }

 private:
  void lend(std::uint16_t id) noexcept;

  io_uring_buf* entries_ = nullptr;
  char* memory_ = nullptr;
  std::size_t stride_ = 0;
  std::uint32_t bytes_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t initial_ = 0;
  std::uint32_t written_ = 0;  // since clean()
  std::uint32_t used_ = 0;
  std::uint16_t tail_ = 0;
  std::uint16_t published_ = 0;
};

}  // namespace hawser::detail
