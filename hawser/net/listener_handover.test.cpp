// Two programs, each a System on the real kernel, and sockets that go from one to the other while
// clients come without a pause.
#include <hawser/engine/take_over.hpp>
#include <hawser/net/listener_handover.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace hawser {
namespace {

std::string fresh_path(const char* what) {
  static std::atomic<unsigned> number{0};
  return std::filesystem::temp_directory_path() /
         ("hawser-" + std::to_string(::getpid()) + "-" + std::to_string(++number) + "-" + what);
}

/// Says every packet back; while its server drains, until its client has closed.
struct Patient {
  Next handle_packet(Packet packet) { return send(packet); }
  void handle_shutdown(const Reason&) {}
};

/// A blocking socket of a client.
class Plain {
 public:
  explicit Plain(const Address& to) {
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (to.is_unix()) {
      auto& target = reinterpret_cast<sockaddr_un&>(storage);
      target.sun_family = AF_UNIX;
      std::memcpy(target.sun_path, to.path().data(), to.path().size());
      size = sizeof target;
    } else {
      auto& target = reinterpret_cast<sockaddr_in&>(storage);
      target.sin_family = AF_INET;
      target.sin_port = htons(to.port());
      std::memcpy(&target.sin_addr, to.octets().data(), 4);
      size = sizeof target;
    }
    number_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(number_, reinterpret_cast<sockaddr*>(&storage), size) == 0;
  }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  ~Plain() { ::close(number_); }

