// A server: one call makes a supervised tree that listens, accepts and runs one handler process a
// connection. Public.
//
//   system.start(server<Ping>("ping", {.listen = "127.0.0.1:7007", .framing =
//   length_prefixed(2)}));
//
//   supervisor NAME (one_for_one)
//   ├── the keeper's own child     if it has one
//   ├── NAME/monitor               watchers, alarms, settings, the drain
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
#include <hawser/net/server_control.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/supervisor.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

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

/// Starts connections with handler H.
template <class H, class... Arguments>
ConnectionStarter starter(Arguments... arguments) {
  using Kept = std::tuple<Arguments...>;
  return [kept = std::make_shared<const Kept>(std::move(arguments)...)](
             const std::shared_ptr<ConnectionGroup>& group, NativeSocket socket,
             const SpawnOptions& spawn_options) {
    return start_connection<H>(group, std::move(socket), spawn_options,
                               MakeHandler<H, Kept>{kept.get()});
  };
}
Result<void> set_starter(System& system, std::string_view name, ConnectionStarter start);

/// Arguments that change while connections are made from them on all schedulers.
template <class Kept>
class ArgumentCell {
 public:
  explicit ArgumentCell(Kept original)
      : original_(std::move(original)), kept_(std::make_shared<const Kept>(original_)) {}
  const Kept& original() const noexcept { return original_; }
  std::shared_ptr<const Kept> get() const {
    const std::lock_guard lock(mutex_);
    return kept_;
  }
  void set(Kept changed) {
    auto fresh = std::make_shared<const Kept>(std::move(changed));
    const std::lock_guard lock(mutex_);
    kept_.swap(fresh);
  }

 private:
  const Kept original_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Kept> kept_;
};
}  // namespace detail

/// The child spec of a server whose connections are handled by H, made for each connection from
/// copies of `arguments`. Handlers are constructed on all schedulers at once: what the arguments
/// point to must bear that.
///
/// Without a name ("") it is called by where it listens, as Address::text() says it: by that it is
/// addressed, logged and counted. server_name() tells it to whoever asked for port 0.
///
/// Starting it fails with invalid_argument (every wrong option is named), already_exists (the name
/// or the address is taken), cancelled (ServerOptions::on_listening declined), refused or whatever
/// else the kernel says. It has started when every part of it runs.
template <class H, class... Arguments>
ChildSpec server(std::string name, ServerOptions options, Arguments... arguments) {
  return detail::server_spec(std::move(name), std::move(options),
                             detail::starter<H>(std::move(arguments)...));
}

/// The same with a last word on the bound socket: `init(const BoundListener&, std::tuple<…>&)` may
/// answer that the server goes on, is declined (its start answers the error kind `cancelled`, which
/// a supervisor takes for "not there" and no fault) or fails; and it may change the arguments that
/// each connection's handler is made from. Called for each listening socket before anything is
/// accepted from it, after ServerOptions::on_listening; what connections come later get the
/// arguments of the last call.
template <class H, class Init, class... Arguments>
ChildSpec server_with_init(std::string name, ServerOptions options, Init init,
                           Arguments... arguments) {
  using Kept = std::tuple<Arguments...>;
  auto cell = std::make_shared<detail::ArgumentCell<Kept>>(Kept(std::move(arguments)...));
  options.on_listening = [cell, init = std::move(init), first = std::move(options.on_listening)](
                             const BoundListener& bound) -> ListenAnswer {
    if (first)
      if (auto answer = first(bound); answer.declines() || answer.fails()) return answer;
    Kept changed = cell->original();
    ListenAnswer answer = init(bound, changed);
    cell->set(std::move(changed));
    return answer;
  };
  return detail::server_spec(std::move(name), std::move(options),
                             [cell](const std::shared_ptr<ConnectionGroup>& group,
                                    NativeSocket socket, const SpawnOptions& spawn_options) {
                               // Keeps the arguments while the handler is made, whoever changes
                               // them meanwhile.
                               const auto kept = cell->get();
                               using Make = detail::MakeHandler<H, Kept>;
                               return start_connection<H>(group, std::move(socket), spawn_options,
                                                          Make{kept.get()});
                             });
}

/// From now on new connections of the server have handler H, made from copies of `arguments`;
/// those that are there go on as they are. Plain threads. Error: not_found.
template <class H, class... Arguments>
Result<void> set_server_handler(System& system, std::string_view name, Arguments... arguments) {
  return detail::set_starter(system, name, detail::starter<H>(std::move(arguments)...));
}

}  // namespace hawser
