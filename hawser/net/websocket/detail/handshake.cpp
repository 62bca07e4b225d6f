// Each requirement of RFC 6455 §4.1 and §4.2 in turn, with the answer that fits when it is not met.
#include <hawser/net/websocket/detail/handshake.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>
#include <vector>

namespace hawser::websocket {

namespace {

bool same(std::string_view left, std::string_view right) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(left, right, {}, lower, lower);
}

/// The tokens of a comma-separated list.
std::vector<std::string> tokens_of(std::string_view list) {
  std::vector<std::string> tokens;
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view token = list.substr(0, comma);
    const std::size_t first = token.find_first_not_of(" \t");
    if (first != std::string_view::npos) {
      token = token.substr(first, token.find_last_not_of(" \t") - first + 1);
      tokens.emplace_back(token);
    }
    if (comma == std::string_view::npos) return tokens;
    list.remove_prefix(comma + 1);
  }
}

/// A value from a hook must not break out of its line.
bool fits_header(std::string_view text) noexcept {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string lines_of(const std::vector<HttpHeader>& headers) {
  std::string lines;
  for (const auto& header : headers) {
    if (fits_header(header.name) && fits_header(header.value))
      fmt::format_to(std::back_inserter(lines), "{}: {}\r\n", header.name, header.value);
  }
  return lines;
}

std::string response(int status, std::string_view type, std::string_view body,
                     std::string_view extra) {
  std::string_view text = http_status_text(status);
  if (text.empty()) text = "Unknown";
  return fmt::format(
      "HTTP/1.1 {} {}\r\n{}Content-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{}",
      status, text, extra, fits_header(type) ? type : "text/plain", body.size(),
      extra.starts_with("Upgrade:") ? "Upgrade, close" : "close", body);
}

Answer refused(int status, std::string text, std::string_view extra = {}) {
  Answer answer;
  answer.wire = error_response(status, text, extra);
  answer.reason = Reason::protocol_error(fmt::format("WebSocket handshake refused: {} {}: {}",
                                                     status, http_status_text(status), text));
  return answer;
}

/// A GET that asks for no WebSocket.
Answer plain_answer(const HttpRequest& request, const WebSocketServerOptions& options) {
  if (options.on_http) {
    const HttpResponse given = options.on_http(request);
    Answer answer;
    answer.wire = response(given.status, given.content_type, given.body, lines_of(given.headers));
    answer.reason = Reason::normal();
    return answer;
  }
  return refused(426, "this is a WebSocket endpoint", "Upgrade: websocket\r\n");
}

/// Why the request is no proper opening of RFC 6455, as an answer; nullopt when it is one.
std::optional<Answer> fault_of(const HttpRequest& request, const WebSocketServerOptions& options) {
  if (request.version() != 11) return refused(505, "WebSocket needs HTTP/1.1");
  if (request.method() != "GET")
    return refused(405, "WebSocket begins with a GET", "Allow: GET\r\n");
  if (request.count("Host") != 1 && request.target().find("://") == std::string_view::npos)
    return refused(400, "a request has exactly one Host header");
  if (const auto length = request.header("Content-Length");
      (!length.empty() && length != "0") || request.count("Transfer-Encoding") != 0)
    return refused(400, "the request has a body");
  const bool upgrade = request.has_token("Upgrade", "websocket");
  if (!upgrade && options.on_http) return plain_answer(request, options);
  if (!options.path.empty() && request.path() != options.path)
    return refused(404, "there is nothing at this path");
  if (!upgrade) return plain_answer(request, options);
  if (!request.has_token("Connection", "Upgrade"))
    return refused(400, "Connection does not have the token Upgrade");
  if (request.joined("Sec-WebSocket-Version") != "13")
    return refused(426, "only WebSocket version 13 is spoken here",
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  if (request.count("Sec-WebSocket-Key") != 1 || !is_key(request.header("Sec-WebSocket-Key")))
    return refused(400, "Sec-WebSocket-Key is not the base64 of 16 bytes");
  return std::nullopt;
}

bool origin_allowed(const HttpRequest& request, const WebSocketServerOptions& options) {
  const std::string_view origin = request.header("Origin");
  if (!options.origins.empty()) {
    const auto is_it = [&](const std::string& allowed) { return same(allowed, origin); };
    if (request.count("Origin") != 1 || std::ranges::none_of(options.origins, is_it)) return false;
  }
  return !options.check_origin || options.check_origin(origin, request);
}

std::string preferred(const std::vector<std::string>& ours,
                      const std::vector<std::string>& theirs) {
  for (const auto& name : ours) {
    if (std::ranges::find(theirs, name) != theirs.end()) return name;
  }
  return {};
}

std::string host_for(const WebSocketClientOptions& options, std::string_view dialled) {
  if (!options.host.empty()) return options.host;
  if (dialled.empty()) return "localhost";  // a Unix socket: HTTP/1.1 wants some name
  const bool bare_ipv6 = dialled.find(':') != std::string_view::npos && dialled.front() != '[';
  return bare_ipv6 ? fmt::format("[{}]", dialled) : std::string(dialled);
}

std::unexpected<Error> wrong(ErrorKind kind, std::string detail) {
  return std::unexpected(Error{kind, 0, "WebSocket handshake", std::move(detail)});
}

}  // namespace

std::string error_response(int status, std::string_view text, std::string_view extra) {
  return response(status, "text/plain; charset=utf-8", fmt::format("{}\n", text), extra);
}

Answer answer_request(const HttpRequest& request, const WebSocketServerOptions& options) {
  if (auto fault = fault_of(request, options)) return std::move(*fault);
  auto deflate = choose_deflate(request.joined("Sec-WebSocket-Extensions"), options.deflate);
  if (!deflate) return refused(400, deflate.error().detail);
  if (!origin_allowed(request, options)) return refused(403, "this origin may not connect");
  WebSocketVerdict verdict;
  if (options.on_request) verdict = options.on_request(request);
  if (verdict.status != 101)
    return refused(verdict.status, verdict.text, lines_of(verdict.headers));

  Agreement agreement{.subprotocol = {}, .deflate = deflate->agreement};
  const auto offered = tokens_of(request.joined("Sec-WebSocket-Protocol"));
  if (options.choose_subprotocol) {
    agreement.subprotocol = options.choose_subprotocol(request, offered);
    if (!agreement.subprotocol.empty() &&
        std::ranges::find(offered, agreement.subprotocol) == offered.end()) {
      Answer answer = refused(500, "internal error");
      answer.reason = Reason::failed(fmt::format(
          "choose_subprotocol answered '{}', which was not offered", agreement.subprotocol));
      return answer;
    }
  } else {
    agreement.subprotocol = preferred(options.subprotocols, offered);
  }
  if (options.subprotocol_required && agreement.subprotocol.empty())
    return refused(400, "none of the offered subprotocols is spoken here");

  Answer answer;
  auto out = std::back_inserter(answer.wire);
  fmt::format_to(out,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: {}\r\n",
                 accept_for(request.header("Sec-WebSocket-Key")));
  if (!agreement.subprotocol.empty())
    fmt::format_to(out, "Sec-WebSocket-Protocol: {}\r\n", agreement.subprotocol);
  if (!deflate->answer.empty())
    fmt::format_to(out, "Sec-WebSocket-Extensions: {}\r\n", deflate->answer);
  answer.wire += lines_of(options.headers);
  answer.wire += lines_of(verdict.headers);
  answer.wire += "\r\n";
  answer.agreement = std::move(agreement);
  return answer;
}

std::string client_request(const WebSocketClientOptions& options, std::string_view dialled,
                           std::string_view key) {
  std::string wire = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n",
      options.path, host_for(options, dialled), key);
  auto out = std::back_inserter(wire);
  if (!options.origin.empty()) fmt::format_to(out, "Origin: {}\r\n", options.origin);
  if (!options.subprotocols.empty())
    fmt::format_to(out, "Sec-WebSocket-Protocol: {}\r\n", fmt::join(options.subprotocols, ", "));
  if (const std::string offer = offer_deflate(options.deflate); !offer.empty())
    fmt::format_to(out, "Sec-WebSocket-Extensions: {}\r\n", offer);
  wire += lines_of(options.headers);
  wire += "\r\n";
  return wire;
}

