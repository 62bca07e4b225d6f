// Conformance: bytes through streams, both ways, at every pace.
#include <hawser/engine/testing/conformance.hpp>

namespace hawser::testing {
namespace {

TEST_P(EngineConformance, ConnectsAcceptsAndEchoes) {
  Recorder here, there;
  connect_pair(here, there);
  here.when_received = [&] { here.send(here.latest); };
  there.send("hello");
  EXPECT_EQ(client().unsent(there.id), 5U);
  ASSERT_TRUE(until([&] { return there.received == "hello"; }));
  EXPECT_EQ(here.received, "hello");
  EXPECT_EQ(here.connected, 0) << "only connect() is answered by on_connected";
  EXPECT_EQ(client().unsent(there.id), 0U);
  EXPECT_EQ(client().peer(there.id), server().local(here.id));
  EXPECT_EQ(client().local(there.id), server().peer(here.id));
  EXPECT_GE(server().counters().received_bytes, 5U);
  EXPECT_GE(server().counters().sent_bytes, 5U);
  EXPECT_EQ(server().counters().accepts, 1U);
  here.close();
  there.close();
}

TEST_P(EngineConformance, WhatIsQueuedWhileConnectingLeavesAfterwards) {
  Acceptor acceptor;
  listen(acceptor);
  Recorder there, here;
  connect(there, acceptor.bound);
  there.send("early");
  ASSERT_TRUE(until([&] { return !acceptor.accepted.empty(); }));
  adopt(here, std::move(acceptor.accepted.front()), server());
  here.resume();
  ASSERT_TRUE(until([&] { return here.received == "early"; }));
  acceptor.close();
  here.close();
  there.close();
}

TEST_P(EngineConformance, OneByteAtATime) {
  Recorder here, there;
  connect_pair(here, there);
  const std::string text = pattern(200);
  for (const char byte : text) {
    there.send({&byte, 1});
    world->turn();
  }
  ASSERT_TRUE(until([&] { return here.received.size() == text.size(); }));
  EXPECT_EQ(here.received, text);
  here.close();
  there.close();
}

TEST_P(EngineConformance, Tcp_E_46_ManyWritesOfOneTurnLeaveInFewOperations) {
  Recorder here, there;
  connect_pair(here, there);
  std::string all;
  for (int count = 0; count < 500; ++count) {
    const std::string piece = std::to_string(count) + ",";
    there.send(piece);
    all += piece;
  }
  const std::uint64_t sends = client().counters().sends;
  ASSERT_TRUE(until([&] { return here.received.size() == all.size(); }));
  EXPECT_EQ(here.received, all);
  EXPECT_LE(client().counters().sends - sends, 3U);
  here.close();
  there.close();
}

TEST_P(EngineConformance, EightMebibytesToASlowReader) {
  Recorder here, there;
  connect_pair(here, there, {.send_buffer = 32 * 1024, .receive_buffer = 32 * 1024});
  constexpr std::size_t total = 8U << 20;
  constexpr std::size_t piece = 64 * 1024;
  const std::string text = pattern(piece);
  const Payload shared{text};
  std::size_t queued = 0;
  std::size_t highest = 0;
  const auto feed = [&] {
    while (queued < total && client().unsent(there.id) < 4 * piece) {
      SendQueue* queue = client().outgoing(there.id);
      ASSERT_NE(queue, nullptr);
      if (queued % (2 * piece) == 0) {
        queue->append(shared);
      } else {
        queue->append(BytesView(text));
      }
      queued += piece;
    }
    highest = std::max(highest, client().unsent(there.id));
    if (queued < total) client().notify_below(there.id, piece);
  };
  there.when_drained = feed;
  here.keep_bytes = false;
  // The reader's own check: every byte in its place.
  std::size_t wrong = 0;
  here.keep_bytes = true;
  std::size_t seen = 0;
  int pauses = 0;
  here.when_received = [&] {
    for (const char byte : here.received) wrong += byte == text[seen++ % piece] ? 0U : 1U;
    here.received.clear();
    if (++pauses % 3 == 0) here.pause();
  };
  feed();
  int turn = 0;
  ASSERT_TRUE(until(
      [&] {
        if (++turn % 2 == 0) here.resume();
        return seen == total;
      },
      200'000));
  EXPECT_EQ(wrong, 0U);
  EXPECT_LE(highest, 5 * piece);
  EXPECT_GE(there.drained, 1);
  here.close();
  there.close();
}

TEST_P(EngineConformance, BothWaysAtOnce) {
  Recorder here, there;
  connect_pair(here, there);
  const std::string left = pattern(1U << 20, 2), right = pattern(1U << 20, 3);
  here.send(left);
  there.send(right);
  ASSERT_TRUE(until([&] { return there.total == left.size() && here.total == right.size(); }));
  EXPECT_TRUE(there.received == left);
  EXPECT_TRUE(here.received == right);
  here.close();
  there.close();
}

TEST_P(EngineConformance, DrainedComesOncePerRequestAlsoWhenAlreadyBelow) {
  Recorder here, there;
  connect_pair(here, there);
  client().notify_below(there.id, 0);
  EXPECT_EQ(there.drained, 0) << "not inside the call";
  ASSERT_TRUE(until([&] { return there.drained == 1; }));
  there.send("x");
  client().notify_below(there.id, 0);
  ASSERT_TRUE(until([&] { return there.drained == 2; }));
  turns(20);
  EXPECT_EQ(there.drained, 2);
  here.close();
  there.close();
}

TEST_P(EngineConformance, HalfCloseByTheClientFirst) {
  Recorder here, there;
  connect_pair(here, there);
  there.send("question");
  client().shutdown_sending(there.id);
  EXPECT_EQ(client().outgoing(there.id), nullptr);
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  EXPECT_EQ(here.received, "question");
  here.send("answer");
  server().shutdown_sending(here.id);
  ASSERT_TRUE(until([&] { return there.ended == 1; }));
  EXPECT_EQ(there.received, "answer");
  EXPECT_FALSE(here.failed || there.failed);
  here.close(CloseMode::graceful);
  there.close(CloseMode::graceful);
}

TEST_P(EngineConformance, HalfCloseByTheServerFirst) {
  Recorder here, there;
  connect_pair(here, there);
  server().shutdown_sending(here.id);
  ASSERT_TRUE(until([&] { return there.ended == 1; }));
  there.send("still here");
  ASSERT_TRUE(until([&] { return here.received == "still here"; }));
  client().shutdown_sending(there.id);
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  here.close();
  there.close();
}

TEST_P(EngineConformance, NothingIsDeliveredWhilePausedAndNothingIsLost) {
  Recorder here, there;
  connect_pair(here, there);
  const std::string text = pattern(100'000);
  there.send(text);
  here.when_received = [&] { here.pause(); };
  ASSERT_TRUE(until([&] { return here.total > 0; }));
  for (int round = 0; here.total < text.size() && round < 100'000; ++round) {
    turns(5);  // the recorder fails the test if something comes
    here.resume();
    const std::size_t before = here.total;
    ASSERT_TRUE(until([&] { return here.total > before; }));
  }
  EXPECT_TRUE(here.received == text);
  here.close();
  there.close();
}

TEST_P(EngineConformance, BytesAndEndThatArriveWhilePausedComeAfterResuming) {
  Recorder here, there;
  connect_pair(here, there);
  there.send("one");
  ASSERT_TRUE(until([&] { return here.received == "one"; }));
  here.pause();
  there.send("two");
  client().shutdown_sending(there.id);
  turns(50);
  EXPECT_EQ(here.received, "one");
  EXPECT_EQ(here.ended, 0);
  here.resume();
  EXPECT_EQ(here.received, "one") << "not inside resume_receiving()";
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  EXPECT_EQ(here.received, "onetwo");
  here.close();
  there.close();
}

TEST_P(EngineConformance, PausedInTheFirstDeliveryHoldsTheEndBack) {
  Recorder here, there;
  connect_pair(here, there);
  here.when_received = [&] { here.pause(); };
  there.send("all");
  client().shutdown_sending(there.id);
  ASSERT_TRUE(until([&] { return here.total == 3; }));
  turns(50);
  EXPECT_EQ(here.ended, 0);
  here.resume();
  ASSERT_TRUE(until([&] { return here.ended == 1; }));
  here.close();
  there.close();
}

TEST_P(EngineConformance, PauseAndResumeInOneTurnChangeNothing) {
  Recorder here, there;
  connect_pair(here, there);
  std::string text;
  for (int round = 0; round < 50; ++round) {
    const std::string piece = pattern(100, static_cast<std::uint32_t>(round));
    there.send(piece);
    text += piece;
    here.pause();
    here.resume();
    world->turn();
    here.pause();
    world->turn();
    here.resume();
  }
  ASSERT_TRUE(until([&] { return here.total == text.size(); }));
  EXPECT_EQ(here.received, text);
  here.close();
  there.close();
}

TEST_P(EngineConformance, SetEventsMovesALiveConnection) {
  Recorder here, there, successor;
  connect_pair(here, there);
  here.when_received = [&] {
    successor.engine = here.engine;
    successor.id = here.id;
    server().set_events(here.id, successor);
  };
  there.send("first");
  ASSERT_TRUE(until([&] { return here.total == 5; }));
  there.send("second");
  ASSERT_TRUE(until([&] { return successor.total == 6; }));
  EXPECT_EQ(here.received, "first");
  successor.close();
  there.close();
}

TEST_P(EngineConformance, OptionsOfAnOpenStreamMayBeChanged) {
  Recorder here, there;
  connect_pair(here, there);
  StreamChanges changes;
  changes.no_delay = false;
  changes.keep_alive = true;
  changes.keep_alive_idle = 20s;
  changes.keep_alive_interval = 5s;
  changes.keep_alive_probes = 3;
  changes.user_timeout = 40s;
  changes.send_buffer = 20'000;
  changes.receive_buffer = 20'000;
  const auto changed = server().change_stream(here.id, changes);
  EXPECT_TRUE(changed) << changed.error().text();
  changes.keep_alive_idle = 0s;
  changes.send_buffer = -1;
  const auto refused = server().change_stream(here.id, changes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
  EXPECT_NE(refused.error().text().find("keep_alive_idle"), std::string::npos);
  EXPECT_NE(refused.error().text().find("send_buffer"), std::string::npos);
  there.send("goes on");
  ASSERT_TRUE(until([&] { return here.received == "goes on"; }));
  here.close();
  there.close();
}

TEST_P(EngineConformance, FewerBytesThanTheLowWaterWakeNobody) {
  Recorder here, there, echo, probe;
  connect_pair(here, there);
  connect_pair(echo, probe);
  const auto low_water = [&](int bytes) {
    StreamChanges changes;
    changes.receive_low_water = bytes;
    const auto changed = server().change_stream(here.id, changes);
    EXPECT_TRUE(changed) << changed.error().text();
  };
  // What was sent before this has arrived when it is back.
  const auto round_trip = [&] {
    const std::size_t so_far = probe.total;
    echo.when_received = [&] { echo.send("!"); };
    probe.send("?");
    ASSERT_TRUE(until([&] { return probe.total > so_far; }));
    turns(20);
  };
  there.send("first");
  ASSERT_TRUE(until([&] { return here.received == "first"; }));
  low_water(6);
  there.send("ab");
  round_trip();
  there.send("cde");
  round_trip();
  EXPECT_EQ(here.received, "first") << "five are too few";
  const auto arrival = server().last_arrival(here.id);
  ASSERT_TRUE(arrival) << arrival.error().text();
  EXPECT_LE(*arrival, server().now());
  EXPECT_GT(*arrival, server().now() - 10s);
  there.send("f");
  ASSERT_TRUE(until([&] { return here.received == "firstabcdef"; }));
  there.send("gh");
  round_trip();
  EXPECT_EQ(here.received, "firstabcdef");
  low_water(1);
  ASSERT_TRUE(until([&] { return here.received == "firstabcdefgh"; })) << "what lies there is told";
  low_water(6);
  there.send("ij");
  round_trip();
  EXPECT_EQ(here.received, "firstabcdefgh");
  client().shutdown_sending(there.id);
  ASSERT_TRUE(until([&] { return here.ended == 1; })) << "the end always is";
  EXPECT_EQ(here.received, "firstabcdefghij") << "and what came before it";
  StreamChanges wrong;
  wrong.receive_low_water = 0;
  const auto refused = server().change_stream(here.id, wrong);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("receive_low_water"), std::string::npos);
  for (Recorder* each : {&here, &there, &echo, &probe}) each->close();
  EXPECT_FALSE(server().last_arrival(here.id)) << "it is no socket any more";
}

TEST_P(EngineConformance, APeerThatResetsIsReportedOnceAndNothingFollows) {
  Recorder here, there;
  connect_pair(here, there);
  there.send("x");
  ASSERT_TRUE(until([&] { return here.total == 1; }));
  there.close(CloseMode::reset);
  ASSERT_TRUE(until([&] { return here.failed.has_value(); }));
  EXPECT_EQ(here.failed->kind, ErrorKind::closed) << here.failed->text();
  EXPECT_EQ(server().outgoing(here.id), nullptr);
  EXPECT_EQ(server().unsent(here.id), 0U);
  server().shutdown_sending(here.id);
  server().notify_below(here.id, 0);
  server().resume_receiving(here.id);
  turns(20);  // the recorder fails the test if something follows
  EXPECT_EQ(server().open_sockets(), 1U) << "it is the owner's to close";
  here.close(CloseMode::graceful, Instant::never());
}

TEST_P(EngineConformance, SendingToAPeerThatIsGoneFails) {
  Recorder here, there;
  connect_pair(here, there);
  here.pause();
  there.close(CloseMode::reset);
  ASSERT_TRUE(until([&] { return client().open_sockets() == 0; }));
  ASSERT_TRUE(until([&] {
    if (!here.failed) here.send("into the void");
    return here.failed.has_value();
  }));
  EXPECT_EQ(here.failed->kind, ErrorKind::closed) << here.failed->text();
  here.close();
}

}  // namespace
}  // namespace hawser::testing
