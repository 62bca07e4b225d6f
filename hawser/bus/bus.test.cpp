// What a bus promises its users, from outside: on one, two and three schedulers.
#include <hawser/bus/bus.hpp>

#include <hawser/bus/testing/bus_world.hpp>
#include <hawser/bus/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hawser::bus {
namespace {

using testing::BusWorld;
using testing::MemoryDisk;
using testing::MemoryStore;
using testing::queue;
using testing::text;
using testing::to;
using testing::topic;

class BusOn : public ::testing::TestWithParam<unsigned> {
 protected:
  unsigned schedulers() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Schedulers, BusOn, ::testing::Values(1U, 2U, 3U));

TEST_P(BusOn, what_is_published_is_confirmed_delivered_and_settled) {
  BusWorld world(1, schedulers());
  const auto sender = world.user(0);
  const auto taker = world.user(1);
  world.in(taker, [](Client& client) { client.subscribe(7, to(queue("jobs")), 1); });
  EXPECT_TRUE(taker.heard->has(1));
  world.in(sender, [](Client& client) {
    for (const auto* body : {"a", "b", "c"})
      client.publish(queue("jobs"), text(body), static_cast<std::uint64_t>(body[0]));
  });
  EXPECT_EQ(sender.heard->confirmed, (std::vector<std::uint64_t>{'a', 'b', 'c'}));
  EXPECT_EQ(taker.heard->bodies(), "a b c");
  EXPECT_EQ(taker.heard->got[2].subscription, 7U);
  EXPECT_EQ(taker.heard->got[2].id, 3U);
  EXPECT_EQ(world.statistics().unsettled_messages, 3U);
  world.in(taker, [](Client& client) { client.settle({7, 1, 3, Outcome::accepted}, 2); });
  EXPECT_TRUE(taker.heard->has(2));
  const auto statistics = world.statistics();
  EXPECT_EQ(statistics.unsettled_messages, 0U);
  EXPECT_EQ(statistics.settled, 3U);
}

TEST_P(BusOn, whoever_dies_leaves_what_it_had_to_the_others) {
  BusWorld world(1, schedulers());
  const auto sender = world.user(0);
  const auto first = world.user(1);
  const auto second = world.user(2);
  world.in(first, [](Client& client) { client.subscribe(1, to(queue("jobs")), 0); });
  world.in(sender, [](Client& client) {
    for (const auto* body : {"a", "b", "c"}) client.publish(queue("jobs"), text(body));
  });
  world.in(first, [](Client& client) { client.settle({1, 1, 1, Outcome::accepted}); });
  world.in(second, [](Client& client) { client.subscribe(1, to(queue("jobs")), 0); });
  world.kill(first);
  EXPECT_EQ(second.heard->bodies(), "b c");
  EXPECT_TRUE(second.heard->got.at(0).redelivered);
  EXPECT_EQ(second.heard->got.at(0).count, 2U);
  EXPECT_EQ(world.statistics().subscriptions, 1U);
}

TEST_P(BusOn, what_is_rejected_is_in_the_dead_letter_queue_with_its_story) {
  BusWorld world(1, schedulers());
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    QueueOptions elsewhere;
    elsewhere.dead_letter = "graveyard";
    client.declare(queue("odd"), elsewhere, false, 0);
    for (const auto* name : {"jobs", "odd"}) {
      client.subscribe(static_cast<std::uint64_t>(name[0]), to(queue(name)), 0);
      client.publish(queue(name), text(name));
    }
    client.subscribe(1, to(queue("dlq/jobs")), 0);
    client.subscribe(2, to(queue("graveyard")), 0);
  });
  world.in(user, [](Client& client) {
    client.settle({'j', 1, 1, Outcome::rejected});
    client.settle({'o', 1, 1, Outcome::rejected});
  });
  ASSERT_EQ(user.heard->got.size(), 4U);
  for (std::size_t i = 2; i < 4; ++i) {
    const auto& dead = user.heard->got[i];
    Bytes scratch;
    EXPECT_EQ(dead.body, dead.subscription == 1 ? "jobs" : "odd");
    EXPECT_EQ(dead.message->property("dead-letter-reason", scratch), "rejected");
    EXPECT_EQ(dead.message->property("dead-letter-queue-of", scratch), dead.body);
    EXPECT_EQ(dead.message->property("original-destination", scratch), "/somewhere");
  }
  EXPECT_EQ(world.statistics().dead_lettered, 2U);
}

