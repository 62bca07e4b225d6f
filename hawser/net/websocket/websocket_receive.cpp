// From the wire to messages: frames are unmasked, checked, inflated and joined as they come in.
#include <hawser/net/websocket/detail/close_code.hpp>
#include <hawser/net/websocket/detail/deflate.hpp>
#include <hawser/net/websocket/detail/scratch.hpp>
#include <hawser/net/websocket/detail/settings.hpp>
#include <hawser/net/websocket/websocket.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace hawser {

using namespace websocket;

void WebSocketTransport::received(BytesView bytes) {
  if (over()) return;
  heard();
  if (working_ || !rest().kept.empty() || (opening_ == nullptr && link_->holding())) {
    the_rest().kept.append(bytes);
    if (!working_ && !link_->holding()) work_on_kept();
    return;
  }
  working_ = true;
  const BytesView left = consume(bytes);
  working_ = false;
  if (!left.empty()) the_rest().kept.insert(0, left);
  drop_rest_if_empty();
  if (ended_below_ && kept() == 0) end_below();
}

void WebSocketTransport::resume() {
  // While working, the loop itself sees that the hold is over.
  if (working_ || over() || link_->holding()) return;
  work_on_kept();
  if (ended_below_ && kept() == 0) end_below();
}

void WebSocketTransport::work_on_kept() {
  std::string bytes = rest_ == nullptr ? std::string() : std::exchange(rest_->kept, {});
  working_ = true;
  const std::size_t left = consume(bytes).size();
  working_ = false;
  if (left != 0) {
    bytes.erase(0, bytes.size() - left);
    the_rest().kept.insert(0, bytes);
  }
  drop_rest_if_empty();
}

/// Answers what could not be used since somebody holds.
BytesView WebSocketTransport::consume(BytesView in) {
  if (opening_ != nullptr) {
    read_head(in);
    if (over() || opening_ != nullptr) return {};
  }
  ScratchLease scratch;
  while (!over()) {
    if (link_->holding()) return in;
    Went went = Went::on;
    if (!in_frame_) {
      if (in.empty()) return {};
      if (read_short_message(in)) continue;
      went = read_frame_head(in, *scratch);
      if (went == Went::out_of_bytes) return {};
      if (went == Went::stopped) continue;
    }
    // Only a delivery can bring a hold or the end.
    if (in.empty() && payload_done_ < head_.length && !inflate_pending_) {
      return {};
    } else if (head_.control()) {
      went = read_control(in);
    } else if (message_is_compressed_) {
      went = read_compressed(in, *scratch);
    } else if (payload_done_ == 0 && in.size() >= head_.length && head_.fin &&
               head_.opcode != continuation && !settings_->stream) {
      went = read_whole_message(in, *scratch);
    } else {
      went = read_plain(in, *scratch);
    }
    if (went == Went::out_of_bytes) return {};
  }
  return {};
}

// ---- heads
// -----------------------------------------------------------------------------------------

WebSocketTransport::Went WebSocketTransport::read_frame_head(BytesView& in, Scratch& scratch) {
  BytesView from = in;
  const std::size_t before = partial_head_size_;
  if (before != 0) {
    const std::size_t more = std::min(in.size(), partial_head_.size() - before);
    std::memcpy(partial_head_.data() + before, in.data(), more);
    from = BytesView(partial_head_.data(), before + more);
  }
  switch (scratch.codec.read(from, head_)) {
    case FrameCodec::Status::need_more:
      if (before == 0) std::memcpy(partial_head_.data(), from.data(), from.size());
      partial_head_size_ = static_cast<std::uint8_t>(from.size());
      in = {};
      return Went::out_of_bytes;
    case FrameCodec::Status::malformed:
      return fail(protocol_broken,
                  "a frame's length is malformed, or a control frame is too long "
                  "or fragmented");
    case FrameCodec::Status::done:
      break;
  }
  in.remove_prefix(head_.size - before);
  partial_head_size_ = 0;
  return begin_frame();
}

const char* WebSocketTransport::fault_of(const FrameHead& head) const noexcept {
  if (head.opcode > binary && head.opcode != close && head.opcode != ping && head.opcode != pong)
    return "a frame has a reserved opcode";
  const bool may_be_compressed = deflate_.on && (head.opcode == text || head.opcode == binary);
  if (head.rsv != 0 && !(may_be_compressed && head.rsv == FrameHead::rsv1))
    return "a frame has reserved bits set";
  if (head.masked != is_server())
    return is_server() ? "a client's frame is not masked" : "a server's frame is masked";
  if (head.control()) return nullptr;
  if (head.opcode == continuation && !in_message_) return "a continuation of no message";
  if (head.opcode != continuation && in_message_) return "a message within a message";
  return nullptr;
}

