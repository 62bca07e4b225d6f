// The blocking pool: works run off-thread, dones on the asking thread, threads on demand, and
// nothing runs for an engine that is gone.
#include <hawser/engine/detail/blocking_pool.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>

namespace hawser::detail {
namespace {

/// Stands for an engine that sleeps until it is woken.
class Sleeper {
 public:
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    condition_.notify_one();
  }
  void sleep() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return woken_; });
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
};

struct Fixture {
  explicit Fixture(BlockingPool& pool) : client(pool, [this] { sleeper.wake(); }) {}
  void finish_all() {
    while (client.outstanding() != 0) {
      sleeper.sleep();
      client.run_completed();
    }
  }
  Sleeper sleeper;
  BlockingClient client;
};

TEST(BlockingPool, RunsWorkElsewhereAndDoneHere) {
  BlockingPool pool(2);
  Fixture engine(pool);
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id worked, finished;
  engine.client.run([&] { worked = std::this_thread::get_id(); },
                    [&] { finished = std::this_thread::get_id(); });
  engine.finish_all();
  EXPECT_NE(worked, here);
  EXPECT_NE(worked, std::thread::id());
  EXPECT_EQ(finished, here);
}

TEST(BlockingPool, StartsThreadsOnlyOnDemandAndUpToItsLimit) {
  BlockingPool pool(3);
  EXPECT_EQ(pool.started(), 0U);
  Fixture engine(pool);
  std::latch all_run(3), release(1);
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    engine.client.run(
        [&, i] {
          if (i < 3) all_run.count_down();
          release.wait();
        },
        [&] { ++done; });
    if (i == 0) {
      EXPECT_EQ(pool.started(), 1U);
    }
  }
  all_run.wait();  // three at once: this would hang with fewer threads
  EXPECT_EQ(pool.started(), 3U);
  release.count_down();
  engine.finish_all();
  EXPECT_EQ(done, 10);
  EXPECT_EQ(pool.started(), 3U);
}

TEST(BlockingPool, ServesSeveralEngines) {
  BlockingPool pool(2);
  Fixture one(pool), two(pool);
  int first = 0, second = 0;
  for (int i = 0; i < 20; ++i) {
    one.client.run([] {}, [&] { ++first; });
    two.client.run([] {}, [&] { ++second; });
  }
  one.finish_all();
  EXPECT_EQ(first, 20);
  two.finish_all();
  EXPECT_EQ(second, 20);
}

TEST(BlockingPool, DropsWhatWaitsWhenTheEngineGoes) {
  BlockingPool pool(1);
  std::latch running(1), release(1), ended(1);
  bool ran_second = false, done = false;
  auto token = std::make_shared<int>(0);
  {
    Fixture engine(pool);
    engine.client.run(
        [&] {
          running.count_down();
          release.wait();
          ended.count_down();
        },
        [&, token] { done = true; });
    engine.client.run([&, token] { ran_second = true; }, [&, token] { done = true; });
    running.wait();
  }
  EXPECT_EQ(token.use_count(), 1);  // destroyed here, on the engine's thread
  release.count_down();
  ended.wait();
  Fixture other(pool);  // the pool lives on
  bool other_done = false;
  other.client.run([] {}, [&] { other_done = true; });
  other.finish_all();
  EXPECT_TRUE(other_done);
  EXPECT_FALSE(ran_second);
  EXPECT_FALSE(done);
}

TEST(BlockingPool, DoneMayAskAgain) {
  BlockingPool pool(1);
  Fixture engine(pool);
  int rounds = 0;
  std::function<void()> again = [&] {
    if (++rounds < 5) engine.client.run([] {}, [&] { again(); });
  };
  engine.client.run([] {}, [&] { again(); });
  engine.finish_all();
  EXPECT_EQ(rounds, 5);
}

TEST(BlockingPool, PoolMayGoWithWorkWaiting) {
  std::latch running(1), release(1);
  bool ran_second = false;
  auto pool = std::make_unique<BlockingPool>(1);
  {
    Fixture engine(*pool);
    engine.client.run(
        [&] {
          running.count_down();
          release.wait();
        },
        [] {});
    running.wait();
    release.count_down();
  }
  pool.reset();
  EXPECT_FALSE(ran_second);
}

TEST(BlockingPool, AnswersLiteralsWithoutAThreadButLater) {
  BlockingPool pool(1);
  Fixture engine(pool);
  std::vector<std::string> answers;
  for (const char* host : {"192.0.2.1", "2001:db8::1", "fe80::1%2"}) {
    engine.client.resolve(host, 7, [&](Result<std::vector<Address>> addresses) {
      ASSERT_TRUE(addresses);
      ASSERT_EQ(addresses->size(), 1U);
      answers.push_back(addresses->front().text());
    });
  }
  EXPECT_TRUE(answers.empty());
  engine.finish_all();
  EXPECT_EQ(answers, (std::vector<std::string>{"192.0.2.1:7", "[2001:db8::1]:7", "[fe80::1%2]:7"}));
  EXPECT_EQ(pool.started(), 0U);
}

TEST(BlockingPool, LooksNamesUp) {
  BlockingPool pool(1);
  Fixture engine(pool);
  Result<std::vector<Address>> answer;
  engine.client.resolve("localhost", 61613,
                        [&](Result<std::vector<Address>> addresses) { answer = addresses; });
  engine.finish_all();
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_FALSE(answer->empty());
  for (const Address& address : *answer) EXPECT_EQ(address.port(), 61613);
  EXPECT_EQ(pool.started(), 1U);
}

}  // namespace
}  // namespace hawser::detail
