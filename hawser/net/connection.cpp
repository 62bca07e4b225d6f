// The network side of a connection: what the engine tells, holds, and the end.
#include <hawser/net/connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
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
    : group_(std::move(group)) {}

Connection::~Connection() {
  // Only when it never came to life; else release_resources has been here.
  if (!attached_) return;
  group_->scheduler().engine().close_now(socket_);
  group_->remove(*this);
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

void Connection::begin_receiving() {
  if (stopping()) return;
  group_->counters().started.add();
  started_ = true;
  if (options().idle_timeout > Duration::zero())
    arm_deadline(scheduler().now() + options().idle_timeout);
  if (held_ == 0) scheduler().engine().resume_receiving(socket_);
}

// ---- what the engine tells
// ---------------------------------------------------------------------------

void Connection::on_received(BytesView bytes) {
  bytes_in_ += bytes.size();
  group_->counters().bytes_in.add(bytes.size());
  last_traffic_ = scheduler().now();
  receive(bytes);
}

void Connection::on_end_of_stream() {
  peer_ended_ = true;
  if (options().half_close == HalfClose::allow && handles_end()) {
    run_callback("handle_end", [this] { deliver_end(); });
    return;
  }
  // Some of a packet without its rest will never be one; whoever reads the reason shall know.
  peer_gone(kept_.empty() ? Reason::closed()
                          : Reason(Reason::Kind::closed,
                                   fmt::format("{} bytes of an unfinished packet", kept_.size())));
}

void Connection::on_failed(const Error& error) {
  failed_ = true;
  peer_gone(error.kind == ErrorKind::closed    ? Reason(Reason::Kind::closed, error.text())
            : error.kind == ErrorKind::timeout ? Reason::timeout(error.text())
                                               : Reason::failed(error.text()));
}

void Connection::peer_gone(const Reason& reason) {
  run_callback("handle_disconnect", [&] {
    deliver_disconnect(reason);
    stop(reason);
  });
}

void Connection::on_drained() {
  // The callback may end the connection, and its object with it: look it up again.
  Scheduler& home = scheduler();
  const Pid self = pid();
  if (handles_drained()) {
    // What it sends is counted anew: it may fill the queue to the mark, and shall then be told
    // again.
    held_ = static_cast<std::uint8_t>(held_ & ~hold_high_water);
    run_callback("handle_drained", [this] { deliver_drained(); });
    if (home.find(self) != this || (held_ & hold_high_water) != 0) return;
  }
  let_go(hold_high_water);
}

void Connection::on_suspended(bool suspended) {
  suspended ? hold(hold_suspended) : let_go(hold_suspended);
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
  if (held_ == 0) scheduler().engine().pause_receiving(socket_);
  held_ |= why;
}

void Connection::hold_for_turn() {
  hold(hold_turn);
  Scheduler::send(pid(), std::make_unique<ContinueMessage>());
}

void Connection::let_go(Hold why) {
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  if (held_ != 0) return;
  if (uncut_) {
    if (why == hold_turn) {
      deliver_kept();  // which may have set a new hold
    } else {
      hold_for_turn();
    }
  } else if (!kept_.empty()) {
    // While we did not read, the peer could not finish its packet: it gets its time anew.
    packet_begun_ = scheduler().now();
    if (options().packet_timeout > Duration::zero())
      arm_deadline(packet_begun_ + options().packet_timeout);
  }
  if (held_ == 0 && !stopping()) scheduler().engine().resume_receiving(socket_);
}

// ---- what others may ask
// ----------------------------------------------------------------------------------

void Connection::end_sending() {
  sending_ended_ = true;
  scheduler().engine().shutdown_sending(socket_);
}

Result<Address> Connection::peer() const { return scheduler().engine().peer(socket_); }
Result<Address> Connection::local() const { return scheduler().engine().local(socket_); }
std::size_t Connection::unsent() const { return scheduler().engine().unsent(socket_); }

ConnectionInfo Connection::info() const {
  return {pid(),
          peer().value_or(Address{}),
          statistics().age,
          packets_in_,
          packets_out_,
          bytes_in_,
          bytes_out_,
          unsent(),
          held_ == 0};
}

std::string Connection::describe_state() {
  const ConnectionInfo now = info();
  return fmt::format("peer {}, {} packets in, {} out, {} bytes in, {} out, {} unsent{}",
                     now.peer.text(), now.packets_in, now.packets_out, now.bytes_in, now.bytes_out,
                     now.unsent, now.reading ? "" : ", not reading");
}

SendQueue* Connection::outgoing() { return scheduler().engine().outgoing(socket_); }

// ---- the end
// ------------------------------------------------------------------------------------------------

void Connection::end_by_reset(Reason reason) {
  reset_ = true;
  stop(std::move(reason));
}

void Connection::release_resources(const Reason& reason) noexcept {
  cancel();
  if (!attached_) return;
  attached_ = false;
  if (started_) group_->counters().ended[static_cast<std::size_t>(reason.kind())].add();
  log_end(reason);
  Engine& engine = scheduler().engine();
  const Instant deadline = scheduler().now() + options().flush_deadline;
  if (failed_ || reason.kind() == Reason::Kind::killed) {
    engine.close_now(socket_);
  } else if (reset_) {
    engine.close(socket_, CloseMode::reset, deadline);
  } else if (options().flush_deadline > Duration::zero() && engine.unsent(socket_) > 0) {
    group_->remove_lingering(*this, socket_, deadline);
    return;
  } else {
    engine.close(socket_, CloseMode::graceful, deadline);
  }
  group_->remove(*this);
}

void Connection::log_end(const Reason& reason) const {
  switch (reason.kind()) {
    case Reason::Kind::timeout:
    case Reason::Kind::protocol_error:
    case Reason::Kind::overloaded:
    case Reason::Kind::failed:
      break;
    default:
      return;  // nothing out of the ordinary, or a crash, which has a report of its own
  }
  auto& log = scheduler().log();
  if (log.enabled(LogLevel::info))
    log.info(group_->name(), fmt::format("connection {} from {} ended: {}", pid().text(),
                                         peer().value_or(Address{}).text(), reason.text()));
}

}  // namespace hawser
