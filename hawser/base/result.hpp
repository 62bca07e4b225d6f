// What a caller can handle is a value: Result<T> is either T or an Error that names the operation,
// the kind of failure and what to do. Public; plain values. (What nobody can handle is an
// exception, and ends the process it happens in.)
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace hawser {

/// Few kinds, each with its own consequence for the caller.
enum class ErrorKind : unsigned char {
  invalid_argument,  ///< the call itself is wrong: mend it, a retry gives the same
  not_found,         ///< no such name, process, host or file
  already_exists,    ///< the name or address is taken; the text says by whom
  refused,           ///< the other side said no (connection refused, permission denied)
  closed,            ///< the other side is gone; a reconnect may help
  timeout,           ///< the deadline passed first
  overloaded,        ///< a limit was hit; try again later or raise the limit named in the text
  exhausted,         ///< the machine is out of something (descriptors, memory, ports)
  protocol_error,    ///< the peer broke its protocol
  unsupported,       ///< not on this kernel or in this build
  cancelled,         ///< the operation was given up before its end
  failed,            ///< any other system error; `code` tells
};

std::string_view to_string(ErrorKind kind) noexcept;

/// A failure as a value. `operation` names what was tried ("listen", "connect"), `detail` says what
/// was wrong and, where there is a cure, what to do. `code` is the errno, or 0.
struct Error {
  ErrorKind kind = ErrorKind::failed;
  int code = 0;
  std::string operation{};
  std::string detail{};

  /// "listen: 127.0.0.1:61613 is taken by another program (EADDRINUSE); …", on one line.
  std::string text() const;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// What a function that returns a Result says when it could not do its work.
inline std::unexpected<Error> failure(ErrorKind kind, std::string_view operation,
                                      std::string detail) {
  return std::unexpected(Error{kind, 0, std::string(operation), std::move(detail)});
}

/// The Error for an errno value: its kind, and the system's own words after `detail`.
Error system_error(int code, std::string operation, std::string detail = {});

}  // namespace hawser
