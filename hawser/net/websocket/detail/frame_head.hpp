// The head of a WebSocket frame (RFC 6455 §5.2), read and written by wslay, and the mask, which is
// ours: wslay's own masking takes one byte at a time. Internal.
#pragma once

#include <hawser/base/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

struct wslay_frame_context;

namespace hawser::websocket {

enum Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xa,
};

using MaskKey = std::array<std::uint8_t, 4>;

struct FrameHead {
  static constexpr std::size_t longest = 14;
  static constexpr std::size_t shortest = 2;
  static constexpr unsigned final_bit = 0x80;  ///< of the first byte
  static constexpr unsigned mask_bit = 0x80;   ///< of the second
  /// A length that stands in the head's second byte.
  static constexpr std::size_t longest_short = 125;
  /// permessage-deflate's "this message is compressed", among the three reserved bits.
  static constexpr std::uint8_t rsv1 = 4;

  bool fin = true;
  std::uint8_t rsv = 0;
  std::uint8_t opcode = 0;
  bool masked = false;
  MaskKey key{};
  std::uint64_t length = 0;  ///< of the payload
  std::size_t size = 0;      ///< of this head, as it was read

  bool control() const noexcept { return (opcode & 8U) != 0; }
};

/// XORs `size` bytes with the key, whose first byte to use is `at` (mod 4), into `to`, which may be
/// `from`.
void apply_mask(char* to, const char* from, std::size_t size, const MaskKey& key,
                std::uint64_t at) noexcept;

/// Between calls it holds memory, but nothing of any connection.
class FrameCodec {
 public:
  FrameCodec() noexcept = default;
  FrameCodec(FrameCodec&&) = delete;
  ~FrameCodec();

  enum class Status : std::uint8_t { need_more, done, malformed };
  /// Reads the head at the front of `bytes`. malformed: a length that is not in its shortest form
  /// or has its top bit set, or a control frame that is longer than 125 bytes or fragmented.
  Status read(BytesView bytes, FrameHead& head);
  /// Writes it; answers how many bytes it took.
  std::size_t write(const FrameHead& head, std::span<char, FrameHead::longest> out);
  /// The same for a whole frame of at most FrameHead::longest_short bytes.
  static std::size_t write_short(const FrameHead& head, char* out) noexcept;

 private:
  struct Feed;
  wslay_frame_context* context(Feed& feed);
  void discard() noexcept;

  wslay_frame_context* context_ = nullptr;
  Feed* feed_ = nullptr;  // of the call that runs
};

}  // namespace hawser::websocket
