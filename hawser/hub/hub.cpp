// The hub's parts in the order in which they need each other.
#include <hawser/hub/hub.hpp>

#include <hawser/bus/selector.hpp>
#include <hawser/bus/sqlite_store.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/process/reloader.hpp>

#include <utility>

namespace hawser::hub {

std::vector<std::pair<std::string, Address>> HubAddresses::list() const {
  std::vector<std::pair<std::string, Address>> all;
  const auto add = [&](const char* name, const std::optional<Address>& address) {
    if (address) all.emplace_back(name, *address);
  };
  add("stomp", stomp);
  add("stomp-tls", stomp_tls);
  add("stomp-websocket", stomp_websocket);
  add("stomp-websocket-tls", stomp_websocket_tls);
  add("packet", packet);
  return all;
}

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

Error wrong(std::string option, std::string what) {
  return {ErrorKind::invalid_argument, 0, "--" + std::move(option), std::move(what)};
}

Result<std::optional<TlsServerContext>> make_tls(const HubOptions& options) {
  const HubTls& files = options.tls;
  const bool needed = options.stomp_tls || options.stomp_websocket_tls;
  if (!needed) return std::nullopt;
  if (files.certificate.empty() || files.key.empty())
    return std::unexpected(wrong(files.certificate.empty() ? "tls-certificate" : "tls-key",
                                 "is needed by --stomp-tls and --stomp-websocket-tls"));
  auto context = TlsServerContext::of_files(files.certificate, files.key, files.client_ca);
  if (!context) return std::unexpected(std::move(context.error()));
  return std::optional(std::move(*context));
}

/// What SIGHUP has read again.
std::vector<ReloadPart> reload_parts(const std::string& users,
                                     const std::shared_ptr<AccessList>& access,
                                     const std::optional<TlsServerContext>& tls) {
  std::vector<ReloadPart> parts;
  if (access != nullptr)
    parts.push_back({"users and rules", [users, access]() -> Result<void> {
                       auto rules = read_access_rules(users);
                       if (!rules) return std::unexpected(std::move(rules.error()));
                       access->replace(std::move(*rules));
                       return {};
                     }});
  if (tls) parts.push_back({"certificates", [context = *tls] { return context.reload(); }});
  return parts;
}

}  // namespace

Result<HubAddresses> start_hub(System& system, const HubOptions& options) {
  auto tls = make_tls(options);
  if (!tls) return std::unexpected(std::move(tls.error()));
  std::shared_ptr<AccessList> access;
  stomp::BrokerOptions broker = options.broker;
  if (!options.users.empty()) {
    auto rules = read_access_rules(options.users);
    if (!rules) return std::unexpected(std::move(rules.error()));
    access = std::make_shared<AccessList>(std::move(*rules));
    broker.session.access = access;
  }
  bus::BusOptions bus = options.bus;
  broker.session.durable = bus.queue;
  broker.session.durable.overflow = options.durable_overflow;
  if (bus.store == nullptr) {
    auto store = bus::open_store(options.data);
    if (!store) return std::unexpected(std::move(store.error()));
    bus.store = std::move(*store);
  }
  if (!bus.make_filter) bus.make_filter = bus::make_selector;
  if (auto started = system.start(bus::bus_child(broker.bus, std::move(bus))); !started)
    return std::unexpected(std::move(started.error()));
  if (auto parts = reload_parts(options.users, access, *tls); !parts.empty()) {
    if (auto started = system.start(reloader("hub", std::move(parts))); !started)
      return std::unexpected(std::move(started.error()));
  }

  HubAddresses addresses;
  struct Listener {
    const char* name;
    const std::optional<std::string>* where;
    std::optional<Address>* address;
    bool tls;
    bool websocket;
  };
  for (const auto& [name, where, listens, over_tls, over_websocket] :
       {Listener{"stomp", &options.stomp, &addresses.stomp, false, false},
        Listener{"stomp-tls", &options.stomp_tls, &addresses.stomp_tls, true, false},
        Listener{"stomp-websocket", &options.stomp_websocket, &addresses.stomp_websocket, false,
                 true},
        Listener{"stomp-websocket-tls", &options.stomp_websocket_tls,
                 &addresses.stomp_websocket_tls, true, true}}) {
    if (!*where) continue;
    ServerOptions server_options = options.stomp_server;
    stomp::BrokerOptions chosen = broker;
    stomp::BrokerWebSocket websocket_options = options.websocket;
    if (const auto found = options.lenient.find(name); found != options.lenient.end()) {
      const StompLeniency& lenient = found->second;
      chosen.session.lenient = lenient.session;
      chosen.session.parser.undefined_escapes =
          lenient.escapes ? stomp::UndefinedEscape::pass : stomp::UndefinedEscape::refuse;
      websocket_options.any_subprotocol = lenient.any_subprotocol;
    }
    server_options.listen = **where;
    if (over_tls) server_options.transports.push_back(tls_server(**tls));
    if (over_websocket) {
      auto websocket = stomp::broker_websocket(websocket_options, chosen.session.versions);
      if (!websocket) return std::unexpected(std::move(websocket.error()));
      server_options.transports.push_back(std::move(*websocket));
    }
    auto address =
        start_server(system, name, stomp::broker_server(name, std::move(server_options), chosen));
    if (!address) return std::unexpected(std::move(address.error()));
    *listens = std::move(*address);
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
