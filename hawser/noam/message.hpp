// The seven messages of Noam (noam.md section 2) between their JSON and our values. Public; pure
// functions and plain values, any thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/net/framing.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hawser::noam {

/// The most that six digits can announce: the protocol's only limit (section 5).
inline constexpr std::size_t longest_frame = 999'999;

inline constexpr std::uint16_t discovery_port = 1030;
inline constexpr std::uint16_t tcp_port = 7733;
inline constexpr std::uint16_t websocket_port = 8089;
inline constexpr std::uint16_t http_port = 8081;
inline constexpr const char* websocket_path = "/websocket";
/// The sender of what the host's operator plays.
inline constexpr const char* operator_name = "web_ui_lemma";

/// Bounds of what a message may name; beyond them it is refused (overloaded, naming the bound).
struct MessageLimits {
  std::size_t name = 1'024;    ///< bytes of a lemma's or a room's name, dialect or version
  std::size_t topic = 1'024;   ///< bytes of a topic
  std::size_t topics = 1'000;  ///< of each of a registration's two lists
};

/// A lemma looks for a host. Dialect and version may be any JSON; here they are text either way.
struct Marco {
  std::string name;
  std::string room;  ///< empty: a free guest
  std::string dialect{};
  std::string version{};
};
/// A host answers.
struct Polo {
  std::string room;
  std::uint16_t port = 0;  ///< where it takes registrations over TCP; never 0
};
/// A host tells other hosts of itself.
struct ServerBeacon {
  std::string room;
  std::uint16_t http_port = 0;
  std::string last_modified{};  ///< "2026-11-21 00:11:04 UTC"; "" from hosts that do not say
};
struct Registration {
  std::string name;
  std::int64_t callback_port = 0;  ///< as it came; over TCP only 1 to 65535 can work
  std::vector<std::string> hears{};
  std::vector<std::string> plays{};
  std::string dialect{};
  std::string version{};
  Duration heartbeat{};        ///< zero: sends none
  bool heartbeat_ack = false;  ///< wants each of them answered
};
/// An event, borrowed from the message's text: each a checked JSON text of its own, `sender` and
/// `topic` strings.
struct EventView {
  BytesView sender;
  BytesView topic;
  BytesView value;
};
struct Heartbeat {
  std::string name;
};
struct HeartbeatAck {
  std::string name;
};

/// monostate: JSON, but no message that we know: to be ignored.
using Decoded = std::variant<std::monostate, Marco, Polo, ServerBeacon, Registration, EventView,
                             Heartbeat, HeartbeatAck>;

/// Errors: protocol_error (no JSON; a known message whose fields are not what they must be),
/// overloaded (a limit). Views in the answer are of `json`.
Result<Decoded> decode(BytesView json, const MessageLimits& limits = {});
/// The event that `json` is, without building anything else; nothing for every other message.
std::optional<EventView> decode_event(BytesView json);

// ---- compact JSON, ASCII only ------------------------------------------------------------------

std::string encode(const Marco& message);
/// At most 127 bytes fit into the smallest lemma's buffer: see longest_room.
std::string encode(const Polo& message);
std::string encode(const ServerBeacon& message);
std::string encode(const Registration& message);
std::string encode(const Heartbeat& message);
std::string encode(const HeartbeatAck& message);
/// `value` must be JSON (invalid_argument) and all of it at most longest_frame bytes (overloaded).
/// Without `ascii` the value is passed on as it is.
Result<std::string> encode_event(BytesView sender, BytesView topic, BytesView value,
                                 bool ascii = true);

/// Whether a host of this room can be found by every lemma: its polo has at most 127 bytes.
bool fits_polo(BytesView room);

/// Six digits and the message; overloaded above longest_frame.
Result<std::string> frame(BytesView json);
/// "000042"; `size` is at most longest_frame.
std::string frame_head(std::size_t size);

/// Frames of at most `limit` bytes are cut out, exactly six digits each (`spaces`: leading ones may
/// stand for zeros); what is sent is sent as it is: frames are made once for all receivers.
Framing incoming_frames(std::size_t limit = longest_frame, bool spaces = false);

}  // namespace hawser::noam
