// wslay reads and checks each head; the payload goes around it. wslay takes payloads through a
// 4 KiB buffer of its own and unmasks them there, some four nanoseconds a byte, so it is given
// heads without their mask and is only told that the payload's bytes have come. In this way its
// context stands at a frame's beginning after every call, and one serves any number of connections.
// Heads of two bytes do without it: their length has one form only, and a whole frame so short may
// be of any kind, so there is nothing about them to check.
#include <hawser/base/check.hpp>
#include <hawser/net/websocket/detail/frame_head.hpp>

#include <wslay/wslay.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace hawser::websocket {

struct FrameCodec::Feed {
  const char* in = nullptr;  // what is left of the head being read
  std::size_t in_left = 0;
  std::uint64_t payload_left = 0;  // bytes of payload to be taken as arrived
  char* out = nullptr;             // where the head being written goes
  std::size_t written = 0;
};

FrameCodec::~FrameCodec() { discard(); }

void FrameCodec::discard() noexcept {
  if (context_ != nullptr) wslay_frame_context_free(std::exchange(context_, nullptr));
}

wslay_frame_context* FrameCodec::context(Feed& feed) {
  feed_ = &feed;
  if (context_ != nullptr) return context_;
  wslay_frame_callbacks callbacks{};
  callbacks.recv_callback = [](std::uint8_t* to, std::size_t room, int, void* self) -> ssize_t {
    Feed& from = *static_cast<FrameCodec*>(self)->feed_;
    if (from.in_left == 0) {
      const auto claimed =
          static_cast<std::size_t>(std::min<std::uint64_t>(room, from.payload_left));
      from.payload_left -= claimed;
      return static_cast<ssize_t>(claimed);
    }
    const std::size_t size = std::min(room, from.in_left);
    std::memcpy(to, from.in, size);
    from.in += size;
    from.in_left -= size;
    return static_cast<ssize_t>(size);
  };
  callbacks.send_callback = [](const std::uint8_t* bytes, std::size_t size, int,
                               void* self) -> ssize_t {
    Feed& into = *static_cast<FrameCodec*>(self)->feed_;
    if (into.written == 0) {  // the head; what comes after it is the payload
      std::memcpy(into.out, bytes, size);
      into.written = size;
    }
    return static_cast<ssize_t>(size);
  };
  if (wslay_frame_context_init(&context_, &callbacks, this) != 0) throw std::bad_alloc();
  return context_;
}

FrameCodec::Status FrameCodec::read(BytesView bytes, FrameHead& head) {
  if (bytes.size() < 2) return Status::need_more;
  const auto second = static_cast<unsigned char>(bytes[1]);
  const unsigned short_length = second & 0x7fU;
  const std::size_t key_at = short_length < 126 ? 2 : short_length == 126 ? 4 : 10;
  head.masked = (second & 0x80U) != 0;
  head.size = key_at + (head.masked ? head.key.size() : 0);
  if (bytes.size() < head.size) return Status::need_more;
  if (head.masked) std::memcpy(head.key.data(), bytes.data() + key_at, head.key.size());

  const auto first = static_cast<unsigned char>(bytes[0]);
  if (short_length <= FrameHead::longest_short && (first & FrameHead::final_bit) != 0) [[likely]] {
    head.fin = true;
    head.rsv = static_cast<std::uint8_t>(first >> 4U & 7U);
    head.opcode = first & 0xfU;
    head.length = short_length;
    return Status::done;
  }
  std::array<char, 10> unmasked{};
  std::memcpy(unmasked.data(), bytes.data(), key_at);
  unmasked[1] = static_cast<char>(short_length);
  Feed feed{.in = unmasked.data(), .in_left = key_at, .payload_left = 1};
  wslay_frame_iocb frame{};
  ssize_t taken = wslay_frame_recv(context(feed), &frame);
  if (taken < 0) {
    discard();
    return Status::malformed;
  }
  head.fin = frame.fin != 0;
  head.rsv = frame.rsv;
  head.opcode = frame.opcode;
  head.length = frame.payload_length;
  // wslay takes 4 KiB at a time, and a peer may claim 2^63: from here on a new context is cheaper.
  constexpr std::uint64_t walked_at_most = 64 << 10;
  if (head.length > walked_at_most) {
    discard();
    return Status::done;
  }
  feed.payload_left = head.length - static_cast<std::uint64_t>(taken);
  while (feed.payload_left > 0) {
    taken = wslay_frame_recv(context_, &frame);
    check(taken > 0, "FrameCodec::read: wslay did not take the payload");
  }
  return Status::done;
}

std::size_t FrameCodec::write_short(const FrameHead& head, char* out) noexcept {
  out[0] =
      static_cast<char>(FrameHead::final_bit | static_cast<unsigned>(head.rsv) << 4U | head.opcode);
  out[1] = static_cast<char>(head.length | (head.masked ? FrameHead::mask_bit : 0U));
  if (!head.masked) return 2;
  std::memcpy(out + 2, head.key.data(), head.key.size());
  return 2 + head.key.size();
}

std::size_t FrameCodec::write(const FrameHead& head, std::span<char, FrameHead::longest> out) {
  if (head.length <= FrameHead::longest_short && head.fin) return write_short(head, out.data());
  Feed feed{.out = out.data()};
  wslay_frame_iocb frame{};
  frame.fin = head.fin ? 1 : 0;
  frame.rsv = head.rsv;
  frame.opcode = head.opcode;
  frame.payload_length = head.length;
  frame.data = reinterpret_cast<const std::uint8_t*>(out.data());  // handed back, never read
  frame.data_length = static_cast<std::size_t>(head.length);
  const ssize_t sent = wslay_frame_send(context(feed), &frame);
  check(sent == static_cast<ssize_t>(head.length), "FrameCodec::write: wslay refused the frame");
  if (head.masked) {
    out[1] = static_cast<char>(static_cast<unsigned char>(out[1]) | 0x80U);
    std::memcpy(out.data() + feed.written, head.key.data(), head.key.size());
    feed.written += head.key.size();
  }
  return feed.written;
}

void apply_mask(char* to, const char* from, std::size_t size, const MaskKey& key,
                std::uint64_t at) noexcept {
  // The key as it meets eight bytes in a row, whatever this machine's byte order.
  std::array<std::uint8_t, 8> turned{key[at & 3U],       key[(at + 1) & 3U], key[(at + 2) & 3U],
                                     key[(at + 3) & 3U], key[at & 3U],       key[(at + 1) & 3U],
                                     key[(at + 2) & 3U], key[(at + 3) & 3U]};
  const auto eight = std::bit_cast<std::uint64_t>(turned);
  std::size_t i = 0;
  for (; i + sizeof eight <= size; i += sizeof eight) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from + i, sizeof bytes);
    bytes ^= eight;
    std::memcpy(to + i, &bytes, sizeof bytes);
  }
  if (i + sizeof(std::uint32_t) <= size) {
    std::uint32_t four = 0;
    std::uint32_t bytes = 0;
    std::memcpy(&four, turned.data(), sizeof four);
    std::memcpy(&bytes, from + i, sizeof bytes);
    bytes ^= four;
    std::memcpy(to + i, &bytes, sizeof bytes);
    i += sizeof four;
  }
  for (; i < size; ++i)
    to[i] = static_cast<char>(static_cast<std::uint8_t>(from[i]) ^ turned[i % turned.size()]);
}

}  // namespace hawser::websocket
