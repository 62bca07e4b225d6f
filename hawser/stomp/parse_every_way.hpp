// For tests and fuzzing: a stream parsed whole, cut in two at each place, and octet by octet, with
// the outcomes compared. Public, for tests alone; keeps no state. Every piece is fed from a block
// of its exact size so that a sanitizer sees the first octet read past it.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/fault.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/parser.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser::stomp::testing {

/// What came out of a stream. `idle` tells whether it ended between frames.
struct Outcome {
  std::vector<Frame> frames{};
  std::optional<ParseError> error{};
  bool idle = true;
  std::size_t heartbeats = 0;

  /// Heart-beats are left out: how many are seen depends on the cuts.
  friend bool operator==(const Outcome& left, const Outcome& right) {
    return left.frames == right.frames && left.error == right.error && left.idle == right.idle;
  }
};

struct Rules {
  ParserOptions options{};
  std::optional<Version> version{};  ///< agreed before the first octet
};

/// Parses `wire` cut at `cuts`, which ascend. Throws std::logic_error if the parser breaks a
/// promise.
inline Outcome parse_cut(BytesView wire, const std::vector<std::size_t>& cuts, const Rules& rules) {
  const auto promise = [](bool kept, const char* what) {
    if (!kept) throw std::logic_error(what);
  };
  Parser parser(rules.options);
  if (rules.version) parser.set_version(*rules.version);
  Outcome outcome;
  FrameView frame;
  std::size_t from = 0;
  for (std::size_t index = 0; index <= cuts.size(); ++index) {
    const std::size_t to = index < cuts.size() ? std::min(cuts[index], wire.size()) : wire.size();
    if (to < from) continue;
    const std::vector<char> piece(wire.begin() + static_cast<std::ptrdiff_t>(from),
                                  wire.begin() + static_cast<std::ptrdiff_t>(to));
    from = to;
    BytesView input(piece.data(), piece.size());
    for (bool going = true; going;) {
      const std::size_t before = input.size();
      switch (parser.next(input, frame)) {
        case Step::frame:
          promise(input.size() < before, "a frame takes input");
          promise(parser.between_frames() && parser.held() == 0, "nothing is held after a frame");
          outcome.frames.push_back(frame.to_frame());
          break;
        case Step::heartbeat:
          ++outcome.heartbeats;
          promise(parser.held() == 0, "nothing is held between frames");
          [[fallthrough]];
        case Step::need_more:
          promise(input.empty(), "all input is taken");
          promise(parser.held() <= std::max<std::size_t>(2 * wire.size(), 112), "bounded by input");
          going = false;
          break;
        case Step::error:
          promise(parser.error() != nullptr && !parser.error()->text.empty(), "errors have words");
          outcome.error = *parser.error();
          outcome.idle = false;
          promise(parser.next(input, frame) == Step::error, "a failed parser stays failed");
          promise(parser.held() == 0, "a failed parser holds nothing");
          return outcome;
      }
    }
  }
  outcome.idle = parser.between_frames();
  return outcome;
}

inline Outcome parse_octets(BytesView wire, const Rules& rules) {
  std::vector<std::size_t> cuts(wire.size());
  for (std::size_t at = 0; at < cuts.size(); ++at) cuts[at] = at;
  return parse_cut(wire, cuts, rules);
}

/// The one outcome of all ways to cut `wire` in two and of octet-by-octet feeding; throws
/// std::logic_error naming the cut that gave another one.
inline Outcome parse_every_way(BytesView wire, const Rules& rules = {}) {
  const Outcome whole = parse_cut(wire, {}, rules);
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    if (parse_cut(wire, {cut}, rules) != whole) {
      throw std::logic_error("another outcome when cut at " + std::to_string(cut));
    }
  }
  if (parse_octets(wire, rules) != whole) throw std::logic_error("another outcome octet by octet");
  return whole;
}

constexpr Version every_version[] = {Version::v1_0, Version::v1_1, Version::v1_2};

/// The octets of a literal, NULs among them.
template <std::size_t N>
BytesView wire(const char (&text)[N]) {
  return {text, N - 1};
}

inline Rules in(Version version, ParserOptions options = {}) { return {options, version}; }

}  // namespace hawser::stomp::testing
