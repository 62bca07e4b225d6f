// The core under a backend that does nothing by itself: the test says when and in which order the
// kernel answers, so every order of completions that a real one could choose is tried here.
#include <hawser/engine/detail/engine_core.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

namespace hawser::detail {
namespace {

class ScriptedEngine final : public EngineCore {
 public:
  ScriptedEngine() : EngineCore(1) {}
  ~ScriptedEngine() override { abandon_all(); }

  /// What the core asked for, in order: "receive 3", "cancel 3 1", "close 3" …
  std::vector<std::string> log;
  /// Completions of the next poll.
  std::function<void()> completions;
  Instant clock;
  Instant waited_until;
  Operations ended_by_cancel = 0;
  int shutdown_result = 0;
  std::function<void(SocketId)> in_send;

  using EngineCore::accept_completed;
  using EngineCore::connect_completed;
  using EngineCore::datagram_completed;
  using EngineCore::find_socket;
  using EngineCore::receive_completed;
  using EngineCore::send_completed;

  void run(std::function<void()> action = {}) {
    completions = std::move(action);
    poll(now());
  }
  std::string take_log() {
    std::string all;
    for (const std::string& line : log) all += (all.empty() ? "" : ", ") + line;
    log.clear();
    return all;
  }

  EngineInfo info() const override { return {"scripted", "test"}; }
  Instant read_clock() noexcept override { return clock; }
  std::chrono::system_clock::time_point wall_clock() noexcept override { return {}; }
  void start() override {}
  void wake() noexcept override {}
  void close_native(int number) noexcept override { note("drop", number); }
  void resolve(std::string, std::uint16_t, ResolveDone) override {}
  void run_blocking(std::move_only_function<void()>, std::move_only_function<void()>) override {}

 private:
  void note(const char* what, int number) { log.push_back(what + (" " + std::to_string(number))); }

  Result<OpenedSocket> open_listener(const Address& address, const ListenOptions&) override {
    return OpenedSocket{100, address};
  }
  Result<int> open_stream(const Address&, const StreamOptions&,
                          const std::optional<Address>&) override {
    return 200;
  }
  Result<OpenedSocket> open_datagram_socket(const Address& bind, const DatagramOptions&) override {
    return OpenedSocket{300, bind};
  }
  Result<void> attach(Socket&) override { return {}; }
  void detach(Socket& socket) noexcept override { note("detach", socket.number); }
  void begin_connect(Socket& socket, const Address&) override { note("connect", socket.number); }
  void begin_accept(Socket& socket) override { note("accept", socket.number); }
  void begin_receive(Socket& socket) override { note("receive", socket.number); }
  void begin_receive_datagrams(Socket& socket) override { note("datagrams", socket.number); }
  void begin_send(Socket& socket, SendQueue& queue) override {
    note(("send " + std::to_string(queue.size()) + " on").c_str(), socket.number);
    if (in_send) in_send(socket.id());
  }
  Operations cancel(Socket& socket, Operations operations) override {
    note(("cancel " + std::to_string(operations) + " on").c_str(), socket.number);
    return operations & ended_by_cancel;
  }
  void stop_listening(Socket& socket) noexcept override { note("stop", socket.number); }
  int shutdown_write(Socket& socket) noexcept override {
    note("fin", socket.number);
    return shutdown_result;
  }
  void close_socket(Socket& socket, bool reset) noexcept override {
    note(reset ? "reset" : "close", socket.number);
  }
  Result<void> transmit_datagram(Socket&, const Address&, BytesView, std::uint32_t) override {
    return {};
  }
  Result<void> join_datagram_group(Socket&, const Address&, std::uint32_t) override { return {}; }
  Result<int> open_interface_watch() override { return std::unexpected(Error{}); }
  Result<std::vector<NetworkInterface>> interfaces() override { return std::unexpected(Error{}); }
  Result<Address> native_peer(int) const override { return Address{}; }
  Result<Address> native_local(int) const override { return Address{}; }
  Result<void> native_change(int, const StreamChanges&) override { return {}; }
  Result<Duration> native_silence(int) const override { return Duration::zero(); }
  void wait_and_collect(Instant until) override {
    waited_until = until;
    set_now(clock);
  }
  void dispatch_completions() override {
    if (auto action = std::exchange(completions, nullptr)) action();
  }
};

struct Heard final : StreamEvents {
  std::string log;
  std::function<void()> then;
  void add(const std::string& what) {
    log += (log.empty() ? "" : ", ") + what;
    if (then) std::exchange(then, nullptr)();
  }
  void on_connected() override { add("connected"); }
  void on_received(BytesView bytes) override { add("received " + std::string(bytes)); }
  void on_end_of_stream() override { add("end"); }
  void on_drained() override { add("drained"); }
  void on_failed(const Error& error) override { add("failed " + error.operation); }
};

class CoreTest : public ::testing::Test {
 protected:
  /// An open, receiving stream of descriptor 3.
  SocketId receiving() {
    const SocketId id = *engine.adopt(NativeSocket(3, engine), heard);
    engine.resume_receiving(id);
    engine.run();
    EXPECT_EQ(engine.take_log(), "receive 3");
    return id;
  }
  void append(SocketId id, BytesView bytes) { engine.outgoing(id)->append(bytes); }

