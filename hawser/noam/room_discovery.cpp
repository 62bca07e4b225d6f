// Marcos and beacons, time, and what the operator may do.
#include <hawser/noam/json.hpp>
#include <hawser/noam/room.hpp>

#include <hawser/base/utf8.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace hawser::noam {

std::string utc_text(WallTime at) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(at)));
}

void Room::datagram(const Address& from, BytesView bytes, Now now) {
  if (!on_) return;
  auto message = decode(bytes, options_->messages);
  if (message) {
    if (auto* called = std::get_if<Marco>(&*message)) {
      marco(from, std::move(called->name), std::move(called->room), std::move(called->dialect),
            std::move(called->version), now);
      return;
    }
    if (auto* told = std::get_if<ServerBeacon>(&*message)) {
      beacon(from, std::move(*told), now);
      return;
    }
  }
  ++counts_.ignored;
}

/// The table of section 3.2.
void Room::marco(const Address& from, std::string name, std::string room, std::string dialect,
                 std::string version, Now now) {
  const bool ours = !room_.empty() && room == room_;
  const bool grabbed_guest = room.empty() && is_grabbed(name);
  if (ours) {
    remember_grabbed(name, now);
    free_.erase(name);
  } else if (free_.contains(name) || free_.size() < options_->free_guests) {
    const bool is_new = !free_.contains(name);
    FreeLemma& lemma = free_[name];
    lemma = {name,      std::move(room), std::move(dialect), std::move(version), from,
             now.clock, now.wall};
    if (is_new) guests_changed_ = now.wall;
  }
  if ((ours || grabbed_guest) && tcp_port_ != 0)
    port_->send_datagram(from, encode(Polo{room_, tcp_port_}));
}

void Room::remember_grabbed(const std::string& name, Now now) {
  if (!grabbed_.insert(name).second) return;
  grabbed_order_.push_back(name);
  guests_changed_ = now.wall;
  while (grabbed_.size() > options_->grabbed) {
    grabbed_.erase(grabbed_order_.front());
    grabbed_order_.pop_front();
  }
}

void Room::beacon(const Address& from, ServerBeacon message, Now now) {
  // Our own come back to us; hosts of one room ignore each other's lists.
  if (message.room == room_) return;
  const auto known = peers_.find(message.room);
  if (known == peers_.end() && peers_.size() >= options_->peers) return;
  const bool news = known == peers_.end() || known->second.last_modified != message.last_modified;
  PeerHost& peer = peers_[message.room];
  peer.room = message.room;
  peer.http = from.with_port(message.http_port);
  peer.last_modified = std::move(message.last_modified);
  peer.seen = now.clock;
  if (!news) return;
  guests_changed_ = now.wall;
  fetch_all();
}

void Room::fetch_all() {
  for (const auto& [room, peer] : peers_) port_->fetch_guests(peer);
}

void Room::guests_fetched(std::string_view room, std::string guests, Now now) {
  const auto peer = peers_.find(room);
  if (peer == peers_.end() || peer->second.guests == guests) return;
  peer->second.guests = std::move(guests);
  guests_changed_ = now.wall;
}

void Room::tick(Now now) {
  // Nobody has come or gone yet: since we began.
  if (last_modified_ == WallTime{}) last_modified_ = now.wall;
  if (on_ && options_->beacons && http_port_ != 0)
    port_->send_beacon(encode(ServerBeacon{room_, http_port_, utc_text(last_modified_)}));

  const auto is_stale = [&](const auto& entry) {
    return now.clock - entry.second.seen > options_->stale;
  };
  if (std::erase_if(free_, is_stale) != 0) guests_changed_ = now.wall;
  if (std::erase_if(peers_, is_stale) != 0) {
    guests_changed_ = now.wall;
    fetch_all();
  }

  std::vector<Pid> silent;
  for (const auto& [name, id] : names_) {
    const Player& player = *connections_.at(id).player;
    if (player.heartbeat <= Duration::zero()) continue;
    const auto allowed =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(
            options_->heartbeat_factor * static_cast<double>(player.heartbeat.count())));
    if (now.clock - player.last_activity > allowed) silent.push_back(id);
  }
  for (const Pid id : silent) drop(id, Reason::timeout("no heart-beat of it has come"), now);
}

// ---- the operator
// -------------------------------------------------------------------------------------

Result<void> Room::set_room(std::string room, Now now) {
  if (!fits_polo(room)) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "room",
                                 "its polo has more than 127 bytes: a shorter name is needed"});
  }
  if (!is_utf8(room))
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "room", "not UTF-8"});
  if (room == room_) return {};
  room_ = std::move(room);
  grabbed_.clear();
  grabbed_order_.clear();
  drop_everybody(Reason::custom("the room has another name now"), now);
  guests_changed_ = now.wall;
  return {};
}

void Room::set_on(bool on, Now now) {
  if (std::exchange(on_, on) == on) return;
  if (!on && options_->policy.off == WhenOff::close)
    drop_everybody(Reason::custom("the host was switched off"), now);
  guests_changed_ = now.wall;
}

bool Room::grab(const std::string& name, Now now) {
  if (!free_.contains(name)) return false;
  remember_grabbed(name, now);
  guests_changed_ = now.wall;
  return true;
}

bool Room::free(const std::string& name, Now now) {
  const bool was_grabbed = grabbed_.erase(name) != 0;
  std::erase(grabbed_order_, name);
  const auto registered = names_.find(name);
  const bool was_there = registered != names_.end();
  if (was_there) drop(registered->second, Reason::custom("the operator has freed it"), now);
  if (was_grabbed || was_there) guests_changed_ = now.wall;
  return was_grabbed || was_there;
}

void Room::play(BytesView topic, BytesView text, Now now) {
  const std::string sender = json_string(operator_name);
  const std::string topic_json = json_string(topic);
  const std::string value = json_string(text);
  if (const auto event = RelayedEvent::make({sender, topic_json, value}, true)) relay(event, now);
}

}  // namespace hawser::noam
