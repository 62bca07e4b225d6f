// A System with servers on one simulated host, and bare peers on another that do with their sockets
// what a test wants. Internal to the tests of this layer and those above.
#pragma once

#include <hawser/engine/sim/world.hpp>
#include <hawser/net/server.hpp>
#include <hawser/net/server_monitor.hpp>
#include <hawser/net/testing/bare_peer.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>
#include <hawser/process/testing/left.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// Keeps every line; the simulator has one thread, so no lock.
class LineLog final : public Log {
 public:
  /// From info on: events of single connections are for who subscribes to them.
  explicit LineLog(std::vector<std::string>& lines) : Log(LogLevel::info), lines_(lines) {}
  void write(LogLevel level, std::string_view source, std::string_view text) override {
    lines_.push_back(std::string(to_string(level)) + " " + std::string(source) + ": " +
                     std::string(text));
  }

 private:
  std::vector<std::string>& lines_;
};

/// What handlers did, in order.
class Events {
 public:
  void add(std::string event) { all.push_back(std::move(event)); }
  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), event));
  }
  std::size_t starting_with(std::string_view beginning) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const auto& each) { return each.starts_with(beginning); }));
  }
  std::vector<std::string> all;
};

/// Says every packet back.
struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

/// The clients' thread.
class PeerLoop final : public Loop {
 public:
  explicit PeerLoop(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  bool turn() override {
    if (!started_) engine_->start();
    started_ = true;
    engine_->poll(finished_ ? engine_->now() : Instant::never());
    return !finished_;
  }
  Engine& engine() noexcept override { return *engine_; }
  void finish() {
    finished_ = true;
    engine_->wake();
  }

 private:
  std::unique_ptr<Engine> engine_;
  bool started_ = false;
  bool finished_ = false;
};

/// A client without any framework.
class Peer final : public BareStream {
 public:
  Peer(Engine& engine, const Address& to, bool reads = true) : BareStream(engine), reads_(reads) {
    connect(to);
  }
  /// Also before it is connected: then from then on.
  void read(bool on) {
    reads_ = on;
    BareStream::read(on);
  }

  bool connected = false;
  std::function<void(Peer&)> on_bytes;

 private:
  void on_connected() override {
    connected = true;
    if (reads_) BareStream::read(true);
  }
  void on_received(BytesView bytes) override {
    BareStream::on_received(bytes);
    if (on_bytes) on_bytes(*this);
  }

  bool reads_;
};

class NetWorld {
 public:
  explicit NetWorld(std::uint64_t seed = 1, unsigned schedulers = 2)
      : owned_(std::make_unique<sim::World>(seed)), world_(*owned_), system(make(schedulers)) {
    begin();
  }
  explicit NetWorld(sim::World& in, unsigned schedulers = 2)
      : world_(in), system(make(schedulers)) {
    begin();
  }
  ~NetWorld() { finish(); }

  sim::World& world() { return world_; }

  template <class H, class... Arguments>
  Address serve(ServerOptions options, Arguments... arguments) {
    options.listen = ListenAddress(world().host("server").address(0));
    auto started = system->start(server<H>("it", std::move(options), std::move(arguments)...));
    if (!started) throw std::runtime_error(started.error().text());
    return status().address;
  }
  ServerStatus status() {
    auto answer = server_status(*system, "it");
    if (!answer) throw std::runtime_error(answer.error().text());
    return *answer;
  }
  std::unique_ptr<Peer> connect(const Address& to, bool reads = true) {
    return std::make_unique<Peer>(peers->engine(), to, reads);
  }
  bool until(const std::function<bool()>& predicate, Duration limit = 60s) {
    return world().run_until(predicate, limit);
  }
  void run(Duration length = 100ms) { world().run_for(length); }
  std::size_t lines_with(std::string_view part) const {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(),
                      [&](const auto& line) { return line.find(part) != std::string::npos; }));
  }
  std::string all_lines() const {
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    return all;
  }
  /// What is there now: compared before a server's start and after its end.
  Left left() { return left_in(*system); }
  /// How often the server's engines have looked for work: they need not while there is none.
  std::uint64_t polls() {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < system->scheduler_count(); ++i)
      static_cast<void>(system->run_on(
          i, [&](Scheduler& scheduler) { sum += scheduler.engine().counters().polls; }));
    return sum;
  }
  /// Suspends a process of the first scheduler, or lets it go on.
  void suspend(Pid pid, bool on) {
    ASSERT_TRUE(
        system->run_on(0, [&](Scheduler& scheduler) { scheduler.find(pid)->set_suspended(on); }));
  }
  void finish() {
    if (system == nullptr) return;
    system.reset();
    peers->finish();
    world().host("client").join();
  }

  std::vector<std::string> lines;
  Events events;

 private:
  std::unique_ptr<System> make(unsigned schedulers) {
    SystemOptions options;
    options.schedulers = schedulers;
    return std::make_unique<System>(world_.host("server"), options,
                                    std::make_unique<LineLog>(lines));
  }
  void begin() {
    auto& client = world_.host("client");
    peers = std::make_unique<PeerLoop>(client.make_engine());
    Loop* const loop = peers.get();
    client.start(std::span<Loop* const>(&loop, 1));
    const auto launched = system->launch();
    if (!launched) throw std::runtime_error(launched.error().text());
  }

  std::unique_ptr<sim::World> owned_;
  sim::World& world_;

 public:
  std::unique_ptr<PeerLoop> peers;
  std::unique_ptr<System> system;
};

