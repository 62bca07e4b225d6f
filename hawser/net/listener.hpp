// Owns a listening socket: accepts, keeps the limit, survives what accept can answer, and gives
// each connection to a scheduler. Internal to server(), but for the messages it takes.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/detail/listening_socket.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/net/listener_shedding.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/telemetry.hpp>

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// call; answered at once, by any one of the server's listeners for all of them.
struct GetServerStatus {};
/// The first listener of every server of a System is in this process group: for whoever shows them
/// all (GetServerStatus).
inline constexpr std::string_view servers_group = "hawser/servers";

/// call: this listener stops accepting. Constant time; until it is resumed it does nothing at all.
struct SuspendListener {
  SuspendMode mode = SuspendMode::keep_socket;
};
/// call: it goes on, on the port it had. Errors: already_exists when somebody has taken the address
/// meanwhile (it tries again by itself, see ServerOptions::listen_retry), closed while draining.
struct ResumeListener {
  using Reply = bool;
};
/// cast: the same without an answer; sockets are kept.
struct SuspendAccepting {
  bool suspended = true;
};
/// cast: a new limit; what is open beyond it stays.
struct SetMaxConnections {
  std::size_t maximum = 0;
};
/// cast: accepts no more, for good. Who was accepted already and waits for room goes to the
/// connection supervisors (StartWhenRoom). The monitor is told when that is done, each time.
struct DrainListener {};

class Listener final : private AcceptEvents {
 public:
  Listener(std::shared_ptr<detail::ServerState> server, unsigned number) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  Next init();
  ServerStatus handle_call(GetServerStatus) const;
  bool handle_call(SuspendListener message);
  void handle_call(ResumeListener message, From<bool> from);
  void handle_cast(SuspendAccepting message);
  void handle_cast(SetMaxConnections message);
  void handle_cast(DrainListener message);
  void handle_info(Info& info);
  /// The server stops: first nobody is let in any more, then all connections drain.
  Next handle_shutdown(const Reason& reason);
  void terminate(const Reason& reason) const;
  std::string describe() const;

 private:
  // Why it does not accept.
  enum Hold : std::uint8_t {
    hold_suspended = 1,
    hold_limit = 2,      // until RoomForConnections
    hold_exhausted = 4,  // for accept_pause
    hold_unbound = 8,    // somebody else has the address
    hold_draining = 16,
  };
  struct RetryAccept {};
  struct RetryListen {};
  struct ShedBacklog {};
  struct ErrorSecond {};
  struct ShortageOver {
    std::uint64_t shortages = 0;
  };

  void on_accepted(NativeSocket socket) override;
  void on_accept_failed(const Error& error, bool paused) override;
  void place(NativeSocket socket);
  bool try_place(NativeSocket& socket);
  unsigned next_scheduler() const noexcept;
  void no_room(NativeSocket socket);
  void place_waiting();
  void wait_for_room();
  void out_of_something(const Error& error);
  void end_of_pause();
  void end_shortage();
  void count_error();
  void end_of_second();
  void retry_listen();
  Result<void> open();
  void take_over(std::unique_ptr<detail::ListeningSocket> socket);
  Result<void> resume();
  void hold(Hold why);
  void let_go(Hold why);
  void accept_if_free();
  void publish() noexcept;
  void report(int key, const std::string& text);
  void tell(ServerEvent::Kind kind, std::string text) const;
  /// Raises an event of telemetry, if anybody wants it.
  void raise(const TracePoint& point, LogLevel level, const TelemetryEvent::Words& words,
             std::initializer_list<Measure> measures = {}) const;
  bool ends_with_us(Pid supervisor) const;
  static std::string holds(std::uint8_t held);

  std::shared_ptr<detail::ServerState> server_;
  unsigned number_;
  Process* process_ = nullptr;
  std::unique_ptr<detail::ListeningSocket> socket_;
  std::uint8_t held_ = 0;
  unsigned next_ = 0;
  std::deque<NativeSocket> accepted_;  // the kernel had them ready when the limit was reached
  bool room_asked_ = false;
  detail::Shedder shedder_;
  std::optional<detail::SpareDescriptor> spare_;
  bool shedding_ = false;  // the spare descriptor is given up for clients to be closed
  bool short_ = false;     // watchers were told so
  std::uint64_t shortages_ = 0;
  bool retrying_listen_ = false;
  bool second_running_ = false;
  std::uint64_t second_errors_ = 0;
  struct Report {
    Instant next;
    std::uint64_t unreported = 0;
  };
  std::map<int, Report> reports_;  // by errno, or a number of our own
};

}  // namespace hawser
