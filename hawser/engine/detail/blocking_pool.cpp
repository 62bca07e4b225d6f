// The pool's queue and threads, and the numbers that come back.
#include <hawser/engine/detail/blocking_pool.hpp>
#include <hawser/engine/detail/resolver.hpp>

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace hawser::detail {

BlockingPool::BlockingPool(unsigned threads) : limit_(std::max(threads, 1U)) {}

BlockingPool::~BlockingPool() {
  std::deque<Job> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  work_came_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

unsigned BlockingPool::started() const {
  const std::lock_guard lock(mutex_);
  return static_cast<unsigned>(threads_.size());
}

void BlockingPool::submit(Job job) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(job));
  if (waiting_.size() > idle_ && threads_.size() < limit_) {
    // Signals belong to the program's own threads: a handler must not run here.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] { run_thread(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  work_came_.notify_one();
}

std::vector<BlockingPool::Job> BlockingPool::withdraw(const Inbox& inbox) {
  const std::lock_guard lock(mutex_);
  std::vector<Job> taken;
  std::deque<Job> others;
  for (Job& job : waiting_) {
    if (job.inbox.get() == &inbox) {
      taken.push_back(std::move(job));
    } else {
      others.push_back(std::move(job));
    }
  }
  waiting_.swap(others);
  return taken;
}

void BlockingPool::run_thread() {
  pthread_setname_np(pthread_self(), "hawser/blocking");
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    work_came_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    [&]() noexcept { job.work(); }();
    job.work = nullptr;  // what it captured goes before `done` may run
    job.inbox->finish(job.number);
    job.inbox.reset();
    lock.lock();
  }
}

void BlockingPool::Inbox::finish(std::uint64_t number) {
  const std::lock_guard lock(mutex);
  if (!wake) return;
  finished.push_back(number);
  has_finished.store(true, std::memory_order_release);
  wake();  // under the lock, so that the engine cannot go meanwhile
}

BlockingClient::BlockingClient(BlockingPool& pool, std::function<void()> wake)
    : pool_(pool), inbox_(std::make_shared<BlockingPool::Inbox>()) {
  inbox_->wake = std::move(wake);
}

BlockingClient::~BlockingClient() {
  const std::vector<BlockingPool::Job> dropped = pool_.withdraw(*inbox_);
  const std::lock_guard lock(inbox_->mutex);
  inbox_->wake = nullptr;
}

void BlockingClient::run(std::move_only_function<void()> work,
                         std::move_only_function<void()> done) {
  const std::uint64_t number = next_++;
  dones_.emplace(number, std::move(done));
  pool_.submit({inbox_, number, std::move(work)});
}

void BlockingClient::resolve(std::string host, std::uint16_t port, Engine::ResolveDone done) {
  if (std::optional<Address> literal = literal_address(host, port)) {
    const std::uint64_t number = next_++;
    dones_.emplace(number, [done = std::move(done), address = *std::move(literal)]() mutable {
      done(std::vector<Address>{std::move(address)});
    });
    inbox_->finish(number);
    return;
  }
  auto answer = std::make_shared<Result<std::vector<Address>>>();
  run([answer, host = std::move(host), port] { *answer = look_up(host, port); },
      [answer, done = std::move(done)]() mutable { done(std::move(*answer)); });
}

void BlockingClient::run_finished() {
  std::vector<std::uint64_t> finished;
  {
    const std::lock_guard lock(inbox_->mutex);
    finished.swap(inbox_->finished);
    inbox_->has_finished.store(false, std::memory_order_relaxed);
  }
  for (const std::uint64_t number : finished) {
    if (auto node = dones_.extract(number)) node.mapped()();
  }
}

}  // namespace hawser::detail
