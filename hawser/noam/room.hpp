// What one host knows and decides: who is registered, who hears what, who may come in, which other
// hosts there are (noam.md sections 3, 4, 7 and 9). A state machine without I/O: what connections
// and datagrams bring goes in, what to send and to end comes out through a Port. Public; belongs to
// the process that owns it. Connections and ears are named by the Pid of their process, and mean
// nothing else here.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/noam/host_options.hpp>
#include <hawser/noam/relayed_event.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hawser::noam {

using WallTime = std::chrono::system_clock::time_point;

/// "2026-11-21 00:11:04 UTC".
std::string utc_text(WallTime at);

enum class LinkKind : std::uint8_t { tcp, websocket };

/// A registered lemma.
struct Player {
  std::string name;
  std::string room;  ///< the host's, or empty: a guest
  std::string dialect;
  std::string version;
  std::vector<std::string> hears;
  std::vector<std::string> plays;
  std::size_t last_play = 0;  ///< where in `plays` its last event stood
  Address peer;
  Duration heartbeat{};
  bool heartbeat_ack = false;
  Pid ear;  ///< where its events go
  Instant last_activity;
  WallTime last_activity_time;
};

/// A lemma that asked with a marco and is not registered.
struct FreeLemma {
  std::string name;
  std::string room;
  std::string dialect;
  std::string version;
  Address from;
  Instant seen;
  WallTime seen_time;
};

/// Another host.
struct PeerHost {
  std::string room;
  Address http;
  std::string last_modified;
  Instant seen;
  /// Its `guests-owned`, as JSON; empty until it was asked.
  std::string guests;
};

class Room {
 public:
  class Port {
   public:
    virtual void send_datagram(const Address& to, BytesView bytes) = 0;
    /// To every network.
    virtual void send_beacon(BytesView bytes) = 0;
    /// Connects to a lemma; answers the ear, which takes deliveries from now on, or no Pid. Over
    /// WebSocket the lemma's own connection is its ear.
    virtual Pid open_ear(const Address& to, bool attenuated) = 0;
    virtual void close_ear(Pid ear) = 0;
    /// Ends a lemma's own connection.
    virtual void close(Pid connection, Reason why) = 0;
    virtual void deliver(Pid ear, LinkKind kind,
                         const std::shared_ptr<const RelayedEvent>& event) = 0;
    virtual void acknowledge(Pid ear, LinkKind kind, const std::string& name) = 0;
    /// Asks another host for its guests; guests_fetched() may follow.
    virtual void fetch_guests(const PeerHost& peer) = 0;
    virtual void log(std::string text) = 0;

   protected:
    ~Port() = default;
  };

  /// `options` outlives the room.
  Room(const HostOptions& options, Port& port);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  /// What an operator may change. It outlives the room's process, not the program.
  struct Settings {
    std::string room;
    bool on = false;
  };
  /// Before anything else happens: goes on with what an earlier life was told.
  void restore(Settings settings);
  Settings settings() const { return {room_, on_}; }

  struct Now {
    Instant clock;
    WallTime wall;
  };

  // ---- in from the network
  // -----------------------------------------------------------------------

  /// Ports that polos and beacons name; 0: none of that is sent.
  void listening(std::uint16_t tcp, std::uint16_t http);
  void datagram(const Address& from, BytesView bytes, Now now);
  /// A lemma's own connection. False: it is to be closed (the host is off).
  bool opened(Pid connection, const Address& peer, LinkKind kind);
  void closed(Pid connection, Now now);
  void registered(Pid connection, Registration message, Now now);
  void event(Pid connection, const std::shared_ptr<const RelayedEvent>& event, Now now);
  void heartbeat(Pid connection, BytesView name, Now now);
  /// An ear could not connect, was closed by its lemma, or cannot take more.
  void ear_lost(Pid ear, const Reason& why, Now now);
  void guests_fetched(std::string_view room, std::string guests, Now now);
  /// Every HostOptions::tick.
  void tick(Now now);

  // ---- the operator
  // ------------------------------------------------------------------------------

