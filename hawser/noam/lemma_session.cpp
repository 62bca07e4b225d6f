// The states of a lemma: discovering, connecting, registering, connected, waiting, and round again.
#include <hawser/noam/json.hpp>
#include <hawser/noam/lemma_session.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace hawser::noam {

LemmaSession::LemmaSession(const LemmaOptions& options, Port& port, Random& random)
    : options_(&options),
      port_(&port),
      random_(&random),
      policy_(options.backoff),
      marco_(encode(Marco{options.guest, options.room, options.dialect, options.version})),
      hears_(options.hears.begin(), options.hears.end()) {
  if (auto beat = frame(encode(Heartbeat{options.guest}))) heartbeat_ = Payload(*beat);
}

void LemmaSession::start(Instant now) {
  running_ = true;
  search(now);
}

void LemmaSession::stop() {
  if (!std::exchange(running_, false)) return;
  due_ = Instant::never();
  state_ = LemmaState::waiting;
  port_->close_links();
  doubt();
}

void LemmaSession::network_changed(Instant now) {
  if (running_ && state_ == LemmaState::discovering) send_marco(now);
}

// ---- to a host
// --------------------------------------------------------------------------------------

void LemmaSession::search(Instant now) {
  if (options_->host) {
    connect_to(*options_->host, now);
    return;
  }
  host_ = {};
  change(LemmaState::discovering);
  if (running_) send_marco(now);
}

void LemmaSession::send_marco(Instant now) {
  ++counts_.marcos;
  // Many lemmas of one room that was switched on must not all ask at once, for ever.
  const Duration jitter{static_cast<std::int64_t>(
      random_->unit() * 0.25 * static_cast<double>(options_->marco_period.count()))};
  due_ = now + (options_->marco_period - jitter);
  port_->send_marco(marco_.view());
}

void LemmaSession::datagram(const Address& from, BytesView bytes, Instant now) {
  // The first polo counts; what comes later, again or from elsewhere, finds another state.
  if (!running_ || state_ != LemmaState::discovering) return;
  const auto message = decode(bytes);
  const auto* polo = message ? std::get_if<Polo>(&*message) : nullptr;
  if (polo == nullptr) return;
  if (!options_->room.empty() && polo->room != options_->room) return;
  const bool web = options_->transport == LemmaTransport::websocket;
  connect_to(from.with_port(web ? options_->websocket_port : polo->port), now);
}

void LemmaSession::connect_to(const Address& host, Instant now) {
  host_ = host;
  due_ = now + options_->connect_timeout;
  change(LemmaState::connecting);
  if (!running_) return;
  if (options_->transport == LemmaTransport::tcp) {
    // It must listen before the host learns of the port.
    const auto port = port_->open_callback();
    if (!port) {
      lose(Reason::failed("no port to listen on for the host's connection"), now);
      return;
    }
    callback_port_ = *port;
  }
  port_->connect(host);
}

void LemmaSession::connected(Instant now) {
  if (!running_ || state_ != LemmaState::connecting) return;
  const bool web = options_->transport == LemmaTransport::websocket;
  const auto framed = frame(encode(options_->registration(web ? 0 : callback_port_)));
  if (!framed) {
    lose(Reason::failed(framed.error().text()), now);
    return;
  }
  outstanding_ = 0;
  const Payload registration(*framed);
  outstanding_ += registration.size();
  port_->write(registration);
  if (web) {
    stand(now);
    return;
  }
  due_ = now + options_->callback_timeout;
  change(LemmaState::registering);
}

bool LemmaSession::reversed(const Address& peer, Instant now) {
  if (!running_) return false;
  // Before we have said who we are nobody can have a reason to come.
  if (state_ != LemmaState::registering && state_ != LemmaState::connected) return false;
  if (options_->callback_from_host && peer.host() != host_.host()) return false;
  if (state_ == LemmaState::registering) stand(now);
  return running_;
}

void LemmaSession::stand(Instant now) {
  ++counts_.connects;
  policy_.connected(now);
  due_ = Instant::never();
  heard_at_ = now;
  confirmed_ = sent_;
  beats_.clear();
  change(LemmaState::connected);
  if (!running_ || state_ != LemmaState::connected) return;
  beat(now);
  drain();
}

// ---- connected
// --------------------------------------------------------------------------------------

