// A WebSocket over a bare connection, written out by hand in either role. Internal to the tests.
#pragma once

#include <hawser/noam/testing/noam_world.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::noam::testing {

/// RFC 3174, for the one line of a handshake.
inline std::array<unsigned char, 20> sha1(std::string text) {
  const std::uint64_t bits = text.size() * 8;
  text += '\x80';
  while (text.size() % 64 != 56) text += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(bits >> shift & 0xff);
  std::array<std::uint32_t, 5> h{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (std::size_t block = 0; block < text.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i)
      w[i / 4] = w[i / 4] << 8U | static_cast<unsigned char>(text[block + i]);
    for (std::size_t i = 16; i < 80; ++i)
      w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                              : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                              : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                       : (b ^ c ^ d) + 0xca62c1d6;
      const std::uint32_t next = std::rotl(a, 5) + f + e + w[i];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
  }
  std::array<unsigned char, 20> digest{};
  for (std::size_t i = 0; i < 20; ++i)
    digest[i] = static_cast<unsigned char>(h[i / 4] >> (24 - 8 * (i % 4)) & 0xffU);
  return digest;
}

inline std::string accept_key(const std::string& key) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto digest = sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  std::string text;
  for (std::size_t i = 0; i < 21; i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = i; j < i + 3; ++j) three = three << 8U | (j < 20 ? digest[j] : 0U);
    for (int shift = 18; shift >= 0; shift -= 6) text += letters[three >> shift & 63U];
  }
  text.back() = '=';
  return text;
}

enum class WebKind : unsigned char {
  more = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

struct WebMessage {
  WebKind kind = WebKind::text;
  std::string payload;
  bool operator==(const WebMessage&) const = default;
};

class BareWebSocket {
 public:
  enum class Role : unsigned char { client, server };
  BareWebSocket(std::unique_ptr<Wire> over, Role role) : wire(std::move(over)), role_(role) {}

  void request(const std::string& path) {
    wire->send("GET " + path +
               " HTTP/1.1\r\nHost: host\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  }
  /// The other's request or answer; "" while it is not there.
  std::string head() const {
    const std::size_t end = wire->received.find("\r\n\r\n");
    return end == std::string::npos ? std::string{} : wire->received.substr(0, end + 4);
  }
  /// To a request that has come.
  void agree() {
    const std::string asked = head();
    constexpr std::string_view name = "sec-websocket-key: ";
    std::string lower = asked;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    const std::size_t at = lower.find(name) + name.size();
    wire->send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_key(asked.substr(at, asked.find('\r', at) - at)) + "\r\n\r\n");
  }
  /// One frame; clients mask, here with zeros.
  void send(std::string_view payload, WebKind kind = WebKind::text, bool last = true) {
    std::string frame;
    frame += static_cast<char>((last ? 0x80U : 0U) | static_cast<unsigned>(kind));
    const unsigned mask = role_ == Role::client ? 0x80U : 0U;
    if (payload.size() < 126) {
      frame += static_cast<char>(mask | payload.size());
    } else {
      frame += static_cast<char>(mask | 126U);
      frame += static_cast<char>(payload.size() >> 8U);
      frame += static_cast<char>(payload.size() & 0xffU);
    }
    if (mask != 0) frame += std::string(4, '\0');
    wire->send(frame + std::string(payload));
  }
  /// All frames that came whole, unmasked.
  std::vector<WebMessage> messages() const {
    std::vector<WebMessage> all;
    std::string_view rest = wire->received;
    rest.remove_prefix(head().size());
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(rest[at]); };
    while (rest.size() >= 2) {
      const bool masked = (byte(1) & 0x80U) != 0;
      std::size_t size = byte(1) & 0x7fU;
      std::size_t begin = 2;
      if (size == 126) {
        if (rest.size() < 4) break;
        size = static_cast<std::size_t>(byte(2)) << 8U | byte(3);
        begin = 4;
      }
      const std::size_t mask = begin;
      if (masked) begin += 4;
      if (rest.size() < begin + size) break;
      WebMessage message{static_cast<WebKind>(byte(0) & 0x0fU), {}};
      for (std::size_t i = 0; i < size; ++i)
        message.payload += static_cast<char>(byte(begin + i) ^ (masked ? byte(mask + i % 4) : 0));
      all.push_back(std::move(message));
      rest.remove_prefix(begin + size);
    }
    return all;
  }
  /// The contents of data frames one behind the other.
  std::string stream() const {
    std::string all;
    for (const WebMessage& message : messages())
      if (message.kind <= WebKind::binary) all += message.payload;
    return all;
  }
  std::vector<std::string> frames() const { return frames_of(stream()); }
  bool told_to_close() const {
    for (const WebMessage& message : messages())
      if (message.kind == WebKind::close) return true;
    return wire->over();
  }

  std::unique_ptr<Wire> wire;

 private:
  Role role_;
};

}  // namespace hawser::noam::testing
