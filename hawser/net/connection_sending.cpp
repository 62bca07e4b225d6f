// Packets into the send queue, or beside it while they cannot be sent.
#include <hawser/net/connection.hpp>

#include <hawser/base/log.hpp>
#include <hawser/net/detail/answer_batch.hpp>
#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hawser {
namespace {
Error nothing_can_be_sent() {
  return {ErrorKind::closed, 0, "send", "nothing can be sent on this connection any more"};
}
Payload payload_of(BytesView bytes) { return Payload(bytes); }
const Payload& payload_of(const Payload& payload) { return payload; }
BytesView bytes_of(const Next::Outgoing& outgoing) {
  if (const auto* text = std::get_if<std::string>(&outgoing)) return *text;
  if (const auto* borrowed = std::get_if<BytesView>(&outgoing)) return *borrowed;
  if (const auto* payload = std::get_if<Payload>(&outgoing)) return payload->view();
  return {};
}
}  // namespace

// ---- answers
// ------------------------------------------------------------------------------------------

Duration Connection::take_answer(Next&& next) {
  if (next.sends()) {
    if (traced()) [[unlikely]]
      trace_answer(next);
    transmit(next);
  }
  if (next.hibernates()) [[unlikely]]
    hibernate_ = true;
  if (next.stops()) [[unlikely]] {
    stop(next.take_reason());
    return Duration::max();
  }
  return next.timeout_after().value_or(Duration::max());
}

void Connection::apply(Next&& next) {
  const Duration timeout = take_answer(std::move(next));
  if (timeout != Duration::max()) Process::apply(hawser::keep().timeout(timeout));
  if (hibernate_ && batch_ == nullptr) hibernate();
}

Next Connection::handle_cast(SendPacket message) {
  const std::uint64_t dropped = rare_ == nullptr ? 0 : rare_->waiting.dropped();
  if (send_packet(message.packet)) return {};
  // A full queue has counted it by itself.
  if (rare().waiting.dropped() == dropped) rare_->waiting.count_dropped();
  return {};
}

void Connection::handle_call(OfferPacket request, From<bool> from) {
  auto sent = send_packet(request.packet);
  sent ? from.reply(true) : from.fail(std::move(sent.error()));
}

void Connection::handle_call(WritePacket request, From<bool> from) {
  write_packet(request.packet, [answer = std::move(from)](Result<void> written) mutable {
    written ? answer.reply(true) : answer.fail(std::move(written.error()));
  });
}

SendQueue* Connection::open_queue() {
  if (batch_ != nullptr) [[likely]]
    return &batch_->queue();
  SendQueue* queue = outgoing();
  return queue != nullptr && stack_ != nullptr ? &stack_->staging() : queue;
}

/// `queue` has got so many packets more and had `before` bytes.
void Connection::queued(std::size_t before, SendQueue& queue, std::uint64_t packets) {
  if (batch_ != nullptr) [[likely]] {
    batch_->added(packets);
  } else {
    settle_sent(before, queue, packets);
  }
}

void Connection::settle_sent(std::size_t before, SendQueue& queue, std::uint64_t packets) {
  if (stack_ == nullptr) [[likely]] {
    sent(before, queue.size(), packets);
    return;
  }
  packets_out_ += packets;
  group_->counters().packets_out.add(packets);
  stack_->flush();
}

Result<void> Connection::encode_one(const Next::Outgoing& outgoing, SendQueue& queue) const {
  // A long payload is sent from where it lies.
  if (const auto* payload = std::get_if<Payload>(&outgoing))
    return framing().encode(*payload, queue);
  return framing().encode(bytes_of(outgoing), queue);
}

/// One packet on the short way through transports that keep packets; false: by the queue.
bool Connection::transmit_message(BytesView packet) {
  const bool as_it_is = framing().is_whole() && packet.size() <= framing().maximum();
  if (!as_it_is || !stack_->send_packet(packet)) return false;
  ++packets_out_;
  group_->counters().packets_out.add();
  return true;
}

