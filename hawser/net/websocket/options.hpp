// What a WebSocket server or client may be told. Public; values that a maker copies once and all
// its connections share.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/net/websocket/http.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// Compression of messages (permessage-deflate, RFC 7692). Off by default: it costs memory and
/// time, and a message in which a secret lies next to a stranger's words tells its length.
struct WebSocketDeflate {
  bool enabled = false;
  /// Our compressor forgets each message: worse ratios, but no memory between messages. Without it
  /// a connection holds some 260 KiB from its first compressed message on.
  bool no_context_takeover = true;
  /// The peer is asked for the same; without it a connection holds up to 42 KiB for inflating.
  bool peer_no_context_takeover = true;
  int window_bits = 15;            ///< our compressor's window, 9 … 15
  int peer_window_bits = 15;       ///< what the peer is allowed, 8 … 15
  int level = 6;                   ///< 1 (fast) … 9 (small)
  int memory_level = 8;            ///< zlib's memLevel, 1 … 9
  std::size_t minimum_size = 256;  ///< messages shorter than this many bytes are sent as they are
};

/// What `on_request` says.
struct WebSocketVerdict {
  int status = 101;                   ///< 101: go on; otherwise this is the answer: 400 … 599, 3xx
  std::string text{};                 ///< body of the refusal
  std::vector<HttpHeader> headers{};  ///< of the answer, either way

  static WebSocketVerdict accept() { return {}; }
  static WebSocketVerdict refuse(int status, std::string text) { return {status, std::move(text)}; }
};

struct WebSocketServerOptions {
  /// Exactly this path, without the query; "" takes any. Another one is answered with 404.
  std::string path{};
  /// In our order of preference; the first that the client offers is taken.
  std::vector<std::string> subprotocols{};
  /// Chooses among what the client offers instead; must answer one of them, or "" for none.
  std::function<std::string(const HttpRequest&, const std::vector<std::string>& offered)>
      choose_subprotocol{};
  /// A client that offers none of ours is refused with 400.
  bool subprotocol_required = false;
  /// Origins that may connect, compared without case ("https://example.org"); a request without an
  /// Origin is refused too. Empty: any, which is right only where a browser's cookies mean nothing.
  std::vector<std::string> origins{};
  /// Asked after the list; `origin` is "" when there is none. false: 403.
  std::function<bool(std::string_view origin, const HttpRequest&)> check_origin{};
  /// The last word on a request that is otherwise in order.
  std::function<WebSocketVerdict(const HttpRequest&)> on_request{};
  /// Answers a GET that asks for no WebSocket (any path); without it, 426. Then the connection
  /// ends.
  std::function<HttpResponse(const HttpRequest&)> on_http{};
  std::vector<HttpHeader> headers{};  ///< added to the 101 answer
  WebSocketDeflate deflate{};
  std::size_t message_limit = std::size_t{16} << 20;  ///< bytes of a message, inflated; 1009
  /// Payload bytes of one frame; 0: as message_limit (in `stream` mode: none). 1009.
  std::size_t frame_limit = 0;
  std::size_t fragments_limit = 262'144;  ///< frames of one message; 1008
  std::size_t head_limit = 16384;         ///< bytes of the request's head; 431
  /// So long without a byte from the peer, then a ping; zero: never.
  Duration ping_interval = 30s;
  /// So long after the ping without a byte from the peer, then the connection fails.
  Duration pong_timeout = 10s;
  bool text = false;  ///< packets go out as text messages; they must be UTF-8, which is not checked
  /// For protocols that are a byte stream (STOMP): payload is delivered as it arrives, whatever the
  /// messages are, and message_limit does not count. What is sent is still one message a send().
  bool stream = false;
  /// Keep the request for WebSocketTransport::request() beyond the handshake: 200 … 800 bytes.
  bool keep_request = true;
};

struct WebSocketClientOptions {
  std::string path = "/";  ///< with the query, as it goes into the request: "/chat?room=5"
  std::string host{};      ///< the Host header; "": the host that was dialled
  std::string origin{};    ///< the Origin header; "": none
  std::vector<std::string> subprotocols{};  ///< offered, in order of preference
  /// A server that chooses none of them fails the handshake.
  bool subprotocol_required = false;
  std::vector<HttpHeader> headers{};  ///< added to the request (Authorization, Cookie)
  WebSocketDeflate deflate{};
  std::size_t message_limit = std::size_t{16} << 20;  ///< as for the server, and so on
  std::size_t frame_limit = 0;
  std::size_t fragments_limit = 262'144;
  std::size_t head_limit = 16384;
  Duration ping_interval = 30s;
  Duration pong_timeout = 10s;
  bool text = false;
  bool stream = false;
  /// In stream mode, for servers that take the end of a text message for the end of what is in it:
  /// one that has more than line ends behind its last such byte is delivered with one at its end.
  std::optional<char> text_end{};
};

/// What is wrong with them; the makers throw std::invalid_argument with the same text.
Result<void> validate(const WebSocketServerOptions& options);
Result<void> validate(const WebSocketClientOptions& options);

}  // namespace hawser
