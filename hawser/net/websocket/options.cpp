// Options that could not work, or would let a value break out of its header line.
#include <hawser/net/websocket/options.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser {

namespace {

Result<void> invalid_option(std::string detail) {
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "WebSocket options", std::move(detail)});
}

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

/// What both sides have, whichever it is.
template <class Options>
Result<void> validate_common(const Options& options) {
  for (const auto& name : options.subprotocols) {
    if (!is_token(name))
      return invalid_option(fmt::format("'{}' is no name for a subprotocol", name));
  }
  for (const auto& header : options.headers) {
    if (!is_token(header.name))
      return invalid_option(fmt::format("'{}' is no header name", header.name));
    if (!is_value(header.value))
      return invalid_option(
          fmt::format("the value of header {} has control characters", header.name));
  }
  const WebSocketDeflate& deflate = options.deflate;
  if (deflate.window_bits < 9 || deflate.window_bits > 15)
    return invalid_option(
        fmt::format("deflate.window_bits is 9 … 15, not {}", deflate.window_bits));
  if (deflate.peer_window_bits < 8 || deflate.peer_window_bits > 15)
    return invalid_option(
        fmt::format("deflate.peer_window_bits is 8 … 15, not {}", deflate.peer_window_bits));
  if (deflate.level < 1 || deflate.level > 9)
    return invalid_option(fmt::format("deflate.level is 1 … 9, not {}", deflate.level));
  if (deflate.memory_level < 1 || deflate.memory_level > 9)
    return invalid_option(
        fmt::format("deflate.memory_level is 1 … 9, not {}", deflate.memory_level));
  if (options.message_limit == 0) return invalid_option("message_limit is at least 1 byte");
  if (options.fragments_limit == 0) return invalid_option("fragments_limit is at least 1");
  constexpr std::size_t longest_head = std::size_t{1} << 20;
  if (options.head_limit > longest_head || options.head_limit < 128)
    return invalid_option(
        fmt::format("head_limit is 128 bytes … 1 MiB, not {}", options.head_limit));
  if (options.ping_interval < Duration::zero()) return invalid_option("ping_interval is negative");
  if (options.ping_interval > Duration::zero() && options.pong_timeout <= Duration::zero())
    return invalid_option("pong_timeout must be more than zero while there are pings");
  return {};
}

}  // namespace

Result<void> validate(const WebSocketServerOptions& options) {
  if (!options.path.empty() && options.path.front() != '/')
    return invalid_option(fmt::format("path '{}' does not begin with '/'", options.path));
  if (options.path.find_first_of("? \r\n") != std::string::npos)
    return invalid_option("path has a query or blanks; requests are compared without their query");
  return validate_common(options);
}

Result<void> validate(const WebSocketClientOptions& options) {
  if (options.path.empty() || options.path.front() != '/')
    return invalid_option(fmt::format("path '{}' does not begin with '/'", options.path));
  if (!std::ranges::all_of(options.path, [](char c) { return c > 0x20 && c < 0x7f; }))
    return invalid_option("path has blanks, control or non-ASCII characters: percent-encode them");
  if (!is_value(options.host) || !is_value(options.origin))
    return invalid_option("host or origin has control characters");
  if (options.text_end && !options.stream)
    return invalid_option("text_end is for stream: elsewhere a message has its end");
  return validate_common(options);
}

}  // namespace hawser
