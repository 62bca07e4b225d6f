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
  if (bus) {
    // A shard takes the subscriptions it held with it when it ends: so must we.
    for (const Pid shard : bus->shards()) self().monitor(shard);
    bus_.emplace(*bus, static_cast<bus::ClientEvents&>(*this));
  }
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
  if (bus_) bus_->flush();
}

void BrokerConnection::handle_info(Info& info) {
  if (bus_ && bus_->handle(info)) {
    bus_->flush();
  } else if (info.get<Tick>() != nullptr) {
    timer_.reset();
    tick();
  } else if (info.get<Down>() != nullptr) {
    session_->bus_lost();
  }
}

void BrokerConnection::handle_drained() {
  session_->writable();
  if (bus_) bus_->flush();
}

void BrokerConnection::terminate(const Reason&) {
  if (session_) session_->leave();
  if (bus_) bus_->flush();
}

// ---- what the bus tells
// ---------------------------------------------------------------------------------

void BrokerConnection::delivered(std::span<bus::Delivery> deliveries) {
  for (const auto& each : deliveries) session_->delivered(each);
}

void BrokerConnection::confirmed(std::uint64_t token) { session_->confirmed(token); }

void BrokerConnection::refused(std::uint64_t token, const Error& error) {
  session_->refused(token, error);
}

void BrokerConnection::subscription_ended(std::uint64_t number, const Error& error) {
  session_->subscription_ended(number, error);
}

void BrokerConnection::pause_changed(bool paused) {
  connection().activate(paused ? 0 : ConnectionOptions::unlimited);
}

std::string BrokerConnection::describe() const {
  return session_ ? session_->describe() : std::string{};
}

void BrokerConnection::tick() {
  if (timer_) self().cancel_timer(*std::exchange(timer_, std::nullopt));
  if (!has_room() || (bus_ && bus_->paused())) session_->not_reading(self().now());
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
  bus_->publish(to, std::move(message), token);
}

void BrokerConnection::subscribe(const bus::Destination& to, std::uint64_t number,
                                 std::uint32_t credit, std::uint64_t token) {
  bus::Subscription subscription;
  subscription.to = to;
  subscription.prefetch = credit;
  bus_->subscribe(number, std::move(subscription), token);
}

void BrokerConnection::unsubscribe(const bus::Destination& to, std::uint64_t number,
                                   std::uint32_t taken, std::uint64_t token) {
  if (taken > 0) grant(to, number, taken);
  bus_->unsubscribe(number, settled_[number], token);
  settled_.erase(number);
}

void BrokerConnection::grant(const bus::Destination&, std::uint64_t number, std::uint32_t credit) {
  std::uint64_t& settled = settled_[number];
  bus_->settle({number, settled + 1, settled + credit, bus::Outcome::accepted});
  settled += credit;
}

ChildSpec broker_server(std::string name, ServerOptions server_options, BrokerOptions options) {
  server_options.framing = raw();
  return server<BrokerConnection>(
      std::move(name), std::move(server_options),
      std::shared_ptr<const BrokerOptions>(std::make_shared<BrokerOptions>(std::move(options))));
}

}  // namespace hawser::stomp
