// Positions of messages in queues and durable subscriptions, from outside: they are the same for
// everybody and for ever, and a subscription may begin at one.
#include <hawser/bus/bus.hpp>
#include <hawser/bus/sqlite_store.hpp>
#include <hawser/bus/testing/bus_world.hpp>
#include <hawser/bus/testing/memory_store.hpp>
#include <hawser/bus/testing/temporary_folder.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus {
namespace {

using testing::BusWorld;
using testing::MemoryDisk;
using testing::MemoryStore;
using testing::queue;
using testing::TemporaryFolder;
using testing::text;
using testing::to;
using testing::topic;

Subscription from(Destination destination, std::uint64_t position) {
  Subscription wish = to(std::move(destination));
  wish.from = position;
  return wish;
}

std::vector<std::uint64_t> positions(const BusWorld::Somebody& who) {
  std::vector<std::uint64_t> all;
  for (const auto& each : who.heard->got) all.push_back(each.position);
  return all;
}
using Positions = std::vector<std::uint64_t>;

TEST(BusPositions, are_the_same_for_whoever_gets_the_message) {
  BusWorld world(1, 2);
  const auto first = world.user(0);
  const auto second = world.user(1);
  world.in(first, [](Client& client) {
    for (const auto* body : {"a", "b", "c"}) client.publish(queue("q"), text(body));
    Subscription browse = from(queue("q"), 2);
    browse.browse = true;
    client.subscribe(1, browse, 0);
  });
  EXPECT_EQ(first.heard->bodies(), "b c");
  EXPECT_EQ(positions(first), (Positions{2, 3}));
  world.in(second, [](Client& client) { client.subscribe(1, from(queue("q"), 3), 0); });
  EXPECT_EQ(second.heard->bodies(), "c") << "a and b are for others";
  world.in(second, [](Client& client) { client.settle({1, 1, 1, Outcome::released}); });
  EXPECT_EQ(positions(second), (Positions{3, 3}));
  world.kill(second);
  world.in(first, [](Client& client) { client.subscribe(2, to(queue("q")), 0); });
  EXPECT_EQ(positions(first), (Positions{2, 3, 1, 2, 3}));
}

TEST(BusPositions, durable_subscriptions_have_their_own) {
  BusWorld world(1, 2);
  const auto sender = world.user(0);
  const auto taker = world.user(1);
  const auto durable = [](std::string name, std::uint64_t position) {
    Subscription wish = from({Destination::Kind::subscription, std::move(name)}, position);
    wish.pattern = "t.>";
    return wish;
  };
  world.in(sender, [](Client& client) { client.publish(topic("t.a"), text("before")); });
  world.in(taker, [&](Client& client) {
    client.subscribe(1, durable("s", 0), 0);
    client.unsubscribe(1, 0, 0);
  });
  world.in(sender, [](Client& client) {
    for (const auto* body : {"a", "b", "c"}) client.publish(topic("t.a"), text(body));
  });
  world.in(taker, [&](Client& client) { client.subscribe(2, durable("s", 2), 0); });
  EXPECT_EQ(taker.heard->bodies(), "b c");
  EXPECT_EQ(positions(taker), (Positions{2, 3}));
}

TEST(BusPositions, topics_have_none_but_know_what_comes_now) {
  BusWorld world(1, 2);
  const auto user = world.user(0);
  world.in(user, [](Client& client) {
    MessageDraft draft{.destination = "/topic/t"};
    draft.body = "kept";
    draft.retain = Retain::set;
    client.publish(topic("t"), Message::make(draft));
    client.subscribe(1, from(topic("t"), 1), 1);
    client.subscribe(2, from(topic("t"), Subscription::from_now), 2);
  });
  EXPECT_NE(user.heard->refused[1].find("no positions"), std::string::npos);
  EXPECT_TRUE(user.heard->has(2));
  EXPECT_EQ(user.heard->bodies(), "") << "what was retained came before";
  world.in(user, [](Client& client) { client.publish(topic("t"), text("now")); });
  EXPECT_EQ(user.heard->bodies(), "now");
  EXPECT_EQ(positions(user), Positions{0});
}

TEST(BusPositions, stay_and_are_given_once_whatever_is_restarted) {
  const TemporaryFolder folder;
  const auto start = [&](const auto& test) {
    BusOptions options;
    auto store = SqliteStore::open(folder.path(), {});
    ASSERT_TRUE(store.has_value()) << store.error().text();
    options.store = *std::move(store);
    BusWorld world(1, 2, options);
    test(world, world.user(0));
  };
  std::uint64_t last = 0;
  start([&](BusWorld& world, const BusWorld::Somebody& user) {
    world.in(user, [](Client& client) {
      for (const auto* body : {"a", "b", "c"}) client.publish(queue("q"), text(body, true));
      for (const auto* body : {"d", "e"}) client.publish(queue("q"), text(body));
      client.subscribe(1, to(queue("q")), 0);
    });
    EXPECT_EQ(positions(user), (Positions{1, 2, 3, 4, 5}));
    world.in(user, [](Client& client) { client.settle({1, 1, 1, Outcome::accepted}, 1); });
    EXPECT_TRUE(user.heard->has(1));
    last = 5;
  });
  start([&](BusWorld& world, const BusWorld::Somebody& user) {
    world.in(user, [](Client& client) {
      client.subscribe(1, from(queue("q"), 3), 0);
      client.publish(queue("q"), text("f", true));
    });
    EXPECT_EQ(user.heard->bodies(), "c f");
    EXPECT_EQ(user.heard->got.at(0).position, 3U);
    EXPECT_GT(user.heard->got.at(1).position, last) << "d and e have had 4 and 5";
    last = user.heard->got.at(1).position;
    world.in(user, [](Client& client) {
      client.subscribe(2, to(queue("q")), 0);
      client.settle({1, 1, 2, Outcome::accepted}, 0);
      client.settle({2, 1, 1, Outcome::accepted}, 1);
    });
    EXPECT_TRUE(user.heard->has(1));
    EXPECT_EQ(user.heard->bodies(), "c f b");
  });
  // Nothing is kept any more, and still it goes on.
  start([&](BusWorld& world, const BusWorld::Somebody& user) {
    world.in(user, [&](Client& client) {
      client.publish(queue("q"), text("g"));
      client.subscribe(1, from(queue("q"), last + 1), 0);
    });
    EXPECT_EQ(user.heard->bodies(), "g");
    EXPECT_GT(user.heard->got.at(0).position, last);
  });
}

TEST(BusPositions, the_store_knows_how_far_they_have_come_before_they_are_given) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  {
    BusWorld world(1, 1, options);
    const auto user = world.user(0);
    world.in(user, [](Client& client) {
      QueueOptions few;
      few.messages = 10;
      few.overflow = QueueOverflow::drop_oldest;
      client.declare(queue("q"), few, false, 0);
    });
    const auto stored = [&] { return disk.queues.begin()->second.next_sequence; };
    const std::uint64_t before = stored();
    const MessagePtr message = text("x");
    for (std::uint64_t given = 0; given < before + 10'000; given += 10'000) {
      world.in(user, [&](Client& client) {
        for (int i = 0; i < 10'000; ++i) client.publish(queue("q"), message);
      });
      ASSERT_GT(stored(), given + 10'000 + 100'000);
    }
  }
  EXPECT_LE(disk.commits, 5U) << "and it is seldom told";
  const std::uint64_t commits = disk.commits;
  BusWorld again(2, 1, options);
  again.processes.settle(1s);
  EXPECT_EQ(disk.commits, commits) << "nor by a restart that gives none";
}

TEST(BusPositions, go_on_behind_what_is_kept_where_the_store_never_knew_how_far_they_were) {
  MemoryDisk disk;
  BusOptions options;
  options.store = std::make_shared<MemoryStore>(disk);
  {
    BusWorld world(1, 1, options);
    world.in(world.user(0), [](Client& client) {
      for (const auto* body : {"a", "b"}) client.publish(queue("q"), text(body, true));
    });
  }
  disk.queues.begin()->second.next_sequence = 1;  // as in a file of version 1
  BusWorld again(2, 1, options);
  const auto user = again.user(0);
  again.in(user, [](Client& client) {
    client.publish(queue("q"), text("c", true));
    client.subscribe(1, to(queue("q")), 0);
  });
  EXPECT_EQ(user.heard->bodies(), "a b c");
  EXPECT_EQ(positions(user), (Positions{1, 2, 3}));
}

}  // namespace
}  // namespace hawser::bus
