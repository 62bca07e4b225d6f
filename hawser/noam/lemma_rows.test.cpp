// More of a lemma against a scripted host: what others got wrong in the long run (section 11), and
// what a lemma does about hosts that say no.
#include <hawser/noam/testing/lemma_fixture.hpp>
#include <hawser/process/testing/left.hpp>

namespace hawser::noam::testing {
namespace {

TEST_F(NoamWire, Noam_E_12_a_hundred_reconnects_leave_nothing_behind) {
  auto back = connect(guest_of("lab"));
  world.run_for(1s);
  const hawser::testing::Left before = hawser::testing::left_in(floor.system());
  for (std::size_t i = 1; i <= 100; ++i) {
    back->close();
    ASSERT_TRUE(until([&] { return !diary.connected(); }, 1s));
    back = call_back(registration(i));
    ASSERT_TRUE(until([&] { return diary.connected(); }, 10s));
  }
  world.run_for(3s);
  EXPECT_EQ(hawser::testing::left_in(floor.system()), before) << "Noam_J_02";
  EXPECT_EQ(floor.lemma_status("E1").connects, 101U);
}

TEST_F(NoamWire, Noam_E_15_states_and_losses_are_told_and_the_queue_is_bounded) {
  LemmaOptions options = guest_of("lab");
  options.queue_events = 3;
  floor.start_lemma("E1", options, diary);
  for (int i = 0; i < 5; ++i) floor.speak("E1", "t", "1");
  world.run_for(100ms);
  EXPECT_EQ(diary.lost(EventLoss::Why::dropped), 2U);
  answer_marcos();
  const auto back = call_back(registration());
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  EXPECT_EQ(diary.states,
            (std::vector<std::string>{"discovering", "connecting", "registering", "connected"}));
}

TEST_F(NoamWire, WhileConnectedNobodyIsAsked) {
  const auto back = connect(guest_of("lab"));
  const std::size_t marcos = udp.received.size();
  for (int i = 0; i < 20; ++i) {
    back->send(framed(R"(["heartbeat_ack","E1"])"));
    world.run_for(1s);
  }
  EXPECT_EQ(udp.received.size(), marcos);
}

TEST_F(NoamWire, Noam_J_03_the_end_of_both_connections_is_one_loss) {
  const auto back = connect(guest_of("lab"));
  door.wires[0]->close();
  back->close();
  (void)registration(1);
  world.run_for(1s);
  EXPECT_EQ(std::ranges::count(diary.states, "waiting"), 1);
  EXPECT_EQ(std::ranges::count(diary.states, "discovering"), 2);
  EXPECT_EQ(door.wires.size(), 2U) << "one connection, not two";
}

TEST_F(NoamWire, Noam_C_05_with_a_host_named_nobody_is_asked) {
  LemmaOptions options = guest_of("lab", {"t"});
  options.host = bench.address(door.bound.port());
  floor.start_lemma("E1", options, diary);
  auto back = call_back(registration());
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  back->close();
  back = call_back(registration(1));
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  EXPECT_TRUE(udp.received.empty());
}

TEST_F(NoamWire, MarcosGoToPlacesThatWereNamed) {
  LemmaOptions options = guest_of("lab");
  options.broadcast = false;
  options.discover = {bench.address(4711)};
  Box far(bench.engine(), Address::any_ipv4(4711));
  floor.start_lemma("E1", options, diary);
  world.run_for(1s);
  EXPECT_EQ(far.received.size(), 1U);
  EXPECT_TRUE(udp.received.empty());
}

TEST_F(NoamWire, Noam_C_06_long_names_and_large_datagrams_do_no_harm) {
  LemmaOptions options = guest_of(std::string(1'000, 'r'), {std::string(1'000, 't')});
  floor.start_lemma("E1", options, diary);
  ASSERT_TRUE(until([&] { return !udp.received.empty(); }));
  const Address lemma = udp.received.front().first;
  for (const std::size_t size : {1'023U, 1'024U, 1'025U, 16'384U, 65'507U})
    udp.send(lemma, std::string(size, 'x'));
  udp.send(lemma, encode(Polo{options.room, door.bound.port()}));
  const auto back = call_back(registration());
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  const std::string value = '"' + std::string(500'000, 'v') + '"';
  back->send(framed(R"(["event",")" + std::string(5'000, 's') + R"(",")" + std::string(1'000, 't') +
                    R"(",)" + value + "]"));
  EXPECT_TRUE(until([&] { return diary.heard.size() + diary.oddities.size() == 1; }, 10s));
  EXPECT_TRUE(diary.connected());
}

TEST_F(NoamWire, Noam_R_05_who_speaks_to_a_host_that_is_gone_is_not_kept_waiting) {
  const auto back = connect(guest_of("lab"));
  world.cut("bench", "floor");
  for (int i = 1; i <= 5; ++i) {
    EXPECT_TRUE(floor.speak("E1", "t", std::to_string(i)));
    world.run_for(1s);
  }
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 10s));
  EXPECT_EQ(diary.in_doubt(), 5U) << "each is told";
}

TEST_F(NoamWire, AHostThatHangsUpOnTheRegistrationSaysNoAndIsAskedAgainLater) {
  answer_marcos();
  floor.start_lemma("E1", guest_of("lab"), diary);
  for (std::size_t i = 0; i < 4; ++i) {
    (void)registration(i);
    door.wires[i]->close();
  }
  world.run_for(60s);
  EXPECT_GE(door.wires.size(), 8U) << "without end";
  EXPECT_LE(door.wires.size(), 120U) << "but not in a hurry";
  EXPECT_EQ(diary.starts, 1U);
}

TEST_F(NoamWire, WhatIsSpokenWhileALinkComesAndGoesLeavesInOrderOverAll) {
  // Noam_E_02, Noam_J_04: a queue, not a stack, and nothing that waits is thrown away.
  answer_marcos();
  floor.start_lemma("E1", guest_of("lab"), diary);
  int spoken = 0;
  std::vector<std::string> seen;
  for (std::size_t life = 0; life < 10; ++life) {
    for (int i = 0; i < 3; ++i) floor.speak("E1", "t", std::to_string(++spoken));
    const auto back = call_back(registration(life));
    ASSERT_TRUE(until([&] { return diary.connected(); }));
    world.run_for(50ms);
    for (const std::string& frame : door.wires[life]->frames())
      if (frame.starts_with(R"(["event")")) seen.push_back(frame);
    back->close();
    ASSERT_TRUE(until([&] { return !diary.connected(); }, 1s));
  }
  ASSERT_EQ(seen.size(), 30U);
  for (int i = 1; i <= 30; ++i)
    EXPECT_EQ(seen[static_cast<std::size_t>(i - 1)],
              R"(["event","E1","t",)" + std::to_string(i) + "]");
}

}  // namespace
}  // namespace hawser::noam::testing
