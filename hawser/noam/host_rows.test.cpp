// More of a host against scripted lemmas and other hosts: sections 4.2, 6.1, 7.5, 9.2 and 9.4, and
// the rest of the Ruby host's faults.
#include <hawser/noam/testing/host_fixture.hpp>
#include <hawser/process/send.hpp>

namespace hawser::noam::testing {
namespace {

TEST_F(NoamHost, AnEventRightBehindTheRegistrationCounts) {
  start();
  Door door(bench.engine(), Address::any_ipv4(0));
  auto out = connect();
  out->send(registration("a", door.bound.port(), R"(["t"])") + framed(R"(["event","a","t",1])") +
            framed(R"(["event","a","t",2])"));
  ASSERT_TRUE(until([&] { return !door.wires.empty() && door.wires[0]->frames().size() == 2; }, 2s))
      << "what comes before the lemma can be reached waits for it";
  EXPECT_EQ(door.wires[0]->frames()[0], R"(["event","a","t",1])");
}

TEST_F(NoamHost, Noam_H_08_partial_writes_of_any_text_go_on_at_the_right_byte) {
  start();
  auto slow = register_lemma("slow");
  auto speaker = register_lemma("speaker", "[]");
  slow.in()->read(false);
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += i % 3 == 0 ? "\xc3\xa9" : "\xf0\x9f\x98\x80";
  std::vector<std::string> sent;
  for (int i = 0; i < 300; ++i) {
    sent.push_back(R"(["event","speaker","t",[)" + std::to_string(i) + ",\"" + text + "\"]]");
    play(speaker, sent.back());
  }
  world.run_for(1s);
  slow.in()->read(true);
  std::size_t bytes = 0;
  for (const std::string& event : sent) bytes += 6 + event.size();
  ASSERT_TRUE(until([&] { return slow.in()->received.size() == bytes; }, 30s));
  EXPECT_EQ(slow.heard(), sent);
}

TEST_F(NoamHost, AnAnswerToAHeartbeatIsNotHeldBackForAnArduino) {
  start();
  auto arduino = register_lemma("ard", R"(["t"])",
                                R"(,"arduino","0.3",{"heartbeat":3.003,"heartbeat_ack":true})");
  for (int i = 0; i < 5; ++i) play(arduino, R"(["heartbeat","ard"])");
  EXPECT_TRUE(until([&] { return arduino.heard().size() == 5; }, 50ms));
}

/// Section 3.2: the record is kept by name; the newest marco of a name says what it wants.
TEST_F(NoamHost, TheLastMarcoOfANameCounts) {
  start();
  udp.send(stage.address(1030), encode(Marco{"a", "other", "", ""}));
  udp.send(stage.address(1030), encode(Marco{"a", "lab", "", ""}));
  world.run_for(10ms);
  auto lemma = register_lemma("a");
  EXPECT_EQ(lemmas(), 1U);
}

TEST_F(NoamHost, ANameThatWasRefusedMayComeWhenItWantsUs) {
  start();
  udp.send(stage.address(1030), encode(Marco{"a", "other", "", ""}));
  world.run_for(10ms);
  (void)register_lemma("a", "[]", "", false);
  udp.send(stage.address(1030), encode(Marco{"a", "lab", "", ""}));
  world.run_for(10ms);
  auto lemma = register_lemma("a");
  EXPECT_FALSE(lemma.dropped());
}

TEST_F(NoamHost, WhatTheOperatorHasSetOutlivesTheRoomsCrash) {
  start();
  ASSERT_TRUE(set_host_room(stage.system(), "noam", "den"));
  const Pid before = stage.system().whereis("noam/room");
  send_exit(before, Reason::killed());
  world.run_for(1s);
  EXPECT_NE(stage.system().whereis("noam/room"), before);
  EXPECT_EQ(stage.status().room, "den");
  EXPECT_TRUE(stage.status().on);
  addresses = stage.addresses();
  auto lemma = register_lemma("a");
  EXPECT_EQ(lemmas(), 1U) << "and it listens again";
}

// ---- section 9.4: beacons
// ------------------------------------------------------------------------------

TEST_F(NoamOperator, BeaconsGoOutEveryTwoSecondsWhileItIsOn) {
  Box ears(bench.engine(), Address::any_ipv4(1030));
  serve();
  auto lemma = register_lemma("a");
  world.run_for(10s);
  ASSERT_GE(ears.received.size(), 4U);
  EXPECT_LE(ears.received.size(), 6U);
  const std::string last = ears.received.back().second;
  EXPECT_TRUE(last.starts_with(R"(["server_beacon","lab",8081,"2026-01-01 00:)")) << last;
  EXPECT_TRUE(last.ends_with(R"( UTC"])")) << last;
  EXPECT_EQ(ears.received.back().first.port(), 1030);
  ASSERT_TRUE(set_host_on(stage.system(), "noam", false));
  world.run_for(2s);
  ears.received.clear();
  world.run_for(10s);
  EXPECT_TRUE(ears.received.empty());
}

TEST_F(NoamOperator, APeerIsAskedWhenItHasNewsAndOnlyThen) {
  serve();
  Door door(bench.engine(), Address::any_ipv4(8081));
  const auto beacon = [&](const std::string& of, const std::string& time) {
    udp.send(stage.address(1030), R"(["server_beacon",")" + of + R"(",8081,")" + time + R"("])");
    world.run_for(500ms);
    for (const auto& wire : door.wires) wire->close();  // it has no answer
    world.run_for(100ms);
  };
  beacon("odd", "2026-11-21 00:11:04 UTC");
  EXPECT_EQ(door.wires.size(), 1U);
  beacon("odd", "2026-11-21 00:11:04 UTC");
  EXPECT_EQ(door.wires.size(), 1U) << "no news";
  beacon("odd", "2026-11-21 00:11:05 UTC");
  EXPECT_EQ(door.wires.size(), 2U);
  beacon("lab", "2026-11-21 00:11:06 UTC");
  EXPECT_EQ(door.wires.size(), 2U) << "of our own room";
  EXPECT_EQ(stage.status().peers, 1U);
  world.run_for(13s);
  EXPECT_EQ(stage.status().peers, 0U) << "silent for 10 s";
}

/// Section 11: removing a lemma takes no topic out of the table of last values: none that nobody
/// hears, none that only it heard, none that it played itself.
TEST_F(NoamOperator, Noam_H_14_last_values_stay_when_a_lemma_goes) {
  serve();
  auto a = register_lemma("a");
  auto b = register_lemma("b", "[]");
  play(b, R"(["event","b","unheard",7])");
  world.run_for(100ms);
  ASSERT_EQ(stage.status().events, 1U);
  a.out->close();
  world.run_for(1s);
  const std::string refresh = body(get("/refresh"));
  EXPECT_TRUE(json_member(json_member(refresh, "events").value_or(""), "unheard")) << refresh;
  auto c = register_lemma("c", R"(["only-c"])");
  play(c, R"(["event","c","only-c",1])");
  play(c, R"(["event","c","unheard",2])");
  world.run_for(100ms);
  c.out->close();
  world.run_for(1s);
  const std::string later = body(get("/refresh"));
  const BytesView events = json_member(later, "events").value_or("");
  EXPECT_TRUE(json_member(json_member(events, "only-c").value_or(""), "c")) << later;
  EXPECT_TRUE(json_member(json_member(events, "unheard").value_or(""), "c")) << later;
  EXPECT_TRUE(json_member(json_member(events, "unheard").value_or(""), "b")) << later;
  const auto player = json_member(json_member(refresh, "players").value_or(""), "b");
  EXPECT_EQ(json_member(player.value_or(""), "plays"), R"(["unheard"])") << "shown as played";
}

TEST_F(NoamOperator, GuestsAreListedInTheOrderAskedFor) {
  serve();
  for (const char* name : {"b", "a", "c"})
    udp.send(stage.address(1030), encode(Marco{name, "", "", ""}));
  world.run_for(10ms);
  const auto places = [&](const std::string& order) {
    const std::string guests = body(get("/guests?types=free&guests-free-order=" + order));
    return std::vector<std::size_t>{guests.find("{\"name\":\"a\""), guests.find("{\"name\":\"b\""),
                                    guests.find("{\"name\":\"c\"")};
  };
  EXPECT_TRUE(std::ranges::is_sorted(places("asc")));
  EXPECT_TRUE(std::ranges::is_sorted(places("desc"), std::greater{}));
}

}  // namespace
}  // namespace hawser::noam::testing
