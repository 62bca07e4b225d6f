// What is written, octet for octet, and what is refused because a version cannot carry it.
#include <hawser/stomp/encoder.hpp>

#include <hawser/stomp/parse_every_way.hpp>
#include <hawser/stomp/parser.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace hawser::stomp {
namespace {

using testing::every_version;
using testing::wire;

Bytes encoded(const Frame& frame, Version version, EncodeOptions options = {}) {
  Bytes out = "before";
  const auto done = encode(out, frame, version, options);
  EXPECT_TRUE(done) << done.error().text();
  EXPECT_TRUE(out.starts_with("before"));
  return out.substr(6);
}

/// Why a frame with this header is refused; empty if it is not.
Bytes refusal(Command command, Version version, BytesView name, BytesView value) {
  Bytes out = "before";
  const auto done = encode(out, Frame{command}.add("good", "g").add(name, value), version);
  if (done) return {};
  EXPECT_EQ(out, "before");
  EXPECT_EQ(done.error().kind, ErrorKind::invalid_argument);
  return done.error().detail;
}

TEST(StompEncoder, P_01_layout) {
  const Frame frame{Command::send, {{"destination", "/a"}, {"x", ""}}, Payload("hi")};
  for (Version version : every_version) {
    EXPECT_EQ(encoded(frame, version), wire("SEND\ndestination:/a\nx:\ncontent-length:2\n\nhi\0"));
  }
}

TEST(StompEncoder, P_11_to_P_15_escapes_by_version) {
  const Frame frame = Frame{Command::send}.add("a:b\\", "c:\\n");
  EXPECT_EQ(encoded(frame, Version::v1_1), wire("SEND\na\\cb\\\\:c\\c\\\\n\n\n\0"));
  EXPECT_EQ(encoded(frame, Version::v1_2), wire("SEND\na\\cb\\\\:c\\c\\\\n\n\n\0"));
  EXPECT_EQ(encoded(Frame{Command::send}.add("a", "x\ny"), Version::v1_1),
            wire("SEND\na:x\\ny\n\n\0"));
  EXPECT_EQ(encoded(Frame{Command::send}.add("a", "\rx\r\n"), Version::v1_2),
            wire("SEND\na:\\rx\\r\\n\n\n\0"));
  EXPECT_EQ(encoded(Frame{Command::send}.add("a", "c:\\n"), Version::v1_0),
            wire("SEND\na:c:\\n\n\n\0"));
}

TEST(StompEncoder, P_12_long_values_are_escaped_wherever_the_octet_lies) {
  for (std::size_t at = 0; at < 40; ++at) {
    Bytes value(40, 'x');
    value[at] = ':';
    Bytes expected(40, 'x');
    expected.replace(at, 1, "\\c");
    EXPECT_EQ(encoded(Frame{Command::send}.add("a", value), Version::v1_2),
              "SEND\na:" + expected + Bytes(wire("\n\n\0")));
  }
}

TEST(StompEncoder, P_13_line_feed_where_there_is_no_escape) {
  EXPECT_EQ(refusal(Command::send, Version::v1_0, "a", "x\ny"),
            "the octet \"\\n\" in header \"a\" cannot be sent in SEND of STOMP 1.0");
  EXPECT_EQ(refusal(Command::send, Version::v1_1, "a", "x\ny"), "");
}

TEST(StompEncoder, P_14_carriage_return_only_in_1_2) {
  EXPECT_NE(refusal(Command::send, Version::v1_0, "a", "x\ry"), "");
  EXPECT_NE(refusal(Command::send, Version::v1_1, "a", "x\ry"), "");
  EXPECT_NE(refusal(Command::send, Version::v1_1, "a\r", "x"), "");
  EXPECT_EQ(refusal(Command::send, Version::v1_2, "a", "x\ry"), "");
}

TEST(StompEncoder, P_16_connect_frames_are_written_raw) {
  for (Command command : {Command::connect, Command::stomp, Command::connected}) {
    for (Version version : every_version) {
      EXPECT_EQ(encoded(Frame{command}.add("passcode", "a:b\\c"), version),
                Bytes(to_string(command)) + Bytes(wire("\npasscode:a:b\\c\n\n\0")));
      for (const char* value : {"\n", "x\r", "a\nb"}) {
        EXPECT_NE(refusal(command, version, "passcode", value), "");
      }
      EXPECT_NE(refusal(command, version, "pass:code", "x"), "");
    }
  }
}

TEST(StompEncoder, P_05_names_that_cannot_be_sent) {
  for (Version version : every_version) {
    EXPECT_EQ(refusal(Command::send, version, "", "x"), "a header needs a name");
    EXPECT_NE(refusal(Command::send, version, Bytes("a\0b", 3), "x"), "");
    EXPECT_NE(refusal(Command::send, version, "a", Bytes("x\0", 2)), "");
  }
  EXPECT_NE(refusal(Command::send, Version::v1_0, "a:b", "x"), "");
  EXPECT_EQ(refusal(Command::send, Version::v1_1, "a:b", "x"), "");
}

TEST(StompEncoder, P_10_a_body_only_where_there_may_be_one) {
  Bytes out;
  const Frame frame{Command::subscribe, {}, Payload("x")};
  const auto done = encode(out, frame, Version::v1_2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text(), "encode: SUBSCRIBE must not have a body");
  EXPECT_EQ(encoded(frame, Version::v1_2, {.any_body = true}),
            wire("SUBSCRIBE\ncontent-length:1\n\nx\0"));
}

TEST(StompEncoder, P_23_content_length) {
  const Frame frame{Command::send, {{"content-length", "77"}, {"a", "b"}}, Payload("hello")};
  EXPECT_EQ(encoded(frame, Version::v1_1), wire("SEND\na:b\ncontent-length:5\n\nhello\0"))
      << "the real length, whatever was asked for";
  EXPECT_EQ(encoded(frame, Version::v1_1, {.content_length = false}), wire("SEND\na:b\n\nhello\0"));
  EXPECT_EQ(encoded(Frame{Command::send}, Version::v1_1), wire("SEND\n\n\0"));
}

TEST(StompEncoder, P_23_a_body_with_nul_needs_content_length) {
  const Frame frame{Command::send, {}, Payload(Bytes("a\0b", 3))};
  EXPECT_EQ(encoded(frame, Version::v1_1), wire("SEND\ncontent-length:3\n\na\0b\0"));
  Bytes out;
  EXPECT_FALSE(encode(out, frame, Version::v1_1, {.content_length = false}));
  EXPECT_EQ(out, "");
}

TEST(StompEncoder, S_23_unknown_cannot_be_encoded) {
  Bytes out = "x";
  EXPECT_FALSE(encode(out, Frame{}, Version::v1_2));
  EXPECT_EQ(out, "x");
}

TEST(StompEncoder, S_24_a_batch_in_one_write) {
  Bytes out;
  const std::vector<Frame> frames{{Command::begin, {{"transaction", "1"}}, {}},
                                  {Command::send, {}, Payload("x")}};
  ASSERT_TRUE(encode(out, frames, Version::v1_2));
  EXPECT_EQ(out, wire("BEGIN\ntransaction:1\n\n\0SEND\ncontent-length:1\n\nx\0"));
  const std::vector<Frame> half_bad{frames[0], Frame{}};
  EXPECT_FALSE(encode(out, half_bad, Version::v1_2));
  EXPECT_EQ(out, wire("BEGIN\ntransaction:1\n\n\0SEND\ncontent-length:1\n\nx\0"));
}

TEST(StompEncoder, S_24_no_frames_are_a_heartbeat) {
  Bytes out;
  ASSERT_TRUE(encode(out, std::vector<Frame>{}, Version::v1_2));
  EXPECT_EQ(out, "\n");
}

TEST(StompEncoder, head_and_shared_body_apart) {
  const Payload body("shared");
  const Frame frame{Command::message, {{"subscription", "1"}}, body};
  const auto head = encode_head(frame, Version::v1_2);
  ASSERT_TRUE(head);
  EXPECT_EQ(*head, "MESSAGE\nsubscription:1\ncontent-length:6\n\n");
  EXPECT_EQ(*head + Bytes(body.view()) + Bytes(frame_end), encoded(frame, Version::v1_2));
  EXPECT_FALSE(encode_head(Frame{}, Version::v1_2));
}

TEST(StompEncoder, a_writer_that_is_not_finished_leaves_nothing) {
  Bytes out = "kept";
  {
    HeadWriter head(out, Version::v1_2, Command::message);
    head.add("a", "b");
    EXPECT_NE(out, "kept");
  }
  EXPECT_EQ(out, "kept");
}

TEST(StompEncoder, the_first_trouble_of_a_writer_is_told) {
  Bytes out;
  HeadWriter head(out, Version::v1_0, Command::send);
  head.add("a", "b").add("first", "\n").add("", "").add("c", "d");
  const auto done = head.finish();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().detail.find("\"first\""), Bytes::npos);
}

}  // namespace
}  // namespace hawser::stomp
