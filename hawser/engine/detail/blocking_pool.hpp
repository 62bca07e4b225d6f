// Threads for work that blocks (name look-up, file work), and the way its end comes back to the
// engine that asked. Internal to the real engines. A BlockingPool is shared by every engine of an
// environment and thread-safe; a BlockingClient belongs to its engine's thread.
#pragma once

#include <hawser/engine/engine.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hawser::detail {

/// Starts a thread when work waits and none is free, up to its limit. The destructor drops what
/// waits and joins: a work that runs by then is waited for (a name look-up: some seconds at worst).
class BlockingPool {
 public:
  /// At least one thread is allowed, whatever `threads` says.
  explicit BlockingPool(unsigned threads);
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  ~BlockingPool();

  /// Threads started so far.
  unsigned started() const;

 private:
  friend class BlockingClient;
  /// What the pool's threads and one client share; outlives whichever goes first.
  struct Inbox {
    std::mutex mutex;
    std::function<void()> wake;             // empty once the client is gone
    std::vector<std::uint64_t> finished;    // numbers of the works that have run
    std::atomic<bool> has_finished{false};  // spares the client the lock when nothing is there
    void finish(std::uint64_t number);
  };
  struct Job {
    std::shared_ptr<Inbox> inbox;
    std::uint64_t number;
    std::move_only_function<void()> work;
  };
  void submit(Job job);
  /// Takes the waiting jobs of `inbox` out, for their destruction on the caller's thread.
  std::vector<Job> withdraw(const Inbox& inbox);
  void run_thread();

  const unsigned limit_;
  mutable std::mutex mutex_;
  std::condition_variable work_came_;
  std::deque<Job> waiting_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

/// One engine's side of the pool. `done`s never leave the engine's thread: only numbers cross.
class BlockingClient {
 public:
  /// `pool` must outlive it. `wake` is called on the pool's threads, until the destructor returns.
  BlockingClient(BlockingPool& pool, std::function<void()> wake);
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;
  /// Destroys waiting works and every `done` unrun; does not wait for a work that runs.
  ~BlockingClient();

  /// Runs `work` on a thread of the pool, then `done` in a later run_completed(). What `work`
  /// throws ends the program: an error is for `work` and `done` to pass between them.
  void run(std::move_only_function<void()> work, std::move_only_function<void()> done);
  /// Engine::resolve. An address literal is answered without the pool, also in run_completed().
  void resolve(std::string host, std::uint16_t port, Engine::ResolveDone done);

  /// Runs the `done`s of what has ended. Almost free when nothing has.
  void run_completed() {
    if (inbox_->has_finished.load(std::memory_order_acquire)) run_finished();
  }
  /// Works whose `done` has not run yet.
  std::size_t outstanding() const noexcept { return dones_.size(); }

 private:
  void run_finished();

  BlockingPool& pool_;
  std::shared_ptr<BlockingPool::Inbox> inbox_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::move_only_function<void()>> dones_;
};

}  // namespace hawser::detail
