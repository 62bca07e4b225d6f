// Files out of a connection: whole, in order, in little memory, and what goes wrong with
// them.
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/net/testing/toy_transports.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Rig;
using testing::Rigged;
using testing::serve_passive;

/// A file with bytes that tell their place.
class SomeFile {
 public:
  explicit SomeFile(std::size_t size) {
    std::string name = ::testing::TempDir() + "hawser-file-XXXXXX";
    const int made = ::mkstemp(name.data());
    path = name;
    bytes.resize(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 9U));
    std::ofstream(path, std::ios::binary) << bytes;
    ::close(made);
  }
  SomeFile(const SomeFile&) = delete;
  SomeFile& operator=(const SomeFile&) = delete;
  ~SomeFile() { ::unlink(path.c_str()); }
  std::string path;
  std::string bytes;
};

class FilesOut : public ::testing::Test {
 protected:
  /// Each packet "file" sends the file; its outcome is kept.
  void serve(ServerOptions options, FileToSend file) {
    rig.packet = [this, file](Packet packet) {
      if (packet != "file") return send(packet);
      pid = self().pid();
      connection().send_file(file, [this](Result<void> done) { outcomes.push_back(done); });
      return keep();
    };
    at = net.serve<Rigged>(std::move(options), &rig);
    peer = net.connect(at);
  }
  ConnectionInfo info() {
    ConnectionInfo found;
    static_cast<void>(net.system->run_on(pid.scheduler->number(), [&](Scheduler& scheduler) {
      if (Process* process = scheduler.find(pid))
        found = static_cast<Connection*>(process->handler(type_info<Connection>))->info();
    }));
    return found;
  }
  bool received(const std::string& all) {
    net.until([&] { return peer->received.size() >= all.size() || peer->over(); });
    net.run(1s);
    return peer->received == all;
  }

  Rig rig;  // before the world: handlers say goodbye to it
  std::vector<Result<void>> outcomes;
  NetWorld net;
  Address at;
  Pid pid;
  std::unique_ptr<testing::Peer> peer;
};

TEST_F(FilesOut, Tcp_R_24_AFileLeavesWholeBetweenThePacketsAroundIt) {
  const SomeFile file(3'000'000);
  FileToSend what(file.path);
  what.head = [](std::uint64_t bytes) { return "head " + std::to_string(bytes) + "\n"; };
  serve({}, what);
  peer->send(framed("before") + framed("file") + framed("after") + framed("file") + framed("end"));
  const std::string with_head = "head 3000000\n" + file.bytes;
  EXPECT_TRUE(received(framed("before") + with_head + framed("after") + with_head + framed("end")));
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_TRUE(outcomes[0] && outcomes[1]);
}

TEST_F(FilesOut, Tcp_R_24_APartOfAFileAndAnEmptyOne) {
  const SomeFile file(1000);
  serve({}, FileToSend(file.path, 990, 5));
  peer->send(framed("file"));
  EXPECT_TRUE(received(file.bytes.substr(990, 5)));
  const SomeFile empty(0);
  rig.packet = [&](Packet) {
    connection().send_file(FileToSend(empty.path),
                           [&](Result<void> done) { outcomes.push_back(done); });
    return send("behind");
  };
  peer->send(framed("x"));
  EXPECT_TRUE(received(file.bytes.substr(990, 5) + framed("behind")));
  EXPECT_EQ(outcomes.size(), 2U);
}

TEST_F(FilesOut, Tcp_R_24_ASlowPeerCostsLittleMemory) {
  const SomeFile file(20'000'000);
  ServerOptions options;
  options.connection.write_deadline = 0s;
  serve(std::move(options), FileToSend(file.path));
  peer->read(false);
  peer->send(framed("file") + framed("ping"));
  net.run(30s);
  EXPECT_GT(info().unsent, 0U);
  EXPECT_LE(info().unsent, std::size_t{512} << 10) << "two pieces, whatever the file's length";
  EXPECT_EQ(info().packets_in, 1U) << "no packet is handled meanwhile";
  peer->read(true);
  EXPECT_TRUE(received(file.bytes + framed("ping")));
}

