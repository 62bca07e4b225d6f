// Reads along in CONNECT and CONNECTED what the two agree on.
#include <hawser/stomp/raw_session.hpp>

#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/heartbeat.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::stomp {

RawSession::RawSession(const ClientSessionOptions& options, Port& port, Instant now)
    : options_(&options),
      port_(&port),
      parser_(options.parser),
      liveness_(options.liveness, now),
      started_(now) {}

Result<void> RawSession::write(std::span<const Frame> frames, Instant now) {
  if (ended_)
    return std::unexpected(Error{ErrorKind::closed, 0, "write", "the connection is lost"});
  Bytes out;
  for (const Frame& frame : frames) {
    if (frame.command == Command::connect || frame.command == Command::stomp) {
      const auto ours = parse_heartbeat(frame.first("heart-beat"));
      if (!ours)
        return std::unexpected(
            Error{ErrorKind::invalid_argument, 0, "CONNECT", ours.error().detail});
      ours_ = *ours;
    }
  }
  if (auto done = encode(out, frames, version_, {.content_length = options_->content_length});
      !done)
    return done;
  liveness_.wrote(now);
  port_->write(out);
  return {};
}

void RawSession::received(BytesView octets, Instant now) {
  liveness_.received(now);
  std::vector<Frame> batch;
  const auto flush = [&] {
    if (!batch.empty() && !ended_) port_->frames(batch);
    batch.clear();
  };
  FrameView view;
  while (!ended_) {
    switch (parser_.next(octets, view)) {
      case Step::frame: {
        const bool alone = view.command() == Command::connected || view.command() == Command::error;
        if (alone) flush();
        batch.push_back(view.to_frame());
        if (view.command() == Command::connected && !logged_in_) handle_connected(batch.back());
        if (alone) flush();
        continue;
      }
      case Step::heartbeat:
      case Step::need_more:
        flush();
        return;
      case Step::error:
        flush();
        finish(Reason::protocol_error(parser_.error()->text));
        return;
    }
  }
}

void RawSession::handle_connected(const Frame& frame) {
  const auto version = agreed_version(frame.first("version"), VersionSet::all());
  const auto theirs = parse_heartbeat(frame.first("heart-beat"));
  if (!version || !theirs) {
    finish(Reason::protocol_error(version ? theirs.error().text() : version.error().text()));
    return;
  }
  logged_in_ = true;
  version_ = *version;
  parser_.set_version(version_);
  liveness_.agree(agree(ours_, *theirs));
}

Instant RawSession::tick(Instant now) {
  if (ended_) return Instant::never();
  if (!logged_in_) {
    const Instant deadline = started_ + options_->login_timeout;
    if (now < deadline) return deadline;
    finish(Reason::timeout(
        fmt::format("login: no CONNECTED within {} s", to_seconds(options_->login_timeout))));
    return Instant::never();
  }
  const Liveness::Look look = liveness_.look(now);
  if (look.dead) {
    finish(Reason::timeout(*look.dead));
    return Instant::never();
  }
  if (look.beat) port_->write(heartbeat_octet);
  return look.next;
}

void RawSession::finish(Reason reason) {
  if (std::exchange(ended_, true)) return;
  port_->end(std::move(reason));
}

}  // namespace hawser::stomp
