// Everything a lemma can be told, with its defaults; its states, and what it tells of itself and of
// events that did not get through. Public; plain values.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/reconnect_policy.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/process/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::noam {

enum class LemmaTransport : std::uint8_t {
  tcp,        ///< two one-way connections, the second one made by the host
  websocket,  ///< one connection for both ways
};

/// What a full queue does with one more event.
enum class EventOverflow : std::uint8_t {
  drop_newest,  ///< it is not taken
  drop_oldest,  ///< the one that waited longest goes
};

struct LemmaOptions {
  /// Our name, unique in the room: at most MessageLimits::name bytes, not empty.
  std::string guest{};
  /// The host's room, compared byte by byte; "": a free guest, which any host's operator may take.
  std::string room{};
  std::vector<std::string> hears{};   ///< topics that the host sends us
  std::vector<std::string> speaks{};  ///< topics that we say we play; nobody holds us to it
  std::string dialect = "hawser";
  std::string version = "0.1.0";
  LemmaTransport transport = LemmaTransport::tcp;

  /// Set: no discovery, the host is there (its TCP or WebSocket port).
  std::optional<Address> host{};
  /// Marcos go to every network of the machine, and to these.
  std::vector<Address> discover{};
  /// Whether they go to every network at all, and to which port.
  bool broadcast = true;
  std::uint16_t discovery_port = noam::discovery_port;
  /// Between two marcos, less up to a quarter by chance. The first leaves at once.
  Duration marco_period = 2s;
  /// Of a host that was discovered: its polo does not tell.
  std::uint16_t websocket_port = noam::websocket_port;
  std::string websocket_path = noam::websocket_path;

  /// Where the host's connection is awaited; port 0: any.
  Address callback = Address::any_ipv4(0);
  /// That connection must come from the host's address.
  bool callback_from_host = true;
  Duration connect_timeout = 10s;   ///< to connect to the host
  Duration callback_timeout = 10s;  ///< from there to the host's own connection
  /// We send one so often, and ask the host to answer each.
  Duration heartbeat = 2s;
  /// No frame from the host for so long (and at least three heart-beats): it is lost. Zero: never,
  /// for hosts that do not answer heart-beats.
  Duration watchdog = 10s;
  /// Between a loss and the next search or attempt.
  ReconnectBackoff backoff{.base = 100ms, .cap = 5s};

  /// Events that wait, over all reconnects and crashes of the handler, and leave in order.
  std::size_t queue_events = 10'000;
  std::size_t queue_bytes = std::size_t{16} << 20;
  EventOverflow overflow = EventOverflow::drop_newest;
  /// Bytes handed to the connection that the network has not taken.
  std::size_t window = std::size_t{256} << 10;
  /// Frames of the host that wait for the handler; meanwhile its connection is not read.
  std::uint32_t intake = 256;
  /// Longest frame taken from a host.
  std::size_t frame_limit = longest_frame;
  /// Everything above U+007F is escaped: the Ruby host damages other text.
  bool ascii = true;

  /// What a lemma of these options says to a host. Over WebSocket nobody calls back: port 0.
  Registration registration(std::uint16_t callback_port) const;

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
  Duration watchdog_after() const;
};

enum class LemmaState : std::uint8_t {
  discovering,  ///< marcos go out, no polo for us yet
  connecting,   ///< to the host
  registering,  ///< said who we are; the host's own connection has not come yet
  connected,    ///< events go both ways
  waiting,      ///< before it begins again
};
std::string_view to_string(LemmaState state) noexcept;

/// What handle_state gets.
struct LemmaChange {
  LemmaState state = LemmaState::discovering;
  /// connecting and later: where the host is.
  Address host{};
  /// waiting: why there is no connection, and for how long it waits.
  Reason reason{};
  Duration wait{};
};

/// What handle_loss gets: events number `first` to `last` of those this lemma was given to speak,
/// counted from 1, did not arrive for sure.
struct EventLoss {
  enum class Why : std::uint8_t {
    dropped,   ///< the queue was full (queue_events, queue_bytes): they were never sent
    in_doubt,  ///< sent on a connection that was lost before the host said it had seen them
  };
  Why why = Why::dropped;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t count() const noexcept { return last - first + 1; }
};

/// Something a host should not have sent; it is otherwise ignored.
enum class Oddity : std::uint8_t {
  wrong_topic,  ///< an event that we do not hear
  wrong_guest,  ///< an answer to somebody else's heart-beat
  no_message,   ///< no JSON, or no message for a lemma
};
std::string_view to_string(Oddity oddity) noexcept;

struct LemmaStatus {
  LemmaState state = LemmaState::discovering;
  Address host{};
  std::uint64_t spoken = 0;     ///< events taken since the start
  std::uint64_t sent = 0;       ///< handed to a connection
  std::uint64_t confirmed = 0;  ///< the host has answered a heart-beat behind them
  std::uint64_t heard = 0;
  std::uint64_t dropped = 0;
  std::uint64_t in_doubt = 0;
  std::uint64_t connects = 0;
  std::uint64_t marcos = 0;
  std::uint64_t oddities = 0;
  std::size_t waiting_events = 0;
  std::size_t waiting_bytes = 0;
};

}  // namespace hawser::noam
