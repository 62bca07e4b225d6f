// The codec: every literal of the specification, every wrong field, every split.
#include <hawser/engine/send_queue.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/noam/relayed_event.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace hawser::noam {
namespace {

template <class M>
M get(BytesView json) {
  const auto message = decode(json);
  EXPECT_TRUE(message) << json << ": " << (message ? "" : message.error().text());
  if (!message || std::get_if<M>(&*message) == nullptr) {
    ADD_FAILURE() << json << " is another message";
    return M{};
  }
  return std::get<M>(*message);
}

TEST(Noam_Message, LiteralsOfTheSpecification) {
  const auto marco = get<Marco>(R"(["marco","guest1","myRoom","cpp","1.0"])");
  EXPECT_EQ(marco.name, "guest1");
  EXPECT_EQ(marco.room, "myRoom");
  EXPECT_EQ(marco.dialect, "cpp");
  EXPECT_EQ(get<Polo>(R"(["polo","myRoom",7733])").port, 7733);
  const auto beacon =
      get<ServerBeacon>(R"(["server_beacon","lab",8081,"2026-11-21 00:11:04 UTC"])");
  EXPECT_EQ(beacon.http_port, 8081);
  EXPECT_EQ(beacon.last_modified, "2026-11-21 00:11:04 UTC");
  const auto full = get<Registration>(
      R"(["register","guest1",49152,["speed","stop"],["rpm"],"cpp","1.0",{"heartbeat":2,"heartbeat_ack":true}])");
  EXPECT_EQ(full.callback_port, 49152);
  EXPECT_EQ(full.hears, (std::vector<std::string>{"speed", "stop"}));
  EXPECT_EQ(full.plays, (std::vector<std::string>{"rpm"}));
  EXPECT_EQ(full.heartbeat, 2s);
  EXPECT_TRUE(full.heartbeat_ack);
  const auto web = get<Registration>(R"(["register","web1",0,["noamMessage"],[],"web","1.0"])");
  EXPECT_EQ(web.heartbeat, 0s);
  EXPECT_FALSE(web.heartbeat_ack);
  const auto event = get<EventView>(R"(["event","guest1","speed",65.32])");
  EXPECT_EQ(event.topic, "\"speed\"");
  EXPECT_EQ(event.value, "65.32");
  EXPECT_EQ(get<Heartbeat>(R"(["heartbeat","guest1"])").name, "guest1");
  EXPECT_EQ(get<HeartbeatAck>(R"(["heartbeat_ack","guest1"])").name, "guest1");
}

TEST(Noam_Message, WhatOldAndForeignLemmasSend) {
  EXPECT_EQ(get<Marco>(R"(["marco", "CPP Test", "", "cpp", "1.1"])").room, "");
  EXPECT_EQ(get<Marco>(R"(["marco","i","r","iOS",0.1])").version, "0.1");
  EXPECT_EQ(get<Registration>(R"(["register","c",1,["a"],[]])").dialect, "");
  EXPECT_EQ(get<Registration>(R"(["register","c",1,null,null,null,null,null])").hears.size(), 0U);
  EXPECT_EQ(get<ServerBeacon>(R"(["server_beacon","old",8081])").last_modified, "");
  EXPECT_EQ(get<EventView>(R"(["event","a","t"])").value, "null");
  EXPECT_EQ(get<EventView>(R"(["event","a","t",1,"surplus"])").value, "1");
  EXPECT_EQ(get<Registration>(R"(["register","c",1,["a","a"],[]])").hears.size(), 1U)
      << "nobody hears a topic twice";
}

TEST(Noam_Message, WrongFieldsAreErrorsAndNothingWorse) {
  for (const char* bad : {R"(["marco",1,"r"])",
                          R"(["marco","n",{}])",
                          R"(["polo","r"])",
                          R"(["polo","r",0])",
                          R"(["polo","r",65536])",
                          R"(["polo","r",1.5])",
                          R"(["polo","r","7733"])",
                          R"(["polo",null,7733])",
                          R"(["server_beacon","r",-1])",
                          R"(["register",null,1,[],[]])",
                          R"(["register","n","1",[],[]])",
                          R"(["register","n",1,"t",[]])",
                          R"(["register","n",1,[1],[]])",
                          R"(["register","n",1,[],{}])",
                          R"(["event","s",1,2])",
                          R"(["event",null,"t",2])",
                          R"(["heartbeat"])",
                          R"(["heartbeat",7])",
                          "[",
                          "",
                          "nul",
                          "[\"event\",\"a\",\"t\",01]",
                          "[\"event\",\"a\",\"\xc3\",1]",
                          "[1]]",
                          "[1] x",
                          "{\"a\"}",
                          "[\"\\x\"]",
                          "[\"\\u12g4\"]",
                          "[1.]",
                          "[-]",
                          "[1e]",
                          "[,]",
                          "[1,]",
                          "\xef\xbb\xbf[]"}) {
    EXPECT_FALSE(decode(bad)) << bad;
  }
  for (const char* ignored : {"null", "true", "{}", "[]", "17", "\"text\"", R"([["event"]])",
                              R"(["unknown",1])", R"([null])"}) {
    const auto message = decode(ignored);
    ASSERT_TRUE(message) << ignored;
    EXPECT_TRUE(std::holds_alternative<std::monostate>(*message)) << ignored;
  }
}

/// H3: options of any kind, heart-beats of any kind.
TEST(Noam_Message, Noam_H_03_odd_options_of_a_registration_mean_no_heartbeat) {
  for (const char* options :
       {"[]", "7", "\"x\"", "null", "false", R"({"heartbeat":"2"})", R"({"heartbeat":true})",
        R"({"heartbeat":-1})", R"({"heartbeat":0})", R"({"heartbeat":[2]})"}) {
    const auto message =
        get<Registration>(std::string(R"(["register","n",1,[],[],"d","v",)") + options + "]");
    EXPECT_EQ(message.heartbeat, 0s) << options;
  }
  const auto text = get<Registration>(
      R"(["register","n",1,[],[],"d","v",{"heartbeat":0.25,"heartbeat_ack":"true"}])");
  EXPECT_EQ(text.heartbeat, 250ms);
  EXPECT_FALSE(text.heartbeat_ack) << "only the literal true counts";
  EXPECT_GT(get<Registration>(R"(["register","n",1,[],[],"d","v",{"heartbeat":1e300}])").heartbeat,
            0s);
}

TEST(Noam_Message, LimitsAreNamed) {
  MessageLimits small;
  small.name = 4;
  small.topics = 1;
  small.topic = 3;
  for (const char* over : {R"(["marco","12345",""])", R"(["register","n",1,["a","b"],[]])",
                           R"(["register","n",1,["long"],[]])", R"(["event","a","long",1])"}) {
    const auto message = decode(over, small);
    ASSERT_FALSE(message) << over;
    EXPECT_EQ(message.error().kind, ErrorKind::overloaded) << message.error().text();
  }
  // What counts is what a text means, not how it is escaped.
  EXPECT_TRUE(decode(R"(["event","\u0061\u0062\u0063\u0064","\u00e9",1])", small));
  EXPECT_FALSE(decode(R"(["event","a","\u00e9\u00e9",1])", small));
  // An event that we write can be read: its value stands in an array.
  const auto nested = [](std::size_t deep) {
    return std::string(deep, '[') + std::string(deep, ']');
  };
  EXPECT_TRUE(decode(encode_event("a", "t", nested(63)).value()));
  EXPECT_FALSE(encode_event("a", "t", nested(64)));
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_FALSE(check_json(deep));
  EXPECT_TRUE(check_json(deep.substr(1, 128)));
}

TEST(Noam_Message, WhatWeWriteIsCompactAsciiAndReadsBack) {
  EXPECT_EQ(encode(Marco{"guest1", "myRoom", "cpp", "1.0"}),
            R"(["marco","guest1","myRoom","cpp","1.0"])");
  EXPECT_EQ(encode(Polo{"myRoom", 7733}), R"(["polo","myRoom",7733])");
  EXPECT_EQ(encode(Heartbeat{"guest1"}), R"(["heartbeat","guest1"])");
  Registration registration{"guest1", 49152, {"speed", "stop"}, {"rpm"}, "cpp", "1.0", 2s, true};
  EXPECT_EQ(
      frame(encode(registration)).value(),
      R"(000101["register","guest1",49152,["speed","stop"],["rpm"],"cpp","1.0",{"heartbeat":2,"heartbeat_ack":true}])");
  EXPECT_EQ(frame(encode(HeartbeatAck{"guest1"})).value(), R"(000026["heartbeat_ack","guest1"])");
  const std::string hard = "q\"\\\n\x01\x7f é € 😀";
  const std::string written = encode(Marco{hard, "", "", ""});
  for (const char c : written) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(get<Marco>(written).name, hard);
  EXPECT_EQ(json_string("\xff"), "\"\\ufffd\"");
}

TEST(Noam_Message, Noam_H_01_text_beyond_ascii_passes_unchanged_and_in_linear_time) {
  std::string value = "\"";
  for (int i = 0; i < 200'000; ++i) value += "é";
  value += '"';
  const std::string json = "[\"event\",\"a\",\"t\"," + value + "]";
  const auto event = decode_event(json);
  ASSERT_TRUE(event);
  const auto relayed = RelayedEvent::make(*event, false);
  ASSERT_NE(relayed, nullptr);
  EXPECT_EQ(relayed->value(), value);
  EXPECT_EQ(relayed->framed().size(), 6 + relayed->message().size());
  EXPECT_EQ(relayed->digits(), frame_head(relayed->message().size()));
  // Escaped it is three times as long, and no frame takes it.
  EXPECT_EQ(RelayedEvent::make(*event, true), nullptr);
}

TEST(Noam_Message, Noam_H_12_what_is_over_999999_bytes_is_refused) {
  const std::size_t around = std::string(R"(["event","a","t",""])").size();
  const auto of = [&](std::size_t size) {
    return encode_event("a", "t", '"' + std::string(size - around, 'x') + '"');
  };
  EXPECT_EQ(of(longest_frame).value().size(), longest_frame);
  EXPECT_EQ(frame(of(longest_frame).value()).value().substr(0, 6), "999999");
  const auto over = of(longest_frame + 1);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, ErrorKind::overloaded);
  EXPECT_FALSE(frame(std::string(longest_frame + 1, 'x')));
}

/// J1, R1: bytes, not characters.
TEST(Noam_Message, LengthsAreBytes) {
  EXPECT_EQ(frame("\"é\"").value(), "000004\"é\"");
  EXPECT_EQ(encode_event("a", "t", "\"é\"").value(), R"(["event","a","t","\u00e9"])");
  EXPECT_EQ(encode_event("a", "t", "\"é\"", false).value(), "[\"event\",\"a\",\"t\",\"é\"]");
}

/// Packets cut out of `bytes`, given in pieces of `step`; "!" at an error.
std::vector<std::string> cut_all(const Framing& framing, std::string_view bytes, std::size_t step) {
  std::vector<std::string> packets;
  std::string held;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    held += bytes.substr(at, step);
    for (;;) {
      const Cut cut = framing.cut(held);
      if (cut.kind == Cut::Kind::error) {
        packets.emplace_back("!");
        return packets;
      }
      if (cut.kind == Cut::Kind::need_more) break;
      packets.push_back(held.substr(cut.offset, cut.size));
      held.erase(0, cut.consumed);
      if (held.empty()) break;
    }
  }
  return packets;
}

