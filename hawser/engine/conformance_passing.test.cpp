// Conformance: listening sockets that change hands, sockets sent to other programs, and who is at
// the other end of a Unix socket.
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/testing/conformance.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace hawser::testing {
namespace {

bool is_there(const std::string& path) {
  struct stat file{};
  return ::lstat(path.c_str(), &file) == 0;
}

NativeSocket kernel_socket(int family, int type) {
  return {::socket(family, type | SOCK_CLOEXEC, 0), detail::descriptor_closer()};
}

/// Adopts a listening socket into `engine`.
void adopt_listener(Acceptor& acceptor, NativeSocket socket, Engine& engine,
                    const ListenOptions& options = {}) {
  acceptor.engine = &engine;
  Result<Engine::Listening> listening = engine.adopt_listener(std::move(socket), options, acceptor);
  ASSERT_TRUE(listening) << listening.error().text();
  acceptor.id = listening->id;
  acceptor.bound = listening->bound;
}

// ---- listening sockets change hands
// --------------------------------------------------------------

TEST_P(EngineConformance, AListenerMovesToAnotherEngineAndNobodyIsRefused) {
  for (const Address& address :
       {world->server_address(0), Address::unix_path(world->unix_path())}) {
    SCOPED_TRACE(address.text());
    Acceptor acceptor, moved;
    listen_on(acceptor, address);
    Recorder first, waiting, later;
    connect(first, acceptor.bound);
    ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 1; }));
    EXPECT_FALSE(server().release(acceptor.id)) << "while accepting";
    server().pause_accepting(acceptor.id);
    turns(10);
    connect(waiting, acceptor.bound);
    ASSERT_TRUE(until([&] { return waiting.connected == 1; }));
    Result<NativeSocket> released = server().release(acceptor.id);
    ASSERT_TRUE(released) << released.error().text();
    EXPECT_EQ(server().open_sockets(), 0U);
    EXPECT_FALSE(server().local(acceptor.id)) << "the id is stale";
    connect(later, acceptor.bound);
    ASSERT_TRUE(until([&] { return later.connected == 1; }));
    adopt_listener(moved, std::move(*released), world->sibling());
    EXPECT_EQ(moved.bound, acceptor.bound);
    ASSERT_TRUE(until([&] { return moved.accepted.size() == 2; }));
    EXPECT_EQ(acceptor.accepted.size(), 1U);
    for (Recorder* recorder : {&first, &waiting, &later}) recorder->close();
    acceptor.accepted.clear();
    moved.accepted.clear();
    moved.close();
    ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
    Recorder refused;
    connect(refused, acceptor.bound);
    ASSERT_TRUE(until([&] { return refused.failed.has_value(); })) << "its new owner has closed it";
    refused.close();
  }
}

TEST_P(EngineConformance, AnAdoptedListenerMayStartPausedAndSetsItsOwnOptions) {
  Acceptor acceptor, moved;
  listen(acceptor, {.start_paused = true});
  Result<NativeSocket> released = server().release(acceptor.id);
  ASSERT_TRUE(released) << "it never began to accept: " << released.error().text();
  adopt_listener(moved, std::move(*released), world->sibling(), {.start_paused = true});
  Recorder there;
  connect(there, moved.bound);
  ASSERT_TRUE(until([&] { return there.connected == 1; }));
  turns(20);
  EXPECT_TRUE(moved.accepted.empty());
  world->sibling().resume_accepting(moved.id);
  ASSERT_TRUE(until([&] { return moved.accepted.size() == 1; }));
  there.close();
  moved.close();
}

TEST_P(EngineConformance, AReleasedListenerThatNobodyTakesIsClosed) {
  Acceptor acceptor;
  listen(acceptor, {.start_paused = true});
  Result<NativeSocket> released = server().release(acceptor.id);
  ASSERT_TRUE(released);
  released->reset();
  Acceptor next;
  listen_on(next, acceptor.bound);
  next.close();
}

TEST_P(EngineConformance, OnlyWhatListensIsAdoptedAsAListener) {
  Acceptor acceptor, never;
  EXPECT_FALSE(server().adopt_listener(NativeSocket{}, {}, never));
  listen(acceptor);
  Recorder there;
  connect(there, acceptor.bound);
  ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 1; }));
  const auto result = server().adopt_listener(std::move(acceptor.accepted.front()), {}, never);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_argument) << result.error().text();
  EXPECT_NE(result.error().text().find("listen"), std::string::npos) << result.error().text();
  there.resume();
  ASSERT_TRUE(until([&] { return there.ended == 1 || there.failed; })) << "it was closed";
  there.close();
  acceptor.close();
}

TEST_P(EngineConformance, DatagramSocketsAreNotReleased) {
  struct : DatagramEvents {
    void on_datagram(const Datagram&) override {}
    void on_failed(const Error&) override {}
  } events;
  const auto opened = server().open_datagram(world->server_address(0), {}, events);
  ASSERT_TRUE(opened);
  EXPECT_FALSE(server().release(opened->id));
  server().close_now(opened->id);
}

