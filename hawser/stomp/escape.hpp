// Escapes in header names and values, by version (stomp.md 1.2). Public; pure functions. Frames
// that are never escaped (CONNECT, STOMP, CONNECTED) are the parser's and the encoder's concern.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/stomp/version.hpp>

#include <cstddef>

namespace hawser::stomp {

/// What becomes of a backslash pair that the version does not define (P-14, P-15).
enum class UndefinedEscape : unsigned char {
  refuse,  ///< a protocol error
  pass,    ///< both octets stay as they are
};

/// The offset of the first backslash that starts no escape of `version` (a backslash at the very
/// end is one), or BytesView::npos. Always npos in 1.0, which has no escapes.
std::size_t find_undefined_escape(BytesView text, Version version) noexcept;

/// Appends the decoded `text`, which is never longer. One scan from left to right, so `\\n` stays a
/// backslash and an n. Undefined escapes are copied: ask find_undefined_escape first to refuse
/// them.
void append_unescaped(Bytes& out, BytesView text, Version version);

/// `text` decoded; protocol_error for an undefined escape unless `undefined` is pass.
Result<Bytes> unescape(BytesView text, Version version,
                       UndefinedEscape undefined = UndefinedEscape::refuse);

/// Appends `text` encoded. The caller has made sure with find_unsendable that it can be.
void append_escaped(Bytes& out, BytesView text, Version version);

/// `text` encoded; invalid_argument for octets that `version` has no way to send.
Result<Bytes> escape(BytesView text, Version version);

/// The offset of the first octet which a header *value* of `version` cannot carry, escaped or not,
/// or npos. NUL never; LF only where there are escapes (P-13); CR only in 1.2 (P-14), because
/// in 1.0 and 1.1 receivers take or leave it at the line end as they like (P-17).
std::size_t find_unsendable(BytesView text, Version version) noexcept;

/// The value without leading blanks and tabs, as 1.0 peers pad them (P-19). For the broker that
/// finds only after CONNECT that the session is 1.0; within a session the parser does it.
BytesView trim_padding(BytesView value) noexcept;

}  // namespace hawser::stomp
