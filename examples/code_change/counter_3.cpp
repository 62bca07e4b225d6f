// A version that goes wrong: it cannot read the state of a connection whose count is odd. Those
// keep the version they have, and the program says why.
#include <hawser/net/module/export.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace hawser;

struct PacketCounter {
  unsigned long count = 0;

  Next handle_packet(Packet packet) {
    ++count;
    return send(std::to_string(count) + " " + std::string(packet) + " [3]");
  }

  static Result<PacketCounter> code_change(unsigned, BytesView state) {
    PacketCounter next;
    next.count = std::strtoul(std::string(state).c_str(), nullptr, 10);
    if (next.count % 2 == 1) throw std::runtime_error("an odd count");
    return next;
  }
};

HAWSER_EXPORT_HANDLER(PacketCounter, 3)
