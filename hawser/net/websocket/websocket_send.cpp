// From messages to the wire: one frame each, compressed when that was agreed, masked by a client.
#include <hawser/engine/engine.hpp>
#include <hawser/engine/send_queue.hpp>
#include <hawser/net/websocket/detail/close_code.hpp>
#include <hawser/net/websocket/detail/deflate.hpp>
#include <hawser/net/websocket/detail/scratch.hpp>
#include <hawser/net/websocket/detail/settings.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/scheduler.hpp>

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace hawser {

using namespace websocket;

namespace {

BytesView bytes_of(const iovec& vector) noexcept {
  return {static_cast<const char*>(vector.iov_base), vector.iov_len};
}

void append_masked(SendQueue& to, BytesView bytes, const MaskKey& key, std::uint64_t at) {
  constexpr std::size_t piece = 16000;  // fits into a segment of the queue's larger class
  while (!bytes.empty()) {
    const std::size_t size = std::min(piece, bytes.size());
    apply_mask(to.prepare(size), bytes.data(), size, key, at);
    to.commit(size);
    bytes.remove_prefix(size);
    at += size;
  }
}

}  // namespace

/// A client's head gets its key here.
void WebSocketTransport::write_head(SendQueue& to, FrameHead& head, Scratch& scratch) const {
  if (!is_server()) {
    head.masked = true;
    const std::uint64_t chance = link_->scheduler().engine().random().next();
    std::memcpy(head.key.data(), &chance, head.key.size());
  }
  std::array<char, FrameHead::longest> bytes{};
  to.append(BytesView(bytes.data(), scratch.codec.write(head, bytes)));
}

void WebSocketTransport::write_frame(std::uint8_t opcode, std::uint8_t rsv, BytesView payload,
                                     Scratch& scratch) {
  SendQueue* const below = link_->below();
  if (below == nullptr) return;
  FrameHead head{.rsv = rsv, .opcode = opcode, .length = payload.size()};
  write_head(*below, head, scratch);
  if (head.masked) {
    append_masked(*below, payload, head.key, 0);
  } else {
    below->append(payload);
  }
}

void WebSocketTransport::write_control(std::uint8_t opcode, BytesView payload) {
  if (close_sent_) return;
  ScratchLease scratch;
  write_frame(opcode, 0, payload, *scratch);
  link_->flush();
}

void WebSocketTransport::write_close(std::uint16_t code, std::string_view text) {
  std::string payload;
  if (code != 0) {
    payload += static_cast<char>(code >> 8U);
    payload += static_cast<char>(code & 0xffU);
    payload += text;
  }
  write_control(close, payload);
  close_sent_ = true;
}

void WebSocketTransport::send(SendQueue& plain) {
  if (close_sent_ || over_ || opening_ != nullptr || link_->below() == nullptr) {
    plain.clear();
    return;
  }
  if (plain.empty() && settings_->stream) return;
  ScratchLease scratch;
  if (!deflate_.on || !deflate_.compress || plain.size() < settings_->deflate.minimum_size ||
      !write_compressed(plain, *scratch)) {
    write_plain(plain, *scratch);
  }
  link_->flush();
}

bool WebSocketTransport::send_packet(BytesView packet) {
  if (packet.size() > FrameHead::longest_short || !is_server() || deflate_.on) return false;
  if (close_sent_ || over_ || opening_ != nullptr || settings_->stream) return false;
  SendQueue* const below = link_->below();
  if (below == nullptr) return false;
  const FrameHead head{.opcode = outgoing_text_ ? text : binary, .length = packet.size()};
  char* const room = below->prepare(FrameHead::shortest + packet.size());
  const std::size_t at = FrameCodec::write_short(head, room);
  if (!packet.empty()) std::memcpy(room + at, packet.data(), packet.size());
  below->commit(at + packet.size());
  link_->flush();
  return true;
}

void WebSocketTransport::write_plain(SendQueue& plain, Scratch& scratch) {
  SendQueue& below = *link_->below();
  FrameHead head{.opcode = outgoing_text_ ? text : binary, .length = plain.size()};
  write_head(below, head, scratch);
  if (!head.masked) {
    below.splice(plain);
    return;
  }
  std::uint64_t at = 0;
  std::array<iovec, 16> vectors{};
  while (!plain.empty()) {
    const std::size_t count = plain.gather(vectors);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count; ++i) {
      append_masked(below, bytes_of(vectors[i]), head.key, at + taken);
      taken += vectors[i].iov_len;
    }
    plain.consume(taken);
    at += taken;
  }
}

/// False: it would not have become smaller, and `plain` is as it was.
bool WebSocketTransport::write_compressed(SendQueue& plain, Scratch& scratch) {
  const WebSocketDeflate& options = settings_->deflate;
  const Deflater::Shape shape{deflate_.our_bits, options.level, options.memory_level};
  std::unique_ptr<Deflater>& deflater =
      deflate_.our_takeover ? the_rest().deflater : scratch.deflater;
  if (deflater == nullptr || deflater->shape() != shape) {
    deflater = std::make_unique<Deflater>(shape);
  } else if (!deflate_.our_takeover) {
    deflater->reset();
  }
  std::string& packed = scratch.bytes;
  packed.clear();
  std::array<iovec, 64> vectors{};
  std::size_t count = plain.gather(vectors);
  std::size_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) seen += vectors[i].iov_len;
  const bool all_in_view = seen == plain.size();
  const std::size_t size = plain.size();
  while (true) {
    for (std::size_t i = 0; i < count; ++i) deflater->add(bytes_of(vectors[i]), packed);
    if (all_in_view) break;
    plain.consume(seen);
    if (plain.empty()) break;
    count = plain.gather(vectors);
    seen = 0;
    for (std::size_t i = 0; i < count; ++i) seen += vectors[i].iov_len;
  }
  deflater->finish(packed);
  // With a context that is taken over the peer must see what went into it.
  if (all_in_view && !deflate_.our_takeover && packed.size() >= size) return false;
  if (all_in_view) plain.clear();
  write_frame(outgoing_text_ ? text : binary, FrameHead::rsv1, packed, scratch);
  return true;
}

}  // namespace hawser