WebSocketTransport::Went WebSocketTransport::begin_frame() {
  if (const char* fault = fault_of(head_)) return fail(protocol_broken, fault);
  in_frame_ = true;
  payload_done_ = 0;
  if (head_.control()) {
    if (rest_ != nullptr) rest_->control.clear();
    return Went::on;
  }
  if (head_.length > settings_->frame_limit)
    return fail(too_big, fmt::format("a frame of {} bytes; the limit is {} (frame_limit)",
                                     head_.length, settings_->frame_limit));
  if (head_.opcode != continuation) {
    in_message_ = true;
    message_is_text_ = head_.opcode == text;
    message_is_compressed_ = head_.rsv != 0;
    fragments_ = 0;
    utf8_.reset();
  }
  if (++fragments_ > settings_->fragments_limit)
    return fail(policy_violation, fmt::format("a message of more than {} frames (fragments_limit)",
                                              settings_->fragments_limit));
  if (!message_is_compressed_ && !settings_->stream &&
      head_.length > settings_->message_limit - rest().message.size())
    return fail(too_big, fmt::format("a message of more than {} bytes (message_limit)",
                                     settings_->message_limit));
  return Went::on;
}

// ---- control frames
// --------------------------------------------------------------------------------

WebSocketTransport::Went WebSocketTransport::read_control(BytesView& in) {
  std::string& control = the_rest().control;
  const auto length = static_cast<std::size_t>(head_.length);
  const std::size_t size = std::min(in.size(), length - control.size());
  const std::size_t at = control.size();
  control.append(in.substr(0, size));
  in.remove_prefix(size);
  if (head_.masked) apply_mask(control.data() + at, control.data() + at, size, head_.key, at);
  payload_done_ += size;
  if (control.size() < length) return Went::out_of_bytes;
  in_frame_ = false;
  const std::string payload = std::exchange(control, {});
  handle_control(payload);
  return over() ? Went::stopped : Went::on;
}

void WebSocketTransport::handle_control(BytesView payload) {
  switch (head_.opcode) {
    case ping:
      return write_control(pong, payload);
    case close:
      return handle_close(payload);
    default:
      return;  // a pong, asked for or not: heard() has seen that the peer is there
  }
}

void WebSocketTransport::handle_close(BytesView payload) {
  std::uint16_t code = 0;
  if (payload.size() >= 2) {
    code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8U |
                                      static_cast<unsigned char>(payload[1]));
    payload.remove_prefix(2);
    if (!may_be_received(code)) {
      fail(protocol_broken, fmt::format("the close code {} must not be sent", code));
      return;
    }
    if (!is_utf8(payload)) {
      fail(bad_payload, "the text of the close frame is not UTF-8");
      return;
    }
  } else if (!payload.empty()) {
    fail(protocol_broken, "a close frame of one byte");
    return;
  }
  over_ = true;
  timer_.cancel();
  constexpr std::uint16_t no_code = 1005;
  close_code_ = code == 0 ? no_code : code;
  if (!payload.empty()) the_rest().close_text = payload;
  write_close(code, {});
  if (!link_->stopping()) link_->deliver_end();
}

// ---- messages
// --------------------------------------------------------------------------------------

/// The most frequent one of all: short, in one frame, nothing to be inflated, all of it there.
/// False, with nothing changed: it is another, or not right; the long way tells. What is spared
/// here is a third of what such a message costs.
bool WebSocketTransport::read_short_message(BytesView& in) {
  if (in_message_ || partial_head_size_ != 0 || settings_->stream || in.size() < 2) return false;
  const auto first = static_cast<unsigned char>(in[0]);
  const auto second = static_cast<unsigned char>(in[1]);
  const bool is_text = first == (FrameHead::final_bit | text);
  if (!is_text && first != (FrameHead::final_bit | binary)) return false;
  const bool masked = (second & FrameHead::mask_bit) != 0;
  const std::size_t size = second & ~FrameHead::mask_bit;
  MaskKey key{};
  const std::size_t at = FrameHead::shortest + (masked ? key.size() : 0);
  if (masked != is_server() || size > FrameHead::longest_short || in.size() < at + size ||
      size > settings_->frame_limit)
    return false;
  std::array<char, FrameHead::longest_short> room;  // NOLINT(*-member-init): written first
  BytesView payload = in.substr(at, size);
  if (masked) {
    std::memcpy(key.data(), in.data() + FrameHead::shortest, key.size());
    apply_mask(room.data(), payload.data(), size, key, 0);
    payload = BytesView(room.data(), size);
  }
  in.remove_prefix(at + size);
  if (is_text && !is_utf8(payload)) {
    fail(bad_payload, "a text is not UTF-8");
    return true;
  }
  last_was_text_ = is_text;
  link_->deliver(payload);
  return true;
}

