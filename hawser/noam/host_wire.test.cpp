// A host of ours against lemmas that are played byte by byte: sections 3 to 9 row by row, and the
// Ruby host's faults (section 11) that ours does not have.
#include <hawser/noam/testing/host_fixture.hpp>

namespace hawser::noam::testing {
namespace {

// ---- section 3: discovery
// ------------------------------------------------------------------------

TEST_F(NoamHost, MarcosAreAnsweredByTheTable) {
  start();
  const Address host = stage.address(1030);
  const auto ask = [&](const std::string& name, const std::string& of) {
    const std::size_t before = udp.received.size();
    udp.send(host, encode(Marco{name, of, "d", "1"}));
    world.run_for(100ms);
    return udp.received.size() - before;
  };
  EXPECT_EQ(ask("a", "lab"), 1U);
  EXPECT_EQ(udp.received.back().second, R"(["polo","lab",7733])") << "compact, three elements";
  EXPECT_EQ(udp.received.back().first, host) << "from the host's own port";
  EXPECT_EQ(ask("b", ""), 0U) << "a free guest that nobody grabbed";
  EXPECT_EQ(ask("a", ""), 1U) << "who asked for our room is grabbed";
  EXPECT_EQ(ask("a", "other"), 0U) << "another room, although grabbed";
  EXPECT_EQ(ask("c", "LAB"), 0U) << "case counts";
  EXPECT_TRUE(grab_guest(stage.system(), "noam", "b").value());
  EXPECT_EQ(ask("b", ""), 1U);
  EXPECT_EQ(udp.received.back().second, R"(["polo","lab",7733])") << "names the host's room";
  ASSERT_TRUE(set_host_on(stage.system(), "noam", false));
  EXPECT_EQ(ask("a", "lab"), 0U) << "off";
}

TEST_F(NoamHost, Noam_H_02_no_datagram_ends_anything) {
  start();
  auto lemma = register_lemma("a");
  for (const std::string& bad :
       {std::string("null"), std::string("true"), std::string(), std::string("[]"),
        std::string(R"(["server_beacon","x",8081,null])"),
        std::string(R"(["server_beacon","x",8081,"no date"])"), std::string(R"(["server_beacon"])"),
        std::string(R"(["marco"])"), std::string(R"(["marco",{},[]])"), std::string(60'000, '['),
        std::string("\xff\xfe\x00", 3), std::string(65'507, '"'),
        std::string("[\"marco\",\"\xff\",\"lab\"]"),
        R"(["server_beacon","x",8081,"])" + std::string(2'000, 'x') + R"("])",
        std::string(R"(["polo","lab",1])")})
    udp.send(stage.address(1030), bad);
  world.run_for(1s);
  play(lemma, R"(["event","a","t",1])");
  EXPECT_TRUE(until([&] { return lemma.heard().size() == 1; }, 1s));
}

TEST_F(NoamHost, Noam_H_13_names_that_were_grabbed_are_bounded) {
  HostOptions options = room("lab");
  options.grabbed = 3;
  options.free_guests = 5;
  start(options);
  for (int i = 0; i < 20; ++i) {
    udp.send(stage.address(1030), encode(Marco{"g" + std::to_string(i), "lab", "", ""}));
    udp.send(stage.address(1030), encode(Marco{"f" + std::to_string(i), "", "", ""}));
  }
  world.run_for(100ms);
  EXPECT_LE(stage.status().free_guests, 5U);
  udp.received.clear();
  udp.send(stage.address(1030), encode(Marco{"g0", "", "", ""}));
  udp.send(stage.address(1030), encode(Marco{"g19", "", "", ""}));
  world.run_for(100ms);
  EXPECT_EQ(udp.received.size(), 1U) << "the oldest was forgotten";
  world.run_for(13s);
  EXPECT_EQ(stage.status().free_guests, 0U) << "reaped";
}

// ---- section 4: registration
// ---------------------------------------------------------------------

TEST_F(NoamHost, TheHostConnectsBackAtOnceAndSaysNothing) {
  start();
  auto lemma = register_lemma("a");
  world.run_for(1s);
  EXPECT_TRUE(lemma.in()->received.empty());
  EXPECT_TRUE(lemma.out->received.empty()) << "nothing is ever written on a lemma's connection";
  EXPECT_EQ(lemmas(), 1U) << "without any marco";
}

TEST_F(NoamHost, WhoCannotBeCalledBackIsDropped) {
  start();
  for (const char* port : {"0", "70000", "9"}) {
    auto wire = connect();
    wire->send(framed(std::string(R"(["register","a",)") + port + R"(,["t"],[]])"));
    EXPECT_TRUE(until([&] { return wire->over(); }, 15s)) << port;
  }
  EXPECT_EQ(lemmas(), 0U);
}

TEST_F(NoamHost, ARegistrationThatIsNoneLeavesTheConnectionAlone) {
  start();
  auto wire = connect();
  wire->send(framed(R"(["register","a","x",["t"],[]])") + framed(R"(["register"])"));
  world.run_for(1s);
  EXPECT_FALSE(wire->over());
  EXPECT_EQ(lemmas(), 0U);
}

TEST_F(NoamHost, LosingEitherConnectionEndsTheRegistration) {
  start();
  for (int way = 0; way < 4; ++way) {
    auto lemma = register_lemma("a");
    if (way == 0) lemma.out->close();
    if (way == 1) lemma.in()->close();
    if (way == 2) lemma.out->end();
    if (way == 3) lemma.in()->end();
    world.run_for(1s);
    EXPECT_EQ(lemmas(), 0U) << way;
    EXPECT_TRUE(way % 2 == 0 ? lemma.in()->over() : lemma.out->over()) << way;
  }
}

TEST_F(NoamHost, WhoWantsAnotherRoomIsSentAway) {
  start();
  udp.send(stage.address(1030), encode(Marco{"a", "other", "", ""}));
  world.run_for(10ms);
  auto lemma = register_lemma("a", R"(["t"])", "", false);
  EXPECT_TRUE(until([&] { return lemma.out->over(); }, 1s));
  world.run_for(15s);
  auto later = register_lemma("a");
  EXPECT_EQ(lemmas(), 1U) << "its wish is stale";
}

TEST_F(NoamHost, AGuestThatWasNotAskedInIsAsThePolicySays) {
  start();
  udp.send(stage.address(1030), encode(Marco{"a", "", "", ""}));
  world.run_for(10ms);
  auto lemma = register_lemma("a");
  EXPECT_EQ(lemmas(), 1U);
  stage.stop("noam");
  HostOptions strict = room("lab");
  strict.policy = HostPolicy::strict();
  start(strict);
  udp.send(stage.address(1030), encode(Marco{"a", "", "", ""}));
  udp.send(stage.address(1030), encode(Marco{"b", "lab", "", ""}));
  world.run_for(10ms);
  (void)register_lemma("a", "[]", "", false);
  (void)register_lemma("nobody", "[]", "", false);
  auto asked = register_lemma("b");
  EXPECT_EQ(lemmas(), 1U);
}

TEST_F(NoamHost, RegisteringAgainOnOneConnectionReplacesWhatWas) {
  start();
  auto lemma = register_lemma("a", R"(["t"])");
  Wire* const first = lemma.in();
  Door second(bench.engine(), Address::any_ipv4(0));
  lemma.out->send(registration("a", second.bound.port(), R"(["u"])"));
  ASSERT_TRUE(until([&] { return !second.wires.empty() && first->over(); }, 2s));
  play(lemma, R"(["event","a","t",1])");
  play(lemma, R"(["event","a","u",2])");
  ASSERT_TRUE(until([&] { return second.wires[0]->frames().size() == 1; }, 1s));
  world.run_for(1s);
  EXPECT_EQ(second.wires[0]->frames(), std::vector<std::string>{R"(["event","a","u",2])"});
  EXPECT_EQ(lemmas(), 1U);
}

// ---- sections 5 and 6: frames and events
// ---------------------------------------------------------

TEST_F(NoamHost, EventsReachWhoHearsThemTheSenderToo) {
  start();
  auto a = register_lemma("a", R"(["t","u"])");
  auto b = register_lemma("b", R"(["t"])");
  auto c = register_lemma("c", R"(["T"])");
  a.out->send(framed(R"(["event","a","t",1.50])") +
              framed(R"(["event","a","t",{"x":[null,true]}])") +
              framed(R"( ["event" , "a" , "u" ])"));
  ASSERT_TRUE(until([&] { return a.heard().size() == 3 && b.heard().size() == 2; }, 1s));
  EXPECT_EQ(a.heard(), (std::vector<std::string>{R"(["event","a","t",1.50])",
                                                 R"(["event","a","t",{"x":[null,true]}])",
                                                 R"(["event","a","u",null])"}));
  EXPECT_TRUE(c.heard().empty()) << "topics are compared byte by byte";
}

TEST_F(NoamHost, AnythingInAnySplitIsRead) {
  start();
  auto a = register_lemma("a");
  const std::string bytes = "000000" + framed(R"(["event","a","t","é"])") + framed("[]") +
                            framed("{}") + framed("17") + framed("null") + framed("oops") +
                            framed(R"(["event","a","t",2,"surplus"])") +
                            framed(R"(["polo","x",1])");
  for (const char c : bytes) {
    a.out->send(BytesView(&c, 1));
    world.run_for(1ms);
  }
  ASSERT_TRUE(until([&] { return a.heard().size() == 2; }, 1s));
  EXPECT_EQ(a.heard()[0], "[\"event\",\"a\",\"t\",\"é\"]") << "Noam_H_01: unharmed";
  EXPECT_EQ(a.heard()[1], R"(["event","a","t",2])") << "surplus is not passed on";
  EXPECT_FALSE(a.dropped());
}

TEST_F(NoamHost, Noam_H_06_a_garbage_prefix_ends_its_own_connection_only) {
  start();
  auto a = register_lemma("a");
  auto b = register_lemma("b");
  a.out->send("abcdef");
  ASSERT_TRUE(until([&] { return a.dropped(); }, 2s));
  play(b, R"(["event","b","t",1])");
  EXPECT_TRUE(until([&] { return b.heard().size() == 1; }, 1s));
}

TEST_F(NoamHost, ALongEventPassesWhole) {
  start();
  auto a = register_lemma("a");
  const std::string json = R"(["event","a","t",")" + std::string(999'999 - 20, 'x') + R"("])";
  ASSERT_EQ(json.size(), longest_frame);
  play(a, json);
  ASSERT_TRUE(until([&] { return a.heard().size() == 1; }, 30s));
  EXPECT_EQ(a.heard()[0], json);
}

TEST_F(NoamHost, Noam_H_17_who_is_not_registered_plays_nothing_unless_allowed) {
  start();
  auto hearer = register_lemma("a");
  auto stranger = connect();
  stranger->send(framed(R"(["event","x","t",1])"));
  world.run_for(1s);
  EXPECT_TRUE(hearer.heard().empty());
  stage.stop("noam");
  HostOptions options = room("lab");
  options.policy = HostPolicy::compatible();
  start(options);
  hearer = register_lemma("a");
  stranger = connect();
  stranger->send(framed(R"(["event","x","t",1])"));
  EXPECT_TRUE(until([&] { return hearer.heard().size() == 1; }, 1s));
}

TEST_F(NoamHost, Noam_H_17_a_foreign_sender_is_as_the_policy_says) {
  const auto heard_with = [&](SenderCheck check) {
    HostOptions options = room("lab");
    options.policy.sender = check;
    start(options);
    auto a = register_lemma("a");
    play(a, R"(["event","b","t",1])");
    play(a, R"(["event","a","t",2])");
    EXPECT_TRUE(until([&] { return !a.heard().empty(); }, 1s));
    world.run_for(1s);
    const auto heard = a.heard();
    stage.stop("noam");
    return heard;
  };
  const std::string own = R"(["event","a","t",2])";
  EXPECT_EQ(heard_with(SenderCheck::relay),
            (std::vector<std::string>{R"(["event","b","t",1])", own}));
  EXPECT_EQ(stage.lines_with("plays events as"), 1U);
  EXPECT_EQ(heard_with(SenderCheck::drop), std::vector<std::string>{own});
  EXPECT_EQ(heard_with(SenderCheck::force),
            (std::vector<std::string>{R"(["event","a","t",1])", own}));
}

// ---- section 7: liveness, duplicates, rate limit
// -------------------------------------------------

TEST_F(NoamHost, WhoMissesTwoHeartbeatsIsDroppedNotEarlier) {
  start();
  auto silent = register_lemma("a", "[]", R"(,"d","1",{"heartbeat":1})");
  auto eternal = register_lemma("b", "[]", R"(,"d","1",{"heartbeat":0})");
  auto busy = register_lemma("c", "[]", R"(,"d","1",{"heartbeat":1})");
  const Instant from = world.now();
  for (int i = 0; i < 20 && !silent.dropped(); ++i) {
    play(busy, i % 2 == 0 ? R"(["heartbeat","c"])" : R"(["event","c","x",1])");
    world.run_for(500ms);
  }
  EXPECT_GE(world.now() - from, 2s);
  EXPECT_LE(world.now() - from, 4600ms) << "2 h and a tick";
  EXPECT_TRUE(silent.in()->over());
  EXPECT_FALSE(busy.dropped());
  world.run_for(60s);
  EXPECT_FALSE(eternal.dropped());
}

TEST_F(NoamHost, HeartbeatsAreAnsweredToWhoAskedForIt) {
  start();
  auto asks = register_lemma("a", "[]", R"(,"d","1",{"heartbeat":0,"heartbeat_ack":true})");
  auto says_so = register_lemma("b", "[]", R"(,"d","1",{"heartbeat":2,"heartbeat_ack":"true"})");
  auto plain = register_lemma("c", "[]");
  for (auto* lemma : {&asks, &says_so, &plain}) {
    play(*lemma, R"(["heartbeat","a"])");
    play(*lemma, R"(["heartbeat","b"])");
    play(*lemma, R"(["heartbeat","c"])");
    play(*lemma, R"(["heartbeat","nobody"])");
  }
  world.run_for(1s);
  EXPECT_EQ(asks.heard(), std::vector<std::string>{R"(["heartbeat_ack","a"])"})
      << "for its own heart-beat, once, and not for others' who name it";
  EXPECT_TRUE(says_so.heard().empty());
  EXPECT_TRUE(plain.heard().empty());
}

TEST_F(NoamHost, Noam_H_04_of_two_of_a_name_the_newest_stays) {
  start();
  auto older = register_lemma("a", R"(["t"])");
  auto newer = register_lemma("a", R"(["t"])");
  ASSERT_TRUE(until([&] { return older.dropped(); }, 1s));
  world.run_for(5s);
  EXPECT_FALSE(newer.dropped()) << "the older one's end does not touch it";
  play(newer, R"(["event","a","t",1])");
  EXPECT_TRUE(until([&] { return newer.heard().size() == 1; }, 1s));
  auto disjoint = register_lemma("a", R"(["u"])");
  EXPECT_TRUE(until([&] { return newer.dropped(); }, 1s)) << "also when they hear other things";
  EXPECT_EQ(lemmas(), 1U);
}

TEST_F(NoamHost, Noam_H_05_a_connection_is_its_own_lemma_whatever_it_says) {
  start();
  auto a = register_lemma("a");
  auto b = register_lemma("b");
  play(b, R"(["event","a","t",1])");
  play(b, R"(["heartbeat","a"])");
  b.out->send(framed("broken"));
  b.out->close();
  ASSERT_TRUE(until([&] { return b.in()->over(); }, 2s)) << "no ghost";
  world.run_for(1s);
  EXPECT_EQ(lemmas(), 1U);
  EXPECT_FALSE(a.dropped());
}

TEST_F(NoamHost, Noam_H_11_an_arduino_gets_each_topics_newest_value_ten_times_a_second) {
  start();
  auto arduino = register_lemma("ard", R"(["t","u"])", R"(,"arduino","0.3")");
  auto other = register_lemma("Ard", R"(["t","u"])", R"(,"Arduino","0.3")");
  std::string burst;
  for (int i = 0; i < 10; ++i)
    for (const char* topic : {"t", "u"})
      burst += framed(std::string(R"(["event","Ard",")") + topic + "\"," + std::to_string(i) + "]");
  other.out->send(burst);
  world.run_for(50ms);
  EXPECT_EQ(arduino.heard(),
            (std::vector<std::string>{R"(["event","Ard","t",0])", R"(["event","Ard","u",0])"}));
  world.run_for(100ms);
  EXPECT_EQ(arduino.heard().size(), 4U) << "each topic has its own time";
  EXPECT_EQ(arduino.heard()[2], R"(["event","Ard","t",9])");
  EXPECT_EQ(arduino.heard()[3], R"(["event","Ard","u",9])");
  world.run_for(1s);
  EXPECT_EQ(arduino.heard().size(), 4U);
  EXPECT_EQ(other.heard().size(), 20U) << "case counts";
}

TEST_F(NoamHost, Noam_H_07_who_never_reads_costs_a_bounded_queue) {
  HostOptions options = room("lab");
  options.ear_events = 10;
  options.server.connection.high_water = 64 << 10;
  options.server.connection.low_water = 16 << 10;
  options.server.connection.write_deadline = 0s;
  start(options);
  auto deaf = register_lemma("deaf");
  auto speaker = register_lemma("speaker");
  deaf.in()->read(false);
  const std::string value = '"' + std::string(50'000, 'x') + '"';
  for (int i = 0; i < 200; ++i) {
    play(speaker, R"(["event","speaker","t",[)" + std::to_string(i) + "," + value + "]]");
    world.run_for(10ms);
  }
  EXPECT_EQ(speaker.heard().size(), 200U) << "the others notice nothing";
  deaf.in()->read(true);
  world.run_for(10s);
  const auto heard = deaf.heard();
  EXPECT_LT(heard.size(), 60U);
  ASSERT_GT(heard.size(), 10U);
  EXPECT_TRUE(heard.back().starts_with(R"(["event","speaker","t",[199,)")) << "the oldest went";
}

TEST_F(NoamHost, WhoSaysNothingIsClosed) {
  start();
  auto wire = connect();
  EXPECT_TRUE(until([&] { return wire->over(); }, 11s)) << "registration_timeout";
}

TEST_F(NoamHost, LimitsAreLimits) {
  HostOptions options = room("lab");
  options.lemmas = 2;
  start(options);
  auto a = register_lemma("a");
  auto b = register_lemma("b");
  auto c = register_lemma("c", "[]", "", false);
  EXPECT_TRUE(c.out->over());
  auto again = register_lemma("a");
  EXPECT_EQ(lemmas(), 2U) << "a name that is there already takes no place";
}

// ---- section 9: switches
// -------------------------------------------------------------------------

TEST_F(NoamHost, ARoomWithANewNameDropsEverybody) {
  start();
  auto a = register_lemma("a");
  EXPECT_FALSE(set_host_room(stage.system(), "noam", std::string(200, 'x')));
  ASSERT_TRUE(set_host_room(stage.system(), "noam", "den"));
  EXPECT_TRUE(until([&] { return a.dropped(); }, 1s));
  udp.send(stage.address(1030), encode(Marco{"a", "den", "", ""}));
  world.run_for(10ms);
  ASSERT_EQ(udp.received.size(), 1U);
  EXPECT_EQ(udp.received[0].second, R"(["polo","den",7733])");
  EXPECT_TRUE(stage.status().on) << "the switch stays as it was";
  // Who was asked into the old room was not asked into the new one.
  udp.send(stage.address(1030), encode(Marco{"b", "", "", ""}));
  world.run_for(10ms);
  ASSERT_TRUE(grab_guest(stage.system(), "noam", "b").value());
  ASSERT_TRUE(set_host_room(stage.system(), "noam", "attic"));
  udp.received.clear();
  for (const char* name : {"a", "b"})
    udp.send(stage.address(1030), encode(Marco{name, "", "", ""}));
  world.run_for(10ms);
  EXPECT_TRUE(udp.received.empty());
  EXPECT_FALSE(set_host_room(stage.system(), "noam", "\xff")) << "no text";
}

TEST_F(NoamHost, Noam_H_09_off_is_off_and_cuts_no_frame) {
  start();
  auto a = register_lemma("a");
  ASSERT_TRUE(set_host_on(stage.system(), "noam", false));
  EXPECT_TRUE(until([&] { return a.dropped(); }, 1s));
  auto refused = connect();
  EXPECT_TRUE(until([&] { return refused->over(); }, 1s));
  stage.stop("noam");
  HostOptions options = room("lab");
  options.policy.off = WhenOff::ignore;
  start(options);
  a = register_lemma("a");
  const std::string event = framed(R"(["event","a","t",1])");
  a.out->send(event.substr(0, 10));
  world.run_for(10ms);
  ASSERT_TRUE(set_host_on(stage.system(), "noam", false));
  a.out->send(event.substr(10) + event);
  world.run_for(1s);
  EXPECT_TRUE(a.heard().empty());
  ASSERT_TRUE(set_host_on(stage.system(), "noam", true));
  a.out->send(event);
  EXPECT_TRUE(until([&] { return a.heard().size() == 1; }, 1s));
}

TEST_F(NoamHost, WithoutARoomItIsOff) {
  start(room(""));
  EXPECT_FALSE(stage.status().on);
  udp.send(stage.address(1030), encode(Marco{"a", "", "", ""}));
  world.run_for(100ms);
  EXPECT_TRUE(udp.received.empty());
}

TEST_F(NoamHost, ASecondHostOnOnePortIsToldAndTakesNoLemmasAway) {
  start();
  const auto second = stage.system().start(noam::host("second", room("den")));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("7733"), std::string::npos) << second.error().text();
  HostOptions beside = room("den");
  beside.tcp = "0.0.0.0:7734";
  beside.websocket.reset();
  EXPECT_TRUE(stage.system().start(noam::host("beside", beside)))
      << "where marcos are heard there is room for several";
}

TEST_F(NoamHost, WrongOptionsAreAllNamed) {
  HostOptions options = room(std::string(200, 'x'));
  options.tick = 0s;
  options.discovery = "[::]:1030";
  const auto started = stage.system().start(noam::host("noam", options));
  ASSERT_FALSE(started);
  for (const char* field : {"room", "tick", "discovery"})
    EXPECT_NE(started.error().text().find(field), std::string::npos) << started.error().text();
}

}  // namespace
}  // namespace hawser::noam::testing
