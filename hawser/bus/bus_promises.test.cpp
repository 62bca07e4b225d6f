// What a confirmation promises where it is hard to keep: topics' limits within transactions, slow
// subscribers and full durable subscriptions, a store that fails, what topics keep over a restart.
#include <hawser/bus/bus.hpp>

#include <hawser/bus/testing/bus_world.hpp>
#include <hawser/bus/testing/memory_store.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace hawser::bus {
namespace {

using testing::BusWorld;
using testing::MemoryDisk;
using testing::MemoryStore;
using testing::queue;
using testing::text;
using testing::to;
using testing::topic;

MessagePtr special(std::string_view body, Retain retain, std::int64_t deliver_at = 0,
                   bool persistent = false) {
  MessageDraft draft;
  draft.destination = "/topic/t";
  draft.body = body;
  draft.retain = retain;
  draft.deliver_at = deliver_at;
  draft.persistent = persistent;
  return Message::make(draft);
}

/// What the simulated wall clock says when a world begins, in ms.
constexpr std::int64_t start_of_worlds = 1'767'225'600'000 + 1'000'000;

Subscription durable(std::string name, std::string pattern, std::uint32_t messages,
                     QueueOverflow overflow) {
  Subscription wish = to({Destination::Kind::subscription, std::move(name)});
  wish.pattern = std::move(pattern);
  wish.queue.messages = messages;
  wish.queue.overflow = overflow;
  return wish;
}
Subscription slow(std::uint32_t waiting, SlowSubscriber what) {
  Subscription wish = to(topic("t"), 1);
  wish.limits = TopicLimits{};
  wish.limits->waiting_messages = waiting;
  wish.limits->slow = what;
  return wish;
}

class BusPromises : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Schedulers, BusPromises, ::testing::Values(1U, 3U));

// ---- transactions
// -------------------------------------------------------------------------------------

TEST_P(BusPromises, a_commit_that_topics_have_no_room_for_leaves_nothing_behind) {
  BusOptions options;
  options.retained_messages = 1;
  options.delayed_messages = 1;
  BusWorld world(1, GetParam(), options);
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    client.subscribe(1, to(queue("q")), 0);
    Transaction retains;
    retains.publish(queue("q"), text("with retained"));
    retains.publish(topic("a"), special("a", Retain::set));
    retains.publish(topic("b"), special("b", Retain::set));
    client.commit(std::move(retains), 1);
    Transaction delays;
    delays.publish(queue("q"), text("with delayed"));
    for (int i = 0; i < 2; ++i)
      delays.publish(topic("c"), special("c", Retain::none, start_of_worlds + 60'000));
    client.commit(std::move(delays), 2);
  });
  EXPECT_TRUE(user.heard->refused[1].contains("retained_messages")) << user.heard->refused[1];
  EXPECT_TRUE(user.heard->refused[2].contains("delayed_messages")) << user.heard->refused[2];
  EXPECT_EQ(user.heard->bodies(), "");
  world.in(user, [](Client& client) {
    Transaction fits;
    fits.publish(queue("q"), text("both"));
    fits.publish(topic("a"), special("a", Retain::set));
    fits.publish(topic("c"), special("c", Retain::none, start_of_worlds + 60'000));
    client.commit(std::move(fits), 3);
    client.subscribe(2, to(topic("#")), 0);
  });
  EXPECT_TRUE(user.heard->has(3)) << "what was reserved for the others is free again";
  EXPECT_EQ(user.heard->bodies(), "both a");
}

TEST_P(BusPromises, a_commit_happens_in_full_durable_subscriptions_too_or_not_at_all) {
  BusWorld world(1, GetParam());
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    client.subscribe(1, durable("d", "t", 2, QueueOverflow::reject), 0);
    client.unsubscribe(1, 0, 0);
    client.subscribe(2, to(queue("q")), 0);
    Transaction three;
    three.publish(queue("q"), text("x"));
    for (const char* body : {"1", "2", "3"}) three.publish(topic("t"), text(body));
    client.commit(std::move(three), 1);
    Transaction two;
    two.publish(queue("q"), text("y"));
    for (const char* body : {"4", "5"}) two.publish(topic("t"), text(body));
    client.commit(std::move(two), 2);
  });
  EXPECT_TRUE(user.heard->refused[1].contains("is full")) << user.heard->refused[1];
  EXPECT_TRUE(user.heard->has(2));
  EXPECT_EQ(user.heard->bodies(), "y");
  world.in(user, [](Client& client) {
    client.subscribe(3, to({Destination::Kind::subscription, "d"}), 0);
  });
  EXPECT_EQ(user.heard->bodies(), "y 4 5");
}