/// A message in one frame that is all there: delivered from where it is unmasked.
WebSocketTransport::Went WebSocketTransport::read_whole_message(BytesView& in, Scratch& scratch) {
  BytesView payload = in.substr(0, static_cast<std::size_t>(head_.length));
  in.remove_prefix(payload.size());
  in_frame_ = in_message_ = false;
  if (head_.masked) {
    char* const room = scratch.room(payload.size());
    apply_mask(room, payload.data(), payload.size(), head_.key, 0);
    payload = BytesView(room, payload.size());
  }
  if (message_is_text_ && !is_utf8(payload)) return fail(bad_payload, "a text is not UTF-8");
  last_was_text_ = message_is_text_;
  link_->deliver(payload);
  return Went::on;
}

WebSocketTransport::Went WebSocketTransport::read_plain(BytesView& in, Scratch& scratch) {
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), head_.length - payload_done_));
  BytesView piece = in.substr(0, size);
  in.remove_prefix(size);
  const std::uint64_t at = std::exchange(payload_done_, payload_done_ + size);
  const bool frame_ends = payload_done_ == head_.length;
  if (settings_->stream) {
    if (head_.masked) {
      char* const room = scratch.room(size);
      apply_mask(room, piece.data(), size, head_.key, at);
      piece = BytesView(room, size);
    }
  } else {
    std::string& message = the_rest().message;
    if (message.empty() && message.capacity() < scratch.message.capacity())
      message.swap(scratch.message);
    const std::size_t before = message.size();
    message.append(piece);
    if (head_.masked)
      apply_mask(message.data() + before, message.data() + before, size, head_.key, at);
    piece = BytesView(message).substr(before);
  }
  if (message_is_text_ && !utf8_.feed(piece)) return fail(bad_payload, "a text is not UTF-8");
  if (frame_ends) in_frame_ = false;
  const bool message_ends = frame_ends && head_.fin;
  if (message_ends && message_is_text_ && !utf8_.complete())
    return fail(bad_payload, "a text ends within a character");
  if (settings_->stream) {
    if (message_ends) in_message_ = false;
    last_was_text_ = message_is_text_;
    note_text(piece);
    if (message_ends && lacks_end_) [[unlikely]] {
      // At once: the delivery of the piece may begin a hold.
      Bytes whole(piece);
      whole += *settings_->text_end;
      lacks_end_ = false;
      link_->deliver(whole);
    } else if (!piece.empty()) {
      link_->deliver(piece);
    }
    return Went::on;
  }
  return message_ends ? end_message(scratch) : Went::on;
}

/// Keeps in mind whether the text needs its end (WebSocketClientOptions::text_end).
void WebSocketTransport::note_text(BytesView piece) noexcept {
  if (!settings_->text_end || !message_is_text_) [[likely]]
    return;
  const std::size_t end = piece.rfind(*settings_->text_end);
  if (end != BytesView::npos) {
    lacks_end_ = false;
    piece.remove_prefix(end + 1);
  }
  if (piece.find_first_not_of("\r\n") != BytesView::npos) lacks_end_ = true;
}

