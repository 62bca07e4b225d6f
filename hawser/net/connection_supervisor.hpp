// Starts the connections of one server on one scheduler, knows them, and drains them when the
// server stops. Internal to server(), but for the calls it answers.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/connection_generations.hpp>
#include <hawser/net/connection_keeping.hpp>
#include <hawser/net/connection_limit.hpp>
#include <hawser/net/connection_listing.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/telemetry.hpp>

#include <deque>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// cast: an accepted socket on its way to its scheduler, with the right to be a connection there.
struct StartConnection {
  NativeSocket socket;
  ConnectionLimit::Permit permit;
};

/// cast: an accepted socket that had found no room when its listener ended. It is started like any
/// other once there is room, or closed when a drain's deadline comes first.
struct StartWhenRoom {
  NativeSocket socket;
};

/// cast: begin to drain; the supervisor's own end follows. So that all schedulers drain at once and
/// not one after another, as supervisors end their children.
struct StartDraining {
  Duration deadline{};
  Reason reason = Reason::shutdown();
};

/// call: every connection that is there now and still there when its turn comes, oldest first.
/// Answered over several turns, none of which takes long; at most 16 at once (overloaded).
struct ListConnections {
  using Reply = std::vector<ConnectionInfo>;
};

/// cast: ServerState::new_connections() has changed.
struct SettingsChanged {};

/// A supervisor of temporary children only: a connection that ends is forgotten, whatever its
/// reason, and never counts against any intensity. Constant time a connection.
class ConnectionSupervisor {
 public:
  explicit ConnectionSupervisor(std::shared_ptr<detail::ServerState> server) noexcept;
  ConnectionSupervisor(const ConnectionSupervisor&) = delete;
  ConnectionSupervisor& operator=(const ConnectionSupervisor&) = delete;

  void init();
  void handle_cast(StartConnection message);
  void handle_cast(StartWhenRoom message);
  /// Asks every connection to end, and kills what is left at the drain deadline. Who has not yet
  /// been heard of is asked a little later (ServerOptions::newcomers_grace): its first packet may
  /// be on its way. Who waits for room comes in when others have ended, and is a newcomer then.
  void handle_cast(StartDraining message);
  void handle_cast(SettingsChanged message);
  void handle_call(ListConnections request, From<std::vector<ConnectionInfo>> from);
  void handle_info(Info& info);
  /// Drains, if that has not begun, and ends when all connections are gone with their last bytes.
  void handle_shutdown(const Reason& reason);
  std::string describe() const;

 private:
  struct DrainDeadline {};
  struct ContinueListing {};
  struct ContinueEnding {};
  /// Each is asked once: the others have begun to end, and to ask again would tell their handlers
  /// twice.
  struct EndNewcomer {
    Pid pid;
  };
  void report_not_started(const Error& error);
  void started(Pid pid);
  void start_waiting();
  void end_all(Reason reason);
  void end_some();
  void kill_the_rest();
  void check_drained();
  template <class Message>
  void tell_monitor(Message message) const;
  void raise(const TracePoint& point, LogLevel level, std::initializer_list<Measure> measures,
             const TelemetryEvent::Words& words) const;

  std::shared_ptr<detail::ServerState> server_;
  detail::NewConnections settings_;
  // Before the groups: their last connections still speak to it as they go.
  std::unique_ptr<detail::ConnectionKeeping> keeping_;
  detail::ConnectionGenerations groups_;
  std::deque<NativeSocket> waiting_;  // for room
  bool room_asked_ = false;
  std::list<detail::ConnectionListing> listings_;
  std::optional<detail::ConnectionWalk> ending_walk_;
  Reason ending_reason_;
  std::uint64_t named_ = 0;
  bool draining_ = false;
  bool drained_ = false;
  Duration grace_{};  // of newcomers, in this drain
  std::optional<Reason> ending_;
  Instant next_report_;
  std::uint64_t unreported_ = 0;
};

}  // namespace hawser
