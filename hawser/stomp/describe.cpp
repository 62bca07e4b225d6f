// The text form that may be logged: bounded, visible, without secrets.
#include <hawser/stomp/describe.hpp>

#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser::stomp {

namespace {
constexpr std::size_t most_headers = 16;
constexpr std::size_t most_octets = 80;

bool is_secret(BytesView name) noexcept {
  return std::ranges::equal(name, BytesView("passcode"), {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
}

/// quoted() without its quotes where the name is plain.
Bytes shown_name(BytesView name) {
  const bool plain = name.size() <= most_octets && std::ranges::all_of(name, [](char c) {
                       return c > ' ' && c <= '~' && c != '"' && c != ':';
                     });
  return plain ? Bytes(name) : quoted(name, most_octets);
}

template <class Headers>
Bytes describe_parts(BytesView command, const Headers& headers, std::size_t body_size) {
  Bytes text(command);
  std::size_t shown = 0;
  for (const auto& header : headers) {
    if (shown++ == most_headers) {
      text += " ...";
      break;
    }
    text += ' ';
    text += shown_name(header.name);
    text += ':';
    text += is_secret(header.name) ? Bytes("***") : quoted(header.value, most_octets);
  }
  if (body_size > 0) text += fmt::format(" ({} octets of body)", body_size);
  return text;
}
}  // namespace

Bytes describe(const Frame& frame) {
  return describe_parts(to_string(frame.command), frame.headers, frame.body.size());
}

Bytes describe(const FrameView& frame) {
  if (frame.command() == Command::unknown) {
    return describe_parts(quoted(frame.command_name()), frame.headers(), frame.body().size());
  }
  return describe_parts(to_string(frame.command()), frame.headers(), frame.body().size());
}

}  // namespace hawser::stomp
