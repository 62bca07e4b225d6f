// A connection and what stands between its packets and its socket.
#include <hawser/net/connection.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <utility>

namespace hawser {

std::unique_ptr<detail::TransportStack> Connection::make_stack() {
  Owner& owner = *this;
  return std::make_unique<detail::TransportStack>(owner, group_->send_pool());
}

void Connection::begin_handshake() {
  handshaking_ = true;
  packet_begun_ = scheduler().now();
  if (options().handshake_timeout > Duration::zero())
    arm_deadline(packet_begun_ + options().handshake_timeout);
}

void Connection::transports_ready() {
  handshaking_ = false;
  if (over()) return;
  update_reading();
  if (!started_) {
    as_callback("init", [this] { stand(); });
    return;
  }
  as_callback("handle_upgrade", [this] { deliver_upgrade(); });
  // The handler may have pushed one more, for whose handshake the packets wait now.
  if (!over() && !handshaking_) undivert(divert_handshake);
}

void Connection::transport_delivered(BytesView bytes) {
  if (over()) return;
  if (!reads()) throw std::logic_error("a transport delivered bytes while it was held");
  if (framing().is_whole() && kept_.empty() && bytes.size() <= framing().maximum()) {
    as_callback("handle_packet", [&] { deliver_message(bytes); });
  } else if (!bytes.empty()) {
    receive(bytes);
  }
}

void Connection::transport_ended() {
  if (!over()) end_of_bytes();
}

void Connection::transport_failed(Reason reason) {
  if (over()) return;
  peer_gone(reason);
}

void Connection::transport_callback(const char* name, const std::function<void()>& body) {
  // For timers of a transport; the connection may have ended since they were armed.
  if (!alive() || over()) return;
  if (in_callback()) {
    body();
  } else {
    run_quietly(name, body);
  }
}

void Connection::transport_peer(const Address& peer) { rare().peer = peer; }

std::string_view Connection::transport_host() const {
  return rare_ == nullptr ? std::string_view{} : std::string_view{rare_->host};
}

void Connection::set_host(std::string host) {
  rare().host = std::move(host);  // also for a transport that is pushed later
}

std::string Connection::describe_transports() const {
  return stack_ == nullptr ? std::string{} : stack_->describe();
}

void Connection::finish_transports(const Reason& reason) noexcept {
  if (stack_ == nullptr) return;
  try {
    stack_->finish(reason);
  } catch (const std::exception& thrown) {
    scheduler().log().error(label(),
                            fmt::format("a transport threw at its end: {}", thrown.what()));
  } catch (...) {
    scheduler().log().error(label(), "a transport threw at its end");
  }
}

/// Of transports that have done their work nothing stays between.
void Connection::drop_empty_stack() noexcept {
  if (stack_ != nullptr && stack_->empty()) stack_.reset();
}

// ---- in flight
// -----------------------------------------------------------------------------------------

void Connection::push_transport(std::unique_ptr<Transport> transport) {
  if (transport == nullptr) throw std::invalid_argument("push_transport takes a transport");
  if (!attached_ || over()) throw std::logic_error("push_transport on a connection that is over");
  if (sending_ended_) throw std::logic_error("push_transport after end_sending()");
  if (sends_file()) throw std::logic_error("push_transport while a file is being sent");
  if (handshaking_ || (rare_ != nullptr && rare_->pushed != nullptr))
    throw std::logic_error("push_transport while another transport is in its handshake");
  rare().pushed = std::move(transport);
  if (delivering_) {
    held_ |= hold_transport;  // the loop over the packets sees it when the callback is over
    // A task answers nothing: what it sends from here on is the new transport's.
    if (rare_->feeding) divert(divert_handshake);
    return;
  }
  std::string rest;
  std::swap(rest, kept_);
  drop_kept();
  uncut_ = false;
  put_on_top(rest);
}

/// `rest`: what has been received, and now belongs to the new transport.
void Connection::put_on_top(BytesView rest) {
  held_ = static_cast<std::uint8_t>(held_ & ~hold_transport);
  if (stack_ == nullptr) stack_ = make_stack();
  stack_->push(std::move(rare_->pushed));
  divert(divert_handshake);
  begin_handshake();
  stack_->start();
  if (!rest.empty() && !over()) stack_->received_on_top(rest);
  if (over()) return;
  // A transport below may keep what belongs to the new one's handshake.
  if (reads() && !stack_->entered() && stack_->kept() != 0) hold_for_turn();
  drop_empty_stack();
  update_reading();
}

void Connection::set_framing(Framing framing) {
  if (const auto valid = framing.validate(); !valid)
    throw std::invalid_argument(valid.error().text());
  rare().framing = std::move(framing);
  framing_ = &*rare_->framing;
  scanned_ = 0;
  if (delivering_ || kept_.empty() || uncut_ || over()) return;
  // What was an unfinished packet may be a whole one now.
  uncut_ = true;
  if (reads()) hold_for_turn();
}

}  // namespace hawser
