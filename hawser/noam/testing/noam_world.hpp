// Hosts and lemmas on simulated machines, lemmas' handlers that write everything down, and bare
// peers that play either role byte by byte. Internal to the tests.
#pragma once

#include <hawser/engine/sim/world.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/noam/host.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/noam/lemma.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::noam::testing {

using hawser::testing::LineLog;
using hawser::testing::PeerLoop;

/// What a lemma's handlers were told, over all their lives.
struct Diary {
  std::vector<std::string> heard;  ///< "sender topic value"
  std::vector<std::string> states;
  std::vector<EventLoss> losses;
  std::vector<Oddity> oddities;
  unsigned starts = 0;
  std::string crash_on;  ///< a topic at which the handler throws, once

  bool connected() const { return !states.empty() && states.back() == "connected"; }
  std::size_t in_doubt() const { return lost(EventLoss::Why::in_doubt); }
  std::size_t lost(EventLoss::Why why) const {
    std::size_t sum = 0;
    for (const EventLoss& loss : losses)
      if (loss.why == why) sum += loss.count();
    return sum;
  }
};

class Writer {
 public:
  explicit Writer(Diary* diary) : diary_(diary) { ++diary_->starts; }
  void handle_heard(const Event& event) {
    if (!diary_->crash_on.empty() && event.topic == std::exchange(diary_->crash_on, {}))
      throw std::runtime_error("boom");
    diary_->heard.push_back(event.sender + " " + event.topic + " " + event.value);
  }
  void handle_state(const LemmaChange& change) {
    diary_->states.emplace_back(to_string(change.state));
  }
  void handle_loss(const EventLoss& loss) { diary_->losses.push_back(loss); }
  void handle_oddity(Oddity oddity) { diary_->oddities.push_back(oddity); }

 private:
  Diary* diary_;
};

/// A System on one simulated machine.
class Machine {
 public:
  Machine(sim::World& world, std::string name) : world_(world), name_(std::move(name)) { boot(); }
  ~Machine() { shut_down(); }

  void boot() {
    SystemOptions options;
    options.schedulers = 1;
    system_ = std::make_unique<System>(host(), options, std::make_unique<LineLog>(lines));
    if (auto launched = system_->launch(); !launched)
      throw std::runtime_error(launched.error().text());
  }
  void shut_down() { system_.reset(); }
  /// Power failure and a fresh start, empty.
  void crash() { host().crash(); }
  void restart() {
    system_.reset();
    host().restart();
    boot();
  }

  sim::Host& host() { return world_.host(name_); }
  System& system() { return *system_; }
  Address address(std::uint16_t port) { return host().address(port); }

  void start_host(HostOptions options) { start(noam::host("noam", std::move(options))); }
  void start_lemma(const std::string& name, LemmaOptions options, Diary& diary) {
    if (options.guest.empty()) options.guest = name;
    start(noam::lemma<Writer>(name, std::move(options), &diary));
  }
  void stop(const std::string& child) {
    if (auto stopped = system_->stop_child(child); !stopped)
      throw std::runtime_error(stopped.error().text());
  }
  bool speak(const std::string& lemma, std::string topic, std::string value) {
    return Ref<Lemma>(system_->whereis(lemma)).cast(Speak(std::move(topic), std::move(value)));
  }
  LemmaStatus lemma_status(const std::string& lemma) {
    auto status = system_->call(Ref<Lemma>(system_->whereis(lemma)), GetLemmaStatus{});
    if (!status) throw std::runtime_error(status.error().text());
    return *status;
  }
  HostStatus status() {
    auto status = noam::host_status(*system_, "noam");
    if (!status) throw std::runtime_error(status.error().text());
    return *status;
  }
  HostAddresses addresses() {
    auto addresses = noam::host_addresses(*system_, "noam");
    if (!addresses) throw std::runtime_error(addresses.error().text());
    return *addresses;
  }
  std::size_t lines_with(std::string_view part) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        lines, [&](const auto& line) { return line.find(part) != std::string::npos; }));
  }
  std::string all_lines() const {
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    return all;
  }

  /// One that lives as long as the machine: handlers write until the very end.
  Diary& diary() { return diaries_.emplace_back(); }

  std::vector<std::string> lines;

 private:
  void start(ChildSpec spec) {
    if (auto started = system_->start(std::move(spec)); !started)
      throw std::runtime_error(started.error().text());
  }
  sim::World& world_;
  std::string name_;
  std::deque<Diary> diaries_;
  std::unique_ptr<System> system_;
};

inline HostOptions room(std::string name) {
  HostOptions options;
  options.room = std::move(name);
  return options;
}

inline LemmaOptions guest_of(std::string room, std::vector<std::string> hears = {}) {
  LemmaOptions options;
  options.room = std::move(room);
  options.hears = std::move(hears);
  return options;
}

