// The deadlines of a connection, on one timer. The paths that packets take only note when something
// happened; the timer looks at the notes when it fires and arms itself for what is due next.
#include <hawser/net/connection.hpp>

#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser {

void Connection::arm_deadline(Instant at) noexcept {
  if (!armed() || at < deadline()) scheduler().timers().arm(*this, at);
}

void Connection::fire() {
  const ConnectionOptions& limits = options();
  const Instant now = scheduler().now();
  Instant next = Instant::never();
  const auto end = [this](std::string why, bool by_reset) {
    run_callback("deadline", [&] { give_up(Reason::timeout(std::move(why)), by_reset); });
  };

  if (handshaking_ && limits.handshake_timeout > Duration::zero()) {
    const Instant due = packet_begun_ + limits.handshake_timeout;
    if (due <= now) {
      end(fmt::format("handshake_timeout: {} was not through within {} s", stack_->describe(),
                      to_seconds(limits.handshake_timeout)),
          false);
      return;
    }
    next = std::min(next, due);
  }

  if (limits.packet_timeout > Duration::zero() && packet_unfinished()) {
    const Instant due = packet_begun_ + limits.packet_timeout;
    if (due <= now && !handles_packet_timeout()) {
      end(fmt::format("packet_timeout: a packet was not finished within {} s",
                      to_seconds(limits.packet_timeout)),
          false);
      return;
    }
    if (due <= now) {
      // The handler decides: what it does not end gets its time anew. The bytes stay, or what
      // comes later would be read as the beginning of another packet.
      packet_begun_ = now;
      Scheduler& home = scheduler();
      const Pid self = pid();
      run_callback("handle_packet_timeout", [this] { deliver_packet_timeout(kept_); });
      if (home.find(self) != this || over()) return;
      if (packet_unfinished()) next = std::min(next, packet_begun_ + limits.packet_timeout);
    } else {
      next = std::min(next, due);
    }
  }

  const std::size_t waiting = scheduler().engine().unsent(socket_);
  if (limits.write_deadline > Duration::zero() && waiting != 0) {
    const std::uint64_t gone = bytes_out_ - waiting;
    if (gone != sent_mark_) {
      sent_mark_ = gone;
      unsent_since_ = now;
    } else if (unsent_since_ + limits.write_deadline <= now) {
      end(fmt::format("write_deadline: the peer took none of {} bytes for {} s", waiting,
                      to_seconds(limits.write_deadline)),
          true);
      return;
    }
    // In quarters, so that the peer's progress is seen near the time at which it stopped.
    next = std::min({next, now + limits.write_deadline / 4,
                     std::max(unsent_since_ + limits.write_deadline, now + TimerWheel::tick)});
  }

  if (started_ && limits.idle_timeout > Duration::zero()) {
    Instant due = last_traffic_ + limits.idle_timeout;
    if (due <= now && reads()) {
      // What is less than the socket's low water has come, though nobody was told.
      if (const auto arrival = last_arrival()) due = std::max(due, *arrival + limits.idle_timeout);
    }
    if (due <= now) {
      end(fmt::format("idle_timeout: nothing came or went for {} s",
                      to_seconds(limits.idle_timeout)),
          false);
      return;
    }
    next = std::min(next, due);
  }

  if (next != Instant::never()) scheduler().timers().arm(*this, next);
}

}  // namespace hawser