/// All packets of one answer, or none: an exception (which crashes the handler that made it) leaves
/// the queue as it was.
void Connection::transmit(Next& next) {
  if (sending_ended_) throw std::logic_error("a packet was sent after end_sending()");
  if (diverts()) [[unlikely]] {
    divert_answer(next);
    return;
  }
  if (const Next::Outgoing* const only = next.only_outgoing(); only != nullptr) [[likely]] {
    if (batch_ != nullptr) [[likely]] {
      const Result<void> encoded = encode_one(*only, batch_->queue());
      if (!encoded) [[unlikely]]
        throw std::length_error(encoded.error().detail);
      batch_->added(1);
      return;
    }
    if (stack_ != nullptr && transmit_message(bytes_of(*only))) return;
  }
  SendQueue* queue = open_queue();
  if (queue == nullptr) return;  // the socket has failed, and the connection is about to be told
  const bool each_alone = stack_ != nullptr && stack_->keeps_packets();
  std::size_t before = queue->size();
  const SendQueue::Mark mark = queue->mark();
  std::uint64_t packets = 0;
  const auto append = [&](Next::Outgoing& outgoing) {
    const Result<void> encoded = encode_one(outgoing, *queue);
    ++packets;
    if (!encoded) [[unlikely]] {
      queue->rollback(mark);
      throw std::length_error(encoded.error().detail);
    }
  };
  next.for_each_outgoing(append);
  if (!each_alone || packets == 1) [[likely]] {
    queued(before, *queue, packets);
    return;
  }
  // They are all right, but must not run together: once more, one by one.
  queue->rollback(mark);
  next.for_each_outgoing([&](Next::Outgoing& outgoing) {
    before = queue->size();
    static_cast<void>(encode_one(outgoing, *queue));
    queued(before, *queue, 1);
  });
}

// ---- one packet
// ----------------------------------------------------------------------------------------

template <class Bytes>
Result<void> Connection::transmit_one(const Bytes& packet, detail::WriteDone* done) {
  if (sending_ended_ || stopping()) return std::unexpected(nothing_can_be_sent());
  if (diverts()) [[unlikely]]
    return transmit_diverted(payload_of(packet), done);
  return append_one(packet, done);
}

template <class Bytes>
Result<void> Connection::append_one(const Bytes& packet, detail::WriteDone* done) {
  if (stack_ != nullptr && batch_ == nullptr && done == nullptr &&
      transmit_message(view_of(packet))) {
    if (traced()) [[unlikely]]
      trace_packet(TraceKind::packet_out, view_of(packet));
    return {};
  }
  SendQueue* queue = open_queue();
  if (queue == nullptr) return std::unexpected(nothing_can_be_sent());
  const std::size_t before = queue->size();
  auto encoded = framing().encode(packet, *queue);
  if (!encoded) return encoded;
  if (traced()) [[unlikely]]
    trace_packet(TraceKind::packet_out, view_of(packet));
  queued(before, *queue, 1);
  if (done != nullptr) {
    if (batch_ != nullptr) batch_->settle();  // so that bytes_out_ is up to date
    if (stack_ != nullptr) stack_->settle();
    add_receipt(bytes_out_, std::move(*done));
  }
  return {};
}

Result<void> Connection::send_packet(BytesView packet) { return transmit_one(packet, nullptr); }
Result<void> Connection::send_packet(const Payload& packet) {
  return transmit_one(packet, nullptr);
}

void Connection::write_packet(const Payload& packet, detail::WriteDone done) {
  auto queued = transmit_one(packet, &done);
  if (!queued) done(std::unexpected(std::move(queued.error())));
}

// ---- packets that wait
// ---------------------------------------------------------------------------------

Connection::WaitingLimits Connection::waiting_limits() const noexcept {
  if ((diverted_ & (divert_handshake | divert_file)) != 0)
    return {SIZE_MAX, options().send_limit, QueueOverflow::reject, "send_limit"};
  return {options().slow_packets, options().send_limit,
          options().slow_peer == SlowPeer::drop_oldest ? QueueOverflow::drop_oldest
                                                       : QueueOverflow::reject,
          "slow_packets"};
}

const detail::PacketQueue& Connection::waiting() { return rare().waiting; }
void Connection::fail_waiting(const Error& error) { rare().waiting.fail_all(error); }

/// What the framing cannot carry is told at once, and not when it is too late.
Result<void> Connection::check_packet(const Payload& packet) {
  SendQueue scratch(group_->send_pool());
  return framing().encode(packet, scratch);
}

Result<void> Connection::transmit_diverted(Payload packet, detail::WriteDone* done) {
  if (auto encoded = check_packet(packet); !encoded) return encoded;
  const WaitingLimits limits = waiting_limits();
  detail::WriteDone none;
  return rare().waiting.add(std::move(packet), std::move(done == nullptr ? none : *done),
                            limits.packets, limits.bytes, limits.overflow, limits.setting);
}

