// The wire grammar row by row (stomp.md 1.1 to 1.5): what a parser must take, each stream whole,
// cut at every place and octet by octet. What it must refuse is in parser_malformed.test.cpp.
#include <hawser/stomp/parser.hpp>

#include <hawser/stomp/parse_every_way.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp {
namespace {

using testing::every_version;
using testing::in;
using testing::Outcome;
using testing::parse_every_way;
using testing::Rules;
using testing::wire;

/// The only frame of a stream that must be good.
Frame parse_one(BytesView octets, const Rules& rules = {}) {
  const Outcome outcome = parse_every_way(octets, rules);
  EXPECT_FALSE(outcome.error) << outcome.error->text;
  EXPECT_TRUE(outcome.idle);
  EXPECT_EQ(outcome.frames.size(), 1U);
  return outcome.frames.empty() ? Frame{} : outcome.frames.front();
}

TEST(StompParser, P_01_layout_of_a_frame) {
  const Frame frame = parse_one(wire("SEND\ndestination:/queue/a\nreceipt:7\n\nhello\0"));
  EXPECT_EQ(frame.command, Command::send);
  ASSERT_EQ(frame.headers.size(), 2U);
  EXPECT_EQ(frame.headers[0], (Header{"destination", "/queue/a"}));
  EXPECT_EQ(frame.headers[1], (Header{"receipt", "7"}));
  EXPECT_EQ(frame.body.view(), "hello");
}

TEST(StompParser, P_01_no_headers_and_no_body) {
  const Frame frame = parse_one(wire("DISCONNECT\n\n\0"));
  EXPECT_EQ(frame.command, Command::disconnect);
  EXPECT_TRUE(frame.headers.empty());
  EXPECT_TRUE(frame.body.empty());
}

TEST(StompParser, P_01_several_frames_in_one_input) {
  const Outcome outcome = parse_every_way(
      wire("BEGIN\ntransaction:1\n\n\0SEND\na:b\n\nx\0\n\nCOMMIT\ntransaction:1\n\n\0ACK\nid"));
  ASSERT_EQ(outcome.frames.size(), 3U);
  EXPECT_EQ(outcome.frames[1].body.view(), "x");
  EXPECT_EQ(outcome.frames[2].first("transaction"), "1");
  EXPECT_FALSE(outcome.idle);
}

TEST(StompParser, P_02_crlf_before_a_version_is_agreed) {
  const Frame frame = parse_one(wire("CONNECT\r\naccept-version:1.2\r\nhost:h\r\n\r\n\0"));
  EXPECT_EQ(frame.first("accept-version"), "1.2");
  EXPECT_EQ(frame.first("host"), "h");
}

TEST(StompParser, P_02_crlf_in_every_version_when_lenient) {
  for (Version version : every_version) {
    const Frame frame = parse_one(wire("SEND\r\na:b\r\n\r\nx\0"), in(version));
    EXPECT_EQ(frame.first("a"), "b");
    EXPECT_EQ(frame.body.view(), "x");
  }
}

TEST(StompParser, P_03_line_ends_before_the_first_and_after_every_frame) {
  const Outcome outcome =
      parse_every_way(wire("\n\r\n\nCONNECT\n\n\0\n\n\r\n\r\nDISCONNECT\n\n\0\r\n"));
  EXPECT_EQ(outcome.frames.size(), 2U);
  EXPECT_TRUE(outcome.idle);
  EXPECT_FALSE(outcome.error);
}

TEST(StompParser, P_04_all_fifteen_commands) {
  for (int number = 1; number <= 15; ++number) {
    const auto command = static_cast<Command>(number);
    Bytes octets(to_string(command));
    octets += "\n\n";
    octets += '\0';
    EXPECT_EQ(parse_one(octets).command, command);
  }
}

TEST(StompParser, P_04_unknown_commands_may_be_passed) {
  const ParserOptions options{.pass_unknown_commands = true};
  Parser parser(options);
  FrameView frame;
  BytesView input = wire("send\na:b\n\nx\0");
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(frame.command(), Command::unknown);
  EXPECT_EQ(frame.command_name(), "send");
  EXPECT_EQ(frame.body(), "x");
}

TEST(StompParser, P_05_names_may_hold_any_other_octet) {
  const Frame frame = parse_one(wire("SEND\n \x01\xff-name :v\n\n\0"), in(Version::v1_2));
  EXPECT_EQ(frame.headers.at(0).name, " \x01\xff-name ");
}

TEST(StompParser, P_06_raw_colon_in_a_value_is_data) {
  for (Version version : every_version) {
    EXPECT_EQ(parse_one(wire("SEND\na:b:c::\n\n\0"), in(version)).first("a"), "b:c::");
  }
}

TEST(StompParser, P_07_empty_value) {
  for (Version version : every_version) {
    EXPECT_EQ(parse_one(wire("SEND\na:\nb:\n\n\0"), in(version)).first("a"), "");
  }
}

TEST(StompParser, P_09_names_and_values_are_octets) {
  const Frame frame = parse_one(wire("SEND\n\xc3\xa4:\xff\xfe\n\n\0"), in(Version::v1_2));
  EXPECT_EQ(frame.headers.at(0), (Header{"\xc3\xa4", "\xff\xfe"}));
}

TEST(StompParser, P_09_strict_utf8_takes_utf8) {
  const Rules rules = in(Version::v1_2, {.strict_utf8 = true});
  EXPECT_EQ(parse_one(wire("SEND\n\xc3\xa4:\xe2\x82\xac\xf0\x9f\x9a\x82\n\n\0"), rules)
                .headers.at(0)
                .value,
            "\xe2\x82\xac\xf0\x9f\x9a\x82");
}

TEST(StompParser, P_10_a_body_on_another_frame_is_read) {
  const Frame frame = parse_one(wire("SUBSCRIBE\nid:1\ncontent-length:3\n\na\0b\0"));
  EXPECT_EQ(frame.body.view(), BytesView("a\0b", 3));
}

TEST(StompParser, P_10_strict_bodies_takes_what_has_none) {
  const Rules rules = in(Version::v1_2, {.strict_bodies = true});
  const Outcome outcome = parse_every_way(
      wire("SUBSCRIBE\nid:1\n\n\0RECEIPT\nreceipt-id:1\ncontent-length:0\n\n\0SEND\n\nx\0"), rules);
  EXPECT_EQ(outcome.frames.size(), 3U);
}

TEST(StompParser, P_11_to_P_14_escapes_of_1_2) {
  const Frame frame =
      parse_one(wire("SEND\na\\cb\\\\:\\\\n\\n\\r\\c\\\\\nplain:x\n\n\\c\0"), in(Version::v1_2));
  EXPECT_EQ(frame.headers.at(0), (Header{"a:b\\", "\\n\n\r:\\"}));
  EXPECT_EQ(frame.headers.at(1), (Header{"plain", "x"}));
  EXPECT_EQ(frame.body.view(), "\\c");
}

TEST(StompParser, P_11_to_P_13_escapes_of_1_1) {
  const Frame frame =
      parse_one(wire("MESSAGE\nmessage-id:ID\\chost\\\\x\\n\n\n\0"), in(Version::v1_1));
  EXPECT_EQ(frame.first("message-id"), "ID:host\\x\n");
}

TEST(StompParser, P_15_no_escapes_in_1_0) {
  const Frame frame = parse_one(wire("SEND\na\\c:\\c\\n\\t\\\n\n\0"), in(Version::v1_0));
  EXPECT_EQ(frame.headers.at(0), (Header{"a\\c", "\\c\\n\\t\\"}));
}

TEST(StompParser, P_15_undefined_escapes_pass_when_lenient) {
  const ParserOptions lenient{.undefined_escapes = UndefinedEscape::pass};
  EXPECT_EQ(parse_one(wire("SEND\na:\\t\\c\\\n\n\0"), in(Version::v1_2, lenient)).first("a"),
            "\\t:\\");
  EXPECT_EQ(parse_one(wire("SEND\na:\\r\n\n\0"), in(Version::v1_1, lenient)).first("a"), "\\r");
}

TEST(StompParser, P_16_connect_stomp_and_connected_are_never_unescaped) {
  for (const char* command : {"CONNECT", "STOMP", "CONNECTED"}) {
    for (Version version : every_version) {
      const Bytes octets = Bytes(command) + "\npasscode:a\\cb:\\t\\\n\n" + Bytes(1, '\0');
      EXPECT_EQ(parse_one(octets, in(version)).first("passcode"), "a\\cb:\\t\\");
      EXPECT_EQ(parse_one(octets).first("passcode"), "a\\cb:\\t\\");
    }
  }
}

TEST(StompParser, P_16_nothing_is_unescaped_before_a_version_is_agreed) {
  EXPECT_EQ(parse_one(wire("ERROR\nmessage:a\\tb\\c\n\n\0")).first("message"), "a\\tb\\c");
}

TEST(StompParser, P_17_cr_belongs_to_the_value_in_1_0_and_1_1_when_asked) {
  for (Version version : {Version::v1_0, Version::v1_1}) {
    const Frame frame = parse_one(wire("SEND\na:v\r\n\n\0"), in(version, {.drop_cr = false}));
    EXPECT_EQ(frame.first("a"), "v\r");
  }
}

TEST(StompParser, P_17_only_the_last_cr_belongs_to_the_line_end) {
  EXPECT_EQ(parse_one(wire("SEND\na:\rv\r\r\n\n\0"), in(Version::v1_2)).first("a"), "\rv\r");
}

TEST(StompParser, P_18_values_are_exact_in_1_1_and_1_2) {
  for (Version version : {Version::v1_1, Version::v1_2}) {
    EXPECT_EQ(parse_one(wire("SEND\na: \tv \t\n\n\0"), in(version)).first("a"), " \tv \t");
  }
}

TEST(StompParser, P_19_leading_blanks_are_trimmed_in_1_0) {
  const Frame frame =
      parse_one(wire("SEND\na: \tv \nb:  \ncontent-length: 2\n\nxy\0"), in(Version::v1_0));
  EXPECT_EQ(frame.first("a"), "v ");
  EXPECT_EQ(frame.first("b"), "");
  EXPECT_EQ(frame.body.view(), "xy");
}

TEST(StompParser, P_20_content_length_counts_the_body_alone) {
  EXPECT_EQ(parse_one(wire("SEND\ncontent-length:5\n\nhello\0")).body.view(), "hello");
  EXPECT_EQ(parse_one(wire("SEND\ncontent-length:0005\n\nhello\0")).body.view(), "hello");
  EXPECT_EQ(parse_one(wire("SEND\ncontent-length:0\n\n\0")).body.view(), "");
}

TEST(StompParser, P_21_exactly_so_many_octets_whatever_they_are) {
  EXPECT_EQ(parse_one(wire("SEND\ncontent-length:6\n\n\0\n\0\r\n:\0")).body.view(),
            BytesView("\0\n\0\r\n:", 6));
}

TEST(StompParser, P_22_without_content_length_up_to_the_first_nul) {
  const Outcome outcome = parse_every_way(wire("SEND\n\na\nb\r\n\0SEND\n\nc\0"));
  ASSERT_EQ(outcome.frames.size(), 2U);
  EXPECT_EQ(outcome.frames[0].body.view(), "a\nb\r\n");
}

TEST(StompParser, P_24_content_length_holds_on_every_frame_in_every_version) {
  for (int number = 1; number <= 15; ++number) {
    const Bytes octets = Bytes(to_string(static_cast<Command>(number))) +
                         Bytes(wire("\ncontent-length:3\n\na\0b\0"));
    for (Version version : every_version) {
      EXPECT_EQ(parse_one(octets, in(version)).body.view(), BytesView("a\0b", 3));
    }
  }
}

TEST(StompParser, P_26_the_first_of_repeated_headers_counts_and_all_are_kept) {
  const Frame frame = parse_one(wire("SEND\na:1\ncontent-length:1\na:2\ncontent-length:zz\n\nx\0"));
  EXPECT_EQ(frame.first("a"), "1");
  EXPECT_EQ(frame.headers.size(), 4U);
  EXPECT_EQ(frame.headers[2].value, "2");
}

TEST(StompParser, P_27_heartbeats_between_frames) {
  Parser parser;
  FrameView frame;
  BytesView input = "\n";
  EXPECT_EQ(parser.next(input, frame), Step::heartbeat);
  input = "\r";
  EXPECT_EQ(parser.next(input, frame), Step::need_more);
  input = "\n";
  EXPECT_EQ(parser.next(input, frame), Step::heartbeat);
  input = "\n\n\r\n";
  EXPECT_EQ(parser.next(input, frame), Step::heartbeat);
  EXPECT_EQ(parser.next(input, frame), Step::need_more);
  EXPECT_TRUE(parser.between_frames());
}

TEST(StompParser, P_27_a_line_feed_within_a_frame_is_no_heartbeat) {
  const Outcome outcome = testing::parse_octets(wire("SEND\na:b\n\n\n\n\0"), {});
  EXPECT_EQ(outcome.heartbeats, 0U);
  EXPECT_EQ(outcome.frames.at(0).body.view(), "\n\n");
}

TEST(StompParser, P_28_all_input_is_taken_so_its_reader_can_tell_life) {
  Parser parser;
  FrameView frame;
  BytesView input = "SEND\ndestination:/qu";
  EXPECT_EQ(parser.next(input, frame), Step::need_more);
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(parser.between_frames());
}

TEST(StompParser, P_29_the_line_feed_behind_a_frame_is_no_heartbeat) {
  for (const Bytes& after : {Bytes("\n"), Bytes("\r\n")}) {
    const Bytes octets = Bytes(wire("SEND\n\nx\0")) + after + Bytes(wire("SEND\n\ny\0")) + after;
    EXPECT_EQ(parse_every_way(octets).frames.size(), 2U);
    EXPECT_EQ(testing::parse_octets(octets, {}).heartbeats, 0U);
    EXPECT_EQ(testing::parse_octets(octets + "\n", {}).heartbeats, 1U);
  }
}

TEST(StompParser, W_02_one_input_may_hold_many_frames_and_parts) {
  const Bytes body(5'000, 'x');
  const Bytes frame = "MESSAGE\nid:1\ncontent-length:5000\n\n" + body + Bytes(1, '\0');
  const Bytes octets = frame + frame + frame;
  for (std::size_t piece : {1U, 7U, 1'024U, 8'192U}) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = piece; at < octets.size(); at += piece) cuts.push_back(at);
    const Outcome outcome = testing::parse_cut(octets, cuts, {});
    ASSERT_EQ(outcome.frames.size(), 3U);
    EXPECT_EQ(outcome.frames[2].body.view(), body);
  }
}