TEST_F(FilesOut, Tcp_R_24_WhatCannotBeOpenedIsAnErrorAndTheConnectionGoesOn) {
  serve({}, FileToSend("/nowhere/at/all"));
  peer->send(framed("file") + framed("on"));
  EXPECT_TRUE(received(framed("on")));
  ASSERT_EQ(outcomes.size(), 1U);
  ASSERT_FALSE(outcomes[0]);
  EXPECT_EQ(outcomes[0].error().kind, ErrorKind::not_found);
  EXPECT_NE(outcomes[0].error().text().find("/nowhere/at/all"), std::string::npos);

  const SomeFile file(10);
  const auto fails = [&](FileToSend what, std::string_view word) {
    rig.packet = [&, what](Packet) {
      connection().send_file(what, [&](Result<void> done) { outcomes.push_back(done); });
      return keep();
    };
    peer->send(framed("x"));
    net.run(1s);
    ASSERT_FALSE(outcomes.back());
    EXPECT_NE(outcomes.back().error().text().find(word), std::string::npos)
        << outcomes.back().error().text();
  };
  fails(FileToSend(file.path, 4, 7), "has only 10 bytes");
  fails(FileToSend(file.path, 11), "has only 10 bytes");
  fails(FileToSend("/tmp"), "no regular file");
  EXPECT_EQ(outcomes.size(), 4U);
}

