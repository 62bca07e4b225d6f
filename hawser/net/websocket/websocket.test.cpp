// The case list of the Autobahn test suite as tests of ours, by its numbers: each case whole, byte
// by byte and in random pieces, at a server and at a client.
#include <hawser/net/testing/websocket_ends.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace hawser {
namespace {

using namespace hawser::testing;

constexpr unsigned cont = 0;
constexpr unsigned text = 1;
constexpr unsigned binary = 2;
constexpr unsigned close_op = 8;
constexpr unsigned ping = 9;
constexpr unsigned pong = 10;

/// What a peer sends and what must come of it.
struct Case {
  std::string name;
  std::vector<WireFrame> frames;
  std::vector<std::string> delivered{};
  std::vector<WireFrame> answers{};  ///< without the close frame
  unsigned close = 0;                ///< the code of our close frame; 0: none is sent
  bool fails = false;                ///< rather than ended by the peer's close frame
  std::string raw{};                 ///< sent after the frames, as it is
};

struct Outcome {
  std::vector<std::string> delivered;
  std::vector<WireFrame> answers;
  unsigned close = 0;
  bool fails = false;
  bool ended = false;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  out << outcome.delivered.size() << " messages (";
  for (const auto& each : outcome.delivered) out << each.size() << " ";
  return out << "), " << outcome.answers.size() << " answers, close " << outcome.close
             << (outcome.fails ? ", fails" : "") << (outcome.ended ? ", ended" : "");
}

class WebSocketCases : public ::testing::Test {
 protected:
  Outcome run(const Case& of, bool server, const std::function<std::size_t()>& piece) {
    WebSocketServerOptions server_options;
    WebSocketClientOptions client_options;
    const auto end = server ? world.open_server(server_options) : world.open_client(client_options);
    EXPECT_TRUE(end->is_ready);
    std::string bytes;
    for (WireFrame frame : of.frames) {
      frame.masked = server;
      bytes += wire_of(frame);
    }
    bytes += of.raw;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min(piece(), bytes.size() - at);
      // Bytes of their own, so that a read beyond them is seen by the sanitizer.
      const std::vector<char> exact(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
      end->transport->received(BytesView(exact.data(), exact.size()));
      at += size;
    }
    Outcome outcome;
    outcome.delivered = end->deliveries;
    for (WireFrame& frame : frames_of(end->wire())) {
      EXPECT_EQ(frame.masked, !server) << of.name;
      EXPECT_EQ(outcome.close, 0U) << of.name << ": something follows the close frame";
      frame.masked = false;
      if (frame.opcode == close_op) {
        outcome.close = close_code_of(frame);
      } else {
        outcome.answers.push_back(frame);
      }
    }
    outcome.fails = end->failed.has_value();
    outcome.ended = end->ended;
    return outcome;
  }

  void check(const Case& of) {
    Outcome expected{.delivered = of.delivered,
                     .answers = of.answers,
                     .close = of.close,
                     .fails = of.fails,
                     .ended = of.close != 0 && !of.fails};
    for (const bool server : {true, false}) {
      const std::string where = of.name + (server ? " at a server" : " at a client");
      EXPECT_EQ(run(of, server, [] { return SIZE_MAX; }), expected) << where << ", whole";
      EXPECT_EQ(run(of, server, [] { return std::size_t{1}; }), expected)
          << where << ", byte by byte";
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(run(of, server, [this] { return 1 + random.below(20); }), expected)
            << where << ", in pieces";
        EXPECT_EQ(run(of, server, [this] { return 1 + random.below(3000); }), expected)
            << where << ", in large pieces";
      }
    }
  }

  WebSocketWorld world;
  Random random{7};
};

WireFrame of(unsigned opcode, std::string payload, bool fin = true, unsigned rsv = 0) {
  return {.opcode = opcode, .payload = std::move(payload), .fin = fin, .rsv = rsv, .masked = false};
}

WireFrame normal_close() { return of(close_op, close_payload(1000)); }

