// Where a STOMP broker is and as whom to log in, as one text:
// stomp://[login[:passcode]@]host[:port]
// [/vhost]. Public; plain value.
#pragma once

#include <hawser/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::stomp {

inline constexpr std::uint16_t default_port = 61613;

struct Url {
  std::optional<std::string> login{};
  std::optional<std::string> passcode{};
  std::string host{};  ///< a name or an address; IPv6 without its brackets
  std::uint16_t port = default_port;
  /// The `host` header of CONNECT; unset means `host` itself. "/" alone is unset, "/%2F" is "/".
  std::optional<std::string> vhost{};

  /// Reads a URL; %XX decodes in login, passcode and vhost (so a passcode may hold any octet but
  /// NUL and LF, which CONNECT cannot carry). Errors: invalid_argument; the text never repeats what
  /// stands before an '@'.
  static Result<Url> parse(std::string_view text);

  /// For logs: never with the passcode ("stomp://guest:***@host:61613/vhost").
  std::string text() const;
  /// What CONNECT's `host` header says.
  const std::string& host_header() const noexcept { return vhost ? *vhost : host; }

  friend bool operator==(const Url&, const Url&) = default;
};

}  // namespace hawser::stomp
