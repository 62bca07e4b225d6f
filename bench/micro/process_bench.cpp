// What a cast, a call, a spawn and a timer cost on one scheduler, without any socket: the engine
// here only tells the time, so that nothing but the process layer is measured.
#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace hawser {
namespace {

/// An engine with a clock that moves 1 µs a poll and sockets that nobody opens.
class ClockEngine final : public Engine {
 public:
  ClockEngine() : Engine(1) {}
  EngineInfo info() const override { return {"clock", "benchmark"}; }
  std::uint64_t secret_bits() override { return random().next(); }
  Instant read_clock() noexcept override { return now(); }
  std::chrono::system_clock::time_point wall_clock() noexcept override { return {}; }
  void start() override {}
  void poll(Instant) override { set_now(now() + Duration{1000}); }
  void wake() noexcept override {}
  void close_native(int) noexcept override {}
  Result<Listening> listen(const Address&, const ListenOptions&, AcceptEvents&) override {
    return none();
  }
  Result<Listening> adopt_listener(NativeSocket, const ListenOptions&, AcceptEvents&) override {
    return none();
  }
  Result<NativeSocket> share_listener(SocketId) override { return none(); }
  void set_leave_at_close(SocketId, bool) override {}
  void pause_accepting(SocketId) override {}
  void resume_accepting(SocketId) override {}
  Result<SocketId> adopt(NativeSocket, StreamEvents&) override { return none(); }
  Result<NativeSocket> release(SocketId) override { return none(); }
  Result<SocketId> connect(const Address&, const StreamOptions&, StreamEvents&,
                           const std::optional<Address>&) override {
    return none();
  }
  void set_events(SocketId, StreamEvents&) override {}
  void pause_receiving(SocketId) override {}
  void resume_receiving(SocketId) override {}
  SendQueue* outgoing(SocketId) override { return nullptr; }
  std::size_t unsent(SocketId) const override { return 0; }
  void notify_below(SocketId, std::size_t) override {}
  void shutdown_sending(SocketId) override {}
  void close(SocketId, CloseMode, Instant) override {}
  Result<Address> peer(SocketId) const override { return none(); }
  Result<Address> local(SocketId) const override { return none(); }
  Result<void> change_stream(SocketId, const StreamChanges&) override { return none(); }
  Result<Instant> last_arrival(SocketId) const override { return none(); }
  Result<PeerCredentials> peer_credentials(SocketId) const override { return none(); }
  Result<void> send_sockets(SocketId, BytesView, std::span<const NativeSocket>) override {
    return none();
  }
  int descriptor(SocketId) const override { return -1; }
  std::size_t open_sockets() const noexcept override { return 0; }
  Result<Listening> open_datagram(const Address&, const DatagramOptions&,
                                  DatagramEvents&) override {
    return none();
  }
  Result<void> send_datagram(SocketId, const Address&, BytesView, std::uint32_t) override {
    return none();
  }
  Result<void> join_group(SocketId, const Address&, std::uint32_t) override { return none(); }
  Result<std::vector<NetworkInterface>> interfaces() override { return none(); }
  Result<SocketId> watch_interfaces(DatagramEvents&) override { return none(); }
  void resolve(std::string, std::uint16_t, ResolveDone) override {}
  void run_blocking(std::move_only_function<void()>, std::move_only_function<void()>) override {}

 private:
  static std::unexpected<Error> none() {
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, "benchmark", "this engine has no sockets"});
  }
};

/// Turns on the benchmark's own thread.
class InlineEnvironment final : public Environment {
 public:
  unsigned default_schedulers() const noexcept override { return 1; }
  Result<std::unique_ptr<Engine>> make_engine(unsigned, Log&) override {
    return std::make_unique<ClockEngine>();
  }
  void start(std::span<Loop* const> loops) override {
    loop_ = loops.front();
    loop_->engine().start();
  }
  void join() override {
    while (loop_ != nullptr && loop_->turn()) {
    }
    loop_ = nullptr;
  }
  void watch(Duration, std::move_only_function<void(Instant)>) override {}
  bool wait(Gate& gate, Duration) override {
    for (int turns = 0; !gate.is_open() && turns < 1'000'000; ++turns) loop_->turn();
    return gate.is_open();
  }
  void turn() { loop_->turn(); }

 private:
  Loop* loop_ = nullptr;
};

struct Tick {};
struct Ask {
  int value = 0;
};

