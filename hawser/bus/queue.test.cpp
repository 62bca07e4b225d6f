// The queue's promises, one by one, and against a model.
#include <hawser/bus/queue.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace hawser::bus {
namespace {

MessagePtr message(const std::string& body) {
  return std::make_shared<const Message>("/queue/q", Payload(body), Encoding::text, "",
                                         std::vector<Property>{});
}
SubscriptionId consumer(std::uint64_t number) { return {Pid{}, number}; }

struct Deliveries {
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  void operator()(SubscriptionId id, const MessagePtr& message) {
    seen.emplace_back(id.number, std::string(message->body().view()));
  }
};

TEST(Queue, keeps_messages_until_somebody_takes_them_in_order) {
  const QueueLimits limits;
  Queue queue(limits);
  EXPECT_EQ(queue.push(message("a")), Queue::Accepted::yes);
  EXPECT_EQ(queue.push(message("b")), Queue::Accepted::yes);
  Deliveries deliveries;
  queue.dispatch(deliveries);
  EXPECT_TRUE(deliveries.seen.empty());
  queue.subscribe(consumer(1), 10);
  queue.dispatch(deliveries);
  EXPECT_EQ(deliveries.seen,
            (std::vector<std::pair<std::uint64_t, std::string>>{{1, "a"}, {1, "b"}}));
  EXPECT_EQ(queue.waiting_bytes(), 0U);
}

TEST(Queue, consumers_take_turns_and_credit_is_respected) {
  const QueueLimits limits;
  Queue queue(limits);
  queue.subscribe(consumer(1), 2);
  queue.subscribe(consumer(2), 1);
  for (const auto* body : {"a", "b", "c", "d"}) queue.push(message(body));
  Deliveries deliveries;
  queue.dispatch(deliveries);
  EXPECT_EQ(deliveries.seen,
            (std::vector<std::pair<std::uint64_t, std::string>>{{1, "a"}, {2, "b"}, {1, "c"}}));
  queue.grant(consumer(2), 1);
  queue.dispatch(deliveries);
  EXPECT_EQ(deliveries.seen.back(), (std::pair<std::uint64_t, std::string>{2, "d"}));
}

TEST(Queue, a_full_queue_refuses_by_messages_and_by_bytes) {
  const QueueLimits limits{.messages = 2, .bytes = 1000};
  Queue queue(limits);
  EXPECT_EQ(queue.push(message("a")), Queue::Accepted::yes);
  EXPECT_EQ(queue.push(message(std::string(2000, 'x'))), Queue::Accepted::full);
  EXPECT_EQ(queue.push(message("b")), Queue::Accepted::yes);
  EXPECT_EQ(queue.push(message("c")), Queue::Accepted::full);
  EXPECT_EQ(queue.waiting(), 2U);
}

TEST(Queue, drop_oldest_makes_room_and_counts) {
  const QueueLimits limits{.messages = 2, .bytes = 1000, .overflow = QueueOverflow::drop_oldest};
  Queue queue(limits);
  for (const auto* body : {"a", "b", "c"})
    EXPECT_EQ(queue.push(message(body)), Queue::Accepted::yes);
  EXPECT_EQ(queue.dropped(), 1U);
  queue.subscribe(consumer(1), 9);
  Deliveries deliveries;
  queue.dispatch(deliveries);
  EXPECT_EQ(deliveries.seen.front().second, "b");
}

TEST(Queue, what_a_consumer_has_not_taken_goes_back_to_the_front) {
  const QueueLimits limits{.messages = 3, .bytes = 1000};
  Queue queue(limits);
  queue.subscribe(consumer(1), 5);
  Deliveries deliveries;
  for (const auto* body : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(queue.push(message(body)), Queue::Accepted::yes);
    queue.dispatch(deliveries);
  }
  queue.grant(consumer(1), 1);
  EXPECT_EQ(queue.push(message("f")), Queue::Accepted::yes);
  queue.dispatch(deliveries);
  EXPECT_EQ(queue.push(message("g")), Queue::Accepted::yes);
  EXPECT_TRUE(queue.unsubscribe(consumer(1), 2));  // and of b … f it has b and c
  EXPECT_EQ(queue.waiting(), 4U) << "the limit is for what is new";
  EXPECT_EQ(queue.push(message("h")), Queue::Accepted::full);
  queue.subscribe(consumer(2), 9);
  deliveries.seen.clear();
  queue.dispatch(deliveries);
  std::string bodies;
  for (const auto& [id, body] : deliveries.seen) bodies += body;
  EXPECT_EQ(bodies, "defg");
  EXPECT_EQ(queue.waiting_bytes(), 0U);
  EXPECT_TRUE(queue.forget(consumer(2)));
  EXPECT_TRUE(queue.idle()) << "what one has that vanished is not given out twice";
}

// Every message is delivered in its turn, never beyond a consumer's credit, and again only when its
// consumer left without having taken it.
TEST(Queue, agrees_with_a_model) {
  EXPECT_TRUE(rc::check("queue", [] {
    struct Member {
      std::uint32_t credit = 0;
      std::deque<std::string> under_way;
    };
    const QueueLimits limits{.messages = 20, .bytes = 1 << 20};
    Queue queue(limits);
    std::deque<std::string> waiting;
    std::map<std::uint64_t, Member> members;
    std::size_t pushed = 0;
    std::size_t gone = 0;  // taken, or lost with their consumer
    const auto deliver = [&](SubscriptionId id, const MessagePtr& message) {
      RC_ASSERT(members.contains(id.number));
      Member& member = members[id.number];
      RC_ASSERT(member.credit-- > 0U);
      RC_ASSERT(!waiting.empty());
      RC_ASSERT(message->body().view() == waiting.front());
      member.under_way.push_back(std::move(waiting.front()));
      waiting.pop_front();
    };
    int next = 0;
    const int steps = *rc::gen::inRange(0, 120);
    for (int step = 0; step < steps; ++step) {
      const auto number = static_cast<std::uint64_t>(*rc::gen::inRange(1, 5));
      const auto member = members.find(number);
      switch (*rc::gen::inRange(0, 6)) {
        case 0:
        case 1: {
          const auto body = std::to_string(next++);
          const bool full = waiting.size() >= 20;
          RC_ASSERT((queue.push(message(body)) == Queue::Accepted::full) == full);
          if (full) break;
          waiting.push_back(body);
          ++pushed;
          break;
        }
        case 2:
          if (member == members.end()) {
            members[number].credit = static_cast<std::uint32_t>(*rc::gen::inRange(0, 4));
            queue.subscribe(consumer(number), members[number].credit);
          }
          break;
        case 3: {
          const std::size_t held = member == members.end() ? 0 : member->second.under_way.size();
          const auto taken = *rc::gen::inRange<std::size_t>(0, held + 1);
          RC_ASSERT(queue.unsubscribe(consumer(number), static_cast<std::uint32_t>(taken)) ==
                    (member != members.end()));
          if (member == members.end()) break;
          auto& under_way = member->second.under_way;
          waiting.insert(waiting.begin(), under_way.begin() + static_cast<std::ptrdiff_t>(taken),
                         under_way.end());
          gone += taken;
          members.erase(member);
          break;
        }
        case 4:
          RC_ASSERT(queue.forget(consumer(number)) == (member != members.end()));
          if (member == members.end()) break;
          gone += member->second.under_way.size();
          members.erase(member);
          break;
        default:
          queue.grant(consumer(number), 2);
          if (member == members.end()) break;
          member->second.credit += 2;
          for (int i = 0; i < 2 && !member->second.under_way.empty(); ++i, ++gone)
            member->second.under_way.pop_front();
      }
      queue.dispatch(deliver);
      RC_ASSERT(queue.waiting() == waiting.size());
      std::uint64_t credit = 0;
      std::size_t under_way = 0;
      for (const auto& [_, each] : members) {
        credit += each.credit;
        under_way += each.under_way.size();
      }
      RC_ASSERT(waiting.empty() || credit == 0);
      RC_ASSERT(waiting.size() + under_way + gone == pushed);
    }
  }));
}

}  // namespace
}  // namespace hawser::bus
