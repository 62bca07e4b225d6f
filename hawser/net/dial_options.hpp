// Where an outgoing connection goes, and how long it may take to get there. Public; plain value.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace hawser {

struct DialOptions {
  /// A host's name or address ("broker.example", "::1"), looked up when the dialing starts.
  std::string host{};
  std::uint16_t port = 0;
  /// Set: goes there, `host` and `port` are not looked at. For Unix sockets.
  std::optional<Address> address{};
  /// For the look-up and all attempts together. Each address gets an equal part of what is left, so
  /// that one which does not answer leaves time for the next.
  Duration timeout = 10s;
  StreamOptions socket{};
  std::optional<Address> from{};  ///< the local side, when it matters

  /// "broker.example:61613", for logs and reasons.
  std::string text() const;
};

}  // namespace hawser
