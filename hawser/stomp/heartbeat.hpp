// The `heart-beat` header and what two of them agree on (stomp.md 2.9). Public; plain values. Who
// sends when, and how long silence is tolerated, is the session's business.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <chrono>
#include <optional>

namespace hawser::stomp {

/// What one side offers: the `cx,cy` of its own CONNECT or CONNECTED, 0 to 2^32 - 1 ms each.
struct Heartbeat {
  std::chrono::milliseconds can_send{0};       ///< shortest interval it can guarantee; 0: cannot
  std::chrono::milliseconds wants_receive{0};  ///< interval it would like; 0: wants none

  /// "10000,10000".
  Bytes to_header() const;

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

/// What holds for the session, seen from one side; 0 means none in that direction.
struct HeartbeatPlan {
  std::chrono::milliseconds send_every{0};     ///< we must send within each interval
  std::chrono::milliseconds receive_every{0};  ///< the other side must

  friend bool operator==(const HeartbeatPlan&, const HeartbeatPlan&) = default;
};

/// Reads a `heart-beat` value; a missing header is `0,0`. Anything but two unsigned decimal numbers
/// of milliseconds with one comma between is a protocol_error.
Result<Heartbeat> parse_heartbeat(std::optional<BytesView> header);

/// Each direction: none if its sender cannot or its receiver does not want to, else the longer one.
HeartbeatPlan agree(const Heartbeat& ours, const Heartbeat& theirs) noexcept;

/// How long after the last octet written a heart-beat leaves: after the part `factor` of the agreed
/// interval, or `margin` before its end, whichever is later. What makes a heart-beat late (a busy
/// machine, segments that are lost and sent again) takes its seconds whatever the interval is; to
/// beat twice in each of long ones, as a mere factor does, is a third of what ten thousand idle
/// connections cost.
Duration beat_after(std::chrono::milliseconds every, double factor, Duration margin) noexcept;

}  // namespace hawser::stomp
