// The queue's promises, one by one, and every step of random days against a model.
#include <hawser/bus/detail/queue.hpp>

#include <hawser/base/random.hpp>
#include <hawser/bus/testing/queue_model.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus::detail {
namespace {

class Every final : public MessageFilter {
 public:
  explicit Every(int step) : step_(step) {}
  bool accepts(const Message& message) const override {
    return std::stoi(std::string(message.body())) % step_ == 0;
  }
  std::string_view text() const override { return "every"; }

 private:
  int step_;
};

struct Host final : QueueHost {
  std::vector<std::string> seen;  // "consumer:body" with "*count" when it is not the first time
  std::vector<std::string> dead;
  std::vector<std::uint64_t> gone;
  std::vector<std::uint64_t> ended;
  std::function<void(Subscriber&, const Delivery&)> on_delivery;
  void deliver(Subscriber& consumer, Delivery delivery) override {
    seen.push_back(std::to_string(consumer.number) + ":" + std::string(delivery.message->body()) +
                   (delivery.count == 1 ? "" : "*" + std::to_string(delivery.count)));
    if (on_delivery) on_delivery(consumer, delivery);
  }
  void browse_ended(Subscriber& browser) override { ended.push_back(browser.number); }
  void stored_gone(Queue&, std::uint64_t sequence) override { gone.push_back(sequence); }
  void stored_delivered(Queue&, const Entry&) override {}
  void dead_letter(Queue&, Entry entry, DeadLetterReason reason) override {
    dead.push_back(std::string(entry.message->body()) + " " + std::string(to_string(reason)));
  }
  void wants_tick(Queue&, std::int64_t) override {}
};

struct Made {
  int priority = default_priority;
  std::string group{};
  std::int64_t expires = 0;
  std::int64_t deliver_at = 0;
};
MessagePtr message(std::string_view body, const Made& made = {}) {
  MessageDraft draft;
  draft.destination = "/queue/q";
  draft.body = body;
  draft.group = made.group;
  draft.priority = static_cast<std::uint8_t>(made.priority);
  draft.expires = made.expires;
  draft.deliver_at = made.deliver_at;
  return Message::make(draft);
}

struct Bench {
  Host host;
  Queue queue;
  std::int64_t now = 1'000;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  explicit Bench(const QueueOptions& options = {}) : queue(1, "q", options, host) {}
  bool push(std::string_view body, const Made& made = {}) {
    auto made_message = message(body, made);
    if (queue.make_room(made_message->size()) == Queue::Room::no) return false;
    queue.push(std::move(made_message), true, now);
    return true;
  }
  Subscriber& subscribe(std::uint64_t number, std::uint32_t prefetch = 10, Subscription wish = {}) {
    auto& added = *subscribers.emplace_back(std::make_unique<Subscriber>());
    added.number = number;
    added.wish = std::move(wish);
    added.wish.prefetch = prefetch;
    queue.subscribe(added);
    return added;
  }
  std::vector<std::string> dispatch() {
    queue.dispatch(now);
    return std::exchange(host.seen, {});
  }
  using Seen = std::vector<std::string>;
};

TEST(Queue, keeps_messages_until_somebody_takes_them_in_order) {
  Bench bench;
  bench.push("a");
  bench.push("b");
  EXPECT_TRUE(bench.dispatch().empty());
  Subscriber& one = bench.subscribe(1);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a", "1:b"}));
  EXPECT_EQ(bench.queue.messages(), 2U) << "nobody has settled them";
  bench.queue.settle(one, 1, 2, Outcome::accepted, bench.now);
  EXPECT_EQ(bench.queue.messages(), 0U);
  EXPECT_EQ(bench.queue.bytes(), 0U);
  EXPECT_EQ(bench.host.gone, (std::vector<std::uint64_t>{1, 2}));
}

TEST(Queue, consumers_take_turns_and_prefetch_is_respected) {
  Bench bench;
  bench.subscribe(1, 2);
  Subscriber& two = bench.subscribe(2, 1);
  for (const auto* body : {"a", "b", "c", "d"}) bench.push(body);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a", "2:b", "1:c"}));
  bench.queue.settle(two, 1, 1, Outcome::accepted, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"2:d"}));
}