/// Takes as much of the frame's payload as is there. A hold can begin between two deliveries in
/// stream mode only; then what is left is found again in `in`, in the inflater and in the tail.
WebSocketTransport::Went WebSocketTransport::read_compressed(BytesView& in, Scratch& scratch) {
  std::unique_ptr<Inflater>& inflater = the_rest().inflater;
  if (inflater == nullptr) {
    const int bits = std::max(deflate_.peer_bits, 9);  // a peer's zlib makes 9 of 8
    inflater = std::move(scratch.inflater);
    if (inflater == nullptr) {
      inflater = std::make_unique<Inflater>(bits);
    } else {
      inflater->reset(bits);
    }
  }
  if (!in_tail_) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), head_.length - payload_done_));
    BytesView input = in.substr(0, size);
    if (head_.masked) {
      char* const room = scratch.room(size);
      apply_mask(room, input.data(), size, head_.key, payload_done_);
      input = BytesView(room, size);
    }
    if (const Went went = inflate_from(input, &in); went != Went::on) return went;
    if (payload_done_ < head_.length) return Went::on;
    if (!head_.fin) {
      in_frame_ = false;
      return Went::on;
    }
    in_tail_ = true;
    tail_left_ = static_cast<std::uint8_t>(Inflater::tail.size());
  }
  if (!inflater->ended()) {
    BytesView tail = Inflater::tail.substr(Inflater::tail.size() - tail_left_);
    if (const Went went = inflate_from(tail, nullptr); went != Went::on) return went;
    if (!inflater->ended() && !inflater->at_boundary())
      return fail(bad_payload, "a compressed message ends too early");
  }
  in_tail_ = false;
  in_frame_ = false;
  if (message_is_text_ && !utf8_.complete())
    return fail(bad_payload, "a text ends within a character");
  if (settings_->stream) last_was_text_ = message_is_text_;
  return end_message(scratch);
}

/// Runs `input` through the inflater: the payload at the front of `in`, or, without it, the tail.
WebSocketTransport::Went WebSocketTransport::inflate_from(BytesView& input, BytesView* in) {
  std::array<char, 16384> out;  // NOLINT(cppcoreguidelines-pro-type-member-init): written first
  do {
    const std::size_t before = input.size();
    const std::size_t made = rest_->inflater->run(input, out);
    const std::size_t used = before - input.size();
    if (in != nullptr) {
      in->remove_prefix(used);
      payload_done_ += used;
    } else {
      tail_left_ = static_cast<std::uint8_t>(tail_left_ - used);
    }
    if (!rest_->inflater->ok()) return fail(bad_payload, "a compressed message is no DEFLATE");
    inflate_pending_ = made == out.size();
    if (made > 0) {
      if (const Went went = take_inflated(BytesView(out.data(), made)); went != Went::on)
        return went;
    }
    if (made == 0 && used == 0) break;
    if (link_->holding() && settings_->stream) return Went::stopped;
  } while (!input.empty() || inflate_pending_);
  return Went::on;
}

WebSocketTransport::Went WebSocketTransport::take_inflated(BytesView bytes) {
  if (message_is_text_ && !utf8_.feed(bytes)) return fail(bad_payload, "a text is not UTF-8");
  if (settings_->stream) {
    last_was_text_ = message_is_text_;
    note_text(bytes);
    link_->deliver(bytes);
    return over() ? Went::stopped : Went::on;
  }
  std::string& message = the_rest().message;
  if (bytes.size() > settings_->message_limit - message.size())
    return fail(too_big, fmt::format("a message of more than {} bytes when inflated "
                                     "(message_limit)",
                                     settings_->message_limit));
  message.append(bytes);
  return Went::on;
}

WebSocketTransport::Went WebSocketTransport::end_message(Scratch& scratch) {
  in_message_ = false;
  if (message_is_compressed_ && !deflate_.peer_takeover)
    scratch.inflater = std::move(rest_->inflater);
  if (settings_->stream) {
    if (std::exchange(lacks_end_, false)) link_->deliver(BytesView(&*settings_->text_end, 1));
    return over() ? Went::stopped : Went::on;
  }
  std::string whole = rest_ == nullptr ? std::string() : std::exchange(rest_->message, {});
  last_was_text_ = message_is_text_;
  link_->deliver(whole);
  whole.clear();
  if (whole.capacity() > scratch.message.capacity()) scratch.message.swap(whole);
  return Went::on;
}

WebSocketTransport::Went WebSocketTransport::fail(std::uint16_t code, std::string why) {
  over_ = true;
  timer_.cancel();
  write_close(code, websocket::close_text(why));
  if (link_->stopping()) return Went::stopped;
  if (code == too_big || code == policy_violation) {
    link_->fail(Reason::overloaded(fmt::format("WebSocket: {}", why)));
  } else {
    link_->fail(Reason::protocol_error(fmt::format("WebSocket: {}", why)));
  }
  return Went::stopped;
}

}  // namespace hawser
