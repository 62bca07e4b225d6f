// Everything a peer can do wrong on the wire, by name, with words fit for an ERROR frame. Public;
// plain values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>

namespace hawser::stomp {

/// Why a stream of octets is not STOMP. After one of these nothing on that stream can be trusted.
enum class Fault : unsigned char {
  command_too_long,       ///< Limits::command
  unknown_command,        ///< not one of the fifteen, or in the wrong case (P-04)
  nul_in_head,            ///< NUL before the empty line that ends the headers (P-01)
  header_without_colon,   ///< P-08
  empty_header_name,      ///< P-05
  undefined_escape,       ///< P-14, P-15, and a backslash at the end of a name or value
  forbidden_octet,        ///< raw ':' or CR where the version forbids it; strict_octets only (P-06)
  not_utf8,               ///< strict_utf8 only (P-09)
  too_many_headers,       ///< Limits::headers
  header_line_too_long,   ///< Limits::header_line
  header_block_too_long,  ///< Limits::header_block
  bad_content_length,     ///< not an unsigned decimal number that fits 64 bits (P-20)
  body_too_long,          ///< Limits::body, announced or received
  body_not_terminated,    ///< the octet after content-length octets is not NUL (P-21)
  unexpected_body,        ///< strict_bodies only (P-10)
  frame_too_long,         ///< Limits::pre_login_frame
};

/// The fault's own name, "header_without_colon": for logs and counters.
BytesView to_string(Fault fault) noexcept;

/// A fault and what was seen. `text` is one bounded line of printable ASCII that repeats the value
/// of no header but content-length, so it may go into an ERROR's `message` and into a log as it is.
struct ParseError {
  Fault fault = Fault::unknown_command;
  Bytes text{};

  /// As a protocol_error whose detail is `text`.
  Error error() const;

  friend bool operator==(const ParseError&, const ParseError&) = default;
};

/// `bytes` between double quotes, for messages: printable ASCII as it is, all else as \n, \r, \0 or
/// \xNN, cut after `most` octets with "..." behind the quote.
Bytes quoted(BytesView bytes, std::size_t most = 40);

}  // namespace hawser::stomp