void LemmaSession::beat(Instant now) {
  beat_due_ = now + options_->heartbeat;
  // One on its way says all that a second behind the same event could.
  if (beats_.size() < 1'000) beats_.push_back(sent_);
  outstanding_ += heartbeat_.size();
  port_->write(heartbeat_);
}

void LemmaSession::confirm(Instant now) {
  if (running_ && state_ == LemmaState::connected && confirmed_ < sent_) beat(now);
}

void LemmaSession::received(BytesView json, Instant now) {
  if (!running_ || state_ != LemmaState::connected) return;
  heard_at_ = now;
  if (json.empty()) return;  // a frame of nothing is a sign of life
  if (const auto event = decode_event(json)) {
    std::string scratch;
    const auto topic = json_string_view(event->topic, scratch);
    if (!topic || !hears_.contains(*topic)) {
      ++counts_.oddities;
      port_->odd(Oddity::wrong_topic);
      return;
    }
    ++counts_.heard;
    port_->heard(*event, *topic);
    return;
  }
  const auto message = decode(json);
  const auto* ack = message ? std::get_if<HeartbeatAck>(&*message) : nullptr;
  if (ack == nullptr) {
    ++counts_.oddities;
    port_->odd(Oddity::no_message);
  } else if (ack->name != options_->guest) {
    ++counts_.oddities;
    port_->odd(Oddity::wrong_guest);
  } else if (!beats_.empty()) {
    // Hosts handle what we send in order: all before this heart-beat has been seen.
    confirmed_ = std::max(confirmed_, beats_.front());
    beats_.pop_front();
  }
}

void LemmaSession::link_lost(const Reason& reason, Instant now) {
  if (!running_) return;
  const bool attempt = state_ == LemmaState::connecting;
  const bool registering = state_ == LemmaState::registering;
  if (!attempt && !registering && state_ != LemmaState::connected) return;
  if (registering && reason.kind() == Reason::Kind::closed) {
    lose(Reason::failed("the host hung up after our registration: it is of another room, or "
                        "switched off, or cannot reach our callback port"),
         now);
    return;
  }
  lose(reason, now);
}

void LemmaSession::lose(const Reason& reason, Instant now) {
  port_->close_links();
  policy_.lost(now);
  doubt();
  const Duration wait = policy_.next(*random_);
  due_ = now + wait;
  change(LemmaState::waiting, reason, wait);
}

void LemmaSession::doubt() {
  outstanding_ = 0;
  beats_.clear();
  beat_due_ = Instant::never();
  if (confirmed_ >= sent_) return;
  const EventLoss loss{EventLoss::Why::in_doubt, confirmed_ + 1, sent_};
  confirmed_ = sent_;
  counts_.in_doubt += loss.count();
  port_->lost(loss);
}

// ---- events
// -----------------------------------------------------------------------------------------

Result<std::uint64_t> LemmaSession::speak(Payload event) {
  const std::uint64_t number = ++spoken_;
  const auto full = [&] {
    return queue_.size() >= options_->queue_events ||
           queue_bytes_ + event.size() > options_->queue_bytes;
  };
  if (event.size() > options_->queue_bytes ||
      (full() && options_->overflow == EventOverflow::drop_newest)) {
    ++counts_.dropped;
    port_->lost({EventLoss::Why::dropped, number, number});
    return std::unexpected(
        Error{ErrorKind::overloaded, 0, "noam speak",
              fmt::format("{} events of {} bytes wait already (queue_events, queue_bytes)",
                          queue_.size(), queue_bytes_)});
  }
  while (full()) drop_oldest();
  queue_bytes_ += event.size();
  queue_.push_back({std::move(event), number});
  drain();
  return number;
}

void LemmaSession::drop_oldest() {
  const std::uint64_t number = queue_.front().number;
  queue_bytes_ -= queue_.front().frame.size();
  queue_.pop_front();
  ++counts_.dropped;
  port_->lost({EventLoss::Why::dropped, number, number});
}

void LemmaSession::drain() {
  while (running_ && state_ == LemmaState::connected && !queue_.empty() &&
         outstanding_ < options_->window) {
    const Waiting event = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= event.frame.size();
    outstanding_ += event.frame.size();
    sent_ = event.number;
    ++counts_.sent;
    port_->write(event.frame);
  }
}

void LemmaSession::written(std::size_t bytes) {
  outstanding_ -= std::min(outstanding_, bytes);
  drain();
}

// ---- time
// -------------------------------------------------------------------------------------------

Instant LemmaSession::tick(Instant now) {
  if (!running_) return Instant::never();
  if (due_ <= now) {
    due_ = Instant::never();
    switch (state_) {
      case LemmaState::discovering:
        send_marco(now);
        break;
      case LemmaState::connecting:
        lose(Reason::timeout(fmt::format("{} did not answer", host_.text())), now);
        break;
      case LemmaState::registering:
        lose(Reason::timeout("the host's own connection did not come"), now);
        break;
      case LemmaState::waiting:
        search(now);
        break;
      case LemmaState::connected:
        break;
    }
  }
  if (state_ == LemmaState::connected) {
    if (now >= heard_at_ + options_->watchdog_after()) {
      lose(Reason::timeout("the host has been silent"), now);
    } else if (beat_due_ <= now) {
      beat(now);
    }
  }
  return next_tick();
}

Instant LemmaSession::next_tick() const noexcept {
  if (!running_) return Instant::never();
  Instant next = due_;
  if (state_ == LemmaState::connected)
    next = std::min({next, beat_due_, heard_at_ + options_->watchdog_after()});
  return next;
}

void LemmaSession::change(LemmaState state) { change(state, {}, {}); }

void LemmaSession::change(LemmaState state, Reason reason, Duration wait) {
  state_ = state;
  port_->changed({state, host_, std::move(reason), wait});
}

LemmaStatus LemmaSession::status() const {
  LemmaStatus status = counts_;
  status.state = state_;
  status.host = host_;
  status.spoken = spoken_;
  status.confirmed = confirmed_;
  status.waiting_events = queue_.size();
  status.waiting_bytes = queue_bytes_;
  return status;
}

}  // namespace hawser::noam
