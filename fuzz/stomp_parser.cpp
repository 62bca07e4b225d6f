// Any octets as a STOMP stream: whole and cut they must parse alike, and what parses must encode
// and parse again to the same. The first eight octets choose version, options, limits and cuts.
#include <hawser/stomp/describe.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/parse_every_way.hpp>
#include <hawser/stomp/parser.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::stomp;
using namespace hawser::stomp::testing;

void require(bool condition) {
  if (!condition) std::abort();
}

Rules rules_from(const std::uint8_t* choices) {
  Rules rules;
  const unsigned version = choices[0] & 3U;
  if (version < 3) rules.version = static_cast<Version>(version);
  rules.options.drop_cr = (choices[0] & 4U) == 0;
  if ((choices[0] & 8U) != 0) rules.options.undefined_escapes = UndefinedEscape::pass;
  rules.options.strict_octets = (choices[0] & 16U) != 0;
  rules.options.strict_bodies = (choices[0] & 32U) != 0;
  rules.options.strict_utf8 = (choices[0] & 64U) != 0;
  rules.options.pass_unknown_commands = (choices[0] & 128U) != 0;
  if ((choices[1] & 1U) != 0) {  // small enough to be hit
    rules.options.limits = {.command = choices[1] & 15U,
                            .headers = choices[2] & 7U,
                            .header_line = choices[3] & 63U,
                            .header_block = choices[4] & 127U,
                            .body = choices[5] & 31U,
                            .pre_login_frame = choices[6] & 127U};
  }
  return rules;
}

void check_round_trip(const Frame& frame, Version version) {
  Bytes octets;
  if (!encode(octets, frame, version, {.any_body = true})) return;
  const Outcome outcome = parse_cut(octets, {octets.size() / 2}, {{}, version});
  require(!outcome.error && outcome.idle && outcome.frames.size() == 1);
  Frame expected = frame;
  expected.remove("content-length");
  if (version == Version::v1_0) {
    for (Header& header : expected.headers) header.value = Bytes(trim_padding(header.value));
  }
  if (!frame.body.empty()) expected.add("content-length", std::to_string(frame.body.size()));
  require(outcome.frames[0] == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t choices = 8;
  if (size < choices) return 0;
  const Rules rules = rules_from(data);
  const BytesView octets(reinterpret_cast<const char*>(data) + choices, size - choices);

  const Outcome whole = parse_cut(octets, {}, rules);
  require(parse_octets(octets, rules) == whole);
  const std::size_t piece = 1 + data[7] % 61U;
  std::vector<std::size_t> cuts;
  for (std::size_t at = piece; at < octets.size(); at += piece) cuts.push_back(at);
  require(parse_cut(octets, cuts, rules) == whole);

  for (const Frame& frame : whole.frames) {
    require(!describe(frame).empty());
    for (const Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
      check_round_trip(frame, version);
    }
  }
  return 0;
}
