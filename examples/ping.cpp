// The README's server: two-byte length-prefixed packets, one small process a connection.
#include <hawser/hawser.hpp>
using namespace hawser;

struct Ping {  // one per connection, alone in its process
  Next handle_packet(Packet packet) {
    if (packet == "ping") return send("pong");
    if (packet == "stop") return send("ok").then_stop();
    return keep();
  }
};

int main() {
  System system;
  system.start(server<Ping>("ping", {.listen = "127.0.0.1:7007", .framing = length_prefixed(2)}));
  return system.run();  // until SIGTERM, then drains
}
