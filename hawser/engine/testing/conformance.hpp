// The fixture of the conformance suite: the same tests for every engine, in a small world with a
// server's and a client's side. Internal to the tests. A family of engines joins the suite by one
// INSTANTIATE_TEST_SUITE_P of EngineConformance (see conformance_epoll.test.cpp), real ones also of
// RealEngineConformance.
#pragma once

#include <hawser/engine/engine.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser::testing {

/// Two machines, or one that plays both.
class EngineWorld {
 public:
  virtual ~EngineWorld() = default;
  virtual Engine& server() = 0;
  /// A second engine on the server's machine, for sockets that change hands.
  virtual Engine& sibling() = 0;
  virtual Engine& client() = 0;
  /// An address of the server's machine, for listening there and for reaching it.
  virtual Address server_address(std::uint16_t port) = 0;
  /// A path for a Unix socket that nobody else uses.
  virtual std::string unix_path() = 0;
  /// Who the programs are that play here, as Unix sockets tell it.
  virtual PeerCredentials credentials() = 0;
  /// Every engine is polled at least once. Waits a little when nothing happens.
  virtual void turn() = 0;
  /// One poll of one engine, and of nothing else.
  virtual void poll(Engine& engine, Instant until) { engine.poll(until); }
};

struct EngineFamily {
  std::string name;
  /// The error's text is the reason for which the family's tests are skipped here.
  std::function<Result<std::unique_ptr<EngineWorld>>()> make;
};
/// What the tests of a family are called.
inline std::string family_name(const ::testing::TestParamInfo<EngineFamily>& info) {
  return info.param.name;
}
inline std::ostream& operator<<(std::ostream& out, const EngineFamily& family) {
  return out << family.name;
}

/// Notes what happens on a stream, and fails the test when something happens that must not.
class Recorder final : public StreamEvents {
 public:
  Engine* engine = nullptr;
  SocketId id;
  std::string received;
  std::string latest;  ///< what the last on_received brought
  int connected = 0;
  int ended = 0;
  int drained = 0;
  int deliveries = 0;
  std::optional<Error> failed;
  bool keep_bytes = true;
  std::size_t total = 0;
  /// Run inside the callbacks.
  std::function<void()> when_connected, when_received, when_ended, when_drained, when_failed;

  void on_connected() override {
    expect_allowed("on_connected");
    ++connected;
    run(when_connected);
  }
  void on_received(BytesView bytes) override {
    expect_allowed("on_received");
    EXPECT_FALSE(paused_) << "bytes while paused";
    EXPECT_EQ(ended, 0) << "bytes after the end";
    EXPECT_FALSE(bytes.empty());
    ++deliveries;
    total += bytes.size();
    latest = bytes;
    if (keep_bytes) received += bytes;
    run(when_received);
  }
  void on_end_of_stream() override {
    expect_allowed("on_end_of_stream");
    EXPECT_FALSE(paused_) << "the end while paused";
    ++ended;
    EXPECT_EQ(ended, 1);
    run(when_ended);
  }
  void on_drained() override {
    expect_allowed("on_drained");
    ++drained;
    run(when_drained);
  }
  void on_failed(const Error& error) override {
    expect_allowed("on_failed");
    failed = error;
    run(when_failed);
  }

  void send(BytesView bytes) {
    SendQueue* queue = engine->outgoing(id);
    ASSERT_NE(queue, nullptr);
    queue->append(bytes);
  }
  void pause() {
    paused_ = true;
    engine->pause_receiving(id);
  }
  void resume() {
    paused_ = false;
    engine->resume_receiving(id);
  }
  void close(CloseMode mode = CloseMode::immediate, Instant deadline = Instant::never()) {
    closed_ = true;
    engine->close(id, mode, deadline);
  }
  bool is_closed() const { return closed_; }

 private:
  void expect_allowed(const char* what) {
    EXPECT_FALSE(closed_) << what << " after close()";
    EXPECT_FALSE(failed) << what << " after on_failed";
    EXPECT_FALSE(inside_) << what << " inside another callback";
  }
  void run(const std::function<void()>& action) {
    inside_ = true;
    if (action) action();
    inside_ = false;
  }
  bool paused_ = false;
  bool closed_ = false;
  bool inside_ = false;
};