  void say(std::string_view text) const {
    EXPECT_EQ(::send(number_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// So many bytes, or fewer when the other side closes first.
  std::string hear(std::size_t count = 4096) const {
    std::string all(count, '\0');
    std::size_t size = 0;
    while (size < count) {
      const ssize_t got = ::recv(number_, all.data() + size, count - size, 0);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    all.resize(size);
    return all;
  }
  bool connected = false;

 private:
  int number_ = -1;
};

constexpr std::string_view ping_packet{"\0\4ping", 6};

bool answers(const Address& to) {
  const Plain client(to);
  if (!client.connected) return false;
  client.say(ping_packet);
  return client.hear(ping_packet.size()) == ping_packet;
}

/// One program: a System with a server "echo", and what it needs to pass that on.
struct Program {
  explicit Program(std::vector<InheritedSocket> inherited = {})
      : sockets(std::make_shared<SocketExchange>(std::move(inherited))) {
    SystemOptions options;
    options.schedulers = 2;
    options.handle_signals = false;
    options.log_level = LogLevel::error;
    system.emplace(options);
  }
  Result<Pid> serve(const ListenAddress& where, AcceptSpread spread = AcceptSpread::hand_over) {
    ServerOptions options;
    options.listen = where;
    options.sockets = sockets;
    options.spread = spread;
    auto started = system->start(server<Patient>("echo", options));
    if (const auto status = server_status(*system, "echo")) address = status->address;
    return started;
  }
  Result<Pid> hand_over_at(const std::string& path, Duration confirm_limit = 60s) {
    HandoverOptions options;
    options.path = path;
    options.sockets = sockets;
    options.confirm_limit = confirm_limit;
    options.on_taken_over = [gate = taken_over] { gate->open(); };
    return system->start(listener_handover("handover", options));
  }
  bool wait_until_taken_over() { return system->environment().wait(*taken_over, 60s); }

  std::shared_ptr<SocketExchange> sockets;
  std::shared_ptr<Gate> taken_over = std::make_shared<Gate>();
  std::optional<System> system;
  Address address;
};

/// Threads that connect, ask, hear and close, again and again.
class Crowd {
 public:
  explicit Crowd(const Address& to) {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this, to] {
        while (!stop_) {
          if (!answers(to)) ++lost;
          ++rounds;
          rounds.notify_all();
        }
      });
    }
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() { end(); }
  void wait_for_more(unsigned count) {
    const unsigned wanted = rounds + count;
    for (unsigned now = rounds; now < wanted; now = rounds) rounds.wait(now);
  }
  void end() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::atomic<unsigned> rounds{0};
  std::atomic<unsigned> lost{0};

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

void hand_over_under_load(const ListenAddress& where, AcceptSpread spread) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.serve(where, spread));
  const auto served = old_one.hand_over_at(path);
  ASSERT_TRUE(served) << served.error().text();
  Crowd crowd(old_one.address);
  crowd.wait_for_more(50);

  auto over = TakeOver::begin(path);
  ASSERT_TRUE(over) << over.error().text();
  Program new_one(over->take_sockets());
  const auto started = new_one.serve(old_one.address, spread);
  ASSERT_TRUE(started) << started.error().text();
  EXPECT_EQ(new_one.address, old_one.address);
  EXPECT_TRUE(new_one.sockets->unused().empty());
  crowd.wait_for_more(50);  // both accept
  const auto confirmed = over->confirm();
  ASSERT_TRUE(confirmed) << confirmed.error().text();
  new_one.sockets->settle();
  EXPECT_TRUE(old_one.wait_until_taken_over());
  const auto again = new_one.hand_over_at(path);
  EXPECT_TRUE(again) << "the path is free: " << again.error().text();
  const std::uint64_t accepted = server_status(*old_one.system, "echo")->accepted;
  crowd.wait_for_more(50);
  EXPECT_EQ(server_status(*old_one.system, "echo")->accepted, accepted) << "it accepts no more";
  EXPECT_TRUE(old_one.system->stop(10s));
  old_one.system.reset();
  crowd.wait_for_more(50);
  crowd.end();
  EXPECT_EQ(crowd.lost, 0U);
  EXPECT_GT(server_status(*new_one.system, "echo")->accepted, 50U);
  EXPECT_TRUE(new_one.system->stop(10s));
  EXPECT_FALSE(answers(new_one.address)) << "the sockets were the new program's to end";
  if (new_one.address.is_unix()) {
    EXPECT_FALSE(std::filesystem::exists(new_one.address.path()));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ListenerHandover, nobody_is_refused_and_nobody_is_lost) {
  hand_over_under_load("127.0.0.1:0", AcceptSpread::hand_over);
}

TEST(ListenerHandover, each_of_several_listeners_is_handed_over) {
  hand_over_under_load("127.0.0.1:0", AcceptSpread::per_scheduler);
}

TEST(ListenerHandover, a_Unix_socket_keeps_its_file) {
  hand_over_under_load("unix:" + fresh_path("echo"), AcceptSpread::hand_over);
}

TEST(ListenerHandover, a_successor_that_ends_unconfirmed_has_changed_nothing) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.serve("127.0.0.1:0"));
  ASSERT_TRUE(old_one.hand_over_at(path));
  {
    auto over = TakeOver::begin(path);
    ASSERT_TRUE(over) << over.error().text();
    Program new_one(over->take_sockets());
    ASSERT_TRUE(new_one.serve(old_one.address));
    EXPECT_TRUE(new_one.system->stop(10s));
  }
  EXPECT_TRUE(answers(old_one.address));
  // The old program hears of the end in its own time; until then the next one is turned away.
  for (;;) {
    auto next = TakeOver::begin(path);
    if (!next && next.error().text().find("another program") != std::string::npos) continue;
    ASSERT_TRUE(next) << next.error().text();
    EXPECT_EQ(next->take_sockets().size(), 1U);
    break;
  }
}

TEST(ListenerHandover, one_successor_at_a_time) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.serve("127.0.0.1:0"));
  ASSERT_TRUE(old_one.hand_over_at(path));
  const auto first = TakeOver::begin(path);
  ASSERT_TRUE(first) << first.error().text();
  const auto second = TakeOver::begin(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::refused);
  EXPECT_NE(second.error().text().find("another program is taking over"), std::string::npos);
}

TEST(ListenerHandover, what_is_no_successor_is_sent_away) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.serve("127.0.0.1:0"));
  ASSERT_TRUE(old_one.hand_over_at(path));
  const auto heard = [&](std::string_view text) {
    for (;;) {  // the one before may still be there
      const Plain client(Address::unix_path(path));
      EXPECT_TRUE(client.connected);
      client.say(text);
      const std::string answer = client.hear();
      if (answer.find("another program") == std::string::npos) return answer;
    }
  };
  EXPECT_EQ(heard("HANDOVER 2\n"), "REFUSED only version 1 of the hand-over is spoken here\n");
  EXPECT_EQ(heard("GET / HTTP/1.1\r\n"), "");
  EXPECT_EQ(heard("TAKEN\n"), "");
  EXPECT_EQ(heard(std::string(65, 'x')), "");
  EXPECT_TRUE(answers(old_one.address));
}

