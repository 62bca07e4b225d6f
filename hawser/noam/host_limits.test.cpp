// A host that is pressed from all sides: every bound of its options, and what becomes of those who
// reach it while the others notice nothing.
#include <hawser/noam/ear_queue.hpp>
#include <hawser/noam/testing/host_fixture.hpp>
#include <hawser/process/sys.hpp>

namespace hawser::noam::testing {
namespace {

class NoamLimits : public NoamOperator {
 protected:
  Environment& here() { return stage.system().environment(); }
  Pid room_pid() { return stage.system().whereis("noam/room"); }
  std::string beacon(const std::string& of) {
    return R"(["server_beacon",")" + of + R"(",8081,"1"])";
  }
};

TEST_F(NoamLimits, Noam_H_07_a_lemma_is_read_no_faster_than_the_room_handles_what_it_plays) {
  HostOptions options = room("lab");
  options.intake = 50;
  start(options);
  auto hearer = register_lemma("hearer");
  auto speaker = register_lemma("speaker", "[]");
  ASSERT_TRUE(sys::suspend(here(), room_pid()));
  std::string flood;
  std::vector<std::string> sent;
  for (int i = 0; i < 5'000; ++i) {
    sent.push_back(R"(["event","speaker","t",)" + std::to_string(i) + "]");
    flood += framed(sent.back());
  }
  speaker.out->send(flood);
  world.run_for(1s);
  const auto statistics = sys::statistics(here(), room_pid());
  ASSERT_TRUE(statistics);
  EXPECT_GE(statistics->mailbox, 50U);
  EXPECT_LE(statistics->mailbox, 60U) << "the rest waits in the network";
  ASSERT_TRUE(sys::resume(here(), room_pid()));
  ASSERT_TRUE(until([&] { return hearer.heard().size() == 5'000; }, 30s));
  EXPECT_EQ(hearer.heard(), sent);
}

TEST_F(NoamLimits, WhoDoesNotRegisterIsClosedWhateverItSays) {
  start();
  auto half = connect();
  const Instant from = world.now();
  for (int i = 0; i < 12 && !half->over(); ++i) {
    half->send("000000" + framed(R"(["event","x","t",1])") + framed(R"(["register","x"])"));
    world.run_for(1s);
  }
  EXPECT_TRUE(half->over());
  EXPECT_GE(world.now() - from, 9s) << "registration_timeout";
  auto lemma = register_lemma("a");
  world.run_for(60s);
  EXPECT_FALSE(lemma.dropped()) << "and who has registered is not";
  stage.stop("noam");
  HostOptions lenient = room("lab");
  lenient.policy.unregistered_publishers = true;
  start(lenient);
  auto stranger = connect();
  stranger->send("000000");
  world.run_for(60s);
  EXPECT_FALSE(stranger->over()) << "where strangers may play they need not register";
}

TEST_F(NoamLimits, AFrameThatNeverEndsIsNotWaitedForForEver) {
  start();
  auto lemma = register_lemma("a");
  lemma.out->send("000100[");
  EXPECT_TRUE(until([&] { return lemma.dropped(); }, 12s)) << "packet_timeout";
}

TEST_F(NoamLimits, LastValuesAreBoundedByNumberAndBytesAndTheOldestGo) {
  HostOptions options = room("lab");
  options.last_values = 3;
  options.last_value_bytes = 1'000;
  serve(options);
  auto a = register_lemma("a", "[]");
  const auto shown = [&] {
    world.run_for(10ms);
    std::string topics;
    const std::string refresh = body(get("/refresh"));
    json_members(json_member(refresh, "events").value_or("{}"),
                 [&](BytesView topic, BytesView) { topics += topic.substr(1, topic.size() - 2); });
    return topics;
  };
  for (const char* topic : {"p", "q", "r", "p", "s"})
    play(a, std::string(R"(["event","a",")") + topic + R"(",1])");
  EXPECT_EQ(shown(), "prs") << "q is the one that was played longest ago";
  play(a, R"(["event","a","long",")" + std::string(900, 'x') + R"("])");
  EXPECT_EQ(shown(), "longps") << "within the bytes";
  play(a, R"(["event","a","longer",")" + std::string(2'000, 'x') + R"("])");
  EXPECT_EQ(shown(), "") << "what does not fit at all is not shown";
  play(a, R"(["event","a","p",1])");
  EXPECT_EQ(shown(), "p");
}

TEST_F(NoamLimits, MoreHostsThanMayBeAskedAtOnceAreAskedInTurn) {
  HostOptions options = room("lab");
  options.fetches = 2;
  options.fetch_timeout = 5s;
  options.stale = 60s;
  serve(options);
  Door door(bench.engine(), Address::any_ipv4(8081));
  for (const char* name : {"p0", "p1", "p2", "p3"}) udp.send(stage.address(1030), beacon(name));
  ASSERT_TRUE(until([&] { return door.wires.size() == 2; }, 1s));
  world.run_for(1s);
  EXPECT_EQ(door.wires.size(), 2U);
  const std::string guests = R"({"guests-owned":{"x":{"name":"x"}}})";
  door.wires[0]->send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(guests.size()) +
                      "\r\n\r\n" + guests);
  ASSERT_TRUE(until([&] { return door.wires.size() >= 3; }, 1s)) << "the next one's turn";
  // A byte now and then keeps nobody's place for ever.
  const Instant from = world.now();
  while (!door.wires[1]->over() && world.now() - from < 20s) {
    door.wires[1]->send("H");
    world.run_for(500ms);
  }
  EXPECT_LT(world.now() - from, 6s) << "fetch_timeout";
  EXPECT_TRUE(until([&] { return door.wires.size() >= 4; }, 1s));
}

TEST_F(NoamLimits, AHostsAnswerIsBounded) {
  HostOptions options = room("lab");
  options.fetch_bytes = 100;
  serve(options);
  Door door(bench.engine(), Address::any_ipv4(8081));
  udp.send(stage.address(1030), beacon("big"));
  ASSERT_TRUE(until([&] { return !door.wires.empty(); }, 1s));
  const std::string guests =
      R"({"guests-owned":{"x":{"name":")" + std::string(200, 'x') + R"("}}})";
  door.wires[0]->send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(guests.size()) +
                      "\r\n\r\n" + guests);
  world.run_for(1s);
  EXPECT_EQ(json_member(body(get("/guests?types=other")), "guests-other"), "{}");
}

TEST_F(NoamLimits, MoreOperatorsThanThereMayBeWait) {
  HostOptions options = room("lab");
  options.operators = 2;
  serve(options);
  world.run_for(1s);
  const std::string later = std::string(*json_member(body(get("/refresh")), "time"));
  std::vector<std::unique_ptr<Wire>> polls;
  for (int i = 0; i < 2; ++i) {
    polls.push_back(std::make_unique<Wire>(bench.engine(), stage.address(addresses.http->port())));
    polls.back()->send("GET /arefresh?time=" + later + " HTTP/1.1\r\nhost: h\r\n\r\n");
  }
  world.run_for(100ms);
  Wire third(bench.engine(), stage.address(addresses.http->port()));
  third.send("GET /settings HTTP/1.1\r\nhost: h\r\n\r\n");
  world.run_for(1s);
  EXPECT_TRUE(third.received.empty());
  polls.front()->close();
  EXPECT_TRUE(until([&] { return !third.received.empty(); }, 2s));
}

/// What is held back for an arduino counts, too.
TEST(NoamEarQueue, HeldBackValuesAreWithinTheBytes) {
  HostOptions options;
  options.ear_bytes = 300;
  EarQueue queue(options, true);
  const auto event = [](const std::string& topic) {
    const std::string sender = "\"a\"", quoted = '"' + topic + '"',
                      value = '"' + std::string(100, 'x') + '"';
    return RelayedEvent::make({sender, quoted, value}, false);
  };
  const Instant now = Instant{1s};
  for (const char* topic : {"p", "q"}) {
    EXPECT_TRUE(queue.add(event(topic), now));
    queue.pop();
  }
  EXPECT_TRUE(queue.add(event("p"), now));
  EXPECT_TRUE(queue.add(event("p"), now));
  EXPECT_EQ(queue.dropped(), 0U) << "the newest takes the other one's place";
  EXPECT_TRUE(queue.add(event("q"), now));
  EXPECT_EQ(queue.dropped(), 0U);
  options.ear_bytes = 200;
  EXPECT_TRUE(queue.add(event("q"), now));
  EXPECT_EQ(queue.dropped(), 1U);
  options.ear_overflow = EarOverflow::end;
  EXPECT_FALSE(queue.add(event("q"), now));
}

// ---- the three policies, as docs/noam.md has them
// ------------------------------------------------

class NoamPolicies : public NoamHost {
 protected:
  void start_with(const HostPolicy& policy, bool ascii = false) {
    HostOptions options = room("lab");
    options.policy = policy;
    options.policy.ascii = ascii;
    start(options);
    udp.send(stage.address(1030), encode(Marco{"a", "lab", "", ""}));
    world.run_for(10ms);
  }
  /// What a hearer hears of what `json` says, played by `by`.
  std::vector<std::string> heard_of(Wire& by, Lemma& hearer, const std::string& json) {
    const std::size_t before = hearer.heard().size();
    by.send(framed(json));
    world.run_for(100ms);
    auto heard = hearer.heard();
    heard.erase(heard.begin(), heard.begin() + static_cast<std::ptrdiff_t>(before));
    return heard;
  }
  struct Row {
    bool strangers, others_names, without_marco, unasked_guest, spaces, off_keeps;
    bool operator==(const Row&) const = default;
  };
  Row row_of(const HostPolicy& policy) {
    start_with(policy);
    Row row{};
    auto a = register_lemma("a");
    auto stranger = connect();
    row.strangers = heard_of(*stranger, a, R"(["event","x","t",1])").size() == 1;
    row.others_names = heard_of(*a.out, a, R"(["event","b","t",1])").size() == 1;
    const auto lets_in = [&](const std::string& name) {
      const std::size_t before = lemmas();
      Door door(bench.engine(), Address::any_ipv4(0));
      auto out = connect();
      out->send(registration(name, door.bound.port(), "[]"));
      world.run_for(500ms);
      return lemmas() == before + 1;
    };
    row.without_marco = lets_in("unheard-of");
    udp.send(stage.address(1030), encode(Marco{"guest", "", "", ""}));
    world.run_for(10ms);
    row.unasked_guest = lets_in("guest");
    a.out->send(R"(    22["event","a","t", 1 ])");
    world.run_for(500ms);
    row.spaces = !a.dropped();
    if (!row.spaces) {
      udp.send(stage.address(1030), encode(Marco{"a", "lab", "", ""}));
      world.run_for(10ms);
      a = register_lemma("a");
    }
    (void)set_host_on(stage.system(), "noam", false);
    world.run_for(500ms);
    row.off_keeps = !a.dropped();
    stage.stop("noam");
    return row;
  }
};

TEST_F(NoamPolicies, EachPresetDoesWhatItsColumnSays) {
  EXPECT_EQ(row_of({}), (Row{false, true, true, true, false, false})) << "suggested";
  EXPECT_EQ(row_of(HostPolicy::strict()), (Row{false, false, false, false, false, false}));
  EXPECT_EQ(row_of(HostPolicy::compatible()), (Row{true, true, true, true, true, true}));
}

TEST_F(NoamPolicies, TextBeyondAsciiIsPassedOnAsItIsOrEscaped) {
  start_with({});
  auto a = register_lemma("a");
  const std::string json = "[\"event\",\"a\",\"t\",\"\xc3\xa9 \xf0\x9f\x98\x80\"]";
  EXPECT_EQ(heard_of(*a.out, a, json), std::vector<std::string>{json});
  stage.stop("noam");
  start_with({}, true);
  a = register_lemma("a");
  EXPECT_EQ(heard_of(*a.out, a, json),
            std::vector<std::string>{R"(["event","a","t","\u00e9 \ud83d\ude00"])"});
}

TEST_F(NoamPolicies, WhatIsPlayedUnderAnotherNameCanBePutRight) {
  HostPolicy policy;
  policy.sender = SenderCheck::force;
  start_with(policy);
  auto a = register_lemma("a");
  EXPECT_EQ(heard_of(*a.out, a, R"(["event","b","t",{"x":1}])"),
            std::vector<std::string>{R"(["event","a","t",{"x":1}])"});
}

}  // namespace
}  // namespace hawser::noam::testing
