// Listening sockets from elsewhere for `hawser serve`: of systemd, of a parent process, of the
// program that ran before. Internal to the program; one thread, before its System starts.
#pragma once

#include "option_table.hpp"

#include <hawser/engine/inherited_sockets.hpp>
#include <hawser/engine/take_over.hpp>
#include <hawser/net/socket_exchange.hpp>
#include <hawser/process/system.hpp>

#include <memory>
#include <optional>
#include <string>

namespace hawser::app {

/// Reads an address, or "systemd:NAME" or "fd:3" for a socket that is inherited.
OptionTable::Read read_serve_address(std::string& target);

class ServeSockets {
 public:
  /// What `listen` needs, and, with a `handover` path, what the program there gives. Errors say
  /// which option or variable is wrong.
  static Result<ServeSockets> gather(const std::string& listen, const std::string& handover,
                                     const std::string& server);

  const std::shared_ptr<SocketExchange>& exchange() const noexcept { return exchange_; }

  /// The server accepts: the program before us ends, systemd is told, and from now on we can be
  /// taken over ourselves.
  Result<void> serving(System& system, Log& log);

 private:
  ServiceEnvironment environment_;
  std::string handover_;
  std::optional<TakeOver> over_;
  std::shared_ptr<SocketExchange> exchange_;
};

}  // namespace hawser::app
