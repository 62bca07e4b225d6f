// Packets out of bytes and into the send queue. Whole packets are handed on where they lie in the
// borrowed bytes; only one that straddles two chunks is copied, once.
#include <hawser/net/connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

namespace hawser {

// ---- in
// -----------------------------------------------------------------------------------------------

void Connection::receive(BytesView bytes) {
  if (!kept_.empty()) {
    receive_rest_of_packet(bytes);
    return;
  }
  const Cut cut = framing().cut(bytes);
  if (cut.kind == Cut::Kind::need_more) {
    // No callback for a mere piece: the handler's own time-out must not start anew for it.
    keep(bytes, false);
    await_rest(cut);
    return;
  }
  run_callback("handle_packet", [&] { deliver_packets(bytes, cut, false); });
}

void Connection::receive_rest_of_packet(BytesView bytes) {
  check(!uncut_, "nothing is received before what was kept has been cut");
  for (;;) {
    const Cut before = framing().cut(kept_, scanned_);
    const std::size_t missing = before.wanted > kept_.size() ? before.wanted - kept_.size() : 0;
    const std::size_t take =
        missing != 0 ? std::min(missing, bytes.size()) : framing().reach(kept_, bytes);
    kept_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    const Cut cut = framing().cut(kept_, scanned_);
    if (cut.kind == Cut::Kind::need_more) {
      scanned_ = cut.scanned;
      if (!bytes.empty()) continue;
      if (kept_.size() > options().unfinished_limit) {
        run_callback("handle_packet", [&] {
          stop(Reason::protocol_error(fmt::format(
              "unfinished packet of {} bytes is over the limit of {} (unfinished_limit)",
              kept_.size(), options().unfinished_limit)));
        });
      }
      return;
    }
    // What a framing of the user's own left in kept_ behind the packet comes first; then `bytes`,
    // of which it has taken all.
    run_callback("handle_packet", [&] {
      if (cut.kind == Cut::Kind::packet && cut.consumed == kept_.size() && !bytes.empty()) {
        ++packets_in_;
        group_->counters().packets_in.add();
        const Duration timeout =
            deliver_packet(Packet(BytesView(kept_).substr(cut.offset, cut.size)));
        drop_kept();
        if (stopping()) return;
        if (held_ != 0) {
          keep(bytes, false);
          uncut_ = true;
          if (timeout != Duration::max()) Process::apply(hawser::keep().timeout(timeout));
          return;
        }
        const Cut next = framing().cut(bytes);
        if (next.kind == Cut::Kind::need_more && timeout != Duration::max())
          Process::apply(hawser::keep().timeout(timeout));
        deliver_packets(bytes, next, false);
      } else {
        deliver_packets(kept_, cut, true);
      }
    });
    return;
  }
}

/// The answers to one chunk of packets are counted together, once: what that saves is a good part
/// of what a small packet costs. The high-water mark is looked at with every answer all the same.
class Connection::AnswerBatch {
 public:
  explicit AnswerBatch(Connection& connection) : connection_(connection) {
    queue_ = connection.sending_ended_ ? nullptr : connection.outgoing();
    if (queue_ == nullptr) return;
    before_ = queue_->size();
    connection.batch_ = this;
  }
  AnswerBatch(const AnswerBatch&) = delete;
  AnswerBatch& operator=(const AnswerBatch&) = delete;
  ~AnswerBatch() {
    if (connection_.batch_ != this) return;
    connection_.batch_ = nullptr;
    settle();
  }

  SendQueue& queue() const noexcept { return *queue_; }
  void added(std::uint64_t packets) {
    packets_ += packets;
    if (queue_->size() >= connection_.options().high_water) [[unlikely]]
      settle();
  }

 private:
  void settle() {
    if (packets_ == 0) return;
    connection_.sent(before_, queue_->size(), std::exchange(packets_, 0U));
    before_ = queue_->size();
  }

