// Heads for the older versions, one rendition each.
#include <hawser/stomp/detail/message_block.hpp>

#include <hawser/stomp/escape.hpp>

#include <cstdint>

namespace hawser::stomp::detail {
namespace {

// The numbers this protocol takes among a message's renditions.
constexpr std::uint32_t rendition_1_0 = 0x5354'0010;
constexpr std::uint32_t rendition_1_1 = 0x5354'0011;

/// Is there an escaped CR, `\r`, that is not the end of an escaped backslash?
bool has_carriage_return(BytesView line) noexcept {
  for (std::size_t at = line.find('\\'); at != BytesView::npos; at = line.find('\\', at + 2))
    if (at + 1 < line.size() && line[at + 1] == 'r') return true;
  return false;
}

Bytes make_head(const bus::Message& message, Version version) {
  Bytes out;
  BytesView head = message.head();
  out.reserve(head.size());
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    const BytesView line = head.substr(0, end);
    head.remove_prefix(end + 1);
    if (version == Version::v1_1) {
      if (!has_carriage_return(line)) out.append(line).append("\n");
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == BytesView::npos) {
      out += '\n';  // the empty line
      continue;
    }
    Bytes name, value;
    append_unescaped(name, line.substr(0, colon), Version::v1_2);
    append_unescaped(value, line.substr(colon + 1), Version::v1_2);
    if (find_unsendable(name, Version::v1_0) != BytesView::npos ||
        find_unsendable(value, Version::v1_0) != BytesView::npos ||
        name.find(':') != BytesView::npos)
      continue;
    out.append(name).append(":").append(value).append("\n");
  }
  return out;
}

}  // namespace

BytesView message_head(const bus::Message& message, Version version) {
  if (version == Version::v1_2 || !message.has_escapes()) return message.head();
  if (version == Version::v1_1 && !message.has_carriage_return()) return message.head();
  return message
      .rendition(version == Version::v1_0 ? rendition_1_0 : rendition_1_1,
                 [&] { return make_head(message, version); })
      .view();
}

}  // namespace hawser::stomp::detail
