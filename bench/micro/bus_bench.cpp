// What a message costs the bus: made, published, given out, settled, destroyed, in batches of 64 as
// a busy connection makes them; and whether 100,000 subscriptions change that. CPU time of the
// whole program a message; no sockets.
#include <hawser/bus/client.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bus {
namespace {

constexpr std::uint32_t batch = 64;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Events : ClientEvents {
  void delivered(std::span<Delivery>) override {}
  void confirmed(std::uint64_t) override {}
  void refused(std::uint64_t, const Error&) override {}
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}
};

/// Opened when so many deliveries have been settled.
struct Goal {
  std::atomic<std::uint64_t> left{0};
  Gate* gate = nullptr;
};

class Consumer final : private Events {
 public:
  Consumer(Goal* goal, std::vector<Destination> to, std::uint32_t prefetch)
      : goal_(goal), to_(std::move(to)), prefetch_(prefetch) {}
  void init() {
    client_.emplace(*Bus::find(self().system(), "bench"), static_cast<ClientEvents&>(*this));
    std::uint64_t number = 0;
    for (auto& each : to_) {
      Subscription subscription;
      subscription.to = each;
      subscription.prefetch = prefetch_;
      client_->subscribe(++number, std::move(subscription), 0);
    }
  }
  void handle_info(Info& info) {
    if (client_->handle(info)) client_->flush();
  }

 private:
  void delivered(std::span<Delivery> deliveries) override {
    for (auto& each : deliveries) {
      benchmark::DoNotOptimize(each.message->whole().size());
      each.message.reset();
      client_->settle({each.subscription, each.id, each.id});
    }
    const auto count = static_cast<std::uint64_t>(deliveries.size());
    if (goal_->left.fetch_sub(count) == count) goal_->gate->open();
  }
  Goal* goal_;
  std::vector<Destination> to_;
  std::uint32_t prefetch_;
  std::optional<Client> client_;
};

struct Go {
  std::uint64_t messages = 0;
};
struct Again {};