TEST(Queue, what_is_released_comes_back_to_its_place_and_counts) {
  Bench bench;
  Subscriber& one = bench.subscribe(1, 3);
  for (const auto* body : {"a", "b", "c", "d"}) bench.push(body);
  bench.dispatch();
  bench.queue.settle(one, 2, 2, Outcome::released, bench.now);
  bench.queue.settle(one, 1, 1, Outcome::unread, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a", "1:b*2"}));
  bench.queue.unsubscribe(one, 3, bench.now);  // c was seen; what came after it was not
  bench.subscribe(2);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"2:a", "2:b*2", "2:c*2", "2:d"}));
}

TEST(Queue, too_many_deliveries_and_rejection_end_in_the_dead_letter_queue) {
  QueueOptions options;
  options.deliveries = 2;
  Bench bench(options);
  Subscriber& one = bench.subscribe(1, 1);
  bench.push("a");
  bench.push("b");
  bench.queue.settle(one, 1, 1, Outcome::released, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a", "1:a*2"}));
  bench.queue.settle(one, 2, 2, Outcome::released, bench.now);
  bench.dispatch();
  bench.queue.settle(one, 3, 3, Outcome::rejected, bench.now);
  EXPECT_EQ(bench.host.dead, (Bench::Seen{"a deliveries", "b rejected"}));
  EXPECT_EQ(bench.queue.messages(), 0U);
}

TEST(Queue, a_requeue_delay_is_waited_for) {
  QueueOptions options;
  options.requeue_delay = 1s;
  Bench bench(options);
  Subscriber& one = bench.subscribe(1, 1);
  bench.push("a");
  bench.push("b");
  bench.queue.settle(one, 1, 1, Outcome::released, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a", "1:b"}));
  bench.queue.settle(one, 2, 2, Outcome::accepted, bench.now);
  EXPECT_TRUE(bench.dispatch().empty());
  bench.now += 1'000;
  bench.queue.tick(bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a*2"}));
}

TEST(Queue, priorities_delay_and_expiry) {
  Bench bench;
  bench.push("low", {.priority = 0});
  bench.push("high", {.priority = 9});
  bench.push("late", {.priority = 9, .deliver_at = 2'000});
  bench.push("gone", {.expires = 1'500});
  bench.now = 1'600;
  bench.queue.tick(bench.now);
  EXPECT_EQ(bench.queue.messages(), 3U) << "nobody need ask for what has expired";
  bench.subscribe(1);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:high", "1:low"}));
  bench.now = 2'000;
  bench.queue.tick(bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:late"}));
}

TEST(Queue, a_group_stays_with_its_consumer_until_that_one_goes) {
  Bench bench;
  Subscriber& one = bench.subscribe(1, 2);
  bench.subscribe(2, 2);
  for (const auto* body : {"a1", "b1", "a2", "b2", "a3"}) bench.push(body, {.group = {body[0]}});
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:a1", "2:b1", "1:a2", "2:b2"}));
  bench.queue.unsubscribe(one, 2, bench.now);
  EXPECT_TRUE(bench.dispatch().empty());
  Subscription wish;
  bench.subscribe(3, 9, wish);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"3:a1*2", "3:a2*2", "3:a3"}));
}

TEST(Queue, the_first_exclusive_consumer_has_all) {
  Bench bench;
  bench.subscribe(1);
  Subscription exclusive;
  exclusive.exclusive = true;
  Subscriber& two = bench.subscribe(2, 10, exclusive);
  bench.subscribe(3, 10, exclusive);
  bench.push("a");
  bench.push("b");
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"2:a", "2:b"}));
  bench.queue.unsubscribe(two, 0, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"3:a", "3:b"}));
}