TEST_P(BusOn, topics_reach_exact_and_pattern_subscribers_once_a_subscription) {
  BusWorld world(1, schedulers());
  const auto sender = world.user(0);
  const auto taker = world.user(1);
  world.in(taker, [](Client& client) {
    client.subscribe(1, to(topic("a.b")), 0);
    client.subscribe(2, to(topic("a.*")), 0);
    client.subscribe(3, to(topic("a.#")), 0);
    client.subscribe(4, to(topic(">")), 0);
    client.subscribe(5, to(topic("*.b.c")), 0);
    client.subscribe(6, to(topic("a.#.c")), 66);
  });
  EXPECT_TRUE(taker.heard->refused[66].contains("last word"));
  world.in(sender, [](Client& client) {
    client.publish(topic("a.b"), text("1"));
    client.publish(topic("a/b/c"), text("2"));
    client.publish(topic("x"), text("3"));
  });
  std::map<std::uint64_t, std::string> by;
  for (const auto& got : taker.heard->got) by[got.subscription] += got.body;
  EXPECT_EQ(by, (std::map<std::uint64_t, std::string>{
                    {1, "1"}, {2, "1"}, {3, "12"}, {4, "123"}, {5, "2"}}));
  world.in(taker, [](Client& client) { client.unsubscribe(3, 0, 9); });
  world.in(sender, [](Client& client) { client.publish(topic("a.b"), text("4")); });
  EXPECT_EQ(taker.heard->got.size(), 8U + 3U);
}

TEST_P(BusOn, topics_respect_prefetch_no_local_retained_and_slowness) {
  BusOptions options;
  options.topic.waiting_messages = 2;
  BusWorld world(1, schedulers(), options);
  const auto sender = world.user(0);
  const auto slow = world.user(1);
  world.in(sender, [](Client& client) {
    MessageDraft draft;
    draft.body = "kept";
    draft.retain = Retain::set;
    client.publish(topic("t"), Message::make(draft));
    Subscription mine = to(topic("t"));
    mine.no_local = true;
    client.subscribe(1, mine, 0);
    client.publish(topic("t"), text("own"));
  });
  EXPECT_EQ(sender.heard->bodies(), "kept");
  world.in(slow, [](Client& client) { client.subscribe(1, to(topic("t*"), 2), 0); });
  world.in(slow, [](Client& client) { client.subscribe(2, to(topic("t"), 2), 0); });
  EXPECT_EQ(slow.heard->bodies(), "kept");
  world.in(sender, [](Client& client) {
    for (const auto* body : {"a", "b", "c"}) client.publish(topic("t"), text(body));
  });
  EXPECT_EQ(slow.heard->bodies(), "kept a");
  world.in(slow, [](Client& client) { client.settle({2, 1, 2, Outcome::accepted}); });
  EXPECT_EQ(slow.heard->bodies(), "kept a b c");
  world.in(sender, [](Client& client) {
    for (const auto* body : {"d", "e", "f"}) client.publish(topic("t"), text(body));
  });
  EXPECT_TRUE(slow.heard->ended[2].contains("too slow"));
  EXPECT_TRUE(slow.heard->ended[2].contains("2 messages"));
  EXPECT_EQ(world.statistics().subscriptions, 2U);
}

