// The two directions of heart-beats against the clock.
#include <hawser/stomp/liveness.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser::stomp {
namespace {

/// For what the kernel has to be read: enough for one turn of the engine.
constexpr Duration one_turn = 10ms;

}  // namespace

void Liveness::agree(HeartbeatPlan plan) noexcept {
  plan_ = plan;
  planned_ = Instant::never();
  suspect_ = false;
}

Duration Liveness::silence() const noexcept {
  return scaled(plan_.receive_every, options_->receive_factor) + options_->receive_grace;
}

Liveness::Look Liveness::look(Instant now) {
  Look look;
  const Duration late =
      planned_ == Instant::never() || now < planned_ ? Duration::zero() : now - planned_;
  if (plan_.receive_every.count() > 0) {
    const Duration every = plan_.receive_every;
    const Instant end = received_ + silence();
    const bool jumped = late > 3 * every && now - received_ > 3 * every;
    const bool over = suspect_ ? now >= suspect_until_ : now >= end || jumped;
    if (over && (suspect_ || late < every / 4)) {
      look.dead = fmt::format("heart-beat: nothing came for {} s", to_seconds(now - received_));
      return look;
    }
    if (over) {
      suspect_ = true;
      suspect_until_ = now + one_turn;
    }
    look.next = suspect_ ? suspect_until_ : end;
  }
  if (plan_.send_every.count() > 0) {
    const Duration interval =
        beat_after(plan_.send_every, options_->send_factor, options_->send_margin);
    if (now >= written_ + interval) {
      look.beat = true;
      written_ = now;
      ++beats_;
    }
    look.next = std::min(look.next, written_ + interval);
  }
  planned_ = look.next;
  return look;
}

}  // namespace hawser::stomp
