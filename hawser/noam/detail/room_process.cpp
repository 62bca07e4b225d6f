// Messages and datagrams in, messages and datagrams out; every decision is the room's.
#include <hawser/noam/detail/ear.hpp>
#include <hawser/noam/detail/peer_fetch.hpp>
#include <hawser/noam/detail/room_process.hpp>

#include <hawser/base/log.hpp>
#include <hawser/net/client.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::noam::detail {

namespace {
constexpr std::string_view tick_timer = "tick";
constexpr std::string_view discovery_timer = "discovery";

std::shared_ptr<ConnectionGroup> group_of(std::string name, Framing framing,
                                          ConnectionOptions options) {
  ConnectionGroup::Parts parts{.name = std::move(name), .framing = std::move(framing)};
  parts.options = options;
  parts.counters = std::make_shared<ConnectionCounters>();
  return std::make_shared<ConnectionGroup>(self().process().scheduler(), self().pid(),
                                           std::move(parts));
}
}  // namespace

RoomProcess::RoomProcess(std::string name, std::shared_ptr<const HostOptions> options,
                         std::shared_ptr<std::optional<Room::Settings>> settings)
    : name_(std::move(name)), options_(std::move(options)), settings_(std::move(settings)) {}

Next RoomProcess::init() {
  self().trap_exit();
  ConnectionOptions ear = options_->server.connection;
  ear.handshake_timeout = options_->callback_timeout;
  ear.flush_deadline = 1s;
  // Lemmas may close their half and listen on: then nobody hears us (section 4.1).
  ear.half_close = HalfClose::end;
  ears_ = group_of(name_ + "/ears", raw(), ear);
  ConnectionOptions fetch;
  fetch.idle_timeout = 10s;
  fetches_ = group_of(name_ + "/peers", raw(), fetch);
  room_.emplace(*options_, static_cast<Room::Port&>(*this));
  if (*settings_) room_->restore(**settings_);
  if (options_->discovery) {
    if (const auto opened = open_discovery(); !opened)
      return stop(Reason::failed(opened.error().text()));
  }
  self().start_timer(tick_timer, options_->tick, TimerMode::periodic);
  return keep();
}

Result<void> RoomProcess::open_discovery() {
  const auto address = Address::parse(*options_->discovery);
  if (!address) return std::unexpected(address.error());
  auto opened = discovery_.open(
      addresses_.discovery.value_or(*address), {.broadcast = true, .reuse_address = true},
      [this](const Datagram& datagram) { room_->datagram(datagram.from, datagram.bytes, now()); });
  if (!opened) return std::unexpected(std::move(opened.error()));
  addresses_.discovery = *opened;
  discovery_.on_failed([this](const Error& error) {
    self().log().warning(name_, error.text());
    self().start_timer(discovery_timer, 1s);
  });
  return {};
}

/// The wall clock is read once a turn, as ours is: for each event it would be dear.
Room::Now RoomProcess::now() {
  if (const Instant ours = self().now(); ours != now_.clock)
    now_ = {ours, self().process().scheduler().engine().wall_clock()};
  return now_;
}

// ---- in
// -----------------------------------------------------------------------------------------------

void RoomProcess::handle_cast(const Opened& message) {
  if (!room_->opened(message.connection, message.peer, message.kind)) {
    Ref<HostConnection>(message.connection).cast(CloseLink{Reason::failed("the host is off")});
    return;
  }
  self().monitor(message.connection);
}

void RoomProcess::handle_cast(Registers message) {
  room_->registered(message.connection, std::move(message.message), now());
}

void RoomProcess::handle_cast(const Plays& message) {
  room_->event(message.connection, message.event, now());
}

void RoomProcess::handle_cast(const Beats& message) {
  room_->heartbeat(message.connection, message.name, now());
}

void RoomProcess::handle_cast(const Waits& message) {
  Ref<Connection>(message.connection).cast(Activate{options_->intake});
}

void RoomProcess::handle_cast(const Listens& message) {
  switch (message.what) {
    case Listens::What::tcp:
      addresses_.tcp = message.address;
      break;
    case Listens::What::websocket:
      addresses_.websocket = message.address;
      break;
    case Listens::What::http:
      addresses_.http = message.address;
      break;
  }
  room_->listening(addresses_.tcp ? addresses_.tcp->port() : std::uint16_t{0},
                   addresses_.http ? addresses_.http->port() : std::uint16_t{0});
}