  Connection& connection_;
  SendQueue* queue_ = nullptr;  // it lies in the engine's socket, which stays until we close it
  std::size_t before_ = 0;
  std::uint64_t packets_ = 0;
};

/// `kept`: the bytes lie in kept_ and `cut` is the first of them.
void Connection::deliver_packets(BytesView bytes, Cut cut, bool kept) {
  Duration timeout = Duration::max();  // the last packet's answer counts, as if each came alone
  std::uint64_t packets = 0;
  const AnswerBatch batch(*this);
  for (;;) {
    if (cut.kind == Cut::Kind::packet) [[likely]] {
      ++packets;
      timeout = deliver_packet(Packet(bytes.substr(cut.offset, cut.size)));
      bytes.remove_prefix(cut.consumed);
      if (stopping()) break;
      if (held_ != 0 || packets == options().packets_per_turn) {
        if (!bytes.empty() && held_ == 0) hold_for_turn();
        uncut_ = !bytes.empty();
        keep(bytes, kept);
        break;
      }
      if (bytes.empty()) {
        keep(bytes, kept);
        break;
      }
      cut = framing().cut(bytes);
      continue;
    }
    if (cut.kind == Cut::Kind::need_more) {
      keep(bytes, kept);
      await_rest(cut);
    } else {
      end_broken(bytes);
    }
    break;
  }
  packets_in_ += packets;
  group_->counters().packets_in.add(packets);
  if (timeout != Duration::max() && !stopping()) Process::apply(hawser::keep().timeout(timeout));
}

void Connection::deliver_kept() {
  uncut_ = false;
  deliver_packets(kept_, framing().cut(kept_), true);
}

/// From here on kept_ is just `bytes`, which are borrowed, or a tail of kept_ itself.
void Connection::keep(BytesView bytes, bool kept) {
  scanned_ = 0;
  if (bytes.empty()) {
    if (kept) drop_kept();
  } else if (kept) {
    kept_.erase(0, kept_.size() - bytes.size());
  } else {
    kept_.assign(bytes);
  }
}

void Connection::drop_kept() noexcept {
  scanned_ = 0;
  // Short pieces live inside the string; for longer ones an idle connection shall hold no memory.
  if (kept_.capacity() > std::string().capacity()) {
    std::string().swap(kept_);
  } else {
    kept_.clear();
  }
}

void Connection::await_rest(const Cut& cut) {
  scanned_ = cut.scanned;
  packet_begun_ = scheduler().now();
  if (options().packet_timeout > Duration::zero())
    arm_deadline(packet_begun_ + options().packet_timeout);
}

void Connection::end_broken(BytesView bytes) {
  stop(Reason::protocol_error(framing().fault(bytes)));
}

// ---- out
// -----------------------------------------------------------------------------------------------

Duration Connection::take_answer(Next&& next) {
  if (next.sends()) transmit(next);
  if (next.stops()) [[unlikely]] {
    stop(next.take_reason());
    return Duration::max();
  }
  return next.timeout_after().value_or(Duration::max());
}

void Connection::apply(Next&& next) {
  const Duration timeout = take_answer(std::move(next));
  if (timeout != Duration::max()) Process::apply(hawser::keep().timeout(timeout));
}

Next Connection::handle_cast(SendPacket message) { return Next{}.send(std::move(message.packet)); }

SendQueue* Connection::open_queue() {
  if (batch_ != nullptr) [[likely]]
    return &batch_->queue();
  return outgoing();
}

void Connection::queued(std::size_t before, SendQueue& queue, std::uint64_t packets) {
  if (batch_ != nullptr) [[likely]] {
    batch_->added(packets);
  } else {
    sent(before, queue.size(), packets);
  }
}

/// All packets of one answer, or none: an exception (which crashes the handler that made it) leaves
/// the queue as it was.
void Connection::transmit(Next& next) {
  if (sending_ended_) throw std::logic_error("a packet was sent after end_sending()");
  SendQueue* queue = open_queue();
  if (queue == nullptr) return;  // the socket has failed, and the connection is about to be told
  const std::size_t before = queue->size();
  const SendQueue::Mark mark = queue->mark();
  std::uint64_t packets = 0;
  next.for_each_outgoing([&](Next::Outgoing& outgoing) {
    Result<void> encoded;
    if (const auto* text = std::get_if<std::string>(&outgoing)) {
      encoded = framing().encode(BytesView(*text), *queue);
    } else if (const auto* borrowed = std::get_if<BytesView>(&outgoing)) {
      encoded = framing().encode(*borrowed, *queue);
    } else if (const auto* payload = std::get_if<Payload>(&outgoing)) {
      encoded = framing().encode(*payload, *queue);
    }
    ++packets;
    if (!encoded) [[unlikely]] {
      queue->rollback(mark);
      throw std::length_error(encoded.error().detail);
    }
  });
  queued(before, *queue, packets);
}

template <class Bytes>
Result<void> Connection::transmit_one(const Bytes& packet) {
  SendQueue* queue = sending_ended_ || stopping() ? nullptr : open_queue();
  if (queue == nullptr)
    return std::unexpected(
        Error{ErrorKind::closed, 0, "send", "nothing can be sent on this connection any more"});
  const std::size_t before = queue->size();
  auto encoded = framing().encode(packet, *queue);
  if (encoded) queued(before, *queue, 1);
  return encoded;
}

Result<void> Connection::send_packet(BytesView packet) { return transmit_one(packet); }
Result<void> Connection::send_packet(const Payload& packet) { return transmit_one(packet); }

void Connection::sent(std::size_t before, std::size_t after, std::uint64_t packets) {
  const std::size_t added = after - before;
  const Instant now = scheduler().now();
  if (before == 0) {
    unsent_since_ = now;
    sent_mark_ = bytes_out_;
  }
  bytes_out_ += added;
  packets_out_ += packets;
  last_traffic_ = now;
  group_->counters().bytes_out.add(added);
  group_->counters().packets_out.add(packets);
  if (options().write_deadline > Duration::zero()) arm_deadline(now + options().write_deadline / 4);
  if (after < options().high_water) [[likely]]
    return;
  if (after > options().send_limit) {
    end_by_reset(Reason::overloaded(fmt::format(
        "{} bytes unsent are over the limit of {} (send_limit)", after, options().send_limit)));
  } else if ((held_ & hold_high_water) == 0) {
    group_->counters().pauses.add();
    hold(hold_high_water);
    scheduler().engine().notify_below(socket_, options().low_water);
  }
}

}  // namespace hawser
