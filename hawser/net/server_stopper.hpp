// Ends one server from outside of its tree, so that whoever asked, be it one of its connections,
// may end with it. Internal to stop_server.
#pragma once

#include <hawser/net/server_control.hpp>
#include <hawser/net/server_monitor.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/task.hpp>

#include <string>

namespace hawser::detail {

class ServerStopper {
 public:
  ServerStopper(std::string name, Ref<ServerMonitor> monitor, StopServer how,
                From<DrainReport> from)
      : name_(std::move(name)), monitor_(monitor), how_(std::move(how)), from_(std::move(from)) {}

  void init();
  std::string describe() const { return "stopping server '" + name_ + "'"; }

 private:
  Task<> run();
  Task<Result<DrainReport>> stop_it();

  std::string name_;
  Ref<ServerMonitor> monitor_;
  StopServer how_;
  From<DrainReport> from_;
};

}  // namespace hawser::detail
