// The network side of a connection: what the engine tells, holds, and the end.
#include <hawser/net/connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/net/detail/answer_batch.hpp>
#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/net/detail/file_transfer.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {

Connection& connection() {
  auto* found = static_cast<Connection*>(self().process().handler(type_info<Connection>));
  check(found != nullptr, "connection() is called from a callback or task of a connection");
  return *found;
}

Connection::Connection(std::shared_ptr<ConnectionGroup> group) noexcept
    : credit_(group->options().active_packets),
      group_(std::move(group)),
      framing_(&group_->framing()) {}

Connection::~Connection() {
  // Only when it never came to life; else release_resources has been here.
  if (!attached_) return;
  group_->scheduler().engine().close_now(socket_);
  group_->remove(*this);
}

Connection::Rare& Connection::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
  return *rare_;
}

Result<void> Connection::attach(NativeSocket socket) {
  auto adopted = group_->scheduler().engine().adopt(std::move(socket), *this);
  group_->add(*this);
  attached_ = true;
  if (!adopted) return std::unexpected(std::move(adopted.error()));
  socket_ = *adopted;
  last_traffic_ = group_->scheduler().now();
  return {};
}

void Connection::begin() {
  tell(trace_point::connection_started, {});
  if (group_->transports().empty()) {
    stand();
    return;
  }
  stack_ = make_stack();
  for (const TransportMaker& make : group_->transports()) stack_->push(make());
  begin_handshake();
  stack_->start();
  if (over()) return;
  begun_ = true;
  drop_empty_stack();
  update_reading();
}

void Connection::stand() {
  make_handler();
  begin_receiving();
}

void Connection::begin_receiving() {
  if (stopping()) return;
  group_->counters().started.add();
  started_ = true;
  const bool plain = group_->transports().empty();
  tell(trace_point::connection_ready,
       {{"handshake_ns", plain ? 0 : (scheduler().now() - packet_begun_).count()}});
  if (credit_ == 0) hold(hold_credit);
  if (options().idle_timeout > Duration::zero())
    arm_deadline(scheduler().now() + options().idle_timeout);
  update_reading();
}

// ---- what the engine tells
// ---------------------------------------------------------------------------

void Connection::on_received(BytesView bytes) {
  bytes_in_ += bytes.size();
  group_->counters().bytes_in.add(bytes.size());
  last_traffic_ = scheduler().now();
  if (stack_ == nullptr) [[likely]] {
    receive(bytes);
    return;
  }
  run_quietly("transport", [&] {
    turn_packets_ = 0;
    stack_->received(bytes);
    drop_empty_stack();
  });
}

void Connection::on_end_of_stream() {
  if (over()) return;
  if (stack_ == nullptr) {
    end_of_bytes();
  } else {
    run_quietly("transport", [this] { stack_->received_end(); });
  }
}

void Connection::end_of_bytes() {
  if (options().half_close == HalfClose::allow && handles_end() && started_) {
    as_callback("handle_end", [this] {
      const Error end{ErrorKind::closed, 0, "receive", end_text()};
      end_told_ = true;
      drop_kept();
      if (rare_ != nullptr && rare_->receiver != nullptr)
        rare_->receiver->complete(std::unexpected(end));
      if (!over()) deliver_end();
    });
    return;
  }
  // Some of a packet without its rest will never be one; whoever reads the reason shall know.
  peer_gone(kept_.empty() ? Reason::closed() : Reason(Reason::Kind::closed, end_text()));
}

std::string Connection::end_text() const {
  return kept_.empty() ? "the peer will send no more"
                       : fmt::format("{} bytes of an unfinished packet", kept_.size());
}

void Connection::on_failed(const Error& error) {
  failed_ = true;
  if (over()) return;
  peer_gone(error.kind == ErrorKind::closed    ? Reason(Reason::Kind::closed, error.text())
            : error.kind == ErrorKind::timeout ? Reason::timeout(error.text())
                                               : Reason::failed(error.text()));
}