Result<Agreement> judge_response(const ResponseHead& head, const WebSocketClientOptions& options,
                                 std::string_view key) {
  if (head.status != 101)
    return wrong(
        ErrorKind::refused,
        fmt::format("the server answered {} {}{}{}", head.status, head.reason,
                    head.header("Location").empty() ? "" : ", see ", head.header("Location")));
  if (head.version != 11)
    return wrong(ErrorKind::protocol_error, "the server answered in HTTP/1.0");
  if (!same(head.joined("Upgrade"), "websocket"))
    return wrong(ErrorKind::protocol_error, "the server's Upgrade is not 'websocket'");
  if (!head.has_token("Connection", "Upgrade"))
    return wrong(ErrorKind::protocol_error, "the server's Connection lacks the token Upgrade");
  if (head.joined("Sec-WebSocket-Accept") != accept_for(key))
    return wrong(ErrorKind::protocol_error,
                 "the server's Sec-WebSocket-Accept does not fit our key");
  Agreement agreement;
  agreement.subprotocol = head.joined("Sec-WebSocket-Protocol");
  if (!agreement.subprotocol.empty() &&
      std::ranges::find(options.subprotocols, agreement.subprotocol) == options.subprotocols.end())
    return wrong(ErrorKind::protocol_error,
                 fmt::format("the server chose the subprotocol '{}', which was not offered",
                             agreement.subprotocol));
  if (agreement.subprotocol.empty() && options.subprotocol_required)
    return wrong(ErrorKind::refused, "the server chose none of the subprotocols");
  auto deflate = agree_deflate(head.joined("Sec-WebSocket-Extensions"), options.deflate);
  if (!deflate) return std::unexpected(std::move(deflate.error()));
  agreement.deflate = *deflate;
  return agreement;
}

}  // namespace hawser::websocket
