// Properties: any frame that can be encoded comes back as it was, in every version and under every
// cut; and no stream of octets, however made, parses differently when it is cut.
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/parse_every_way.hpp>
#include <hawser/stomp/parser.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace hawser::stomp {
namespace {

using testing::Outcome;
using testing::parse_cut;
using testing::parse_octets;
using testing::Rules;

/// Text in which the octets that mean something are frequent.
rc::Gen<Bytes> any_text() {
  return rc::gen::container<Bytes>(rc::gen::weightedOneOf<char>(
      {{6, rc::gen::inRange('a', 'f')},
       {3, rc::gen::element(':', '\\', '\n', '\r', 'n', 'c', 'r', ' ', '\t')},
       {1, rc::gen::arbitrary<char>()}}));
}

/// Text that can stand in a name or value of that frame, and comes back unchanged.
rc::Gen<Bytes> header_text(Version version, Command command, bool is_name) {
  return rc::gen::map(any_text(), [=](Bytes text) {
    const bool raw = version == Version::v1_0 || !escapes_headers(command);
    std::erase_if(text, [=](char c) {
      return c == '\0' || (raw && (c == '\n' || c == '\r' || (is_name && c == ':'))) ||
             (version == Version::v1_1 && c == '\r');
    });
    if (version == Version::v1_0 && !is_name) text = Bytes(trim_padding(text));
    if (is_name && (text.empty() || text == "content-length")) text = "n";
    return text;
  });
}

rc::Gen<Frame> any_frame(Version version) {
  return rc::gen::exec([version] {
    Frame frame;
    frame.command = static_cast<Command>(*rc::gen::inRange(1, 16));
    const int count = *rc::gen::weightedElement<int>({{8, 2}, {4, 0}, {4, 5}, {1, 20}});
    for (int i = 0; i < count; ++i) {
      frame.add(*header_text(version, frame.command, true),
                *header_text(version, frame.command, false));
    }
    frame.body = Payload(*rc::gen::arbitrary<Bytes>());
    return frame;
  });
}

std::vector<std::size_t> any_cuts(std::size_t size) {
  auto cuts =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, size + 1));
  std::ranges::sort(cuts);
  return cuts;
}

RC_GTEST_PROP(StompRoundTrip, any_frames_in_any_version_under_any_cuts, ()) {
  const auto version = *rc::gen::element(Version::v1_0, Version::v1_1, Version::v1_2);
  const auto frames =
      *rc::gen::resize(8, rc::gen::container<std::vector<Frame>>(any_frame(version)));
  Bytes octets;
  for (const Frame& frame : frames) {
    const auto done = encode(octets, frame, version, {.any_body = true});
    RC_ASSERT(done.has_value());
    if (*rc::gen::weightedElement<bool>({{3, false}, {1, true}})) octets += heartbeat_octet;
  }
  const Rules rules{{.strict_octets = true}, version};
  for (const Outcome& outcome :
       {parse_cut(octets, {}, rules), parse_cut(octets, any_cuts(octets.size()), rules),
        parse_octets(octets, rules)}) {
    RC_ASSERT(!outcome.error);
    RC_ASSERT(outcome.idle);
    RC_ASSERT(outcome.frames.size() == frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      Frame expected = frames[i];
      if (!expected.body.empty()) {
        expected.add("content-length", std::to_string(expected.body.size()));
      }
      RC_ASSERT(outcome.frames[i] == expected);
    }
  }
}

/// Pieces of frames, good and bad, in any order.
rc::Gen<Bytes> any_stream() {
  const auto piece =
      rc::gen::oneOf(rc::gen::element<Bytes>("SEND\n", "CONNECT\r\n", "MESSAGE\n", "SUBSCRIBE\n",
                                             "\n", "\r\n", "\r", "a:b\n", "a:b\r\n", "a\\c:\\n\n",
                                             "a:\\t\n", ":x\n", "nocolon\n", "content-length:3\n",
                                             "content-length:0\n", "content-length:x\n",
                                             Bytes("abc\0", 4), Bytes("\0", 1), Bytes("\0\n", 2)),
                     rc::gen::resize(5, any_text()));
  return rc::gen::map(rc::gen::container<std::vector<Bytes>>(piece), [](const auto& pieces) {
    Bytes octets;
    for (const Bytes& each : pieces) octets += each;
    return octets;
  });
}

RC_GTEST_PROP(StompRoundTrip, any_stream_gives_one_outcome_under_any_cuts, ()) {
  const Bytes octets = *any_stream();
  Rules rules;
  rules.version = *rc::gen::element<std::optional<Version>>(std::nullopt, Version::v1_0,
                                                            Version::v1_1, Version::v1_2);
  rules.options.drop_cr = *rc::gen::arbitrary<bool>();
  rules.options.strict_octets = *rc::gen::arbitrary<bool>();
  rules.options.strict_bodies = *rc::gen::arbitrary<bool>();
  rules.options.pass_unknown_commands = *rc::gen::arbitrary<bool>();
  rules.options.limits.command = *rc::gen::inRange<std::size_t>(0, 12);
  rules.options.limits.headers = *rc::gen::inRange<std::size_t>(0, 5);
  rules.options.limits.header_line = *rc::gen::inRange<std::size_t>(0, 24);
  rules.options.limits.header_block = *rc::gen::inRange<std::size_t>(0, 40);
  rules.options.limits.body = *rc::gen::inRange<std::size_t>(0, 8);
  rules.options.limits.pre_login_frame = *rc::gen::inRange<std::size_t>(0, 50);
  const Outcome whole = parse_cut(octets, {}, rules);
  RC_ASSERT(parse_octets(octets, rules) == whole);
  RC_ASSERT(parse_cut(octets, any_cuts(octets.size()), rules) == whole);
}

}  // namespace
}  // namespace hawser::stomp
