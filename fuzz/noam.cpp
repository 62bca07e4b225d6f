// Noam's frames and messages over any bytes: whatever comes, decoding stays inside it, and what was
// decoded is written so that it decodes to the same.
#include <hawser/base/check.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/noam/relayed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::noam;

void check_message(BytesView json) {
  const auto message = decode(json);
  check(message.has_value() || !message.error().text().empty(), "an error has words");
  if (!message) return;
  check(check_json(json).has_value(), "what is decoded is JSON");
  if (const auto* marco = std::get_if<Marco>(&*message)) {
    const auto again = decode(encode(*marco));
    check(again && std::get<Marco>(*again).name == marco->name, "a marco is a marco");
  } else if (const auto* event = std::get_if<EventView>(&*message)) {
    for (const bool ascii : {false, true}) {
      const auto relayed = RelayedEvent::make(*event, ascii);
      if (relayed == nullptr) continue;
      const auto again = decode_event(relayed->message());
      check(again.has_value(), "what is relayed is an event");
      check(json_to_string(again->topic) == relayed->topic(), "of the same topic");
      check(again->value == relayed->value(), "and value");
    }
  } else if (const auto* registration = std::get_if<Registration>(&*message)) {
    const auto again = decode(encode(*registration));
    check(again && std::get<Registration>(*again).hears == registration->hears, "registration");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Its own allocation, so that a read past its end is seen.
  const std::vector<char> exact(data, data + size);
  const BytesView bytes(exact.data(), exact.size());
  check_message(bytes);
  const Framing framing = incoming_frames();
  BytesView rest = bytes;
  while (!rest.empty()) {
    const Cut cut = framing.cut(rest);
    if (cut.kind != Cut::Kind::packet) break;
    check(cut.consumed <= rest.size(), "cut");
    check_message(rest.substr(cut.offset, cut.size));
    rest.remove_prefix(cut.consumed);
  }
  return 0;
}