Case refused(std::string name, std::vector<WireFrame> frames, unsigned code = 1002,
             std::vector<std::string> delivered = {}, std::vector<WireFrame> answers = {}) {
  return {.name = std::move(name),
          .frames = std::move(frames),
          .delivered = std::move(delivered),
          .answers = std::move(answers),
          .close = code,
          .fails = true};
}

TEST_F(WebSocketCases, A1_messages_of_every_size_of_length_field) {
  for (const unsigned kind : {text, binary}) {
    for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 128U, 4096U, 65535U, 65536U}) {
      const std::string payload(size, kind == text ? '*' : '\xfe');
      check({.name = "1." + std::to_string(kind) + " " + std::to_string(size),
             .frames = {of(kind, payload), of(kind, "next"), normal_close()},
             .delivered = {payload, "next"},
             .close = 1000});
    }
  }
}

TEST_F(WebSocketCases, A2_pings_are_answered_and_pongs_ignored) {
  check({.name = "2.1", .frames = {of(ping, "")}, .answers = {of(pong, "")}});
  check({.name = "2.2", .frames = {of(ping, "Hello")}, .answers = {of(pong, "Hello")}});
  const std::string bytes("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
  check({.name = "2.3", .frames = {of(ping, bytes)}, .answers = {of(pong, bytes)}});
  const std::string longest(125, '\xfe');
  check({.name = "2.4", .frames = {of(ping, longest)}, .answers = {of(pong, longest)}});
  check(refused("2.5", {of(ping, std::string(126, '\xfe'))}));
  check({.name = "2.7", .frames = {of(pong, ""), normal_close()}, .close = 1000});
  check({.name = "2.8", .frames = {of(pong, "unsolicited"), normal_close()}, .close = 1000});
  check({.name = "2.9",
         .frames = {of(pong, "unsolicited"), of(ping, "p"), normal_close()},
         .answers = {of(pong, "p")},
         .close = 1000});
  Case ten{.name = "2.10", .frames = {}};
  for (int i = 0; i < 10; ++i) {
    ten.frames.push_back(of(ping, "payload-" + std::to_string(i)));
    ten.answers.push_back(of(pong, "payload-" + std::to_string(i)));
  }
  check(ten);
}

TEST_F(WebSocketCases, A3_reserved_bits_are_refused) {
  for (unsigned rsv = 1; rsv < 8; ++rsv) {
    const std::string name = "3 rsv " + std::to_string(rsv);
    check(refused(name, {of(text, "hello", true, rsv)}));
    check(refused(name, {of(text, "first"), of(binary, "", true, rsv)}, 1002, {"first"}));
    check(refused(name, {of(ping, "p", true, rsv)}));
    check(refused(name, {of(close_op, close_payload(1000), true, rsv)}));
  }
}

TEST_F(WebSocketCases, A4_reserved_opcodes_are_refused) {
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
    const std::string name = "4 opcode " + std::to_string(opcode);
    check(refused(name, {of(opcode, "")}));
    check(refused(name, {of(opcode, "payload")}));
    check(refused(name, {of(text, "first"), of(opcode, "x"), of(ping, "")}, 1002, {"first"}));
  }
}

TEST_F(WebSocketCases, A5_fragments_are_joined_and_control_frames_may_stand_between) {
  check(refused("5.1", {of(ping, "a", false), of(cont, "b")}));
  check(refused("5.2", {of(pong, "a", false), of(cont, "b")}));
  check({.name = "5.3",
         .frames = {of(text, "fragment1", false), of(cont, "fragment2")},
         .delivered = {"fragment1fragment2"}});
  check({.name = "5.6",
         .frames = {of(text, "fragment1", false), of(ping, "ping"), of(cont, "fragment2")},
         .delivered = {"fragment1fragment2"},
         .answers = {of(pong, "ping")}});
  check(refused("5.9", {of(cont, "non-continuation"), of(text, "Hello")}));
  check(refused("5.12", {of(cont, "non-continuation", false), of(text, "Hello")}));
  check(refused("5.15",
                {of(text, "fragment1", false), of(cont, "fragment2"), of(cont, "fragment3", false),
                 of(text, "fragment4")},
                1002, {"fragment1fragment2"}));
  check(refused("5.18", {of(text, "fragment1", false), of(text, "fragment2")}));
  check({.name = "5.19",
         .frames = {of(text, "f1", false), of(cont, "f2", false), of(ping, "1"),
                    of(cont, "f3", false), of(cont, "f4", false), of(ping, "2"), of(cont, "f5")},
         .delivered = {"f1f2f3f4f5"},
         .answers = {of(pong, "1"), of(pong, "2")}});
  check({.name = "empty fragments",
         .frames = {of(binary, "", false), of(cont, "", false), of(cont, ""), of(binary, "x")},
         .delivered = {"", "x"}});
  Case many{.name = "9.3", .frames = {of(binary, "", false)}, .delivered = {""}};
  for (int i = 0; i < 300; ++i) {
    many.frames.push_back(of(cont, "0123456789", false));
    many.delivered[0] += "0123456789";
  }
  many.frames.push_back(of(cont, ""));
  check(many);
}

