// Conformance: how sockets end, in every order and from inside every callback.
#include <hawser/engine/testing/conformance.hpp>

#include <deque>

namespace hawser::testing {
namespace {

TEST_P(EngineConformance, GracefulCloseDeliversEverythingThenBothEnd) {
  Recorder here, there;
  connect_pair(here, there);
  const std::string text = pattern(3U << 20);
  there.send(text);
  there.close(CloseMode::graceful);
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  EXPECT_TRUE(here.received == text);
  EXPECT_FALSE(here.failed);
  EXPECT_EQ(client().open_sockets(), 1U) << "it waits for the peer's end";
  here.close(CloseMode::graceful);
  ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
}

TEST_P(EngineConformance, GracefulCloseDropsWhatThePeerStillSendsWithoutAReset) {
  Recorder here, there;
  connect_pair(here, there);
  there.send("goodbye");
  there.close(CloseMode::graceful);
  // Unread bytes at the closing side would make the kernel answer with a reset, which could
  // destroy "goodbye" on its way.
  for (int round = 0; round < 50; ++round) {
    here.send(pattern(1000));
    world->turn();
  }
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  EXPECT_EQ(here.received, "goodbye");
  EXPECT_FALSE(here.failed) << here.failed->text();
  here.close(CloseMode::graceful);
}

TEST_P(EngineConformance, GracefulCloseReadsWhileItIsStillSending) {
  // Both sides have more to send than the buffers take, and both close: each must read the other's.
  Recorder here, there;
  connect_pair(here, there, {.send_buffer = 8192, .receive_buffer = 8192});
  here.send(pattern(1U << 20));
  there.send(pattern(1U << 20));
  here.close(CloseMode::graceful);
  there.close(CloseMode::graceful);
  EXPECT_TRUE(until([&] { return open_sockets() == 0; }, 200'000));
}

TEST_P(EngineConformance, GracefulCloseEndsAtItsDeadlineWhenThePeerNeverCloses) {
  Recorder here, there;
  connect_pair(here, there);
  const Instant deadline = client().now() + 30ms;
  there.close(CloseMode::graceful, deadline);
  ASSERT_TRUE(until([&] { return client().open_sockets() == 0; }));
  EXPECT_GE(client().now(), deadline);
  here.close();
}

TEST_P(EngineConformance, GracefulCloseEndsAtItsDeadlineWhenThePeerNeverReads) {
  Recorder here, there;
  connect_pair(here, there, {.send_buffer = 8192, .receive_buffer = 8192});
  here.pause();
  there.send(pattern(8U << 20));
  const Instant deadline = client().now() + 30ms;
  there.close(CloseMode::graceful, deadline);
  ASSERT_TRUE(until([&] { return client().open_sockets() == 0; }));
  EXPECT_GE(client().now(), deadline);
  here.close();
}

TEST_P(EngineConformance, PollWakesUpForACloseDeadline) {
  Recorder here, there;
  connect_pair(here, there);
  const Instant deadline = client().now() + 20ms;
  there.close(CloseMode::graceful, deadline);
  for (int polls = 0; polls < 100 && client().open_sockets() > 0; ++polls) {
    world->poll(client(), Instant::never());  // would hang if the deadline did not count
  }
  EXPECT_EQ(client().open_sockets(), 0U);
  EXPECT_GE(client().now(), deadline);
  here.close();
}

TEST_P(EngineConformance, ManyDeadlinesAtOnce) {
  constexpr int count = 300;
  std::deque<Recorder> here(count), there(count);
  for (int index = 0; index < count; ++index) {
    connect_pair(here[static_cast<std::size_t>(index)], there[static_cast<std::size_t>(index)]);
  }
  const Instant deadline = client().now() + 20ms;
  for (Recorder& recorder : there) recorder.close(CloseMode::graceful, deadline);
  ASSERT_TRUE(until([&] { return client().open_sockets() == 0; }));
  EXPECT_GE(client().now(), deadline);
  for (Recorder& recorder : here) recorder.close();
}

TEST_P(EngineConformance, ImmediateCloseIsSeenAsAnEnd) {
  Recorder here, there;
  connect_pair(here, there);
  there.close();
  EXPECT_EQ(client().unsent(there.id), 0U);
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  EXPECT_FALSE(here.failed);
  here.close();
}

TEST_P(EngineConformance, ImmediateCloseDropsWhatIsQueued) {
  Recorder here, there;
  connect_pair(here, there);
  there.send("never sent");
  there.close();
  ASSERT_TRUE(until([&] { return here.ended == 1 || here.failed; }));
  EXPECT_EQ(here.received, "");
  here.close();
}

TEST_P(EngineConformance, CloseWithASendInFlight) {
  for (const CloseMode mode : {CloseMode::immediate, CloseMode::reset}) {
    Recorder here, there;
    connect_pair(here, there, {.send_buffer = 8192, .receive_buffer = 8192});
    here.pause();
    there.send(pattern(4U << 20));
    turns(20);
    EXPECT_GT(client().unsent(there.id), 0U);
    there.close(mode);
    ASSERT_TRUE(until([&] { return client().open_sockets() == 0; }));
    here.close();
  }
}

TEST_P(EngineConformance, GracefulCloseAfterBothSidesEnded) {
  Recorder here, there;
  connect_pair(here, there);
  server().shutdown_sending(here.id);
  client().shutdown_sending(there.id);
  ASSERT_TRUE(until([&] { return here.ended == 1 && there.ended == 1; }));
  here.close(CloseMode::graceful);
  there.close(CloseMode::graceful);
  EXPECT_TRUE(until([&] { return open_sockets() == 0; }));
}

TEST_P(EngineConformance, GracefulCloseOfAPausedSocketWithHeldBytesAndEnd) {
  Recorder here, there;
  connect_pair(here, there);
  here.pause();
  there.send("unread");
  client().shutdown_sending(there.id);
  turns(20);
  here.close(CloseMode::graceful);
  ASSERT_TRUE(until([&] { return there.ended == 1; }));
  there.close();
}

TEST_P(EngineConformance, CloseInsideEachCallback) {
  for (const CloseMode mode : {CloseMode::graceful, CloseMode::immediate, CloseMode::reset}) {
    SCOPED_TRACE(static_cast<int>(mode));
    const auto in = [&](auto arrange) {
      Recorder here, there;
      connect_pair(here, there);
      here.when_ended = here.when_failed = [&] { here.close(); };
      arrange(here, there);
      ASSERT_TRUE(until([&] { return there.is_closed(); }));
      if (!here.is_closed()) {
        ASSERT_TRUE(until([&] { return here.is_closed(); }));
      }
      ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
    };
    in([&](Recorder& here, Recorder& there) {  // on_received, more bytes waiting behind
      there.when_received = [&] { there.close(mode); };
      here.send(pattern(500'000));
    });
    in([&](Recorder&, Recorder& there) {  // on_drained
      there.when_drained = [&] { there.close(mode); };
      there.send("x");
      client().notify_below(there.id, 0);
    });
    in([&](Recorder& here, Recorder& there) {  // on_end_of_stream
      there.when_ended = [&] { there.close(mode); };
      server().shutdown_sending(here.id);
    });
    in([&](Recorder& here, Recorder& there) {  // on_failed
      there.when_failed = [&] { there.close(mode); };
      there.when_ended = [&] { there.close(mode); };
      here.close(CloseMode::reset);
    });
    in([&](Recorder& here, Recorder& there) {  // on_received of bytes that were held back
      there.pause();
      here.send("held");
      turns(5);
      there.when_received = [&] { there.close(mode); };
      there.resume();
    });
  }
}

TEST_P(EngineConformance, CloseInsideOnConnected) {
  for (const CloseMode mode : {CloseMode::graceful, CloseMode::immediate, CloseMode::reset}) {
    Acceptor acceptor;
    listen(acceptor);
    Recorder there;
    there.when_connected = [&] { there.close(mode); };
    connect(there, acceptor.bound);
    ASSERT_TRUE(until([&] { return there.is_closed(); }));
    acceptor.close();
    acceptor.accepted.clear();
    ASSERT_TRUE(until([&] {
      acceptor.accepted.clear();
      return open_sockets() == 0;
    }));
  }
}

TEST_P(EngineConformance, ACallbackMayCloseAnotherSocketThatIsAlsoReady) {
  Recorder here[2], there[2];
  for (int index = 0; index < 2; ++index) connect_pair(here[index], there[index]);
  for (int index = 0; index < 2; ++index) {
    here[index].when_received = [&, index] { here[1 - index].close(); };
    there[index].send("to both at once");
  }
  world->poll(client(), client().now());
  ASSERT_TRUE(until([&] { return here[0].is_closed() || here[1].is_closed(); }));
  turns(20);
  EXPECT_NE(here[0].is_closed(), here[1].is_closed()) << "the closed one heard its bytes";
  for (int index = 0; index < 2; ++index) {
    here[index].close();
    there[index].close();
  }
}

TEST_P(EngineConformance, ConnectCancelledByClose) {
  for (const CloseMode mode : {CloseMode::graceful, CloseMode::immediate, CloseMode::reset}) {
    Acceptor acceptor;
    listen(acceptor);
    Recorder at_once, later;
    connect(at_once, acceptor.bound);
    at_once.close(mode);  // before the kernel has heard of it
    connect(later, acceptor.bound);
    world->poll(client(), client().now());
    if (later.connected == 0) later.send("x");
    later.close(mode);
    turns(20);
    acceptor.close();
    ASSERT_TRUE(until([&] {
      acceptor.accepted.clear();
      return open_sockets() == 0;
    }));
  }
}

TEST_P(EngineConformance, StaleIdsAreHarmlessInEveryCall) {
  Recorder here, there;
  connect_pair(here, there);
  const SocketId stale = there.id;
  there.close();
  Recorder next_here, next;  // most likely in the same entry of the table
  connect_pair(next_here, next);
  for (const SocketId id : {stale, SocketId{}, SocketId{123456, 1}, SocketId{stale.index, 0}}) {
    Recorder nobody;
    client().pause_accepting(id);
    client().resume_accepting(id);
    client().set_events(id, nobody);
    client().pause_receiving(id);
    client().resume_receiving(id);
    client().notify_below(id, 0);
    client().shutdown_sending(id);
    client().close(id, CloseMode::graceful, Instant::never());
    client().close(id, CloseMode::reset, client().now());
    client().close_now(id);
    EXPECT_EQ(client().outgoing(id), nullptr);
    EXPECT_EQ(client().unsent(id), 0U);
    EXPECT_FALSE(client().release(id));
    EXPECT_FALSE(client().peer(id));
    EXPECT_FALSE(client().local(id));
    EXPECT_FALSE(client().change_stream(id, {}));
    EXPECT_FALSE(client().send_datagram(id, world->server_address(1), "x"));
  }
  next.send("unharmed");
  ASSERT_TRUE(until([&] { return next_here.received == "unharmed"; }));
  next_here.close();
  next.close();
  here.close();
}

TEST_P(EngineConformance, Tcp_CB_13_CallsForAnotherKindOfSocketAreHarmless) {
  Acceptor acceptor;
  listen(acceptor);
  EXPECT_EQ(server().outgoing(acceptor.id), nullptr);
  EXPECT_EQ(server().unsent(acceptor.id), 0U);
  server().pause_receiving(acceptor.id);
  server().shutdown_sending(acceptor.id);
  server().notify_below(acceptor.id, 0);
  EXPECT_FALSE(server().release(acceptor.id));
  Recorder there;
  connect(there, acceptor.bound);
  ASSERT_TRUE(until([&] { return !acceptor.accepted.empty(); }));
  client().pause_accepting(there.id);
  there.close();
  acceptor.close();
}

TEST_P(EngineConformance, Tcp_C_21_CB_04_AReusedDescriptorHearsNothingOfItsFormerLife) {
  // The kernel gives the lowest free number to the next socket: the new one gets the old one's.
  Acceptor acceptor;
  listen(acceptor);
  Recorder first_there;
  connect(first_there, acceptor.bound);
  ASSERT_TRUE(until([&] { return !acceptor.accepted.empty(); }));
  for (int round = 0; round < 50; ++round) {
    Recorder old, successor, there, successor_there;
    connect(there, acceptor.bound);
    ASSERT_TRUE(until([&] { return acceptor.accepted.size() == 2; }));
    adopt(old, std::move(acceptor.accepted.back()), server());
    acceptor.accepted.pop_back();
    old.resume();
    world->poll(server(), server().now());  // its receive is armed
    const SocketId former = old.id;
    acceptor.when_accepted = [&](NativeSocket socket) {
      adopt(successor, std::move(socket), server());
      successor.resume();
    };
    ASSERT_TRUE(until([&] { return there.connected == 1; }));
    there.send("for the old one");
    connect(successor_there, acceptor.bound);
    old.close(round % 2 == 0 ? CloseMode::immediate : CloseMode::reset);
    ASSERT_TRUE(until([&] { return successor_there.connected == 1 && successor.engine; }));
    EXPECT_NE(successor.id, former);
    successor_there.send("new");
    ASSERT_TRUE(until([&] { return successor.total >= 3; }));
    EXPECT_EQ(successor.received, "new");
    successor.close();
    there.close();
    successor_there.close();
    acceptor.when_accepted = nullptr;
  }
  first_there.close();
  acceptor.close();
}

TEST_P(EngineConformance, ASocketClosesWhateverTheOrderOfEvents) {
  // Chance picks the calls; whatever they are, everything ends and nothing comes after a close.
  Random random(7);
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE(round);
    Recorder sides[2];
    connect_pair(sides[0], sides[1], {.send_buffer = 8192, .receive_buffer = 8192});
    while (!sides[0].is_closed() || !sides[1].is_closed()) {
      Recorder& side = sides[random.below(2)];
      if (side.is_closed()) {
        world->turn();
        continue;
      }
      switch (random.below(9)) {
        case 0:
          side.pause();
          break;
        case 1:
          side.resume();
          break;
        case 2:
        case 3:
          if (SendQueue* queue = side.engine->outgoing(side.id)) {
            queue->append(pattern(random.below(60'000)));
          }
          break;
        case 4:
          side.engine->shutdown_sending(side.id);
          break;
        case 5:
          side.engine->notify_below(side.id, random.below(10'000));
          break;
        case 6:
          side.close(static_cast<CloseMode>(random.below(3)), side.engine->now() + 5ms);
          break;
        default:
          world->turn();
          break;
      }
    }
    ASSERT_TRUE(until([&] { return open_sockets() == 0; }));
  }
}

}  // namespace
}  // namespace hawser::testing
