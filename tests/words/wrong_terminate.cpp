// Does not compile, and must say why: the answer of one callback out of another.
#include <hawser/net/server.hpp>

struct Wrong {
  hawser::Next handle_packet(hawser::Packet) { return hawser::keep(); }
  hawser::Next terminate(const hawser::Reason&) { return hawser::keep(); }
};
auto wrong() { return hawser::server<Wrong>("it", {}); }
