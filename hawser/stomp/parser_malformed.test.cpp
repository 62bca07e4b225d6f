// What a parser must refuse (stomp.md 1.1 to 1.7 and 10), and with which words: each stream whole,
// cut at every place and octet by octet.
#include <hawser/stomp/parser.hpp>

#include <hawser/stomp/parse_every_way.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

using testing::in;
using testing::Outcome;
using testing::parse_every_way;
using testing::Rules;
using testing::wire;

/// The error of a stream that must be bad; the frames before it are counted.
ParseError parse_bad(BytesView octets, const Rules& rules = {}, std::size_t frames_before = 0) {
  const Outcome outcome = parse_every_way(octets, rules);
  EXPECT_EQ(outcome.frames.size(), frames_before);
  EXPECT_TRUE(outcome.error);
  if (!outcome.error) return {Fault::unknown_command, "no error at all"};
  for (const char c : outcome.error->text) EXPECT_TRUE(c >= ' ' && c <= '~');
  EXPECT_LE(outcome.error->text.size(), 300U);
  return *outcome.error;
}

TEST(StompMalformed, P_01_nul_in_the_head) {
  EXPECT_EQ(parse_bad(wire("SEND\ndestination:/a\0")).fault, Fault::nul_in_head);
  EXPECT_EQ(parse_bad(wire("SEND\nab\0cd:x\n\n\0")).fault, Fault::nul_in_head);
  EXPECT_EQ(parse_bad(wire("\0")).fault, Fault::nul_in_head);
  EXPECT_EQ(parse_bad(wire("SEND\0")).text, "NUL octet in the command line \"SEND\"");
  EXPECT_EQ(parse_bad(wire("SEND\n\nx\0\0SEND\n\n\0"), {}, 1).fault, Fault::nul_in_head);
}

