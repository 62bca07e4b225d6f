// A server: one call makes a supervised tree that listens, accepts and runs one handler process a
// connection. Public.
//
//   system.start(server<Ping>("ping", {.listen = "127.0.0.1:7007", .framing =
//   length_prefixed(2)}));
//
//   supervisor NAME (one_for_one)
//   ├── NAME/connections/0 … n-1   one a scheduler: starts, knows and drains its connections
//   └── NAME/listener/0 …          one, or one a scheduler
// None needs another to be restarted with it: a listener that comes back takes its old port, a
// supervisor of connections that comes back is found again. Stopping goes in reverse order: first
// nobody is let in any more, then the connections of all schedulers drain at once.
#pragma once

#include <hawser/net/connection_handler.hpp>
#include <hawser/net/connection_supervisor.hpp>
#include <hawser/net/detail/server_state.hpp>
#include <hawser/net/listener.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/supervisor.hpp>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace hawser {

class System;

namespace detail {
ChildSpec server_spec(std::string name, ServerOptions options, ConnectionStarter start);

/// Makes the handler of one connection from the server's arguments, which outlive its init.
template <class H, class Arguments>
struct MakeHandler {
  const Arguments* arguments;
  H operator()() const {
    return std::apply([](const auto&... each) { return H{each...}; }, *arguments);
  }
};
template <class H>
struct MakeHandler<H, std::tuple<>> {
  explicit MakeHandler(const std::tuple<>*) noexcept {}
  H operator()() const { return H{}; }
};
}  // namespace detail

/// The child spec of a server whose connections are handled by H, made for each connection from
/// copies of `arguments`. Handlers are constructed on all schedulers at once: what the arguments
/// point to must bear that.
///
/// Starting it fails with invalid_argument (every wrong option is named), already_exists (the name
/// or the address is taken), refused or whatever else the kernel says.
template <class H, class... Arguments>
ChildSpec server(std::string name, ServerOptions options, Arguments... arguments) {
  using Kept = std::tuple<Arguments...>;
  return detail::server_spec(std::move(name), std::move(options),
                             [kept = std::make_shared<const Kept>(std::move(arguments)...)](
                                 const std::shared_ptr<ConnectionGroup>& group, NativeSocket socket,
                                 const SpawnOptions& spawn_options) {
                               using Make = detail::MakeHandler<H, Kept>;
                               return start_connection<H>(group, std::move(socket), spawn_options,
                                                          Make{kept.get()});
                             });
}

/// The listener of a server, for calls (GetServerStatus) and casts from coroutines and callbacks;
/// no Ref when there is none of that name.
Ref<Listener> server_listener(System& system, std::string_view name);

// From plain threads; errors: not_found when no server has that name.

Result<ServerStatus> server_status(System& system, std::string_view name);
/// Every connection, by scheduler, the oldest first.
Result<std::vector<ConnectionInfo>> server_connections(System& system, std::string_view name);
/// Stops accepting: clients wait in the backlog; connections go on. resume_server ends that.
Result<void> suspend_server(System& system, std::string_view name);
Result<void> resume_server(System& system, std::string_view name);

}  // namespace hawser
