// Bodies that go to a sink instead of their frames, cut everywhere.
#include <hawser/stomp/parser.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser::stomp {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

class Sink final : public BodySink {
 public:
  bool wants_body(const FrameView& head, std::optional<std::uint64_t> length) override {
    log.push_back("head " + std::string(head.first("k").value_or("-")) + " " +
                  (length ? std::to_string(*length) : "?"));
    return head.first("whole") == std::nullopt;
  }
  void body_part(BytesView octets) override {
    EXPECT_FALSE(octets.empty());
    body += octets;
  }
  std::vector<std::string> log;
  std::string body;
};

/// What came out: streamed bodies in <>, held ones in ().
std::vector<std::string> run(const std::string& wire, std::size_t cut, const ParserOptions& options,
                             bool octets = false) {
  Parser parser(options);
  parser.set_version(Version::v1_2);
  Sink sink;
  parser.stream_to(&sink);
  FrameView frame;
  std::vector<std::string> out;
  std::size_t most = 0;
  const auto feed = [&](std::string piece) {
    piece.shrink_to_fit();
    BytesView input(piece);
    while (parser.error() == nullptr) {
      const Step step = parser.next(input, frame);
      most = std::max(most, parser.held());
      if (step == Step::error) {
        out.push_back("error " + parser.error()->text);
        return;
      }
      if (step != Step::frame) return;
      const std::string k(frame.first("k").value_or("-"));
      out.push_back(parser.streamed() ? k + "<" + std::exchange(sink.body, {}) + ">"
                                      : k + "(" + std::string(frame.body()) + ")");
      EXPECT_TRUE(!parser.streamed() || frame.body().empty());
      EXPECT_EQ(parser.held(), 0u);
    }
  };
  if (octets) {
    for (const char each : wire) feed(std::string(1, each));
  } else {
    feed(wire.substr(0, cut));
    feed(wire.substr(cut));
  }
  EXPECT_LE(most, 256u) << "nothing of a body is held";
  for (std::string& each : sink.log) out.push_back(std::move(each));
  return out;
}

const std::string stream =
    "MESSAGE\nk:a\\cb\ncontent-length:5\n\nx\0y\0z\0"s
    "\nMESSAGE\nk:c\n\nuntil nul\0"s
    "MESSAGE\nk:d\nwhole:1\n\nheld\0"s
    "RECEIPT\nk:e\ncontent-length:0\n\n\0"s;

TEST(StompParserStreaming, P_21_U_14_bodies_go_to_the_sink_whatever_the_cuts) {
  const ParserOptions options;
  const auto whole = run(stream, 0, options);
  EXPECT_THAT(whole, ElementsAre("a:b<x\0y\0z>"s, "c<until nul>", "d(held)", "e()", "head a:b 5",
                                 "head c ?", "head d ?"));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut)
    EXPECT_EQ(run(stream, cut, options), whole) << cut;
  EXPECT_EQ(run(stream, 0, options, true), whole);
}

TEST(StompParserStreaming, the_limit_of_bodies_is_for_those_that_are_held) {
  ParserOptions options;
  options.limits.body = 4;
  const std::string wire =
      "MESSAGE\nk:a\ncontent-length:5\n\n12345\0MESSAGE\nwhole:1\ncontent-length:5\n\n12345\0"s;
  const auto whole = run(wire, 0, options);
  EXPECT_THAT(whole, ElementsAre("a<12345>",
                                 "error a body of 5 octets is announced, at most 4 are accepted",
                                 "head a 5", "head - 5"));
  for (std::size_t cut = 0; cut <= wire.size(); ++cut)
    EXPECT_EQ(run(wire, cut, options), whole) << cut;
}

TEST(StompParserStreaming, a_body_longer_than_it_says_is_a_fault) {
  const std::string wire = "MESSAGE\nk:a\ncontent-length:2\n\n123\0"s;
  for (std::size_t cut = 0; cut <= wire.size(); ++cut)
    EXPECT_THAT(
        run(wire, cut, {}),
        ElementsAre("error the octet after a body of content-length 2 is not NUL", "head a 2"))
        << cut;
}

}  // namespace
}  // namespace hawser::stomp