// ---- several shards
// ------------------------------------------------------------------------------------

/// A queue that lives in that shard.
Destination queue_in(BusWorld& world, const std::string& prefix, std::size_t shard) {
  const Bus bus = *Bus::find(world.processes.system, "bus");
  for (int i = 0;; ++i)
    if (Destination found = queue(prefix + std::to_string(i)); bus.shard_of(found) == shard)
      return found;
}

/// Until resume() this shard answers nobody.
void suspend(BusWorld& world, std::size_t shard) {
  const Bus bus = *Bus::find(world.processes.system, "bus");
  EXPECT_TRUE(sys::suspend(world.processes.system.environment(), bus.shards()[shard]).has_value());
}
void resume(BusWorld& world, std::size_t shard) {
  const Bus bus = *Bus::find(world.processes.system, "bus");
  EXPECT_TRUE(sys::resume(world.processes.system.environment(), bus.shards()[shard]).has_value());
  world.processes.settle();
}

TEST(BusShards, one_full_queue_refuses_a_commit_whichever_shard_answers_last) {
  for (std::size_t full = 0; full < 3; ++full) {
    for (std::size_t last = 0; last < 3; ++last) {
      BusOptions options;
      options.queue.messages = 1;
      options.queue.overflow = QueueOverflow::reject;
      BusWorld world(1, 3, options);
      const auto user = world.user(0);
      world.in(user, [&](Client& client) {
        client.publish(queue_in(world, "q", full), text("first"), 1);
      });
      suspend(world, last);
      world.in(user, [&](Client& client) {
        Transaction all;
        for (std::size_t i = 0; i < 3; ++i) all.publish(queue_in(world, "q", i), text("second"));
        client.commit(std::move(all), 2);
      });
      EXPECT_TRUE(user.heard->refused.empty() && !user.heard->has(2)) << "one has not answered";
      resume(world, last);
      EXPECT_TRUE(user.heard->refused[2].contains("is full")) << full << last;
      EXPECT_FALSE(user.heard->has(2));
      EXPECT_EQ(world.statistics().waiting_messages, 1U) << "nobody has a part of it";
    }
  }
}

TEST(BusShards, what_a_commit_rejects_is_confirmed_when_all_dead_letters_have_arrived) {
  for (const std::size_t last : {1U, 2U}) {
    for (const bool alone : {true, false}) {
      MemoryDisk disk;
      BusOptions options;
      options.store = std::make_shared<MemoryStore>(disk);
      BusWorld world(1, 3, options);
      const auto user = world.user(0);
      world.in(user, [&](Client& client) {
        for (const std::size_t grave : {1U, 2U}) {
          const Destination from = queue_in(world, grave == 1 ? "a" : "b", 0);
          QueueOptions elsewhere;
          elsewhere.dead_letter = queue_in(world, "graves", grave).name;
          client.declare(from, elsewhere, false, 0);
          client.publish(from, text("x", true), grave);
          client.subscribe(grave, to(from), 0);
        }
      });
      ASSERT_TRUE(user.heard->has(1) && user.heard->has(2));
      suspend(world, last);
      world.in(user, [&](Client& client) {
        Transaction rejects;
        for (const std::uint64_t each : {1U, 2U}) rejects.settle({each, 1, 1, Outcome::rejected});
        // The shard that is late is no part of the transaction, only of what follows.
        if (!alone) rejects.publish(queue_in(world, "c", 3 - last), text("y"));
        client.commit(std::move(rejects), 9);
      });
      EXPECT_FALSE(user.heard->has(9)) << "after a crash it would be back in its queue";
      resume(world, last);
      EXPECT_TRUE(user.heard->has(9));
      EXPECT_TRUE(user.heard->refused.empty());
      std::size_t dead = 0;
      for (const auto& [id, stored] : disk.queues)
        if (stored.destination.name.starts_with("graves")) dead += disk.messages[id].size();
      EXPECT_EQ(dead, 2U);
      EXPECT_EQ(disk.faults, std::vector<std::string>{});
    }
  }
}