TEST_P(RealEngineConformance, ASharedListenerOutlivesOneOfItsHolders) {
  for (const Address& address :
       {world->server_address(0), Address::unix_path(world->unix_path())}) {
    SCOPED_TRACE(address.text());
    Acceptor old_one, new_one;
    listen_on(old_one, address);
    turns(5);
    Result<NativeSocket> shared = server().share_listener(old_one.id);
    ASSERT_TRUE(shared) << shared.error().text();
    adopt_listener(new_one, std::move(*shared), world->sibling());
    server().set_leave_at_close(old_one.id, true);
    old_one.close();
    ASSERT_TRUE(until([&] { return server().open_sockets() == 0; }));
    EXPECT_EQ(is_there(address.path()), address.is_unix());
    Recorder there;
    connect(there, new_one.bound);
    ASSERT_TRUE(until([&] { return new_one.accepted.size() == 1; }));
    Recorder more;
    connect(more, new_one.bound);
    for (int polls = 0; polls < 1000 && more.connected == 0; ++polls) {
      world->poll(client(), client().read_clock());
    }
    ASSERT_EQ(more.connected, 1);
    // The kernel tells the old engine nothing of it: else this would return before its time.
    const Instant deadline = server().read_clock() + 1ms;
    world->poll(server(), deadline);
    EXPECT_GE(server().now(), deadline);
    ASSERT_TRUE(until([&] { return new_one.accepted.size() == 2; }));
    there.close();
    more.close();
    new_one.accepted.clear();
    new_one.close();
    EXPECT_FALSE(is_there(address.path())) << "the last owner's to remove";
  }
}

TEST_P(RealEngineConformance, ClosingAListenerEndsItForAllUnlessItIsLeft) {
  Acceptor first, second;
  listen(first);
  Result<NativeSocket> shared = server().share_listener(first.id);
  ASSERT_TRUE(shared);
  first.close();
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  const auto result = server().adopt_listener(std::move(*shared), {}, second);
  ASSERT_FALSE(result) << "it listens no more";
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_argument) << result.error().text();
}

TEST_P(RealEngineConformance, WhatIsNoListeningStreamSocketIsNotAdopted) {
  Acceptor never;
  const auto refused = [&](NativeSocket socket, const char* word) {
    const auto result = server().adopt_listener(std::move(socket), {}, never);
    ASSERT_FALSE(result) << word;
    EXPECT_NE(result.error().text().find(word), std::string::npos) << result.error().text();
  };
  refused(kernel_socket(AF_INET, SOCK_STREAM), "does not listen");
  refused(kernel_socket(AF_INET, SOCK_DGRAM), "no stream socket");
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  refused({ends[0], detail::descriptor_closer()}, "ENOTSOCK");
  refused({ends[1], detail::descriptor_closer()}, "ENOTSOCK");
}

// ---- sockets are sent
// ----------------------------------------------------------------------------

/// A Unix pair: an engine's stream and a plain blocking descriptor.
struct Sending {
  Recorder here;
  NativeSocket there;
};
void make_sending(Sending& pair, Engine& engine) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  pair.there = NativeSocket(ends[1], detail::descriptor_closer());
  pair.here.engine = &engine;
  Result<SocketId> id = engine.adopt(NativeSocket(ends[0], detail::descriptor_closer()), pair.here);
  ASSERT_TRUE(id) << id.error().text();
  pair.here.id = *id;
}

TEST_P(RealEngineConformance, ListenersAreSentWithTheirBytesAndWorkOnTheOtherSide) {
  Acceptor acceptor, received;
  listen(acceptor, {.start_paused = true});
  Sending pair;
  make_sending(pair, server());
  std::vector<NativeSocket> sockets;
  for (int i = 0; i < 3; ++i) {
    Result<NativeSocket> shared = server().share_listener(acceptor.id);
    ASSERT_TRUE(shared);
    sockets.push_back(std::move(*shared));
  }
  const auto sent = server().send_sockets(pair.here.id, "three of them", sockets);
  ASSERT_TRUE(sent) << sent.error().text();
  ASSERT_TRUE(server().send_sockets(pair.here.id, "and none", {}));
  auto first = detail::receive_descriptors(pair.there.number(), 100);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->bytes, "three of them") << "a receive ends where descriptors came";
  ASSERT_EQ(first->sockets.size(), 3U);
  auto second = detail::receive_descriptors(pair.there.number(), 100);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->bytes, "and none");
  EXPECT_TRUE(second->sockets.empty());
  adopt_listener(received, std::move(first->sockets[1]), world->sibling());
  EXPECT_EQ(received.bound, acceptor.bound);
  Recorder there;
  connect(there, received.bound);
  ASSERT_TRUE(until([&] { return received.accepted.size() == 1; }));
  there.close();
  pair.here.close();
  received.close();
  acceptor.close();
}

