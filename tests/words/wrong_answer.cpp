// Does not compile, and must say why: a packet's callback that answers what is no answer.
#include <hawser/net/server.hpp>

struct Wrong {
  int handle_packet(hawser::Packet) { return 0; }
};
auto wrong() { return hawser::server<Wrong>("it", {}); }
