// Owns a listening socket: accepts, keeps the limit, survives what accept can answer, and gives
// each connection to a scheduler. Internal to server(), but for the messages it takes.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/pid.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hawser {

/// call
struct GetServerStatus {};
/// cast: stop accepting (clients wait in the backlog), or go on.
struct SuspendAccepting {
  bool suspended = true;
};
/// cast: a new limit; what is open beyond it stays.
struct SetMaxConnections {
  std::size_t maximum = 0;
};

class Listener final : private AcceptEvents {
 public:
  Listener(std::shared_ptr<detail::ServerState> server, unsigned number) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  Next init();
  ServerStatus handle_call(GetServerStatus) const;
  void handle_cast(SuspendAccepting message);
  void handle_cast(SetMaxConnections message);
  void handle_info(Info& info);
  /// The server stops: first nobody is let in any more, then all connections drain.
  Next handle_shutdown(const Reason& reason);
  std::string describe() const;

 private:
  // Why it does not accept.
  enum Hold : std::uint8_t {
    hold_suspended = 1,
    hold_limit = 2,      // until RoomForConnections
    hold_exhausted = 4,  // for accept_pause
  };
  struct RetryAccept {};

  void on_accepted(NativeSocket socket) override;
  void on_accept_failed(const Error& error, bool paused) override;
  void place(NativeSocket socket);
  bool try_place(NativeSocket& socket);
  void wait_for_room();
  void hold(Hold why);
  void let_go(Hold why);
  void report(const Error& error);
  std::string holds() const;

  std::shared_ptr<detail::ServerState> server_;
  unsigned number_;
  Process* process_ = nullptr;
  SocketId socket_;
  Address address_;
  std::uint8_t held_ = 0;
  unsigned next_ = 0;
  std::deque<NativeSocket> accepted_;  // the kernel had them ready when the limit was reached
  struct Report {
    Instant next;
    std::uint64_t unreported = 0;
  };
  std::map<int, Report> reports_;  // by errno
};

}  // namespace hawser