TEST_P(BusOn, durable_subscriptions_collect_while_nobody_is_there) {
  BusWorld world(1, schedulers());
  const auto sender = world.user(0);
  const auto first = world.user(1);
  const auto second = world.user(2);
  const auto durable = [](std::string pattern) {
    Subscription wish = to({Destination::Kind::subscription, "s"});
    wish.pattern = std::move(pattern);
    wish.queue.single_consumer = true;
    return wish;
  };
  world.in(first, [&](Client& client) { client.subscribe(1, durable("a.*"), 1); });
  EXPECT_TRUE(first.heard->has(1));
  world.in(second, [&](Client& client) { client.subscribe(1, durable("a.*"), 2); });
  EXPECT_TRUE(second.heard->refused[2].contains("in use")) << second.heard->refused[2];
  world.kill(first);
  world.in(sender, [](Client& client) {
    client.publish(topic("a.b"), text("x"), 1);
    client.publish(topic("b.b"), text("y"), 2);
  });
  EXPECT_TRUE(sender.heard->has(2));
  world.in(second, [&](Client& client) { client.subscribe(2, durable("b.*"), 3); });
  EXPECT_TRUE(second.heard->refused[3].contains("a.*")) << second.heard->refused[3];
  world.in(second, [&](Client& client) { client.subscribe(3, durable(""), 4); });
  EXPECT_EQ(second.heard->bodies(), "x");
  const Destination name{Destination::Kind::subscription, "s"};
  world.in(sender, [&](Client& client) { client.remove(name, false, 5); });
  EXPECT_TRUE(sender.heard->refused[5].contains("in use"));
  world.in(second, [&](Client& client) {
    client.settle({3, 1, 1, Outcome::accepted});
    client.unsubscribe(3, 1, 0);
    client.remove(name, false, 6);
    client.subscribe(4, durable(""), 7);
  });
  EXPECT_TRUE(second.heard->has(6));
  EXPECT_TRUE(second.heard->refused[7].contains("there is no subscription"));
}

TEST_P(BusOn, a_temporary_queue_is_its_owners_and_goes_with_it) {
  BusWorld world(1, schedulers());
  const auto owner = world.user(0);
  const auto other = world.user(1);
  world.in(owner, [](Client& client) {
    client.declare(queue("answers"), {}, true, 1);
    client.subscribe(1, to(queue("answers")), 2);
  });
  world.in(other, [](Client& client) {
    client.subscribe(1, to(queue("answers")), 3);
    client.publish(queue("answers"), text("hello"), 4);
  });
  EXPECT_TRUE(other.heard->refused[3].contains("belongs to another"));
  EXPECT_EQ(owner.heard->bodies(), "hello");
  world.kill(owner);
  const auto all = bus_destinations(world.processes.system, "bus");
  ASSERT_TRUE(all.has_value());
  for (const auto& each : *all) EXPECT_FALSE(each.temporary) << each.destination.name;
}

TEST_P(BusOn, a_transaction_happens_at_all_shards_or_at_none) {
  BusOptions options;
  options.queue.messages = 3;
  options.queue.overflow = QueueOverflow::reject;
  BusWorld world(1, schedulers(), options);
  const auto user = world.user(0);
  const auto watcher = world.user(1);
  world.in(watcher, [](Client& client) {
    for (int i = 0; i < 6; ++i)
      client.subscribe(static_cast<std::uint64_t>(i) + 1, to(queue("out" + std::to_string(i))), 0);
    client.subscribe(9, to(topic("done")), 0);
  });
  world.in(user, [](Client& client) {
    client.subscribe(1, to(queue("in")), 0);
    client.publish(queue("in"), text("work"));
  });
  const auto work = [](bool full) {
    Transaction transaction;
    for (int i = 0; i < 6; ++i)
      transaction.publish(queue("out" + std::to_string(i)), text(std::to_string(i)));
    transaction.publish(topic("done"), text("done"));
    for (int i = 0; i < 4 && full; ++i) transaction.publish(queue("narrow"), text("x"));
    transaction.settle({1, 1, 1, Outcome::accepted});
    return transaction;
  };
  world.in(user, [&](Client& client) { client.commit(work(true), 1); });
  EXPECT_TRUE(user.heard->refused[1].contains("narrow")) << user.heard->refused[1];
  EXPECT_EQ(watcher.heard->bodies(), "");
  EXPECT_EQ(world.statistics().unsettled_messages, 1U) << "its settlement did not happen either";
  world.in(user, [&](Client& client) {
    client.commit(work(false), 2);
    client.publish(queue("out0"), text("after"));
  });
  EXPECT_TRUE(user.heard->has(2));
  EXPECT_EQ(watcher.heard->got.size(), 8U);
  std::string first;
  for (const auto& got : watcher.heard->got)
    if (got.subscription == 1) first += got.body + " ";
  EXPECT_EQ(first, "0 after ") << "what is asked after the commit comes after it";
  world.in(user, [&](Client& client) { client.commit(work(false), 3); });
  EXPECT_TRUE(user.heard->refused[3].contains("no longer")) << user.heard->refused[3];
  EXPECT_FALSE(user.heard->paused);
}

