// One errand to a STOMP broker: connect, send or listen, say goodbye. The program's stomp commands
// are made of it. Internal to the program.
#pragma once

#include <hawser/process/system.hpp>
#include <hawser/stomp/client_options.hpp>
#include <hawser/stomp/delivery.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hawser::app {

/// What is to be done. Set `body` to send one message, or `on_message` to subscribe.
struct StompErrand {
  stomp::ClientOptions client{};
  std::string destination{};
  std::vector<stomp::Header> headers{};

  std::optional<Payload> body{};
  bool receipt = false;  ///< ask for the message's own receipt, beside that of the goodbye
  Duration receipt_timeout = 30s;

  stomp::AckMode ack = stomp::AckMode::automatic;
  /// Called on the errand's scheduler for each message; false ends the errand (something is wrong
  /// with where messages go: `problem` says what). One that was taken is acknowledged.
  std::function<bool(const stomp::Delivery&)> on_message{};
  std::uint64_t count = 0;  ///< messages after which it is done; 0: until the program is ended
  bool reconnect = false;   ///< a connection that is lost is made again

  /// The first thing that went wrong, in words; empty when nothing has.
  std::string problem{};
};

/// Runs the errand in `system` until it is done, fails, or a signal ends the program (which is a
/// good end for one without a count). Answers true when all went well; else errand.problem says why
/// not. Plain thread only.
bool run_errand(System& system, StompErrand& errand);

}  // namespace hawser::app
