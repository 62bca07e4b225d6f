// A bus whose store cannot be written: persistent messages are refused with the reason, the rest
// goes on, and what was under way is confirmed when the store can be written again.
#include <hawser/bus/bus.hpp>
#include <hawser/bus/client.hpp>
#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/engine/sim/world.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus {
namespace {

struct Heard {
  std::vector<std::uint64_t> confirmed;
  std::vector<std::pair<std::uint64_t, Error>> refused;
};
struct Put {
  std::uint64_t token = 0;
  bool persistent = true;
};
struct PutTogether {
  std::uint64_t token = 0;
};

class Publisher final : public ClientEvents {
 public:
  explicit Publisher(Heard& heard)
      : heard_(heard), client_(*Bus::find(self().system(), "default"), *this) {}

  void handle_info(Info& info) {
    const Destination queue{Destination::Kind::queue, "jobs"};
    if (const auto* put = info.get<Put>()) {
      client_.publish(queue, message(put->persistent), put->token);
    } else if (const auto* together = info.get<PutTogether>()) {
      Transaction transaction;
      transaction.publish(queue, message(false));
      transaction.publish(queue, message(true));
      client_.commit(std::move(transaction), together->token);
    } else if (!client_.handle(info)) {
      return;
    }
    client_.flush();
  }

 private:
  static MessagePtr message(bool persistent) {
    MessageDraft draft{.destination = "/queue/jobs"};
    draft.persistent = persistent;
    return Message::make(draft);
  }
  void delivered(std::span<Delivery>) override {}
  void confirmed(std::uint64_t token) override { heard_.confirmed.push_back(token); }
  void refused(std::uint64_t token, const Error& error) override {
    heard_.refused.emplace_back(token, error);
  }
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}

  Heard& heard_;
  Client client_;
};

TEST(StoreTrouble, refuses_what_is_persistent_and_goes_on_by_itself) {
  sim::World world(1);
  const auto store = std::make_shared<testing::SimulatedStore>();
  System system(world.host("hub"));
  BusOptions options;
  options.store = store;
  ASSERT_TRUE(system.start(bus_child("default", options)).has_value());
  Heard heard;
  const auto publisher = system.spawn<Publisher>({}, std::ref(heard));
  ASSERT_TRUE(publisher.has_value());
  const auto ask = [&](auto request) {
    send_info(publisher->pid(), request);
    world.run_for(1500ms);
  };

  ask(Put{1});
  EXPECT_EQ(heard.confirmed, (std::vector<std::uint64_t>{1}));
  store->fail(Error{ErrorKind::exhausted, 28, "store", "hawser.db: no space is left"});
  ask(Put{2});  // meets the failure: neither confirmed nor refused
  EXPECT_EQ(heard.confirmed.size(), 1U);
  EXPECT_TRUE(heard.refused.empty());
  ask(Put{3});
  ask(PutTogether{4});
  ask(Put{5, false});
  ASSERT_EQ(heard.refused.size(), 2U);
  EXPECT_EQ(heard.refused[0].first, 3U);
  EXPECT_EQ(heard.refused[0].second.kind, ErrorKind::exhausted);
  EXPECT_EQ(heard.refused[0].second.text(),
            "publish: nothing persistent is taken, since the store cannot be written: hawser.db: "
            "no space is left");
  EXPECT_EQ(heard.refused[1].first, 4U);
  EXPECT_EQ(heard.confirmed, (std::vector<std::uint64_t>{1, 5}));

  store->recover();
  world.run_for(2s);
  EXPECT_EQ(heard.confirmed, (std::vector<std::uint64_t>{1, 5, 2}));
  ask(Put{6});
  ask(PutTogether{7});
  EXPECT_EQ(heard.confirmed, (std::vector<std::uint64_t>{1, 5, 2, 6, 7}));
  EXPECT_EQ(store->messages(), 4U);
  EXPECT_TRUE(store->faults().empty());
  system.stop(1s);
}

}  // namespace
}  // namespace hawser::bus
