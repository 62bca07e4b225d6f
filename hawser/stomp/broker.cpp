// Octets from the connection to the session, requests from the session to the bus, and back.
#include <hawser/stomp/broker.hpp>

#include <hawser/base/utf8.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/engine/secret.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/server.hpp>
#include <hawser/net/tls/tls_transport.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/self.hpp>
#include <hawser/stomp/detail/basic_login.hpp>
#include <hawser/stomp/trace_points.hpp>

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

namespace hawser::stomp {
namespace {

// What is written within a callback. One for all connections of a thread, since each empties it
// before its callback returns: frames are put together here, and leave in one piece.
Bytes& shared_output() {
  thread_local Bytes output;
  return output;
}
constexpr std::size_t output_piece = std::size_t{64} << 10;

/// What is far off may come a little later, at a moment that connections share: ten thousand idle
/// ones wake their thread sixteen times a second then, not two thousand times, and their
/// heart-beats leave together. (Heart-beats are due at half of what was promised.)
Instant shared_moment(Instant due, Instant now) noexcept {
  constexpr Duration far = 2s;
  constexpr Duration grid = std::chrono::duration_cast<Duration>(1s) / 16;
  if (due - now < far) return due;
  const Duration past = (due - Instant{}) % grid;
  return past == Duration::zero() ? due : due + (grid - past);
}

}  // namespace

struct BrokerConnection::LoginJob {
  LoginJob(LoginRequest asked, std::shared_ptr<LoginGate> gate, Pid owner)
      : request(std::move(asked)), ticket(std::in_place, std::move(gate), owner) {}
  LoginRequest request;
  Result<std::string> user = std::unexpected(Error{ErrorKind::failed, 0, "login", "not checked"});
  std::optional<LoginGate::Ticket> ticket;
};

BrokerConnection::BrokerConnection(std::shared_ptr<const Shared> shared) noexcept
    : shared_(std::move(shared)) {}

Next BrokerConnection::init() {
  shared_output().clear();
  const std::string number =
      fmt::format("{:x}", self().process().scheduler().engine().random().next());
  session_.emplace(shared_->options.session, static_cast<BrokerSession::Port&>(*this), number,
                   self().now(), origin());
  auto bus = bus::Bus::find(self().system(), shared_->options.bus);
  if (!bus) {
    session_->bus_lost(bus.error().text());
    finish_turn();
    return keep();
  }
  // A shard takes the subscriptions it held with it when it ends: so must we.
  for (const Pid shard : bus->shards()) self().monitor(shard);
  client_.emplace(std::move(*bus), static_cast<bus::ClientEvents&>(*this), shared_->options.client);
  tick();
  finish_turn();
  return keep();
}

SessionOrigin BrokerConnection::origin() const {
  SessionOrigin origin;
  if (const auto peer = connection().peer()) origin.peer = peer->text();
  if (const auto* tls = connection().transport<TlsTransport>())
    if (auto info = tls->info(); info.peer_verified)
      origin.certificate_subject = std::move(info.peer_subject);
  if (const auto* websocket = connection().transport<WebSocketTransport>()) {
    origin.version = find_subprotocol(websocket->subprotocol());
    if (shared_->options.websocket_login)
      if (auto basic = detail::read_basic_login(websocket->request().header("authorization")))
        std::tie(origin.login, origin.passcode) = std::move(*basic);
  }
  return origin;
}

void BrokerConnection::handle_packet(Packet octets) {
  shared_output().clear();
  session_->received(octets, self().now());
  finish_turn();
}

void BrokerConnection::handle_info(Info& info) {
  shared_output().clear();
  if (client_ && client_->handle(info)) {
    // The session has been told.
  } else if (info.get<Tick>() != nullptr) {
    timer_.reset();
    tick();
  } else if (info.get<LoginGate::Turn>() != nullptr) {
    check_login();
  } else if (const auto* checked = info.get<LoginChecked>()) {
    login_.reset();
    session_->logged_in(std::move(checked->job->user));
  } else if (info.get<Down>() != nullptr) {
    session_->bus_lost();
  }
  finish_turn();
}

void BrokerConnection::handle_drained() {
  shared_output().clear();
  session_->writable();
  finish_turn();
}

void BrokerConnection::terminate(const Reason&) {
  if (!session_ || !client_) return;
  session_->leave();
  client_->flush();
}

std::string BrokerConnection::describe() const {
  return session_ ? session_->describe() : std::string{};
}

void BrokerConnection::finish_turn() {
  send_output();
  if (client_) client_->flush();
  // Logged in: heart-beats may be due long before the login's deadline.
  if (session_->state() != ticked_in_) {
    tick();
    send_output();
  }
}

void BrokerConnection::send_output() {
  Bytes& output = shared_output();
  if (output.empty()) return;
  if (shared_->options.websocket_text) {
    if (auto* websocket = connection().transport<WebSocketTransport>())
      websocket->set_outgoing_text(is_utf8(output));
  }
  // Nothing to be done about an error: the connection ends by itself and says why.
  (void)connection().send_packet(BytesView(output));
  output.clear();
  if (output.capacity() > 4 * output_piece) output.shrink_to_fit();
  session_->wrote(self().now());
}

void BrokerConnection::tick() {
  if (timer_) self().cancel_timer(*std::exchange(timer_, std::nullopt));
  if (!has_room()) session_->not_reading(self().now());
  const Instant next = session_->tick(self().now());
  ticked_in_ = session_->state();
  if (next != Instant::never())
    timer_ = self().send_after(shared_moment(next, self().now()) - self().now(), Tick{});
}

// ---- logins
// --------------------------------------------------------------------------------------------

void BrokerConnection::log_in(LoginRequest request) {
  if (auto known = shared_->options.session.access->log_in_at_once(request)) {
    session_->logged_in(std::move(*known));
    return;
  }
  login_ = std::make_shared<LoginJob>(std::move(request), shared_->gate, self().pid());
  if (login_->ticket->has_turn()) check_login();
}

void BrokerConnection::check_login() {
  if (login_ == nullptr) return;
  const auto access = shared_->options.session.access;
  self().process().scheduler().engine().run_blocking(
      [job = login_, access] {
        try {
          job->user = access->log_in(job->request);
        } catch (const std::exception& thrown) {
          job->user = std::unexpected(Error{ErrorKind::failed, 0, "login", thrown.what()});
        }
        job->request = {};
      },
      [job = login_, pid = self().pid()] {
        job->ticket.reset();  // the next one's turn, whether or not we are still there
        send_info(pid, LoginChecked{job});
      });
}

// ---- the session's port
// --------------------------------------------------------------------------------

Bytes& BrokerConnection::output() { return shared_output(); }

void BrokerConnection::write(const Payload& octets) {
  send_output();
  if (shared_->options.websocket_text) {
    if (auto* websocket = connection().transport<WebSocketTransport>())
      websocket->set_outgoing_text(is_utf8(octets.view()));
  }
  (void)connection().send_packet(octets);
}

bool BrokerConnection::has_room() {
  if (shared_output().size() >= output_piece) send_output();
  return connection().unsent() + shared_output().size() < connection().options().high_water;
}

void BrokerConnection::read(bool on) {
  connection().activate(on ? ConnectionOptions::unlimited : 0);
}

bool BrokerConnection::read_from(int least) {
  // What a transport carries is not counted by the socket.
  if (connection().transport<Transport>() != nullptr) return false;
  StreamChanges changes;
  changes.receive_low_water = least;
  return connection().change_socket(changes).has_value();
}

std::optional<Instant> BrokerConnection::last_arrival() {
  const auto arrival = connection().last_arrival();
  return arrival ? std::optional(*arrival) : std::nullopt;
}

void BrokerConnection::end(Reason reason) {
  if (const std::uint16_t code = session_->close_code(); code != 0) {
    if (auto* websocket = connection().transport<WebSocketTransport>())
      websocket->set_goodbye(code, reason.detail());
  }
  send_output();  // nothing is sent any more once we stop
  self().stop(std::move(reason));
}

std::int64_t BrokerConnection::wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             self().process().scheduler().engine().wall_clock().time_since_epoch())
      .count();
}

