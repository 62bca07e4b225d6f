// The new program's side of a hand-over against an old one that is a script: what it sends is
// given, what it gets is looked at. (Both real sides together: net/listener_handover.test.cpp.)
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/take_over.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hawser {
namespace {

NativeSocket listening() {
  const auto made = detail::open_listening_socket(Address::loopback(0), {});
  EXPECT_TRUE(made);
  return {made ? made->number : -1, detail::descriptor_closer()};
}

/// An old program: accepts one successor on a thread of its own, and does what `play` says.
class OldProgram {
 public:
  explicit OldProgram(std::function<void(int)> play) {
    static std::atomic<unsigned> number{0};
    path = "@hawser-take-over-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
    const auto made = detail::open_listening_socket(Address::unix_path(path), {});
    EXPECT_TRUE(made);
    listener_ = made ? made->number : -1;
    ::fcntl(listener_, F_SETFL, ::fcntl(listener_, F_GETFL) & ~O_NONBLOCK);
    thread_ = std::thread([this, play = std::move(play)] {
      const NativeSocket peer(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC),
                              detail::descriptor_closer());
      if (peer) play(peer.number());
    });
  }
  OldProgram(const OldProgram&) = delete;
  OldProgram& operator=(const OldProgram&) = delete;
  ~OldProgram() {
    thread_.join();
    ::close(listener_);
  }
  std::string path;

 private:
  int listener_ = -1;
  std::thread thread_;
};

void say(int number, std::string_view text, std::vector<NativeSocket> sockets = {}) {
  EXPECT_TRUE(detail::send_descriptors(number, text, sockets));
}
void expect_line(int number, std::string_view line) {
  std::string got;
  char octet = 0;
  while (!got.ends_with('\n') && ::recv(number, &octet, 1, 0) == 1) got += octet;
  EXPECT_EQ(got, std::string(line) + "\n");
}
std::vector<NativeSocket> one(NativeSocket socket) {
  std::vector<NativeSocket> sockets;
  sockets.push_back(std::move(socket));
  return sockets;
}

void expect_error(const std::function<void(int)>& play, ErrorKind kind, std::string_view word) {
  const OldProgram old([&](int number) {
    expect_line(number, "HANDOVER 1");
    play(number);
  });
  const auto over = TakeOver::begin(old.path);
  ASSERT_FALSE(over) << word;
  EXPECT_EQ(over.error().kind, kind) << over.error().text();
  EXPECT_NE(over.error().text().find(word), std::string::npos) << over.error().text();
}

TEST(TakeOver, gets_the_sockets_with_their_names) {
  const OldProgram old([](int number) {
    expect_line(number, "HANDOVER 1");
    say(number, "SOCKET own web server\n", one(listening()));
    say(number, "SOCKET leave admin\n", one(listening()));
    say(number, "END 2\n");
    expect_line(number, "TAKEN");
    say(number, "STOPPED\n");
  });
  auto over = TakeOver::begin(old.path);
  ASSERT_TRUE(over) << over.error().text();
  const auto sockets = over->take_sockets();
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].name, "web server");
  EXPECT_EQ(sockets[1].name, "admin");
  EXPECT_FALSE(sockets[0].leave_at_close);
  EXPECT_TRUE(sockets[1].leave_at_close);
  EXPECT_NE(sockets[0].address.port(), 0);
  EXPECT_TRUE(over->take_sockets().empty());
  const auto confirmed = over->confirm();
  EXPECT_TRUE(confirmed) << confirmed.error().text();
}

TEST(TakeOver, lines_may_come_in_any_pieces) {
  const OldProgram old([](int number) {
    expect_line(number, "HANDOVER 1");
    say(number, "S", one(listening()));
    say(number, "OCKET own a\nSOCK");
    say(number, "ET own b", one(listening()));
    say(number, "\nEND 2\n");
  });
  auto over = TakeOver::begin(old.path);
  ASSERT_TRUE(over) << over.error().text();
  EXPECT_EQ(over->take_sockets().size(), 2U);
}

TEST(TakeOver, nothing_to_take_is_no_error) {
  const OldProgram old([](int number) {
    expect_line(number, "HANDOVER 1");
    say(number, "END 0\n");
  });
  auto over = TakeOver::begin(old.path);
  ASSERT_TRUE(over);
  EXPECT_TRUE(over->take_sockets().empty());
}

TEST(TakeOver, nobody_there_is_told_apart) {
  const auto over = TakeOver::begin("/nowhere/at/all.sock");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, ErrorKind::not_found) << over.error().text();
  EXPECT_EQ(TakeOver::begin("@hawser-nobody").error().kind, ErrorKind::refused);
}

TEST(TakeOver, says_what_the_old_program_did_wrong) {
  expect_error([](int n) { say(n, "REFUSED not today\n"); }, ErrorKind::refused, "not today");
  expect_error([](int n) { say(n, "SOCKET own a\n"); }, ErrorKind::protocol_error,
               "named that did not come");
  expect_error([](int n) { say(n, "END 1\n"); }, ErrorKind::protocol_error, "\"END 1\"");
  expect_error([](int n) { say(n, "END 0\n", one(listening())); }, ErrorKind::protocol_error,
               "\"END 0\"");
  expect_error([](int n) { say(n, "hello\n"); }, ErrorKind::protocol_error, "\"hello\"");
  expect_error([](int n) { say(n, std::string(1024, 'x')); }, ErrorKind::protocol_error,
               "more than 1024 bytes");
  expect_error([](int) {}, ErrorKind::closed, "before it had said everything");
  expect_error([](int n) { say(n, "SOCKET own a\n", one(listening())); }, ErrorKind::closed,
               "before it had said everything");
}

TEST(TakeOver, an_old_program_that_is_silent_is_given_up) {
  const OldProgram old([](int number) {
    char octet = 0;
    while (::recv(number, &octet, 1, 0) == 1) {
    }
  });
  TakeOver::Options options;
  options.limit = 1ms;
  const auto over = TakeOver::begin(old.path, options);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, ErrorKind::timeout) << over.error().text();
}

TEST(TakeOver, a_confirmation_that_is_not_answered_is_an_error) {
  const OldProgram old([](int number) {
    expect_line(number, "HANDOVER 1");
    say(number, "END 0\n");
    expect_line(number, "TAKEN");
  });
  auto over = TakeOver::begin(old.path);
  ASSERT_TRUE(over);
  const auto confirmed = over->confirm();
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(confirmed.error().kind, ErrorKind::closed) << confirmed.error().text();
}

}  // namespace
}  // namespace hawser
