// A process that owns one socket, one framing and one handler: packets come out of the bytes and go
// to the handler, its answers go into the socket's queue. Public: handlers reach theirs with
// connection(); others drive one through Ref<Connection>(pid). Belongs to its scheduler's thread.
//
// Three layers in one object, with the seam for a transport filter (TLS, WebSocket) between the
// first two:
//   network   StreamEvents, deadlines, holds            on_received … on_failed, outgoing()
//   packets   framing over plain bytes, both ways       receive(), transmit()
//   handler   its callbacks, in connection_handler.hpp  deliver_…()
// A filter takes what on_received gets, hands what it makes of it to receive(), and stands between
// transmit() and outgoing().
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hawser {

/// One connection in figures. Bytes are those of the network, frames included.
struct ConnectionInfo {
  Pid pid;
  Address peer;  ///< no address once the socket has failed
  Duration age{};
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::size_t unsent = 0;  ///< queued, and not yet taken by the kernel
  bool reading = true;     ///< false while held: at the high-water mark, suspended, out of its turn
};

/// cast to Ref<Connection>: sends one packet, as if the handler had answered it.
struct SendPacket {
  Payload packet;
};
/// call of Ref<Connection>.
struct GetConnectionInfo {};

class Connection : public Process, private StreamEvents, private Timer {
 public:
  ~Connection() override;

  // ---- for handlers and their tasks, inside their process
  // ----------------------------------------

  /// Queues one packet now. For tasks; a callback rather answers send(…), whose packets leave all
  /// or none. Errors: what the framing cannot carry (invalid_argument, overloaded), closed when
  /// nothing can be sent any more. Over the send limit, the connection ends.
  Result<void> send_packet(BytesView packet);
  Result<void> send_packet(const Payload& packet);

  /// Our half-close: what is queued is sent, then the peer sees the end of our bytes. Receiving
  /// goes on; sending after this is an error (from a callback: a crash).
  void end_sending();

  Result<Address> peer() const;
  Result<Address> local() const;
  std::size_t unsent() const;
  ConnectionInfo info() const;
  const Framing& framing() const noexcept { return group_->framing(); }
  const ConnectionOptions& options() const noexcept { return group_->options(); }

  // ---- from outside, by Ref<Connection>
  // ------------------------------------------------------------

  Next handle_cast(SendPacket message);
  ConnectionInfo handle_call(GetConnectionInfo) const { return info(); }

  // ---- used by the net layer
  // ------------------------------------------------------------------------

  /// Takes the socket in; before spawn. The group's permit is the connection's from here on, also
  /// when this or the spawn fails.
  Result<void> attach(NativeSocket socket);

  void apply(Next&& next) override;
  std::string describe_state() override;

 protected:
  explicit Connection(std::shared_ptr<ConnectionGroup> group) noexcept;

  /// Calls handle_packet; answers the time-out that its answer asked for (Duration::max(): none).
  virtual Duration deliver_packet(Packet packet) = 0;
  /// The peer is gone, with the reason that the connection will have.
  virtual void deliver_disconnect(const Reason& reason) = 0;
  virtual bool handles_end() const noexcept = 0;
  virtual void deliver_end() = 0;
  /// The peer has read enough that the queue fell from the high-water mark to the low one.
  virtual bool handles_drained() const noexcept = 0;
  virtual void deliver_drained() = 0;

  /// What a packet's answer asks for, but for the time-out.
  Duration take_answer(Next&& next);
  /// The handler is there: bytes may come.
  void begin_receiving();

  void release_resources(const Reason& reason) noexcept override;
  void on_suspended(bool suspended) override;

 private:
  friend class ConnectionGroup;
  class AnswerBatch;
  class ContinueMessage;

  // Why it does not read. Nothing is read while any is set.
  enum Hold : std::uint8_t {
    hold_suspended = 1,
    hold_high_water = 2,  // until the peer has drained the queue
    hold_turn = 4,        // its turn is over; a message to itself continues
  };

  // network (connection.cpp)
  void on_received(BytesView bytes) override;
  void on_end_of_stream() override;
  void on_drained() override;
  void on_failed(const Error& error) override;
  void hold(Hold why);
  void hold_for_turn();
  void let_go(Hold why);
  void peer_gone(const Reason& reason);
  SendQueue* outgoing();
  void log_end(const Reason& reason) const;

  // packets (connection_packets.cpp)
  void receive(BytesView bytes);
  void receive_rest_of_packet(BytesView bytes);
  void deliver_packets(BytesView bytes, Cut cut, bool kept);
  void deliver_kept();
  void keep(BytesView bytes, bool kept);
  void drop_kept() noexcept;
  void await_rest(const Cut& cut);
  void end_broken(BytesView bytes);
  void transmit(Next& next);
  template <class Bytes>
  Result<void> transmit_one(const Bytes& packet);
  SendQueue* open_queue();
  void queued(std::size_t before, SendQueue& queue, std::uint64_t packets);
  void sent(std::size_t before, std::size_t after, std::uint64_t packets);

  // deadlines (connection_deadlines.cpp)
  void fire() override;
  void arm_deadline(Instant at) noexcept;
  bool packet_unfinished() const noexcept { return !kept_.empty() && !uncut_ && held_ == 0; }
  void end_by_reset(Reason reason);

  AnswerBatch* batch_ = nullptr;  // while packets of one chunk are handled
  SocketId socket_;
  std::uint8_t held_ = 0;
  bool attached_ = false;
  bool started_ = false;  // init came through
  bool uncut_ = false;    // kept_ may hold whole packets: it was cut off by a hold
  bool reset_ = false;    // it ends with a reset
  bool failed_ = false;   // the socket is of no use any more
  bool sending_ended_ = false;
  bool peer_ended_ = false;
  std::shared_ptr<ConnectionGroup> group_;
  ConnectionHook hook_;
  std::string kept_;         // an unfinished packet, or what a hold left over; else empty
  std::size_t scanned_ = 0;  // of kept_, in which no packet ends
  Instant packet_begun_;     // when the first byte of the unfinished packet came
  Instant last_traffic_;
  Instant unsent_since_;         // the queue has not been empty since; the peer's last progress
  std::uint64_t sent_mark_ = 0;  // bytes that had left at unsent_since_
  std::uint64_t packets_in_ = 0;
  std::uint64_t packets_out_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

/// The connection whose handler's callback or task runs now.
Connection& connection();

}  // namespace hawser