std::string BrokerConnection::secret() {
  return make_secret(self().process().scheduler().engine());
}

void BrokerConnection::told_error(std::string_view message) {
  Telemetry& telemetry = self().process().scheduler().telemetry();
  if (!telemetry.wants(LogLevel::debug)) [[likely]]
    return;
  // What is in quotes, or behind a colon, is the client's own or a detail: few words remain.
  const std::string_view what = message.substr(0, message.find('"'));
  const auto raise = [&](const TracePoint& point) {
    telemetry.raise(point, LogLevel::debug, self().now(), self().pid(), self().process().label(),
                    {}, [&] { return std::string(what); });
  };
  raise(trace_point::stomp_error);
  if (what == "login refused") raise(trace_point::stomp_login_refused);
}

bus::Sender BrokerConnection::sender(const bus::Destination& to) { return client_->sender(to); }

bool BrokerConnection::publish(bus::Sender to, bus::MessagePtr& message, std::uint64_t token) {
  return client_->publish(to, message, token);
}

void BrokerConnection::declare_temporary(const bus::Destination& queue) {
  client_->declare(queue, {}, true, 0);
}

void BrokerConnection::remove(const bus::Destination& queue, std::uint64_t token) {
  client_->remove(queue, false, token);
}

void BrokerConnection::subscribe(std::uint64_t number, bus::Subscription subscription,
                                 std::uint64_t token) {
  client_->subscribe(number, std::move(subscription), token);
}

