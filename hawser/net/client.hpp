// A supervised client: one call makes a process that connects, and connects again, to a server.
// Public.
//
//   struct Feed {
//     Next handle_connect() { return send("hello"); }            // each time it stands
//     Next handle_packet(Packet packet) { …; return keep(); }
//     void handle_disconnect(const Reason& reason) { … }         // each time it is lost
//     void handle_state(const ClientChange& change) { … }
//   };
//   system.start(client<Feed>("feed", {.targets = "feed.example:7007"}));
//
// The handler is made once, when the process starts, and lives through all connections; its state
// is what the next one begins with. Everything a connection's handler may do it may do as well;
// what it sends while there is no connection waits in a bounded queue (ClientOptions::queue_…) and
// leaves in the order it was sent. A crash of the handler ends the process, queue included, and its
// supervisor decides.
#pragma once

#include <hawser/net/client_connection.hpp>
#include <hawser/net/connection_handler.hpp>
#include <hawser/process/child_spec.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace hawser {

/// What a client's handler may have beside what a connection's may (see above).
template <class H>
concept HasConnect = requires(H& handler) { handler.handle_connect(); };
template <class H>
concept HasState =
    requires(H& handler, const ClientChange& change) { handler.handle_state(change); };

/// A Client with its handler H, made by `make()`; see start_client().
template <class H, class Make>
class ClientProcess final : public HandlerConnection<H, Make, Client> {
  using Base = HandlerConnection<H, Make, Client>;

 public:
  using Base::Base;

 private:
  void deliver_connect() override {
    if constexpr (HasConnect<H>) {
      this->enter_callback("handle_connect");
      detail::carry_out(*this, [&] { return this->hosted().handle_connect(); });
    }
  }
  void deliver_state(const ClientChange& change) override {
    if constexpr (HasState<H>) {
      this->enter_callback("handle_state");
      detail::carry_out(*this, [&] { return this->hosted().handle_state(change); });
    }
  }
};

namespace detail {
/// What the clients of one name share on one scheduler; the error names every fault.
Result<std::shared_ptr<ConnectionGroup>> client_group(Scheduler& scheduler, const std::string& name,
                                                      const ClientOptions& options);
}  // namespace detail

/// Starts a client on a scheduler (whose thread this must be), with handler H, which `make()`
/// answers. It lives on `group`.
template <class H, class Make>
Result<Pid> start_client(const std::shared_ptr<ConnectionGroup>& group, ClientOptions options,
                         const SpawnOptions& spawn_options, Make make) {
  return group->scheduler().spawn(
      std::make_unique<ClientProcess<H, Make>>(std::move(make), group, std::move(options)),
      spawn_options);
}

/// The child spec of a client whose handler is H, made from copies of `arguments`. Starting it
/// fails with invalid_argument (every wrong option is named) or already_exists (the name is taken);
/// it does not wait for a connection: WatchClient tells of that.
template <class H, class... Arguments>
ChildSpec client(std::string name, ClientOptions options, Arguments... arguments) {
  ChildSpec spec;
  spec.id = name;
  spec.start = [name, options = std::move(options),
                kept = std::make_tuple(std::move(arguments)...)](
                   const StartContext& context) -> Result<Pid> {
    auto group = detail::client_group(context.scheduler, name, options);
    if (!group) return std::unexpected(std::move(group.error()));
    const auto make = [kept] {
      return std::apply([](const auto&... each) { return H{each...}; }, kept);
    };
    return start_client<H>(*group, options,
                           {.name = name, .parent = context.parent, .mailbox = options.mailbox},
                           make);
  };
  return spec;
}

}  // namespace hawser
