// The next version of counter_1.cpp: it also tells how many bytes a connection has sent, and goes
// on counting where version 1 was.
#include <hawser/net/module/export.hpp>

#include <cstdio>
#include <string>

using namespace hawser;

struct PacketCounter {
  unsigned long count = 0;
  unsigned long bytes = 0;

  Next handle_packet(Packet packet) {
    ++count;
    bytes += packet.size();
    return send(std::to_string(count) + " " + std::string(packet) + " (" + std::to_string(bytes) +
                " bytes)");
  }

  Bytes export_state() const { return std::to_string(count) + " " + std::to_string(bytes); }

  /// Runs in the connection's own process, between two packets. An error keeps the old version.
  static Result<PacketCounter> code_change(unsigned old_version, BytesView state) {
    PacketCounter next;
    const std::string text(state);
    const int read = std::sscanf(text.c_str(), "%lu %lu", &next.count, &next.bytes);
    if (read == (old_version == 1 ? 1 : 2)) return next;
    return std::unexpected(Error{
        .kind = ErrorKind::invalid_argument,
        .operation = "code_change",
        .detail = "not the state of version " + std::to_string(old_version) + ": '" + text + "'"});
  }
};

HAWSER_EXPORT_HANDLER(PacketCounter, 2)