/// A packet as length_prefixed(2) sends it.
inline std::string framed(std::string_view packet) {
  std::string out;
  out += static_cast<char>(packet.size() >> 8U);
  out += static_cast<char>(packet.size() & 0xffU);
  return out + std::string(packet);
}

inline std::string framed_all(const std::vector<std::string>& packets) {
  std::string bytes;
  for (const auto& packet : packets) bytes += framed(packet);
  return bytes;
}

/// Packets of length_prefixed(2), without what is unfinished.
inline std::vector<std::string> unframed(std::string_view bytes) {
  std::vector<std::string> packets;
  while (bytes.size() >= 2) {
    const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8U |
                             static_cast<unsigned char>(bytes[1]);
    if (bytes.size() < 2 + size) break;
    packets.emplace_back(bytes.substr(2, size));
    bytes.remove_prefix(2 + size);
  }
  return packets;
}

/// Does what its packets say, and writes down what happens to it.
class Scripted {
 public:
  explicit Scripted(Events* events, std::string on_init = {})
      : events_(events), on_init_(std::move(on_init)) {}

  Next init() { return act("init", on_init_); }
  Next handle_packet(Packet packet) {
    events_->add("packet " + std::string(packet.substr(0, 40)));
    return act("packet", packet);
  }
  Next handle_cast(std::string command) { return act("cast", command); }
  Next handle_info(Info& info) {
    if (auto* command = info.get<std::string>()) return act("info", *command);
    return keep();
  }
  bool handle_call(std::string command) {
    static_cast<void>(act("call", command));
    return true;
  }
  Next timeout() {
    events_->add("timeout");
    return act("timeout", on_timeout_);
  }
  Next handle_disconnect() {
    events_->add("disconnect");
    return act("disconnect", on_disconnect_);
  }
  void terminate(const Reason& reason) {
    events_->add("terminate " + reason.text());
    if (throw_in_terminate_) throw std::runtime_error("boom in terminate");
  }

 private:
  Next act(std::string_view, std::string_view command) {
    const auto is = [&](std::string_view word) { return command.starts_with(word); };
    const auto rest = [&](std::size_t size) { return std::string(command.substr(size)); };
    if (is("echo ")) return send(rest(5));
    if (is("stop")) return send("ok").then_stop();
    if (is("quit")) return stop();
    if (is("crash")) throw std::runtime_error("boom");
    if (is("send and crash")) return send("a").send(std::string(70000, 'x'));
    if (is("timeout ")) {
      on_timeout_ = rest(8);
      return keep().timeout(1s);
    }
    if (is("on disconnect ")) on_disconnect_ = rest(14);
    if (is("throw in terminate")) throw_in_terminate_ = true;
    if (is("later ")) {
      self().send_after(10ms, rest(6));
      return keep();
    }
    if (is("big ")) return send(std::string(static_cast<std::size_t>(std::stoul(rest(4))), 'x'));
    if (is("many ")) {
      auto next = keep();
      for (unsigned long i = std::stoul(rest(5)); i > 0; --i)
        std::move(next).send(std::string(1000, 'y'));
      return next;
    }
    if (is("end sending")) {
      connection().end_sending();
      return keep();
    }
    if (is("self stop")) self().stop(Reason::custom("mine"));
    return keep();
  }

  Events* events_;
  std::string on_init_;
  std::string on_timeout_;
  std::string on_disconnect_;
  bool throw_in_terminate_ = false;
};

/// Writes down what the server tells.
struct Watching {
  Events* events;
  Ref<ServerMonitor> monitor;
  void init() const { monitor.cast(WatchServer{self().pid()}); }
  void handle_info(Info& info) const {
    if (const auto* event = info.get<ServerEvent>())
      events->add(std::string(to_string(event->kind)) + " " + std::to_string(event->count) +
                  (event->text.empty() ? "" : " " + event->text));
  }
};

/// Events get what the server "it" tells from now on.
inline void watch(NetWorld& net, Events& events) {
  ASSERT_TRUE(
      net.system->spawn<Watching>({}, &events, server_monitor(*net.system, "it")).has_value());
  net.run();
}

}  // namespace hawser::testing