TEST_P(BusOn, a_full_queue_refuses_or_makes_its_publisher_wait) {
  BusOptions options;
  options.queue.messages = 2;
  options.queue.overflow = QueueOverflow::reject;
  options.queue_rules.push_back({"patient.*", options.queue});
  options.queue_rules[0].options.overflow = QueueOverflow::block;
  BusWorld world(1, schedulers(), options);
  const auto sender = world.user(0);
  const auto taker = world.user(1);
  world.in(sender, [](Client& client) {
    for (std::uint64_t i = 1; i <= 3; ++i) client.publish(queue("short"), text("x"), i);
    for (std::uint64_t i = 11; i <= 13; ++i) client.publish(queue("patient.one"), text("y"), i);
  });
  EXPECT_TRUE(sender.heard->refused[3].contains("is full"));
  EXPECT_TRUE(sender.heard->has(12));
  EXPECT_FALSE(sender.heard->has(13)) << "only when there is room";
  EXPECT_TRUE(sender.heard->paused);
  world.in(taker, [](Client& client) { client.subscribe(1, to(queue("patient.one")), 0); });
  world.in(taker, [](Client& client) { client.settle({1, 1, 2, Outcome::accepted}); });
  EXPECT_TRUE(sender.heard->has(13));
  EXPECT_FALSE(sender.heard->paused);
}

TEST_P(BusOn, persistent_messages_are_confirmed_when_stored_and_come_back) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  {
    BusWorld world(1, schedulers(), options);
    const auto user = world.user(0);
    disk.broken = true;
    world.in(user, [](Client& client) {
      client.publish(queue("q"), text("transient"), 1);
      client.publish(queue("q"), text("kept", true), 2);
      client.publish(queue("q"), text("taken", true), 3);
      Subscription durable = to({Destination::Kind::subscription, "s"});
      durable.pattern = "t";
      client.subscribe(1, durable, 4);
    });
    EXPECT_TRUE(user.heard->has(1));
    EXPECT_FALSE(user.heard->has(2));
    disk.broken = false;
    world.processes.settle(2s);
    EXPECT_TRUE(user.heard->has(3));
    EXPECT_TRUE(user.heard->has(4));
    world.in(user, [](Client& client) {
      client.unsubscribe(1, 0, 0);
      client.publish(topic("t"), text("topical", true), 5);
      client.subscribe(2, to(queue("q"), 3), 0);
    });
    EXPECT_TRUE(user.heard->has(5));
    world.in(user, [](Client& client) { client.settle({2, 3, 3, Outcome::accepted}, 6); });
    EXPECT_TRUE(user.heard->has(6));
    Transaction transaction;
    for (int i = 0; i < 5; ++i)
      transaction.publish(queue("x" + std::to_string(i)), text("many", true));
    world.in(user, [&](Client& client) { client.commit(std::move(transaction), 7); });
    EXPECT_TRUE(user.heard->has(7));
  }
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
  BusWorld again(2, schedulers(), options);
  const auto user = again.user(0);
  again.in(user, [](Client& client) {
    client.subscribe(1, to(queue("q")), 0);
    client.subscribe(2, to({Destination::Kind::subscription, "s"}), 0);
    for (std::uint64_t i = 0; i < 5; ++i)
      client.subscribe(10 + i, to(queue("x" + std::to_string(i))), 0);
    client.publish(topic("t"), text("still"));
  });
  std::map<std::uint64_t, std::string> by;
  for (const auto& got : user.heard->got) by[got.subscription] += got.body + " ";
  EXPECT_EQ(by[1], "kept ");
  EXPECT_EQ(by[2], "topical still ");
  EXPECT_EQ(by.size(), 7U) << "the transaction came back whole";
  EXPECT_TRUE(user.heard->got.at(0).redelivered) << "nobody knows who had it";
  again.in(user, [](Client& client) {
    client.settle({1, 1, 1, Outcome::accepted}, 1);
    client.remove({Destination::Kind::subscription, "s"}, true, 2);
  });
  EXPECT_TRUE(user.heard->has(2));
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
}