/// All packets of one answer, or none: one that could never be sent is a crash. Which of them find
/// room is the queue's business.
void Connection::divert_answer(Next& next) {
  std::vector<Payload> packets;
  next.for_each_outgoing([&](Next::Outgoing& outgoing) {
    std::visit(
        [&]<class Bytes>(const Bytes& bytes) {
          if constexpr (!std::is_same_v<Bytes, std::monostate>)
            packets.push_back(payload_of(bytes));
        },
        outgoing);
    if (auto fits = check_packet(packets.back()); !fits)
      throw std::length_error(fits.error().detail);
  });
  for (Payload& packet : packets) static_cast<void>(transmit_diverted(std::move(packet), nullptr));
}

void Connection::undivert(Divert why) {
  diverted_ = static_cast<std::uint8_t>(diverted_ & ~why);
  if (diverted_ != 0) return;
  end_waits_ ? finish_sending() : send_waiting();
}

void Connection::send_waiting() {
  // Whoever is told how its packet fared may do what it likes: look at everything anew.
  while (rare_ != nullptr && !rare_->waiting.empty() && !over()) {
    if (diverted_ != 0 && !sending_ended_) return;
    auto entry = rare_->waiting.take();
    auto sent = append_one(entry.packet, entry.done ? &entry.done : nullptr);
    if (!sent && entry.done) entry.done(std::unexpected(std::move(sent.error())));
  }
}

/// At the end of the process: what waited only because the peer is slow gets its chance.
void Connection::send_rest() noexcept {
  if (rare_ == nullptr || rare_->waiting.empty()) return;
  if ((diverted_ & ~divert_slow) != 0 || (sending_ended_ && !end_waits_)) return;
  try {
    while (!rare_->waiting.empty()) {
      const auto entry = rare_->waiting.take();
      static_cast<void>(append_one(entry.packet, nullptr));
    }
  } catch (const std::exception& thrown) {
    scheduler().log().error(label(), fmt::format("the last packets: {}", thrown.what()));
  }
}

// ---- after it was queued
// -------------------------------------------------------------------------------

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
  if (rare_ != nullptr && !rare_->receipts.empty()) [[unlikely]]
    watch_unsent();
  if (after < options().high_water) [[likely]]
    return;
  if (options().slow_peer == SlowPeer::end) {
    give_up(Reason::overloaded(fmt::format("{} bytes unsent are at the high-water mark of {} "
                                           "(high_water), and slow_peer is end",
                                           after, options().high_water)),
            true);
    return;
  }
  if (after > options().send_limit) {
    give_up(Reason::overloaded(fmt::format("{} bytes unsent are over the limit of {} (send_limit)",
                                           after, options().send_limit)),
            true);
    return;
  }
  if (options().slow_peer != SlowPeer::wait) divert(divert_slow);
  if ((held_ & hold_high_water) == 0) {
    group_->counters().pauses.add();
    tell(trace_point::connection_paused, {{"unsent", static_cast<std::int64_t>(after)}});
    hold(hold_high_water);
    watch_unsent();
  }
}

std::uint64_t Connection::bytes_gone() const {
  return bytes_out_ - scheduler().engine().unsent(socket_);
}

void Connection::add_receipt(std::uint64_t position, detail::WriteDone done) {
  auto& receipts = rare().receipts;
  // Almost always the last: only who waits for room asks for less than all.
  auto place = receipts.end();
  while (place != receipts.begin() && std::prev(place)->position > position) --place;
  receipts.insert(place, {position, std::move(done)});
  watch_unsent();
}

void Connection::resolve_receipts() {
  while (rare_ != nullptr && !rare_->receipts.empty() &&
         rare_->receipts.front().position <= bytes_gone()) {
    auto done = std::move(rare_->receipts.front().done);
    rare_->receipts.pop_front();
    done({});
  }
}

/// The engine tells one mark at a time: the one that is reached first.
void Connection::watch_unsent() {
  Engine& engine = scheduler().engine();
  std::size_t mark = 0;
  bool wanted = false;
  if ((held_ & hold_high_water) != 0) {
    mark = options().low_water;
    wanted = true;
  }
  if (rare_ != nullptr && !rare_->receipts.empty()) {
    mark = std::max(mark, static_cast<std::size_t>(bytes_out_ - rare_->receipts.front().position));
    wanted = true;
  }
  if (wanted) engine.notify_below(socket_, mark);
}

}  // namespace hawser