TEST(StompMalformed, P_04_unknown_command) {
  EXPECT_EQ(parse_bad("SHOUT\n").text, "unknown command \"SHOUT\"");
  EXPECT_EQ(parse_bad("send\n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad("Connect\n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad(" SEND\n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad("SEND \n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad("GET / HTTP/1.1\r\n").text, "unknown command \"GET / HTTP/1.1\"");
}

TEST(StompMalformed, P_04_every_near_miss_of_a_command) {
  for (int number = 1; number <= 15; ++number) {
    const Bytes name(to_string(static_cast<Command>(number)));
    for (std::size_t at = 0; at < name.size(); ++at) {
      Bytes wrong = name;
      wrong[at] = static_cast<char>(wrong[at] ^ 0x20);
      EXPECT_EQ(find_command(wrong), Command::unknown) << wrong;
      const Bytes part = name.substr(0, at);
      if (part != "CONNECT") {
        EXPECT_EQ(find_command(part), Command::unknown) << part;
      }
    }
    EXPECT_EQ(find_command(name + "S"), Command::unknown);
  }
}

TEST(StompMalformed, P_04_command_too_long) {
  EXPECT_EQ(parse_bad(Bytes(33, 'A')).text, "a command of more than 32 octets");
  EXPECT_EQ(parse_bad(Bytes(32, 'A') + "\n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad(Bytes(10'000, 'A')).fault, Fault::command_too_long);
}

TEST(StompMalformed, P_05_empty_header_name) {
  EXPECT_EQ(parse_bad("SEND\n:value\n").fault, Fault::empty_header_name);
  EXPECT_EQ(parse_bad("SEND\na:b\n:\n").fault, Fault::empty_header_name);
}

TEST(StompMalformed, P_06_strict_octets) {
  const ParserOptions strict{.strict_octets = true};
  for (Version version : {Version::v1_1, Version::v1_2}) {
    EXPECT_EQ(parse_bad("SEND\na:b:c\n", in(version, strict)).fault, Fault::forbidden_octet);
  }
  EXPECT_EQ(parse_bad("SEND\na:b\rc\n", in(Version::v1_2, strict)).fault, Fault::forbidden_octet);
  EXPECT_FALSE(parse_every_way("SEND\na:b\rc\n", in(Version::v1_1, strict)).error);
  EXPECT_FALSE(parse_every_way("SEND\na:b:c\n", in(Version::v1_0, strict)).error);
  EXPECT_FALSE(parse_every_way("CONNECT\npasscode:b:c\n", in(Version::v1_2, strict)).error);
}

TEST(StompMalformed, P_08_header_line_without_colon) {
  EXPECT_EQ(parse_bad("SEND\nfoo\n").text, "header line without ':' (\"foo\")");
  EXPECT_EQ(parse_bad(wire("SEND\nfoo\na:b\ncontent-type:text/plain\n\nbody\0")).fault,
            Fault::header_without_colon)
      << "the next line's colon is no help";
  EXPECT_EQ(parse_bad("SEND\nb\tr\x7f\xff\n").text,
            "header line without ':' (\"b\\x09r\\x7f\\xff\")");
  EXPECT_EQ(parse_bad("SEND\na:b\n" + Bytes(100, 'z') + "\n").text,
            "header line without ':' (\"" + Bytes(40, 'z') + "\"...)");
}

TEST(StompMalformed, P_09_strict_utf8) {
  const Rules rules = in(Version::v1_2, {.strict_utf8 = true});
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
                          "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_EQ(parse_bad("SEND\na:" + Bytes(bad) + "\n", rules).fault, Fault::not_utf8);
    EXPECT_EQ(parse_bad("SEND\n" + Bytes(bad) + ":b\n", rules).fault, Fault::not_utf8);
  }
}

TEST(StompMalformed, P_10_strict_bodies) {
  const Rules rules = in(Version::v1_2, {.strict_bodies = true});
  EXPECT_EQ(parse_bad("SUBSCRIBE\nid:1\n\nx", rules).text, "SUBSCRIBE must not have a body");
  EXPECT_EQ(parse_bad("RECEIPT\ncontent-length:1\n\n", rules).fault, Fault::unexpected_body);
}

TEST(StompMalformed, P_14_backslash_r_in_1_1) {
  EXPECT_EQ(parse_bad("SEND\na:x\\r\n", in(Version::v1_1)).text,
            "undefined escape \"\\r\" in header \"a\" (STOMP 1.1)");
}

TEST(StompMalformed, P_15_undefined_escapes) {
  for (Version version : {Version::v1_1, Version::v1_2}) {
    for (const char* bad : {"\\t", "\\", "x\\", "\\\\\\", "\\C", "\\N", "\\:", "\\0", "\\ "}) {
      EXPECT_EQ(parse_bad("SEND\na:" + Bytes(bad) + "\n", in(version)).fault,
                Fault::undefined_escape)
          << bad;
    }
    EXPECT_EQ(parse_bad("SEND\na\\t:b\n", in(version)).fault, Fault::undefined_escape);
    EXPECT_EQ(parse_bad("SEND\na\\:cb\n", in(version)).fault, Fault::undefined_escape)
        << "the colon ends the name, whatever stands before it";
  }
}

TEST(StompMalformed, P_17_cr_as_an_octet_of_the_line) {
  const ParserOptions options{.drop_cr = false};
  for (Version version : {Version::v1_0, Version::v1_1}) {
    EXPECT_EQ(parse_bad("SEND\r\n", in(version, options)).text, "unknown command \"SEND\\r\"");
    EXPECT_EQ(parse_bad("SEND\na:b\n\r\n", in(version, options)).fault,
              Fault::header_without_colon);
    EXPECT_EQ(parse_bad("\r\nSEND\n", in(version, options)).fault, Fault::unknown_command);
  }
  EXPECT_FALSE(parse_every_way("\r\nSEND\r\na:b\r\n\r\n", in(Version::v1_2, options)).error);
  EXPECT_FALSE(parse_every_way("\r\nSEND\r\na:b\r\n\r\n", Rules{options, {}}).error);
}

TEST(StompMalformed, P_17_cr_without_lf_between_frames) {
  EXPECT_EQ(parse_bad("\rSEND\n").fault, Fault::unknown_command);
  EXPECT_EQ(parse_bad("\r\r\n").fault, Fault::unknown_command);
}

TEST(StompMalformed, P_20_content_length_is_an_unsigned_decimal) {
  for (const char* bad : {"", " 5", "5 ", "+5", "-5", "-0", "0x5", "5a", "a", "5.0", "1e1", "5,0",
                          "18446744073709551616", "99999999999999999999999", "5\r"}) {
    EXPECT_EQ(parse_bad("SEND\ncontent-length:" + Bytes(bad) + "\n",
                        in(Version::v1_1, {.drop_cr = false}))
                  .fault,
              Fault::bad_content_length)
        << bad;
  }
  EXPECT_EQ(parse_bad("SEND\ncontent-length:12x\n").text,
            "content-length \"12x\" is not an unsigned number");
  EXPECT_EQ(parse_bad("SEND\ncontent-length: 5\n").fault, Fault::bad_content_length);
  EXPECT_EQ(parse_bad("SEND\ncontent-length: 5 \n", in(Version::v1_0)).fault,
            Fault::bad_content_length);
}

TEST(StompMalformed, P_21_octet_after_body_must_be_nul) {
  EXPECT_EQ(parse_bad(wire("SEND\ncontent-length:5\n\nhello!\0")).text,
            "the octet after a body of content-length 5 is not NUL");
  EXPECT_EQ(parse_bad(wire("SEND\ncontent-length:0\n\nx\0")).fault, Fault::body_not_terminated);
  EXPECT_EQ(parse_bad(wire("SEND\ncontent-length:7\n\nhello\0SEND")).fault,
            Fault::body_not_terminated);
}

TEST(StompMalformed, limit_of_headers) {
  ParserOptions options;
  options.limits.headers = 3;
  const Bytes good = "SEND\na:1\nb:2\nc:3\n";
  EXPECT_FALSE(parse_every_way(good + "\n", {options, {}}).error);
  EXPECT_EQ(parse_bad(good + "d:4\n", {options, {}}).text, "more than 3 headers");
}

TEST(StompMalformed, limit_of_a_header_line) {
  ParserOptions options;
  options.limits.header_line = 10;
  EXPECT_FALSE(parse_every_way("SEND\nabcd:56789\n\n", {options, {}}).error);
  EXPECT_EQ(parse_bad("SEND\nabcd:567890", {options, {}}).text,
            "a header line of more than 10 octets");
  EXPECT_EQ(parse_bad(wire("SEND\nabcd:56789\0"), {options, {}}).fault, Fault::nul_in_head);
  EXPECT_EQ(parse_bad(wire("SEND\nabcd:567890\0"), {options, {}}).fault,
            Fault::header_line_too_long);
}

TEST(StompMalformed, limit_of_the_header_block) {
  ParserOptions options;
  options.limits.header_block = 20;
  EXPECT_FALSE(parse_every_way("SEND\naaa:56789\nbbb:56789\n\n", {options, {}}).error);
  EXPECT_EQ(parse_bad("SEND\naaa:56789\nbbb:567890c", {options, {}}).text,
            "headers of more than 20 octets together");
  EXPECT_EQ(parse_bad("SEND\naaa:56789\nbbb:56789\nc", {options, {}}).fault,
            Fault::header_block_too_long);
}

TEST(StompMalformed, limit_of_the_body) {
  ParserOptions options;
  options.limits.body = 4;
  EXPECT_EQ(parse_every_way(wire("SEND\n\n1234\0"), {options, {}}).frames.size(), 1U);
  EXPECT_EQ(parse_every_way(wire("SEND\ncontent-length:4\n\n1234\0"), {options, {}}).frames.size(),
            1U);
  EXPECT_EQ(parse_bad("SEND\n\n12345", {options, {}}).text, "a body of more than 4 octets");
  EXPECT_EQ(parse_bad("SEND\ncontent-length:5\n", {options, {}}).text,
            "a body of 5 octets is announced, at most 4 are accepted");
  EXPECT_EQ(parse_bad("SEND\ncontent-length:18446744073709551615\n").fault, Fault::body_too_long);
}

TEST(StompMalformed, limit_of_a_frame_before_login) {
  ParserOptions options;
  options.limits.pre_login_frame = 20;
  const BytesView good = wire("CONNECT\na:b\n\n1234567\0");
  const BytesView counted = "CONNECT\ncontent-length:8\n\n";
  EXPECT_EQ(parse_every_way(good, {options, {}}).frames.size(), 1U);
  EXPECT_EQ(parse_bad("CONNECT\na:b\n\n12345678", {options, {}}).text,
            "a frame of more than 20 octets before login");
  EXPECT_EQ(parse_bad("CONNECT\na:b\nb:1234567890", {options, {}}).fault, Fault::frame_too_long);
  EXPECT_EQ(parse_bad(counted, {options, {}}).fault, Fault::frame_too_long);
  EXPECT_FALSE(parse_every_way(counted, {options, Version::v1_2}).error);
  options.limits.pre_login_frame = 30;
  EXPECT_EQ(parse_bad(counted, {options, {}}).fault, Fault::frame_too_long);
  options.limits.pre_login_frame = 34;
  EXPECT_FALSE(parse_every_way(counted, {options, {}}).error);
}

TEST(StompMalformed, line_ends_between_frames_count_to_no_limit) {
  const ParserOptions options{.limits = {0, 0, 0, 0, 0, 0}};
  EXPECT_FALSE(parse_every_way("\r\n\n\r\n", {options, {}}).error);
  EXPECT_EQ(parse_bad("\r\nSEND", {options, {}}).fault, Fault::frame_too_long);
  EXPECT_EQ(parse_bad("\r\nSEND", {options, Version::v1_2}).fault, Fault::command_too_long);
}

TEST(StompMalformed, default_limits_are_those_of_the_documentation) {
  const Limits limits;
  EXPECT_EQ(limits.command, 32U);
  EXPECT_EQ(limits.headers, 1'000U);
  EXPECT_EQ(limits.header_line, 16U << 10U);
  EXPECT_EQ(limits.header_block, 64U << 10U);
  EXPECT_EQ(limits.body, 16U << 20U);
  EXPECT_EQ(limits.pre_login_frame, 64U << 10U);
  EXPECT_EQ(parse_bad("SEND\ncontent-length:16777217\n", in(Version::v1_2)).fault,
            Fault::body_too_long);
  const Bytes long_line = "SEND\na:" + Bytes(20'000, 'x');
  EXPECT_EQ(testing::parse_octets(long_line, in(Version::v1_2)).error->fault,
            Fault::header_line_too_long);
}

TEST(StompMalformed, errors_of_headers_never_repeat_their_values) {
  const ParseError error = parse_bad("SEND\ntoken:secret\\t\n", in(Version::v1_2));
  EXPECT_EQ(error.text.find("secret"), Bytes::npos);
}

TEST(StompMalformed, frames_before_the_fault_are_delivered) {
  EXPECT_EQ(parse_bad(wire("SEND\n\nx\0\nSEND\n\ny\0bad\n"), {}, 2).fault, Fault::unknown_command);
}

TEST(StompMalformed, every_fault_has_a_name) {
  for (int number = 0; number <= static_cast<int>(Fault::frame_too_long); ++number) {
    EXPECT_NE(to_string(static_cast<Fault>(number)), "unknown_fault");
  }
}

}  // namespace
}  // namespace hawser::stomp
