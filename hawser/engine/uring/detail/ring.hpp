// One io_uring, set up the one way we use it: one thread submits and reaps, completions are made
// only while that thread is in the kernel, and submitting and waiting are one system call. Internal
// to the uring engine; made on any thread, then belongs to the one that called enable().
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/uring/uring_options.hpp>

#include <liburing.h>

#include <deque>

namespace hawser::detail {

class Ring {
 public:
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  /// Makes the ring, disabled. The error says what the kernel lacks or who forbids it.
  Result<void> open(const UringOptions& options);
  /// From now on the ring is the calling thread's.
  Result<void> enable();

  /// A zeroed entry to fill in. Never fails: a full queue is submitted, and when the kernel takes
  /// nothing the entry waits outside the queue for the next enter(), in order.
  io_uring_sqe* next();

  /// Whether everything that next() gave out has been taken by the kernel: then the memory that
  /// entries pointed to (messages, addresses) is free again (IORING_FEAT_SUBMIT_STABLE).
  bool all_submitted() const noexcept { return backlog_.empty() && unsubmitted() == 0; }
  /// Submits without waiting.
  void submit() noexcept;

  /// Submits and, with `wait`, sleeps until a completion is there or `limit` has passed. Makes no
  /// system call when there is nothing to submit, to wait for or to be done for the kernel.
  void enter(bool wait, Duration limit) noexcept;

  /// Whether the kernel keeps completions that found no place in the queue.
  bool overflown() const noexcept {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
  }

  /// Completions that are there now.
  unsigned ready() const noexcept { return io_uring_cq_ready(&ring_); }
  /// The `index`th of them.
  const io_uring_cqe& completion(unsigned index) const noexcept {
    return ring_.cq.cqes[(*ring_.cq.khead + index) & ring_.cq.ring_mask];
  }
  /// Gives the first `count` back to the kernel.
  void reaped(unsigned count) noexcept { io_uring_cq_advance(&ring_, count); }

  io_uring* native() noexcept { return &ring_; }

 private:
  unsigned unsubmitted() const noexcept {
    return ring_.sq.sqe_tail - io_uring_smp_load_acquire(ring_.sq.khead);
  }
  void publish() noexcept;
  int call(unsigned min_complete, unsigned flags, const __kernel_timespec* limit) noexcept;
  void fill_from_backlog();

  io_uring ring_{};
  std::deque<io_uring_sqe> backlog_;
  bool open_ = false;
  bool registered_ = false;
};

}  // namespace hawser::detail
