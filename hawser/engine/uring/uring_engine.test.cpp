// What is uring's own: the probe, and the ways in which a ring runs out of something. What all
// engines must do is in the conformance suite.
#include <hawser/engine/uring/uring_engine.hpp>

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hawser::detail {
namespace {

/// Sends back what comes; counts.
class Echo final : public StreamEvents {
 public:
  explicit Echo(Engine& engine) : engine_(engine) {}
  void on_received(BytesView bytes) override {
    received += bytes;
    if (answer) engine_.outgoing(id)->append(bytes);
  }
  void on_end_of_stream() override { ended = true; }
  void on_connected() override { connected = true; }
  void on_failed(const Error& error) override { failure = error.text(); }

  SocketId id;
  bool answer = true;
  bool connected = false;
  bool ended = false;
  std::string received;
  std::string failure;

 private:
  Engine& engine_;
};

class Server final : public AcceptEvents {
 public:
  explicit Server(Engine& engine) : engine_(engine) {}
  void on_accepted(NativeSocket socket) override {
    peers.push_back(std::make_unique<Echo>(engine_));
    const Result<SocketId> id = engine_.adopt(std::move(socket), *peers.back());
    ASSERT_TRUE(id);
    peers.back()->id = *id;
    engine_.resume_receiving(*id);
  }
  void on_accept_failed(const Error& error, bool) override { ADD_FAILURE() << error.text(); }
  std::vector<std::unique_ptr<Echo>> peers;

 private:
  Engine& engine_;
};

class UringEngineTest : public ::testing::Test {
 protected:
  void make(const UringOptions& options = {}) {
    const Result<std::string> found = probe_uring();
    if (!found) GTEST_SKIP() << found.error().text();
    Result<std::unique_ptr<Engine>> made = make_uring_engine(pool_, 1, *found, options);
    ASSERT_TRUE(made) << made.error().text();
    engine_ = *std::move(made);
    engine_->start();
  }
  void run_until(const std::function<bool()>& reached) {
    const Instant deadline = engine_->read_clock() + 20s;
    while (!reached() && engine_->now() < deadline) engine_->poll(engine_->now() + 100ms);
    ASSERT_TRUE(reached());
  }
  /// `count` connections to an echo server on the same engine, all open.
  void connect(std::size_t count) {
    server_ = std::make_unique<Server>(*engine_);
    const auto listening = engine_->listen(Address::loopback(0), {}, *server_);
    ASSERT_TRUE(listening) << listening.error().text();
    for (std::size_t i = 0; i < count; ++i) {
      clients_.push_back(std::make_unique<Echo>(*engine_));
      clients_.back()->answer = false;
      const auto id = engine_->connect(listening->bound, {}, *clients_.back());
      ASSERT_TRUE(id) << id.error().text();
      clients_.back()->id = *id;
      engine_->resume_receiving(*id);
    }
    listener_ = listening->id;
    run_until([&] { return server_->peers.size() == count; });
  }
  std::size_t echoed() const {
    std::size_t bytes = 0;
    for (const auto& client : clients_) bytes += client->received.size();
    return bytes;
  }
  void close_all() {
    engine_->close_now(listener_);
    for (const auto& client : clients_) engine_->close_now(client->id);
    for (const auto& peer : server_->peers) engine_->close_now(peer->id);
    run_until([&] { return engine_->open_sockets() == 0; });
  }

  BlockingPool pool_{1};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Echo>> clients_;
  SocketId listener_;
};

TEST_F(UringEngineTest, StarvesForBuffersAndRecovers) {
  UringOptions options;
  options.initial_buffers = 1;
  options.max_buffers = 8;
  options.buffer_bytes = 64;
  ASSERT_NO_FATAL_FAILURE(make(options));
  ASSERT_NO_FATAL_FAILURE(connect(50));
  const std::string text(5000, 'x');
  for (const auto& client : clients_) engine_->outgoing(client->id)->append(BytesView(text));
  run_until([&] { return echoed() == 50 * text.size(); });
  EXPECT_GT(engine_->counters().buffer_starvations, 0U);
  for (const auto& client : clients_) EXPECT_EQ(client->received, text);
  close_all();
}

TEST_F(UringEngineTest, LosesNothingWhenTheQueuesAreFarTooShort) {
  UringOptions options;
  options.submission_entries = 2;
  options.completion_entries = 4;
  ASSERT_NO_FATAL_FAILURE(make(options));
  ASSERT_NO_FATAL_FAILURE(connect(200));
  for (const auto& client : clients_) engine_->outgoing(client->id)->append(BytesView("ping"));
  run_until([&] { return echoed() == 800; });
  close_all();  // four hundred and one cancels at once: none may be dropped
}

TEST_F(UringEngineTest, GathersManySegmentsPerSend) {
  ASSERT_NO_FATAL_FAILURE(make());
  ASSERT_NO_FATAL_FAILURE(connect(300));
  const Payload payload(std::string(3000, 'p'));
  for (const auto& client : clients_) {
    for (int i = 0; i < 3; ++i) {
      engine_->outgoing(client->id)->append(payload);
      engine_->outgoing(client->id)->append(BytesView("|"));
    }
  }
  run_until([&] { return echoed() == 300 * 9003; });
  for (const auto& client : clients_) EXPECT_EQ(client->received.find('|'), 3000U);
  EXPECT_EQ(payload.use_count(), 1U);
  close_all();
}

TEST_F(UringEngineTest, SendsLongQueuesInSeveralWrites) {
  ASSERT_NO_FATAL_FAILURE(make());
  ASSERT_NO_FATAL_FAILURE(connect(1));
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string part(1500, static_cast<char>('a' + i % 26));
    engine_->outgoing(clients_[0]->id)->append(Payload(part));
    expected += part;
  }
  run_until([&] { return echoed() == expected.size(); });
  EXPECT_EQ(clients_[0]->received, expected);
  close_all();
}

TEST_F(UringEngineTest, LosesNoWakeUp) {
  ASSERT_NO_FATAL_FAILURE(make());
  constexpr int rounds = 5000;
  std::atomic<int> asked{0}, answered{0};
  std::thread other([&] {
    for (int round = 1; round <= rounds; ++round) {
      asked.store(round);
      engine_->wake();
      answered.wait(round - 1);
    }
  });
  // Nothing else ends these waits: a lost wake-up would end in the deadline. Each has its own, so
  // that a machine with little time for us is not taken for a fault.
  Instant deadline = engine_->now() + 20s;
  while (answered.load() < rounds && engine_->now() < deadline) {
    engine_->poll(deadline);
    if (const int now_asked = asked.load(); now_asked != answered.load()) {
      answered.store(now_asked);
      deadline = engine_->now() + 20s;
    }
    answered.notify_one();
  }
  EXPECT_EQ(answered.load(), rounds);
  EXPECT_LT(engine_->now(), deadline);
  answered.store(rounds);
  answered.notify_one();
  other.join();
}

TEST_F(UringEngineTest, MayGoWithOperationsInTheKernel) {
  ASSERT_NO_FATAL_FAILURE(make());
  ASSERT_NO_FATAL_FAILURE(connect(10));
  // Filled beyond every buffer, so that sends are held by the kernel.
  for (const auto& peer : server_->peers) {
    engine_->pause_receiving(peer->id);
    engine_->outgoing(peer->id)->append(BytesView(std::string(8'000'000, 'x')));
  }
  for (const auto& client : clients_) engine_->pause_receiving(client->id);
  for (int i = 0; i < 3; ++i) engine_->poll(engine_->now());
  engine_.reset();
}

TEST_F(UringEngineTest, MayGoOnAnotherThreadThanItRanOn) {
  const Result<std::string> found = probe_uring();
  if (!found) GTEST_SKIP() << found.error().text();
  std::unique_ptr<Engine> engine = make_uring_engine(pool_, 1, *found).value();
  Server server(*engine);
  const auto listening = engine->listen(Address::loopback(0), {}, server);
  ASSERT_TRUE(listening);
  std::thread([&] {
    engine->start();
    for (int i = 0; i < 3; ++i) engine->poll(engine->now());
  }).join();
  engine.reset();
  // The address is free again.
  std::unique_ptr<Engine> next = make_uring_engine(pool_, 1, *found).value();
  Server successor(*next);
  const auto again = next->listen(listening->bound, {}, successor);
  EXPECT_TRUE(again) << again.error().text();
}

/// From here on `call` does `action` (a seccomp answer) in this process.
void filter(unsigned call, unsigned action) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
    std::exit(2);
  }
}

