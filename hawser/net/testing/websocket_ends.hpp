// WebSocket ends between a test and nothing, through their handshake. Internal to tests.
#pragma once

#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/transport_ends.hpp>
#include <hawser/net/testing/websocket_frames.hpp>
#include <hawser/net/websocket/websocket.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace hawser::testing {

/// A scheduler for transports that want timers and chance, in simulated time.
class WebSocketWorld {
 public:
  WebSocketWorld() : net(1, 1) {
    static_cast<void>(net.system->run_on(0, [this](Scheduler& of) { scheduler = &of; }));
  }

  std::unique_ptr<TransportEnd> end(const TransportMaker& maker, std::string host = {}) {
    auto made = std::make_unique<TransportEnd>(maker(), std::move(host));
    made->scheduler_used = scheduler;
    made->start();
    return made;
  }
  /// Through the handshake with an ordinary peer; `more` are header lines of the peer's head.
  std::unique_ptr<TransportEnd> open_server(const WebSocketServerOptions& options = {},
                                            std::string_view more = {}) {
    auto made = end(websocket_server(options));
    made->transport->received(opening_request("/", more));
    response = made->wire();
    return made;
  }
  std::unique_ptr<TransportEnd> open_client(const WebSocketClientOptions& options = {},
                                            std::string_view more = {}) {
    auto made = end(websocket_client(options), "server.example");
    request = made->wire();
    made->transport->received(opening_answer(request, more));
    return made;
  }

  NetWorld net;
  Scheduler* scheduler = nullptr;
  std::string request;   ///< of the last client
  std::string response;  ///< to the last server's opening
};

inline WebSocketTransport& websocket_of(TransportEnd& end) {
  return dynamic_cast<WebSocketTransport&>(*end.transport);
}

}  // namespace hawser::testing