// ---- publishers that wait
// -----------------------------------------------------------------------------

TEST_P(BusPromises, a_slow_subscriber_may_hold_up_who_publishes) {
  BusWorld world(1, GetParam());
  const auto sender = world.user(0);
  const auto reader = world.user(1);
  world.in(reader, [](Client& client) { client.subscribe(1, slow(2, SlowSubscriber::block), 0); });
  world.in(sender, [](Client& client) {
    for (std::uint64_t i = 1; i <= 4; ++i) client.publish(topic("t"), text(std::to_string(i)), i);
  });
  EXPECT_EQ(sender.heard->confirmed, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_TRUE(sender.heard->paused);
  EXPECT_EQ(reader.heard->bodies(), "1");
  world.in(reader, [](Client& client) { client.settle({1, 1, 1, Outcome::accepted}); });
  EXPECT_FALSE(sender.heard->has(4)) << "two wait, that is its limit";
  world.in(reader, [](Client& client) { client.settle({1, 2, 2, Outcome::accepted}); });
  EXPECT_TRUE(sender.heard->has(4));
  EXPECT_FALSE(sender.heard->paused);
  world.in(reader, [](Client& client) { client.settle({1, 3, 4, Outcome::accepted}); });
  EXPECT_EQ(reader.heard->bodies(), "1 2 3 4") << "it has everything";
}

TEST_P(BusPromises, who_waits_for_a_subscriber_goes_on_when_it_goes) {
  BusWorld world(1, GetParam());
  const auto sender = world.user(0);
  const auto reader = world.user(1);
  const auto other = world.user(2);
  world.in(reader, [](Client& client) { client.subscribe(1, slow(1, SlowSubscriber::block), 0); });
  world.in(other, [](Client& client) { client.subscribe(1, slow(1, SlowSubscriber::block), 0); });
  world.in(sender, [](Client& client) {
    for (std::uint64_t i = 1; i <= 3; ++i) client.publish(topic("t"), text(std::to_string(i)), i);
  });
  EXPECT_FALSE(sender.heard->has(3));
  world.in(reader, [](Client& client) { client.unsubscribe(1, 1, 0); });
  EXPECT_FALSE(sender.heard->has(3)) << "the other one is full, too";
  world.kill(other);
  EXPECT_TRUE(sender.heard->has(3));
  EXPECT_FALSE(sender.heard->paused);
}

TEST_P(BusPromises, what_waits_for_a_slow_subscriber_is_bounded_whoever_waits) {
  BusWorld world(1, GetParam());
  const auto sender = world.user(0);
  const auto reader = world.user(1);
  world.in(reader, [](Client& client) { client.subscribe(1, slow(2, SlowSubscriber::block), 0); });
  world.in(sender, [](Client& client) {
    for (std::uint64_t i = 1; i <= 6; ++i) client.publish(topic("t"), text(std::to_string(i)), i);
  });
  EXPECT_TRUE(reader.heard->ended[1].contains("too slow")) << "past twice the limit";
  EXPECT_EQ(sender.heard->confirmed.size(), 6U);
  EXPECT_FALSE(sender.heard->paused);
  EXPECT_EQ(world.statistics().waiting_bytes, 0U);
}

TEST_P(BusPromises, nobody_waits_for_itself) {
  BusWorld world(1, GetParam());
  const auto both = world.user(0);
  QueueOptions options;
  options.messages = 1;
  options.overflow = QueueOverflow::block;
  world.in(both, [&](Client& client) {
    client.declare(queue("q"), options, false, 0);
    client.subscribe(1, slow(1, SlowSubscriber::block), 0);
    client.subscribe(2, to(queue("q"), 1), 0);
    for (std::uint64_t i = 1; i <= 3; ++i) client.publish(topic("t"), text("t"), i);
    client.publish(queue("q"), text("q"), 4);
    client.publish(queue("q"), text("q"), 5);
  });
  EXPECT_TRUE(both.heard->has(3));
  EXPECT_FALSE(both.heard->has(5)) << "it is over the limit";
  EXPECT_FALSE(both.heard->paused) << "or its own acknowledgement would never be read";
  world.in(both, [](Client& client) { client.settle({2, 1, 1, Outcome::accepted}); });
  world.in(both, [](Client& client) { client.settle({2, 2, 2, Outcome::accepted}); });
  EXPECT_TRUE(both.heard->has(5));
}

// ---- durable subscriptions
// ----------------------------------------------------------------------------

TEST_P(BusPromises, a_full_durable_subscription_does_what_its_overflow_says) {
  for (const QueueOverflow overflow : {QueueOverflow::reject, QueueOverflow::drop_oldest,
                                       QueueOverflow::dead_letter, QueueOverflow::block}) {
    BusWorld world(1, GetParam());
    const auto sender = world.user(0);
    const auto reader = world.user(1);
    const auto other = world.user(2);
    world.in(other, [](Client& client) { client.subscribe(1, to(topic("t")), 0); });
    world.in(reader, [&](Client& client) {
      client.subscribe(1, durable("d", "t", 2, overflow), 0);
      client.unsubscribe(1, 0, 0);
    });
    world.in(sender, [](Client& client) {
      for (std::uint64_t i = 1; i <= 3; ++i) client.publish(topic("t"), text(std::to_string(i)), i);
    });
    const bool refuses = overflow == QueueOverflow::reject;
    EXPECT_EQ(sender.heard->refused.size(), refuses ? 1U : 0U);
    EXPECT_EQ(other.heard->bodies(), refuses ? "1 2" : "1 2 3") << "all of it or nothing";
    const bool waits = overflow == QueueOverflow::block;
    EXPECT_EQ(sender.heard->paused, waits);
    EXPECT_EQ(sender.heard->has(3), !waits && !refuses);
    world.in(reader, [](Client& client) {
      client.subscribe(2, to({Destination::Kind::subscription, "d"}), 0);
      client.subscribe(3, to(queue("dlq/d")), 0);
    });
    EXPECT_EQ(reader.heard->got.size(), refuses || overflow == QueueOverflow::drop_oldest ? 2U : 3U)
        << reader.heard->bodies();
    world.in(reader, [](Client& client) { client.settle({2, 1, 3, Outcome::accepted}); });
    EXPECT_EQ(sender.heard->has(3), !refuses);
    EXPECT_FALSE(sender.heard->paused);
  }
}

TEST_P(BusPromises, what_a_durable_subscription_cannot_store_is_refused) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  BusWorld world(1, GetParam(), options);
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    client.subscribe(1, durable("d", "t", 10, QueueOverflow::drop_oldest), 1);
  });
  ASSERT_TRUE(user.heard->has(1));
  disk.broken = true;
  world.in(user, [](Client& client) { client.publish(topic("t"), text("meets it", true), 2); });
  world.in(user, [](Client& client) {
    client.publish(topic("t"), text("refused", true), 3);
    client.publish(topic("t"), text("transient"), 4);
    client.publish(topic("u"), text("nobody stores it", true), 5);
    client.publish(topic("u"), special("kept", Retain::set, 0, true), 6);
    Transaction transaction;
    transaction.publish(topic("t"), text("refused too", true));
    client.commit(std::move(transaction), 7);
  });
  EXPECT_EQ(user.heard->confirmed, (std::vector<std::uint64_t>{1, 4, 5}));
  for (const std::uint64_t token : {3U, 6U, 7U})
    EXPECT_TRUE(user.heard->refused[token].contains("disk full")) << token;
  EXPECT_EQ(user.heard->bodies(), "meets it transient");
  disk.broken = false;
  world.processes.settle(2s);
  EXPECT_TRUE(user.heard->has(2));
}

