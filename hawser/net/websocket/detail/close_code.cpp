// One code a kind of Reason.
#include <hawser/net/websocket/detail/close_code.hpp>

#include <hawser/base/utf8.hpp>

namespace hawser::websocket {

bool may_be_received(std::uint16_t code) noexcept {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::string close_text(std::string_view text) {
  constexpr std::size_t room = 123;
  if (text.size() > room) {
    std::size_t end = room;  // not within a code point
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    text = text.substr(0, end);
  }
  return is_utf8(text) ? std::string(text) : std::string();
}

Goodbye goodbye_for(const Reason& reason) {
  switch (reason.kind()) {
    case Reason::Kind::normal:
    case Reason::Kind::closed:
      return {normal_closure};
    case Reason::Kind::shutdown:
      return {going_away, "shutting down"};
    case Reason::Kind::protocol_error:
      return {protocol_broken, close_text(reason.detail())};
    case Reason::Kind::timeout:
      return {policy_violation, close_text(reason.text())};
    case Reason::Kind::overloaded:
      return {try_again_later, close_text(reason.detail())};
    case Reason::Kind::custom:
      return {normal_closure, close_text(reason.detail())};
    case Reason::Kind::killed:
    case Reason::Kind::crash:
    case Reason::Kind::no_process:
    case Reason::Kind::failed:
      return {internal_error, "internal error"};
  }
  return {internal_error};
}

}  // namespace hawser::websocket
