// A lemma of ours against a host that is played byte by byte: sections 3 to 8, the rows of section
// 12, and the faults of lemma_erlang and the others (section 11) that ours does not have.
#include <hawser/noam/testing/lemma_fixture.hpp>

namespace hawser::noam::testing {
namespace {

/// Section 12, "Measured on the wire".
TEST_F(NoamWire, Noam_row_registration_sequence_is_the_measured_one) {
  LemmaOptions options = guest_of("lab", {"t", "u"});
  options.dialect = "erlang";
  options.version = "0.21";
  answer_marcos();
  floor.start_lemma("E1", options, diary);
  for (int i = 1; i <= 3; ++i) floor.speak("E1", "t", std::to_string(i));
  const Registration message = registration();
  EXPECT_EQ(udp.received.front().second, R"(["marco","E1","lab","erlang","0.21"])");
  EXPECT_NE(message.callback_port, 0);
  EXPECT_EQ(door.wires[0]->received,
            framed(R"(["register","E1",)" + std::to_string(message.callback_port) +
                   R"(,["t","u"],[],"erlang","0.21",{"heartbeat":2,"heartbeat_ack":true}])"))
      << "nothing more before the host has come";
  const auto back = call_back(message);
  ASSERT_TRUE(until([&] { return door.wires[0]->frames().size() >= 5; }));
  const auto frames = door.wires[0]->frames();
  EXPECT_EQ(frames[1], R"(["heartbeat","E1"])");
  for (std::size_t i = 1; i <= 3; ++i)
    EXPECT_EQ(frames[1 + i], R"(["event","E1","t",)" + std::to_string(i) + "]")
        << "Noam_E_02: first in, first out";
  const Instant last = world.now();
  ASSERT_TRUE(until([&] { return door.wires[0]->frames().size() >= 7; }));
  EXPECT_NEAR(to_seconds(world.now() - last), 4.0, 0.1) << "two heart-beats, 2 s apart";
  EXPECT_TRUE(back->received.empty()) << "a lemma never writes on the host's connection";
}

TEST_F(NoamWire, Noam_row_without_answers_the_host_is_lost_after_10_s) {
  const auto back = connect(guest_of("lab"));
  const Instant from = world.now();
  const std::size_t marcos = udp.received.size();
  ASSERT_TRUE(until([&] { return back->over() && door.wires[0]->over(); }));
  EXPECT_NEAR(to_seconds(world.now() - from), 10.0, 0.2);
  EXPECT_TRUE(until([&] { return udp.received.size() > marcos; }, 1s)) << "and sought again";
}

TEST_F(NoamWire, Noam_row_marcos_first_at_once_then_each_period_without_end) {
  floor.start_lemma("E1", guest_of("lab"), diary);
  ASSERT_TRUE(until([&] { return udp.received.size() == 1; }, 100ms));
  world.run_for(60s);
  EXPECT_GE(udp.received.size(), 30U);
  EXPECT_LE(udp.received.size(), 41U) << "2 s less a quarter";
  for (const auto& [from, marco] : udp.received)
    EXPECT_EQ(from, udp.received.front().first) << "Noam_J_02: all from one socket";
}

TEST_F(NoamWire, Noam_row_only_a_polo_of_our_room_counts) {
  floor.start_lemma("E1", guest_of("lab"), diary);
  ASSERT_TRUE(until([&] { return !udp.received.empty(); }));
  const Address lemma = udp.received.front().first;
  const std::string port = std::to_string(door.bound.port());
  for (const std::string& bad :
       {R"(["polo","other",)" + port + "]", R"(["polo","LAB",)" + port + "]",
        std::string(R"(["polo","lab"])"), std::string(R"(["polo","lab",0])"),
        std::string(R"(["polo","lab",70000])"), std::string(R"(["polo","lab","7733"])"),
        std::string("null"), std::string("true"), std::string("["), std::string(),
        std::string(R"(["server_beacon","lab",8081])"), std::string(16'000, '[')})
    udp.send(lemma, bad);
  world.run_for(1s);
  EXPECT_TRUE(door.wires.empty());
  EXPECT_EQ(diary.starts, 1U) << "no datagram ends it";
  udp.send(lemma, R"(["polo", "lab", )" + port + R"(, "surplus"])");
  EXPECT_TRUE(until([&] { return door.wires.size() == 1; }, 1s));
  // The first one counts, whatever follows.
  Door other(bench.engine(), Address::any_ipv4(0));
  udp.send(lemma, encode(Polo{"lab", other.bound.port()}));
  world.run_for(1s);
  EXPECT_TRUE(other.wires.empty());
}

TEST_F(NoamWire, Noam_E_01_a_frame_in_pieces_and_frames_in_one_piece_are_heard) {
  const auto back = connect(guest_of("lab", {"t"}));
  const std::string one = framed(R"(["event","h","t","one"])");
  for (const char c : one) {
    back->send(BytesView(&c, 1));
    world.run_for(1ms);
  }
  back->send("000000" + framed(R"(["event","h","t",2])") + framed(R"(["event","h","t",3])"));
  ASSERT_TRUE(until([&] { return diary.heard.size() == 3; }, 1s));
  EXPECT_EQ(diary.heard, (std::vector<std::string>{"h t \"one\"", "h t 2", "h t 3"}))
      << "Noam_E_05: in order; Noam_E_06: with topic";
  EXPECT_TRUE(diary.connected());
}

TEST_F(NoamWire, Noam_E_03_after_a_refused_connection_it_goes_on_looking) {
  const auto port = door.bound.port();
  door.close();
  udp.on_bytes = [&](const Address& from, BytesView) { udp.send(from, encode(Polo{"lab", port})); };
  floor.start_lemma("E1", guest_of("lab"), diary);
  world.run_for(30s);
  EXPECT_GE(udp.received.size(), 5U);
  EXPECT_EQ(diary.starts, 1U) << "and nothing has crashed";
}

TEST_F(NoamWire, Noam_E_04_a_free_guest_takes_any_rooms_polo) {
  LemmaOptions options = guest_of("");
  floor.start_lemma("E1", options, diary);
  answer_marcos("whatever");
  const auto back = call_back(registration());
  EXPECT_TRUE(until([&] { return diary.connected(); }));
  EXPECT_EQ(udp.received.front().second, R"(["marco","E1","","hawser","0.1.0"])");
}

TEST_F(NoamWire, Noam_E_07_one_slow_host_holds_up_its_own_lemma_only) {
  // A host that takes the registration and never comes: the other lemma is not kept waiting.
  Machine stage(world, "stage");
  stage.start_host(room("fast"));
  LemmaOptions stuck = guest_of("lab");
  stuck.host = bench.address(door.bound.port());
  Diary& quick = floor.diary();
  floor.start_lemma("slow", stuck, diary);
  floor.start_lemma("quick", guest_of("fast"), quick);
  EXPECT_TRUE(until([&] { return quick.connected(); }, 1s));
  EXPECT_TRUE(until([&] { return diary.states.back() == "registering"; }, 1s));
  EXPECT_TRUE(until([&] { return diary.states.back() == "waiting"; }, 11s)) << "callback_timeout";
  EXPECT_TRUE(quick.connected()) << "Noam_E_08";
}

TEST_F(NoamWire, Noam_E_09_the_end_of_our_own_connection_is_a_loss) {
  const auto back = connect(guest_of("lab"));
  door.wires[0]->close();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
  EXPECT_TRUE(until([&] { return back->over(); }, 1s)) << "the other one is closed";
  floor.speak("E1", "t", "1");
  const auto again = call_back(registration(1));
  EXPECT_TRUE(until([&] { return door.wires[1]->frames().size() >= 3; }, 5s))
      << "what is spoken after the loss is not lost";
}

TEST_F(NoamWire, Noam_row_the_end_of_the_hosts_connection_is_a_loss) {
  auto back = connect(guest_of("lab"));
  back->close();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
  EXPECT_TRUE(until([&] { return door.wires[0]->over(); }, 1s));
  (void)registration(1);
}

TEST_F(NoamWire, AHalfCloseOfEitherIsALoss) {
  auto back = connect(guest_of("lab"));
  back->end();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
  back = call_back(registration(1));
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  door.wires[1]->end();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
}

TEST_F(NoamWire, Noam_E_10_while_it_searches_it_answers_and_stops_at_once) {
  floor.start_lemma("E1", guest_of("lab"), diary);
  world.run_for(3s);
  EXPECT_EQ(floor.lemma_status("E1").state, LemmaState::discovering);
  const Instant from = world.now();
  floor.stop("E1");
  EXPECT_LT(world.now() - from, 100ms);
}

TEST_F(NoamWire, Noam_E_11_names_that_run_together_are_two_lemmas) {
  Diary& other = floor.diary();
  floor.start_lemma("ab|c", guest_of("c"), diary);
  floor.start_lemma("a|bc", guest_of("bc"), other);
  world.run_for(1s);
  EXPECT_EQ(udp.received.size(), 2U);
}

TEST_F(NoamWire, Noam_E_13_the_same_guest_and_room_twice_is_no_crash) {
  Diary& other = floor.diary();
  LemmaOptions options = guest_of("lab");
  options.guest = "same";
  floor.start_lemma("one", options, diary);
  floor.start_lemma("two", options, other);
  const auto taken = floor.system().start(noam::lemma<Writer>("one", options, &other));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::already_exists);
}

TEST_F(NoamWire, Noam_row_disconnect_closes_everything) {
  const auto back = connect(guest_of("lab"));
  const Registration message = registration();
  floor.stop("E1");
  EXPECT_TRUE(until([&] { return back->over() && door.wires[0]->over(); }, 2s));
  Wire late(bench.engine(), floor.address(static_cast<std::uint16_t>(message.callback_port)));
  EXPECT_TRUE(until([&] { return late.failed; }, 1s)) << "nobody listens there";
  const std::size_t marcos = udp.received.size();
  world.run_for(30s);
  EXPECT_EQ(udp.received.size(), marcos) << "Noam_E_14: nothing goes on by itself";
}

TEST_F(NoamWire, Noam_row_odd_messages_are_told_and_do_no_harm) {
  const auto back = connect(guest_of("lab", {"t"}));
  for (const char* odd : {R"(["event","h","other",1])", R"(["heartbeat_ack","somebody"])",
                          R"(["register","x",1])", "null", "[]", "not json", R"(["event","h"])",
                          R"(["event",1,"t",1])", R"(["polo","lab",1])"})
    back->send(framed(odd));
  back->send(framed(R"(["heartbeat_ack","E1"])") + framed(R"(["event","h","t",null])"));
  ASSERT_TRUE(until([&] { return diary.heard.size() == 1; }, 1s)) << "acks are swallowed";
  EXPECT_EQ(diary.heard[0], "h t null") << "Noam_C_01: any value";
  ASSERT_EQ(diary.oddities.size(), 9U);
  EXPECT_EQ(diary.oddities[0], Oddity::wrong_topic);
  EXPECT_EQ(diary.oddities[1], Oddity::wrong_guest);
  EXPECT_EQ(diary.oddities[2], Oddity::no_message);
  EXPECT_TRUE(diary.connected()) << "Noam_R_02, Noam_R_04";
}

TEST_F(NoamWire, AFrameAgainstTheProtocolEndsTheLink) {
  const auto back = connect(guest_of("lab"));
  back->send("abcdef");
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
  (void)registration(1);
}

/// Noam_C_03, Noam_R_03.
TEST_F(NoamWire, EmptyFramesAndPausesWithinAFrameAreFine) {
  const auto back = connect(guest_of("lab", {"t"}));
  const std::string text = framed(R"(["event","h","t",1])");
  back->send("000000");
  back->send(text.substr(0, 6));
  world.run_for(2s);
  back->send(text.substr(6));
  EXPECT_TRUE(until([&] { return diary.heard.size() == 1; }, 1s));
}

TEST_F(NoamWire, OnlyTheHostMayCallBackAndALaterCallTakesTheEarliersPlace) {
  answer_marcos();
  floor.start_lemma("E1", guest_of("lab", {"t"}), diary);
  const Registration message = registration();
  Bench stranger(world, "stranger");
  Wire intruder(stranger.engine(),
                floor.address(static_cast<std::uint16_t>(message.callback_port)));
  ASSERT_TRUE(until([&] { return intruder.over(); }, 2s));
  EXPECT_FALSE(diary.connected());
  const auto first = call_back(message);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  const auto second = call_back(message);
  ASSERT_TRUE(until([&] { return first->over(); }, 2s));
  second->send(framed(R"(["event","h","t",1])"));
  EXPECT_TRUE(until([&] { return diary.heard.size() == 1; }, 1s));
  EXPECT_TRUE(diary.connected());
}

TEST_F(NoamWire, WhatAHeartbeatAnswerConfirmsIsNotInDoubt) {
  const auto back = connect(guest_of("lab"));
  for (int i = 0; i < 4; ++i) floor.speak("E1", "t", "1");
  world.run_for(2500ms);
  // Two heart-beats are on their way; only the second was sent behind the events.
  back->send(framed(R"(["heartbeat_ack","E1"])"));
  world.run_for(100ms);
  EXPECT_EQ(floor.lemma_status("E1").confirmed, 0U);
  back->send(framed(R"(["heartbeat_ack","E1"])"));
  world.run_for(100ms);
  EXPECT_EQ(floor.lemma_status("E1").confirmed, 4U);
  floor.speak("E1", "t", "5");
  world.run_for(100ms);
  door.wires[0]->close();
  ASSERT_TRUE(until([&] { return !diary.losses.empty(); }, 1s));
  EXPECT_EQ(diary.losses[0].first, 5U);
  EXPECT_EQ(diary.losses[0].last, 5U);
}

TEST_F(NoamWire, AHostThatDoesNotReadHoldsTheQueueNotTheMemory) {
  LemmaOptions options = guest_of("lab");
  options.queue_events = 100;
  options.watchdog = 0s;
  const auto back = connect(options);
  door.wires[0]->read(false);
  const std::string value = '"' + std::string(100'000, 'x') + '"';
  for (int i = 0; i < 300; ++i) {
    floor.speak("E1", "t", value);
    world.run_for(1ms);
  }
  EXPECT_GE(diary.lost(EventLoss::Why::dropped), 180U);
  EXPECT_LE(floor.lemma_status("E1").waiting_events, 100U);
}

}  // namespace
}  // namespace hawser::noam::testing
