// Programs that are killed while they write: whatever they had confirmed is there, and of the write
// that the kill met all or nothing. HAWSER_KILLS says how often.
#include <hawser/bus/sqlite_store.hpp>

#include <hawser/base/random.hpp>
#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/bus/testing/store_contents.hpp>
#include <hawser/bus/testing/temporary_folder.hpp>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus {
namespace {

using namespace testing;

constexpr SqliteStoreOptions small_files{.log_bytes = 400'000, .free_bytes = 200'000};

/// The writes of a program with that seed: each the same for whoever draws it.
class Writes {
 public:
  /// Goes on where a program ended whose store has `queues` queues up to `last_id`.
  Writes(std::uint64_t seed, std::uint64_t first_sequence) : random_(seed), next_(first_sequence) {}

  StoreBatch next(std::deque<std::pair<std::uint64_t, std::uint64_t>>& kept) {
    StoreBatch batch;
    for (std::uint64_t count = 1 + random_.below(30); count > 0; --count) {
      if (random_.below(5) < 3 || kept.size() < 20) {
        const std::uint64_t queue = 1 + random_.below(3);
        const std::size_t size = random_.below(50) == 0 ? 270'000 : random_.below(400);
        Bytes body(size, static_cast<char>(next_));
        MessageDraft draft{.destination = "/queue/jobs"};
        draft.body = body;
        draft.persistent = true;
        batch.changes.push_back(add_change(queue, ++next_, Message::make(draft)));
        kept.emplace_back(queue, next_);
      } else {
        const std::size_t place = random_.below(kept.size());
        batch.changes.push_back(settle_change(kept[place].first, kept[place].second));
        kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(place));
      }
    }
    return batch;
  }

 private:
  Random random_;
  std::uint64_t next_;
};

std::deque<std::pair<std::uint64_t, std::uint64_t>> kept_in(const Recovered& recovered) {
  std::deque<std::pair<std::uint64_t, std::uint64_t>> kept;
  for (const RecoveredQueue& queue : recovered.queues)
    for (const RecoveredMessage& message : queue.messages)
      kept.emplace_back(queue.definition.id, message.sequence);
  return kept;
}

/// Writes for ever, a byte into `confirmed` after each.
[[noreturn]] void write_until_killed(const std::string& folder, std::uint64_t seed,
                                     std::uint64_t first_sequence, int confirmed) {
  auto store = SqliteStore::open(folder, small_files);
  if (!store) ::_exit(1);
  const auto recovered = (*store)->load(any_destination);
  if (!recovered) ::_exit(2);
  auto kept = kept_in(*recovered);
  Writes writes(seed, first_sequence);
  for (;;) {
    const StoreBatch batch = writes.next(kept);
    if (!(*store)->write({&batch, 1})) ::_exit(3);
    if (::write(confirmed, "+", 1) != 1) ::_exit(4);
  }
}

std::uint64_t kills() {
  const char* const wanted = std::getenv("HAWSER_KILLS");
  return wanted == nullptr ? 10 : std::strtoull(wanted, nullptr, 10);
}

TEST(SqliteStoreKill, what_was_confirmed_is_there_after_a_kill_at_any_moment) {
  const TemporaryFolder folder;
  SimulatedStore model;
  const StoreBatch declared{{declare_change(stored_queue(1, "a")),
                             declare_change(stored_queue(2, "b")),
                             declare_change(stored_queue(3, "c"))}};
  {
    auto store = SqliteStore::open(folder.path(), small_files);
    ASSERT_TRUE(store.has_value()) << store.error().text();
    ASSERT_TRUE((*store)->write({&declared, 1}).has_value());
    ASSERT_TRUE(model.write({&declared, 1}).has_value());
  }
  Random random(4);
  std::uint64_t lost_unconfirmed = 0;
  std::uint64_t kept_unconfirmed = 0;
  for (std::uint64_t kill = 1; kill <= kills(); ++kill) {
    const std::uint64_t first_sequence = kill * 1'000'000;
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      write_until_killed(folder.path(), kill, first_sequence, pipe[1]);
    }
    ::close(pipe[1]);
    // Killed after some confirmations and a moment more, so that it meets every part of a write.
    char byte = 0;
    std::uint64_t confirmed = 0;
    const std::uint64_t enough = 1 + random.below(60);
    while (confirmed < enough && ::read(pipe[0], &byte, 1) == 1) ++confirmed;
    for (std::uint64_t spin = random.below(400'000); spin > 0; --spin) (void)random.next();
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &byte, 1) == 1) ++confirmed;
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the program ended by itself: " << WEXITSTATUS(status);

    auto kept = kept_in(*model.load(any_destination));
    Writes writes(kill, first_sequence);
    for (std::uint64_t i = 0; i < confirmed; ++i) {
      const StoreBatch batch = writes.next(kept);
      ASSERT_TRUE(model.write({&batch, 1}).has_value());
    }
    auto store = SqliteStore::open(folder.path(), small_files);
    ASSERT_TRUE(store.has_value()) << store.error().text();
    const auto recovered = (*store)->load(any_destination);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().text();
    const std::string there = testing::describe(*recovered);
    if (there == testing::describe(*model.load(any_destination))) {
      ++lost_unconfirmed;
      continue;
    }
    const StoreBatch last = writes.next(kept);
    ASSERT_TRUE(model.write({&last, 1}).has_value());
    ASSERT_EQ(there, testing::describe(*model.load(any_destination))) << "kill " << kill;
    ++kept_unconfirmed;
  }
  RecordProperty("lost_unconfirmed", std::to_string(lost_unconfirmed));
  RecordProperty("kept_unconfirmed", std::to_string(kept_unconfirmed));
  EXPECT_GT(lost_unconfirmed, 0U) << "no kill met a write before its end";
}

}  // namespace
}  // namespace hawser::bus
