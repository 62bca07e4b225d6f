// A handler in a shared object: it numbers the packets of each connection. counter_2.cpp is its
// next version, to which live connections are moved: `hawser serve counter.so`, then replace the
// file.
#include <hawser/net/module/export.hpp>

#include <string>

using namespace hawser;

struct PacketCounter {
  unsigned long count = 0;

  Next handle_packet(Packet packet) {
    ++count;
    return send(std::to_string(count) + " " + std::string(packet));
  }

  /// What the next version gets: bytes, since it knows nothing of this version's types.
  Bytes export_state() const { return std::to_string(count); }
};

HAWSER_EXPORT_HANDLER(PacketCounter, 1)
