// Servers whose handler is a coroutine that pulls: it reads when it wants to, and the peer's bytes
// wait in the kernel until then. Public.
//
//   Task<> echo(Connection& connection) {
//     while (auto packet = co_await connection.receive(30s))
//       if (!co_await connection.send(*packet)) break;
//   }
//   system.start(passive_server("echo", {.listen = "127.0.0.1:7007"}, echo));
#pragma once

#include <hawser/net/server.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/task.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace hawser {

namespace detail {
/// Runs the coroutine; its end is the connection's, and what it throws crashes that alone.
template <class Function>
class PassiveHandler {
 public:
  explicit PassiveHandler(const Function& function) : function_(function) {}
  void init() {
    self().start(run());
    // One that never had to wait is a connection all the same, and none that init has declined.
    if (over_) self().send_after(Duration::zero(), Over{});
    started_ = true;
  }
  void handle_info(Info& info) {
    info.get<Over>() != nullptr ? self().stop()
                                : self().process().count_unexpected(info.type_name());
  }
  /// Never called: without a receive() nothing is read.
  void handle_packet(Packet) {}
  /// HalfClose::allow: receive() tells, and the coroutine may still send.
  void handle_end() {}

 private:
  struct Over {};
  Task<> run() {
    co_await function_(connection());
    over_ = true;
    if (started_) self().stop();
  }
  Function function_;  // outlives its coroutine, which may be a lambda's
  bool started_ = false;
  bool over_ = false;
};
}  // namespace detail

/// The child spec of a server that runs `function(Connection&)`, a coroutine, for each connection;
/// when it ends, so does the connection, once what was sent has left.
template <class Function>
  requires std::same_as<std::invoke_result_t<Function&, Connection&>, Task<>>
ChildSpec passive_server(std::string name, ServerOptions options, Function function) {
  options.connection.active_packets = 0;
  return server<detail::PassiveHandler<Function>>(std::move(name), std::move(options),
                                                  std::move(function));
}

}  // namespace hawser
