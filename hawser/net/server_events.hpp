// What a server tells those who watch it, and the alarms it raises. Public; plain values.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// Sent (to handle_info) to every process that watches a server; see WatchServer.
struct ServerEvent {
  enum class Kind : std::uint8_t {
    suspended,         ///< nobody is accepted until it is resumed; text: whether the socket is kept
    resumed,           ///< accepting again
    accept_paused,     ///< an acceptor is out of descriptors or memory; text: the error
    accept_resumed,    ///< the shortage is over
    alarm_raised,      ///< count: the figure it watches; text: the alarm's name
    alarm_cleared,     ///< the same
    drain_started,     ///< no more accepting, the handlers are told; count: connections
    connections_gone,  ///< the last connection has ended, its last bytes included
    drain_deadline,    ///< the deadline passed; count: connections that are still there
    killed,            ///< count: connections of one scheduler that were killed for it
    down,              ///< every part of the server has ended
  };
  Kind kind = Kind::suspended;
  std::string server;
  std::size_t count = 0;
  std::string text;
};

std::string_view to_string(ServerEvent::Kind kind) noexcept;

/// cast to Ref<ServerMonitor>: the watcher gets every ServerEvent from now on, until it ends or is
/// taken off again. A watcher that wants to outlive a crash of the monitor monitors its pid too.
struct WatchServer {
  Pid watcher;
  bool on = true;
};

/// Tells when a figure of the server climbs to a level, and when it has fallen well below it.
struct Alarm {
  enum class On : std::uint8_t {
    connections,    ///< counted connections of all schedulers
    accept_errors,  ///< failed accepts in the last second, of all acceptors
    descriptors,    ///< acceptors that are out of descriptors or memory: raise_at 1, clear_at 0
  };
  std::string name;  ///< unique in the server
  On on = On::connections;
  /// Raised when the figure is at least this.
  std::size_t raise_at = 1;
  /// Cleared when it is at most this; below raise_at, so that a figure which wavers about one level
  /// does not raise it again and again.
  std::size_t clear_at = 0;
  /// Once raised, it is not raised again before this has passed, however often it was cleared.
  Duration cooldown = std::chrono::seconds{5};
  /// Called in the server's monitor process, beside the event that watchers get. What it throws is
  /// logged.
  std::function<void(const ServerEvent&)> notify{};

  /// "what is wrong" for each setting that cannot be used.
  std::vector<std::string> faults() const;
};

}  // namespace hawser
