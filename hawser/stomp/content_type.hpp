// Text bodies: what a `content-type` says about their encoding (P-25). Public; pure functions.
#pragma once

#include <hawser/base/bytes.hpp>

#include <optional>

namespace hawser::stomp {

/// The body's character set: the `charset` parameter (without quotes, case as written), else
/// "utf-8" for any text/* type, else nothing, which means opaque octets. Borrows from `type`.
std::optional<BytesView> charset_of(BytesView type) noexcept;

/// `type` with `;charset=...` behind it, or as it is when text/* already implies UTF-8.
Bytes with_charset(BytesView type, BytesView charset);

/// True when the body may be shown as UTF-8 text: charset_of is utf-8 or us-ascii in any case.
bool is_utf8_text(BytesView type) noexcept;

}  // namespace hawser::stomp