TEST(Queue, a_browser_reads_what_was_there_takes_nothing_and_ends) {
  Bench bench;
  for (const auto* body : {"a", "b", "c"}) bench.push(body);
  Subscription browse;
  browse.browse = true;
  Subscriber& reader = bench.subscribe(9, 2, browse);
  bench.push("later");
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"9:a", "9:b"}));
  EXPECT_TRUE(bench.host.ended.empty());
  bench.queue.settle(reader, 1, 2, Outcome::accepted, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"9:c"}));
  EXPECT_EQ(bench.host.ended, std::vector<std::uint64_t>{9});
  EXPECT_EQ(bench.queue.messages(), 4U);
}

TEST(Queue, a_consumer_that_begins_at_a_position_leaves_what_lies_before_to_the_others) {
  Bench bench;
  for (const auto* body : {"a", "b", "c", "d"}) bench.push(body);
  Subscription wish;
  wish.from = 3;
  Subscriber& one = bench.subscribe(1, 10, wish);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:c", "1:d"}));
  bench.queue.settle(one, 1, 1, Outcome::released, bench.now);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:c*2"}));
  wish.from = Subscription::from_now;
  bench.subscribe(2, 10, wish);
  wish.from = 7;
  bench.subscribe(3, 10, wish);
  bench.queue.unsubscribe(one, 0, bench.now);
  EXPECT_TRUE(bench.dispatch().empty()) << "c and d lie before both";
  for (const auto* body : {"e", "f", "g"}) bench.push(body);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"2:e", "3:g", "2:f"}));
  bench.subscribe(4);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"4:a", "4:b", "4:c*2", "4:d"}));
}

TEST(Queue, a_message_lies_down_for_those_alone_who_do_not_want_every_one) {
  Bench bench;
  Subscription wish;
  wish.from = Subscription::from_now;
  bench.subscribe(1, 10, wish);
  bench.push("a");
  EXPECT_EQ(std::exchange(bench.host.seen, {}), Bench::Seen{"1:a"}) << "all comes after its place";
  wish.from = 5;
  Subscriber& two = bench.subscribe(2, 10, wish);
  bench.push("b");
  EXPECT_TRUE(bench.host.seen.empty());
  EXPECT_EQ(bench.dispatch(), Bench::Seen{"1:b"});
  bench.queue.unsubscribe(two, 0, bench.now);
  bench.push("c");
  EXPECT_EQ(bench.host.seen, Bench::Seen{"1:c"}) << "they have gone";
}

TEST(Queue, a_browser_may_begin_at_a_position_too) {
  Bench bench;
  bench.push("a", {.priority = 9});
  bench.push("b", {.priority = 1});
  bench.push("c", {.priority = 9});
  bench.push("d", {.priority = 1});
  Subscription browse;
  browse.browse = true;
  browse.from = 2;
  bench.subscribe(1, 10, browse);
  EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:c", "1:b", "1:d"}));
  browse.from = Subscription::from_now;
  bench.subscribe(2, 10, browse);
  EXPECT_TRUE(bench.dispatch().empty());
  EXPECT_EQ(bench.host.ended, (std::vector<std::uint64_t>{1, 2}));
}

TEST(Queue, each_overflow_policy_does_what_it_says) {
  QueueOptions options;
  options.messages = 2;
  {
    Bench bench(options);
    EXPECT_TRUE(bench.push("a") && bench.push("b"));
    EXPECT_FALSE(bench.push("c"));
  }
  options.overflow = QueueOverflow::drop_oldest;
  {
    Bench bench(options);
    for (const auto* body : {"a", "b", "c"}) EXPECT_TRUE(bench.push(body));
    EXPECT_EQ(bench.queue.counters().dropped, 1U);
    bench.subscribe(1);
    EXPECT_EQ(bench.dispatch(), (Bench::Seen{"1:b", "1:c"}));
    EXPECT_FALSE(bench.push("d")) << "what is in somebody's hands is not dropped";
  }
  options.overflow = QueueOverflow::dead_letter;
  {
    Bench bench(options);
    for (const auto* body : {"a", "b", "c"}) EXPECT_TRUE(bench.push(body));
    EXPECT_EQ(bench.host.dead, (Bench::Seen{"a overflow"}));
  }
  options.overflow = QueueOverflow::block;
  {
    Bench bench(options);
    EXPECT_TRUE(bench.push("a") && bench.push("b"));
    EXPECT_EQ(bench.queue.make_room(1), Queue::Room::over);
    EXPECT_TRUE(bench.push("c") && bench.push("d"));
    EXPECT_FALSE(bench.push("e")) << "twice the limit is the end";
  }
  options.overflow = QueueOverflow::reject;
  options.bytes = 100;
  options.messages = 10;
  Bench bench(options);
  EXPECT_FALSE(bench.push(std::string(200, 'x')));
}

