// The topic's promises: everybody gets everything, at their own pace, within their limit.
#include <hawser/bus/topic.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace hawser::bus {
namespace {

MessagePtr message(const std::string& body) {
  return std::make_shared<const Message>("/topic/t", Payload(body), Encoding::text, "",
                                         std::vector<Property>{});
}
SubscriptionId member(std::uint64_t number) { return {Pid{}, number}; }

struct Bench {
  TopicLimits limits;
  Topic topic{limits};
  std::map<std::uint64_t, std::string> got;
  std::vector<std::uint64_t> ended;
  explicit Bench(TopicLimits chosen = {}) : limits(chosen) {}
  void publish(const MessagePtr& what) {
    topic.publish(
        what,
        [this](SubscriptionId id, const MessagePtr& m) { got[id.number] += m->body().view(); },
        [this](SubscriptionId id) { ended.push_back(id.number); });
  }
  void grant(std::uint64_t number, std::uint32_t credit) {
    topic.grant(member(number), credit, [this](SubscriptionId id, const MessagePtr& m) {
      got[id.number] += m->body().view();
    });
  }
};

TEST(Topic, every_subscriber_gets_every_message_and_all_share_one_body) {
  Bench bench;
  bench.topic.subscribe(member(1), 10);
  bench.topic.subscribe(member(2), 10);
  const auto shared = message("a");
  std::vector<const Message*> seen;
  bench.topic.publish(
      shared, [&](SubscriptionId, const MessagePtr& m) { seen.push_back(m.get()); },
      [](SubscriptionId) {});
  EXPECT_EQ(seen, (std::vector<const Message*>{shared.get(), shared.get()}));
  EXPECT_EQ(shared->body().use_count(), 1U);
}

TEST(Topic, a_slow_one_keeps_its_order_and_slows_nobody) {
  Bench bench;
  bench.topic.subscribe(member(1), 1);
  bench.topic.subscribe(member(2), 10);
  for (const auto* body : {"a", "b", "c"}) bench.publish(message(body));
  EXPECT_EQ(bench.got[1], "a");
  EXPECT_EQ(bench.got[2], "abc");
  bench.grant(1, 1);
  EXPECT_EQ(bench.got[1], "ab");
  bench.publish(message("d"));
  EXPECT_EQ(bench.got[1], "ab") << "d must not overtake c";
  bench.grant(1, 5);
  EXPECT_EQ(bench.got[1], "abcd");
  EXPECT_EQ(bench.topic.waiting_bytes(), 0U);
}

TEST(Topic, the_limit_ends_the_slow_subscriber_by_default_and_it_alone) {
  Bench bench({.waiting_messages = 2});
  bench.topic.subscribe(member(1), 0);
  bench.topic.subscribe(member(2), 10);
  for (const auto* body : {"a", "b", "c", "d"}) bench.publish(message(body));
  EXPECT_EQ(bench.ended, std::vector<std::uint64_t>{1});
  EXPECT_EQ(bench.got[2], "abcd");
  EXPECT_EQ(bench.topic.subscribers(), 1U);
}

TEST(Topic, drop_oldest_and_drop_newest_count_what_they_drop) {
  for (const auto policy : {SlowSubscriber::drop_oldest, SlowSubscriber::drop_newest}) {
    Bench bench({.waiting_messages = 2, .slow = policy});
    bench.topic.subscribe(member(1), 0);
    for (const auto* body : {"a", "b", "c"}) bench.publish(message(body));
    bench.grant(1, 9);
    EXPECT_EQ(bench.got[1], policy == SlowSubscriber::drop_oldest ? "bc" : "ab");
    EXPECT_EQ(bench.topic.dropped(), 1U);
    EXPECT_TRUE(bench.ended.empty());
  }
}

TEST(Topic, the_byte_limit_holds_too) {
  Bench bench({.waiting_messages = 100, .waiting_bytes = 100, .slow = SlowSubscriber::drop_newest});
  bench.topic.subscribe(member(1), 0);
  bench.publish(message(std::string(60, 'x')));
  bench.publish(message(std::string(60, 'y')));
  EXPECT_EQ(bench.topic.dropped(), 1U);
  bench.publish(message(std::string(5000, 'z')));
  EXPECT_EQ(bench.topic.dropped(), 2U);
}

TEST(Message, a_rendition_is_made_once_and_shared) {
  const auto shared = message("a");
  int made = 0;
  const auto make = [&] { return std::string("made ") + std::to_string(++made); };
  EXPECT_EQ(shared->rendition(0, make).view(), "made 1");
  EXPECT_EQ(shared->rendition(0, make).view(), "made 1");
  EXPECT_EQ(shared->rendition(1, make).view(), "made 2");
}

}  // namespace
}  // namespace hawser::bus
