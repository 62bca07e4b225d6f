// Does not compile, and must say why: a coroutine that would outlive the bytes of its packet.
#include <hawser/net/server.hpp>

struct Keeps {
  hawser::Task<> handle_packet(hawser::Packet) { co_return; }
};
auto wrong() { return hawser::server<Keeps>("it", {}); }