TEST(Noam_Framing, AnySplitGivesTheSameFrames) {
  const std::string bytes = "000002[]000000000005[1,2]000004\"\xc3\xa9\"";
  const std::vector<std::string> expected = {"[]", "", "[1,2]", "\"\xc3\xa9\""};
  for (std::size_t step = 1; step <= bytes.size(); ++step)
    EXPECT_EQ(cut_all(incoming_frames(), bytes, step), expected) << step;
}

TEST(Noam_Framing, Noam_H_06_a_garbage_prefix_is_an_error_at_its_first_byte) {
  for (const char* bad :
       {"a", "abcdef", "-00003", "+00003", " 00003", "0x0003", "00000a", "00 003"})
    EXPECT_EQ(cut_all(incoming_frames(), bad, 1), std::vector<std::string>{"!"}) << bad;
  EXPECT_EQ(cut_all(incoming_frames(10), "000011", 6), std::vector<std::string>{"!"});
  const Framing lenient = incoming_frames(longest_frame, true);
  EXPECT_EQ(cut_all(lenient, "     2[]", 1), std::vector<std::string>{"[]"});
  for (const char* bad : {"      ", "  a", "2 0000", "-    1"})
    EXPECT_EQ(cut_all(lenient, bad, 1), std::vector<std::string>{"!"}) << bad;
}

