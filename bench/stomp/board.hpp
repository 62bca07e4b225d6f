// What the generator's processes share: counters that only grow, who waits for whom, and what went
// wrong. Public; shared memory between a process and its children.
#pragma once

#include <bench/load/sockets.hpp>
#include <hawser/base/result.hpp>

#include <sys/types.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hawser::bench {

struct Board {
  alignas(64) std::atomic<std::uint64_t> sent{0};       ///< by the producer, given to the kernel
  alignas(64) std::atomic<std::uint64_t> confirmed{0};  ///< receipts that the producer has
  alignas(64) std::atomic<std::uint64_t> delivered{0};  ///< by all subscribers together
  std::atomic<std::uint64_t> progress{0};  ///< messages that all who shall have them have
  alignas(64) std::atomic<std::uint64_t> awaited{0};  ///< progress that the producer sleeps for
  alignas(64) std::atomic<bool> subscribed{false};    ///< the consumers are there
  std::atomic<bool> stop{false};                      ///< the producer is to come to an end
  std::atomic<bool> produced{false};                  ///< and has; `sent` is the sum
  std::atomic<bool> sound{true};                      ///< nobody has complained yet
  std::array<char, 400> complaint{};                  ///< the first one

  /// Ends the run; only the first complaint is kept.
  void complain(std::string_view text) noexcept;
};

/// A Board in shared memory, with a descriptor by which a consumer wakes a producer.
class SharedBoard {
 public:
  static Result<SharedBoard> make();
  SharedBoard(SharedBoard&& other) noexcept;
  SharedBoard& operator=(SharedBoard&&) = delete;
  ~SharedBoard();
  Board& operator*() const noexcept { return *board_; }
  Board* operator->() const noexcept { return board_; }
  int wake() const noexcept { return wake_.get(); }

 private:
  SharedBoard() = default;
  Board* board_ = nullptr;
  Descriptor wake_{};
};

/// A child of this process that runs one function and ends; it dies with its parent's thread. The
/// parent must have no other thread that holds a lock.
class Worker {
 public:
  Worker() noexcept = default;
  static Result<Worker> start(const std::function<void()>& work);
  Worker(Worker&& other) noexcept;
  Worker& operator=(Worker&& other) noexcept;
  ~Worker();  ///< kills it if it still runs

  pid_t pid() const noexcept { return child_; }
  /// Readable when it has ended; poll it.
  int ended() const noexcept { return handle_.get(); }

 private:
  pid_t child_ = 0;
  Descriptor handle_{};
};

}  // namespace hawser::bench
