// Every bound and deadline of one connection, with its default. Public; plain value.
#pragma once

#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser {

/// What the end of the peer's bytes (its half-close) means.
enum class HalfClose : std::uint8_t {
  /// The connection ends: handle_disconnect, what is queued is still sent, reason closed.
  end,
  /// handle_end is called and the connection goes on sending until the handler stops it. For a
  /// handler without handle_end this is the same as `end`.
  allow,
};

/// What becomes of packets for a peer that reads too slowly: of those that are to be sent while the
/// unsent bytes are at the high-water mark. (Handlers that only answer need none of this: at that
/// mark the connection stops reading, and so nothing new is asked of them.)
enum class SlowPeer : std::uint8_t {
  wait,         ///< they are queued, up to send_limit; beyond it the connection is reset
  drop_oldest,  ///< they wait beside the queue, at most slow_packets; the oldest of those goes
  drop_newest,  ///< the same, but the newest is not taken
  end,          ///< the connection is reset at the high-water mark
};

/// A duration of zero switches a deadline off.
struct ConnectionOptions {
  /// Packets without end: the handler is fed as they come.
  static constexpr std::uint32_t unlimited = UINT32_MAX;

  /// From the accept (or the connect) until the last transport is through its handshake, and again
  /// for a transport that is pushed later; then the connection ends with reason timeout.
  Duration handshake_timeout = 10s;
  /// From the first byte of a packet to its last. Runs only while an unfinished packet is held and
  /// we are reading; when it passes, the connection ends with reason timeout.
  Duration packet_timeout = 10s;
  /// Nothing sent and nothing received for so long ends the connection with reason timeout. Only
  /// the network counts, not messages of this program.
  Duration idle_timeout = 0s;
  /// The peer takes none of the bytes we have for it for so long (noticed within a quarter more):
  /// reset, reason timeout.
  Duration write_deadline = 30s;
  /// What is still unsent when a connection ends gets so long to leave.
  Duration flush_deadline = 5s;

  /// Unsent bytes at which the connection stops reading, and to which they must fall before it
  /// reads again.
  std::size_t high_water = std::size_t{1} << 20;
  std::size_t low_water = std::size_t{256} << 10;
  /// Unsent bytes beyond which the connection is reset with reason overloaded: its handler sends on
  /// its own, faster than the peer reads.
  std::size_t send_limit = std::size_t{64} << 20;

  SlowPeer slow_peer = SlowPeer::wait;
  /// drop_oldest, drop_newest: packets that wait beside the queue, at most; they are counted in
  /// ConnectionInfo::dropped when they go.
  std::size_t slow_packets = 1000;

  /// How many packets the handler gets before the connection stops reading until
  /// connection().activate(…). `unlimited`: active; 0: passive, for handlers that receive().
  std::uint32_t active_packets = unlimited;
  /// Packets handed to the handler before other processes get their turn.
  std::uint32_t packets_per_turn = 1000;
  /// Bytes of an unfinished packet that are held at most, for framings without a maximum of their
  /// own (custom); beyond it the connection ends with reason protocol_error.
  std::size_t unfinished_limit = std::size_t{17} << 20;

  HalfClose half_close = HalfClose::end;

  /// "name: what is wrong" for each setting that cannot be used, none when all is well.
  std::vector<std::string> faults() const;
};

}  // namespace hawser
