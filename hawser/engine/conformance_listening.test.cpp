// Conformance: listening, refusals, Unix sockets, many connections, sockets that change hands.
#include <hawser/base/sanitizer.hpp>
#include <hawser/engine/testing/conformance.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <deque>

namespace hawser::testing {
namespace {

TEST_P(EngineConformance, PortZeroGivesARealPort) {
  Acceptor acceptor;
  listen(acceptor);
  EXPECT_NE(acceptor.bound.port(), 0);
  EXPECT_EQ(server().local(acceptor.id), acceptor.bound);
  acceptor.close();
}

TEST_P(EngineConformance, ATakenPortAlreadyExistsAndTheErrorNamesIt) {
  Acceptor acceptor, second;
  listen(acceptor);
  const auto result = server().listen(acceptor.bound, {}, second);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::already_exists) << result.error().text();
  EXPECT_NE(result.error().text().find(acceptor.bound.text()), std::string::npos)
      << result.error().text();
  acceptor.close();
}

TEST_P(EngineConformance, AClosedListenersAddressIsFreeAtOnce) {
  Acceptor acceptor, second;
  listen(acceptor);
  turns(5);  // it accepts
  acceptor.close();
  listen_on(second, acceptor.bound);
  Recorder there;
  connect(there, second.bound);
  ASSERT_TRUE(until([&] { return !second.accepted.empty(); }));
  there.close();
  second.close();
}

TEST_P(EngineConformance, AConnectThatIsRefusedFails) {
  Acceptor acceptor;
  listen(acceptor);
  const Address nobody = acceptor.bound;
  acceptor.close();
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  Recorder there;
  connect(there, nobody);
  EXPECT_FALSE(there.failed) << "not inside connect()";
  there.send("queued in vain");
  ASSERT_TRUE(until([&] { return there.failed.has_value(); }));
  EXPECT_EQ(there.connected, 0);
  EXPECT_EQ(there.failed->kind, ErrorKind::refused) << there.failed->text();
  EXPECT_NE(there.failed->text().find(nobody.text()), std::string::npos) << there.failed->text();
  EXPECT_EQ(client().outgoing(there.id), nullptr);
  EXPECT_EQ(client().open_sockets(), 1U);
  there.close();
}

TEST_P(EngineConformance, APausedListenerLeavesConnectionsInTheBacklog) {
  Acceptor acceptor;
  listen(acceptor, {.start_paused = true});
  Recorder there;
  connect(there, acceptor.bound);
  ASSERT_TRUE(until([&] { return there.connected == 1; }));
  turns(20);
  EXPECT_TRUE(acceptor.accepted.empty());
  server().resume_accepting(acceptor.id);
  ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 1; }));
  server().pause_accepting(acceptor.id);
  turns(5);  // what the kernel had completed has come by now
  Recorder second;
  connect(second, acceptor.bound);
  ASSERT_TRUE(until([&] { return second.connected == 1; }));
  turns(20);
  EXPECT_EQ(acceptor.accepted.size(), 1U);
  server().resume_accepting(acceptor.id);
  ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 2; }));
  there.close();
  second.close();
  acceptor.close();
}

TEST_P(EngineConformance, ASocketThatNobodyAdoptsIsClosed) {
  Acceptor acceptor;
  listen(acceptor);
  Recorder there;
  acceptor.when_accepted = [](NativeSocket socket) { socket.reset(); };
  connect(there, acceptor.bound);
  there.resume();
  ASSERT_TRUE(until([&] { return there.ended == 1 || there.failed; }));
  there.close();
  acceptor.close();
}

TEST_P(EngineConformance, AListenerClosedInsideItsCallback) {
  Acceptor acceptor;
  listen(acceptor);
  Recorder there[3];
  for (Recorder& recorder : there) connect(recorder, acceptor.bound);
  ASSERT_TRUE(until([&] { return there[2].connected == 1 || there[2].failed; }));
  acceptor.when_accepted = [&](NativeSocket) { acceptor.close(); };
  ASSERT_TRUE(until([&] { return acceptor.closed || !acceptor.accepted.empty(); }));
  if (!acceptor.closed) acceptor.close();  // they had come before
  turns(10);
  for (Recorder& recorder : there) recorder.close();
}

