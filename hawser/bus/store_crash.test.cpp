// The bus on a host that crashes at any moment, over many seeds: what it confirmed before is there
// afterwards, once, in order, and what was settled stays away; a transaction happened or did not.
#include <hawser/bus/bus.hpp>
#include <hawser/bus/client.hpp>
#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/engine/sim/world.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus {
namespace {

using testing::SimulatedStore;

constexpr const char* bus_name = "crash";
const Destination first_queue{Destination::Kind::queue, "first"};
const Destination second_queue{Destination::Kind::queue, "second"};

/// What the outside knows, through all crashes. A message is put into `first`, moved to `second` in
/// a transaction, and settled there.
struct Ledger {
  std::set<std::uint64_t> sent;       // asked for in this life, not confirmed
  std::set<std::uint64_t> confirmed;  // must be somewhere
  std::set<std::uint64_t> settling;   // asked for, not confirmed
  std::set<std::uint64_t> settled;    // must never be seen again
  std::uint64_t next = 0;
  std::uint64_t moved = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t refused = 0;
};

MessagePtr make_message(std::uint64_t number) {
  const std::string body = std::to_string(number) + std::string(number % 700, 'x');
  MessageDraft draft{.destination = "/queue/any"};
  draft.body = body;
  draft.persistent = true;
  return Message::make(draft);
}

std::uint64_t number_of(const Message& message) {
  const BytesView body = message.body();
  std::uint64_t number = 0;
  std::from_chars(body.data(), body.data() + body.size(), number);
  EXPECT_EQ(body, std::to_string(number) + std::string(number % 700, 'x'));
  return number;
}

struct Beat {};

/// Puts messages in, moves them on and settles them, in steps of its own choice.
class Worker final : public ClientEvents {
 public:
  explicit Worker(Ledger& ledger)
      : ledger_(ledger), client_(*Bus::find(self().system(), bus_name), *this) {}

  void init() {
    for (const auto& [number, queue] : {std::pair(1U, first_queue), std::pair(2U, second_queue)}) {
      Subscription subscription;
      subscription.to = queue;
      subscription.prefetch = 20;
      client_.subscribe(number, std::move(subscription), 0);
    }
    client_.flush();
    self().send_after(1ms, Beat{});
  }

  void handle_info(Info& info) {
    if (client_.handle(info)) return client_.flush();
    if (info.get<Beat>() == nullptr) return;
    Random& random = self().random();
    for (std::uint64_t count = random.below(6); count > 0; --count) {
      const std::uint64_t number = ++ledger_.next;
      ledger_.sent.insert(number);
      client_.publish(first_queue, make_message(number), ask(Task::put, {{0, number}}));
    }
    while (!first_.empty() && random.below(4) != 0) move(random);
    while (!second_.empty() && random.below(4) != 0) settle(random);
    client_.flush();
    self().send_after(Duration(static_cast<std::int64_t>(1'000'000 + random.below(8'000'000))),
                      Beat{});
  }

 private:
  enum class Task : std::uint8_t { put, move, settle };
  struct Held {
    std::uint64_t delivery;
    std::uint64_t number;
  };
  struct Asked {
    Task task;
    std::vector<Held> held;
  };

  std::uint64_t ask(Task task, std::vector<Held> held) {
    asked_[++token_] = {task, std::move(held)};
    return token_;
  }

  static Settlement taken(std::uint64_t subscription, std::uint64_t delivery, Outcome outcome) {
    return {subscription, delivery, delivery, outcome};
  }

  void move(Random& random) {
    Transaction transaction;
    std::vector<Held> all;
    for (std::uint64_t count = 1 + random.below(3); count > 0 && !first_.empty(); --count) {
      const Held held = first_.front();
      first_.erase(first_.begin());
      if (random.below(10) == 0) {
        client_.settle(taken(1, held.delivery, Outcome::released));
        continue;
      }
      transaction.settle(taken(1, held.delivery, Outcome::accepted));
      transaction.publish(second_queue, make_message(held.number));
      all.push_back(held);
    }
    if (all.empty()) return;
    client_.commit(std::move(transaction), ask(Task::move, std::move(all)));
  }

  void settle(Random& random) {
    const Held held = second_.front();
    second_.erase(second_.begin());
    if (random.below(10) == 0) return client_.settle(taken(2, held.delivery, Outcome::released));
    ledger_.settling.insert(held.number);
    client_.settle(taken(2, held.delivery, Outcome::accepted), ask(Task::settle, {held}));
  }

  void delivered(std::span<Delivery> deliveries) override {
    for (const Delivery& delivery : deliveries) {
      const std::uint64_t number = number_of(*delivery.message);
      EXPECT_FALSE(ledger_.settled.contains(number)) << number << " comes back";
      ledger_.redelivered += delivery.redelivered ? 1U : 0U;
      (delivery.subscription == 1 ? first_ : second_).push_back({delivery.id, number});
    }
  }
  void confirmed(std::uint64_t token) override {
    const auto found = asked_.find(token);
    ASSERT_NE(found, asked_.end()) << "a token that was not asked for";
    for (const auto& [delivery, number] : found->second.held) {
      switch (found->second.task) {
        case Task::put:
          ledger_.sent.erase(number);
          // It may be settled before its own confirmation comes.
          if (!ledger_.settled.contains(number)) ledger_.confirmed.insert(number);
          break;
        case Task::move:
          ++ledger_.moved;
          break;
        case Task::settle:
          ledger_.settling.erase(number);
          ledger_.confirmed.erase(number);
          ledger_.settled.insert(number);
      }
    }
    asked_.erase(found);
  }
  /// The store was failing: nothing of it has been done.
  void refused(std::uint64_t token, const Error& error) override {
    const auto found = asked_.find(token);
    ASSERT_NE(found, asked_.end()) << error.text();
    for (const Held& held : found->second.held) {
      if (found->second.task == Task::put) {
        ledger_.sent.erase(held.number);
        ledger_.settled.insert(held.number);  // never to be seen
      } else {
        EXPECT_EQ(found->second.task, Task::move) << error.text();
        first_.push_back(held);
      }
    }
    ++ledger_.refused;
    asked_.erase(found);
  }
  void subscription_ended(std::uint64_t, const Error& error) override {
    ADD_FAILURE() << error.text();
  }
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}

