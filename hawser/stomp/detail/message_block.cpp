// Header blocks by version, one rendition slot each.
#include <hawser/stomp/detail/message_block.hpp>

#include <hawser/stomp/escape.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace hawser::stomp::detail {

bool is_broker_header(BytesView name) noexcept {
  constexpr std::array<BytesView, 8> own{
      "destination", "receipt",      "transaction", "content-length",
      "message-id",  "subscription", "ack",         "redelivered"};
  return std::ranges::find(own, name) != own.end();
}

namespace {
void append_header(Bytes& out, BytesView name, BytesView value, Version version) {
  if (find_unsendable(name, version) != BytesView::npos ||
      find_unsendable(value, version) != BytesView::npos)
    return;
  if (version == Version::v1_0 && name.find(':') != BytesView::npos) return;
  append_escaped(out, name, version);
  out += ':';
  append_escaped(out, value, version);
  out += '\n';
}

Bytes make_block(const bus::Message& message, Version version) {
  Bytes out;
  out.reserve(message.size() - message.body().size() + 64);
  append_header(out, "destination", message.destination(), version);
  if (!message.content_type().empty())
    append_header(out, "content-type", message.content_type(), version);
  for (const auto& [name, value] : message.properties()) append_header(out, name, value, version);
  if (!message.body().empty()) {
    out += "content-length:";
    out += std::to_string(message.body().size());
    out += '\n';
  }
  out += '\n';
  return out;
}
}  // namespace

const Payload& message_block(const bus::Message& message, Version version) {
  return message.rendition(static_cast<std::uint32_t>(version),
                           [&] { return make_block(message, version); });
}

}  // namespace hawser::stomp::detail
