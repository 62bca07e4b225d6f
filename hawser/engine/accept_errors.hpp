// What an accept loop does after each error that accept can answer: one table for every engine, so
// that no error that a peer can cause ever ends a listener. Public; a pure function.
#pragma once

#include <cstdint>

namespace hawser {

enum class AcceptReaction : std::uint8_t {
  /// One connection died before it was accepted, or the network had a word for it: go on at once.
  retry,
  /// The machine is out of something: retrying at once would spin, so wait and try again.
  pause,
  /// The listening socket itself is of no use any more: no retry can help.
  fatal,
};

/// The reaction to errno value `code` from accept. An error that nobody foresaw pauses: the
/// listener lives on and does not spin.
AcceptReaction accept_reaction(int code) noexcept;

}  // namespace hawser