TEST_F(WebSocketCases, A6_text_is_utf8) {
  const std::vector<std::string> good = {
      "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
      std::string(1, '\0'),
      "\x7f",
      "\xc2\x80",
      "\xdf\xbf",
      "\xe0\xa0\x80",
      "\xed\x9f\xbf",
      "\xee\x80\x80",
      "\xef\xbf\xbd",
      "\xef\xbf\xbf",
      "\xf0\x90\x80\x80",
      "\xf4\x8f\xbf\xbf"};
  const std::vector<std::string> bad = {
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
      "edited",
      "\x80",
      "\xbf",
      "\xc0\xaf",
      "\xc1\xbf",
      "\xe0\x9f\xbf",
      "\xed\xa0\x80",
      "\xed\xbf\xbf",
      "\xf0\x8f\xbf\xbf",
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",
      "\xf8\x88\x80\x80\x80",
      "\xfe",
      "\xff",
      "abc\xc2z",
      "\xe2\x82z"};
  check({.name = "6.1.1", .frames = {of(text, "")}, .delivered = {""}});
  check({.name = "6.1.2",
         .frames = {of(text, "", false), of(cont, "", false), of(cont, "")},
         .delivered = {""}});
  check({.name = "6.1.3",
         .frames = {of(text, "", false), of(cont, "middle", false), of(cont, "")},
         .delivered = {"middle"}});
  for (const auto& one : good) {
    check({.name = "6 good", .frames = {of(text, one)}, .delivered = {one}});
    Case split{
        .name = "6.2 good, a byte a frame", .frames = {of(text, "", false)}, .delivered = {one}};
    for (const char c : one) split.frames.push_back(of(cont, std::string(1, c), false));
    split.frames.push_back(of(cont, ""));
    check(split);
  }
  for (const auto& one : bad) {
    check(refused("6 bad", {of(text, one), of(ping, "")}, 1007));
    check(refused("6 bad", {of(text, "first"), of(text, "x" + one + "y")}, 1007, {"first"}));
    check({.name = "binary may be anything", .frames = {of(binary, one)}, .delivered = {one}});
  }
  for (const std::string& open :
       std::vector<std::string>{"\xc2", "\xe1\xbd", "\xf0\x90\x80", "abc\xf0"}) {
    check(refused("6 ends within a character", {of(text, open)}, 1007));
    check(refused("6 the same in fragments", {of(text, open, false), of(cont, "")}, 1007));
  }
}

TEST_F(WebSocketCases, A6_4_text_fails_at_the_first_byte_that_cannot_be_right) {
  const std::string begin = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  for (const bool server : {true, false}) {
    const auto opened = [&] { return server ? world.open_server() : world.open_client(); };
    // 6.4.1: in a fragment, before the message ends.
    auto end = opened();
    end->transport->received(wire_of({text, begin, false, 0, server}));
    EXPECT_FALSE(end->failed);
    end->transport->received(wire_of({cont, "\xf4\x90\x80\x80", false, 0, server}));
    EXPECT_TRUE(end->failed);
    // 6.4.3: within a frame that has not come whole.
    end = opened();
    const std::string frame = wire_of({text, begin + "\xf4\x90" + "more", true, 0, server});
    const std::size_t head = 2 + (server ? 4U : 0U);
    end->transport->received(frame.substr(0, head + begin.size() + 1));
    EXPECT_FALSE(end->failed);
    end->transport->received(frame.substr(head + begin.size() + 1, 1));
    EXPECT_TRUE(end->failed);
    EXPECT_EQ(close_code_of(frames_of(end->wire()).at(0)), 1007U);
  }
}