void Connection::peer_gone(const Reason& reason) {
  as_callback("handle_disconnect", [&] {
    if (started_) {
      if (rare_ != nullptr && rare_->receiver != nullptr)
        rare_->receiver->complete(
            std::unexpected(Error{ErrorKind::closed, 0, "receive", reason.text()}));
      deliver_disconnect(reason);
    }
    stop(reason);
  });
}

void Connection::give_up(Reason reason, bool by_reset) {
  reset_ = reset_ || by_reset;
  stop(std::move(reason));
}

void Connection::on_drained() {
  if (suspended()) return;  // on_suspended asks again
  // Callbacks may end the connection, and its object with it: look it up again.
  Scheduler& home = scheduler();
  const Pid self = pid();
  const auto gone = [&] { return home.find(self) != this || over(); };
  if (rare_ != nullptr && !rare_->receipts.empty()) {
    run_quietly("sent", [this] { resolve_receipts(); });
    if (gone()) return;
  }
  if ((held_ & hold_high_water) != 0 &&
      scheduler().engine().unsent(socket_) <= options().low_water) {
    // What it sends is counted anew: it may fill the queue to the mark, and shall then be told
    // again.
    held_ = static_cast<std::uint8_t>(held_ & ~hold_high_water);
    if (handles_drained() && started_) {
      run_callback("handle_drained", [this] { deliver_drained(); });
      if (gone()) return;
    }
    if ((diverted_ & divert_slow) != 0) run_quietly("sent", [this] { undivert(divert_slow); });
    if (gone()) return;
    if ((held_ & hold_high_water) == 0) let_go(hold_high_water);
    if (gone()) return;
  }
  watch_unsent();
}

void Connection::on_suspended(bool suspended) {
  if (suspended) {
    hold(hold_suspended);
    return;
  }
  let_go(hold_suspended);
  if (attached_ && !over()) watch_unsent();
}

// ---- reading or not
// ------------------------------------------------------------------------------------

/// Brings a connection that was held back to its kept bytes, in a turn of its own.
class Connection::ContinueMessage final : public Message {
 public:
  void deliver(Process& receiver) override {
    receiver.enter_callback("handle_packet");
    static_cast<Connection&>(receiver).let_go(hold_turn);
  }
  std::string_view describe() const noexcept override { return "rest of the packets"; }
  bool is_refusable() const noexcept override { return false; }
};

void Connection::hold(Hold why) {
  held_ = static_cast<std::uint8_t>(held_ | why);
  if (!reads()) scheduler().engine().pause_receiving(socket_);
}

void Connection::update_reading() {
  if (!attached_ || over()) return;
  Engine& engine = scheduler().engine();
  reads() ? engine.resume_receiving(socket_) : engine.pause_receiving(socket_);
}

void Connection::hold_until_detached(bool by_reset) {
  reset_ = reset_ || by_reset;
  hold(hold_over);
}

void Connection::hold_for_turn() {
  if ((held_ & hold_turn) != 0) return;
  hold(hold_turn);
  Scheduler::send(pid(), std::make_unique<ContinueMessage>());
}

void Connection::let_go(Hold why) {
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  if (!attached_ || over() || !reads()) return;
  if (!kept_.empty() && !uncut_) {
    // While we did not read, the peer could not finish its packet: it gets its time anew.
    packet_begun_ = scheduler().now();
    if (options().packet_timeout > Duration::zero())
      arm_deadline(packet_begun_ + options().packet_timeout);
  }
  if (uncut_ || (stack_ != nullptr && stack_->kept() != 0)) {
    if (why != hold_turn) {
      hold_for_turn();
      return;
    }
    turn_packets_ = 0;
    if (uncut_) deliver_kept();  // which may have set a new hold
    if (stack_ != nullptr && reads() && !over()) {
      stack_->resume();
      drop_empty_stack();
    }
  }
  update_reading();
}

void Connection::activate(std::uint32_t packets) {
  credit_ = packets;
  if (packets == 0) {
    hold(hold_credit);
  } else if ((held_ & hold_credit) != 0) {
    let_go(hold_credit);
  }
}

void Connection::hibernate() {
  hibernate_ = false;
  if (kept_.empty()) {
    std::string().swap(kept_);
  } else if (!delivering_) {
    kept_.shrink_to_fit();  // else the packet that is being handled may lie there
  }
  if (stack_ != nullptr) stack_->hibernate();
  if (rare_ != nullptr && rare_->empty()) rare_.reset();
}

