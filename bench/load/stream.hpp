// What a load's packets travel in: plain TCP, TLS or WebSocket messages, over a connected
// non-blocking socket. Public; one thread.
#pragma once

#include <bench/load/tls_stream.hpp>
#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hawser::bench {

enum class Wire : unsigned char {
  plain,      ///< packets behind their prefix
  tls,        ///< the same over TLS, verifying nobody
  websocket,  ///< each packet without its prefix is a binary message; masked, as a client must
};
std::string_view to_string(Wire wire) noexcept;

class Stream {
 public:
  /// Shakes hands where the wire needs it, waiting for the peer at most `stall` at a time. `fd`
  /// stays the caller's. Errors: protocol_error, closed, timeout.
  static Result<Stream> open(Wire wire, const TlsClients& clients, int fd, Duration stall);

  /// Sends whole packets; what the socket does not take now waits for flush().
  Result<void> send(BytesView packets);
  /// To be called when the socket is writable again.
  Result<void> flush();

  /// How many bytes of packets came, prefixes included; 0 when there are none now. `room` is at
  /// least 64 KiB. `drained` says whether the socket is surely empty.
  Result<std::size_t> receive(std::span<char> room, bool& drained);

 private:
  Stream(Wire wire, int fd) noexcept : wire_(wire), fd_(fd) {}
  Result<void> upgrade(Duration stall);
  Result<std::size_t> write(BytesView bytes);
  Result<std::size_t> read(std::span<char> room);
  void append_frames(BytesView packets);
  Result<std::size_t> unwrap(std::span<char> room, std::size_t begin, std::size_t end);

  Wire wire_;
  int fd_;
  std::optional<TlsStream> tls_{};
  Bytes unsent_{};
  // Of the WebSocket message that is arriving: the part of its head, what is missing of its body.
  unsigned char head_[4] = {};
  std::uint8_t head_size_ = 0;
  bool skipped_ = false;
  std::size_t missing_ = 0;
  std::uint32_t frames_ = 0;
};

}  // namespace hawser::bench
