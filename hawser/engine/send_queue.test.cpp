// SendQueue against the plainest model, a string; and what memory it holds when.
#include <hawser/engine/send_queue.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <sys/uio.h>

#include <algorithm>
#include <string>
#include <vector>

namespace hawser {
namespace {

std::string gathered(const SendQueue& queue, std::size_t vectors) {
  std::vector<iovec> list(vectors);
  const std::size_t count = queue.gather(list);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out.append(static_cast<const char*>(list[i].iov_base), list[i].iov_len);
  }
  return out;
}

std::string pattern(std::size_t size, char seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>(seed + static_cast<char>(i * 7 % 101));
  }
  return text;
}

TEST(SendQueue, HoldsNoMemoryWhenEmpty) {
  SendPool pool;
  SendQueue queue(pool);
  EXPECT_EQ(pool.lent_bytes(), 0U);
  queue.append(BytesView("pong"));
  EXPECT_GT(pool.lent_bytes(), 0U);
  queue.consume(4);
  EXPECT_EQ(pool.lent_bytes(), 0U);
  queue.prepare(10);
  queue.commit(0);
  EXPECT_EQ(pool.lent_bytes(), 0U);
  queue.append(BytesView{});
  queue.append(Payload{});
  EXPECT_EQ(pool.lent_bytes(), 0U);
}

TEST(SendQueue, RunsSmallWritesTogether) {
  SendPool pool;
  SendQueue queue(pool);
  for (int i = 0; i < 50; ++i) queue.append(BytesView("abcd"));
  iovec vectors[8];
  ASSERT_EQ(queue.gather(vectors), 1U);
  EXPECT_EQ(vectors[0].iov_len, 200U);
}

TEST(SendQueue, Tcp_C_19_SendsLongPayloadsFromWhereTheyLie) {
  SendPool pool;
  SendQueue queue(pool);
  const Payload payload(pattern(SendQueue::reference_threshold, 'a'));
  const Payload brief(pattern(SendQueue::reference_threshold - 1, 'b'));
  queue.append(payload);
  queue.append(brief);
  EXPECT_EQ(payload.use_count(), 2U);
  EXPECT_EQ(brief.use_count(), 1U);
  iovec vectors[8];
  ASSERT_GE(queue.gather(vectors), 2U);
  EXPECT_EQ(vectors[0].iov_base, payload.view().data());
  queue.consume(payload.size());
  EXPECT_EQ(payload.use_count(), 1U);
}

TEST(SendQueue, KeepsGatheredBytesInPlaceWhileMoreComes) {
  SendPool pool;
  SendQueue queue(pool);
  queue.append(BytesView("first"));
  iovec vectors[4];
  ASSERT_EQ(queue.gather(vectors), 1U);
  for (int i = 0; i < 5000; ++i) queue.append(BytesView("more and more"));
  EXPECT_EQ(std::string(static_cast<const char*>(vectors[0].iov_base), vectors[0].iov_len),
            "first");
  EXPECT_EQ(gathered(queue, 1).substr(0, 5), "first");
}

