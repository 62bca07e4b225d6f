// Everything a host can be told, with its defaults, and what it answers of itself. Public; plain
// values.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/noam/message.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::noam {

/// What is done about an event whose sender is not the lemma that sent it.
enum class SenderCheck : std::uint8_t {
  relay,  ///< passed on as it is; once a connection the log says so
  drop,   ///< not passed on
  force,  ///< passed on under the lemma's registered name
};

/// What switching the host off means for the connections there are.
enum class WhenOff : std::uint8_t {
  close,   ///< they are ended, and new ones refused
  ignore,  ///< they stay, and what comes over them is thrown away, whole frames at a time
};

/// Where strict compatibility and good behaviour differ (noam.md 14.4).
struct HostPolicy {
  /// Who has not registered may play events.
  bool unregistered_publishers = false;
  SenderCheck sender = SenderCheck::relay;
  /// A lemma of which no marco came may register.
  bool without_marco = true;
  /// A free guest that the operator has not grabbed may register.
  bool ungrabbed_guests = true;
  /// Leading spaces may stand for zeros in a frame's six digits; all else ends the connection.
  bool spaces_in_prefix = false;
  WhenOff off = WhenOff::close;
  /// Relayed text is escaped to ASCII; without it, it is passed on unchanged.
  bool ascii = false;

  /// As the Ruby host does it, its faults excepted.
  static HostPolicy compatible();
  /// Nobody speaks for others, and only who was asked in comes in.
  static HostPolicy strict();
};

/// What a full queue towards a lemma does with one more event.
enum class EarOverflow : std::uint8_t {
  drop_oldest,
  drop_newest,
  end,  ///< the lemma is dropped
};

struct HostOptions {
  /// At most as long as fits a polo of 127 bytes. "": the host is off until it has one.
  std::string room{};
  /// Switched on from the beginning; unset: when there is a room.
  std::optional<bool> on{};
  /// Where marcos and beacons are heard; unset: no discovery.
  std::optional<std::string> discovery = "0.0.0.0:1030";
  std::optional<std::string> tcp = "0.0.0.0:7733";
  std::optional<std::string> websocket = "0.0.0.0:8089";
  /// The operator's API, which knows no password: everybody who can reach it may use it.
  std::optional<std::string> http{};
  /// POST /stop-server ends the program; without it, it is answered with 403.
  bool http_may_stop = false;
  /// A long poll is answered at the latest after so long.
  Duration poll_timeout = 10s;
  /// Beacons for other hosts go to every network, this port.
  bool beacons = true;
  std::uint16_t beacon_port = discovery_port;

  HostPolicy policy{};
  MessageLimits messages{};
  std::size_t frame_limit = longest_frame;
  Duration tick = 2s;           ///< beacons, missed heart-beats, stale entries
  Duration stale = 10s;         ///< free lemmas and peers without a word for so long are forgotten
  double heartbeat_factor = 2;  ///< a lemma may be silent for so many of its heart-beats
  Duration callback_timeout = 10s;  ///< to connect to a lemma
  /// From a connection to its registration (where strangers may play: to its first frame).
  Duration registration_timeout = 10s;
  Duration attenuation = 100ms;  ///< for dialect "arduino": at most one event a topic in this time

  std::size_t lemmas = 10'000;       ///< registered at once
  std::size_t free_guests = 10'000;  ///< waiting for a room
  std::size_t grabbed = 10'000;      ///< names; beyond it those grabbed first go
  std::size_t peers = 256;           ///< other hosts
  /// Last values kept for the operator, a topic and a sender each, and their bytes; beyond that the
  /// oldest go.
  std::size_t last_values = 10'000;
  std::size_t last_value_bytes = std::size_t{16} << 20;
  /// Other hosts that are asked for their guests at once; the others wait their turn. An answer has
  /// at most so many bytes, and is all there within so long.
  std::size_t fetches = 16;
  std::size_t fetch_bytes = std::size_t{1} << 20;
  Duration fetch_timeout = 10s;
  /// Connections to the operator's API at once; more wait to be accepted.
  std::size_t operators = 256;
  /// Messages of one lemma that wait for the room; meanwhile its connection is not read.
  std::uint32_t intake = 256;
  /// Events towards one lemma that wait for its connection, or because it reads slowly.
  std::size_t ear_events = 10'000;
  std::size_t ear_bytes = std::size_t{16} << 20;
  EarOverflow ear_overflow = EarOverflow::drop_oldest;

  /// Of the two listeners; `listen` and `framing` are set here.
  ServerOptions server{};

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

struct HostStatus {
  std::string room{};
  bool on = false;
  std::size_t lemmas = 0;
  std::size_t free_guests = 0;
  std::size_t peers = 0;
  std::uint64_t events = 0;      ///< taken in
  std::uint64_t deliveries = 0;  ///< given to lemmas' queues
  std::uint64_t ignored = 0;     ///< messages and datagrams that were understood, without effect
};

}  // namespace hawser::noam