TEST(StompParser, a_whole_frame_borrows_from_the_input) {
  const Bytes octets(wire("SEND\ndestination:/a\n\nbody\0"));
  Parser parser;
  FrameView frame;
  BytesView input = octets;
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(frame.body().data(), octets.data() + octets.size() - 5);
  EXPECT_EQ(frame.headers()[0].value.data(), octets.data() + 17);
  EXPECT_EQ(parser.held(), 0U);
}

TEST(StompParser, a_frame_in_pieces_outlives_them) {
  Parser parser;
  FrameView frame;
  Bytes first = "SEND\ndestination:/a\n\nbo";
  Bytes second(wire("dy\0"));
  BytesView input = first;
  ASSERT_EQ(parser.next(input, frame), Step::need_more);
  EXPECT_GT(parser.held(), 0U);
  first.assign(first.size(), '#');
  input = second;
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  second.assign(second.size(), '#');
  EXPECT_EQ(frame.first("destination"), "/a");
  EXPECT_EQ(frame.body(), "body");
  EXPECT_EQ(parser.held(), 0U) << "the frame has taken the memory over";
}

TEST(StompParser, an_announced_length_reserves_nothing) {
  Parser parser;
  parser.set_version(Version::v1_2);
  FrameView frame;
  BytesView input = "SEND\ncontent-length:16000000\n\nabc";
  ASSERT_EQ(parser.next(input, frame), Step::need_more);
  EXPECT_LT(parser.held(), 256U);
  const Bytes more(1'000, 'x');
  for (int i = 0; i < 100; ++i) {
    input = more;
    ASSERT_EQ(parser.next(input, frame), Step::need_more);
  }
  EXPECT_LT(parser.held(), 210'000U);
}

TEST(StompParser, a_large_body_ends_up_in_memory_of_its_size) {
  Parser parser;
  parser.set_version(Version::v1_2);
  FrameView frame;
  const Bytes chunk(65'536, 'x');
  Bytes head = "SEND\ncontent-length:1048576\n\n";
  BytesView input = head;
  ASSERT_EQ(parser.next(input, frame), Step::need_more);
  for (int i = 0; i < 16; ++i) {
    input = chunk;
    ASSERT_EQ(parser.next(input, frame), Step::need_more);
  }
  EXPECT_EQ(parser.held(), head.size() + 1'048'576U);
  input = wire("\0");
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(frame.body().size(), 1'048'576U);
}

TEST(StompParser, more_headers_than_lie_in_place) {
  Bytes octets = "SEND\n";
  for (int i = 0; i < 40; ++i)
    octets += "h" + std::to_string(i) + ":a\\c" + std::to_string(i) + "\n";
  octets += "\nx";
  octets += '\0';
  const Frame frame = parse_one(octets, in(Version::v1_2));
  ASSERT_EQ(frame.headers.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(frame.headers[i], (Header{"h" + std::to_string(i), "a:" + std::to_string(i)}));
  }
}

TEST(StompParser, one_view_serves_many_parsers) {
  Parser left;
  Parser right;
  FrameView frame;
  BytesView input = "SEND\na:l";
  EXPECT_EQ(left.next(input, frame), Step::need_more);
  input = "SEND\na:r";
  EXPECT_EQ(right.next(input, frame), Step::need_more);
  input = wire("eft\n\n\0");
  ASSERT_EQ(left.next(input, frame), Step::frame);
  EXPECT_EQ(frame.first("a"), "left");
  input = wire("ight\n\n\0");
  ASSERT_EQ(right.next(input, frame), Step::frame);
  EXPECT_EQ(frame.first("a"), "right");
}

TEST(StompParser, the_version_may_change_between_frames_of_one_input) {
  Parser parser;
  FrameView frame;
  BytesView input = wire("CONNECT\npasscode:a\\tb\n\n\0SEND\na:\\c\n\n\0");
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(frame.first("passcode"), "a\\tb");
  parser.set_version(Version::v1_1);
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(frame.first("a"), ":");
}

TEST(StompParser, a_version_set_within_a_frame_is_survived) {
  Parser parser;
  FrameView frame;
  BytesView input = "SEND\na:\\t\n\nbo";
  ASSERT_EQ(parser.next(input, frame), Step::need_more);
  parser.set_version(Version::v1_2);
  input = wire("dy\0");
  ASSERT_EQ(parser.next(input, frame), Step::error);
  EXPECT_EQ(parser.error()->fault, Fault::undefined_escape);
}

TEST(StompParser, S_27_parse_all) {
  Parser parser;
  EXPECT_EQ(parse_all(parser, wire("SEND\n\nx\0SEND\n\ny\0SE")).size(), 2U);
  EXPECT_EQ(parse_all(parser, wire("ND\n\nz\0")).at(0).body.view(), "z");
  EXPECT_EQ(parser.error(), nullptr);
  EXPECT_TRUE(parse_all(parser, "nonsense\n").empty());
  ASSERT_NE(parser.error(), nullptr);
  EXPECT_EQ(parser.error()->error().kind, ErrorKind::protocol_error);
}

TEST(StompParser, is_small) { EXPECT_LE(sizeof(Parser), 64U); }

}  // namespace
}  // namespace hawser::stomp