TEST(SendQueue, RecyclesWithinTheBoundOfThePool) {
  SendPool pool(20'000);
  SendQueue queue(pool);
  for (int i = 0; i < 100; ++i) queue.append(BytesView(pattern(3000, 'x')));
  queue.clear();
  EXPECT_EQ(pool.lent_bytes(), 0U);
  EXPECT_GT(pool.idle_bytes(), 0U);
  EXPECT_LE(pool.idle_bytes(), 20'000U);
}

TEST(SendQueue, SplicesLongBytesWithoutCopyingThem) {
  SendPool pool;
  SendPool elsewhere;
  for (SendPool* of_source : {&pool, &elsewhere}) {
    SendQueue queue(pool);
    SendQueue source(*of_source);
    const Payload payload(pattern(5000, 'a'));
    queue.append(BytesView("head"));
    source.append(payload);
    source.append(BytesView("tail"));
    queue.splice(source);
    EXPECT_TRUE(source.empty());
    EXPECT_EQ(queue.size(), 5008U);
    iovec vectors[8];
    ASSERT_EQ(queue.gather(vectors), 3U);
    EXPECT_EQ(vectors[1].iov_base, payload.view().data());
    EXPECT_EQ(elsewhere.lent_bytes(), 0U);
    queue.consume(5007);
    EXPECT_EQ(payload.use_count(), 1U);
    EXPECT_EQ(gathered(queue, 8), "l");
    queue.clear();
    EXPECT_EQ(pool.lent_bytes(), 0U);
    source.append(BytesView("again"));
    EXPECT_EQ(gathered(source, 8), "again");
  }
}

TEST(SendQueue, SplicesShortBytesIntoTheRoomThereIs) {
  SendPool pool;
  SendQueue queue(pool);
  SendQueue source(pool);
  queue.append(BytesView("head"));
  source.append(BytesView("gone and tail"));
  source.consume(9);
  queue.splice(source);
  iovec vectors[4];
  ASSERT_EQ(queue.gather(vectors), 1U);
  EXPECT_EQ(gathered(queue, 4), "headtail");
  EXPECT_TRUE(source.empty());
  queue.splice(source);
  EXPECT_EQ(queue.size(), 8U);
}

RC_GTEST_PROP(SendQueueProperty, BehavesAsAString, ()) {
  SendPool pool(*rc::gen::element<std::size_t>(0, SendPool::default_kept_bytes));
  SendPool elsewhere;
  {
    SendQueue queue(pool);
    std::string model;
    char seed = 'A';
    const int steps = *rc::gen::inRange(1, 60);
    const auto some_size = rc::gen::oneOf(rc::gen::inRange<std::size_t>(0, 40),
                                          rc::gen::inRange<std::size_t>(300, 1500),
                                          rc::gen::inRange<std::size_t>(8000, 40'000));
    for (int step = 0; step < steps; ++step) {
      seed = static_cast<char>('A' + (seed - 'A' + 1) % 20);
      switch (*rc::gen::inRange(0, 7)) {
        case 0: {
          const std::string text = pattern(*some_size, seed);
          queue.append(BytesView(text));
          model += text;
          break;
        }
        case 1: {
          const std::string text = pattern(*some_size, seed);
          queue.append(Payload(text));
          model += text;
          break;
        }
        case 2: {
          const std::string text = pattern(*some_size, seed);
          const std::size_t used = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
          std::copy_n(text.data(), used, queue.prepare(text.size()));
          queue.commit(used);
          model.append(text, 0, used);
          break;
        }
        case 3: {
          const std::size_t count = *rc::gen::inRange<std::size_t>(0, model.size() + 1);
          queue.consume(count);
          model.erase(0, count);
          break;
        }
        case 4: {
          const SendQueue::Mark mark = queue.mark();
          const int appended = *rc::gen::inRange(0, 4);
          for (int i = 0; i < appended; ++i) {
            const std::string text = pattern(*some_size, 'z');
            if (i % 2 == 0)
              queue.append(BytesView(text));
            else
              queue.append(Payload(text));
          }
          queue.rollback(mark);
          break;
        }
        case 5: {
          const std::string front = gathered(queue, *rc::gen::inRange<std::size_t>(0, 4));
          RC_ASSERT(model.starts_with(front));
          break;
        }
        case 6: {
          SendQueue source(*rc::gen::arbitrary<bool>() ? pool : elsewhere);
          const std::string text = pattern(*some_size, seed);
          const std::string more = pattern(*some_size, 'y');
          source.append(Payload(text));
          source.append(BytesView(more));
          const std::size_t gone = *rc::gen::inRange<std::size_t>(0, source.size() + 1);
          source.consume(gone);
          queue.splice(source);
          model += (text + more).substr(gone);
          RC_ASSERT(source.empty());
          RC_ASSERT(elsewhere.lent_bytes() == 0U);
          break;
        }
      }
      RC_ASSERT(queue.size() == model.size());
      RC_ASSERT(queue.empty() == model.empty());
      RC_ASSERT(gathered(queue, 400) == model);
      RC_ASSERT((pool.lent_bytes() == 0) == model.empty());
    }
  }
  RC_ASSERT(pool.lent_bytes() == 0U);
}

}  // namespace
}  // namespace hawser
