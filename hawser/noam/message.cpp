// Fields by position, each checked for its kind before it is used (noam.md sections 2 to 6).
#include <hawser/noam/json.hpp>
#include <hawser/noam/message.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

namespace hawser::noam {

namespace {

constexpr std::size_t most_fields = 8;  // of a registration

std::unexpected<Error> wrong(std::string_view message, std::string_view what) {
  return std::unexpected(
      Error{ErrorKind::protocol_error, 0, "noam", fmt::format("{}: {}", message, what)});
}
std::unexpected<Error> too_long(std::string_view message, std::string_view field,
                                std::size_t limit) {
  return std::unexpected(
      Error{ErrorKind::overloaded, 0, "noam",
            fmt::format("{}: {} is over the limit of {}", message, field, limit)});
}

class Fields {
 public:
  Fields(std::string_view message, std::span<const BytesView> fields, const MessageLimits& limits)
      : message_(message), fields_(fields), limits_(limits) {}

  std::size_t count() const noexcept { return fields_.size(); }
  BytesView raw(std::size_t index) const noexcept {
    return index < fields_.size() ? fields_[index] : BytesView("null");
  }

  Result<std::string> name(std::size_t index, std::string_view field) const {
    auto text = json_to_string(raw(index));
    if (!text) return wrong(message_, fmt::format("{} is no string", field));
    if (text->size() > limits_.name) return too_long(message_, field, limits_.name);
    return *std::move(text);
  }
  /// Informational: any JSON, null and nothing for none.
  Result<std::string> note(std::size_t index, std::string_view field) const {
    const BytesView value = raw(index);
    std::string text = json_to_string(value).value_or(value == "null" ? "" : std::string(value));
    if (text.size() > limits_.name) return too_long(message_, field, limits_.name);
    return text;
  }
  Result<std::uint16_t> port(std::size_t index) const {
    const auto number = integer(raw(index));
    if (!number || *number < 1 || *number > 65'535)
      return wrong(message_, "the port is no number from 1 to 65535");
    return static_cast<std::uint16_t>(*number);
  }
  Result<std::vector<std::string>> topics(std::size_t index, std::string_view field) const {
    std::vector<std::string> topics;
    if (raw(index) == "null") return topics;
    const char* fault = nullptr;
    bool too_many = false;
    bool over = false;
    const bool is_list = json_each(raw(index), [&](BytesView element) {
      auto topic = json_to_string(element);
      if (!topic) {
        fault = "holds something that is no string";
      } else if (topic->size() > limits_.topic) {
        over = true;
      } else if (topics.size() == limits_.topics) {
        too_many = true;
      } else {
        topics.push_back(*std::move(topic));
      }
    });
    if (!is_list) fault = "is no list";
    if (fault != nullptr) return wrong(message_, fmt::format("{} {}", field, fault));
    if (over) return too_long(message_, "a topic", limits_.topic);
    if (too_many) return too_long(message_, field, limits_.topics);
    // Once each: a lemma that names a topic twice does not hear it twice.
    std::vector<std::string> unique;
    for (auto& topic : topics)
      if (std::ranges::find(unique, topic) == unique.end()) unique.push_back(std::move(topic));
    return unique;
  }

  static std::optional<std::int64_t> integer(BytesView value) {
    const auto number = json_to_number(value);
    if (!number || std::trunc(*number) != *number || std::abs(*number) > 9e15) return std::nullopt;
    return static_cast<std::int64_t>(*number);
  }

 private:
  std::string_view message_;
  std::span<const BytesView> fields_;
  const MessageLimits& limits_;
};

Result<Decoded> decode_marco(const Fields& fields) {
  auto name = fields.name(1, "the name");
  if (!name) return std::unexpected(std::move(name.error()));
  auto room = fields.name(2, "the room");
  if (!room) return std::unexpected(std::move(room.error()));
  auto dialect = fields.note(3, "the dialect");
  if (!dialect) return std::unexpected(std::move(dialect.error()));
  auto version = fields.note(4, "the version");
  if (!version) return std::unexpected(std::move(version.error()));
  return Marco{*std::move(name), *std::move(room), *std::move(dialect), *std::move(version)};
}

Result<Decoded> decode_polo(const Fields& fields) {
  auto room = fields.name(1, "the room");
  if (!room) return std::unexpected(std::move(room.error()));
  const auto port = fields.port(2);
  if (!port) return std::unexpected(port.error());
  return Polo{*std::move(room), *port};
}

Result<Decoded> decode_beacon(const Fields& fields) {
  auto room = fields.name(1, "the room");
  if (!room) return std::unexpected(std::move(room.error()));
  const auto port = fields.port(2);
  if (!port) return std::unexpected(port.error());
  auto modified = fields.note(3, "the time");
  if (!modified) return std::unexpected(std::move(modified.error()));
  return ServerBeacon{*std::move(room), *port, *std::move(modified)};
}

/// Seconds, as a number above zero; all else is none (section 7.1).
Duration heartbeat_of(BytesView options) {
  const auto member = json_member(options, "heartbeat");
  const auto seconds = member ? json_to_number(*member) : std::nullopt;
  constexpr double longest = 1e9;  // thirty years
  if (!seconds || !(*seconds > 0)) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(*seconds, longest)));
}

Result<Decoded> decode_registration(const Fields& fields) {
  Registration message;
  auto name = fields.name(1, "the name");
  if (!name) return std::unexpected(std::move(name.error()));
  message.name = *std::move(name);
  const auto port = Fields::integer(fields.raw(2));
  if (!port) return wrong("register", "the callback port is no whole number");
  message.callback_port = *port;
  auto hears = fields.topics(3, "hears");
  if (!hears) return std::unexpected(std::move(hears.error()));
  message.hears = *std::move(hears);
  auto plays = fields.topics(4, "plays");
  if (!plays) return std::unexpected(std::move(plays.error()));
  message.plays = *std::move(plays);
  auto dialect = fields.note(5, "the dialect");
  if (!dialect) return std::unexpected(std::move(dialect.error()));
  message.dialect = *std::move(dialect);
  auto version = fields.note(6, "the version");
  if (!version) return std::unexpected(std::move(version.error()));
  message.version = *std::move(version);
  message.heartbeat = heartbeat_of(fields.raw(7));
  const auto ack = json_member(fields.raw(7), "heartbeat_ack");
  message.heartbeat_ack = ack == BytesView("true");
  return message;
}

/// Bounds count what a text means: one that is not ASCII may come escaped, six bytes for one.
bool is_over(BytesView quoted, std::size_t limit) {
  if (quoted.size() <= limit + 2) return false;
  if (quoted.size() > 6 * limit + 2) return true;
  std::string scratch;
  return json_string_view(quoted, scratch).value_or(BytesView{}).size() > limit;
}

Result<Decoded> decode_event_fields(const Fields& fields, const MessageLimits& limits) {
  const auto is_string = [](BytesView value) { return value.starts_with('"'); };
  if (!is_string(fields.raw(1))) return wrong("event", "the sender is no string");
  if (!is_string(fields.raw(2))) return wrong("event", "the topic is no string");
  if (is_over(fields.raw(1), limits.name)) return too_long("event", "the sender", limits.name);
  if (is_over(fields.raw(2), limits.topic)) return too_long("event", "the topic", limits.topic);
  return EventView{fields.raw(1), fields.raw(2), fields.raw(3)};
}

void append_names(std::string& out, const std::vector<std::string>& names) {
  out += '[';
  for (const std::string& name : names) {
    if (out.back() != '[') out += ',';
    append_json_string(out, name);
  }
  out += ']';
}

/// `["kind","a","b"` …
std::string begin(std::string_view kind) { return fmt::format("[\"{}\"", kind); }
void add(std::string& out, BytesView text) {
  out += ',';
  append_json_string(out, text);
}

class SixDigits final : public CustomFraming {
 public:
  SixDigits(std::size_t limit, bool spaces) : limit_(limit), spaces_(spaces) {}

