// Objects written member by member.
#include <hawser/noam/detail/operator_json.hpp>

#include <hawser/net/http_reader.hpp>
#include <hawser/noam/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace hawser::noam::detail {

namespace {

/// An object that is being written.
class Object {
 public:
  Object& raw(std::string_view name, std::string_view json) {
    out_ += out_.empty() ? '{' : ',';
    append_json_string(out_, name);
    out_ += ':';
    out_ += json;
    return *this;
  }
  Object& text(std::string_view name, std::string_view value) {
    return raw(name, json_string(value));
  }
  Object& number(std::string_view name, std::int64_t value) {
    return raw(name, fmt::format("{}", value));
  }
  std::string done() { return (out_.empty() ? "{" : out_) + "}"; }

 private:
  std::string out_;
};

std::string list_json(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    append_json_string(out, item);
  }
  return out + "]";
}

std::string player_json(const Player& player) {
  return Object()
      .text("spalla_id", player.name)
      .text("device_type", player.dialect)
      .text("last_activity", utc_text(player.last_activity_time))
      .text("system_version", player.version)
      .raw("hears", list_json(player.hears))
      .raw("plays", list_json(player.plays))
      .text("ip", player.peer.host())
      .text("desired_room_name", player.room)
      .done();
}

using Entry = std::pair<std::string, std::string>;

/// In the order that the query names, by name.
std::string ordered(std::vector<Entry> entries, std::string_view query, std::string_view list) {
  const bool down = form_value(query, fmt::format("{}-order", list)) == "desc";
  std::ranges::sort(entries, {}, &Entry::first);
  if (down) std::ranges::reverse(entries);
  Object object;
  for (const auto& [name, json] : entries) object.raw(name, json);
  return object.done();
}

}  // namespace

std::int64_t milliseconds(WallTime at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

std::string settings_json(const Room& room) {
  return Object().raw("on", room.on() ? "true" : "false").text("name", room.room()).done();
}

std::string free_lemma_json(const FreeLemma& lemma) {
  return Object()
      .text("spalla_id", lemma.name)
      .text("device_type", lemma.dialect)
      .text("last_activity", utc_text(lemma.seen_time))
      .text("system_version", lemma.version)
      .raw("hears", "[]")
      .raw("plays", "[]")
      .text("ip", lemma.from.host())
      .text("desired_room_name", lemma.room)
      .done();
}

std::string refresh_json(const Room& room, std::string_view type, WallTime now) {
  Object players;
  for (const auto& [name, connection] : room.names())
    players.raw(name, player_json(*room.player(name)));
  Object events;
  for (const auto& [topic, senders] : room.last_values()) {
    Object of_topic;
    for (const auto& [sender, last] : senders) {
      of_topic.raw(sender, Object()
                               .text("value", url_encode(last.event->value()))
                               .text("timestamp", utc_text(last.at))
                               .done());
    }
    events.raw(topic, of_topic.done());
  }
  return Object()
      .raw("players", players.done())
      .raw("events", events.done())
      .number("number-played-messages", static_cast<std::int64_t>(room.played()))
      .text("type", type)
      .number("time", milliseconds(now))
      .done();
}

std::string guests_json(const Room& room, std::string_view query, std::string_view type,
                        WallTime now) {
  const std::string types = form_value(query, "types");
  const auto wanted = [&](std::string_view what) { return types.find(what) != std::string::npos; };
  Object object;
  if (wanted("free")) {
    std::vector<Entry> entries;
    for (const auto& [name, lemma] : room.free_lemmas())
      if (lemma.room.empty() && !room.is_grabbed(name))
        entries.emplace_back(name, free_lemma_json(lemma));
    object.raw("guests-free", ordered(std::move(entries), query, "guests-free"));
  }
  if (wanted("owned")) {
    std::vector<Entry> entries;
    for (const auto& [name, connection] : room.names())
      entries.emplace_back(name, player_json(*room.player(name)));
    object.raw("guests-owned", ordered(std::move(entries), query, "guests-owned"));
  }
  if (wanted("other")) {
    Object others;
    for (const auto& [name, peer] : room.peers())
      others.raw(name, peer.guests.empty() ? "{}" : peer.guests);
    object.raw("guests-other", others.done());
  }
  return object.text("type", type).number("time", milliseconds(now)).done();
}

}  // namespace hawser::noam::detail