TEST_P(BusPromises, dead_letters_are_kept_while_the_store_fails) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  BusWorld world(1, GetParam(), options);
  const auto user = world.user(0);
  QueueOptions elsewhere;
  elsewhere.dead_letter = "graves";
  world.in(user, [&](Client& client) {
    client.declare(queue("q"), elsewhere, false, 0);
    client.publish(queue("q"), text("a", true), 1);
    client.publish(queue("q"), text("b", true), 2);
    client.subscribe(1, to(queue("q")), 0);
  });
  disk.broken = true;
  world.in(user, [](Client& client) { client.settle({1, 1, 1, Outcome::rejected}, 3); });
  world.in(user, [](Client& client) { client.settle({1, 2, 2, Outcome::rejected}, 4); });
  EXPECT_FALSE(user.heard->has(4));
  disk.broken = false;
  world.processes.settle(3s);
  EXPECT_TRUE(user.heard->has(4));
  world.in(user, [](Client& client) { client.subscribe(2, to(queue("graves")), 0); });
  EXPECT_EQ(user.heard->bodies(), "a b a b");
  EXPECT_EQ(world.statistics().dropped, 0U);
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
}

// ---- over a restart
// -----------------------------------------------------------------------------------

TEST_P(BusPromises, what_topics_keep_outlives_the_program) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  {
    BusWorld world(1, GetParam(), options);
    const auto user = world.user(0);
    world.in(user, [](Client& client) {
      client.publish(topic("a"), special("old", Retain::set, 0, true), 1);
      client.publish(topic("a"), special("new", Retain::set, 0, true), 2);
      client.publish(topic("b"), special("gone", Retain::set, 0, true), 3);
      client.publish(topic("b"), special("x", Retain::remove), 4);
      client.publish(topic("c"), special("transient", Retain::set), 5);
      client.publish(topic("d"), special("later", Retain::none, start_of_worlds + 10'000, true), 6);
      client.publish(topic("d"), special("kept later", Retain::set, start_of_worlds + 11'000, true),
                     7);
      client.publish(topic("e"), special("soon", Retain::set, start_of_worlds + 500, true), 8);
      client.publish(topic("d"), special("lost", Retain::none, start_of_worlds + 12'000), 9);
    });
    for (std::uint64_t token = 1; token <= 9; ++token) EXPECT_TRUE(user.heard->has(token)) << token;
    world.processes.settle(1s);
  }
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
  for (int life = 0; life < 2; ++life) {
    BusWorld again(2, GetParam(), options);
    const auto user = again.user(0);
    again.in(user, [](Client& client) { client.subscribe(1, to(topic("#")), 0); });
    if (life == 0) {
      EXPECT_EQ(user.heard->bodies(), "new soon");
      again.processes.settle(12s);
      EXPECT_EQ(user.heard->bodies(), "new soon later kept later");
    } else {
      EXPECT_EQ(user.heard->bodies(), "new kept later soon") << "what was delivered is, once";
      again.in(user, [](Client& client) {
        for (const char* name : {"a", "d", "e"})
          client.publish(topic(name), special("x", Retain::remove), 1);
      });
    }
  }
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
  EXPECT_TRUE(disk.queues.empty()) << "a topic that keeps nothing has nothing on disk";
}

TEST_P(BusPromises, a_message_grows_older_while_the_program_is_away) {
  MemoryDisk disk;
  BusOptions options;
  options.queue.message_ttl = 5s;
  options.store = std::make_shared<MemoryStore>(disk);
  {
    BusWorld world(1, GetParam(), options);
    const auto user = world.user(0);
    world.in(user, [](Client& client) { client.publish(queue("q"), text("x", true), 1); });
    EXPECT_TRUE(user.heard->has(1));
  }
  sim::World later(2);
  later.run_for(4s);
  BusWorld again(later, GetParam(), options);
  again.processes.settle();
  EXPECT_EQ(again.statistics().waiting_messages, 1U);
  again.processes.settle(1'500ms);
  EXPECT_EQ(again.statistics().waiting_messages, 0U) << "four seconds were gone already";
  EXPECT_EQ(again.statistics().expired, 1U);
}

}  // namespace
}  // namespace hawser::bus