  Cut cut(BytesView buffered, std::size_t) const override {
    std::size_t size = 0;
    bool digits = false;
    for (std::size_t i = 0; i < std::min<std::size_t>(buffered.size(), 6); ++i) {
      const char c = buffered[i];
      if (spaces_ && c == ' ' && !digits) continue;
      if (c < '0' || c > '9') return Cut::error();
      digits = true;
      size = size * 10 + static_cast<std::size_t>(c - '0');
    }
    if (buffered.size() < 6) return Cut::need_more(6);
    if (!digits || size > limit_) return Cut::error();
    if (buffered.size() < 6 + size) return Cut::need_more(6 + size);
    return Cut::packet(6, size, 6 + size);
  }
  std::string fault(BytesView) const override {
    return fmt::format("a frame begins with six digits of at most {}{}", limit_,
                       spaces_ ? ", leading spaces allowed" : "");
  }
  Result<void> encode(BytesView payload, SendQueue& queue) const override {
    queue.append(payload);
    return {};
  }

 private:
  std::size_t limit_;
  bool spaces_;
};

}  // namespace

Result<Decoded> decode(BytesView json, const MessageLimits& limits) {
  std::array<BytesView, most_fields> stored;
  const auto count = json_elements(json, stored);
  if (!count) {
    // Any other JSON value is no message, and no fault either.
    if (check_json(json)) return Decoded{};
    return std::unexpected(count.error());
  }
  const Fields fields("message", std::span(stored).first(std::min(*count, most_fields)), limits);
  const BytesView kind = fields.raw(0);
  const auto named = [&](std::string_view name) {
    return Fields(name, std::span(stored).first(std::min(*count, most_fields)), limits);
  };
  if (kind == "\"event\"") return decode_event_fields(named("event"), limits);
  if (kind == "\"heartbeat\"" || kind == "\"heartbeat_ack\"") {
    auto name = named("heartbeat").name(1, "the name");
    if (!name) return std::unexpected(std::move(name.error()));
    if (kind == "\"heartbeat\"") return Heartbeat{*std::move(name)};
    return HeartbeatAck{*std::move(name)};
  }
  if (kind == "\"marco\"") return decode_marco(named("marco"));
  if (kind == "\"polo\"") return decode_polo(named("polo"));
  if (kind == "\"server_beacon\"") return decode_beacon(named("server_beacon"));
  if (kind == "\"register\"") return decode_registration(named("register"));
  return Decoded{};
}

