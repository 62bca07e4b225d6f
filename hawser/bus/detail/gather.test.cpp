// What of one write's changes is left for the disk.
#include <hawser/bus/detail/gather.hpp>

#include <hawser/bus/testing/store_contents.hpp>

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace hawser::bus::detail {
namespace {

using namespace testing;

MessagePtr message() { return Message::make({.destination = "/queue/jobs"}); }

TEST(Gather, cancels_messages_that_come_and_go_also_from_one_batch_to_the_next) {
  const std::array<StoreBatch, 2> batches{
      StoreBatch{{add_change(1, 1, message()), add_change(1, 2, message()), settle_change(1, 1)}},
      StoreBatch{{settle_change(1, 2), add_change(2, 1, message())}}};
  Gather gather;
  gather.collect(batches);
  EXPECT_EQ(gather.adds.size(), 3U);
  EXPECT_EQ(gather.cancelled, 2U);
  EXPECT_TRUE(gather.settled.empty());
  EXPECT_FALSE(gather.empty());
  gather.collect({});
  EXPECT_TRUE(gather.empty());
}

TEST(Gather, keeps_the_last_count_of_what_stays) {
  const std::array<StoreBatch, 1> batches{
      StoreBatch{{delivered_change(1, 5, 1), delivered_change(1, 4, 1), delivered_change(1, 5, 2),
                  delivered_change(1, 6, 7), settle_change(1, 6), add_change(1, 9, message(), 1),
                  delivered_change(1, 9, 3)}}};
  Gather gather;
  gather.collect(batches);
  ASSERT_EQ(gather.delivered.size(), 2U);
  EXPECT_EQ(gather.delivered[0].message, (Gather::Message{1, 4}));
  EXPECT_EQ(gather.delivered[0].deliveries, 1U);
  EXPECT_EQ(gather.delivered[1].message, (Gather::Message{1, 5}));
  EXPECT_EQ(gather.delivered[1].deliveries, 2U);
  EXPECT_EQ(gather.settled, (std::vector<Gather::Message>{{1, 6}}));
  EXPECT_EQ(gather.adds.at(0).deliveries, 3U);
}

TEST(Gather, leaves_out_what_belongs_to_a_queue_that_ends) {
  const std::array<StoreBatch, 2> batches{
      StoreBatch{{declare_change(stored_queue(3, "q")), add_change(3, 1, message()),
                  settle_change(3, 9), delivered_change(3, 8, 1), add_change(4, 1, message())}},
      StoreBatch{{remove_change(3)}}};
  Gather gather;
  gather.collect(batches);
  EXPECT_EQ(gather.definitions.size(), 2U);
  ASSERT_EQ(gather.adds.size(), 1U);
  EXPECT_EQ(gather.adds[0].change->queue, 4U);
  EXPECT_TRUE(gather.settled.empty());
  EXPECT_TRUE(gather.delivered.empty());
}

TEST(Gather, finds_its_messages_among_many) {
  StoreBatch batch;
  for (std::uint64_t i = 0; i < 50'000; ++i)
    batch.changes.push_back(add_change(i % 7, i, message()));
  for (std::uint64_t i = 0; i < 50'000; i += 2) batch.changes.push_back(settle_change(i % 7, i));
  batch.changes.push_back(settle_change(1, 0));  // sequence 0 is another queue's
  Gather gather;
  gather.collect({&batch, 1});
  EXPECT_EQ(gather.cancelled, 25'000U);
  EXPECT_EQ(gather.settled, (std::vector<Gather::Message>{{1, 0}}));
}

}  // namespace
}  // namespace hawser::bus::detail
