// Any bytes at a WebSocket end: as an HTTP head or as frames, at a server or a client, whole and in
// pieces, which must come to the same. What is sent back must be frames, and none follows a close.
#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/engine/sim/world.hpp>
#include <hawser/net/testing/transport_ends.hpp>
#include <hawser/net/testing/websocket_frames.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/system.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::testing;

class NoLog final : public Log {
 public:
  NoLog() : Log(LogLevel::off) {}
  void write(LogLevel, std::string_view, std::string_view) override {}
};

/// Where clients get their chance from.
class Home {
 public:
  Home() : system_(world_.host("home"), one(), std::make_unique<NoLog>()) {
    check(system_.launch().has_value(), "launch");
    check(system_.run_on(0, [this](Scheduler& of) { scheduler = &of; }).has_value(), "run_on");
  }
  Scheduler* scheduler = nullptr;

 private:
  static SystemOptions one() {
    SystemOptions options;
    options.schedulers = 1;
    return options;
  }
  sim::World world_{1};
  System system_;
};

struct Way {
  bool server;
  bool head;  // the bytes begin with the HTTP head
  bool deflate;
  bool takeover;
  bool stream;
  bool holds;
};

struct Outcome {
  std::vector<std::string> messages;
  bool ready = false;
  bool ended = false;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

TransportMaker maker_for(const Way& way) {
  const WebSocketDeflate deflate{.enabled = way.deflate,
                                 .no_context_takeover = !way.takeover,
                                 .peer_no_context_takeover = !way.takeover};
  if (way.server) {
    return websocket_server({.deflate = deflate,
                             .message_limit = 5000,
                             .fragments_limit = 50,
                             .head_limit = 600,
                             .ping_interval = 0s,
                             .stream = way.stream});
  }
  return websocket_client({.deflate = deflate,
                           .message_limit = 5000,
                           .fragments_limit = 50,
                           .head_limit = 600,
                           .ping_interval = 0s,
                           .stream = way.stream});
}

Outcome run(const Way& way, BytesView bytes, std::size_t step) {
  static Home home;
  TransportEnd end(maker_for(way)(), "host");
  end.scheduler_used = home.scheduler;
  end.start();
  const std::string request = end.wire();
  const std::string extension =
      way.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
  if (!way.head) {
    end.transport->received(way.server ? opening_request("/", extension)
                                       : opening_answer(request, extension));
    check(end.is_ready, "the handshake");
    end.wire();
  }
  end.hold_after_each = way.holds;
  while (!bytes.empty() && !end.failed) {
    const std::size_t size = std::min(step, bytes.size());
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    end.transport->received(BytesView(exact.data(), exact.size()));
    bytes.remove_prefix(size);
    while (end.held && !end.failed) end.let_go();
  }
  check(end.failed || end.transport->kept() == 0, "something is kept without a hold");
  std::string wire = end.wire();
  if (!way.head) {
    const auto frames = frames_of(wire);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      check(frames[i].masked != way.server, "the mask");
      check(frames[i].opcode != 8 || i + 1 == frames.size(), "a frame after the close frame");
    }
    check(!end.failed || (!frames.empty() && frames.back().opcode == 8), "no goodbye");
  }
  Outcome outcome{end.deliveries, end.is_ready, end.ended, end.failed.has_value()};
  if (way.stream) outcome.messages = {end.delivered};
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto bit = [data](unsigned which) { return (data[0] >> which & 1U) != 0; };
  const Way way{bit(0), bit(1), bit(2), bit(3), bit(4), bit(5)};
  const BytesView bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = run(way, bytes, bytes.size() + 1);
  const Outcome split = run(way, bytes, 1 + data[1] % 16U);
  // A stranger's first bytes may fail at once when they come together, and with the head's end
  // otherwise; and a text that fails in the middle has in stream mode been delivered up to there.
  if (way.head && !whole.ready) {
    check(!split.ready, "the split made a handshake");
    return 0;
  }
  check(whole.failed == split.failed && whole.ended == split.ended, "the split changed the end");
  if (!way.stream || !whole.failed)
    check(whole.messages == split.messages, "the split changed the messages");
  return 0;
}
