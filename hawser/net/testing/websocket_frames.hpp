// WebSocket frames and heads written and read by the plainest code there is, so that the transport
// is not its own judge. Internal to tests.
#pragma once

#include <hawser/net/websocket/detail/http_head.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::testing {

struct WireFrame {
  unsigned opcode = 0;
  std::string payload;
  bool fin = true;
  unsigned rsv = 0;  ///< RSV1 is 4
  bool masked = false;

  bool operator==(const WireFrame&) const = default;
};

/// A frame as RFC 6455 §5.2 draws it.
inline std::string wire_of(const WireFrame& frame, std::string_view key = "\x37\xfa\x21\x3d") {
  std::string out;
  out += static_cast<char>((frame.fin ? 0x80U : 0U) | frame.rsv << 4U | frame.opcode);
  const std::size_t size = frame.payload.size();
  const unsigned mask = frame.masked ? 0x80U : 0U;
  const std::size_t extra = size < 126 ? 0 : size < 65536 ? 2 : 8;
  out += static_cast<char>(mask | (extra == 0 ? size : extra == 2 ? 126U : 127U));
  for (std::size_t i = extra; i-- > 0;) out += static_cast<char>(size >> (8 * i));
  if (frame.masked) out += key;
  for (std::size_t i = 0; i < size; ++i)
    out += static_cast<char>(frame.payload[i] ^ (frame.masked ? key[i % 4] : '\0'));
  return out;
}

/// Reads whole frames off the front of `bytes`.
inline std::vector<WireFrame> frames_of(std::string_view bytes) {
  std::vector<WireFrame> frames;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes.at(at)); };
  while (!bytes.empty()) {
    WireFrame frame;
    frame.fin = (byte(0) & 0x80U) != 0;
    frame.rsv = byte(0) >> 4U & 7U;
    frame.opcode = byte(0) & 15U;
    frame.masked = (byte(1) & 0x80U) != 0;
    std::size_t size = byte(1) & 0x7fU;
    std::size_t at = 2;
    if (const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0; extra != 0) {
      size = 0;
      for (std::size_t i = 0; i < extra; ++i) size = size << 8U | byte(at++);
    }
    std::string key(4, '\0');
    if (frame.masked) {
      key = bytes.substr(at, 4);
      at += 4;
    }
    if (bytes.size() < at + size) throw std::logic_error("half a frame was sent");
    for (std::size_t i = 0; i < size; ++i)
      frame.payload += static_cast<char>(bytes[at + i] ^ key[i % 4]);
    frames.push_back(frame);
    bytes.remove_prefix(at + size);
  }
  return frames;
}

/// A close frame's payload.
inline std::string close_payload(unsigned code, std::string_view text = {}) {
  return std::string{static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)} +
         std::string(text);
}

inline unsigned close_code_of(const WireFrame& frame) {
  if (frame.payload.size() < 2) return 1005;
  return static_cast<unsigned char>(frame.payload[0]) * 256U +
         static_cast<unsigned char>(frame.payload[1]);
}

/// An opening request; `more` are whole header lines.
inline std::string opening_request(std::string_view path = "/", std::string_view more = {}) {
  return "GET " + std::string(path) +
         " HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(more) + "\r\n";
}

/// The value of a header in a head, "" when there is none.
inline std::string header_of(std::string_view head, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(start);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + start.size();
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

/// What a server says to a client's request; `more` are whole header lines.
inline std::string opening_answer(std::string_view request, std::string_view more = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         websocket::accept_for(header_of(request, "Sec-WebSocket-Key")) + "\r\n" +
         std::string(more) + "\r\n";
}

}  // namespace hawser::testing
