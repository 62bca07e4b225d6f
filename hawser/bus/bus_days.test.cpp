// Random days of a bus on several schedulers: users publish, take, settle, commit and die. Whatever
// the order of things was, what the bus promised must hold at the end: the judge knows of each
// message who was told what about it.
#include <hawser/bus/testing/bus_world.hpp>
#include <hawser/bus/testing/memory_store.hpp>

#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace hawser::bus {
namespace {

using testing::BusWorld;
using testing::queue;
using testing::text;
using testing::to;

/// What is known of one message to a queue.
struct Story {
  std::uint64_t publisher = 0;
  std::string to;
  bool persistent = false;
  bool confirmed = false;  // that it is there
  bool refused = false;
  std::uint64_t transaction = 0;
  std::uint32_t seen = 0;    // deliveries
  bool asked_away = false;   // somebody asked for its end: it may be gone
  bool surely_gone = false;  // and was told that it is
  std::uint32_t drained = 0;
};
struct Deal {                      // a transaction
  std::vector<std::uint64_t> in;   // messages it takes
  std::vector<std::uint64_t> out;  // messages it makes
  bool confirmed = false;
  bool refused = false;
};

class Judge {
 public:
  std::vector<std::string> faults;
  /// Nothing goes back to its queue as never seen: then first deliveries are in order.
  bool orderly = false;
  std::map<std::uint64_t, Story> stories;
  std::map<std::uint64_t, Deal> deals;

