// Registrations, relaying, liveness. Discovery and the operator stand in room_discovery.cpp.
#include <hawser/noam/json.hpp>
#include <hawser/noam/room.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::noam {

Room::Room(const HostOptions& options, Port& port)
    : options_(&options),
      port_(&port),
      room_(options.room),
      on_(options.on.value_or(!options.room.empty())) {}

void Room::restore(Settings settings) {
  room_ = std::move(settings.room);
  on_ = settings.on;
}

void Room::listening(std::uint16_t tcp, std::uint16_t http) {
  tcp_port_ = tcp;
  http_port_ = http;
}

Room::Connection* Room::find(Pid id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

const Player* Room::player(std::string_view name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return nullptr;
  return connections_.at(found->second).player.get();
}

// ---- connections
// --------------------------------------------------------------------------------------

bool Room::opened(Pid connection, const Address& peer, LinkKind kind) {
  if (!on_ && options_->policy.off == WhenOff::close) return false;
  Connection& opened = connections_[connection];
  opened.peer = peer;
  opened.kind = kind;
  return true;
}

void Room::closed(Pid connection, Now now) {
  Connection* gone = find(connection);
  if (gone == nullptr) return;
  drop_player(*gone, connection, now);
  connections_.erase(connection);
}

void Room::drop_player(Connection& connection, Pid id, Now now) {
  if (connection.player == nullptr) return;
  const auto player = std::move(connection.player);
  names_.erase(player->name);
  for (const std::string& topic : player->hears) {
    const auto hearers = topics_.find(topic);
    if (hearers == topics_.end()) continue;
    std::erase_if(hearers->second.ears, [&](const auto& ear) { return ear.first == id; });
    if (hearers->second.ears.empty()) topics_.erase(hearers);
  }
  // Over WebSocket events go the way they come.
  if (player->ear && player->ear != id) {
    ear_owners_.erase(player->ear);
    port_->close_ear(player->ear);
  }
  lemmas_changed(now);
}

void Room::drop(Pid id, const Reason& why, Now now) {
  Connection* dropped = find(id);
  if (dropped == nullptr) return;
  drop_player(*dropped, id, now);
  connections_.erase(id);
  port_->close(id, why);
}

void Room::drop_everybody(const Reason& why, Now now) {
  std::vector<Pid> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(id);
  std::ranges::sort(all);  // the same order in every run
  for (const Pid id : all) drop(id, why, now);
}

void Room::ear_lost(Pid ear, const Reason& why, Now now) {
  const auto owner = ear_owners_.find(ear);
  if (owner == ear_owners_.end()) return;
  const Pid id = owner->second;
  // It is gone already, not to be closed.
  ear_owners_.erase(owner);
  Connection* const connection = find(id);
  if (connection == nullptr || connection->player == nullptr) return;
  connection->player->ear = {};
  drop(id, Reason::failed("its own connection: " + why.text()), now);
}

// ---- registrations
// ------------------------------------------------------------------------------------

void Room::registered(Pid id, Registration message, Now now) {
  Connection* const connection = find(id);
  if (connection == nullptr) return;
  if (!on_) {
    ++counts_.ignored;
    return;
  }
  const auto asked = free_.find(message.name);
  const std::string wanted = asked == free_.end() ? room_ : asked->second.room;
  const auto refuse = [&](std::string why) {
    ++counts_.ignored;
    port_->log(
        fmt::format("\"{}\" of {} is not let in: {}", message.name, connection->peer.text(), why));
    drop(id, Reason::failed(std::move(why)), now);
  };
  if (!wanted.empty() && wanted != room_)
    return refuse(fmt::format("it wants the room \"{}\"", wanted));
  if (asked == free_.end() && !options_->policy.without_marco && !is_grabbed(message.name))
    return refuse("no marco of it came before");
  if (wanted.empty() && !options_->policy.ungrabbed_guests && !is_grabbed(message.name))
    return refuse("it is a free guest that nobody has asked in");
  const bool is_tcp = connection->kind == LinkKind::tcp;
  if (is_tcp && (message.callback_port < 1 || message.callback_port > 65'535))
    return refuse(fmt::format("nobody can be called back at port {}", message.callback_port));
  const auto holder = names_.find(message.name);
  const bool known = holder != names_.end();
  if (!known && connection->player == nullptr && names_.size() >= options_->lemmas)
    return refuse(fmt::format("there are {} lemmas already (limit `lemmas`)", names_.size()));

  // The newest of a name wins, whatever the two hear; what ends the older one later finds nothing.
  if (known && holder->second != id)
    drop(holder->second, Reason::failed("a newer lemma has the same name"), now);
  drop_player(*connection, id, now);
  if (asked != free_.end()) free_.erase(asked);

  auto player = std::make_unique<Player>();
  player->name = std::move(message.name);
  player->room = wanted;
  player->dialect = std::move(message.dialect);
  player->version = std::move(message.version);
  player->hears = std::move(message.hears);
  player->plays = std::move(message.plays);
  player->peer = connection->peer;
  player->heartbeat = message.heartbeat;
  player->heartbeat_ack = message.heartbeat_ack;
  player->last_activity = now.clock;
  player->last_activity_time = now.wall;
  if (is_tcp) {
    const auto port = static_cast<std::uint16_t>(message.callback_port);
    player->ear = port_->open_ear(connection->peer.with_port(port), player->dialect == "arduino");
    if (!player->ear) {
      message.name = std::move(player->name);
      return refuse("the connection to it cannot be begun");
    }
    ear_owners_[player->ear] = id;
  } else {
    player->ear = id;
  }
  names_[player->name] = id;
  for (const std::string& topic : player->hears) topics_[topic].ears.emplace_back(id, player->ear);
  connection->player = std::move(player);
  lemmas_changed(now);
}

void Room::lemmas_changed(Now now) {
  guests_changed_ = now.wall;
  plays_changed_ = now.wall;
  last_modified_ = now.wall;
}

// ---- events
// -------------------------------------------------------------------------------------------

void Room::event(Pid id, const std::shared_ptr<const RelayedEvent>& event, Now now) {
  Connection* const connection = find(id);
  if (connection == nullptr || !on_) {
    ++counts_.ignored;
    return;
  }
  Player* const player = connection->player.get();
  if (player == nullptr) {
    if (!options_->policy.unregistered_publishers) {
      ++counts_.ignored;
      return;
    }
    relay(event, now);
    return;
  }
  player->last_activity = now.clock;
  player->last_activity_time = now.wall;
  note_play(*player, event->topic());
  if (event->sender() == player->name || options_->policy.sender == SenderCheck::force) {
    if (event->sender() == player->name) {
      relay(event, now);
      return;
    }
    std::string scratch;
    const std::string sender = json_string(event->sender());
    const std::string topic = json_string(event->topic());
    const auto forced =
        RelayedEvent::make({sender, topic, event->value()}, options_->policy.ascii, &player->name);
    if (forced != nullptr) relay(forced, now);
    return;
  }
  if (!std::exchange(connection->told_of_sender, true))
    port_->log(fmt::format("\"{}\" plays events as \"{}\"", player->name, event->sender()));
  if (options_->policy.sender == SenderCheck::drop) {
    ++counts_.ignored;
    return;
  }
  relay(event, now);
}

/// What it plays is shown to the operator. Most play the same again and again.
void Room::note_play(Player& player, const std::string& topic) {
  std::vector<std::string>& plays = player.plays;
  if (player.last_play < plays.size() && plays[player.last_play] == topic) return;
  const auto known = std::ranges::find(plays, topic);
  player.last_play = static_cast<std::size_t>(known - plays.begin());
  if (known == plays.end() && plays.size() < options_->messages.topics) plays.push_back(topic);
}

void Room::relay(const std::shared_ptr<const RelayedEvent>& event, Now now) {
  ++counts_.events;
  plays_changed_ = now.wall;
  remember_value(event, now);
  const auto hearers = topics_.find(event->topic());
  if (hearers == topics_.end()) return;
  counts_.deliveries += hearers->second.ears.size();
  for (const auto& [connection, ear] : hearers->second.ears)
    port_->deliver(ear, ear == connection ? LinkKind::websocket : LinkKind::tcp, event);
}

void Room::remember_value(const std::shared_ptr<const RelayedEvent>& event, Now now) {
  if (options_->last_values == 0) return;
  auto topic = last_values_.find(event->topic());
  if (topic == last_values_.end()) topic = last_values_.try_emplace(event->topic()).first;
  auto value = topic->second.find(event->sender());
  if (value == topic->second.end()) {
    value = topic->second.try_emplace(event->sender()).first;
    value->second.place = values_by_age_.insert(values_by_age_.end(), &value->second);
  } else {
    value_bytes_ -= value->second.event->framed().size();
    values_by_age_.splice(values_by_age_.end(), values_by_age_, value->second.place);
  }
  value->second.event = event;
  value->second.at = now.wall;
  value_bytes_ += event->framed().size();
  while (values_by_age_.size() > options_->last_values || value_bytes_ > options_->last_value_bytes)
    forget_oldest_value();
}

void Room::forget_oldest_value() {
  const auto event = values_by_age_.front()->event;
  values_by_age_.pop_front();
  value_bytes_ -= event->framed().size();
  const auto topic = last_values_.find(event->topic());
  topic->second.erase(event->sender());
  if (topic->second.empty()) last_values_.erase(topic);
}

void Room::heartbeat(Pid id, BytesView name, Now now) {
  Connection* const connection = find(id);
  Player* const player = connection == nullptr ? nullptr : connection->player.get();
  // Nobody can keep another one alive, or make the host answer to somebody who did not ask.
  if (player == nullptr || !on_ || name != player->name) {
    ++counts_.ignored;
    return;
  }
  player->last_activity = now.clock;
  player->last_activity_time = now.wall;
  if (player->heartbeat_ack) port_->acknowledge(player->ear, connection->kind, player->name);
}

HostStatus Room::status() const {
  HostStatus status = counts_;
  status.room = room_;
  status.on = on_;
  status.lemmas = names_.size();
  status.free_guests = free_.size();
  status.peers = peers_.size();
  return status;
}

}  // namespace hawser::noam
