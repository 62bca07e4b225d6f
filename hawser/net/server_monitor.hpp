// The server's own overseer: watchers, alarms, changes of settings, and the drain step by step.
// Public for its messages; one process a server, the first to start and the last to end.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/net/server_alarms.hpp>
#include <hawser/net/server_events.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// What a drain came to.
struct DrainReport {
  std::size_t connections = 0;  ///< there were when it began
  std::size_t killed = 0;       ///< did not end within the deadline
  std::size_t cut_off = 0;      ///< had ended, but their last bytes had not left by then
  std::size_t refused = 0;      ///< had been accepted at max_connections, and no room came by then
  Duration took{};
};

/// call of Ref<ServerMonitor>: no more accepting, every connection is asked to end with `reason`
/// (its handler's handle_shutdown, or terminate), and what is left at the deadline is killed. Who
/// had been accepted at max_connections, and waits, is started as others end, and then asked, too.
/// Answered when the last one is gone. The server's processes stay, but serve nobody again; who
/// wants it down too has stop_server. A second drain waits for the first.
struct DrainServer {
  DrainServer() = default;
  explicit DrainServer(Duration within, Reason why = Reason::shutdown())
      : deadline(within), reason(std::move(why)) {}
  Duration deadline = Duration::max();  ///< max: ServerOptions::drain_deadline
  Reason reason = Reason::shutdown();
  using Reply = DrainReport;
};

/// call of Ref<ServerMonitor>: answered once there are at most so many counted connections, with
/// how many there are then. At most 1000 such calls wait at once (overloaded).
struct AwaitConnections {
  std::size_t at_most = 0;
  using Reply = std::size_t;
};

/// call of Ref<ServerMonitor>: the server, and whose child it is.
struct GetServerPlace {};
struct ServerPlace {
  Pid server;
  Pid parent;
};

namespace detail {
// Casts from the other parts of the server.
struct DrainBegun {};
/// Whatever this listener has accepted is with the connection supervisors now.
struct ListenerDrained {
  unsigned listener = 0;
};
struct SchedulerDrained {
  unsigned scheduler = 0;
};
struct DrainDeadlinePassed {
  std::size_t killed = 0;
  std::size_t cut_off = 0;
  std::size_t refused = 0;
};
struct AcceptShortage {
  unsigned listener = 0;
  bool on = false;
  std::string text;
};
struct AcceptErrorRate {
  unsigned listener = 0;
  std::uint64_t in_last_second = 0;
};
/// cast: the handler of connections that come from now on.
struct SetConnectionStarter {
  ConnectionStarter start;
};
}  // namespace detail

class ServerMonitor {
 public:
  explicit ServerMonitor(std::shared_ptr<detail::ServerState> server) noexcept;
  ServerMonitor(const ServerMonitor&) = delete;
  ServerMonitor& operator=(const ServerMonitor&) = delete;

  void init();
  void handle_cast(WatchServer message);
  void handle_cast(const ServerEvent& event);  ///< from the parts, to all watchers
  void handle_cast(detail::DrainBegun message);
  void handle_cast(detail::ListenerDrained message);
  void handle_cast(detail::SchedulerDrained message);
  void handle_cast(detail::DrainDeadlinePassed message);
  void handle_cast(detail::AcceptShortage message);
  void handle_cast(detail::AcceptErrorRate message);
  void handle_cast(detail::SetConnectionStarter message);
  void handle_call(DrainServer request, From<DrainReport> from);
  void handle_call(AwaitConnections request, From<std::size_t> from);
  /// Checks all of it, then changes all of it. Error: invalid_argument, naming every fault.
  void handle_call(SetServerOptions request, From<bool> from);
  ServerPlace handle_call(GetServerPlace) const;
  void handle_info(Info& info);
  Next handle_shutdown(const Reason& reason);
  std::string describe() const;

 private:
  struct RecheckAlarm {
    std::size_t index = 0;
  };
  struct AcceptorsLate {};

  void tell(ServerEvent::Kind kind, std::size_t count, std::string text = {});
  bool note_drain();
  void begin_drain();
  void drain_connections();
  void settle_drain();
  void look_at(std::size_t alarm, std::size_t value);
  void watch_connections(std::size_t alarm, std::uint64_t token);
  std::size_t figure(Alarm::On on) const;
  void look_at_all(Alarm::On on);
  void settings_changed() const;

  std::shared_ptr<detail::ServerState> server_;
  std::map<Pid, MonitorId> watchers_;
  std::vector<detail::AlarmState> alarms_;
  std::set<unsigned> short_;                      // acceptors that are out of something
  std::map<unsigned, std::uint64_t> error_rate_;  // by acceptor
  std::uint64_t last_token_ = 0;
  std::map<std::uint64_t, From<std::size_t>> awaiting_;
  std::map<std::uint64_t, std::size_t> alarm_watches_;  // token -> alarm
  std::vector<std::uint64_t> alarm_token_;              // alarm -> the token that counts
  bool draining_ = false;
  bool drained_ = false;
  bool deadline_told_ = false;
  Instant drain_begun_;
  DrainReport drain_;
  std::set<unsigned> still_accepting_;  // acceptors that have not said that they are done
  std::set<unsigned> still_draining_;   // schedulers
  std::vector<From<DrainReport>> drain_waiters_;
};

}  // namespace hawser