TEST_F(FilesOut, Tcp_R_24_OneAtATimeAndNotOverWhatWaits) {
  const SomeFile file(100'000);
  rig.packet = [&](Packet) {
    for (int i = 0; i < 2; ++i)
      connection().send_file(FileToSend(file.path),
                             [&](Result<void> done) { outcomes.push_back(done); });
    return keep();
  };
  at = net.serve<Rigged>({}, &rig);
  peer = net.connect(at);
  peer->send(framed("x"));
  EXPECT_TRUE(received(file.bytes));
  ASSERT_EQ(outcomes.size(), 2U);
  ASSERT_FALSE(outcomes[0]) << "the second is refused at once";
  EXPECT_EQ(outcomes[0].error().kind, ErrorKind::overloaded);
  EXPECT_NE(outcomes[0].error().text().find("another file"), std::string::npos);
  EXPECT_TRUE(outcomes[1]);
}

TEST_F(FilesOut, Tcp_R_24_AFileThatShrinksEndsTheConnection) {
  const SomeFile file(20'000'000);
  ServerOptions options;
  options.connection.write_deadline = 0s;
  serve(std::move(options), FileToSend(file.path));
  peer->read(false);
  peer->send(framed("file"));
  net.run(10s);
  ASSERT_EQ(::truncate(file.path.c_str(), 1'000'000), 0);
  peer->read(true);
  ASSERT_TRUE(net.until([&] { return peer->over(); }));
  EXPECT_TRUE(peer->failed) << "a reset: the peer must not take what it has for the whole";
  ASSERT_EQ(outcomes.size(), 1U);
  ASSERT_FALSE(outcomes[0]);
  EXPECT_NE(outcomes[0].error().text().find("shorter"), std::string::npos);
  EXPECT_EQ(rig.seen.starting_with("terminate failed"), 1U);
}

TEST_F(FilesOut, Tcp_R_24_ThePeerMayGoInTheMiddle) {
  const SomeFile file(20'000'000);
  const auto before = net.left();
  serve({}, FileToSend(file.path));
  peer->read(false);
  peer->send(framed("file"));
  net.run(1s);
  peer->close(CloseMode::reset);
  net.run(1s);
  EXPECT_EQ(rig.seen.starting_with("terminate"), 1U);
  EXPECT_TRUE(outcomes.empty()) << "the process has ended: nobody is there to be told";
  ASSERT_TRUE(stop_server(*net.system, "it"));
  EXPECT_EQ(net.left(), before);
}

TEST_F(FilesOut, Tcp_R_24_TheConnectionMayGoWhileAPieceIsRead) {
  const SomeFile file(100'000);
  rig.packet = [&](Packet) {
    connection().send_file(FileToSend(file.path),
                           [&](Result<void> done) { outcomes.push_back(done); });
    return stop();
  };
  const auto before = net.left();
  at = net.serve<Rigged>({}, &rig);
  peer = net.connect(at);
  peer->send(framed("x"));
  ASSERT_TRUE(net.until([&] { return peer->over(); }));
  peer->close();
  net.run(1s);
  EXPECT_TRUE(peer->received.empty());
  EXPECT_TRUE(outcomes.empty());
  ASSERT_TRUE(stop_server(*net.system, "it"));
  EXPECT_EQ(net.left(), before);
}

TEST_F(FilesOut, Tcp_R_24_OurHalfCloseComesBehindIt) {
  const SomeFile file(2'000'000);
  rig.packet = [&](Packet) {
    connection().send_file(FileToSend(file.path), [](Result<void>) {});
    connection().end_sending();
    return keep();
  };
  at = net.serve<Rigged>({}, &rig);
  peer = net.connect(at);
  peer->send(framed("x"));
  ASSERT_TRUE(net.until([&] { return peer->ended; }));
  EXPECT_EQ(peer->received, file.bytes);
}

TEST_F(FilesOut, Tcp_R_24_ItGoesThroughATransport) {
  const SomeFile file(1'000'000);
  ServerOptions options;
  options.transports = {
      [] { return std::make_unique<testing::ToyCipher>(testing::ToyCipher::Options{}); }};
  serve(std::move(options), FileToSend(file.path));
  peer->send("H" + testing::masked(framed("file") + framed("x"), 0x55));
  EXPECT_TRUE(received("H" + testing::masked(file.bytes + framed("x"), 0x55)));
}

TEST(Passive, Tcp_R_24_ATaskWaitsForItsFileToLeave) {
  const SomeFile file(2'000'000);
  std::optional<Result<void>> sent;
  std::optional<Result<void>> missing;
  NetWorld net;
  const Address at = serve_passive(net, {}, [&](Connection& connection) -> Task<> {
    while (auto packet = co_await connection.receive()) {
      const FileToSend there(file.path);
      const FileToSend absent("/nowhere");
      missing = co_await connection.send_file(absent);
      sent = co_await connection.send_file(there);
      if (!co_await connection.send("behind")) break;
    }
  });
  auto peer = net.connect(at);
  peer->send(framed("x"));
  const std::string all = file.bytes + framed("behind");
  ASSERT_TRUE(net.until([&] { return peer->received.size() == all.size(); }));
  EXPECT_EQ(peer->received, all);
  ASSERT_TRUE(missing && sent);
  EXPECT_FALSE(*missing);
  EXPECT_TRUE(*sent);
}

struct Asks {
  Pid* pid;
  std::optional<Result<bool>>* answer;
  std::string path;
  Task<> handle_cast(std::string) {
    const SendFile what{FileToSend(path)};
    *answer = co_await Ref<Connection>(*pid).call(what);
  }
};

TEST_F(FilesOut, Tcp_R_24_AnyProcessMayHaveOneSent) {
  const SomeFile file(500'000);
  serve({}, FileToSend(file.path));
  peer->send(framed("hello"));
  ASSERT_TRUE(net.until([&] { return rig.pid != Pid{}; }));
  std::optional<Result<bool>> answer;
  static_cast<void>(net.system->run_on(0, [&](Scheduler& scheduler) {
    auto asks = spawn<Asks>(scheduler, {}, &rig.pid, &answer, file.path);
    ASSERT_TRUE(asks);
    asks->cast(std::string("go"));
  }));
  EXPECT_TRUE(received(framed("hello") + file.bytes));
  ASSERT_TRUE(answer && *answer);
}

}  // namespace
}  // namespace hawser