TEST(Noam_Json, Values) {
  std::string scratch;
  EXPECT_EQ(json_to_string(R"("a\"\\\/\b\f\n\r\tAé\ud83d\ude00\ud800")"),
            "a\"\\/\b\f\n\r\tA\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd");
  EXPECT_EQ(json_to_number("-12.5e2"), -1250.0);
  EXPECT_TRUE(std::isinf(*json_to_number("1e999")));
  EXPECT_EQ(json_to_number("1e-999"), 0.0);
  EXPECT_EQ(json_to_number("\"1\""), std::nullopt);
  EXPECT_EQ(json_to_bool("true"), true);
  EXPECT_EQ(json_member(R"({"a":1,"b":{"a":2},"a":3})", "a"), "3");
  EXPECT_EQ(json_member("[]", "a"), std::nullopt);
  EXPECT_EQ(json_number(2), "2");
  EXPECT_EQ(json_number(0.25), "0.25");
}

TEST(Noam_Room_Name, FitsTheSmallestLemma) {
  EXPECT_TRUE(fits_polo(std::string(110, 'x')));
  EXPECT_FALSE(fits_polo(std::string(120, 'x')));
  EXPECT_EQ(encode(Polo{std::string(110, 'x'), 65'535}).size(), 127U);
}

}  // namespace
}  // namespace hawser::noam
