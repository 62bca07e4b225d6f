// Where a STOMP broker is and as whom to log in, as one text. Public; plain value.
//   stomp://[login[:passcode]@]host[:port][/vhost]
//   stomp+tls://…, stomps://…                          the same over TLS
//   ws://[login[:passcode]@]host[:port][/path], wss://…  over a WebSocket
//   unix://[login[:passcode]@]/path/of/socket
#pragma once

#include <hawser/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::stomp {

inline constexpr std::uint16_t default_port = 61613;
inline constexpr std::uint16_t default_tls_port = 61614;

struct Url {
  enum class Scheme : std::uint8_t { stomp, stomp_tls, websocket, websocket_tls, unix_socket };

  std::optional<std::string> login{};
  std::optional<std::string> passcode{};
  std::string host{};  ///< a name or an address; IPv6 without its brackets
  std::uint16_t port = default_port;
  /// The `host` header of CONNECT; unset means `host` itself. "/" alone is unset, "/%2F" is "/".
  std::optional<std::string> vhost{};
  Scheme scheme = Scheme::stomp;
  /// Of the WebSocket, with its query, as written; or of the Unix socket, decoded.
  std::string path{};

  bool tls() const noexcept {
    return scheme == Scheme::stomp_tls || scheme == Scheme::websocket_tls;
  }
  bool websocket() const noexcept {
    return scheme == Scheme::websocket || scheme == Scheme::websocket_tls;
  }
  /// As Target reads it: "host:61613", "unix:/run/x.sock".
  std::string target() const;

  /// Reads a URL; %XX decodes in login, passcode and vhost (so a passcode may hold any octet but
  /// NUL and LF, which CONNECT cannot carry). Errors: invalid_argument; the text never repeats what
  /// stands before an '@'.
  static Result<Url> parse(std::string_view text);

  /// For logs: never with the passcode ("stomp://guest:***@host:61613/vhost").
  std::string text() const;
  /// What CONNECT's `host` header says.
  std::string host_header() const {
    return vhost ? *vhost : host.empty() ? std::string("localhost") : host;
  }

  friend bool operator==(const Url&, const Url&) = default;
};

}  // namespace hawser::stomp
