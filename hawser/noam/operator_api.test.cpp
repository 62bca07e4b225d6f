// The operator's API byte by byte (section 9.3), beacons and what hosts know of each other (9.4).
#include <hawser/noam/testing/host_fixture.hpp>

namespace hawser::noam::testing {
namespace {

TEST_F(NoamOperator, Settings) {
  serve(room(""));
  EXPECT_EQ(body(get("/settings")), R"({"on":false,"name":""})");
  EXPECT_EQ(body(post("/settings", "name=my%20lab&on=true")),
            R"({"set":true,"on":true,"name":"my lab"})");
  EXPECT_EQ(stage.status().room, "my lab");
  EXPECT_TRUE(post("/settings", "name=" + std::string(200, 'x')).starts_with("HTTP/1.1 400 "));
}

TEST_F(NoamOperator, ListsAndEvents) {
  serve();
  auto a = register_lemma("a", R"(["t"])", R"(,"dialect","1.0")");
  EXPECT_EQ(body(post("/play-event", "name=t&value=a%26b+c")), R"({"result":"ok"})");
  ASSERT_TRUE(until([&] { return a.heard().size() == 1; }, 1s));
  EXPECT_EQ(a.heard()[0], R"(["event","web_ui_lemma","t","a&b c"])");
  const std::string refresh = body(get("/refresh"));
  ASSERT_TRUE(check_json(refresh)) << refresh;
  const auto player = json_member(json_member(refresh, "players").value_or(""), "a");
  ASSERT_TRUE(player) << refresh;
  EXPECT_EQ(json_member(*player, "device_type"), R"("dialect")");
  EXPECT_EQ(json_member(*player, "hears"), R"(["t"])");
  EXPECT_EQ(json_member(refresh, "number-played-messages"), "1");
  EXPECT_EQ(json_member(*player, "spalla_id"), R"("a")");
  EXPECT_EQ(json_member(*player, "system_version"), R"("1.0")");
  EXPECT_EQ(json_member(*player, "plays"), "[]");
  EXPECT_EQ(json_member(*player, "ip"), '"' + bench.address(0).host() + '"');
  EXPECT_EQ(json_member(*player, "desired_room_name"), R"("lab")");
  EXPECT_TRUE(json_member(*player, "last_activity").value_or("").starts_with(R"("2026-01-01T00:)"));
  EXPECT_EQ(json_member(refresh, "type"), R"("good")");
  const auto value = json_member(
      json_member(json_member(refresh, "events").value_or(""), "t").value_or(""), "web_ui_lemma");
  ASSERT_TRUE(value) << refresh;
  EXPECT_EQ(json_member(*value, "value_escaped"), R"("a%26b%20c")");
  EXPECT_TRUE(json_member(*value, "timestamp").value_or("").ends_with(R"(Z")"));
  udp.send(stage.address(1030), encode(Marco{"guest", "", "d", "1"}));
  world.run_for(10ms);
  const std::string guests = body(get("/guests?types=[guests-free,guests-owned,guests-other]"));
  EXPECT_TRUE(json_member(json_member(guests, "guests-free").value_or(""), "guest")) << guests;
  EXPECT_TRUE(json_member(json_member(guests, "guests-owned").value_or(""), "a")) << guests;
  EXPECT_EQ(json_member(guests, "guests-other"), "{}");
  const std::string all = body(get("/guests"));
  for (const char* list : {"guests-free", "guests-owned", "guests-other", "time"})
    EXPECT_TRUE(json_member(all, list)) << "without types all of them: " << all;
  EXPECT_FALSE(json_member(all, "type"));
  udp.send(stage.address(1030), encode(Marco{"abroad", "elsewhere", "d", "1"}));
  world.run_for(10ms);
  const std::string others = body(get("/guests?types=other"));
  const auto abroad = json_member(json_member(others, "guests-other").value_or(""), "abroad");
  ASSERT_TRUE(abroad) << others;
  EXPECT_EQ(json_member(*abroad, "otherguesttype"), R"("Free")");
  EXPECT_EQ(json_member(*abroad, "desired_room_name"), R"("elsewhere")");
  EXPECT_EQ(body(post("/guests/join", "nobody")), R"({"status":"nolemma"})");
  EXPECT_TRUE(body(post("/guests/join", "guest")).starts_with(R"({"status":"ok","lemma":{)"));
  EXPECT_EQ(body(post("/guests/free", "a")), R"({"status":"ok"})");
  EXPECT_EQ(body(post("/guests/free", "a")), R"({"status":"fail"})");
  EXPECT_TRUE(until([&] { return a.dropped(); }, 1s));
}

TEST_F(NoamOperator, LongPollsWaitForNewsOrTenSeconds) {
  serve();
  auto a = register_lemma("a");
  world.run_for(1s);
  const std::string now = std::string(*json_member(body(get("/refresh")), "time"));
  const Instant from = world.now();
  const std::string late = body(get("/arefresh?time=" + now));
  EXPECT_EQ(json_member(late, "type"), R"("timeout")");
  EXPECT_GE(world.now() - from, 10s);
  Wire waiting(bench.engine(), stage.address(addresses.http->port()));
  waiting.send("GET /arefresh?time=" + std::string(*json_member(late, "time")) +
               " HTTP/1.1\r\nhost: h\r\n\r\n");
  world.run_for(2s);
  EXPECT_FALSE(waiting.over());
  play(a, R"(["event","a","t",1])");
  EXPECT_TRUE(until([&] { return waiting.over(); }, 1s));
}

TEST_F(NoamOperator, WrongRequestsAreAnsweredAndEndTheirConnectionOnly) {
  serve();
  EXPECT_TRUE(get("/nowhere").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/guests/join").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(post("/refresh", "").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(post("/stop-server", "").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("POST /settings HTTP/1.1\r\nhost: h\r\ncontent-length: 70000\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(get("/").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(stage.status().room, "lab");
}

TEST_F(NoamOperator, AHeadHasNoBody) {
  serve();
  const std::string head = ask("HEAD /settings HTTP/1.1\r\nhost: h\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
  EXPECT_EQ(body(head), "");
}

TEST_F(NoamOperator, APageOfAnotherSiteMayNotPlayTheOperator) {
  serve();
  const auto from = [&](const std::string& origin) {
    return ask("POST /settings HTTP/1.1\r\nhost: h:8081\r\norigin: " + origin +
               "\r\ncontent-length: 8\r\n\r\nname=den");
  };
  EXPECT_TRUE(from("http://evil.example").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(from("null").starts_with("HTTP/1.1 403 "));
  EXPECT_EQ(stage.status().room, "lab");
  EXPECT_TRUE(from("http://h:8081").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(stage.status().room, "den");
}

TEST_F(NoamOperator, ItStopsTheProgramOnlyWhereThatWasSaid) {
  HostOptions options = room("lab");
  options.http_may_stop = true;
  serve(options);
  EXPECT_EQ(body(post("/stop-server", "")), "ok");
}

TEST_F(NoamOperator, HostsShowEachOthersGuests) {
  serve();
  Machine second(world, "second");
  HostOptions options = room("den");
  options.http = "0.0.0.0:9999";
  second.start_host(options);
  auto a = register_lemma("a");
  world.run_for(6s);
  const auto others = noam::host_status(second.system(), "noam");
  ASSERT_TRUE(others);
  EXPECT_EQ(others->peers, 1U) << "its own beacons do not count";
  Wire wire(bench.engine(), second.address(9999));
  wire.send("GET /guests?types=other HTTP/1.1\r\nhost: h\r\n\r\n");
  ASSERT_TRUE(until([&] { return wire.over(); }, 5s));
  const std::string guests = body(wire.received);
  const auto guest = json_member(json_member(guests, "guests-other").value_or(""), "a");
  ASSERT_TRUE(guest) << guests;
  EXPECT_EQ(json_member(*guest, "desired_room_name"), R"("lab")") << "whose it is";
  EXPECT_EQ(json_member(*guest, "otherguesttype"), R"("Grabbed")");
  stage.stop("noam");
  world.run_for(15s);
  EXPECT_EQ(noam::host_status(second.system(), "noam")->peers, 0U);
}

TEST_F(NoamOperator, Noam_H_15_a_peer_that_answers_nonsense_is_just_not_shown) {
  serve();
  Door door(bench.engine(), Address::any_ipv4(8081));
  udp.send(stage.address(1030), R"(["server_beacon","odd",8081,"x"])");
  ASSERT_TRUE(until([&] { return !door.wires.empty(); }, 2s));
  EXPECT_TRUE(until([&] { return !door.wires[0]->received.empty(); }, 1s));
  EXPECT_TRUE(door.wires[0]->received.starts_with("GET /guests?types=[owned] HTTP/1.1\r\n"));
  door.wires[0]->send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[[[[[");
  world.run_for(1s);
  const std::string guests = body(get("/guests?types=other"));
  EXPECT_EQ(json_member(guests, "guests-other"), "{}");
  // Two that have guests of one name harm neither each other nor anybody else.
  const auto tell = [&](const std::string& of, const std::string& owned) {
    const std::size_t before = door.wires.size();
    udp.send(stage.address(1030), R"(["server_beacon",")" + of + R"(",8081,"y"])");
    ASSERT_TRUE(until([&] { return door.wires.size() > before; }, 2s));
    for (std::size_t i = before; i < door.wires.size(); ++i) {
      door.wires[i]->send("HTTP/1.1 200 OK\r\n\r\n{\"guests-owned\":" + owned + "}");
      door.wires[i]->end();
    }
    world.run_for(500ms);
  };
  tell("even", R"({"x":{"name":"x"},"y":{},"z":17})");
  EXPECT_EQ(json_member(body(get("/guests?types=other")), "guests-other"),
            R"({"x":{"name":"x","otherguesttype":"Grabbed"},"y":{"otherguesttype":"Grabbed"}})");
}

}  // namespace
}  // namespace hawser::noam::testing