TEST_F(WebSocketCases, A7_closing) {
  check({.name = "7.1.1",
         .frames = {of(text, "Hello"), normal_close()},
         .delivered = {"Hello"},
         .close = 1000});
  check({.name = "7.1.2", .frames = {normal_close(), normal_close()}, .close = 1000});
  check({.name = "7.1.3", .frames = {normal_close(), of(ping, "late")}, .close = 1000});
  check({.name = "7.1.4", .frames = {normal_close(), of(text, "late")}, .close = 1000});
  check({.name = "7.1.5",
         .frames = {of(text, "f1", false), normal_close(), of(cont, "f2")},
         .close = 1000});
  const std::string large(262'144, '*');
  check({.name = "7.1.6",
         .frames = {of(text, large), normal_close(), of(ping, "late")},
         .delivered = {large},
         .close = 1000});
  check({.name = "7.3.1", .frames = {of(close_op, "")}, .close = 1005});
  check(refused("7.3.2", {of(close_op, "a")}));
  check({.name = "7.3.4", .frames = {of(close_op, close_payload(1000, "Hello"))}, .close = 1000});
  check({.name = "7.3.5",
         .frames = {of(close_op, close_payload(1000, std::string(123, '*')))},
         .close = 1000});
  check(refused("7.3.6", {of(close_op, close_payload(1000, std::string(124, '*')))}));
  check(refused("7.5.1", {of(close_op, close_payload(1000, "\xce\xba\xed\xa0\x80"))}, 1007));
  for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U,
                              1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
    check({.name = "7.7 " + std::to_string(code),
           .frames = {of(close_op, close_payload(code))},
           .close = code});
  }
  for (const unsigned code :
       {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U}) {
    check(refused("7.9 " + std::to_string(code), {of(close_op, close_payload(code))}));
  }
}