TEST(ListenerHandover, a_successor_that_is_silent_is_given_up) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.hand_over_at(path, 1ms));
  const Plain client(Address::unix_path(path));
  EXPECT_EQ(client.hear(), "");
}

TEST(ListenerHandover, its_file_is_for_its_user_alone) {
  const std::string path = fresh_path("handover");
  Program old_one;
  ASSERT_TRUE(old_one.hand_over_at(path));
  const auto mode = std::filesystem::status(path).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  Program other;
  const auto taken = other.hand_over_at(path);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().text().find("taken by another program"), std::string::npos)
      << taken.error().text();
  const auto wrong = other.system->start(listener_handover("h", {}));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find("path: "), std::string::npos) << wrong.error().text();
  EXPECT_NE(wrong.error().text().find("sockets: "), std::string::npos) << wrong.error().text();
}

// ---- sockets of systemd and of parents
// -----------------------------------------------------------

/// A listening socket as systemd makes it, and one more handle of it, as systemd keeps.
struct Activated {
  Activated() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    kept = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::bind(kept, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(kept, 16), 0);
  }
  Activated(const Activated&) = delete;
  Activated& operator=(const Activated&) = delete;
  ~Activated() { ::close(kept); }
  std::vector<InheritedSocket> pass(std::string name) const {
    std::vector<InheritedSocket> sockets;
    auto socket = inherited_descriptor(::dup(kept));
    EXPECT_TRUE(socket);
    if (socket) {
      socket->name = std::move(name);
      sockets.push_back(*std::move(socket));
    }
    return sockets;
  }
  int kept = -1;
};

TEST(SocketExchange, a_server_listens_on_a_socket_of_systemd_by_name) {
  for (const AcceptSpread spread : {AcceptSpread::hand_over, AcceptSpread::per_scheduler}) {
    const Activated systemd;
    Program program(systemd.pass("web"));
    EXPECT_EQ(program.sockets->unused(), std::vector<std::string>{"web"});
    const auto started = program.serve("systemd:web", spread);
    ASSERT_TRUE(started) << started.error().text();
    EXPECT_TRUE(program.sockets->unused().empty());
    EXPECT_NE(program.address.port(), 0);
    EXPECT_TRUE(answers(program.address));
    EXPECT_TRUE(program.system->stop(10s));
    const Plain waiting(program.address);
    EXPECT_TRUE(waiting.connected) << "systemd goes on to listen";
  }
}

TEST(SocketExchange, a_listener_that_is_restarted_takes_the_inherited_socket_again) {
  const Activated systemd;
  Program program(systemd.pass("web"));
  ASSERT_TRUE(program.serve("systemd:web"));
  for (int i = 0; i < 3; ++i) {
    const Pid before = program.system->whereis("echo/listener/0");
    send_exit(before, Reason::killed());
    Pid now = before;
    while (!now || now == before) {
      std::this_thread::yield();
      now = program.system->whereis("echo/listener/0");
    }
    EXPECT_TRUE(answers(program.address));
  }
}

TEST(SocketExchange, a_socket_that_was_not_inherited_is_named_with_those_that_were) {
  const Activated systemd;
  Program program(systemd.pass("web"));
  const auto started = program.serve("systemd:admin");
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().text().find("'admin' was inherited; there are: web"), std::string::npos)
      << started.error().text();
  ServerOptions options;
  options.listen = "fd:7";
  ASSERT_EQ(options.faults().size(), 1U);
  EXPECT_EQ(options.faults()[0], "listen: 'fd:7' is an inherited socket, and sockets names none");
}

TEST(SocketExchange, a_changed_address_is_bound_anew) {
  const Activated other;
  Program program(other.pass("echo"));
  ASSERT_TRUE(program.serve("127.0.0.2:0"));
  EXPECT_EQ(program.address.host(), "127.0.0.2");
  EXPECT_EQ(program.sockets->unused(), std::vector<std::string>{"echo"});
}

}  // namespace
}  // namespace hawser