std::size_t Connection::held_memory() const noexcept {
  const std::size_t inside = std::string().capacity();
  return (kept_.capacity() > inside ? kept_.capacity() : 0) +
         (rare_ == nullptr ? 0 : sizeof(Rare) + rare_->waiting.bytes());
}

// ---- what others may ask
// ----------------------------------------------------------------------------------

void Connection::end_sending() {
  if (std::exchange(sending_ended_, true)) return;
  if (batch_ != nullptr) batch_->settle();
  // Packets that wait for a slow peer need wait no longer: nothing newer will come. Those that wait
  // for a handshake go when it is through.
  diverted_ = static_cast<std::uint8_t>(diverted_ & ~divert_slow);
  if (diverted_ == 0) {
    finish_sending();
  } else {
    end_waits_ = true;
  }
}

void Connection::finish_sending() {
  end_waits_ = false;
  send_waiting();
  if (over()) return;
  if (batch_ != nullptr) batch_->settle();
  finish_transports(Reason::normal());
  scheduler().engine().shutdown_sending(socket_);
}

Result<Address> Connection::peer() const {
  if (rare_ != nullptr && rare_->peer) return *rare_->peer;
  return group_->scheduler().engine().peer(socket_);
}
Result<Address> Connection::local() const { return scheduler().engine().local(socket_); }
Result<PeerCredentials> Connection::peer_credentials() const {
  return scheduler().engine().peer_credentials(socket_);
}
Result<void> Connection::change_socket(const StreamChanges& changes) {
  return scheduler().engine().change_stream(socket_, changes);
}
Result<Instant> Connection::last_arrival() const {
  return scheduler().engine().last_arrival(socket_);
}
void Connection::uncount() { group_->uncount(*this); }
std::size_t Connection::unsent() const {
  return scheduler().engine().unsent(socket_) + (stack_ == nullptr ? 0 : stack_->staged());
}

ConnectionInfo Connection::info() const {
  ConnectionInfo info;
  info.pid = pid();
  info.peer = peer().value_or(Address{});
  info.age = statistics().age;
  info.packets_in = packets_in_;
  info.packets_out = packets_out_;
  info.bytes_in = bytes_in_;
  info.bytes_out = bytes_out_;
  info.unsent = unsent();
  info.waiting = rare_ == nullptr ? 0 : rare_->waiting.packets();
  info.waiting_bytes = rare_ == nullptr ? 0 : rare_->waiting.bytes();
  info.dropped = rare_ == nullptr ? 0 : rare_->waiting.dropped();
  info.reading = held_ == 0;
  info.handshaking = handshaking_;
  return info;
}

std::string Connection::describe_state() {
  const ConnectionInfo now = info();
  std::string text = fmt::format("peer {}, {} packets in, {} out, {} bytes in, {} out, {} unsent{}",
                                 now.peer.text(), now.packets_in, now.packets_out, now.bytes_in,
                                 now.bytes_out, now.unsent, now.reading ? "" : ", not reading");
  if (now.waiting != 0) text += fmt::format(", {} packets wait", now.waiting);
  if (now.dropped != 0) text += fmt::format(", {} dropped", now.dropped);
  if (stack_ != nullptr) text += ", " + stack_->describe();
  if (now.handshaking) text += ", in its handshake";
  return text;
}

SendQueue* Connection::outgoing() const { return group_->scheduler().engine().outgoing(socket_); }

// ---- the end
// ------------------------------------------------------------------------------------------------

void Connection::release_resources(const Reason& reason) noexcept {
  if (rare_ != nullptr) {
    rare_->receipts.clear();  // whoever waited learns it from the end of the process
    rare_->receiver = nullptr;
    rare_->file.reset();
  }
  if (!attached_) {
    if (rare_ != nullptr) rare_->waiting.clear();
    cancel();
    ConnectionGroup::look_after_last_bytes(group_);  // of a socket it had before
    return;
  }
  if (started_) {
    group_->counters().ended[static_cast<std::size_t>(reason.kind())].add();
  } else if (begun_) {
    group_->counters().not_started.add();  // of one that ends inside its spawn the spawner knows
    group_->counters().handshake_failed.add();
  }
  log_end(reason);
  close_socket(reason);
  if (rare_ != nullptr) rare_->waiting.clear();
  cancel();  // after the last bytes, which may have armed it
  ConnectionGroup::look_after_last_bytes(group_);
}

