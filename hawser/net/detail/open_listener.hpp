// Where a server's listening socket comes from: inherited, where there is one for it, or bound
// here. Internal to the net layer; on the scheduler's thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/server_options.hpp>

#include <string>

namespace hawser {
class Scheduler;
}

namespace hawser::detail {

/// As Engine::listen(address, listen, events), with the sockets of `options.sockets` first; the
/// socket can be passed on from there. `listener` is its number among the server's.
Result<Engine::Listening> open_listener(Scheduler& scheduler, const std::string& server,
                                        unsigned listener, const ServerOptions& options,
                                        const Address& address, ListenOptions listen,
                                        AcceptEvents& events);

}  // namespace hawser::detail