void RoomProcess::handle_info(Info& info) {
  if (const auto* exit = info.get<Exit>()) {
    if (exit->from == self().parent()) {
      self().stop(exit->reason);
      return;
    }
    room_->ear_lost(exit->from, exit->reason, now());
  } else if (const auto* down = info.get<Down>()) {
    room_->closed(down->from, now());
  } else if (auto* guests = info.get<PeerGuests>()) {
    fetching_.erase(guests->room);
    if (guests->json) room_->guests_fetched(guests->room, *std::move(guests->json), now());
    begin_fetches();
  }
}

void RoomProcess::handle_timer(std::string_view timer) {
  if (timer == tick_timer) {
    room_->tick(now());
  } else if (const auto opened = open_discovery(); !opened) {
    self().start_timer(discovery_timer, 1s);
  }
}

// ---- out
// ----------------------------------------------------------------------------------------------

void RoomProcess::send_datagram(const Address& to, BytesView bytes) {
  (void)discovery_.send(to, bytes);  // it may be lost anyway
}

void RoomProcess::send_beacon(BytesView bytes) {
  discovery_.broadcast(options_->beacon_port, bytes);
}

Pid RoomProcess::open_ear(const Address& to, bool attenuated) {
  ClientOptions options;
  options.targets = TargetList(Target(to));
  options.framing = raw();
  options.connection = ears_->options();
  options.dial.timeout = options_->callback_timeout;
  options.attempts = 1;
  options.reconnect_after_close = false;
  // What waits for the connection waits in its own queue, bounded by ear_events and ear_bytes.
  auto ear =
      start_client<Ear>(ears_, std::move(options), {.parent = self().pid()},
                        [options = options_, attenuated] { return Ear(options, attenuated); });
  if (!ear) {
    self().log().warning(name_, ear.error().text());
    return {};
  }
  return *ear;
}

void RoomProcess::close_ear(Pid ear) { self().exit(ear, Reason::shutdown()); }

void RoomProcess::close(Pid connection, Reason why) {
  Ref<HostConnection>(connection).cast(CloseLink{std::move(why)});
}

void RoomProcess::deliver(Pid ear, LinkKind kind,
                          const std::shared_ptr<const RelayedEvent>& event) {
  if (kind == LinkKind::tcp) {
    Ref<Ear>(ear).cast(DeliverEvent{event});
  } else {
    Ref<HostConnection>(ear).cast(DeliverEvent{event});
  }
}

void RoomProcess::acknowledge(Pid ear, LinkKind kind, const std::string& name) {
  Acknowledge message{encode(HeartbeatAck{name})};
  if (kind == LinkKind::tcp) {
    Ref<Ear>(ear).cast(std::move(message));
  } else {
    Ref<HostConnection>(ear).cast(std::move(message));
  }
}

void RoomProcess::fetch_guests(const PeerHost& peer) {
  to_fetch_.insert(peer.room);
  begin_fetches();
}

void RoomProcess::begin_fetches() {
  for (auto next = to_fetch_.begin();
       next != to_fetch_.end() && fetching_.size() < options_->fetches;) {
    // Not twice at once: it has news again, and is asked when it has answered.
    if (fetching_.contains(*next)) {
      ++next;
      continue;
    }
    const auto peer = room_->peers().find(*next);
    if (peer != room_->peers().end()) {
      const PeerFetch what{self().pid(), peer->second.room, peer->second.http,
                           options_->fetch_bytes, options_->fetch_timeout};
      if (start_peer_fetch(fetches_, what)) fetching_.insert(*next);
    }
    next = to_fetch_.erase(next);
  }
}

void RoomProcess::log(std::string text) { self().log().info(name_, text); }

std::string RoomProcess::describe() const {
  if (!room_) return {};
  const HostStatus status = room_->status();
  return fmt::format("room \"{}\" {}: {} lemmas, {} free guests, {} events, {} deliveries",
                     status.room, status.on ? "on" : "off", status.lemmas, status.free_guests,
                     status.events, status.deliveries);
}

}  // namespace hawser::noam::detail
