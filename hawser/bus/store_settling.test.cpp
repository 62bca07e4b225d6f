// Messages that a consumer takes as soon as they come, and those that nobody takes: what the store
// is asked to write of them.
#include <hawser/bus/bus.hpp>
#include <hawser/bus/client.hpp>
#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/engine/sim/world.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

namespace hawser::bus {
namespace {

const Destination settled_jobs{Destination::Kind::queue, "jobs"};
constexpr std::uint64_t unconfirmed_window = 16;

struct BeginSending {};

/// Keeps `unconfirmed_window` messages unconfirmed until it has sent them all.
class WindowSender final : public ClientEvents {
 public:
  WindowSender(std::uint64_t count, std::uint64_t& is_confirmed)
      : left_(count),
        confirmed_(is_confirmed),
        client_(*Bus::find(self().system(), "default"), *this) {}

  void handle_info(Info& info) {
    if (info.get<BeginSending>() != nullptr) {
      for (std::uint64_t i = 0; i < unconfirmed_window; ++i) publish();
    } else if (!client_.handle(info)) {
      return;
    }
    client_.flush();
  }

 private:
  void publish() {
    if (left_ == 0) return;
    MessageDraft draft{.destination = "/queue/jobs"};
    draft.persistent = true;
    client_.publish(settled_jobs, Message::make(draft), left_--);
  }
  void delivered(std::span<Delivery>) override {}
  void confirmed(std::uint64_t) override {
    ++confirmed_;
    publish();
  }
  void refused(std::uint64_t, const Error& error) override { ADD_FAILURE() << error.text(); }
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}

  std::uint64_t left_;
  std::uint64_t& confirmed_;
  Client client_;
};

/// Settles what it gets at once.
class PromptTaker final : public ClientEvents {
 public:
  explicit PromptTaker(std::uint64_t& is_taken)
      : taken_(is_taken), client_(*Bus::find(self().system(), "default"), *this) {
    client_.subscribe(1, {.to = settled_jobs}, 0);
    client_.flush();
  }
  void handle_info(Info& info) {
    if (client_.handle(info)) client_.flush();
  }

 private:
  void delivered(std::span<Delivery> deliveries) override {
    taken_ += deliveries.size();
    client_.settle({1, deliveries.front().id, deliveries.back().id, Outcome::accepted}, 0);
  }
  void confirmed(std::uint64_t) override {}
  void refused(std::uint64_t, const Error& error) override { ADD_FAILURE() << error.text(); }
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}

  std::uint64_t& taken_;
  Client client_;
};

/// Notes how much of what it was to write came and went within one write.
class PairCountingStore final : public Store {
 public:
  Result<Recovered> load(const std::function<bool(const Destination&)>& wanted) override {
    return kept_.load(wanted);
  }
  Result<void> write(std::span<const StoreBatch> batches) override {
    std::uint64_t adds = 0;
    std::uint64_t settles = 0;
    for (const StoreBatch& batch : batches)
      for (const StoreChange& change : batch.changes) {
        adds += change.kind == StoreChange::Kind::add ? 1U : 0U;
        settles += change.kind == StoreChange::Kind::settle ? 1U : 0U;
      }
    added += adds;
    passing += std::min(adds, settles);
    return kept_.write(batches);
  }
  std::size_t messages() const { return kept_.messages(); }

  std::uint64_t added = 0;
  std::uint64_t passing = 0;

 private:
  testing::SimulatedStore kept_;
};

class StoreSettling : public ::testing::Test {
 protected:
  StoreSettling() {
    BusOptions options;
    options.store = store;
    EXPECT_TRUE(system.start(bus_child("default", options)).has_value());
  }
  ~StoreSettling() override { system.stop(1s); }

  /// Until all of them are confirmed.
  void send(std::uint64_t count) {
    const auto sender = system.spawn<WindowSender>({}, count, std::ref(is_confirmed));
    ASSERT_TRUE(sender.has_value());
    send_info(sender->pid(), BeginSending{});
    ASSERT_TRUE(world.run_until([&] { return is_confirmed == count; }, 600s));
    world.run_for(1s);
  }

  sim::World world{1};
  std::shared_ptr<PairCountingStore> store = std::make_shared<PairCountingStore>();
  System system{world.host("hub")};
  std::uint64_t is_confirmed = 0;
};

TEST_F(StoreSettling, what_is_taken_at_once_need_not_be_written) {
  constexpr std::uint64_t count = 2'000;
  std::uint64_t is_taken = 0;
  ASSERT_TRUE(system.spawn<PromptTaker>({}, std::ref(is_taken)).has_value());
  send(count);
  EXPECT_EQ(is_taken, count);
  EXPECT_EQ(store->added, count);
  EXPECT_GT(store->passing, count * 9 / 10);
  EXPECT_EQ(store->messages(), 0U);
}

TEST_F(StoreSettling, what_nobody_takes_is_written) {
  constexpr std::uint64_t count = 200;
  send(count);
  EXPECT_EQ(store->messages(), count);
}

}  // namespace
}  // namespace hawser::bus
