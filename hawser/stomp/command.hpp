// The fifteen commands of STOMP 1.0-1.2 and what each may do. Public; plain values.
#pragma once

#include <hawser/base/bytes.hpp>

namespace hawser::stomp {

enum class Command : unsigned char {
  unknown,  ///< only seen with ParserOptions::pass_unknown_commands; cannot be encoded
  stomp,
  connect,
  connected,
  send,
  subscribe,
  unsubscribe,
  ack,
  nack,
  begin,
  commit,
  abort,
  disconnect,
  message,
  receipt,
  error,
};

/// The command as it stands on the wire ("SEND"); "UNKNOWN" for Command::unknown.
BytesView to_string(Command command) noexcept;

/// Exact match, case and all (P-04); Command::unknown for everything else.
Command find_command(BytesView name) noexcept;

/// False for CONNECT, STOMP and CONNECTED, whose headers are never escaped (P-16).
constexpr bool escapes_headers(Command command) noexcept {
  return command != Command::connect && command != Command::stomp && command != Command::connected;
}

/// True for SEND, MESSAGE and ERROR, the only frames that may carry a body (P-10).
constexpr bool may_carry_body(Command command) noexcept {
  return command == Command::send || command == Command::message || command == Command::error;
}

}  // namespace hawser::stomp
