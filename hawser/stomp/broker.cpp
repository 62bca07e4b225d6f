// Octets from the connection to the session, requests from the session to the bus, and back.
#include <hawser/stomp/broker.hpp>

#include <hawser/net/connection.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::stomp {

BrokerConnection::BrokerConnection(std::shared_ptr<const BrokerOptions> options) noexcept
    : options_(std::move(options)) {}

Next BrokerConnection::init() {
  auto bus = bus::Bus::find(self().system(), options_->bus);
  if (bus) bus_ = std::move(*bus);
  // A shard takes the subscriptions it held with it when it ends: so must we.
  for (const Pid shard : bus_.shards()) self().monitor(shard);
  const Pid pid = self().pid();
  session_.emplace(options_->session, static_cast<BrokerSession::Port&>(*this),
                   fmt::format("{}-{}-{}", pid.scheduler->number(), pid.index, pid.generation),
                   self().now());
  if (!bus) {
    session_->bus_lost(bus.error().text());
    return keep();
  }
  tick();
  return keep();
}

void BrokerConnection::handle_packet(Packet octets) {
  const auto before = session_->state();
  session_->received(octets, self().now());
  // Logged in: heart-beats may be due long before the login's deadline.
  if (session_->state() != before) tick();
}

void BrokerConnection::handle_info(Info& info) {
  if (const auto* delivery = info.get<bus::Delivery>()) {
    session_->delivered(*delivery);
  } else if (const auto* confirmed = info.get<bus::Confirmed>()) {
    session_->confirmed(confirmed->token);
  } else if (const auto* refused = info.get<bus::Refused>()) {
    session_->refused(*refused);
  } else if (const auto* ended = info.get<bus::SubscriptionEnded>()) {
    session_->subscription_ended(*ended);
  } else if (info.get<Tick>() != nullptr) {
    timer_.reset();
    tick();
  } else if (info.get<Down>() != nullptr) {
    session_->bus_lost();
  }
}

void BrokerConnection::handle_drained() { session_->writable(); }

void BrokerConnection::terminate(const Reason&) {
  if (session_) session_->leave();
}

std::string BrokerConnection::describe() const {
  return session_ ? session_->describe() : std::string{};
}

void BrokerConnection::tick() {
  if (timer_) self().cancel_timer(*std::exchange(timer_, std::nullopt));
  if (!has_room()) session_->not_reading(self().now());
  const Instant next = session_->tick(self().now());
  if (next != Instant::never()) timer_ = self().send_after(next - self().now(), Tick{});
}

// ---- the session's port
// --------------------------------------------------------------------------------

void BrokerConnection::write(BytesView octets) {
  // Nothing to be done about an error: the connection ends by itself and says why.
  (void)connection().send_packet(octets);
  session_->wrote(self().now());
}

void BrokerConnection::write(const Payload& octets) {
  if (!octets.empty()) (void)connection().send_packet(octets);
}

bool BrokerConnection::has_room() {
  return connection().unsent() < connection().options().high_water;
}

void BrokerConnection::end(Reason reason) { self().stop(std::move(reason)); }

void BrokerConnection::publish(const bus::Destination& to, bus::MessagePtr message,
                               std::uint64_t token) {
  bus_.publish(to, std::move(message), self().pid(), token);
}

void BrokerConnection::subscribe(const bus::Destination& to, std::uint64_t number,
                                 std::uint32_t credit, std::uint64_t token) {
  bus_.subscribe(to, {self().pid(), number}, credit, token);
}

void BrokerConnection::unsubscribe(const bus::Destination& to, std::uint64_t number,
                                   std::uint32_t taken, std::uint64_t token) {
  bus_.unsubscribe(to, {self().pid(), number}, taken, token);
}

void BrokerConnection::grant(const bus::Destination& to, std::uint64_t number,
                             std::uint32_t credit) {
  bus_.grant(to, {self().pid(), number}, credit);
}

ChildSpec broker_server(std::string name, ServerOptions server_options, BrokerOptions options) {
  server_options.framing = raw();
  return server<BrokerConnection>(
      std::move(name), std::move(server_options),
      std::shared_ptr<const BrokerOptions>(std::make_shared<BrokerOptions>(std::move(options))));
}

}  // namespace hawser::stomp
