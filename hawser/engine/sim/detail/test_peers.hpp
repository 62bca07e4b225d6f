// Small programs on raw engines for the simulator's own tests: one that remembers everything, an
// echo server, and a world of two hosts. Internal; one thread.
#pragma once

#include <hawser/engine/environment.hpp>
#include <hawser/engine/sim/world.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::sim::detail {

/// A stream that remembers what it was told.
class Recorder final : public StreamEvents {
 public:
  explicit Recorder(Engine& engine) : engine_(&engine) {}

  void on_connected() override {
    ++connected;
    engine_->resume_receiving(id);
    if (!greeting.empty()) {
      if (SendQueue* queue = engine_->outgoing(id)) queue->append(greeting);
    }
  }
  void on_received(BytesView bytes) override {
    received.append(bytes);
    ++reads;
    if (echo) {
      if (SendQueue* queue = engine_->outgoing(id)) queue->append(bytes);
    }
  }
  void on_end_of_stream() override {
    ++ends;
    if (close_on_end) close(CloseMode::graceful);
  }
  void on_drained() override { ++drains; }
  void on_failed(const Error& error) override {
    ++failures;
    failure = error;
  }

  void connect(const Address& to, const StreamOptions& options = {}) {
    auto made = engine_->connect(to, options, *this);
    if (made) {
      id = *made;
    } else {
      on_failed(made.error());
    }
  }
  bool send(BytesView bytes) {
    SendQueue* queue = engine_->outgoing(id);
    if (queue == nullptr) return false;
    queue->append(bytes);
    return true;
  }
  void close(CloseMode mode, Duration limit = 10s) {
    if (!std::exchange(closed, true)) engine_->close(id, mode, engine_->now() + limit);
  }

  SocketId id;
  std::string greeting;
  std::string received;
  Error failure;
  unsigned connected = 0, reads = 0, ends = 0, drains = 0, failures = 0;
  bool echo = false;
  bool close_on_end = false;
  bool closed = false;

 private:
  Engine* engine_;
};

/// Accepts everything and gives each connection a Recorder.
class Acceptor final : public AcceptEvents {
 public:
  explicit Acceptor(Engine& engine) : engine_(&engine) {}

  Result<void> listen(const Address& address, const ListenOptions& options = {}) {
    auto made = engine_->listen(address, options, *this);
    if (!made) return std::unexpected(made.error());
    id = made->id;
    bound = made->bound;
    return {};
  }
  void on_accepted(NativeSocket socket) override {
    auto peer = std::make_unique<Recorder>(*engine_);
    peer->echo = echo;
    peer->close_on_end = close_on_end;
    auto made = engine_->adopt(std::move(socket), *peer);
    if (!made) return;
    peer->id = *made;
    if (!leave_paused) engine_->resume_receiving(peer->id);
    peers.push_back(std::move(peer));
  }
  void on_accept_failed(const Error& error, bool paused) override {
    ++failures;
    failure = error;
    is_paused = paused;
  }
  void close() { engine_->close_now(id); }

  SocketId id;
  Address bound;
  std::vector<std::unique_ptr<Recorder>> peers;
  Error failure;
  unsigned failures = 0;
  bool is_paused = false;
  bool echo = false;
  bool close_on_end = false;
  bool leave_paused = false;

 private:
  Engine* engine_;
};

/// The simplest loop: polls its engine and does nothing else.
class PollLoop final : public Loop {
 public:
  explicit PollLoop(Engine& engine) : engine_(&engine) {}
  bool turn() override {
    ++turns;
    if (!started_) engine_->start();
    started_ = true;
    engine_->poll(Instant::never());
    return !stop;
  }
  Engine& engine() noexcept override { return *engine_; }
  unsigned turns = 0;
  bool stop = false;

 private:
  Engine* engine_;
  bool started_ = false;
};

/// Two hosts with an engine and a loop each, and an echo server on the first.
struct Pair {
  explicit Pair(std::uint64_t seed, WorldOptions options = {}) : world(seed, options) {
    Loop* one[] = {&server_loop};
    Loop* two[] = {&client_loop};
    server_host.start(one);
    client_host.start(two);
    acceptor.echo = true;
    acceptor.close_on_end = true;
  }
  /// Listens on 7000 and connects `peer` to it; whether that worked.
  bool connect(Recorder& peer) {
    if (!acceptor.id && !acceptor.listen(Address::any_ipv4(7000))) return false;
    peer.connect(server_host.address(7000));
    wake();
    return world.run_until([&] { return peer.connected + peer.failures > 0; }, 200s) &&
           peer.connected == 1;
  }
  /// What a test begins outside a turn leaves with the next poll.
  void wake() {
    server->wake();
    client->wake();
  }
  void run(Duration length) {
    wake();
    world.run_for(length);
  }
  template <class Predicate>
  bool until(Predicate predicate, Duration limit) {
    wake();
    return world.run_until(predicate, limit);
  }

  /// Bytes that the server has received on its first connection.
  std::size_t received() const {
    return acceptor.peers.empty() ? 0 : acceptor.peers.front()->received.size();
  }

  World world;
  Host& server_host = world.host("server");
  Host& client_host = world.host("client");
  std::unique_ptr<Engine> server = server_host.make_engine();
  std::unique_ptr<Engine> client = client_host.make_engine();
  PollLoop server_loop{*server};
  PollLoop client_loop{*client};
  Acceptor acceptor{*server};
};

}  // namespace hawser::sim::detail
