// Both kinds of options as the transport uses them. Internal; shared by all connections of a maker.
#pragma once

#include <hawser/net/websocket/options.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace hawser::websocket {

struct Settings {
  /// One of the two.
  std::optional<WebSocketServerOptions> server;
  std::optional<WebSocketClientOptions> client;

  WebSocketDeflate deflate;
  std::size_t message_limit;
  std::uint64_t frame_limit;
  std::size_t fragments_limit;
  std::size_t head_limit;
  Duration ping_interval;
  Duration pong_timeout;
  bool text;
  bool stream;
  std::optional<char> text_end{};

  template <class Options>
  explicit Settings(const Options& options)
      : deflate(options.deflate),
        message_limit(options.message_limit),
        frame_limit(options.frame_limit),
        fragments_limit(options.fragments_limit),
        head_limit(options.head_limit),
        ping_interval(options.ping_interval),
        pong_timeout(options.pong_timeout),
        text(options.text),
        stream(options.stream) {
    constexpr std::uint64_t longest = std::numeric_limits<std::int64_t>::max();
    if (frame_limit == 0) frame_limit = stream ? longest : message_limit;
    if (!stream && frame_limit > message_limit) frame_limit = message_limit;
    if constexpr (requires { options.text_end; }) text_end = options.text_end;
  }
};

}  // namespace hawser::websocket
