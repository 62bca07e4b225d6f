// A STOMP client on a simulated host, a scripted broker on another, and what the client's handler
// was told. Internal to the tests of this layer and those above.
#pragma once

#include <hawser/net/testing/net_world.hpp>
#include <hawser/stomp/client.hpp>
#include <hawser/stomp/testing/scripted_broker.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp::testing {

using hawser::testing::Events;
using hawser::testing::NetWorld;

/// What a test wants done in a callback.
struct Script {
  Events events;
  std::function<void(const Delivery&)> on_message;
  std::function<void()> on_ready;
  std::vector<DeliveryTicket> tickets;
  std::vector<Lost> losses;
};

/// Writes down all it is told.
class Recorder {
 public:
  explicit Recorder(Script* script) : script_(script) {}

  void handle_open() { add("open"); }
  void handle_connect_failed(const Reason&) { add("connect failed"); }
  void handle_connected(const FrameView& frame) {
    add("connected " + std::string(frame.first("version").value_or("1.0")));
  }
  void handle_ready() {
    add("ready");
    if (script_->on_ready) script_->on_ready();
  }
  void handle_message(const Delivery& message) {
    add("message " + std::string(message.body()));
    script_->tickets.push_back(message.ticket());
    if (script_->on_message) script_->on_message(message);
  }
  void handle_error(const FrameView& frame) {
    add("error " + std::string(frame.first("message").value_or("")));
  }
  void handle_disconnect(const Lost& lost) {
    add("lost " + lost.reason.text());
    script_->losses.push_back(lost);
  }
  void terminate(const Reason& reason) { add("terminate " + reason.text()); }

 private:
  void add(std::string event) { script_->events.add(std::move(event)); }
  Script* script_;
};

/// Runs what a test hands it inside a process of its own.
class Worker {
 public:
  using Work = std::function<Task<void>()>;
  void handle_cast(Work work) {
    works_.push_back(std::make_unique<Work>(std::move(work)));
    self().start((*works_.back())());
  }
  void handle_info(Info& info) {
    if (auto* arrival = info.get<Arrival>()) {
      arrivals.push_back(*arrival);
      if (on_arrival) on_arrival(arrivals.back());
    }
  }
  static inline std::vector<Arrival> arrivals;
  static inline std::function<void(const Arrival&)> on_arrival;

 private:
  std::vector<std::unique_ptr<Work>> works_;  // a lambda's captures live as long as its coroutine
};

class ClientWorld : public ::testing::Test {
 protected:
  explicit ClientWorld(std::uint64_t seed = 7)
      : world(seed, 1), broker(world.peers->engine(), world.world().host("client").address(61613)) {
    Worker::arrivals.clear();
    Worker::on_arrival = {};
  }

  /// What a test has put into the callbacks is gone before the world is.
  void TearDown() override {
    broker.on_frame = [this](auto& link, const Frame& got) { broker.answer(link, got); };
    script.on_message = {};
    script.on_ready = {};
    Worker::on_arrival = {};
  }

  template <class H = Recorder, class... Arguments>
  void start(ClientOptions options, Arguments... arguments) {
    if (options.targets.empty()) options.targets = TargetList(broker.address().text());
    options.backoff.jitter = Jitter::none;
    auto started = world.system->start(client<H>("feed", std::move(options), arguments...));
    ASSERT_TRUE(started) << started.error().text();
  }
  void start_ready(ClientOptions options = {}) {
    start(std::move(options), &script);
    ASSERT_TRUE(ready());
  }
  bool ready(std::size_t times = 1) {
    return world.until([&] { return script.events.count("ready") >= times; });
  }
  ClientRef feed() { return client_named(*world.system, "feed"); }
  Status status() { return *world.system->call(feed().ref(), GetStatus{}); }
  template <class M>
  auto ask(M message, Duration timeout = 60s) {
    return world.system->call(feed().ref(), std::move(message), timeout);
  }
  /// Starts a coroutine in a process of its own.
  void run_task(Worker::Work work) {
    if (!worker) worker = *world.system->spawn<Worker>({.name = "worker"});
    worker.cast(std::move(work));
  }
  bool event(std::string_view text, std::size_t times = 1) {
    return world.until([&] { return script.events.count(text) >= times; });
  }
  /// A MESSAGE for a subscription, by its id on the wire.
  void tell(const std::string& body, std::vector<Header> more = {},
            const std::string& subscription = "1") {
    std::vector<Header> headers{{"subscription", subscription},
                                {"message-id", "m" + std::to_string(++messages)},
                                {"destination", "/queue/a"}};
    if (broker.version == Version::v1_2) headers.push_back({"ack", "a" + std::to_string(messages)});
    headers.insert(headers.end(), more.begin(), more.end());
    broker.last().send(frame(Command::message, headers, body));
  }
  std::vector<std::string> bodies(Command command = Command::send) {
    std::vector<std::string> all;
    for (const Frame& each : broker.all(command)) all.emplace_back(each.body.view());
    return all;
  }

  Script script;
  NetWorld world;
  ScriptedBroker broker;
  Ref<Worker> worker;
  int messages = 0;
};

}  // namespace hawser::stomp::testing