TEST_P(BusOn, delayed_and_expiring_messages_keep_to_the_clock) {
  BusWorld world(1, schedulers());
  const auto user = world.user(0);
  const auto at = [&world](Duration later) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               world.processes.system.scheduler(0).engine().wall_clock().time_since_epoch() + later)
        .count();
  };
  MessageDraft late;
  late.body = "late";
  late.deliver_at = at(10s);
  MessageDraft brief;
  brief.body = "brief";
  brief.expires = at(5s);
  world.in(user, [&](Client& client) {
    client.publish(queue("q"), Message::make(late));
    client.publish(queue("q"), Message::make(brief));
    client.publish(topic("t"), Message::make(late), 1);
    client.subscribe(2, to(topic("t")), 0);
  });
  EXPECT_EQ(world.statistics().waiting_messages, 2U);
  world.processes.settle(6s);
  EXPECT_EQ(world.statistics().waiting_messages, 1U) << "nobody need ask for what has expired";
  world.in(user, [](Client& client) { client.subscribe(1, to(queue("q")), 0); });
  EXPECT_EQ(user.heard->bodies(), "");
  world.processes.settle(5s);
  EXPECT_EQ(user.heard->bodies(), "late late");
}

TEST_P(BusOn, idle_queues_are_forgotten_and_listings_come_in_pages) {
  BusWorld world(1, schedulers());
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    for (int i = 10; i < 20; ++i) client.publish(queue("q" + std::to_string(i)), text("x"));
    client.declare(queue("declared"), {}, false, 0);
    client.subscribe(1, to(queue("q10")), 0);
  });
  std::vector<std::string> names;
  Destination after;
  for (;;) {
    const auto page = bus_destinations(world.processes.system, "bus", after, 4);
    ASSERT_TRUE(page.has_value());
    if (page->empty()) break;
    EXPECT_LE(page->size(), 4U);
    for (const auto& each : *page) names.push_back(each.destination.name);
    after = page->back().destination;
  }
  ASSERT_EQ(names.size(), 11U);
  EXPECT_EQ(names[0], "declared");
  EXPECT_EQ(names[10], "q19");
  world.in(user, [](Client& client) {
    client.settle({1, 1, 1, Outcome::accepted});
    client.unsubscribe(1, 1, 0);
  });
  world.kill(user);
  world.processes.settle(200s);
  EXPECT_EQ(world.statistics().queues, 10U) << "the idle one is gone, the declared one is not";
}

TEST_P(BusOn, a_flood_pauses_its_publisher_and_goes_on) {
  BusWorld world(1, schedulers());
  const auto sender = world.user(0);
  bool paused = false;
  world.in(sender, [&paused](Client& client) {
    for (int i = 0; i < 20'000; ++i) {
      client.publish(topic("nobody"), text("x"));
      if (i % 100 == 0) client.flush();
      paused = paused || client.paused();
    }
  });
  EXPECT_TRUE(paused);
  EXPECT_FALSE(sender.heard->paused);
  EXPECT_EQ(world.statistics().published, 20'000U);
}

TEST(Bus, without_one_it_says_what_to_start) {
  hawser::testing::ProcessWorld world(1, 1);
  const auto bus = Bus::find(world.system, "none");
  ASSERT_FALSE(bus.has_value());
  EXPECT_EQ(bus.error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hawser::bus