TEST_P(EngineConformance, ConnectFromAGivenLocalAddress) {
  Acceptor acceptor, reservation;
  listen(acceptor);
  Recorder there;
  there.engine = &client();
  const Address wrong = Address::ipv4({192, 0, 2, 1}, 0);  // nobody's: RFC 5737
  const auto result = client().connect(acceptor.bound, {}, there, wrong);
  if (result) {  // an engine may also report it later
    there.id = *result;
    ASSERT_TRUE(until([&] { return there.failed.has_value(); }));
    there.close();
  } else {
    EXPECT_NE(result.error().text().find("192.0.2.1"), std::string::npos);
  }
  acceptor.close();
}

TEST_P(EngineConformance, Tcp_E_65_ReleaseAndAdoptOnTheSameAndOnAnotherEngine) {
  Recorder here, there;
  connect_pair(here, there);
  here.pause();
  turns(10);
  Result<NativeSocket> released = server().release(here.id);
  ASSERT_TRUE(released) << released.error().text();
  EXPECT_EQ(server().open_sockets(), 0U);
  EXPECT_EQ(server().outgoing(here.id), nullptr) << "the id is stale";
  there.send("on its way");
  turns(5);
  Recorder moved;
  adopt(moved, std::move(*released), world->sibling());
  moved.resume();
  ASSERT_TRUE(until([&] { return moved.received == "on its way"; }));
  moved.send("back");
  ASSERT_TRUE(until([&] { return there.received == "back"; }));
  moved.pause();
  turns(10);
  released = world->sibling().release(moved.id);
  ASSERT_TRUE(released) << released.error().text();
  Recorder home;
  adopt(home, std::move(*released), server());
  home.resume();
  there.close(CloseMode::graceful);
  ASSERT_TRUE(until([&] { return home.ended == 1; }));
  home.close();
}

TEST_P(EngineConformance, ReleaseRightAfterAccept) {
  Acceptor acceptor;
  listen(acceptor);
  Recorder there, passing, here;
  acceptor.when_accepted = [&](NativeSocket socket) {
    adopt(passing, std::move(socket), server());
    Result<NativeSocket> released = server().release(passing.id);
    ASSERT_TRUE(released) << released.error().text();
    adopt(here, std::move(*released), world->sibling());
    here.resume();
  };
  connect(there, acceptor.bound);
  there.send("hello");
  ASSERT_TRUE(until([&] { return here.received == "hello"; }));
  here.close();
  there.close();
  acceptor.close();
}

TEST_P(EngineConformance, ReleaseIsRefusedWhileAnythingIsGoingOn) {
  Recorder here, there;
  connect_pair(here, there);
  EXPECT_FALSE(server().release(here.id)) << "receiving";
  here.pause();
  here.send("x");
  EXPECT_FALSE(server().release(here.id)) << "bytes queued";
  ASSERT_TRUE(until([&] { return there.total == 1; }));
  server().shutdown_sending(here.id);
  EXPECT_FALSE(server().release(here.id)) << "write side shut down";
  Recorder never;
  EXPECT_FALSE(server().adopt(NativeSocket{}, never));
  here.close();
  there.close();
}

TEST_P(EngineConformance, TwoThousandConnectionsOpenedAndClosed) {
  constexpr std::size_t count = 2000;
  Acceptor acceptor;
  listen(acceptor, {.backlog = 4096});
  std::deque<Recorder> here, there;
  std::size_t echoed = 0;
  acceptor.when_accepted = [&](NativeSocket socket) {
    Recorder& recorder = here.emplace_back();
    adopt(recorder, std::move(socket), server());
    recorder.resume();
    recorder.when_received = [&recorder] { recorder.send(recorder.latest); };
    recorder.when_ended = [&recorder] { recorder.close(CloseMode::graceful); };
  };
  for (std::size_t index = 0; index < count; ++index) {
    Recorder& recorder = there.emplace_back();
    connect(recorder, acceptor.bound);
    recorder.resume();
    recorder.send("ping");
    recorder.when_received = [&] {
      if (recorder.received == "ping") ++echoed;
    };
    if (index % 200 == 199) turns(10);  // no more at once than the backlog holds
  }
  ASSERT_TRUE(until([&] { return echoed == count; })) << echoed;
  EXPECT_EQ(server().open_sockets(), count + 1);
  for (std::size_t index = 0; index < count; ++index) {
    there[index].close(index % 2 == 0 ? CloseMode::graceful : CloseMode::immediate);
  }
  acceptor.close();
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  EXPECT_EQ(here.size(), count);
}