TEST(Queue, a_transaction_holds_what_it_settles_and_gives_it_back) {
  Bench bench;
  Subscriber& one = bench.subscribe(1, 10);
  for (const auto* body : {"a", "b", "c"}) bench.push(body);
  bench.dispatch();
  std::vector<HeldDelivery> held;
  EXPECT_FALSE(bench.queue.hold(one, {1, 2, 4, Outcome::accepted}, held)) << "4 was never made";
  ASSERT_TRUE(bench.queue.hold(one, {1, 1, 2, Outcome::accepted}, held));
  EXPECT_FALSE(bench.queue.hold(one, {1, 2, 2, Outcome::accepted}, held)) << "held already";
  bench.queue.settle(one, 1, 3, Outcome::accepted, bench.now);
  EXPECT_EQ(bench.queue.messages(), 2U) << "what is held is not settled by others";
  bench.queue.give_back(std::move(held[0]), &one, bench.now);
  bench.queue.settle(one, 1, 1, Outcome::accepted, bench.now);
  bench.queue.finish(std::move(held[1]), &one, bench.now);
  EXPECT_EQ(bench.queue.messages(), 0U);
  EXPECT_EQ(one.unsettled, 0U);
  EXPECT_EQ(bench.queue.unsettled(), 0U);
}