  /// Drops everybody when the name changes. invalid_argument: it does not fit a polo.
  Result<void> set_room(std::string room, Now now);
  void set_on(bool on, Now now);
  /// False: there is no such free lemma.
  bool grab(const std::string& name, Now now);
  bool free(const std::string& name, Now now);
  /// Plays an event for the operator; its value becomes a JSON string.
  void play(BytesView topic, BytesView text, Now now);

  const std::string& room() const noexcept { return room_; }
  bool on() const noexcept { return on_; }
  HostStatus status() const;
  /// When what the operator's two lists show has changed last.
  WallTime plays_changed() const noexcept { return plays_changed_; }
  WallTime guests_changed() const noexcept { return guests_changed_; }

  const std::map<std::string, Pid, std::less<>>& names() const noexcept { return names_; }
  const Player* player(std::string_view name) const;
  const std::map<std::string, FreeLemma, std::less<>>& free_lemmas() const noexcept {
    return free_;
  }
  const std::map<std::string, PeerHost, std::less<>>& peers() const noexcept { return peers_; }
  struct LastValue {
    std::shared_ptr<const RelayedEvent> event;
    WallTime at;
    std::list<LastValue*>::iterator place;  ///< among all of them, by age
  };
  /// By topic, then by sender.
  const std::map<std::string, std::map<std::string, LastValue, std::less<>>, std::less<>>&
  last_values() const noexcept {
    return last_values_;
  }
  std::uint64_t played() const noexcept { return counts_.events; }
  bool is_grabbed(std::string_view name) const { return grabbed_.contains(name); }

 private:
  struct Connection {
    Address peer;
    LinkKind kind = LinkKind::tcp;
    std::unique_ptr<Player> player;  // once registered
    bool told_of_sender = false;     // the log knows that it plays under other names
  };
  struct Hearers {
    // In the order of registering; names are unique among them.
    std::vector<std::pair<Pid, Pid>> ears;  // connection, ear
  };
  struct PidHash {
    std::size_t operator()(const Pid& pid) const noexcept {
      return pid.index * 0x9e3779b97f4a7c15ULL ^ pid.generation;
    }
  };

  void marco(const Address& from, std::string name, std::string room, std::string dialect,
             std::string version, Now now);
  void beacon(const Address& from, ServerBeacon message, Now now);
  void fetch_all();
  void remember_grabbed(const std::string& name, Now now);
  /// The registration goes, its ear is closed; the connection stays.
  void drop_player(Connection& connection, Pid id, Now now);
  /// All of it goes.
  void drop(Pid id, const Reason& why, Now now);
  void drop_everybody(const Reason& why, Now now);
  void note_play(Player& player, const std::string& topic);
  void relay(const std::shared_ptr<const RelayedEvent>& event, Now now);
  void remember_value(const std::shared_ptr<const RelayedEvent>& event, Now now);
  void forget_oldest_value();
  void lemmas_changed(Now now);
  Connection* find(Pid id);

  const HostOptions* options_;
  Port* port_;
  std::string room_;
  bool on_ = false;
  std::uint16_t tcp_port_ = 0;
  std::uint16_t http_port_ = 0;
  WallTime last_modified_{};
  std::unordered_map<Pid, Connection, PidHash> connections_;
  std::unordered_map<Pid, Pid, PidHash> ear_owners_;
  std::map<std::string, Pid, std::less<>> names_;
  std::map<std::string, Hearers, std::less<>> topics_;
  std::map<std::string, FreeLemma, std::less<>> free_;
  std::set<std::string, std::less<>> grabbed_;
  std::deque<std::string> grabbed_order_;
  std::map<std::string, PeerHost, std::less<>> peers_;
  std::map<std::string, std::map<std::string, LastValue, std::less<>>, std::less<>> last_values_;
  std::list<LastValue*> values_by_age_;  // the oldest first
  std::size_t value_bytes_ = 0;
  WallTime plays_changed_{};
  WallTime guests_changed_{};
  HostStatus counts_;
};

}  // namespace hawser::noam
