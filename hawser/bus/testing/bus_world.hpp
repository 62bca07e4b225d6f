// A bus in a simulated world, and users that do what a test tells them and keep what they hear.
// Internal to tests.
#pragma once

#include <hawser/bus/client.hpp>
#include <hawser/process/testing/process_world.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus::testing {

/// What one user heard; the test's, so that it outlives the user.
struct Heard {
  struct Got {
    std::uint64_t subscription = 0;
    std::uint64_t id = 0;
    std::string body;
    std::uint32_t count = 1;
    bool redelivered = false;
    MessagePtr message;
    std::uint64_t position = 0;
  };
  std::vector<Got> got;
  std::vector<std::uint64_t> confirmed;
  std::map<std::uint64_t, std::string> refused;
  std::map<std::uint64_t, std::string> ended;
  std::vector<std::uint64_t> browsed;
  bool paused = false;
  std::function<void(Client&, const Delivery&)> on_delivery;
  std::function<void(std::uint64_t token, bool confirmed)> on_answer;

  bool has(std::uint64_t token) const {
    return std::find(confirmed.begin(), confirmed.end(), token) != confirmed.end();
  }
  /// Bodies in order, parted by blanks.
  std::string bodies() const {
    std::string all;
    for (const auto& each : got) all += (all.empty() ? "" : " ") + each.body;
    return all;
  }
};

class User final : private ClientEvents {
 public:
  struct Do {
    std::function<void(Client&)> work;
  };
  explicit User(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {}
  void init() {
    client_.emplace(*Bus::find(self().system(), "bus"), static_cast<ClientEvents&>(*this));
  }
  void handle_cast(Do task) {
    task.work(*client_);
    client_->flush();
  }
  void handle_info(Info& info) {
    if (client_->handle(info)) client_->flush();
  }

 private:
  void delivered(std::span<Delivery> deliveries) override {
    for (const auto& each : deliveries) {
      heard_->got.push_back({each.subscription, each.id, std::string(each.message->body()),
                             each.count, each.redelivered, each.message, each.position});
      if (heard_->on_delivery) heard_->on_delivery(*client_, each);
    }
  }
  void confirmed(std::uint64_t token) override {
    heard_->confirmed.push_back(token);
    if (heard_->on_answer) heard_->on_answer(token, true);
  }
  void refused(std::uint64_t token, const Error& error) override {
    heard_->refused[token] = error.text();
    if (heard_->on_answer) heard_->on_answer(token, false);
  }
  void subscription_ended(std::uint64_t number, const Error& error) override {
    heard_->ended[number] = error.text();
  }
  void browse_ended(std::uint64_t number) override { heard_->browsed.push_back(number); }
  void pause_changed(bool paused) override { heard_->paused = paused; }

  std::shared_ptr<Heard> heard_;
  std::optional<Client> client_;
};

inline Destination queue(std::string name) { return {Destination::Kind::queue, std::move(name)}; }
inline Destination topic(std::string name) { return {Destination::Kind::topic, std::move(name)}; }

inline MessagePtr text(std::string_view body, bool persistent = false) {
  MessageDraft draft;
  draft.destination = "/somewhere";
  draft.body = body;
  draft.persistent = persistent;
  return Message::make(draft);
}

inline Subscription to(Destination destination, std::uint32_t prefetch = 1'000) {
  Subscription subscription;
  subscription.to = std::move(destination);
  subscription.prefetch = prefetch;
  return subscription;
}

class BusWorld {
 public:
  struct Somebody {
    Ref<User> ref;
    std::shared_ptr<Heard> heard;
  };
  BusWorld(std::uint64_t seed, unsigned schedulers, BusOptions options = {})
      : world_(seed), processes(world_, schedulers) {
    EXPECT_TRUE(processes.system.start(bus_child("bus", std::move(options))).has_value());
  }
  BusWorld(sim::World& world, unsigned schedulers, BusOptions options = {})
      : world_(1), processes(world, schedulers) {
    EXPECT_TRUE(processes.system.start(bus_child("bus", std::move(options))).has_value());
  }

  Somebody user(unsigned where = 0) {
    auto heard = std::make_shared<Heard>();
    auto spawned = processes.system.spawn_on<User>(processes.on(where), {}, heard);
    EXPECT_TRUE(spawned.has_value());
    return {*spawned, heard};
  }
  /// Has it done, and everything that follows.
  void in(const Somebody& who, std::function<void(Client&)> work) {
    who.ref.cast(User::Do{std::move(work)});
    processes.settle();
  }
  void kill(const Somebody& who) {
    send_exit(who.ref.pid(), Reason::killed());
    processes.settle();
  }
  BusStatistics statistics() {
    return bus_statistics(processes.system, "bus").value_or(BusStatistics{});
  }

 private:
  sim::World world_;

 public:
  hawser::testing::ProcessWorld processes;
};

}  // namespace hawser::bus::testing
