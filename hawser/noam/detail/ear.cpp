// Frames into messages for the room, and the room's events into frames.
#include <hawser/noam/detail/ear.hpp>

#include <hawser/net/client_connection.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace hawser::noam::detail {

namespace {
constexpr std::string_view registration_timer = "registration";
}

EarFeed::EarFeed(std::shared_ptr<const HostOptions> options, LinkKind kind, bool attenuated)
    : options_(std::move(options)),
      queue_(*options_, attenuated),
      kind_(kind),
      open_(kind == LinkKind::websocket) {}

void EarFeed::open() {
  open_ = true;
  flush();
}

Next EarFeed::deliver(DeliverEvent message) {
  // Most events find nothing before them.
  if (open_ && queue_.passes(message.event->framed().size()) &&
      connection().unsent() < connection().options().high_water) [[likely]] {
    send(*message.event);
    return keep();
  }
  if (!queue_.add(std::move(message.event), self().now()))
    return stop(Reason::overloaded("the lemma reads too slowly (ear_events, ear_bytes)"));
  flush();
  arm();
  return keep();
}

Next EarFeed::acknowledge(Acknowledge message) {
  if (!queue_.add_ack(std::move(message.json)))
    return stop(Reason::overloaded("the lemma reads too slowly (ear_events, ear_bytes)"));
  flush();
  return keep();
}

Next EarFeed::tick() {
  bool fits = true;
  queue_.tick(self().now(), fits);
  if (!fits) return stop(Reason::overloaded("the lemma reads too slowly (ear_events, ear_bytes)"));
  flush();
  arm();
  return keep();
}

void EarFeed::arm() {
  const Instant next = queue_.next_tick();
  if (next == Instant::never() || self().timer_left(attenuation_timer)) return;
  self().start_timer(attenuation_timer, std::max(next - self().now(), Duration::zero()));
}

void EarFeed::flush() {
  if (!open_) return;
  Connection& to = connection();
  const std::size_t mark = to.options().high_water;
  while (!queue_.empty() && to.unsent() < mark) {
    send(queue_.front());
    queue_.pop();
  }
}

void EarFeed::send(const EarQueue::Item& item) {
  if (item.event) {
    send(*item.event);
    return;
  }
  Connection& to = connection();
  if (kind_ == LinkKind::tcp) {
    (void)to.send_packet(frame_head(item.ack.size()) + item.ack);
  } else {
    (void)to.send_packet(frame_head(item.ack.size()));
    (void)to.send_packet(item.ack);
  }
}

void EarFeed::send(const RelayedEvent& event) {
  // An error ends the connection, which tells the reason by itself.
  Connection& to = connection();
  if (kind_ == LinkKind::tcp) {
    (void)to.send_packet(event.framed());
    return;
  }
  // Two messages a frame: one lemma puts them together, another one reads each on its own.
  (void)to.send_packet(event.digits());
  (void)to.send_packet(event.message());
}

void Ear::handle_connect() { feed_.open(); }

std::string Ear::describe() const {
  return fmt::format("{} events wait, {} dropped", feed_.waiting(), feed_.dropped());
}

// ---- from a lemma
// -------------------------------------------------------------------------------------

Next HostConnection::init() {
  const auto peer = connection().peer();
  if (!peer) return stop(Reason::failed(peer.error().text()));
  room_ = Ref<RoomProcess>(self().whereis(room_name_));
  if (!room_.cast(Opened{self().pid(), *peer, kind_}))
    return stop(Reason::failed("the room is not there"));
  self().start_timer(registration_timer, options_->registration_timeout);
  return keep();
}

void HostConnection::handle_packet(Packet json) {
  if (options_->policy.unregistered_publishers) stays();
  if (json.empty()) return;
  const Pid here = self().pid();
  auto message = decode(json, options_->messages);
  if (!message) {
    ++ignored_;
    return;
  }
  if (const auto* event = std::get_if<EventView>(&*message)) {
    if (auto relayed = RelayedEvent::make(*event, options_->policy.ascii)) {
      room_.cast(Plays{here, std::move(relayed)});
      return;
    }
    ++ignored_;
  } else if (auto* beat = std::get_if<Heartbeat>(&*message)) {
    room_.cast(Beats{here, std::move(beat->name)});
  } else if (auto* registration = std::get_if<Registration>(&*message)) {
    stays();
    room_.cast(Registers{here, std::move(*registration)});
  } else {
    ++ignored_;
  }
}

void HostConnection::handle_passive() { room_.cast(Waits{self().pid()}); }

/// Whoever registers stays, or is sent away by the room.
void HostConnection::stays() {
  if (!std::exchange(may_stay_, true)) self().process().cancel_timer(registration_timer);
}

Next HostConnection::handle_timer(std::string_view timer) {
  if (timer == attenuation_timer) return feed_.tick();
  return stop(Reason::timeout("no registration came within registration_timeout"));
}

std::string HostConnection::describe() const {
  return fmt::format("{} messages ignored, {} events wait, {} dropped", ignored_, feed_.waiting(),
                     feed_.dropped());
}

}  // namespace hawser::noam::detail
