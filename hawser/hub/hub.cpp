// The hub's parts in the order in which they need each other.
#include <hawser/hub/hub.hpp>

#include <hawser/net/framing.hpp>

#include <utility>

namespace hawser::hub {

Next PingEcho::handle_packet(Packet packet) {
  return packet == "ping" ? send("pong") : send(packet);
}

namespace {
Result<Address> start_server(System& system, const std::string& name, ChildSpec spec) {
  if (auto started = system.start(std::move(spec)); !started)
    return std::unexpected(std::move(started.error()));
  auto status = server_status(system, name);
  if (!status) return std::unexpected(std::move(status.error()));
  return status->address;
}
}  // namespace

Result<HubAddresses> start_hub(System& system, const HubOptions& options) {
  if (auto bus = system.start(bus::bus_child(options.broker.bus, options.bus)); !bus)
    return std::unexpected(std::move(bus.error()));
  HubAddresses addresses;
  if (options.stomp) {
    ServerOptions server_options = options.stomp_server;
    server_options.listen = *options.stomp;
    auto address = start_server(system, "stomp",
                                stomp::broker_server("stomp", server_options, options.broker));
    if (!address) return std::unexpected(std::move(address.error()));
    addresses.stomp = std::move(*address);
  }
  if (options.packet) {
    ServerOptions server_options = options.packet_server;
    server_options.listen = *options.packet;
    server_options.framing = length_prefixed(2);
    auto address = start_server(system, "packet", server<PingEcho>("packet", server_options));
    if (!address) return std::unexpected(std::move(address.error()));
    addresses.packet = std::move(*address);
  }
  return addresses;
}

}  // namespace hawser::hub