struct Counter {
  std::uint64_t count = 0;
  void handle_cast(Tick) { ++count; }
  int handle_call(Ask ask) { return ask.value + 1; }
};

/// Keeps `left` casts going to itself: cast, queue, handle, once each.
struct SelfCaster {
  std::uint64_t left = 0;
  struct Go {
    std::uint64_t count;
  };
  void handle_cast(Go go) {
    left = go.count;
    self().ref<SelfCaster>().cast(Tick{});
  }
  void handle_cast(Tick) {
    if (--left > 0) self().ref<SelfCaster>().cast(Tick{});
  }
};

struct Caller {
  Ref<Counter> counter;
  std::uint64_t done = 0;
  struct Go {
    std::uint64_t count;
  };
  Task<> handle_cast(Go go) {
    for (std::uint64_t i = 0; i < go.count; ++i) {
      const auto answer = co_await counter.call(Ask{1});
      if (!answer) co_return;
      ++done;
    }
  }
  std::uint64_t handle_call(Tick) { return done; }
};

struct Mortal {
  void init() {}
  void handle_cast(Tick) { self().stop(); }
};

struct Parent {
  std::uint64_t left = 0;
  std::uint64_t noticed = 0;
  struct Go {
    std::uint64_t count;
  };
  void one() {
    if (auto child = self().spawn<Mortal>({})) {
      self().monitor(child->pid());
      child->cast(Tick{});
    }
  }
  void handle_cast(Go go) {
    left = go.count;
    one();
  }
  void handle_info(Info& info) {
    if (info.get<Down>() == nullptr) return;
    ++noticed;
    if (--left > 0) one();
  }
};

struct Fixture {
  InlineEnvironment environment;
  System system{environment, {.schedulers = 1}, make_null_log()};
};

constexpr std::uint64_t batch = 10'000;

void settle(Fixture& fixture, int turns) {
  for (int i = 0; i < turns; ++i) fixture.environment.turn();
}

void cast_and_handle(benchmark::State& state) {
  Fixture fixture;
  const auto caster = fixture.system.spawn<SelfCaster>({}).value();
  for (auto _ : state) {
    caster.cast(SelfCaster::Go{batch});
    settle(fixture, static_cast<int>(batch / 128) + 2);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}
BENCHMARK(cast_and_handle);

void call_round_trip(benchmark::State& state) {
  Fixture fixture;
  const auto counter = fixture.system.spawn<Counter>({}).value();
  const auto caller = fixture.system.spawn<Caller>({}, counter).value();
  for (auto _ : state) {
    caller.cast(Caller::Go{batch});
    settle(fixture, static_cast<int>(batch) * 2 + 4);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
  const auto done = fixture.system.call(caller, Tick{});
  if (!done || *done != static_cast<std::uint64_t>(state.iterations()) * batch)
    state.SkipWithError("calls were lost");
}
BENCHMARK(call_round_trip);

void spawn_exit_and_notice(benchmark::State& state) {
  Fixture fixture;
  const auto parent = fixture.system.spawn<Parent>({}).value();
  for (auto _ : state) {
    parent.cast(Parent::Go{batch});
    settle(fixture, static_cast<int>(batch) * 3);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}
BENCHMARK(spawn_exit_and_notice);

class Silent final : public Timer {
  void fire() override {}
};

void arm_a_timer_among_a_million(benchmark::State& state) {
  TimerWheel wheel(Instant{});
  Random random(7);
  std::vector<Silent> timers(1'000'000);
  for (auto& timer : timers)
    wheel.arm(timer,
              Instant{} + Duration(static_cast<std::int64_t>(random.below(3600)) * 1'000'000'000));
  std::size_t next = 0;
  for (auto _ : state) {
    wheel.arm(timers[next], Instant{} + Duration(10s) + Duration(static_cast<std::int64_t>(next)));
    next = (next + 1) % timers.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(arm_a_timer_among_a_million);

void a_turn_with_a_million_timers_armed(benchmark::State& state) {
  TimerWheel wheel(Instant{});
  std::vector<Silent> timers(1'000'000);
  Instant now;
  for (auto& timer : timers) wheel.arm(timer, now + Duration(24h * 30));
  for (auto _ : state) {
    now = now + Duration{50'000};
    wheel.advance(now);
    benchmark::DoNotOptimize(wheel.next_due());
  }
}
BENCHMARK(a_turn_with_a_million_timers_armed);

}  // namespace
}  // namespace hawser
