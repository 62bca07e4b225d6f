// Close codes (RFC 6455 §7.4): which may be on the wire, and which one a Reason gets. Internal.
#pragma once

#include <hawser/process/reason.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hawser::websocket {

enum CloseCode : std::uint16_t {
  normal_closure = 1000,
  going_away = 1001,
  protocol_broken = 1002,
  bad_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  internal_error = 1011,
  try_again_later = 1013,
};

/// Defined and meant for the wire, or of a range that is free to use (3000 … 4999).
bool may_be_received(std::uint16_t code) noexcept;

struct Goodbye {
  std::uint16_t code = normal_closure;
  std::string text{};  ///< UTF-8, at most 123 bytes: what a control frame has room for
};
/// What a peer is told when a connection ends. What a crash was about is not its business.
Goodbye goodbye_for(const Reason& reason);
/// The beginning of `text` that fits into a close frame; "" when it is not UTF-8.
std::string close_text(std::string_view text);

}  // namespace hawser::websocket
