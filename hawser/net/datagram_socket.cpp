// From the engine's callbacks to those of the process that owns the socket.
#include <hawser/net/datagram_socket.hpp>

#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>

#include <algorithm>
#include <utility>

namespace hawser {

namespace {
Engine& engine_of(Process& process) { return process.scheduler().engine(); }
}  // namespace

DatagramSocket::~DatagramSocket() { close(); }

Result<Address> DatagramSocket::open(const Address& bind, const DatagramOptions& options,
                                     Received received) {
  close();
  process_ = &self().process();
  received_ = std::move(received);
  auto opened = engine_of(*process_).open_datagram(bind, options, *this);
  if (!opened) return std::unexpected(std::move(opened.error()));
  id_ = opened->id;
  bound_ = std::move(opened->bound);
  return bound_;
}

void DatagramSocket::close() {
  groups_.clear();
  interfaces_.stop();
  if (id_) engine_of(*process_).close_now(std::exchange(id_, SocketId{}));
}

Result<void> DatagramSocket::send(const Address& to, BytesView bytes) {
  if (!id_)
    return std::unexpected(Error{ErrorKind::closed, 0, "send datagram", "the socket is not open"});
  return engine_of(*process_).send_datagram(id_, to, bytes);
}

template <class Usable>
std::size_t DatagramSocket::send_through_all(const Address& to, BytesView bytes,
                                             const Usable& usable) {
  if (!id_) return 0;
  Engine& engine = engine_of(*process_);
  const auto interfaces = engine.interfaces();
  if (!interfaces) return 0;
  std::size_t sent = 0;
  for (const bool loopback : {false, true}) {
    if (sent != 0) break;
    for (const NetworkInterface& interface : *interfaces) {
      if (!interface.up || interface.loopback != loopback || !usable(interface)) continue;
      // Loopback has an own everybody; from another one's an answer would not find its way.
      const bool own = loopback && to.host() == "255.255.255.255";
      const Address target = own ? Address::ipv4({127, 255, 255, 255}, to.port()) : to;
      if (engine.send_datagram(id_, target, bytes, own ? 0 : interface.index)) ++sent;
    }
  }
  return sent;
}

std::size_t DatagramSocket::broadcast(std::uint16_t port, BytesView bytes) {
  const Address everybody = Address::ipv4({255, 255, 255, 255}, port);
  return send_through_all(everybody, bytes, [](const NetworkInterface& interface) {
    return std::ranges::any_of(interface.networks, [&](const NetworkInterface::Network& network) {
      return network.address.family() == Address::Family::ipv4 &&
             (network.broadcast.has_value() || interface.loopback);
    });
  });
}

std::size_t DatagramSocket::multicast(const Address& group, BytesView bytes) {
  return send_through_all(group, bytes, [&](const NetworkInterface& interface) {
    return (interface.multicast || interface.loopback) &&
           std::ranges::any_of(interface.networks, [&](const NetworkInterface::Network& network) {
             return network.address.family() == group.family();
           });
  });
}

Result<void> DatagramSocket::join(const Address& group) {
  if (!id_)
    return std::unexpected(Error{ErrorKind::closed, 0, "join group", "the socket is not open"});
  if (groups_.empty()) {
    const auto watching = interfaces_.start([this](const std::vector<NetworkInterface>&) {
      // What has gone since this was called is tried again at its own change.
      for (const Address& joined : groups_) (void)join_on_all(joined);
    });
    if (!watching) return std::unexpected(watching.error());
  }
  auto joined = join_on_all(group);
  if (joined && std::ranges::find(groups_, group) == groups_.end()) groups_.push_back(group);
  if (groups_.empty()) interfaces_.stop();
  return joined;
}

Result<void> DatagramSocket::join_on_all(const Address& group) {
  Engine& engine = engine_of(*process_);
  for (const NetworkInterface& interface : interfaces_.interfaces()) {
    if (!interface.multicast && !interface.loopback) continue;
    const auto joined = engine.join_group(id_, group, interface.index);
    if (joined || joined.error().kind == ErrorKind::not_found) continue;
    // An interface may have no address of the group's family; a wrong group is wrong on loopback.
    if (interface.loopback) {
      Error error = joined.error();
      error.kind = ErrorKind::invalid_argument;
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

void DatagramSocket::on_datagram(const Datagram& datagram) {
  process_->run_callback("handle_datagram", [&] {
    // It may open another socket in this one's place, and must outlive that.
    Received received = std::move(received_);
    received(datagram);
    if (id_ && !received_) received_ = std::move(received);
  });
}

void DatagramSocket::on_failed(const Error& error) {
  process_->run_callback("handle_datagram", [&] {
    close();
    if (failed_) failed_(error);
  });
}

// ---- interfaces
// --------------------------------------------------------------------------------------

InterfaceWatch::~InterfaceWatch() { stop(); }

Result<std::vector<NetworkInterface>> InterfaceWatch::start(Changed changed) {
  stop();
  process_ = &self().process();
  changed_ = std::move(changed);
  // The watch first: what changes between the two calls is then told of.
  auto watch = engine_of(*process_).watch_interfaces(*this);
  if (!watch) return std::unexpected(std::move(watch.error()));
  id_ = *watch;
  auto interfaces = engine_of(*process_).interfaces();
  if (!interfaces) {
    stop();
    return std::unexpected(std::move(interfaces.error()));
  }
  interfaces_ = *interfaces;
  return interfaces_;
}

void InterfaceWatch::stop() {
  if (id_) engine_of(*process_).close_now(std::exchange(id_, SocketId{}));
}

void InterfaceWatch::look() {
  auto now = engine_of(*process_).interfaces();
  if (!now || *now == interfaces_) return;
  interfaces_ = *std::move(now);
  if (changed_) changed_(interfaces_);
}

void InterfaceWatch::on_datagram(const Datagram&) {
  process_->run_callback("handle_interfaces", [this] { look(); });
}

void InterfaceWatch::on_failed(const Error&) {
  process_->run_callback("handle_interfaces", [this] {
    // More changed at once than the kernel could tell: it begins anew.
    stop();
    if (auto watch = engine_of(*process_).watch_interfaces(*this)) id_ = *watch;
    look();
  });
}

}  // namespace hawser
