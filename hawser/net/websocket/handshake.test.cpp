// The opening handshake of RFC 6455 §4, each requirement missed once, from both sides.
#include <hawser/net/testing/websocket_ends.hpp>
#include <hawser/net/websocket/detail/http_head.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace hawser {
namespace {

using namespace hawser::testing;

std::string without(std::string head, std::string_view line_start) {
  const std::size_t at = head.find("\r\n" + std::string(line_start));
  if (at == std::string::npos) throw std::logic_error("no such line");
  return head.erase(at, head.find("\r\n", at + 2) - at);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("nothing to replace");
  return text.replace(at, from.size(), to);
}

class WebSocketHandshake : public ::testing::Test {
 protected:
  /// What a server answers to `head`, fed whole and byte by byte.
  std::string answer(const std::string& head, const WebSocketServerOptions& options = {}) {
    std::string answers[2];
    for (const bool bytewise : {false, true}) {
      const auto end = world.end(websocket_server(options));
      for (std::size_t at = 0; at < head.size() && !end->failed;) {
        const std::size_t size = bytewise ? 1 : head.size();
        end->transport->received(BytesView(head).substr(at, size));
        at += size;
      }
      answers[bytewise ? 1 : 0] = end->wire();
      ready = end->is_ready;
      reason = end->failed ? end->failed->text() : "";
    }
    EXPECT_EQ(answers[0], answers[1]);
    return answers[0];
  }
  void expect_refused(const std::string& head, const std::string& status,
                      const WebSocketServerOptions& options = {}) {
    const std::string wire = answer(head, options);
    EXPECT_TRUE(wire.starts_with("HTTP/1.1 " + status + "\r\n")) << head << wire;
    EXPECT_NE(header_of(wire, "Connection").find("close"), std::string::npos) << wire;
    const std::string body = wire.substr(wire.find("\r\n\r\n") + 4);
    EXPECT_FALSE(body.empty());
    EXPECT_EQ(header_of(wire, "Content-Length"), std::to_string(body.size()));
    EXPECT_FALSE(ready);
    EXPECT_FALSE(reason.empty());
  }
  /// A client's view of `head`; "ACCEPT" in it becomes what its key asks for.
  std::string judged(std::string head, const WebSocketClientOptions& options = {}) {
    const auto end = world.end(websocket_client(options), "server.example");
    const std::string request = end->wire();
    if (head.find("ACCEPT") != std::string::npos)
      head =
          replaced(head, "ACCEPT", websocket::accept_for(header_of(request, "Sec-WebSocket-Key")));
    for (const char c : head) {
      if (!end->failed) end->transport->received(BytesView(&c, 1));
    }
    if (end->is_ready == end->failed.has_value()) return "neither or both";
    if (end->is_ready) return "ready, " + end->transport->describe();
    return end->failed->text();
  }