TEST_P(RealEngineConformance, SendingSocketsIsRefusedWhereItCannotBeDone) {
  Acceptor acceptor;
  listen(acceptor, {.start_paused = true});
  Sending pair;
  make_sending(pair, server());
  const auto refused = [&](SocketId id, BytesView bytes, std::span<const NativeSocket> sockets,
                           ErrorKind kind) {
    const auto sent = server().send_sockets(id, bytes, sockets);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().kind, kind) << sent.error().text();
  };
  const std::vector<NativeSocket> none(1);
  std::vector<NativeSocket> many;
  for (int i = 0; i < 65; ++i) many.push_back(*server().share_listener(acceptor.id));
  refused(pair.here.id, "", {}, ErrorKind::invalid_argument);
  refused(pair.here.id, std::string(1025, 'x'), {}, ErrorKind::invalid_argument);
  refused(pair.here.id, "x", none, ErrorKind::invalid_argument);
  refused(pair.here.id, "x", many, ErrorKind::invalid_argument);
  EXPECT_TRUE(server().send_sockets(pair.here.id, "x", std::span(many).first(64)));
  pair.here.send("queued");
  refused(pair.here.id, "x", {}, ErrorKind::invalid_argument);
  turns(5);
  while (server().send_sockets(pair.here.id, std::string(1024, 'x'), {})) {
  }
  refused(pair.here.id, std::string(1024, 'x'), {}, ErrorKind::overloaded);
  pair.there.reset();
  refused(pair.here.id, "x", {}, ErrorKind::closed);
  pair.here.close();
  refused(pair.here.id, "x", {}, ErrorKind::not_found);
  acceptor.close();
  Recorder here, there;
  connect_pair(here, there);
  refused(here.id, "x", {}, ErrorKind::unsupported);
  here.close();
  there.close();
}

// ---- who is there
// --------------------------------------------------------------------------------

TEST_P(EngineConformance, Tcp_R_23_AUnixPeerIsKnownByItsCredentials) {
  const PeerCredentials expected = world->credentials();
  Acceptor acceptor;
  listen_on(acceptor, Address::unix_path(world->unix_path()));
  Recorder there, here;
  connect(there, acceptor.bound);
  ASSERT_TRUE(until([&] { return there.connected == 1 && !acceptor.accepted.empty(); }));
  adopt(here, std::move(acceptor.accepted.front()), server());
  const auto of_client = server().peer_credentials(here.id);
  ASSERT_TRUE(of_client) << of_client.error().text();
  EXPECT_EQ(*of_client, expected);
  const auto of_server = client().peer_credentials(there.id);
  ASSERT_TRUE(of_server) << of_server.error().text();
  EXPECT_EQ(*of_server, expected);
  here.close();
  EXPECT_FALSE(server().peer_credentials(here.id)) << "a stale id";
  EXPECT_FALSE(server().peer_credentials(acceptor.id)) << "a listener has no peer";
  there.close();
  acceptor.close();
}

TEST_P(EngineConformance, TcpPeersHaveNoCredentials) {
  Recorder here, there;
  connect_pair(here, there);
  const auto credentials = server().peer_credentials(here.id);
  ASSERT_FALSE(credentials);
  EXPECT_EQ(credentials.error().kind, ErrorKind::unsupported) << credentials.error().text();
  here.close();
  there.close();
}

// ---- files of Unix sockets
// -----------------------------------------------------------------------

TEST_P(RealEngineConformance, AFileThatIsNoSocketIsNeverRemoved) {
  const std::string path = world->unix_path();
  std::ofstream(path) << "precious";
  Acceptor never;
  const auto result = server().listen(Address::unix_path(path), {}, never);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::already_exists) << result.error().text();
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "precious");
  // Nor one that took the place of the socket's file while it listened.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  Acceptor acceptor;
  listen_on(acceptor, Address::unix_path(path));
  ASSERT_EQ(::unlink(path.c_str()), 0);
  std::ofstream(path) << "precious";
  acceptor.close();
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  EXPECT_TRUE(is_there(path));
}

TEST_P(RealEngineConformance, AFileOfASuccessorIsNotRemoved) {
  const Address address = Address::unix_path(world->unix_path());
  Acceptor old_one, successor;
  listen_on(old_one, address);
  ASSERT_EQ(::unlink(address.path().c_str()), 0);  // somebody makes room by force
  listen_on(successor, address);
  old_one.close();
  ASSERT_TRUE(until([&] { return server().open_sockets() == 1; }));
  Recorder there;
  connect(there, address);
  ASSERT_TRUE(until([&] { return successor.accepted.size() == 1; }));
  there.close();
  successor.close();
  EXPECT_FALSE(is_there(address.path()));
}

TEST_P(RealEngineConformance, AUnixFileHasTheModeThatWasAskedFor) {
  const Address address = Address::unix_path(world->unix_path());
  Acceptor acceptor;
  listen_on(acceptor, address, {.unix_mode = 0640});
  struct stat file{};
  ASSERT_EQ(::stat(address.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777U, 0640U);
  acceptor.close();
}

}  // namespace
}  // namespace hawser::testing