/// Keeps what is accepted, or hands it on.
class Acceptor final : public AcceptEvents {
 public:
  Engine* engine = nullptr;
  SocketId id;
  Address bound;
  std::vector<NativeSocket> accepted;
  std::vector<Error> failures;
  int pauses = 0;
  bool closed = false;
  std::function<void(NativeSocket)> when_accepted;

  void on_accepted(NativeSocket socket) override {
    EXPECT_FALSE(closed) << "on_accepted after close()";
    if (when_accepted) {
      when_accepted(std::move(socket));
    } else {
      accepted.push_back(std::move(socket));
    }
  }
  void on_accept_failed(const Error& error, bool paused) override {
    EXPECT_FALSE(closed) << "on_accept_failed after close()";
    failures.push_back(error);
    pauses += paused ? 1 : 0;
  }
  void close() {
    closed = true;
    engine->close_now(id);
  }
};

class EngineConformance : public ::testing::TestWithParam<EngineFamily> {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<EngineWorld>> made = GetParam().make();
    if (!made) GTEST_SKIP() << made.error().text();
    world = std::move(*made);
  }
  void TearDown() override {
    if (!world) return;
    if (HasFatalFailure()) {
      world.reset();  // the recorders are gone: not one more turn
      return;
    }
    EXPECT_TRUE(until([&] { return open_sockets() == 0; }))
        << open_sockets() << " sockets are left";
    world.reset();
  }

  Engine& server() { return world->server(); }
  Engine& client() { return world->client(); }
  std::size_t open_sockets() {
    return server().open_sockets() + client().open_sockets() + world->sibling().open_sockets();
  }

  /// Gives turns until `done` says yes; false when it never does.
  bool until(const std::function<bool()>& done, int turns = 20'000) {
    for (int count = 0; count < turns; ++count) {
      if (done()) return true;
      world->turn();
    }
    return done();
  }
  /// For "nothing happens": so many turns in which it could have.
  void turns(int count) {
    for (int done = 0; done < count; ++done) world->turn();
  }

  void listen(Acceptor& acceptor, ListenOptions options = {}) {
    listen_on(acceptor, world->server_address(0), std::move(options));
  }
  void listen_on(Acceptor& acceptor, const Address& address, ListenOptions options = {}) {
    acceptor.engine = &server();
    Result<Engine::Listening> listening = server().listen(address, options, acceptor);
    ASSERT_TRUE(listening) << listening.error().text();
    acceptor.id = listening->id;
    acceptor.bound = listening->bound;
  }
  void connect(Recorder& recorder, const Address& to, StreamOptions options = {}) {
    recorder.engine = &client();
    Result<SocketId> id = client().connect(to, options, recorder);
    ASSERT_TRUE(id) << id.error().text();
    recorder.id = *id;
  }
  void adopt(Recorder& recorder, NativeSocket socket, Engine& engine) {
    recorder.engine = &engine;
    Result<SocketId> id = engine.adopt(std::move(socket), recorder);
    ASSERT_TRUE(id) << id.error().text();
    recorder.id = *id;
  }
  /// A connected pair, both receiving; the listener is closed again.
  void connect_pair(Recorder& server_side, Recorder& client_side, StreamOptions options = {}) {
    Acceptor acceptor;
    ListenOptions listening;
    listening.accepted = options;
    listen(acceptor, listening);
    connect(client_side, acceptor.bound, options);
    ASSERT_TRUE(until([&] { return client_side.connected == 1 && !acceptor.accepted.empty(); }));
    adopt(server_side, std::move(acceptor.accepted.front()), server());
    acceptor.close();
    server_side.resume();
    client_side.resume();
  }

  std::unique_ptr<EngineWorld> world;
};

/// What only engines over the kernel have: threads, descriptors, files.
class RealEngineConformance : public EngineConformance {};

/// Bytes that differ at every place, so that a lost, doubled or swapped piece shows.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace hawser::testing
