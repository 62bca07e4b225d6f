// A framing of one's own: netstrings ("5:hello,"), cut and written without state, and an echo
// server that speaks them.
#include <hawser/hawser.hpp>

#include <string>
using namespace hawser;

class Netstring final : public CustomFraming {
 public:
  Cut cut(BytesView bytes, std::size_t) const override {
    std::size_t size = 0;
    for (std::size_t i = 0; i < bytes.size() && i <= 6; ++i) {
      if (bytes[i] == ':' && i != 0) {
        const std::size_t end = i + 1 + size;  // where the comma must be
        if (bytes.size() <= end) return Cut::need_more(end + 1);
        return bytes[end] == ',' ? Cut::packet(i + 1, size, end + 1) : Cut::error();
      }
      if (bytes[i] < '0' || bytes[i] > '9') return Cut::error();
      size = size * 10 + static_cast<std::size_t>(bytes[i] - '0');
    }
    return bytes.size() > 6 ? Cut::error() : Cut::need_more(0);
  }
  std::string fault(BytesView) const override { return "not a netstring of at most 999999 bytes"; }
  Result<void> encode(BytesView payload, SendQueue& queue) const override {
    if (payload.size() > 999'999)
      return std::unexpected(Error{ErrorKind::overloaded, 0, "send", "longer than 999999 bytes"});
    queue.append(std::to_string(payload.size()) + ":");
    queue.append(payload);
    queue.append(",");
    return {};
  }
};

struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

int main() {
  System system;
  system.start(server<Echo>(
      "echo", {.listen = "127.0.0.1:7103", .framing = custom(std::make_shared<Netstring>())}));
  return system.run();
}