  void fault(std::uint64_t id, const std::string& what) {
    faults.push_back("message " + std::to_string(id) + ": " + what);
  }
  void delivered(std::uint64_t id, std::uint64_t stream, const Delivery& delivery) {
    auto found = stories.find(id);
    if (found == stories.end()) return fault(id, "nobody sent it");
    Story& story = found->second;
    if (story.refused) fault(id, "was refused, and is there");
    if (story.surely_gone) fault(id, "was settled, and is there again");
    if (story.transaction != 0 && deals[story.transaction].refused)
      fault(id, "its transaction was refused, and it is there");
    ++story.seen;
    if (orderly && !delivery.redelivered) {
      std::uint64_t& last = last_[{stream, story.publisher}];
      if (id < last) fault(id, "overtaken by " + std::to_string(last));
      last = id;
    }
  }
  void end() {
    for (const auto& [id, story] : stories) {
      if (story.drained > 1) fault(id, "was there twice");
      if (story.confirmed && !story.asked_away && story.drained == 0) fault(id, "is lost");
      if (story.surely_gone && story.drained > 0) fault(id, "was settled, and is left");
    }
    for (const auto& [number, deal] : deals) {
      std::size_t made = 0;
      for (const std::uint64_t id : deal.out) made += stories[id].seen > 0 ? 1 : 0;
      if (made != 0 && made != deal.out.size())
        faults.push_back("transaction " + std::to_string(number) + " happened in part");
      for (const std::uint64_t id : deal.in)
        if (made != 0 && stories[id].drained > 0)
          fault(id, "was taken by a transaction that happened, and is left");
      if (deal.confirmed && made != deal.out.size())
        faults.push_back("transaction " + std::to_string(number) + " was confirmed, not done");
    }
  }

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> last_;
};

struct Held {
  std::uint64_t subscription = 0;
  std::uint64_t delivery = 0;
  std::uint64_t message = 0;
};
struct Player {
  BusWorld::Somebody who;
  std::map<std::uint64_t, std::string> subscriptions;
  std::vector<Held> held;
  std::map<std::uint64_t, std::function<void(bool)>> awaited;
  std::uint64_t last_subscription = 0;
};

void run_day(sim::World& world, bool storing) {
  Random& random = world.random();
  testing::MemoryDisk disk;
  BusOptions options;
  options.queue.deliveries = 1'000;  // nothing goes elsewhere by itself
  options.queue.messages = 40;
  if (random.below(2) == 0) options.queue.overflow = QueueOverflow::block;
  if (storing) options.store = std::make_shared<testing::MemoryStore>(disk);
  Judge judge;
  judge.orderly = random.below(2) == 0;
  std::uint64_t last_message = 0;
  std::uint64_t last_token = 0;
  std::uint64_t last_deal = 0;
  std::uint64_t last_life = 0;
  const std::vector<std::string> names{"q0", "q1", "q2", "q3", "q4"};
  {
    BusWorld bus(world, 1 + static_cast<unsigned>(random.below(3)), options);
    std::map<std::uint64_t, std::shared_ptr<Player>> players;  // by life
    std::vector<std::shared_ptr<Player>> everybody;            // the dead too: some still hear
    const auto join = [&] {
      const std::uint64_t life = ++last_life;
      auto player = std::make_shared<Player>();
      player->who = bus.user(static_cast<unsigned>(life));
      Player* const raw = player.get();
      player->who.heard->on_delivery = [&judge, raw, life](Client&, const Delivery& delivery) {
        if (!raw->subscriptions.contains(delivery.subscription)) return;  // left meanwhile
        const std::uint64_t id = std::stoull(std::string(delivery.message->body()));
        judge.delivered(id, life * 1'000 + delivery.subscription, delivery);
        raw->held.push_back({delivery.subscription, delivery.id, id});
      };
      player->who.heard->on_answer = [raw](std::uint64_t token, bool confirmed) {
        const auto found = raw->awaited.find(token);
        if (found == raw->awaited.end()) return;
        const auto work = std::move(found->second);
        raw->awaited.erase(found);
        work(confirmed);
      };
      everybody.push_back(player);
      players.emplace(life, std::move(player));
    };
    for (int i = 0; i < 4; ++i) join();
    const auto make = [&](std::uint64_t publisher, std::uint64_t deal) {
      const std::uint64_t id = ++last_message;
      Story& story = judge.stories[id];
      story.publisher = publisher;
      story.to = names[random.below(names.size())];
      story.persistent = random.below(2) == 0;
      story.transaction = deal;
      return id;
    };
    const auto turn = [&](std::uint64_t life, const std::shared_ptr<Player>& player) {
      player->who.ref.cast(testing::User::Do{[&, life, player](Client& client) {
        const std::uint64_t actions = 1 + random.below(6);
        for (std::uint64_t i = 0; i < actions; ++i) switch (random.below(8)) {
            case 0:
            case 1:
            case 2: {
              const std::uint64_t id = make(life, 0);
              const Story& story = judge.stories[id];
              const std::uint64_t token = ++last_token;
              player->awaited[token] = [&judge, id](bool confirmed) {
                (confirmed ? judge.stories[id].confirmed : judge.stories[id].refused) = true;
              };
              client.publish(queue(story.to), text(std::to_string(id), story.persistent), token);
              break;
            }
            case 3: {
              const std::uint64_t number = ++player->last_subscription;
              const std::string& name = names[random.below(names.size())];
              player->subscriptions[number] = name;
              client.subscribe(number,
                               to(queue(name), 1 + static_cast<std::uint32_t>(random.below(8))), 0);
              break;
            }
            case 4:
              if (!judge.orderly && !player->subscriptions.empty() && random.below(3) == 0) {
                const std::uint64_t number = player->subscriptions.begin()->first;
                std::uint64_t seen = 0;
                for (const auto& held : player->held)
                  if (held.subscription == number) seen = std::max(seen, held.delivery);
                std::erase_if(player->held,
                              [number](const Held& held) { return held.subscription == number; });
                player->subscriptions.erase(number);
                client.unsubscribe(number, seen, 0);
              }
              break;
            case 5: {
              if (player->held.empty() || random.below(2) == 0) break;
              const std::uint64_t number = ++last_deal;
              Deal& deal = judge.deals[number];
              Transaction transaction;
              for (std::uint64_t out = 0; out < 3; ++out) {
                const std::uint64_t id = make(life, number);
                const Story& story = judge.stories[id];
                deal.out.push_back(id);
                transaction.publish(queue(story.to), text(std::to_string(id), story.persistent));
              }
              const Held held = player->held.back();
              player->held.pop_back();
              deal.in.push_back(held.message);
              transaction.settle(
                  {held.subscription, held.delivery, held.delivery, Outcome::accepted});
              const std::uint64_t token = ++last_token;
              // Until it is answered it may have happened; if it has not, the delivery is ours
              // again.
              judge.stories[held.message].asked_away = true;
              for (const std::uint64_t id : deal.out) judge.stories[id].confirmed = false;
              player->awaited[token] = [&judge, number, whose = player.get(),
                                        held](bool confirmed) {
                Deal& done = judge.deals[number];
                (confirmed ? done.confirmed : done.refused) = true;
                if (confirmed) {
                  judge.stories[held.message].surely_gone = true;
                  for (const std::uint64_t id : done.out) judge.stories[id].confirmed = true;
                } else if (whose->subscriptions.contains(held.subscription)) {
                  whose->held.push_back(held);
                }
              };
              client.commit(std::move(transaction), token);
              break;
            }
            default: {
              if (player->held.empty()) break;
              const Held held = player->held.front();
              player->held.erase(player->held.begin());
              const std::uint64_t kind = random.below(4);
              const Outcome outcome = kind == 0                     ? Outcome::released
                                      : kind == 1 && !judge.orderly ? Outcome::unread
                                                                    : Outcome::accepted;
              const std::uint64_t token = ++last_token;
              if (outcome == Outcome::accepted) {
                judge.stories[held.message].asked_away = true;
                player->awaited[token] = [&judge, held](bool) {
                  judge.stories[held.message].surely_gone = true;
                };
              }
              client.settle({held.subscription, held.delivery, held.delivery, outcome}, token);
            }
          }
      }});
    };
    for (int step = 0; step < 60; ++step) {
      auto chosen = players.begin();
      std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(players.size())));
      if (random.below(12) == 0) {
        send_exit(chosen->second->who.ref.pid(), Reason::killed());
        chosen->second->subscriptions.clear();  // what still comes, comes to nobody
        players.erase(chosen);
        join();
      } else {
        turn(chosen->first, chosen->second);
      }
      if (random.below(3) == 0)
        world.run_for(Duration{static_cast<std::int64_t>(random.below(2'000'000))});
      if (storing && random.below(15) == 0) disk.broken = !disk.broken;
    }
    disk.broken = false;
    world.run_for(5s);
    for (const auto& [life, player] : players) {
      send_exit(player->who.ref.pid(), Reason::killed());
      player->subscriptions.clear();
    }
    world.run_for(100ms);
    if (!storing || random.below(2) == 0) {
      // What is left in memory is all that is left.
      const auto drainer = bus.user(0);
      drainer.heard->on_delivery = [&judge](Client& client, const Delivery& delivery) {
        const std::uint64_t id = std::stoull(std::string(delivery.message->body()));
        Story& story = judge.stories[id];
        ++story.drained;
        ++story.seen;
        if (story.refused) judge.fault(id, "was refused, and is left");
        client.settle({delivery.subscription, delivery.id, delivery.id, Outcome::accepted}, 0);
      };
      bus.in(drainer, [&names](Client& client) {
        std::uint64_t number = 0;
        for (const auto& name : names) client.subscribe(++number, to(queue(name)), 0);
      });
      world.run_for(3s);
      const auto statistics = bus.statistics();
      EXPECT_EQ(statistics.waiting_messages, 0U);
      EXPECT_EQ(statistics.waiting_bytes, 0U);
      EXPECT_EQ(statistics.unsettled_messages, 0U);
      for (const auto& [id, rows] : disk.messages) EXPECT_TRUE(rows.empty()) << "queue " << id;
      judge.end();
    } else {
      // The program ends here; what is on the disk is what was promised.
      std::set<std::uint64_t> kept;
      for (const auto& [queue_id, rows] : disk.messages)
        for (const auto& [sequence, row] : rows)
          EXPECT_TRUE(kept.insert(std::stoull(std::string(row.message->body()))).second);
      for (const auto& [id, story] : judge.stories) {
        if (!story.persistent) continue;
        if (story.confirmed && !story.asked_away && !kept.contains(id)) judge.fault(id, "is lost");
        if ((story.surely_gone || story.refused) && kept.contains(id))
          judge.fault(id, "should be gone from the disk");
      }
    }
  }
  EXPECT_EQ(disk.faults, std::vector<std::string>{});
  EXPECT_EQ(judge.faults, std::vector<std::string>{});
}

TEST(BusDays, every_promise_is_kept) {
  const auto report =
      sim::for_each_seed(100, [](sim::World& world) { run_day(world, world.seed() % 2 == 0); },
                         {.has_failed = [] { return ::testing::Test::HasFailure(); },
                          .arguments = "--gtest_filter=BusDays.every_promise_is_kept"});
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

}  // namespace
}  // namespace hawser::bus
