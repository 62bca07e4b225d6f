// A head read in one pass is the head that is read line by line, with every option and at every
// limit: a stream cut into octets never takes the short way, so both are compared.
#include <hawser/stomp/parse_every_way.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp::testing {
namespace {

using namespace std::string_literals;

const std::vector<std::string>& heads() {
  static const std::vector<std::string> all{
      "SEND\ndestination:/queue/a\ncontent-length:3\n\nab\0\0\n"s,
      "SEND\r\ndestination:/queue/a\r\n\r\nx\0"s,
      "SEND\ndestination:/queue/a:b\nfoo\\c:bar\\n\n\nx\0"s,
      "SEND\ncontent-length:1\ncontent-length:3\n\na\0"s,
      "SEND\na: padded \nb:\xff\xfe\n\nx\0"s,
      "SEND\na:b\rc\n\nx\0"s,
      "ACK\nid:1\n\n\0"s,
      "COMMIT\ntransaction:t\n\nbody\0"s,
      "SEND\n:no name\n\n\0"s,
      "SEND\nno colon\n\n\0"s,
      "SEND\ncontent-length:x\n\n\0"s,
      "SEND\na:\0b\n\n\0"s,
      "send\na:b\n\n\0"s,
      "SEND\na:1\nb:2\nc:3\nd:4\ne:5\nf:6\ng:7\nh:8\ni:9\nj:10\nk:11\nl:12\nm:13\nn:14\no:15\np:"
      "16\n"
      "q:17\n\nx\0ACK\nid:1\n\n\0"s,
  };
  return all;
}

void expect_one_outcome(ParserOptions options) {
  for (const Version version : every_version)
    for (const std::string& head : heads())
      EXPECT_NO_THROW(parse_every_way(head, in(version, options))) << head;
}

TEST(StompPlainHead, IsTheSameWithEveryOption) {
  expect_one_outcome({});
  for (bool ParserOptions::* const option :
       {&ParserOptions::strict_octets, &ParserOptions::strict_utf8, &ParserOptions::strict_bodies,
        &ParserOptions::drop_cr, &ParserOptions::pass_unknown_commands}) {
    ParserOptions options;
    options.*option = true;
    expect_one_outcome(options);
  }
}

TEST(StompPlainHead, IsTheSameAtEveryLimit) {
  for (std::size_t Limits::* const limit :
       {&Limits::command, &Limits::headers, &Limits::header_line, &Limits::header_block,
        &Limits::body}) {
    for (std::size_t most = 1; most <= 48; ++most) {
      ParserOptions options;
      options.limits.*limit = most;
      expect_one_outcome(options);
    }
  }
}

TEST(StompPlainHead, ManyHeadersAreOneFrame) {
  const Outcome outcome = parse_every_way(heads().back(), in(Version::v1_2));
  ASSERT_EQ(outcome.frames.size(), 2U);
  EXPECT_EQ(outcome.frames[0].headers.size(), 17U);
  EXPECT_EQ(outcome.frames[0].headers[16].value, "17");
}

}  // namespace
}  // namespace hawser::stomp::testing
