// Where an outgoing connection goes, how it chooses among a host's addresses, and how long it may
// take to get there. Public; plain value.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// Which family goes first when a host has addresses of both; from then on they take turns.
enum class FirstFamily : std::uint8_t {
  as_looked_up,  ///< that of the look-up's first address: what RFC 6724 prefers on this machine
  ipv6,
  ipv4,
};

/// All addresses of the host are tried, overlapping, and the first that connects wins (RFC 8305,
/// "happy eyeballs"): the next attempt begins at once when the one before fails, else after
/// `attempt_delay`, while those before go on. The losers are closed the moment one has won.
struct DialOptions {
  /// A host's name or address ("broker.example", "::1"). A name is looked up when the dialing
  /// starts. At most 255 bytes, as in the domain name system.
  std::string host{};
  std::uint16_t port = 0;
  /// Set: goes there, `host` and `port` are not looked at. For Unix sockets.
  std::optional<Address> address{};
  /// For the look-up and all attempts together; longer than zero, Duration::max() is no limit but
  /// the kernel's own (about two minutes an address).
  Duration timeout = 10s;
  StreamOptions socket{};
  /// The local side, when it matters. Addresses of the other family are left out then. With a port
  /// there is one attempt at a time, since no two can have it: the next begins when the one before
  /// has failed.
  std::optional<Address> from{};
  /// How long one attempt is alone before the next joins it: 10 ms to 1 min (RFC 8305 section 8),
  /// or Duration::max(): the next only when the one before has failed.
  Duration attempt_delay = 250ms;
  /// Most addresses tried, 1 to 64; of all in the order described above, the first.
  std::size_t max_addresses = 16;
  FirstFamily first_family = FirstFamily::as_looked_up;

  static constexpr Duration least_attempt_delay = 10ms;
  static constexpr Duration most_attempt_delay = 1min;
  static constexpr std::size_t most_addresses = 64;
  static constexpr std::size_t most_host_bytes = 255;

  /// "broker.example:61613", for logs and reasons.
  std::string text() const;
  /// "field: what is wrong" for every setting that cannot be used. A dialing with faults ends with
  /// "failed" and names them.
  std::vector<std::string> faults() const;
};

}  // namespace hawser