  ScriptedEngine engine;
  Heard heard;
};

TEST_F(CoreTest, ImmediateCloseWaitsForTheReceiveToEnd) {
  const SocketId id = receiving();
  engine.close_now(id);
  EXPECT_EQ(engine.take_log(), "cancel 1 on 3");
  EXPECT_EQ(engine.open_sockets(), 1U);
  engine.run([&] { engine.receive_completed(id, -ECANCELED, nullptr, false); });
  EXPECT_EQ(engine.take_log(), "close 3");
  EXPECT_EQ(engine.open_sockets(), 0U);
  EXPECT_EQ(heard.log, "");
}

TEST_F(CoreTest, ACancelThatComesTooLateDropsTheBytes) {
  const SocketId id = receiving();
  engine.close_now(id);
  engine.run([&] {
    engine.receive_completed(id, 4, "late", true);    // still under way
    engine.receive_completed(id, 5, "later", false);  // and the last one: the cancel found nothing
  });
  EXPECT_EQ(engine.take_log(), "cancel 1 on 3, close 3");
  EXPECT_EQ(heard.log, "");
}

TEST_F(CoreTest, CloseWaitsForReceiveAndSendInEitherOrder) {
  for (const bool send_first : {true, false}) {
    const SocketId id = receiving();
    append(id, "hello");
    engine.run();
    EXPECT_EQ(engine.take_log(), "send 5 on 3");
    engine.close(id, CloseMode::reset, engine.now());
    EXPECT_EQ(engine.take_log(), "cancel 3 on 3");
    const auto receive = [&] { engine.receive_completed(id, -ECANCELED, nullptr, false); };
    const auto send = [&] { engine.send_completed(id, -ECANCELED); };
    engine.run([&] { send_first ? send() : receive(); });
    EXPECT_EQ(engine.take_log(), "");
    engine.run([&] { send_first ? receive() : send(); });
    EXPECT_EQ(engine.take_log(), "reset 3");
  }
}

TEST_F(CoreTest, ACancelledSendThatWentThroughAllTheSameIsNoTrouble) {
  const SocketId id = receiving();
  append(id, "hello");
  engine.run();
  engine.close_now(id);
  engine.run([&] {
    engine.send_completed(id, 5);
    engine.receive_completed(id, -ECANCELED, nullptr, false);
  });
  EXPECT_EQ(engine.take_log(), "send 5 on 3, cancel 3 on 3, close 3");
}

TEST_F(CoreTest, CompletionsOfAFormerLifeReachNobody) {
  const SocketId old = receiving();
  engine.ended_by_cancel = 0xff;
  engine.close_now(old);
  engine.take_log();
  const SocketId id = receiving();
  EXPECT_EQ(id.index, old.index);
  EXPECT_NE(id.generation, old.generation);
  engine.take_log();
  engine.run([&] {
    EXPECT_FALSE(engine.receive_completed(old, 3, "old", true));
    EXPECT_FALSE(engine.receive_completed(old, 0, nullptr, false));
    engine.send_completed(old, 3);
    engine.connect_completed(old, 0);
    engine.accept_completed(old, 77, true);
  });
  EXPECT_EQ(heard.log, "");
  EXPECT_EQ(engine.take_log(), "drop 77");
  engine.run([&] { EXPECT_TRUE(engine.receive_completed(id, 3, "new", true)); });
  EXPECT_EQ(heard.log, "received new");
}

TEST_F(CoreTest, GracefulCloseSendsThenTheFinThenWaitsForThePeers) {
  const SocketId id = receiving();
  append(id, "bye");
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.run();
  EXPECT_EQ(engine.take_log(), "send 3 on 3");
  engine.run([&] { engine.send_completed(id, 1); });
  engine.run([&] { engine.receive_completed(id, 4, "more", true); });
  EXPECT_EQ(engine.take_log(), "send 2 on 3");
  engine.run([&] { engine.send_completed(id, 2); });
  EXPECT_EQ(engine.take_log(), "");
  engine.run();
  EXPECT_EQ(engine.take_log(), "fin 3");
  engine.run([&] { engine.receive_completed(id, 0, nullptr, false); });
  EXPECT_EQ(engine.take_log(), "close 3");
  EXPECT_EQ(heard.log, "");
}

TEST_F(CoreTest, GracefulCloseWhenThePeersFinCameBeforeOurs) {
  const SocketId id = receiving();
  append(id, "bye");
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.run([&] { engine.receive_completed(id, 0, nullptr, false); });
  engine.run([&] { engine.send_completed(id, 3); });
  engine.run();
  EXPECT_EQ(engine.take_log(), "send 3 on 3, fin 3, close 3");
}

TEST_F(CoreTest, GracefulCloseBeginsReceivingWhenItWasPaused) {
  const SocketId id = *engine.adopt(NativeSocket(3, engine), heard);
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.run();
  EXPECT_EQ(engine.take_log(), "fin 3, receive 3");
  engine.run([&] { engine.receive_completed(id, -ENOBUFS, nullptr, false); });
  engine.run();
  EXPECT_EQ(engine.take_log(), "receive 3") << "it begins again after a starvation";
  engine.run([&] { engine.receive_completed(id, -ECONNRESET, nullptr, false); });
  EXPECT_EQ(engine.take_log(), "close 3");
}

TEST_F(CoreTest, GracefulCloseDuringAPauseThatIsBeingCancelled) {
  const SocketId id = receiving();
  engine.pause_receiving(id);
  engine.run();
  EXPECT_EQ(engine.take_log(), "cancel 1 on 3");
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.run();
  EXPECT_EQ(engine.take_log(), "fin 3") << "not a second receive beside the cancelled one";
  engine.run([&] { engine.receive_completed(id, -ECANCELED, nullptr, false); });
  engine.run();
  EXPECT_EQ(engine.take_log(), "receive 3");
}

TEST_F(CoreTest, GracefulCloseAfterAFailedFinOrSend) {
  SocketId id = receiving();
  engine.shutdown_result = -ENOTCONN;
  engine.ended_by_cancel = 0xff;
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.run();
  EXPECT_EQ(engine.take_log(), "fin 3, cancel 1 on 3, close 3");
  id = receiving();
  append(id, "x");
  engine.close(id, CloseMode::graceful, Instant::never());
  engine.in_send = [&](SocketId at) { engine.send_completed(at, -EPIPE); };
  engine.run();
  EXPECT_EQ(engine.take_log(), "send 1 on 3, cancel 1 on 3, close 3");
}

TEST_F(CoreTest, DeadlinesCutInOrderAndBoundTheWait) {
  const auto at = [](int seconds) { return Instant{std::chrono::seconds(seconds)}; };
  std::vector<SocketId> ids;
  for (const int seconds : {3, 1, 2}) {
    ids.push_back(*engine.adopt(NativeSocket(seconds, engine), heard));
    engine.close(ids.back(), CloseMode::graceful, at(seconds));
  }
  engine.poll(Instant::never());
  EXPECT_EQ(engine.waited_until, at(1));
  engine.take_log();
  engine.ended_by_cancel = 0xff;
  engine.clock = at(2);
  engine.poll(Instant::never());
  EXPECT_EQ(engine.take_log(), "cancel 1 on 1, close 1, cancel 1 on 2, close 2");
  engine.poll(Instant::never());
  EXPECT_EQ(engine.waited_until, at(3));
  engine.run([&] { engine.receive_completed(ids[0], 0, nullptr, false); });
  engine.poll(Instant::never());
  EXPECT_EQ(engine.waited_until, Instant::never()) << "a deadline that was met is forgotten";
}

TEST_F(CoreTest, CloseWhileConnectingInEveryOrder) {
  for (const int result : {-ECANCELED, 0, -ECONNREFUSED}) {
    const SocketId id = *engine.connect(Address::loopback(1), {}, heard);
    engine.run();
    engine.close(id, CloseMode::graceful, Instant::never());
    EXPECT_EQ(engine.take_log(), "connect 200, cancel 8 on 200");
    engine.run([&] { engine.connect_completed(id, result); });
    EXPECT_EQ(engine.take_log(), "close 200");
  }
  const SocketId id = *engine.connect(Address::loopback(1), {}, heard);
  engine.close_now(id);
  EXPECT_EQ(engine.take_log(), "close 200") << "nothing had begun";
  engine.run();
  EXPECT_EQ(engine.take_log(), "");
  EXPECT_EQ(heard.log, "");
}

TEST_F(CoreTest, AcceptsThatComeAfterTheCloseAreDropped) {
  struct Accepts final : AcceptEvents {
    void on_accepted(NativeSocket) override { ADD_FAILURE(); }
    void on_accept_failed(const Error&, bool) override { ADD_FAILURE(); }
  } accepts;
  const SocketId id = engine.listen(Address::loopback(1), {}, accepts)->id;
  engine.run();
  engine.close_now(id);
  EXPECT_EQ(engine.take_log(), "accept 100, stop 100, cancel 4 on 100");
  engine.run([&] {
    engine.accept_completed(id, 7, true);
    engine.accept_completed(id, -ECANCELED, false);
  });
  EXPECT_EQ(engine.take_log(), "drop 7, close 100");
}

TEST_F(CoreTest, NothingFollowsAFailureAndThePendingIsAskedBack) {
  const SocketId id = receiving();
  append(id, "hello");
  engine.notify_below(id, 0);
  engine.run();
  engine.take_log();
  engine.run([&] {
    engine.receive_completed(id, -ECONNRESET, nullptr, false);
    engine.send_completed(id, 5);
    engine.receive_completed(id, 3, "abc", true);
  });
  EXPECT_EQ(heard.log, "failed receive");
  EXPECT_EQ(engine.take_log(), "cancel 2 on 3");
  engine.resume_receiving(id);
  engine.shutdown_sending(id);
  engine.run();
  EXPECT_EQ(engine.take_log(), "");
  engine.close(id, CloseMode::graceful, Instant::never());
  EXPECT_EQ(engine.take_log(), "close 3");
  EXPECT_EQ(heard.log, "failed receive");
}

TEST_F(CoreTest, AFailureThatTheOwnersCloseOvertakesIsNotReported) {
  const SocketId id = receiving();
  engine.run([&] {
    engine.receive_completed(id, -ECONNRESET, nullptr, false);
    engine.close_now(id);
  });
  EXPECT_EQ(heard.log, "");
  EXPECT_EQ(engine.open_sockets(), 0U);
}

TEST_F(CoreTest, BytesAfterAPauseAreKeptInOrderWithTheEnd) {
  const SocketId id = receiving();
  engine.pause_receiving(id);
  engine.run([&] {
    engine.receive_completed(id, 2, "ab", true);
    engine.receive_completed(id, 2, "cd", false);
  });
  engine.run();
  engine.take_log();
  EXPECT_EQ(heard.log, "");
  heard.then = [&] { engine.pause_receiving(id); };
  engine.resume_receiving(id);
  engine.run();
  EXPECT_EQ(heard.log, "received abcd");
  EXPECT_EQ(engine.take_log(), "") << "paused again before receiving began";
  engine.resume_receiving(id);
  engine.run([&] { engine.receive_completed(id, 2, "ef", true); });
  EXPECT_EQ(engine.take_log(), "receive 3");
  engine.pause_receiving(id);
  engine.run([&] { engine.receive_completed(id, 0, nullptr, false); });
  EXPECT_EQ(heard.log, "received abcd, received ef");
  engine.resume_receiving(id);
  engine.run();
  EXPECT_EQ(heard.log, "received abcd, received ef, end");
  EXPECT_EQ(engine.take_log(), "cancel 1 on 3") << "and no receive after the end";
}

TEST_F(CoreTest, BytesThatComeBetweenResumeAndTheHeldOnesDoNotOvertakeThem) {
  const SocketId id = receiving();
  engine.pause_receiving(id);
  engine.run([&] { engine.receive_completed(id, 3, "one", true); });
  engine.resume_receiving(id);
  engine.run([&] { engine.receive_completed(id, 3, "two", true); });
  EXPECT_EQ(heard.log, "received onetwo");
}

TEST_F(CoreTest, AReceiveThatEndsSilentlyBeginsAgain) {
  const SocketId id = receiving();
  for (const int result : {1, -ENOBUFS, -EINTR, -EAGAIN, -ECANCELED}) {
    engine.run([&] { engine.receive_completed(id, result, "x", false); });
    engine.poll(Instant::never());
    EXPECT_EQ(engine.waited_until == Instant::never(), true) << "begun in this poll's flush";
    EXPECT_EQ(engine.take_log(), "receive 3") << result;
  }
  EXPECT_EQ(heard.log, "received x");
}

TEST_F(CoreTest, OnlyOneSendIsInFlight) {
  const SocketId id = receiving();
  append(id, "one");
  engine.run();
  append(id, "two");
  engine.run();
  EXPECT_EQ(engine.take_log(), "send 3 on 3");
  EXPECT_EQ(engine.unsent(id), 6U);
  engine.run([&] { engine.send_completed(id, 3); });
  engine.run();
  EXPECT_EQ(engine.take_log(), "send 3 on 3");
  engine.shutdown_sending(id);
  engine.run();
  EXPECT_EQ(engine.take_log(), "") << "the FIN waits for what is in flight";
  engine.run([&] { engine.send_completed(id, 3); });
  engine.run();
  EXPECT_EQ(engine.take_log(), "fin 3");
}

TEST_F(CoreTest, ReleaseNeedsAnIdleSocket) {
  const SocketId id = receiving();
  engine.pause_receiving(id);
  EXPECT_FALSE(engine.release(id)) << "the receive is still armed";
  engine.run();
  EXPECT_FALSE(engine.release(id)) << "its end was not told yet";
  engine.run([&] { engine.receive_completed(id, 1, "x", false); });
  EXPECT_FALSE(engine.release(id)) << "a byte is held";
  engine.resume_receiving(id);
  engine.pause_receiving(id);
  engine.run();
  EXPECT_FALSE(engine.release(id)) << "it still is: nobody took it";
  engine.resume_receiving(id);
  heard.then = [&] { engine.pause_receiving(id); };
  engine.run();
  engine.take_log();
  EXPECT_EQ(engine.release(id)->number(), 3);
  EXPECT_EQ(engine.take_log(), "detach 3, drop 3");
}

TEST_F(CoreTest, AnIdleSocketIsSmall) { EXPECT_LE(sizeof(Socket), 128U); }

}  // namespace
}  // namespace hawser::detail