TEST_F(WebSocketCases, A9_large_messages_arrive_however_they_are_cut) {
  const auto bulk = [&](Case of, bool server, std::size_t piece) {
    of.frames.push_back(normal_close());
    Outcome expected{.delivered = of.delivered, .answers = {}, .close = 1000, .ended = true};
    EXPECT_EQ(run(of, server, [piece] { return piece; }), expected) << of.name << " " << piece;
  };
  // 9.1, 9.2: up to 16 MiB, which is the default limit.
  for (const unsigned kind : {text, binary}) {
    const std::string payload(std::size_t{16} << 20U, kind == text ? '*' : '\xfe');
    bulk({.name = "9.1/2", .frames = {of(kind, payload)}, .delivered = {payload}}, kind == binary,
         SIZE_MAX);
  }
  for (const bool server : {true, false}) {
    // 9.3, 9.4: in fragments, small and large.
    for (const std::size_t fragment : {std::size_t{64}, std::size_t{4096}, std::size_t{1} << 18U}) {
      const std::string payload(fragment == 64 ? 65'536 : 1'048'576, '*');
      Case split{.name = "9.3/4", .frames = {}, .delivered = {payload}};
      for (std::size_t at = 0; at < payload.size(); at += fragment)
        split.frames.push_back(of(at == 0 ? text : cont, payload.substr(at, fragment),
                                  at + fragment >= payload.size()));
      bulk(std::move(split), server, 65'536);
    }
    // 9.5, 9.6: in pieces of the network.
    const std::string payload(std::size_t{1} << 18U, '*');
    for (const std::size_t piece : {64U, 256U, 2048U})
      bulk({.name = "9.5/6", .frames = {of(text, payload)}, .delivered = {payload}}, server, piece);
    // 9.7, 9.8: a thousand messages, of each size.
    for (const std::size_t size : {0U, 16U, 64U, 256U, 1024U}) {
      Case many{.name = "9.7/8", .frames = {}};
      many.frames.assign(1000, of(binary, std::string(size, 'x')));
      many.delivered.assign(1000, std::string(size, 'x'));
      bulk(std::move(many), server, 1500);
    }
  }
}

TEST_F(WebSocketCases, A10_what_the_peer_fragments_by_itself_is_one_message) {
  const std::string payload(65536, '*');
  Case split{.name = "10.1.1", .frames = {}, .delivered = {payload}};
  for (std::size_t at = 0; at < payload.size(); at += 1300)
    split.frames.push_back(
        of(at == 0 ? text : cont, payload.substr(at, 1300), at + 1300 >= payload.size()));
  check(split);
}

TEST_F(WebSocketCases, masking_is_what_each_side_must_do) {
  const auto server = world.open_server();
  server->transport->received(wire_of({text, "hello", true, 0, false}));
  ASSERT_TRUE(server->failed);
  EXPECT_NE(server->failed->text().find("not masked"), std::string::npos);
  EXPECT_EQ(close_code_of(frames_of(server->wire()).at(0)), 1002U);
  const auto client = world.open_client();
  client->transport->received(wire_of({text, "hello", true, 0, true}));
  ASSERT_TRUE(client->failed);
  EXPECT_NE(client->failed->text().find("masked"), std::string::npos);

  const auto sender = world.open_client();
  sender->send("hello hello");
  sender->send("hello hello");
  const std::string wire = sender->wire();
  EXPECT_NE(wire.substr(2, 4), wire.substr(wire.size() / 2 + 2, 4)) << "a new key for each frame";
  for (const auto& frame : frames_of(wire)) {
    EXPECT_TRUE(frame.masked);
    EXPECT_EQ(frame.payload, "hello hello");
  }
}

TEST_F(WebSocketCases, lengths_must_be_in_their_shortest_form) {
  for (const std::string& raw :
       std::vector<std::string>{std::string("\x82\x7e\x00\x7d", 4),
                                std::string("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10),
                                std::string("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10)}) {
    const auto end = world.open_client();
    end->transport->received(raw);
    ASSERT_TRUE(end->failed);
    EXPECT_EQ(close_code_of(frames_of(end->wire()).at(0)), 1002U);
  }
}

TEST_F(WebSocketCases, limits_are_named_and_told_to_the_peer) {
  WebSocketServerOptions options;
  options.message_limit = 100;
  options.fragments_limit = 3;
  const auto fed = [&](const std::vector<WireFrame>& frames) {
    auto end = world.open_server(options);
    for (WireFrame frame : frames) {
      frame.masked = true;
      end->transport->received(wire_of(frame));
    }
    return end;
  };
  EXPECT_FALSE(fed({of(binary, std::string(100, 'x'))})->failed);
  EXPECT_FALSE(fed({of(binary, "x", false), of(cont, "x", false), of(cont, "x")})->failed);
  for (const auto& [frames, code, name] :
       std::vector<std::tuple<std::vector<WireFrame>, unsigned, std::string>>{
           {{of(binary, std::string(101, 'x'))}, 1009, "frame_limit"},
           {{of(binary, std::string(60, 'x'), false), of(cont, std::string(41, 'x'))},
            1009,
            "message_limit"},
           {{of(binary, "", false), of(cont, "", false), of(cont, "", false), of(cont, "")},
            1008,
            "fragments_limit"}}) {
    const auto end = fed(frames);
    ASSERT_TRUE(end->failed) << name;
    EXPECT_EQ(end->failed->kind(), Reason::Kind::overloaded);
    EXPECT_NE(end->failed->text().find(name), std::string::npos) << end->failed->text();
    EXPECT_EQ(close_code_of(frames_of(end->wire()).at(0)), code);
  }
  // A frame that is too long fails by its head alone, however long it claims to be.
  const auto end = world.open_server(options);
  end->transport->received(std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10) + "abcd");
  EXPECT_TRUE(end->failed);
}

}  // namespace
}  // namespace hawser
