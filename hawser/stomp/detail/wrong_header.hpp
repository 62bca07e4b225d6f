// The error of a header whose value cannot be what it should be. Internal.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <expected>
#include <string>

namespace hawser::stomp::detail {

/// `wanted` says what it should be: "a number from 0 to 9".
inline std::unexpected<Error> wrong_header(BytesView name, BytesView value, const char* wanted) {
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, std::string(name),
                               fmt::format("{} is not {}", quoted(value), wanted)});
}

}  // namespace hawser::stomp::detail
