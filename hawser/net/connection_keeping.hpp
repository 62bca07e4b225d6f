// Tells the user's keeper of each connection that starts and ends, on one scheduler. Internal to
// the connection supervisor; belongs to its thread.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/process/reason.hpp>

#include <map>
#include <memory>

namespace hawser::detail {

class ConnectionKeeping {
 public:
  ConnectionKeeping(std::shared_ptr<ServerState> server, Scheduler& scheduler) noexcept;

  /// Of those whose supervisor was killed, and they with it, nobody has told the end yet.
  void report_lost();
  void started(Connection& connection);
  /// It goes: these are its last figures. The reason follows by ended().
  void leaving(Connection& connection);
  void ended(Pid pid, const Reason& reason);
  /// Every start has had its end.
  bool settled() const noexcept { return kept().empty(); }

 private:
  std::map<Pid, ConnectionInfo>& kept() const noexcept;
  void tell_ended(const ConnectionInfo& info, const Reason& reason);
  template <class Message>
  void send(const Message& message) const;

  std::shared_ptr<ServerState> server_;
  Scheduler& scheduler_;
};

}  // namespace hawser::detail