std::optional<EventView> decode_event(BytesView json) {
  std::array<BytesView, 4> stored{BytesView{}, "null", "null", "null"};
  const auto count = json_elements(json, stored);
  if (!count || stored[0] != "\"event\"") return std::nullopt;
  if (!stored[1].starts_with('"') || !stored[2].starts_with('"')) return std::nullopt;
  return EventView{stored[1], stored[2], stored[3]};
}

std::string encode(const Marco& message) {
  std::string out = begin("marco");
  add(out, message.name);
  add(out, message.room);
  add(out, message.dialect);
  add(out, message.version);
  return out += ']';
}

std::string encode(const Polo& message) {
  std::string out = begin("polo");
  add(out, message.room);
  return out += fmt::format(",{}]", message.port);
}

std::string encode(const ServerBeacon& message) {
  std::string out = begin("server_beacon");
  add(out, message.room);
  out += fmt::format(",{}", message.http_port);
  add(out, message.last_modified);
  return out += ']';
}

std::string encode(const Registration& message) {
  std::string out = begin("register");
  add(out, message.name);
  out += fmt::format(",{},", message.callback_port);
  append_names(out, message.hears);
  out += ',';
  append_names(out, message.plays);
  add(out, message.dialect);
  add(out, message.version);
  const double seconds = to_seconds(message.heartbeat);
  return out += fmt::format(",{{\"heartbeat\":{},\"heartbeat_ack\":{}}}]", json_number(seconds),
                            message.heartbeat_ack);
}

std::string encode(const Heartbeat& message) {
  std::string out = begin("heartbeat");
  add(out, message.name);
  return out += ']';
}

std::string encode(const HeartbeatAck& message) {
  std::string out = begin("heartbeat_ack");
  add(out, message.name);
  return out += ']';
}

Result<std::string> encode_event(BytesView sender, BytesView topic, BytesView value, bool ascii) {
  constexpr unsigned in_the_message = 1;
  if (auto checked = check_json(value, in_the_message); !checked) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "noam event",
                                 "the value is no JSON: " + checked.error().detail});
  }
  std::string out = begin("event");
  add(out, sender);
  add(out, topic);
  out += ',';
  if (ascii) {
    append_json_ascii(out, value);
  } else {
    out += value;
  }
  out += ']';
  if (out.size() > longest_frame) {
    return std::unexpected(Error{
        ErrorKind::overloaded, 0, "noam event",
        fmt::format("{} bytes are more than a frame can hold ({})", out.size(), longest_frame)});
  }
  return out;
}

bool fits_polo(BytesView room) {
  constexpr std::size_t smallest_buffer = 127;
  return encode(Polo{std::string(room), 65'535}).size() <= smallest_buffer;
}

std::string frame_head(std::size_t size) { return fmt::format("{:06}", size); }

Result<std::string> frame(BytesView json) {
  if (json.size() > longest_frame) {
    return std::unexpected(Error{
        ErrorKind::overloaded, 0, "noam frame",
        fmt::format("{} bytes are more than a frame can hold ({})", json.size(), longest_frame)});
  }
  return frame_head(json.size()).append(json);
}

Framing incoming_frames(std::size_t limit, bool spaces) {
  return custom(std::make_shared<const SixDigits>(limit, spaces));
}

}  // namespace hawser::noam
