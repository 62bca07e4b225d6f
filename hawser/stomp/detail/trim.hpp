// Blanks around a word of a header's value. Internal; pure.
#pragma once

#include <hawser/base/bytes.hpp>

namespace hawser::stomp::detail {

/// Without the spaces and tabs at both ends.
inline BytesView trim(BytesView text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace hawser::stomp::detail