/// Frames cut out of what came, without what is unfinished.
inline std::vector<std::string> frames_of(std::string_view bytes) {
  std::vector<std::string> frames;
  while (bytes.size() >= 6) {
    const std::size_t size = static_cast<std::size_t>(std::stoul(std::string(bytes.substr(0, 6))));
    if (bytes.size() < 6 + size) break;
    frames.emplace_back(bytes.substr(6, size));
    bytes.remove_prefix(6 + size);
  }
  return frames;
}
inline std::string framed(std::string_view json) { return frame(json).value(); }

/// Bare sockets on a machine of their own.
class Bench {
 public:
  explicit Bench(sim::World& world, std::string name = "bench")
      : world_(world), name_(std::move(name)), loop_(world.host(name_).make_engine()) {
    Loop* const loop = &loop_;
    world_.host(name_).start(std::span<Loop* const>(&loop, 1));
    world_.run_for(1ms);
  }
  ~Bench() {
    loop_.finish();
    world_.host(name_).join();
  }
  Engine& engine() { return loop_.engine(); }
  Address address(std::uint16_t port) { return world_.host(name_).address(port); }

 private:
  sim::World& world_;
  std::string name_;
  PeerLoop loop_;
};

/// A datagram socket that keeps what came.
class Box final : public DatagramEvents {
 public:
  Box(Engine& engine, const Address& bind, const DatagramOptions& options = {.broadcast = true})
      : engine_(engine) {
    auto opened = engine.open_datagram(bind, options, *this);
    if (!opened) throw std::runtime_error(opened.error().text());
    id_ = opened->id;
    bound = opened->bound;
    engine.wake();
  }
  ~Box() { engine_.close_now(id_); }
  void send(const Address& to, BytesView bytes) {
    (void)engine_.send_datagram(id_, to, bytes);
    engine_.wake();
  }
  std::vector<std::pair<Address, std::string>> received;
  std::function<void(const Address& from, BytesView bytes)> on_bytes;
  Address bound;

 private:
  void on_datagram(const Datagram& datagram) override {
    received.emplace_back(datagram.from, std::string(datagram.bytes));
    if (on_bytes) on_bytes(datagram.from, datagram.bytes);
  }
  void on_failed(const Error&) override {}
  Engine& engine_;
  SocketId id_;
};

/// One accepted or made connection, byte by byte.
class Wire final : public StreamEvents {
 public:
  Wire(Engine& engine, NativeSocket socket) : engine_(engine) {
    auto adopted = engine.adopt(std::move(socket), *this);
    if (!adopted) throw std::runtime_error(adopted.error().text());
    id_ = *adopted;
    engine.resume_receiving(id_);
  }
  Wire(Engine& engine, const Address& to) : engine_(engine) {
    auto begun = engine.connect(to, {}, *this);
    if (!begun) throw std::runtime_error(begun.error().text());
    id_ = *begun;
    engine.wake();
  }
  ~Wire() { close(); }
  void send(BytesView bytes) {
    if (SendQueue* queue = engine_.outgoing(id_)) queue->append(bytes);
    engine_.wake();
  }
  void end() {
    engine_.shutdown_sending(id_);
    engine_.wake();
  }
  void close() {
    if (!closed) engine_.close_now(id_);
    closed = true;
    engine_.wake();
  }
  void read(bool on) {
    on ? engine_.resume_receiving(id_) : engine_.pause_receiving(id_);
    engine_.wake();
  }
  bool over() const { return ended || failed; }
  std::vector<std::string> frames() const { return frames_of(received); }

  std::string received;
  bool connected = false;
  bool ended = false;
  bool failed = false;
  bool closed = false;

 private:
  void on_connected() override {
    connected = true;
    engine_.resume_receiving(id_);
  }
  void on_received(BytesView bytes) override { received += bytes; }
  void on_end_of_stream() override { ended = true; }
  void on_failed(const Error&) override { failed = true; }
  Engine& engine_;
  SocketId id_;
};

/// A listening socket that keeps what connects.
class Door final : public AcceptEvents {
 public:
  Door(Engine& engine, const Address& bind) : engine_(engine) {
    auto listening = engine.listen(bind, {}, *this);
    if (!listening) throw std::runtime_error(listening.error().text());
    id_ = listening->id;
    bound = listening->bound;
    engine.wake();
  }
  ~Door() { close(); }
  void close() {
    if (id_) engine_.close_now(std::exchange(id_, SocketId{}));
    engine_.wake();
  }
  std::vector<std::unique_ptr<Wire>> wires;
  Address bound;

 private:
  void on_accepted(NativeSocket socket) override {
    wires.push_back(std::make_unique<Wire>(engine_, std::move(socket)));
  }
  void on_accept_failed(const Error&, bool) override {}
  Engine& engine_;
  SocketId id_;
};

}  // namespace hawser::noam::testing
