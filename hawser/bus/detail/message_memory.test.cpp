// What is taken is whole and nobody else's, whichever threads take and give.
#include <hawser/bus/detail/message_memory.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace hawser::bus::detail {
namespace {

using Held = std::vector<std::pair<unsigned char*, std::size_t>>;

Held take(std::size_t count, unsigned char mark) {
  Held held;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = 1 + (i * 37) % 1000;  // small, and too large for the pool
    auto* const memory = static_cast<unsigned char*>(take_message_memory(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignof(std::max_align_t), 0U);
    std::memset(memory, mark, size);
    held.emplace_back(memory, size);
  }
  return held;
}

void give(const Held& held, unsigned char mark) {
  for (const auto& [memory, size] : held) {
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(memory[i], mark);
    give_message_memory(memory, size);
  }
}

TEST(MessageMemory, blocks_in_use_do_not_overlap) {
  const Held first = take(3000, 1);
  const Held second = take(3000, 2);
  give(first, 1);
  const Held third = take(3000, 3);
  give(second, 2);
  give(third, 3);
}

TEST(MessageMemory, what_one_thread_gives_another_takes) {
  const Held before = take(20'000, 1);
  std::thread([&before] { give(before, 1); }).join();
  std::set<const void*> known;
  for (const auto& [memory, size] : before) known.insert(memory);
  const Held after = take(20'000, 2);
  give(after, 2);
  // And many of them at once.
  std::vector<std::thread> threads;
  for (unsigned char mark = 1; mark <= 4; ++mark)
    threads.emplace_back([mark] {
      for (int round = 0; round < 5; ++round) give(take(1000, mark), mark);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace hawser::bus::detail