void Connection::close_socket(const Reason& reason) noexcept {
  attached_ = false;
  Engine& engine = scheduler().engine();
  const Instant deadline = scheduler().now() + options().flush_deadline;
  const bool at_once = failed_ || reason.kind() == Reason::Kind::killed;
  if (const std::size_t lost = at_once || reset_ ? unsent() : 0; lost != 0)
    group_->lose(pid(), peer().value_or(Address{}), lost, LogLevel::debug, reason.text());
  if (at_once) {
    engine.close_now(socket_);
  } else if (reset_) {
    engine.close(socket_, CloseMode::reset, deadline);
  } else {
    send_rest();
    if (!sending_ended_ || end_waits_) finish_transports(reason);
    if (engine.unsent(socket_) > 0) {
      group_->remove_lingering(*this, socket_, deadline);
      return;
    }
    engine.close(socket_, CloseMode::graceful, deadline);
  }
  group_->remove(*this);
}

void Connection::detach(const Reason& reason) {
  log_end(reason);
  close_socket(reason);
  cancel();
  socket_ = {};
  if (stack_ != nullptr) {
    stack_->retire();
    rare().retired.push_back(std::move(stack_));
  }
  if (rare_ != nullptr) {
    rare_->framing.reset();
    rare_->peer.reset();
    rare_->pushed.reset();
    framing_ = &group_->framing();
    if (rare_->receiver != nullptr)
      rare_->receiver->complete(
          std::unexpected(Error{ErrorKind::closed, 0, "receive", reason.text()}));
    const Error lost{ErrorKind::closed, 0, "send",
                     "the connection was lost before the packet was written: " + reason.text()};
    if (const auto file = std::exchange(rare_->file, nullptr)) file->done(std::unexpected(lost));
    while (!rare_->receipts.empty()) {
      auto done = std::move(rare_->receipts.front().done);
      rare_->receipts.pop_front();
      done(std::unexpected(lost));
    }
  }
  drop_kept();
  held_ = static_cast<std::uint8_t>(held_ & hold_suspended);
  diverted_ &= divert_away;
  credit_ = options().active_packets;
  handshaking_ = uncut_ = reset_ = failed_ = sending_ended_ = hibernate_ = false;
  started_ = begun_ = end_told_ = end_waits_ = false;
}

void Connection::log_end(const Reason& reason) const {
  // What is out of the ordinary goes to the log of a program that runs as usual; a crash has a
  // report of its own.
  LogLevel level = LogLevel::debug;
  switch (reason.kind()) {
    case Reason::Kind::timeout:
    case Reason::Kind::protocol_error:
    case Reason::Kind::overloaded:
    case Reason::Kind::failed:
      level = LogLevel::info;
      break;
    default:
      break;
  }
  Telemetry& telemetry = group_->scheduler().telemetry();
  if (!telemetry.wants(level)) [[likely]]
    return;
  const std::int64_t age = statistics().age.count();
  if (!started_) tell(trace_point::connection_handshake_failed, {{"age_ns", age}});
  const auto figure = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  telemetry.raise(trace_point::connection_ended, level, group_->scheduler().now(), pid(),
                  group_->name(),
                  {{"age_ns", age},
                   {"packets_in", figure(packets_in_)},
                   {"packets_out", figure(packets_out_)},
                   {"bytes_in", figure(bytes_in_)},
                   {"bytes_out", figure(bytes_out_)},
                   {"unsent", figure(unsent())},
                   {"reason", static_cast<std::int64_t>(reason.kind())}},
                  [&] {
                    return fmt::format("connection {} from {} ended: {}", pid().text(),
                                       peer().value_or(Address{}).text(), reason.text());
                  });
}

}  // namespace hawser
