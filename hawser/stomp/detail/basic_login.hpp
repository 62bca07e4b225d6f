// Login and passcode out of an HTTP request's `Authorization: Basic …` (RFC 7617). Internal; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::stomp::detail {

/// Nothing for another scheme, what is no base64, or has no ':'.
std::optional<std::pair<std::string, std::string>> read_basic_login(std::string_view header);

}  // namespace hawser::stomp::detail
