// A WebSocket's beginning and end: the HTTP handshake, pings, the goodbye.
#include <hawser/base/check.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/websocket/detail/close_code.hpp>
#include <hawser/net/websocket/detail/deflate.hpp>
#include <hawser/net/websocket/detail/handshake.hpp>
#include <hawser/net/websocket/detail/http_head.hpp>
#include <hawser/net/websocket/detail/settings.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>
#include <utility>

namespace hawser {

using namespace websocket;

/// What only the handshake needs.
struct WebSocketTransport::Opening {
  Opening(HeadReader::Of kind, std::size_t limit) : reader(kind, limit) {}
  HeadReader reader;
  std::string key{};  // a client's
};

WebSocketTransport::WebSocketTransport(std::shared_ptr<const Settings> settings)
    : settings_(std::move(settings)), outgoing_text_(settings_->text) {}

WebSocketTransport::~WebSocketTransport() = default;
WebSocketTransport::Rest::Rest() noexcept = default;
WebSocketTransport::Rest::~Rest() = default;

const WebSocketTransport::Rest& WebSocketTransport::rest() const noexcept {
  static const Rest none;
  return rest_ == nullptr ? none : *rest_;
}

bool WebSocketTransport::is_server() const noexcept { return settings_->server.has_value(); }

bool WebSocketTransport::keeps_packets() const noexcept { return !settings_->stream; }

const HttpRequest& WebSocketTransport::request() const noexcept {
  static const HttpRequest none;
  return request_ == nullptr ? none : *request_;
}

std::string_view WebSocketTransport::path() const noexcept {
  if (is_server()) return request().path();
  const std::string_view path = settings_->client->path;
  return path.substr(0, path.find('?'));
}

std::string WebSocketTransport::describe() const {
  return fmt::format("WebSocket 13{}{}{}", subprotocol().empty() ? "" : ", ", subprotocol(),
                     deflate_.on ? ", permessage-deflate" : "");
}

void WebSocketTransport::start(Link& link) {
  link_ = &link;
  opening_ = std::make_unique<Opening>(
      is_server() ? HeadReader::Of::request : HeadReader::Of::response, settings_->head_limit);
  if (is_server()) return;
  Random& random = link.scheduler().engine().random();
  std::array<unsigned char, 16> nonce{};
  for (std::size_t at = 0; at < nonce.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t eight = random.next();
    std::memcpy(nonce.data() + at, &eight, sizeof eight);
  }
  opening_->key = base64(nonce);
  if (SendQueue* below = link.below()) {
    below->append(client_request(*settings_->client, link.host(), opening_->key));
    link.flush();
  }
}

void WebSocketTransport::read_head(BytesView& in) {
  std::size_t taken = 0;
  const HeadState state = opening_->reader.put(in, taken);
  in.remove_prefix(taken);
  switch (state) {
    case HeadState::need_more:
      return;
    case HeadState::done:
      return is_server() ? answer_client() : judge_server();
    case HeadState::too_long:
      return refuse(431, "the request's head is too long",
                    Reason::overloaded(fmt::format(
                        "WebSocket handshake: the head is longer than head_limit ({} bytes)",
                        settings_->head_limit)));
    case HeadState::malformed:
      return refuse(400, "this is no HTTP/1.1 request",
                    Reason::protocol_error(fmt::format("WebSocket handshake: malformed HTTP: {}",
                                                       opening_->reader.fault())));
  }
}

void WebSocketTransport::refuse(int status, std::string_view text, Reason reason) {
  over_ = true;
  if (SendQueue* below = link_->below(); below != nullptr && is_server()) {
    below->append(error_response(status, text));
    link_->flush();
  }
  link_->fail(std::move(reason));
}

void WebSocketTransport::answer_client() {
  auto request = std::make_unique<HttpRequest>(opening_->reader.request());
  Answer answer = answer_request(*request, *settings_->server);
  if (SendQueue* below = link_->below()) {
    below->append(answer.wire);
    link_->flush();
  }
  if (!answer.agreement) {
    over_ = true;
    link_->fail(std::move(answer.reason));
    return;
  }
  if (settings_->server->keep_request) request_ = std::move(request);
  begin(std::move(*answer.agreement));
}

void WebSocketTransport::judge_server() {
  auto agreement = judge_response(opening_->reader.response(), *settings_->client, opening_->key);
  if (agreement) return begin(std::move(*agreement));
  over_ = true;
  const std::string text = agreement.error().text();
  link_->fail(agreement.error().kind == ErrorKind::refused ? Reason::failed(text)
                                                           : Reason::protocol_error(text));
}

void WebSocketTransport::begin(Agreement agreement) {
  if (!agreement.subprotocol.empty()) the_rest().subprotocol = std::move(agreement.subprotocol);
  deflate_ = agreement.deflate;
  opening_.reset();
  if (settings_->ping_interval > Duration::zero()) {
    Scheduler& scheduler = link_->scheduler();
    last_heard_ = scheduler.now();
    scheduler.timers().arm(timer_, last_heard_ + settings_->ping_interval);
  }
  link_->ready();
}

// ---- silence
// ---------------------------------------------------------------------------------------

void WebSocketTransport::PingTimer::fire() {
  owner_.link_->run("websocket ping", [&owner = owner_] { owner.on_timer(); });
}

void WebSocketTransport::heard() {
  if (opening_ != nullptr || settings_->ping_interval <= Duration::zero()) return;
  Scheduler& scheduler = link_->scheduler();
  last_heard_ = scheduler.now();
  if (std::exchange(awaiting_pong_, false))
    scheduler.timers().arm(timer_, last_heard_ + settings_->ping_interval);
}

void WebSocketTransport::on_timer() {
  if (over() || close_sent_) return;
  Scheduler& scheduler = link_->scheduler();
  const Instant now = scheduler.now();
  if (awaiting_pong_) {
    if (!link_->holding()) {
      over_ = true;
      Reason reason = Reason::timeout("nothing came from the peer after a WebSocket ping");
      write_close(policy_violation, reason.detail());
      link_->fail(std::move(reason));
      return;
    }
    // It is us who do not read.
    scheduler.timers().arm(timer_, now + settings_->pong_timeout);
    return;
  }
  if (const Instant due = last_heard_ + settings_->ping_interval; due > now) {
    scheduler.timers().arm(timer_, due);
    return;
  }
  write_control(ping, {});
  awaiting_pong_ = true;
  scheduler.timers().arm(timer_, now + settings_->pong_timeout);
}

// ---- the end
// ---------------------------------------------------------------------------------------

void WebSocketTransport::received_end() {
  ended_below_ = true;
  if (working_ || kept() != 0) return;  // what is kept may hold the close frame
  end_below();
}

void WebSocketTransport::end_below() {
  if (over()) return;
  over_ = true;
  timer_.cancel();
  if (close_sent_) {
    link_->deliver_end();  // we have said goodbye, and the peer has left
  } else if (opening_ == nullptr) {
    link_->fail(Reason(Reason::Kind::closed,
                       "the connection ended without a WebSocket close frame (1006)"));
  } else {
    link_->fail(
        Reason(Reason::Kind::closed, "the connection ended within the WebSocket handshake"));
  }
}

void WebSocketTransport::finish(const Reason& reason) {
  if (link_ == nullptr) return;
  timer_.cancel();
  if (opening_ == nullptr) {
    // Where the connection only stops sending, the peer's messages still count until its own close.
    const Goodbye goodbye =
        goodbye_code_ == 0 ? goodbye_for(reason) : Goodbye{goodbye_code_, goodbye_text_};
    write_close(goodbye.code, goodbye.text);
    return;
  }
  const bool refused = std::exchange(over_, true);
  if (is_server() && !refused && !opening_->reader.empty()) {
    SendQueue* below = link_->below();
    if (below == nullptr) return;
    if (reason.kind() == Reason::Kind::timeout) {
      below->append(error_response(408, "the request did not come in time"));
    } else {
      below->append(error_response(503, "going away"));
    }
    link_->flush();
  }
}

void WebSocketTransport::set_goodbye(std::uint16_t code, std::string_view text) {
  goodbye_code_ = code;
  goodbye_text_ = websocket::close_text(text);
}

void WebSocketTransport::hibernate() {
  if (rest_ == nullptr) return;
  rest_->kept.shrink_to_fit();
  rest_->message.shrink_to_fit();
  rest_->control.shrink_to_fit();
  // What we have sent may be forgotten by us at any time; what the peer has sent may not, unless it
  // has promised not to refer to it.
  rest_->deflater.reset();
  if (!deflate_.peer_takeover && !in_message_) rest_->inflater.reset();
  drop_rest_if_empty();
}

// ---- makers
// ----------------------------------------------------------------------------------------

namespace {

template <class Options>
std::shared_ptr<Settings> settings_of(const Options& options) {
  if (const auto valid = validate(options); !valid)
    throw std::invalid_argument(valid.error().text());
  return std::make_shared<Settings>(options);
}

TransportMaker maker_of(std::shared_ptr<const Settings> settings) {
  return
      [settings = std::move(settings)] { return std::make_unique<WebSocketTransport>(settings); };
}

}  // namespace

TransportMaker websocket_server(WebSocketServerOptions options) {
  auto settings = settings_of(options);
  settings->server = std::move(options);
  return maker_of(std::move(settings));
}

TransportMaker websocket_client(WebSocketClientOptions options) {
  auto settings = settings_of(options);
  settings->client = std::move(options);
  return maker_of(std::move(settings));
}

}  // namespace hawser
