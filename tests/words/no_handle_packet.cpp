// Does not compile, and must say why: a connection's handler without handle_packet.
#include <hawser/net/server.hpp>

struct Nothing {};
auto wrong() { return hawser::server<Nothing>("it", {}); }