/// One random day: everything that can be asked of a queue, in any order.
void agree(std::uint64_t seed) {
  Random random(seed);
  QueueOptions options;
  options.messages = 30;
  options.deliveries = 1 + static_cast<std::uint32_t>(random.below(4));
  if (random.below(3) == 0) options.requeue_delay = 50ms;
  const bool filters = random.below(2) == 0;
  const bool groups = random.below(3) == 0;
  const bool timed = random.below(2) == 0;
  Bench bench(options);
  testing::QueueModel model(options.deliveries, options.requeue_delay / 1ms);
  std::map<std::uint64_t, Subscriber*> here;
  std::vector<HeldDelivery> held;
  bench.host.on_delivery = [&](Subscriber& consumer, const Delivery& delivery) {
    model.delivered(consumer.number, delivery.id,
                    std::stoull(std::string(delivery.message->body())), delivery.count,
                    delivery.redelivered, bench.now);
    if (delivery.position != std::stoull(std::string(delivery.message->body())))
      model.faults.push_back("the position");
  };
  std::uint64_t next = 0;
  for (int step = 0; step < 150; ++step) {
    const std::uint64_t number = 1 + random.below(4);
    const auto consumer = here.find(number);
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2: {
        testing::QueueModel::Item item;
        item.id = next + 1;
        item.priority = random.below(4) == 0 ? static_cast<int>(random.below(10)) : 4;
        if (groups && random.below(2) == 0) item.group = std::string(1, "xyz"[random.below(3)]);
        if (timed && random.below(4) == 0)
          item.expires = bench.now + 1 + static_cast<std::int64_t>(random.below(100));
        if (timed && random.below(4) == 0)
          item.ready_at = bench.now + static_cast<std::int64_t>(random.below(100));
        const bool full = model.items.size() >= 30;
        if (!full) model.push(item);  // it may be given out at once
        const bool taken = bench.push(std::to_string(item.id),
                                      {item.priority, item.group, item.expires, item.ready_at});
        if (taken == full) model.faults.push_back("the limit");
        if (taken) ++next;
        break;
      }
      case 3:
        if (consumer == here.end()) {
          testing::QueueModel::Member member;
          member.prefetch = 1 + static_cast<std::uint32_t>(random.below(5));
          Subscription wish;
          if (filters && random.below(2) == 0) {
            member.wants = 2;
            wish.filter = std::make_shared<Every>(2);
          }
          if (filters && random.below(3) == 0) {
            const bool now = random.below(4) == 0;
            member.from = now ? next + 1 : random.below(next + 4);
            wish.from = now ? Subscription::from_now : member.from;
          }
          member.exclusive = wish.exclusive = random.below(6) == 0;
          model.subscribe(number, member);
          here[number] = &bench.subscribe(number, member.prefetch, wish);
        }
        break;
      case 4:
        if (consumer != here.end()) {
          const std::uint64_t last_seen = random.below(consumer->second->next_id + 1);
          model.unsubscribe(number, last_seen, bench.now);
          bench.queue.unsubscribe(*consumer->second, last_seen, bench.now);
          here.erase(consumer);
        }
        break;
      case 5:
        bench.now += static_cast<std::int64_t>(random.below(60));
        bench.queue.tick(bench.now);
        break;
      case 6:
        if (consumer != here.end() && consumer->second->next_id > 1) {
          const std::uint64_t id = 1 + random.below(consumer->second->next_id - 1);
          std::vector<HeldDelivery> taken;
          if (!bench.queue.hold(*consumer->second, {number, id, id, Outcome::released}, taken))
            break;
          taken[0].outcome = static_cast<Outcome>(random.below(5));
          model.items.at(std::stoull(std::string(taken[0].entry.message->body()))).in_transaction =
              true;
          held.push_back(std::move(taken[0]));
        }
        break;
      case 7:
        if (!held.empty()) {
          HeldDelivery each = std::move(held.back());
          held.pop_back();
          const std::uint64_t id = std::stoull(std::string(each.entry.message->body()));
          auto& item = model.items.at(id);
          const auto holder = here.find(each.subscription);
          const bool there =
              holder != here.end() && item.holder == each.subscription && !model.left.contains(id);
          Subscriber* whose = there ? holder->second : nullptr;
          if (random.below(2) == 0) {
            bench.queue.give_back(std::move(each), whose, bench.now);
            item.in_transaction = false;
            if (!there) model.release(id, true, false, bench.now);
          } else {
            const Outcome outcome = each.outcome;
            bench.queue.finish(std::move(each), whose, bench.now);
            item.in_transaction = false;
            model.settle_one(id, outcome, bench.now);
          }
        }
        break;
      default:
        if (consumer != here.end() && consumer->second->next_id > 1) {
          const std::uint64_t first = 1 + random.below(consumer->second->next_id);
          const std::uint64_t last = first + random.below(4);
          const auto outcome = static_cast<Outcome>(random.below(5));
          model.settle(number, first, last, outcome, bench.now);
          bench.queue.settle(*consumer->second, first, last, outcome, bench.now);
        }
    }
    bench.queue.dispatch(bench.now);
    model.complete(bench.now);
    bench.queue.tick(bench.now);
    model.expire(bench.now);
    std::multiset<std::string> dead(bench.host.dead.begin(), bench.host.dead.end());
    ASSERT_EQ(model.faults, std::vector<std::string>{}) << "seed " << seed << " step " << step;
    ASSERT_EQ(dead, model.dead) << "seed " << seed << " step " << step;
    ASSERT_EQ(bench.queue.messages(), model.items.size()) << "seed " << seed << " step " << step;
  }
}

TEST(Queue, agrees_with_the_model) {
  const char* wanted = std::getenv("HAWSER_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFatalFailure(); ++seed)
    agree(seed);
}

}  // namespace
}  // namespace hawser::bus::detail