  WebSocketWorld world;
  bool ready = false;
  std::string reason;
};

const std::string good_answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ACCEPT\r\n\r\n";

TEST_F(WebSocketHandshake, answers_the_sample_of_the_rfc) {
  const std::string wire = answer(opening_request("/chat"));
  EXPECT_TRUE(wire.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_EQ(header_of(wire, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(header_of(wire, "Upgrade"), "websocket");
  EXPECT_EQ(header_of(wire, "Connection"), "Upgrade");
  EXPECT_EQ(header_of(wire, "Sec-WebSocket-Protocol"), "");
  EXPECT_TRUE(ready);
}

TEST_F(WebSocketHandshake, takes_headers_in_any_case_and_lists) {
  answer(
      "GET / HTTP/1.1\r\nhost: a\r\nUPGRADE: foo, WebSocket\r\nconnection: keep-alive, upgrade\r\n"
      "sec-websocket-key:   dGhlIHNhbXBsZSBub25jZQ==  \r\nsec-websocket-version:13\r\n\r\n");
  EXPECT_TRUE(ready) << reason;
}

TEST_F(WebSocketHandshake, refuses_what_is_missing_or_wrong) {
  const std::string good = opening_request();
  expect_refused(without(good, "Host"), "400 Bad Request");
  expect_refused(replaced(good, "Host:", "Host: a\r\nHost:"), "400 Bad Request");
  expect_refused(without(good, "Upgrade"), "426 Upgrade Required");
  expect_refused(replaced(good, "Upgrade: websocket", "Upgrade: h2c"), "426 Upgrade Required");
  expect_refused(without(good, "Connection"), "400 Bad Request");
  expect_refused(replaced(good, "Connection: Upgrade", "Connection: close"), "400 Bad Request");
  expect_refused(without(good, "Sec-WebSocket-Key"), "400 Bad Request");
  expect_refused(replaced(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), "400 Bad Request");
  expect_refused(replaced(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXB!ZSBub25jZQ=="),
                 "400 Bad Request");
  expect_refused(replaced(good, "Sec-WebSocket-Key:", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Key:"),
                 "400 Bad Request");
  expect_refused(without(good, "Sec-WebSocket-Version"), "426 Upgrade Required");
  expect_refused(replaced(good, "Version: 13", "Version: 8"), "426 Upgrade Required");
  EXPECT_EQ(header_of(answer(replaced(good, "Version: 13", "Version: 8")), "Sec-WebSocket-Version"),
            "13");
  expect_refused(replaced(good, "GET", "POST"), "405 Method Not Allowed");
  expect_refused(replaced(good, "HTTP/1.1", "HTTP/1.0"), "505 HTTP Version Not Supported");
  expect_refused(replaced(good, "Host:", "Content-Length: 5\r\nHost:"), "400 Bad Request");
  expect_refused(replaced(good, "Host:", "Transfer-Encoding: chunked\r\nHost:"), "400 Bad Request");
  expect_refused(replaced(good, "Host:", "Sec-WebSocket-Extensions: ;;\r\nHost:"),
                 "400 Bad Request");
}

TEST_F(WebSocketHandshake, refuses_what_is_no_http) {
  for (const std::string_view head :
       {std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
        std::string_view("GET\r\n\r\n"), std::string_view("GET / HTTP/2.0\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\na b: c\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string_view("GET /\x01 HTTP/1.1\r\n\r\n")}) {
    expect_refused(std::string(head), "400 Bad Request");
  }
}

TEST_F(WebSocketHandshake, a_strangers_first_bytes_fail_at_once) {
  const auto end = world.end(websocket_server());
  end->transport->received(BytesView("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  ASSERT_TRUE(end->failed);
  EXPECT_EQ(end->failed->kind(), Reason::Kind::protocol_error);
}

TEST_F(WebSocketHandshake, bounds_the_head) {
  const WebSocketServerOptions options{.head_limit = 1000};
  const auto padded = [](std::size_t size) {
    const std::size_t bare = opening_request("/", "X: \r\n").size();
    return opening_request("/", "X: " + std::string(size - bare, 'x') + "\r\n");
  };
  answer(padded(1000), options);
  EXPECT_TRUE(ready) << reason;
  expect_refused(padded(1001), "431 Request Header Fields Too Large", options);
  EXPECT_NE(reason.find("head_limit"), std::string::npos);
  expect_refused(opening_request().substr(0, 40) + std::string(5000, 'x'),
                 "431 Request Header Fields Too Large", options);
}

TEST_F(WebSocketHandshake, checks_path_and_origin) {
  expect_refused(opening_request("/other"), "404 Not Found", {.path = "/ws"});
  answer(opening_request("/ws?token=5"), {.path = "/ws"});
  EXPECT_TRUE(ready);
  answer(opening_request("http://server.example/ws?x=http://y"), {.path = "/ws"});
  EXPECT_TRUE(ready);

  const WebSocketServerOptions listed{.origins = {"https://good.example"}};
  answer(opening_request("/", "Origin: HTTPS://good.example\r\n"), listed);
  EXPECT_TRUE(ready);
  expect_refused(opening_request("/", "Origin: https://good.example.evil\r\n"), "403 Forbidden",
                 listed);
  expect_refused(opening_request(), "403 Forbidden", listed);
  WebSocketServerOptions hooked;
  hooked.check_origin = [](std::string_view origin, const HttpRequest& request) {
    return origin == "null" && request.path() == "/here";
  };
  answer(opening_request("/here", "Origin: null\r\n"), hooked);
  EXPECT_TRUE(ready);
  expect_refused(opening_request("/there", "Origin: null\r\n"), "403 Forbidden", hooked);
}

TEST_F(WebSocketHandshake, on_request_has_the_last_word) {
  WebSocketServerOptions options;
  options.headers = {{"Server", "hawser"}};
  options.on_request = [](const HttpRequest& request) {
    if (request.header("authorization") != "Bearer 42") {
      auto verdict = WebSocketVerdict::refuse(401, "who are you?");
      verdict.headers = {{"WWW-Authenticate", "Bearer"}};
      return verdict;
    }
    auto verdict = WebSocketVerdict::accept();
    verdict.headers = {{"Set-Cookie", "a=b"}, {"Evil", "x\r\nInjected: y"}};
    return verdict;
  };
  expect_refused(opening_request(), "401 Unauthorized", options);
  EXPECT_EQ(header_of(answer(opening_request(), options), "WWW-Authenticate"), "Bearer");
  const std::string wire = answer(opening_request("/", "Authorization: Bearer 42\r\n"), options);
  EXPECT_TRUE(ready);
  EXPECT_EQ(header_of(wire, "Server"), "hawser");
  EXPECT_EQ(header_of(wire, "Set-Cookie"), "a=b");
  EXPECT_EQ(wire.find("Injected"), std::string::npos);
}

TEST_F(WebSocketHandshake, on_http_answers_who_wants_no_websocket) {
  const std::string plain = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  expect_refused(plain, "426 Upgrade Required");
  WebSocketServerOptions options{.path = "/ws"};
  expect_refused(plain, "404 Not Found", options);
  options.on_http = [](const HttpRequest& request) {
    return HttpResponse{.status = 200, .body = "path " + std::string(request.path()) + "\n"};
  };
  const std::string wire = answer(plain, options);
  EXPECT_TRUE(wire.starts_with("HTTP/1.1 200 OK\r\n")) << wire;
  EXPECT_TRUE(wire.ends_with("\r\n\r\npath /health\n"));
  EXPECT_EQ(reason, "normal");
}

TEST_F(WebSocketHandshake, chooses_a_subprotocol) {
  const WebSocketServerOptions options{.subprotocols = {"wamp.2.cbor", "wamp.2.json"}};
  const auto chosen = [&](const WebSocketServerOptions& with, const std::string& lines) {
    return header_of(answer(opening_request("/", lines), with), "Sec-WebSocket-Protocol");
  };
  EXPECT_EQ(chosen(options,
                   "Sec-WebSocket-Protocol: wamp.2.json, x\r\n"
                   "Sec-WebSocket-Protocol: wamp.2.cbor\r\n"),
            "wamp.2.cbor");
  EXPECT_EQ(chosen(options, "Sec-WebSocket-Protocol: x, y\r\n"), "");
  EXPECT_TRUE(ready);
  EXPECT_EQ(chosen(options, ""), "");
  auto strict = options;
  strict.subprotocol_required = true;
  expect_refused(opening_request("/", "Sec-WebSocket-Protocol: x\r\n"), "400 Bad Request", strict);
  WebSocketServerOptions hooked;
  hooked.choose_subprotocol = [](const HttpRequest&, const std::vector<std::string>& offered) {
    return offered.empty() ? std::string("made up") : offered.back();
  };
  EXPECT_EQ(chosen(hooked, "Sec-WebSocket-Protocol: a, b\r\n"), "b");
  expect_refused(opening_request(), "500 Internal Server Error", hooked);
}

TEST_F(WebSocketHandshake, tells_the_handler_what_was_asked_for) {
  const auto end =
      world.open_server({.subprotocols = {"p"}},
                        "Sec-WebSocket-Protocol: p\r\nCookie: a=1\r\nX-Two: 1\r\nX-Two: 2\r\n");
  auto& websocket = websocket_of(*end);
  EXPECT_EQ(websocket.subprotocol(), "p");
  EXPECT_EQ(websocket.path(), "/");
  EXPECT_EQ(websocket.request().header("cookie"), "a=1");
  EXPECT_EQ(websocket.request().joined("x-two"), "1, 2");
  EXPECT_EQ(websocket.request().count("X-TWO"), 2U);
  EXPECT_EQ(websocket.request().method(), "GET");
  EXPECT_EQ(end->transport->describe(), "WebSocket 13, p");
  const HttpRequest request("GET", "/a/b?c=d?e", 11, "");
  EXPECT_EQ(request.path(), "/a/b");
  EXPECT_EQ(request.query(), "c=d?e");
  EXPECT_TRUE(request.all().empty());
}

TEST_F(WebSocketHandshake, bytes_after_the_head_are_frames) {
  const auto end = world.end(websocket_server());
  end->transport->received(opening_request() +
                           wire_of({.opcode = 2, .payload = "x", .masked = true}) +
                           wire_of({.opcode = 2, .payload = "yz", .masked = true}));
  EXPECT_EQ(end->deliveries, (std::vector<std::string>{"x", "yz"}));
}

TEST_F(WebSocketHandshake, a_client_asks_as_it_was_told) {
  const auto end = world.end(websocket_client({.path = "/chat?a=b",
                                               .origin = "https://here",
                                               .subprotocols = {"one", "two"},
                                               .headers = {{"Authorization", "Bearer 42"}}}),
                             "server.example");
  const std::string request = end->wire();
  EXPECT_TRUE(request.starts_with("GET /chat?a=b HTTP/1.1\r\nHost: server.example\r\n")) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\n"));
  EXPECT_EQ(header_of(request, "Origin"), "https://here");
  EXPECT_EQ(header_of(request, "Sec-WebSocket-Protocol"), "one, two");
  EXPECT_EQ(header_of(request, "Sec-WebSocket-Version"), "13");
  EXPECT_EQ(header_of(request, "Authorization"), "Bearer 42");
  EXPECT_TRUE(websocket::is_key(header_of(request, "Sec-WebSocket-Key")));
  EXPECT_EQ(websocket_of(*end).path(), "/chat");
  const auto again = world.end(websocket_client(), "::1");
  const std::string other = again->wire();
  EXPECT_EQ(header_of(other, "Host"), "[::1]");
  EXPECT_NE(header_of(other, "Sec-WebSocket-Key"), header_of(request, "Sec-WebSocket-Key"));
  EXPECT_EQ(header_of(world.end(websocket_client({.host = "b:81"}), "a")->wire(), "Host"), "b:81");
}

TEST_F(WebSocketHandshake, a_client_checks_the_answer) {
  EXPECT_EQ(judged(good_answer), "ready, WebSocket 13");
  EXPECT_EQ(judged(replaced(good_answer, "Upgrade: websocket", "upgrade: WebSocket")),
            "ready, WebSocket 13");
  const auto fails = [&](const std::string& head, const std::string& part,
                         const WebSocketClientOptions& options = {}) {
    const std::string why = judged(head, options);
    EXPECT_NE(why.find(part), std::string::npos) << head << why;
  };
  fails("HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden");
  fails("HTTP/1.1 301 Moved\r\nLocation: http://b/\r\n\r\n", "301 Moved, see http://b/");
  fails(without(good_answer, "Upgrade"), "Upgrade is not");
  fails(without(good_answer, "Connection"), "lacks the token");
  fails(without(good_answer, "Sec-WebSocket-Accept"), "does not fit");
  fails(replaced(good_answer, "ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "does not fit");
  fails(replaced(good_answer, "HTTP/1.1", "HTTP/1.0"), "HTTP/1.0");
  fails("SSH-2.0-OpenSSH_9.2\r\n\r\n", "malformed HTTP");
  const std::string chosen =
      replaced(good_answer, "Upgrade:", "Sec-WebSocket-Protocol: b\r\nUpgrade:");
  EXPECT_EQ(judged(chosen, {.subprotocols = {"a", "b"}}), "ready, WebSocket 13, b");
  fails(chosen, "was not offered", {.subprotocols = {"a"}});
  fails(good_answer, "none of the subprotocols",
        {.subprotocols = {"a"}, .subprotocol_required = true});
  fails(replaced(good_answer, "Upgrade:", "Sec-WebSocket-Extensions: x\r\nUpgrade:"),
        "not offered");
  fails(replaced(good_answer, "Upgrade:", "X: " + std::string(20000, 'x') + "\r\nUpgrade:"),
        "head_limit");
}

TEST_F(WebSocketHandshake, an_end_before_it_is_through_has_a_reason) {
  const auto end = world.end(websocket_server());
  end->transport->received("GET / HT");
  end->transport->received_end();
  ASSERT_TRUE(end->failed);
  EXPECT_EQ(end->failed->kind(), Reason::Kind::closed);
  const auto late = world.end(websocket_server());
  late->transport->received("GET / HT");
  late->transport->finish(Reason::timeout("handshake"));
  EXPECT_TRUE(late->wire().starts_with("HTTP/1.1 408 "));
  const auto silent = world.end(websocket_server());
  silent->transport->finish(Reason::shutdown());
  EXPECT_EQ(silent->wire(), "");
}

TEST(WebSocketOptions, Tcp_E_25_E_60_are_checked_when_a_maker_is_made) {
  EXPECT_THROW(websocket_server({.path = "ws"}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.path = "/ws?x"}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.subprotocols = {"a b"}}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.headers = {{"A", "b\r\nc"}}}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.deflate = {.window_bits = 8}}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.message_limit = 0}), std::invalid_argument);
  EXPECT_THROW(websocket_server({.pong_timeout = 0s}), std::invalid_argument);
  EXPECT_THROW(websocket_client({.path = ""}), std::invalid_argument);
  EXPECT_THROW(websocket_client({.path = "/a b"}), std::invalid_argument);
  EXPECT_THROW(websocket_client({.host = "a\r\nb"}), std::invalid_argument);
  EXPECT_TRUE(validate(WebSocketClientOptions{}));
}

}  // namespace
}  // namespace hawser
