// Inherit or bind, then offer.
#include <hawser/net/detail/open_listener.hpp>

#include <hawser/net/socket_exchange.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace hawser::detail {

namespace {

Result<Engine::Listening> adopt(Engine& engine, SocketExchange& exchange, InheritedSocket socket,
                                ListenOptions listen, AcceptEvents& events) {
  // Before the hand-over is settled the old program goes on if we end now.
  listen.leave_at_close = socket.leave_at_close || !exchange.settled();
  auto listening = engine.adopt_listener(std::move(socket.socket), listen, events);
  if (!listening || !socket.leave_at_close) return listening;
  // Its address stays taken when we close it, so a listener that is started again could not bind.
  if (auto again = engine.share_listener(listening->id)) {
    socket.socket = *std::move(again);
    exchange.keep(std::move(socket));
  }
  return listening;
}

}  // namespace

Result<Engine::Listening> open_listener(Scheduler& scheduler, const std::string& server,
                                        unsigned listener, const ServerOptions& options,
                                        const Address& address, ListenOptions listen,
                                        AcceptEvents& events) {
  Engine& engine = scheduler.engine();
  SocketExchange* exchange = options.sockets.get();
  if (exchange == nullptr) return engine.listen(address, listen, events);
  const std::string& name = options.listen.inherited();
  std::optional<InheritedSocket> inherited =
      name.empty() ? exchange->take(server.empty() ? address.text() : server, address)
                   : exchange->take(name, Address{});
  if (!inherited && !name.empty()) {
    return std::unexpected(Error{ErrorKind::not_found, 0, "listen",
                                 fmt::format("no socket called '{}' was inherited; there are: {}",
                                             name, exchange->names())});
  }
  const bool leave = inherited && inherited->leave_at_close;
  auto listening = inherited ? adopt(engine, *exchange, *std::move(inherited), listen, events)
                             : engine.listen(address, listen, events);
  if (!listening) return listening;
  SocketExchange::Offer offer;
  offer.server = server.empty() ? listening->bound.text() : server;
  offer.listener = listener;
  offer.scheduler = &scheduler;
  offer.socket = listening->id;
  offer.leave_at_close = leave;
  exchange->offer(std::move(offer));
  return listening;
}

}  // namespace hawser::detail