// ---- Unix sockets: real engines only, the file system is theirs
// -----------------------------------

TEST_P(RealEngineConformance, UnixSocketsWithFileAndAbstract) {
  const std::string path = world->unix_path();
  for (const std::string& name : {path, "@" + path}) {
    SCOPED_TRACE(name);
    Acceptor acceptor;
    listen_on(acceptor, Address::unix_path(name));
    Recorder there, here;
    connect(there, Address::unix_path(name));
    there.resume();
    ASSERT_TRUE(until([&] { return !acceptor.accepted.empty(); }));
    adopt(here, std::move(acceptor.accepted.front()), server());
    here.resume();
    here.when_received = [&] { here.send(here.latest); };
    const std::string text = pattern(1U << 20);
    there.keep_bytes = false;
    there.send("hello");
    ASSERT_TRUE(until([&] { return there.total == 5; }));
    EXPECT_EQ(client().peer(there.id), Address::unix_path(name));
    EXPECT_EQ(server().peer(here.id), Address{});
    there.close(CloseMode::graceful);
    ASSERT_TRUE(until([&] { return here.ended == 1; }));
    here.close(CloseMode::graceful);
    acceptor.close();
    ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
    struct stat file{};
    EXPECT_NE(::stat(path.c_str(), &file), 0) << "our own file is removed";
  }
}

TEST_P(RealEngineConformance, Tcp_R_23_AStaleUnixFileIsReplacedAndALivingOneIsNot) {
  const Address address = Address::unix_path(world->unix_path());
  Acceptor living, second;
  listen_on(living, address);
  const auto result = server().listen(address, {}, second);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::already_exists) << result.error().text();
  // A program that died leaves its file: the name moves away, so that closing does not find it.
  const std::string kept = address.path() + ".kept";
  ASSERT_EQ(::rename(address.path().c_str(), kept.c_str()), 0);
  living.close();
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  ASSERT_EQ(::rename(kept.c_str(), address.path().c_str()), 0);
  Acceptor next;
  listen_on(next, address);
  Recorder there;
  connect(there, address);
  ASSERT_TRUE(until([&] { return !next.accepted.empty(); }));
  there.close();
  next.close();
}

TEST_P(RealEngineConformance, ConnectToNobodysUnixPathFails) {
  Recorder there;
  connect(there, Address::unix_path(world->unix_path()));
  ASSERT_TRUE(until([&] { return there.failed.has_value(); }));
  EXPECT_EQ(there.failed->kind, ErrorKind::not_found) << there.failed->text();
  there.close();
}

// ---- descriptors run out
// --------------------------------------------------------------------------

TEST_P(RealEngineConformance, RunningOutOfDescriptorsPausesAcceptingUntilResumed) {
  if (address_sanitizer)
    GTEST_SKIP()
        << "UBSan looks at objects' types through a pipe, and there are no descriptors for it";
  Acceptor acceptor;
  listen(acceptor, {.start_paused = true});
  Recorder there[3];
  for (Recorder& recorder : there) connect(recorder, acceptor.bound);
  ASSERT_TRUE(until([&] { return there[2].connected == 1; }));
  struct Limit {  // as many as are open now, and none more; put back whatever happens
    rlimit before{};
    Limit() {
      ::getrlimit(RLIMIT_NOFILE, &before);
      rlimit none = before;
      none.rlim_cur = 0;  // open ones stay open
      ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~Limit() { ::setrlimit(RLIMIT_NOFILE, &before); }
  };
  {
    const Limit limit;
    server().resume_accepting(acceptor.id);
    ASSERT_TRUE(until([&] { return acceptor.pauses == 1; }));
    EXPECT_EQ(acceptor.failures.front().kind, ErrorKind::exhausted)
        << acceptor.failures.front().text();
    turns(30);
    EXPECT_EQ(acceptor.failures.size(), 1U) << "it does not spin";
  }
  EXPECT_TRUE(acceptor.accepted.empty());
  server().resume_accepting(acceptor.id);
  ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 3; }));
  for (Recorder& recorder : there) recorder.close();
  acceptor.close();
}

}  // namespace
}  // namespace hawser::testing