class Producer final : private Events {
 public:
  explicit Producer(std::vector<Destination> to) : to_(std::move(to)) {}
  void init() {
    client_.emplace(*Bus::find(self().system(), "bench"), static_cast<ClientEvents&>(*this),
                    ClientOptions{.senders = 16'384});
    for (const auto& each : to_) senders_.push_back(client_->sender(each));
  }
  void handle_cast(Go go) {
    left_ += go.messages;
    step();
  }
  void handle_info(Info& info) {
    if (client_->handle(info)) {
      client_->flush();
    } else if (info.get<Again>() != nullptr) {
      step();
    }
  }

 private:
  void pause_changed(bool paused) override {
    if (!paused) send_info(self().pid(), Again{});
  }
  void step() {
    if (client_->paused()) return;
    MessageDraft draft;
    draft.destination = "/queue/bench";
    draft.body = body_;
    for (std::uint32_t i = 0; i < batch && left_ > 0; ++i, --left_) {
      auto message = Message::make(draft);
      client_->publish(senders_[next_], message);
      next_ = next_ + 1 == senders_.size() ? 0 : next_ + 1;
    }
    client_->flush();
    if (left_ > 0 && !client_->paused()) send_info(self().pid(), Again{});
  }
  std::string body_ = std::string(100, 'x');
  std::vector<Destination> to_;
  std::vector<Sender> senders_;
  std::size_t next_ = 0;
  std::uint64_t left_ = 0;
  std::optional<Client> client_;
};

struct Scene {
  explicit Scene(unsigned schedulers) : system(options(schedulers)) {
    BusOptions bus;
    bus.queue.overflow = QueueOverflow::block;
    (void)system.start(bus_child("bench", bus));
  }
  static SystemOptions options(unsigned schedulers) {
    SystemOptions options;
    options.schedulers = schedulers;
    options.handle_signals = false;
    options.log_level = LogLevel::warning;
    return options;
  }
  void run(Ref<Producer> producer, std::uint64_t messages, std::uint64_t deliveries) {
    Gate gate;
    goal.gate = &gate;
    goal.left = deliveries;
    producer.cast(Go{messages});
    system.environment().wait(gate, 60s);
  }
  Goal goal;
  System system;
};

void measure(benchmark::State& state, Scene& scene, Ref<Producer> producer, std::uint64_t messages,
             std::uint64_t receivers) {
  scene.run(producer, messages / 4, messages / 4 * receivers);
  for (auto _ : state) {
    const double before = cpu_seconds();
    scene.run(producer, messages, messages * receivers);
    state.SetIterationTime(cpu_seconds() - before);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages * receivers));
  scene.system.stop(5s);
}

void queue(benchmark::State& state) {
  const auto schedulers = static_cast<unsigned>(state.range(0));
  Scene scene(schedulers);
  const std::vector<Destination> to{{Destination::Kind::queue, "bench"}};
  const auto consumer =
      scene.system.spawn_on<Consumer>(schedulers - 1, {}, &scene.goal, to, 1'024U);
  const auto producer = scene.system.spawn_on<Producer>(0, {}, to);
  if (!consumer || !producer) return state.SkipWithError("no process");
  measure(state, scene, *producer, 1'000'000, 1);
}
BENCHMARK(queue)->Arg(1)->Arg(2)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

void fan_out(benchmark::State& state) {
  Scene scene(1);
  const std::vector<Destination> to{{Destination::Kind::topic, "bench"}};
  for (int i = 0; i < 100; ++i)
    (void)scene.system.spawn_on<Consumer>(0, {}, &scene.goal, to, 4'096U);
  const auto producer = scene.system.spawn_on<Producer>(0, {}, to);
  if (!producer) return state.SkipWithError("no process");
  measure(state, scene, *producer, 50'000, 100);
}
BENCHMARK(fan_out)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

/// range(0) subscriptions over 10,000 topics, a tenth of them patterns; each message reaches one
/// subscription of its own, and of the others none (1) or those of its topic (2).
void routing(benchmark::State& state) {
  const auto subscriptions = static_cast<std::uint64_t>(state.range(0));
  const bool everywhere = state.range(1) == 2;
  constexpr std::uint64_t topics = 10'000;
  Scene scene(1);
  const auto name = [](std::uint64_t number) {
    return "a." + std::to_string(number % 100) + "." + std::to_string(number / 100 % 100);
  };
  std::vector<Destination> others;
  std::uint64_t receivers = 0;
  for (std::uint64_t i = 0; i < subscriptions; ++i) {
    const std::uint64_t topic = i % topics;
    const bool pattern = i / topics == 9;  // a tenth
    others.push_back({Destination::Kind::topic, pattern ? "*." + std::to_string(topic % 100) + "." +
                                                              std::to_string(topic / 100 % 100)
                                                        : name(topic)});
  }
  std::vector<Destination> to;
  if (everywhere) {
    for (std::uint64_t i = 0; i < topics; ++i) to.push_back({Destination::Kind::topic, name(i)});
    receivers = subscriptions / topics;
  } else {
    to.push_back({Destination::Kind::topic, "b.0.0.0"});
    receivers = 1;
    (void)scene.system.spawn_on<Consumer>(0, {}, &scene.goal, to, 4'096U);
  }
  if (!others.empty()) (void)scene.system.spawn_on<Consumer>(0, {}, &scene.goal, others, 4'096U);
  const auto producer = scene.system.spawn_on<Producer>(0, {}, to);
  if (!producer) return state.SkipWithError("no process");
  measure(state, scene, *producer, 400'000 / receivers, receivers);
}
BENCHMARK(routing)
    ->Args({0, 1})
    ->Args({100'000, 1})
    ->Args({10'000, 2})
    ->Args({100'000, 2})
    ->UseManualTime()
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hawser::bus