void BrokerConnection::unsubscribe(std::uint64_t number, std::uint64_t last_seen,
                                   std::uint64_t token) {
  client_->unsubscribe(number, last_seen, token);
}

void BrokerConnection::settle(const bus::Settlement& settlement, std::uint64_t token) {
  client_->settle(settlement, token);
}

void BrokerConnection::commit(bus::Transaction transaction, std::uint64_t token) {
  client_->commit(std::move(transaction), token);
}

// ---- the bus's events
// ----------------------------------------------------------------------------------

void BrokerConnection::delivered(std::span<bus::Delivery> deliveries) {
  session_->delivered(deliveries);
}
void BrokerConnection::confirmed(std::uint64_t token) { session_->confirmed(token); }
void BrokerConnection::refused(std::uint64_t token, const Error& error) {
  session_->refused(token, error);
}
void BrokerConnection::subscription_ended(std::uint64_t subscription, const Error& error) {
  session_->subscription_ended(subscription, error);
}
void BrokerConnection::browse_ended(std::uint64_t subscription) {
  session_->browse_ended(subscription);
}
void BrokerConnection::pause_changed(bool paused) { session_->pause_changed(paused); }

ChildSpec broker_server(std::string name, ServerOptions server_options, BrokerOptions options) {
  server_options.framing = raw();
  return server<BrokerConnection>(
      std::move(name), std::move(server_options),
      std::shared_ptr<const BrokerConnection::Shared>(
          std::make_shared<BrokerConnection::Shared>(std::move(options))));
}

Result<TransportMaker> broker_websocket(const BrokerWebSocket& options, VersionSet versions) {
  WebSocketServerOptions websocket;
  websocket.path = options.path;
  websocket.origins = options.origins;
  websocket.stream = true;
  for (const Version version : {Version::v1_2, Version::v1_1, Version::v1_0})
    if (versions.contains(version)) websocket.subprotocols.emplace_back(subprotocol(version));
  websocket.subprotocol_required = !options.any_subprotocol;
  if (auto valid = validate(websocket); !valid) return std::unexpected(std::move(valid.error()));
  return websocket_server(std::move(websocket));
}

}  // namespace hawser::stomp
