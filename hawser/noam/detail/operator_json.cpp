// Objects written member by member.
#include <hawser/noam/detail/operator_json.hpp>

#include <hawser/net/http_reader.hpp>
#include <hawser/noam/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>
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

/// "2026-11-21T00:11:04.250Z", as a browser reads it.
std::string iso_text(WallTime at) {
  const std::string text = utc_text(at);
  return fmt::format("{}T{}.{:03}Z", text.substr(0, 10), text.substr(11, 8),
                     milliseconds(at) % 1'000);
}

std::string list_json(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    append_json_string(out, item);
  }
  return out + "]";
}

/// The original calls a lemma `spalla_id` in one list and `name` in the other.
std::string player_json(const Player& player, std::string_view called) {
  return Object()
      .text(called, player.name)
      .text("device_type", player.dialect)
      .text("last_activity", iso_text(player.last_activity_time))
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

/// What a browser shows of a value: text as it is, all else as JSON.
std::string shown(BytesView value) {
  return url_encode(json_to_string(value).value_or(std::string(value)));
}

/// The guests of another host as we show them: marked as taken. What is no object is left out.
void add_others(std::map<std::string, std::string>& others, BytesView guests) {
  json_members(guests, [&](BytesView name, BytesView guest) {
    if (!guest.starts_with('{')) return;
    std::string json(guest.substr(0, guest.size() - 1));
    const bool empty = json.find_first_not_of("{ \t\r\n") == std::string::npos;
    json += fmt::format("{}\"otherguesttype\":\"Grabbed\"}}", empty ? "" : ",");
    // Two hosts may have guests of one name: neither's list is harmed, the first is shown.
    others.try_emplace(json_to_string(name).value_or(""), std::move(json));
  });
}

}  // namespace

std::int64_t milliseconds(WallTime at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

std::string settings_json(const Room& room) {
  return Object().raw("on", room.on() ? "true" : "false").text("name", room.room()).done();
}

namespace {
Object free_lemma(const FreeLemma& lemma) {
  return Object()
      .text("name", lemma.name)
      .text("desired_room_name", lemma.room)
      .text("device_type", lemma.dialect)
      .text("system_version", lemma.version)
      .text("ip", lemma.from.host())
      .number("port", lemma.from.port())
      .text("last_activity_timestamp", utc_text(lemma.seen_time));
}
}  // namespace

std::string free_lemma_json(const FreeLemma& lemma) { return free_lemma(lemma).done(); }

std::string refresh_json(const Room& room, std::string_view type, WallTime now) {
  Object players;
  for (const auto& [name, connection] : room.names())
    players.raw(name, player_json(*room.player(name), "spalla_id"));
  Object events;
  for (const auto& [topic, senders] : room.last_values()) {
    Object of_topic;
    for (const auto& [sender, last] : senders) {
      of_topic.raw(sender, Object()
                               .text("value_escaped", shown(last.event->value()))
                               .text("timestamp", iso_text(last.at))
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
  bool chosen = false;
  const std::string types = form_value(query, "types", &chosen);
  const auto wanted = [&](std::string_view what) {
    return !chosen || types.find(what) != std::string::npos;
  };
  Object object;
  if (wanted("free")) {
    std::vector<Entry> entries;
    for (const auto& [name, lemma] : room.free_lemmas())
      if (lemma.room.empty() || lemma.room == room.room())
        entries.emplace_back(name, free_lemma_json(lemma));
    object.raw("guests-free", ordered(std::move(entries), query, "guests-free"));
  }
  if (wanted("owned")) {
    std::vector<Entry> entries;
    for (const auto& [name, connection] : room.names())
      entries.emplace_back(name, player_json(*room.player(name), "name"));
    object.raw("guests-owned", ordered(std::move(entries), query, "guests-owned"));
  }
  if (wanted("other")) {
    std::map<std::string, std::string> others;
    for (const auto& [name, peer] : room.peers()) add_others(others, peer.guests);
    for (const auto& [name, lemma] : room.free_lemmas()) {
      if (lemma.room.empty() || lemma.room == room.room()) continue;
      others.try_emplace(name, free_lemma(lemma).text("otherguesttype", "Free").done());
    }
    Object list;
    for (const auto& [name, json] : others) list.raw(name, json);
    object.raw("guests-other", list.done());
  }
  if (!type.empty()) object.text("type", type);
  return object.number("time", milliseconds(now)).done();
}

}  // namespace hawser::noam::detail