/// As in a container with Docker's default profile (EPERM), and on kernels too old or built so.
void probe_without(unsigned code, const std::string& expected) {
  filter(__NR_io_uring_setup, SECCOMP_RET_ERRNO | code);
  const Result<std::string> found = probe_uring();
  if (found) std::exit(3);
  std::fprintf(stderr, "%s\n", found.error().text().c_str());
  std::exit(found.error().text().find(expected) == std::string::npos ? 1 : 0);
}

TEST(UringProbe, SaysWhoForbidsIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(probe_without(EPERM, "seccomp profile or sysctl kernel.io_uring_disabled"),
              ::testing::ExitedWithCode(0), "EPERM");
  EXPECT_EXIT(probe_without(ENOSYS, "built without it"), ::testing::ExitedWithCode(0), "ENOSYS");
  EXPECT_EXIT(probe_without(EINVAL, "older than 6.1"), ::testing::ExitedWithCode(0), "EINVAL");
}

void poll_where_entering_kills() {
  BlockingPool pool(1);
  Result<std::unique_ptr<Engine>> engine = make_uring_engine(pool, 1, "");
  if (!engine) std::exit(3);
  (*engine)->start();
  (*engine)->poll((*engine)->now());  // sets up what is set up once
  filter(__NR_io_uring_enter, SECCOMP_RET_KILL_PROCESS);
  for (int i = 0; i < 10; ++i) (*engine)->poll((*engine)->now());
  std::_Exit(0);
}

TEST(UringPoll, MakesNoSystemCallWhenThereIsNothingToDo) {
  if (const auto found = probe_uring(); !found) GTEST_SKIP() << found.error().text();
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(poll_where_entering_kills(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hawser::detail
