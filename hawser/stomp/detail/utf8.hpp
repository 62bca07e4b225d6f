// Is this UTF-8? Internal; pure.
#pragma once

#include <hawser/base/bytes.hpp>

namespace hawser::stomp::detail {

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(BytesView text) noexcept;

}  // namespace hawser::stomp::detail
