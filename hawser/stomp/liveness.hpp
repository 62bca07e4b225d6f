// Whether the other side of a STOMP connection lives, and when to show it that we do
// (stomp.md 2.9). Public; plain values without a clock of their own. A client's session has one, be
// it raw or not.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/stomp/heartbeat.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace hawser::stomp {

struct LivenessOptions {
  /// Heart-beats leave after this part of the agreed interval since the last octet written, or so
  /// long before its end, whichever is later: after 0.5 s of 1, after 8 s of 10.
  double send_factor = 0.5;
  Duration send_margin = 2s;
  /// The other side is dead after so many silent intervals and this much more (S-16). Who looks
  /// once an interval whether he has written since, as ActiveMQ does, is silent for two of them.
  double receive_factor = 2.0;
  Duration receive_grace = 1s;
};

class Liveness {
 public:
  explicit Liveness(const LivenessOptions& options, Instant now) noexcept
      : options_(&options), received_(now), written_(now) {}

  /// What holds from here on; counted from the last octets.
  void agree(HeartbeatPlan plan) noexcept;
  const HeartbeatPlan& plan() const noexcept { return plan_; }

  /// Any octet counts, also one in the midst of a frame (P-28).
  void received(Instant now) noexcept {
    received_ = now;
    suspect_ = false;
  }
  void wrote(Instant now) noexcept { written_ = now; }

  struct Look {
    Instant next = Instant::never();    ///< when to look again
    bool beat = false;                  ///< a heart-beat is due; it counts as written
    std::optional<std::string> dead{};  ///< why the other side is given up
  };
  /// When this look comes late (the machine slept, the thread was busy), what the other side has
  /// sent meanwhile lies unread: nobody is dead before it could be read. After a jump of more than
  /// three intervals one look is all the time there is: the other side has given us up.
  Look look(Instant now);

  std::uint64_t beats() const noexcept { return beats_; }

 private:
  Duration silence() const noexcept;

  const LivenessOptions* options_;
  HeartbeatPlan plan_{};
  Instant received_;
  Instant written_;
  Instant planned_ = Instant::never();  // when we wanted to look
  std::uint64_t beats_ = 0;
  bool suspect_ = false;  // dead if nothing was there to be read
  Instant suspect_until_;
};

}  // namespace hawser::stomp
