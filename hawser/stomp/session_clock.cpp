// A session's time-outs: login, heart-beats both ways, silence.
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/encoder.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser::stomp {

Instant BrokerSession::tick(Instant now) {
  if (state_ == State::ended) return Instant::never();
  if (state_ == State::login || state_ == State::checking) {
    const Instant deadline = opened_ + options_->login_timeout;
    if (now < deadline) return deadline;
    fail("login timed out",
         state_ == State::login
             ? fmt::format("no whole CONNECT within {} s", to_seconds(options_->login_timeout))
             : fmt::format("the login could not be checked within {} s",
                           to_seconds(options_->login_timeout)),
         {}, Reason::timeout("login"));
    return Instant::never();
  }
  // What it sends lies unread while we do not read.
  if (held_ != 0) last_received_ = now;
  Instant next = Instant::never();
  const bool watched = heartbeats_.receive_every.count() > 0;
  if (watched || options_->idle_timeout > Duration::zero()) {
    const Duration patience =
        watched
            ? scaled(heartbeats_.receive_every, options_->receive_factor) + options_->receive_grace
            : options_->idle_timeout;
    if (calm_ && now >= last_received_ + patience)
      last_received_ = std::max(last_received_, port_->last_arrival().value_or(last_received_));
    const Instant dead = last_received_ + patience;
    if (now >= dead) {
      // What we still write may never be read, and a peer this silent gets no reply: end it.
      state_ = State::ended;
      port_->end(
          Reason::timeout(fmt::format("{}: nothing came for {} s", watched ? "heart-beat" : "idle",
                                      to_seconds(now - last_received_))));
      return Instant::never();
    }
    next = std::min(next, dead);
  }
  if (heartbeats_.send_every.count() > 0) {
    const Duration interval =
        beat_after(heartbeats_.send_every, options_->send_factor, options_->send_margin);
    if (now >= last_written_ + interval) {
      *out_ += heartbeat_octet;
      last_written_ = now;
    }
    next = std::min(next, last_written_ + interval);
  }
  return next;
}

}  // namespace hawser::stomp
