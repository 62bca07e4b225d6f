// The opening handshake (RFC 6455 §4) as functions: a request and its answer. Internal.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/websocket/detail/extensions.hpp>
#include <hawser/net/websocket/detail/http_head.hpp>
#include <hawser/net/websocket/options.hpp>
#include <hawser/process/reason.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hawser::websocket {

/// What both sides go on with.
struct Agreement {
  std::string subprotocol;
  DeflateAgreement deflate;
};

/// A server's answer: bytes for the wire, and either an agreement or why there is none.
struct Answer {
  std::string wire;
  std::optional<Agreement> agreement;
  Reason reason;
};
Answer answer_request(const HttpRequest& request, const WebSocketServerOptions& options);
/// An error answer with a short body; `extra` are whole header lines.
std::string error_response(int status, std::string_view text, std::string_view extra = {});

std::string client_request(const WebSocketClientOptions& options, std::string_view dialled,
                           std::string_view key);
/// What the server's head means for the client that sent `key`.
Result<Agreement> judge_response(const ResponseHead& head, const WebSocketClientOptions& options,
                                 std::string_view key);

}  // namespace hawser::websocket
