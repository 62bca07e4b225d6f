// Packets out of bytes. Whole packets are handed on where they lie in the borrowed bytes; only one
// that straddles two chunks is copied, once.
#include <hawser/net/connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/net/detail/answer_batch.hpp>
#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {

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
  as_callback("handle_packet", [&] { deliver_packets(bytes, cut, false); });
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
        as_callback("handle_packet", [&] {
          give_up(Reason::protocol_error(fmt::format(
                      "unfinished packet of {} bytes is over the limit of {} (unfinished_limit)",
                      kept_.size(), options().unfinished_limit)),
                  false);
        });
      }
      return;
    }
    // What a framing of the user's own left in kept_ behind the packet comes first; then `bytes`,
    // of which it has taken all.
    as_callback("handle_packet", [&] {
      if (cut.kind == Cut::Kind::packet && cut.consumed == kept_.size() && !bytes.empty()) {
        ++packets_in_;
        ++turn_packets_;
        group_->counters().packets_in.add();
        const Duration timeout = deliver_one(Packet(BytesView(kept_).substr(cut.offset, cut.size)));
        drop_kept();
        if (over()) return;
        if (held_ != 0) {
          if (timeout != Duration::max()) Process::apply(hawser::keep().timeout(timeout));
          if ((held_ & hold_transport) != 0) {
            put_on_top(bytes);
            return;
          }
          keep(bytes, false);
          uncut_ = true;
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

/// `kept`: the bytes lie in kept_ and `cut` is the first of them.
void Connection::deliver_packets(BytesView bytes, const Cut& cut, bool kept) {
  Duration timeout = Duration::max();  // the last packet's answer counts, as if each came alone
  std::uint64_t packets = 0;
  bool pushed = false;
  // Of transports that deliver many packets one by one it is all of them together that count.
  const bool whole_turn = stack_ != nullptr;
  const std::uint64_t limit =
      options().packets_per_turn -
      (whole_turn ? std::min(turn_packets_, options().packets_per_turn - 1) : 0U);
  AnswerBatch batch(*this);
  BytesView packet;
  bool whole = cut.kind == Cut::Kind::packet;
  if (whole) {
    packet = bytes.substr(cut.offset, cut.size);
    bytes.remove_prefix(cut.consumed);
  }
  for (;;) {
    if (whole) [[likely]] {
      ++packets;
      timeout = deliver_one(Packet(packet));
      if (over()) break;
      if (held_ != 0 || packets == limit) [[unlikely]] {
        if ((held_ & hold_transport) != 0) {
          pushed = true;
          break;
        }
        if ((!bytes.empty() || whole_turn) && held_ == 0) hold_for_turn();
        uncut_ = !bytes.empty();
        keep(bytes, kept);
        break;
      }
      if (bytes.empty()) {
        keep(bytes, kept);
        break;
      }
      if (framing().take(bytes, packet)) [[likely]]
        continue;
      const Cut next = framing().cut(bytes);
      whole = next.kind == Cut::Kind::packet;
      if (!whole) {
        leave_uncut(bytes, next, kept);
        break;
      }
      packet = bytes.substr(next.offset, next.size);
      bytes.remove_prefix(next.consumed);
      continue;
    }
    leave_uncut(bytes, cut, kept);
    break;
  }
  packets_in_ += packets;
  if (whole_turn) turn_packets_ += static_cast<std::uint32_t>(packets);
  group_->counters().packets_in.add(packets);
  if (timeout != Duration::max() && !stopping()) Process::apply(hawser::keep().timeout(timeout));
  if (pushed) [[unlikely]] {
    batch.end();  // the old way, before the new one is there
    const std::string rest(bytes);
    drop_kept();
    put_on_top(rest);
  }
  if (hibernate_) [[unlikely]]
    hibernate();
}

/// A packet that needs no cutting: a transport has delivered it whole.
void Connection::deliver_message(BytesView packet) {
  const Duration timeout = deliver_one(Packet(packet));
  ++packets_in_;
  ++turn_packets_;
  group_->counters().packets_in.add();
  if (timeout != Duration::max() && !stopping()) Process::apply(hawser::keep().timeout(timeout));
  if (hibernate_) [[unlikely]]
    hibernate();
  if (over()) return;
  if (held_ != 0) [[unlikely]] {
    if ((held_ & hold_transport) != 0) put_on_top({});
    return;
  }
  if (turn_packets_ >= options().packets_per_turn) [[unlikely]]
    hold_for_turn();
}

/// There is no whole packet in `bytes`, and `cut` says why.
void Connection::leave_uncut(BytesView bytes, const Cut& cut, bool kept) {
  if (cut.kind == Cut::Kind::need_more) {
    keep(bytes, kept);
    await_rest(cut);
  } else {
    give_up(Reason::protocol_error(framing().fault(bytes)), false);
  }
}

/// One packet to the handler, or to the task that waits for it.
Duration Connection::deliver_one(Packet packet) {
  if (traced()) [[unlikely]]
    trace_packet(TraceKind::packet_in, packet);
  if (credit_ == ConnectionOptions::unlimited) [[likely]] {
    delivering_ = true;
    const Duration timeout = deliver_packet(packet);
    delivering_ = false;
    return timeout;
  }
  return deliver_counted(packet);
}

/// The same for a connection that has asked for so many packets, or is passive.
Duration Connection::deliver_counted(Packet packet) {
  check(credit_ != 0, "a passive connection cuts no packets");
  --credit_;
  Duration timeout = Duration::max();
  delivering_ = true;
  if (rare_ != nullptr && rare_->receiver != nullptr) {
    rare_->feeding = true;
    rare_->receiver->complete(Bytes(packet));
    if (rare_ != nullptr) rare_->feeding = false;
  } else {
    timeout = deliver_packet(packet);
    // activate(0) is the handler's own word, of which it need not be told.
    if (credit_ == 0 && (held_ & hold_credit) == 0 && !over()) {
      enter_callback("handle_passive");
      deliver_passive();
      enter_callback("handle_packet");  // which goes on, if it was given more
    }
  }
  delivering_ = false;
  // Whoever asked for more while it had this packet goes on without a pause between.
  if (credit_ == 0 && !over()) hold(hold_credit);
  return timeout;
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

}  // namespace hawser