  Ledger& ledger_;
  Client client_;
  std::map<std::uint64_t, Asked> asked_;
  std::uint64_t token_ = 0;
  std::vector<Held> first_;
  std::vector<Held> second_;
};

/// Reads what is in both queues.
class Reader final : public ClientEvents {
 public:
  struct Seen {
    std::array<std::vector<std::uint64_t>, 2> numbers;
    int ended = 0;
  };
  explicit Reader(Seen& seen)
      : seen_(seen), client_(*Bus::find(self().system(), bus_name), *this) {}

  void init() {
    for (const auto& [number, queue] : {std::pair(1U, first_queue), std::pair(2U, second_queue)}) {
      Subscription subscription;
      subscription.to = queue;
      subscription.browse = true;
      subscription.prefetch = 0;
      subscription.prefetch_bytes = UINT64_MAX;
      client_.subscribe(number, std::move(subscription), 0);
    }
    client_.flush();
  }
  void handle_info(Info& info) {
    if (client_.handle(info)) client_.flush();
  }

 private:
  void delivered(std::span<Delivery> deliveries) override {
    for (const Delivery& delivery : deliveries)
      seen_.numbers.at(delivery.subscription - 1).push_back(number_of(*delivery.message));
  }
  void confirmed(std::uint64_t) override {}
  void refused(std::uint64_t, const Error& error) override { ADD_FAILURE() << error.text(); }
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override { ++seen_.ended; }
  void pause_changed(bool) override {}

  Seen& seen_;
  Client client_;
};

/// What must hold after a crash; then what was open is decided: it is there, or it never will be.
void check_and_close(const Reader::Seen& seen, Ledger& ledger) {
  std::set<std::uint64_t> there;
  for (const auto& numbers : seen.numbers) {
    for (const std::uint64_t number : numbers) {
      EXPECT_TRUE(there.insert(number).second) << number << " is there twice";
      EXPECT_FALSE(ledger.settled.contains(number)) << number << " was settled";
      EXPECT_TRUE(ledger.sent.contains(number) || ledger.confirmed.contains(number) ||
                  ledger.settling.contains(number))
          << number << " was not to be here";
    }
  }
  EXPECT_TRUE(std::ranges::is_sorted(seen.numbers[0])) << "the first queue is out of order";
  for (const std::uint64_t number : ledger.confirmed) {
    EXPECT_TRUE(there.contains(number) || ledger.settling.contains(number))
        << number << " was confirmed and is lost";
  }
  for (const std::uint64_t number : ledger.settling)
    if (!there.contains(number)) ledger.settled.insert(number);
  for (const std::uint64_t number : ledger.sent)
    if (!there.contains(number)) ledger.settled.insert(number);
  ledger.settling.clear();
  ledger.sent.clear();
  ledger.confirmed = std::move(there);
}

TEST(StoreCrash, what_the_bus_confirmed_outlives_every_crash) {
  std::uint64_t moved = 0;
  std::uint64_t settled = 0;
  std::uint64_t open = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t refused = 0;
  const auto report = sim::for_each_seed(
      150,
      [&](sim::World& world) {
        Random& random = world.random();
        const auto store = std::make_shared<SimulatedStore>(random.next());
        if (random.below(3) == 0) store->fail_sometimes(0.05);
        sim::Host& host = world.host("hub");
        Ledger ledger;
        for (int life = 0; life < 6; ++life) {
          SystemOptions system_options;
          system_options.schedulers = 1 + static_cast<unsigned>(random.below(3));
          System system(host, system_options);
          BusOptions options;
          options.store = store;
          options.queue.deliveries = 1'000'000;
          const auto started = system.start(bus_child(bus_name, options));
          ASSERT_TRUE(started.has_value()) << started.error().text();
          Reader::Seen seen;
          ASSERT_TRUE(system.spawn<Reader>({}, std::ref(seen)).has_value());
          ASSERT_TRUE(world.run_until([&] { return seen.ended == 2; }, 10s));
          check_and_close(seen, ledger);
          if (::testing::Test::HasFailure()) return;
          ASSERT_TRUE(system.spawn<Worker>({}, std::ref(ledger)).has_value());
          world.run_for(Duration(static_cast<std::int64_t>(random.below(400'000'000))));
          for (auto steps = random.below(100); steps > 0; --steps) world.step();
          open += ledger.sent.size() + ledger.settling.size();
          host.crash();
          system.stop(1s);
          host.restart();
        }
        EXPECT_TRUE(store->faults().empty()) << store->faults().front();
        moved += ledger.moved;
        settled += ledger.settled.size();
        redelivered += ledger.redelivered;
        refused += ledger.refused;
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=StoreCrash.*"});
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
  RecordProperty("moved", std::to_string(moved));
  RecordProperty("settled", std::to_string(settled));
  RecordProperty("redelivered", std::to_string(redelivered));
  RecordProperty("refused", std::to_string(refused));
  EXPECT_GT(moved, report.runs) << "nothing was moved";
  EXPECT_GT(settled, report.runs);
  EXPECT_GT(open, report.runs) << "no crash met anything under way";
}

}  // namespace
}  // namespace hawser::bus
