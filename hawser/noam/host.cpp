// The tree of a host, and what can be asked of it by name.
#include <hawser/noam/detail/ear.hpp>
#include <hawser/noam/detail/operator_connection.hpp>
#include <hawser/noam/detail/room_process.hpp>
#include <hawser/noam/host.hpp>

#include <hawser/net/server.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser::noam {

using detail::HostConnection;
using detail::Listens;
using detail::RoomProcess;

namespace {

std::string room_name(const std::string& host) { return host + "/room"; }

/// A listener's options; the room learns where it is bound.
ServerOptions server_options(const HostOptions& options, const std::string& host,
                             const std::string& address, Listens::What what) {
  ServerOptions server = options.server;
  server.listen = address;
  server.framing = incoming_frames(options.frame_limit, options.policy.spaces_in_prefix);
  // With the room, on its scheduler.
  server.spread = AcceptSpread::per_scheduler;
  server.acceptors = 1;
  server.connection.active_packets = options.intake;
  server.on_listening = [host, what, first = std::move(server.on_listening)](
                            const BoundListener& bound) -> ListenAnswer {
    if (first)
      if (auto answer = first(bound); answer.declines() || answer.fails()) return answer;
    (void)named<RoomProcess>(room_name(host)).cast(Listens{what, bound.address});
    return ListenAnswer::go_on();
  };
  return server;
}

template <class R>
Result<R> with_room(System& system, const std::string& host,
                    std::function<Result<R>(Room&, Room::Now)> work) {
  return system.call(named<RoomProcess>(system, room_name(host)),
                     detail::WithRoom<R>(std::move(work)));
}

}  // namespace

ChildSpec host(std::string name, HostOptions options) {
  ChildSpec spec;
  spec.id = name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  auto shared = std::make_shared<const HostOptions>(std::move(options));
  spec.start = [name, shared](const StartContext& context) -> Result<Pid> {
    if (const auto faults = shared->faults(); !faults.empty()) {
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "start host " + name,
                                   fmt::format("{}", fmt::join(faults, "; "))});
    }
    SupervisorOptions children;
    children.strategy = Strategy::rest_for_one;
    children.intensity = 10;
    children.period = 10s;
    ChildSpec room;
    room.id = room_name(name);
    room.start = [name, shared, settings = std::make_shared<std::optional<Room::Settings>>()](
                     const StartContext& at) -> Result<Pid> {
      // Each connection has at most HostOptions::intake messages there.
      auto spawned = spawn<RoomProcess>(
          at.scheduler,
          SpawnOptions{
              .name = room_name(name), .parent = at.parent, .mailbox = {.messages = UINT32_MAX}},
          name, shared, settings);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      return spawned->pid();
    };
    children.children.push_back(std::move(room));
    if (shared->tcp) {
      children.children.push_back(server<HostConnection>(
          name + "/tcp", server_options(*shared, name, *shared->tcp, Listens::What::tcp),
          room_name(name), shared, LinkKind::tcp));
    }
    if (shared->websocket) {
      ServerOptions web =
          server_options(*shared, name, *shared->websocket, Listens::What::websocket);
      WebSocketServerOptions socket;
      socket.text = true;
      socket.stream = true;  // frames may be cut over messages as lemmas like
      socket.keep_request = false;
      web.transports.push_back(websocket_server(std::move(socket)));
      children.children.push_back(server<HostConnection>(
          name + "/websocket", std::move(web), room_name(name), shared, LinkKind::websocket));
    }
    if (shared->http) {
      ServerOptions http = server_options(*shared, name, *shared->http, Listens::What::http);
      http.framing = raw();
      http.connection.active_packets = ConnectionOptions::unlimited;
      http.max_connections = shared->operators;
      children.children.push_back(server<detail::OperatorConnection>(
          name + "/http", std::move(http), room_name(name), shared));
    }
    return supervisor(name, std::move(children)).start(context);
  };
  return spec;
}

Result<HostAddresses> host_addresses(System& system, const std::string& name) {
  return system.call(named<RoomProcess>(system, room_name(name)), detail::AskAddresses{});
}

Result<HostStatus> host_status(System& system, const std::string& name) {
  return with_room<HostStatus>(system, name, [](Room& room, Room::Now) { return room.status(); });
}

Result<void> set_host_room(System& system, const std::string& name, std::string room) {
  auto done = with_room<bool>(system, name,
                              [room = std::move(room)](Room& its, Room::Now now) -> Result<bool> {
                                auto set = its.set_room(room, now);
                                if (!set) return std::unexpected(std::move(set.error()));
                                return true;
                              });
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

Result<void> set_host_on(System& system, const std::string& name, bool on) {
  auto done = with_room<bool>(system, name, [on](Room& room, Room::Now now) {
    room.set_on(on, now);
    return true;
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

Result<bool> grab_guest(System& system, const std::string& name, std::string lemma) {
  return with_room<bool>(system, name, [lemma = std::move(lemma)](Room& room, Room::Now now) {
    return room.grab(lemma, now);
  });
}

Result<bool> free_guest(System& system, const std::string& name, std::string lemma) {
  return with_room<bool>(system, name, [lemma = std::move(lemma)](Room& room, Room::Now now) {
    return room.free(lemma, now);
  });
}

Result<void> play_event(System& system, const std::string& name, std::string topic,
                        std::string text) {
  auto done = with_room<bool>(
      system, name, [topic = std::move(topic), text = std::move(text)](Room& room, Room::Now now) {
        room.play(topic, text, now);
        return true;
      });
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

}  // namespace hawser::noam
