// Noam over WebSocket frame by frame, in both roles: section 8 row by row.
#include <hawser/noam/testing/bare_websocket.hpp>
#include <hawser/noam/testing/host_fixture.hpp>
#include <hawser/noam/testing/lemma_fixture.hpp>

namespace hawser::noam::testing {
namespace {

TEST(Noam_Bare_WebSocket, KnowsTheStandardsOwnExample) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

// ---- the host
// ------------------------------------------------------------------------------------------

class NoamWebHost : public NoamHost {
 protected:
  std::unique_ptr<BareWebSocket> open(const std::string& path = "/websocket") {
    auto wire = std::make_unique<Wire>(bench.engine(), stage.address(addresses.websocket->port()));
    auto web = std::make_unique<BareWebSocket>(std::move(wire), BareWebSocket::Role::client);
    web->request(path);
    EXPECT_TRUE(until([&] { return !web->head().empty() || web->wire->over(); }, 5s));
    return web;
  }
  std::string web_registration(const std::string& name, const std::string& rest = "",
                               const std::string& hears = R"(["t"])", int port = 0) {
    return framed(R"(["register",")" + name + R"(",)" + std::to_string(port) + "," + hears +
                  R"(,[])" + rest + "]");
  }
  std::unique_ptr<BareWebSocket> register_web(const std::string& name,
                                              const std::string& rest = "") {
    auto web = open();
    web->send(web_registration(name, rest));
    world.run_for(100ms);
    return web;
  }
};

TEST_F(NoamWebHost, AnyPathIsTakenAndNoPortIsCalledBack) {
  start();
  for (const std::string path : {"/websocket", "/", "/some/where?else=1"}) {
    auto web = open(path);
    EXPECT_TRUE(web->head().starts_with("HTTP/1.1 101 ")) << web->head();
    // A lemma without a port of its own, and one that says nonsense there.
    web->send(web_registration("a" + path, "", "[]", path == "/" ? 70'000 : 0));
    world.run_for(100ms);
    EXPECT_FALSE(web->told_to_close());
    EXPECT_EQ(lemmas(), 1U) << path;
    web->wire->close();
    world.run_for(1s);
    EXPECT_EQ(lemmas(), 0U) << "its end is the end of the registration";
  }
}

TEST_F(NoamWebHost, AFrameLeavesAsTwoTextMessages) {
  start();
  auto web = register_web("web");
  auto tcp = register_lemma("tcp");
  web->send(framed(R"(["event","web","t",1])"));
  ASSERT_TRUE(until([&] { return web->messages().size() == 2 && tcp.heard().size() == 1; }, 1s));
  const std::string json = R"(["event","web","t",1])";
  EXPECT_EQ(web->messages()[0], (WebMessage{WebKind::text, "000021"}));
  EXPECT_EQ(web->messages()[1], (WebMessage{WebKind::text, json}));
  EXPECT_EQ(tcp.heard()[0], json) << "both kinds hear each other";
  play(tcp, R"(["event","tcp","t",2])");
  EXPECT_TRUE(until([&] { return web->frames().size() == 2; }, 1s));
}

/// Messages are a stream of bytes, of text as of binary ones.
TEST_F(NoamWebHost, Noam_H_10_messages_may_hold_parts_of_frames_or_many_and_be_binary) {
  start();
  auto web = register_web("web");
  auto binary = open();
  binary->send(web_registration("binary"), WebKind::binary);
  world.run_for(100ms);
  EXPECT_EQ(lemmas(), 2U);
  const std::string event = framed(R"(["event","web","t",1])");
  for (const char c : event) web->send(std::string_view(&c, 1));
  web->send(event + event + event.substr(0, 9));
  web->send(event.substr(9), WebKind::binary);
  web->send(event.substr(0, 3), WebKind::text, false);
  web->send(event.substr(3), WebKind::more);
  ASSERT_TRUE(until([&] { return binary->frames().size() == 5; }, 1s));
  EXPECT_EQ(web->frames().size(), 5U);
}

TEST_F(NoamWebHost, HeartbeatsAreKeptAndAnsweredAsOverTcp) {
  start();
  auto asks = register_web("asks", R"(,"d","1",{"heartbeat":1,"heartbeat_ack":true})");
  auto plain = register_web("plain", R"(,"d","1",{"heartbeat":1})");
  for (int i = 0; i < 10; ++i) {
    asks->send(framed(R"(["heartbeat","asks"])"));
    world.run_for(1s);
  }
  EXPECT_FALSE(asks->told_to_close());
  EXPECT_EQ(asks->frames().size(), 10U);
  EXPECT_EQ(asks->messages()[0].payload, "000024");
  EXPECT_EQ(asks->messages()[1].payload, R"(["heartbeat_ack","asks"])");
  EXPECT_TRUE(plain->told_to_close()) << "2 h of silence";
  EXPECT_TRUE(plain->frames().empty());
}

TEST_F(NoamWebHost, Noam_H_10_who_wants_another_room_is_sent_away_and_hears_nothing) {
  start();
  udp.send(stage.address(1030), encode(Marco{"web", "other", "", ""}));
  world.run_for(10ms);
  auto web = open();
  web->send(web_registration("web"));
  auto tcp = register_lemma("tcp");
  play(tcp, R"(["event","tcp","t",1])");
  world.run_for(1s);
  EXPECT_TRUE(web->told_to_close());
  EXPECT_TRUE(web->frames().empty());
  EXPECT_EQ(lemmas(), 1U);
}

TEST_F(NoamWebHost, Noam_H_09_off_is_off_here_too) {
  start();
  auto web = register_web("web");
  ASSERT_TRUE(set_host_on(stage.system(), "noam", false));
  EXPECT_TRUE(until([&] { return web->told_to_close(); }, 1s));
  auto late = open();
  late->send(web_registration("late"));
  EXPECT_TRUE(until([&] { return late->told_to_close(); }, 2s));
  EXPECT_EQ(lemmas(), 0U);
}

TEST_F(NoamWebHost, AnArduinoIsNotHeldBackHere) {
  start();
  auto web = register_web("web", R"(,"arduino","0.3")");
  for (int i = 0; i < 10; ++i) web->send(framed(R"(["event","web","t",1])"));
  EXPECT_TRUE(until([&] { return web->frames().size() == 10; }, 50ms));
}

TEST_F(NoamWebHost, WhoIsFreedIsToldByACloseFrame) {
  start();
  auto web = register_web("web");
  EXPECT_TRUE(free_guest(stage.system(), "noam", "web").value());
  ASSERT_TRUE(until([&] { return web->told_to_close(); }, 1s));
  ASSERT_FALSE(web->messages().empty());
  EXPECT_EQ(web->messages().back().kind, WebKind::close);
}

TEST_F(NoamWebHost, WhatIsNoMessageIsIgnoredWhatIsNoFrameEndsItsConnectionOnly) {
  start();
  auto web = register_web("web");
  auto other = register_web("other");
  for (const char* odd : {"null", "[]", "17", "oops", R"(["polo","x",1])", R"(["event","web"])"})
    web->send(framed(odd));
  web->send("000000");
  web->send(framed(R"(["event","web","t",1])"));
  ASSERT_TRUE(until([&] { return other->frames().size() == 1; }, 1s));
  EXPECT_FALSE(web->told_to_close());
  web->send("abcdef");
  EXPECT_TRUE(until([&] { return web->told_to_close(); }, 1s));
  other->send(framed(R"(["event","other","t",2])"));
  EXPECT_TRUE(until([&] { return other->frames().size() == 2; }, 1s));
}

TEST_F(NoamWebHost, APingIsAnswered) {
  start();
  auto web = register_web("web");
  web->send("are you there", WebKind::ping);
  ASSERT_TRUE(until([&] { return !web->messages().empty(); }, 1s));
  EXPECT_EQ(web->messages()[0], (WebMessage{WebKind::pong, "are you there"}));
}

TEST_F(NoamWebHost, Noam_H_04_of_two_of_a_name_the_newest_stays_over_both_transports) {
  start();
  auto tcp = register_lemma("same");
  auto web = register_web("same");
  EXPECT_TRUE(until([&] { return tcp.dropped(); }, 1s));
  world.run_for(3s);
  EXPECT_FALSE(web->told_to_close());
  tcp = register_lemma("same");
  EXPECT_TRUE(until([&] { return web->told_to_close(); }, 1s));
  EXPECT_FALSE(tcp.dropped());
  EXPECT_EQ(lemmas(), 1U);
}

TEST_F(NoamWebHost, WhoAsksForNoWebSocketIsAnswered) {
  start();
  Wire wire(bench.engine(), stage.address(addresses.websocket->port()));
  wire.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(until([&] { return wire.over(); }, 5s));
  EXPECT_TRUE(wire.received.starts_with("HTTP/1.1 4")) << wire.received;
}

// ---- the lemma
// -----------------------------------------------------------------------------------------

class NoamWebLemma : public NoamWire {
 protected:
  /// The lemma has asked for a WebSocket at the door, and has it.
  std::unique_ptr<BareWebSocket> accept() {
    const std::size_t before = taken_++;
    EXPECT_TRUE(until([&] { return web_door.wires.size() > before; }, 20s));
    auto web = std::make_unique<BareWebSocket>(std::move(web_door.wires[before]),
                                               BareWebSocket::Role::server);
    EXPECT_TRUE(until([&] { return !web->head().empty(); }, 5s));
    return web;
  }
  std::unique_ptr<BareWebSocket> connect_web() {
    auto web = accept();
    web->agree();
    EXPECT_TRUE(until([&] { return web->frames().size() >= 2; }, 5s));
    return web;
  }
  void start(LemmaOptions options = guest_of("lab", {"t"})) {
    options.transport = LemmaTransport::websocket;
    answer_marcos(options.room);
    floor.start_lemma("E1", options, diary);
  }
  Door web_door{bench.engine(), Address::any_ipv4(8089)};

 private:
  std::size_t taken_ = 0;
};

TEST_F(NoamWebLemma, AsksAtPort8089WhateverThePoloSaysAndRegistersInOneTextMessage) {
  start();
  auto web = connect_web();
  EXPECT_TRUE(web->head().starts_with("GET /websocket HTTP/1.1\r\n")) << web->head();
  EXPECT_TRUE(door.wires.empty()) << "the polo's port is for others";
  const auto messages = web->messages();
  EXPECT_EQ(messages[0],
            (WebMessage{WebKind::text, framed(R"(["register","E1",0,["t"],[],"hawser","0.1.0",)"
                                              R"({"heartbeat":2,"heartbeat_ack":true}])")}));
  EXPECT_EQ(web->frames()[1], R"(["heartbeat","E1"])");
  EXPECT_TRUE(diary.connected());
  floor.speak("E1", "t", "1");
  ASSERT_TRUE(until([&] { return web->frames().size() >= 3; }, 1s));
  EXPECT_EQ(web->frames()[2], R"(["event","E1","t",1])");
}

TEST_F(NoamWebLemma, HearsFramesInOneMessageInTwoInPiecesAndBinary) {
  start();
  auto web = connect_web();
  const auto event = [](int value) {
    return framed(R"(["event","h","t",)" + std::to_string(value) + "]");
  };
  web->send(event(1).substr(0, 6));
  web->send(event(1).substr(6));
  web->send(event(2));
  for (const char c : event(3)) web->send(std::string_view(&c, 1));
  web->send(event(4) + event(5), WebKind::binary);
  web->send(event(6).substr(0, 8), WebKind::text, false);
  web->send("still there?", WebKind::ping);
  web->send(event(6).substr(8), WebKind::more);
  ASSERT_TRUE(until([&] { return diary.heard.size() == 6; }, 1s));
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(diary.heard[static_cast<std::size_t>(i)], "h t " + std::to_string(i + 1));
  EXPECT_TRUE(diary.connected());
}

TEST_F(NoamWebLemma, ACloseIsALossAndSoIsAnEndAndSilence) {
  start();
  auto web = connect_web();
  web->send(std::string("\x03\xe8", 2), WebKind::close);
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 2s));
  web = connect_web();
  web->wire->close();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 2s));
  web = connect_web();
  const Instant from = world.now();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 12s));
  EXPECT_GE(world.now() - from, 9s) << "by the watchdog";
  web = connect_web();
  EXPECT_TRUE(until([&] { return diary.connected(); }, 1s));
}

TEST_F(NoamWebLemma, ARefusedHandshakeIsTriedAgain) {
  start();
  for (int i = 0; i < 3; ++i) {
    auto web = accept();
    web->wire->send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(until([&] { return diary.states.back() == "waiting"; }, 5s)) << i;
  }
  (void)connect_web();
  EXPECT_TRUE(until([&] { return diary.connected(); }, 1s));
  EXPECT_EQ(diary.starts, 1U);
}

TEST_F(NoamWebLemma, AFrameAgainstTheProtocolEndsTheLink) {
  start();
  auto web = connect_web();
  web->send("abcdef");
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 1s));
  (void)connect_web();
}

}  // namespace
}  // namespace hawser::noam::testing
