// Faults by name, and the one way in which foreign octets enter a message.
#include <hawser/stomp/fault.hpp>

namespace hawser::stomp {

BytesView to_string(Fault fault) noexcept {
  switch (fault) {
    case Fault::command_too_long:
      return "command_too_long";
    case Fault::unknown_command:
      return "unknown_command";
    case Fault::nul_in_head:
      return "nul_in_head";
    case Fault::header_without_colon:
      return "header_without_colon";
    case Fault::empty_header_name:
      return "empty_header_name";
    case Fault::undefined_escape:
      return "undefined_escape";
    case Fault::forbidden_octet:
      return "forbidden_octet";
    case Fault::not_utf8:
      return "not_utf8";
    case Fault::too_many_headers:
      return "too_many_headers";
    case Fault::header_line_too_long:
      return "header_line_too_long";
    case Fault::header_block_too_long:
      return "header_block_too_long";
    case Fault::bad_content_length:
      return "bad_content_length";
    case Fault::body_too_long:
      return "body_too_long";
    case Fault::body_not_terminated:
      return "body_not_terminated";
    case Fault::unexpected_body:
      return "unexpected_body";
    case Fault::frame_too_long:
      return "frame_too_long";
  }
  return "unknown_fault";
}

Error ParseError::error() const { return {ErrorKind::protocol_error, 0, "STOMP", text}; }

Bytes quoted(BytesView bytes, std::size_t most) {
  constexpr char digits[] = "0123456789abcdef";
  const bool cut = bytes.size() > most;
  Bytes text = "\"";
  for (const char c : bytes.substr(0, most)) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\0') {
      text += "\\0";
    } else if (octet < 0x20 || octet > 0x7e) {
      text += "\\x";
      text += digits[octet >> 4U];
      text += digits[octet & 0xfU];
    } else {
      text += c;
    }
  }
  text += cut ? "\"..." : "\"";
  return text;
}

}  // namespace hawser::stomp
