// A process that owns one socket, its transports, one framing and one handler: packets come out of
// the bytes and go to the handler, its answers go into the socket's queue. Public: handlers reach
// theirs with connection(); others drive one through Ref<Connection>(pid). Belongs to its
// scheduler's thread.
//
// Four layers in one object, from the socket up:
//   network     StreamEvents, deadlines, holds           connection.cpp, connection_deadlines.cpp
//   transports  what stands between (often nothing)      connection_transports.cpp
//   packets     framing over plain bytes, both ways      connection_packets.cpp,
//   connection_sending.cpp handler     its callbacks connection_handler.hpp: deliver_…()
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection_awaits.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/net/connection_messages.hpp>
#include <hawser/net/detail/packet_queue.hpp>
#include <hawser/net/detail/transport_stack.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/telemetry.hpp>
#include <hawser/process/timer_wheel.hpp>
#include <hawser/process/type_name.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

namespace hawser {

namespace detail {
class FileTransfer;
}

class Connection : public Process,
                   private StreamEvents,
                   private Timer,
                   private detail::TransportStack::Owner {
 public:
  ~Connection() override;

  // ---- sending, for handlers and their tasks
  // ------------------------------------------------------------

  /// Queues one packet now and tells whether it was accepted; not when it leaves. A callback rather
  /// answers send(…), whose packets leave all or none. Errors: what the framing cannot carry
  /// (invalid_argument, overloaded), overloaded when the packets that wait are at their limit,
  /// closed when nothing can be sent any more. Over the send limit, the connection ends.
  Result<void> send_packet(BytesView packet);
  Result<void> send_packet(const Payload& packet);
  /// The same, and `done` is called once: when the kernel has taken the last byte, or with the
  /// error that kept it from that. Not called when the process ends first.
  void write_packet(const Payload& packet, detail::WriteDone done);

  /// co_await connection.send(packet): queues it, and waits while the peer reads too slowly (unsent
  /// bytes at the high-water mark). Errors as send_packet.
  SendAwaiter send(BytesView packet) { return {*this, Payload(packet), SendAwaiter::Until::room}; }
  /// co_await connection.write(packet): queues it, and waits until the kernel has taken all of it.
  SendAwaiter write(BytesView packet) {
    return {*this, Payload(packet), SendAwaiter::Until::written};
  }

  /// Sends a file, or a part of one, without holding more than half a megabyte of it; as plain
  /// bytes without a frame of ours (FileToSend::head goes in front). While it leaves, no packet is
  /// handled, and what is sent comes behind it. `done` is called once: when the kernel has taken
  /// the last byte, or with the error for which nothing of the file was sent (not_found, overloaded
  /// when packets wait or another file is on its way, unsupported through transports that keep
  /// packets, closed). A file that becomes shorter while it is sent ends the connection by a reset.
  void send_file(FileToSend file, detail::WriteDone done);
  /// co_await connection.send_file(…): the same, and waits until it is done.
  FileAwaiter send_file(FileToSend file) { return {*this, std::move(file)}; }

  /// Our half-close: what is queued is sent, then the peer sees the end of our bytes. Receiving
  /// goes on; sending after this is an error (from a callback: a crash). Packets that wait for the
  /// handshake of a transport go first, when it is through.
  void end_sending();

  // ---- receiving
  // ---------------------------------------------------------------------------------------------

  /// co_await connection.receive(30s): the next packet, as its own bytes. From the first call on
  /// the connection is passive: it reads no further than packets are asked for. Errors: timeout
  /// (the packet may still come to the next receive), closed (the text says how it ended). One at a
  /// time.
  ReceiveAwaiter receive(Duration timeout = Duration::max()) { return {*this, timeout}; }
  /// The handler gets `packets` more, then the connection stops reading (handle_passive tells):
  /// Erlang's {active, N}. ConnectionOptions::unlimited: without end; 0: none from now on.
  void activate(std::uint32_t packets = ConnectionOptions::unlimited);

  // ---- transports and framing
  // --------------------------------------------------------------------------------

  /// Puts a transport on top of those there are (STARTTLS: a TLS transport on a plain connection).
  /// From handle_packet: what this callback answers still goes the old way, and every byte behind
  /// this packet belongs to the new transport, also those that have been received already. From
  /// elsewhere it holds at once, and what was not cut into packets yet belongs to it. Packets sent
  /// during its handshake wait, in order; handle_upgrade tells when it is through.
  void push_transport(std::unique_ptr<Transport> transport);
  /// The topmost transport of that kind, or nullptr.
  template <class T>
  T* transport() const noexcept {
    for (std::size_t i = 0; stack_ != nullptr && stack_->at(i) != nullptr; ++i)
      if (auto* found = dynamic_cast<T*>(stack_->at(i))) return found;
    return nullptr;
  }
  /// "websocket over TLS 1.3, …"; "" for a plain connection.
  std::string describe_transports() const;
  /// Packets behind the one being handled are cut, and those sent from now on framed, like this.
  void set_framing(Framing framing);
  const Framing& framing() const noexcept { return *framing_; }

  // ---- around
  // ------------------------------------------------------------------------------------------------

  /// The peer's address; behind a proxy that tells, the one it tells.
  Result<Address> peer() const;
  Result<Address> local() const;
  /// Who is at the other end of a Unix socket; unsupported for all others.
  Result<PeerCredentials> peer_credentials() const;
  /// Bytes that were sent and that the kernel has not taken.
  std::size_t unsent() const;
  ConnectionInfo info() const;
  /// Packets that the handler was given so far.
  std::uint64_t packets_in() const noexcept { return packets_in_; }
  const ConnectionOptions& options() const noexcept { return group_->options(); }
  /// Changes options of the socket: at once, all that can be or none (see Engine::change_stream).
  Result<void> change_socket(const StreamChanges& changes);
  /// When bytes last came, also those that lie unread (see Engine::last_arrival).
  Result<Instant> last_arrival() const;
  /// No longer counts against the server's max_connections, for one that merely waits (a long
  /// poller, say): somebody else may come in for it. It is listed and drained as ever. Once is
  /// enough, and for good; without a limit this does nothing.
  void uncount();
  /// Gives back all memory that an idle connection does not need; `keep().hibernate()` does the
  /// same when the callback is over.
  void hibernate();
  /// Bytes of memory this connection has taken beyond the object itself, its transports' and its
  /// queue's not counted; 0 for one at rest.
  std::size_t held_memory() const noexcept;

  // ---- from outside, by Ref<Connection>
  // ------------------------------------------------------------

  Next handle_cast(SendPacket message);
  void handle_cast(Activate message) {
    if (attached_) activate(message.packets);
  }
  void handle_call(OfferPacket request, From<bool> from);
  void handle_call(WritePacket request, From<bool> from);
  void handle_call(SendFile request, From<bool> from);
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
  /// What all connections of the group have come to.
  const ConnectionCounters& group_counters() const noexcept { return group_->counters(); }

  // ---- the handler's side (connection_handler.hpp)

  /// Makes the handler and calls its init.
  virtual void make_handler() = 0;
  /// The handler is there, and messages may reach it.
  virtual bool made() const noexcept { return started_; }
  /// This object for a Ref to it, when it can be talked to.
  virtual void* kind_handler(const TypeInfo& type) noexcept {
    const bool reachable = attached_ && (started_ || !handshaking_);
    return reachable && same_type(type, type_info<Connection>) ? this : nullptr;
  }
  /// The process starts: an accepted connection has its socket already.
  virtual void begin_kind() { begin(); }
  /// Calls handle_packet; answers the time-out that its answer asked for (Duration::max(): none).
  virtual Duration deliver_packet(Packet packet) = 0;
  /// The peer is gone, with the reason that the connection will have.
  virtual void deliver_disconnect(const Reason& reason) = 0;
  virtual bool handles_end() const noexcept = 0;
  virtual void deliver_end() = 0;
  /// The peer has read enough that the queue fell from the high-water mark to the low one.
  virtual bool handles_drained() const noexcept = 0;
  virtual void deliver_drained() = 0;
  /// packet_timeout has passed; these are the bytes of the unfinished packet that have come.
  virtual bool handles_packet_timeout() const noexcept = 0;
  virtual void deliver_packet_timeout(BytesView partial) = 0;
  /// A transport that was pushed is through its handshake.
  virtual void deliver_upgrade() = 0;
  /// The packets that activate() allowed have been handled.
  virtual void deliver_passive() = 0;

  /// What a packet's answer asks for, but for the time-out.
  Duration take_answer(Next&& next);
  /// The socket is there: the transports are started, and the handler is made when they are ready.
  void begin();
  /// The handler is there, and its callbacks may come.
  bool standing() const noexcept { return started_; }

  // ---- the side of kinds of connections (dial.hpp, client)

  /// Everything is ready for the handler: makes it, or tells it.
  virtual void stand();
  /// The peer is gone; by default the handler is told and the process ends.
  virtual void peer_gone(const Reason& reason);
  /// A deadline or limit has passed; by default the process ends.
  virtual void give_up(Reason reason, bool by_reset);
  /// Bounds of the packets that cannot be sent now.
  struct WaitingLimits {
    std::size_t packets;
    std::size_t bytes;
    QueueOverflow overflow;
    const char* setting;  // named when they are hit
  };
  virtual WaitingLimits waiting_limits() const noexcept;

  // Why packets wait beside the socket's queue. None is sent while any is set.
  enum Divert : std::uint8_t {
    divert_slow = 1,       // the peer reads too slowly, and the policy is to drop
    divert_handshake = 2,  // a transport that was pushed is not through
    divert_away = 4,       // a client without its server
    divert_file = 16,      // a file is on its way
    divert_closed = 8,     // a client's handler has not opened the queue; its answers to packets,
                           // which are the protocol's, go all the same
  };
  void divert(Divert why) noexcept { diverted_ |= why; }
  /// Ends one reason; with the last of them what waits is sent.
  void undivert(Divert why);
  /// Runs `body`, whose packets do not wait: what a protocol says first.
  template <class Body>
  void send_around_queue(Body&& body) {
    const std::uint8_t diverted = std::exchange(diverted_, std::uint8_t{0});
    body();
    diverted_ |= diverted;
  }
  const detail::PacketQueue& waiting();
  void fail_waiting(const Error& error);

  /// Closes the socket and forgets all of this connection's life, for a client that makes another.
  void detach(const Reason& reason);
  /// Nothing more comes from this connection, nor goes to it; detach() follows.
  void hold_until_detached(bool by_reset);
  bool attached() const noexcept { return attached_; }
  void set_host(std::string host);
  void begin_receiving();
  /// Runs `body` as a callback, inside the one that runs if there is one.
  template <class Body>
  void as_callback(const char* name, Body&& body) {
    if (!in_callback()) {
      run_callback(name, std::forward<Body>(body));
      return;
    }
    // Inside the quiet callback of a transport.
    cancel_idle_timeout_if_armed();
    enter_callback(name);
    body();
  }

  void release_resources(const Reason& reason) noexcept override;
  void on_suspended(bool suspended) override;

 private:
  friend class ConnectionGroup;
  friend class ReceiveAwaiter;
  friend class SendAwaiter;
  class AnswerBatch;
  class ContinueMessage;
  struct Rare;

  // Why it does not read. Nothing is read while any is set.
  enum Hold : std::uint8_t {
    hold_suspended = 1,
    hold_high_water = 2,  // until the peer has drained the queue
    hold_turn = 4,        // its turn is over; a message to itself continues
    hold_credit = 8,      // passive, until more packets are asked for
    hold_transport = 16,  // for the rest of a callback: a transport waits to be put on top
    hold_file = 64,       // until a file has left
    hold_over = 32,       // the connection is lost, and a client will make another
  };

  // network (connection.cpp)
  void on_received(BytesView bytes) override;
  void on_end_of_stream() override;
  void on_drained() override;
  void on_failed(const Error& error) override;
  void end_of_bytes();
  std::string end_text() const;
  void finish_sending();
  void hold(Hold why);
  /// Passive or not, a handshake goes on: it is nobody's packet.
  bool reads() const noexcept { return (held_ & ~(handshaking_ ? hold_credit : 0)) == 0; }
  void update_reading();
  void hold_for_turn();
  void let_go(Hold why);
  SendQueue* outgoing() const;
  void close_socket(const Reason& reason) noexcept;
  void log_end(const Reason& reason) const;
  void tell(const TracePoint& point, std::initializer_list<Measure> measures) const;
  Rare& rare();

  // transports (connection_transports.cpp)
  void transports_ready() override;
  void transport_delivered(BytesView bytes) override;
  void transport_ended() override;
  void transport_failed(Reason reason) override;
  bool transport_holding() const override { return !reads(); }
  bool transport_stopping() const override { return over(); }
  SendQueue* wire() override { return outgoing(); }
  void wire_grown(std::size_t before, std::size_t after) override { sent(before, after, 0); }
  Process& transport_process() override { return *this; }
  void transport_callback(const char* name, const std::function<void()>& body) override;
  void transport_peer(const Address& peer) override;
  Address transport_peer() const override { return peer().value_or(Address{}); }
  std::string_view transport_host() const override;
  std::unique_ptr<detail::TransportStack> make_stack();
  void begin_handshake();
  void put_on_top(BytesView rest);
  void drop_empty_stack() noexcept;
  void finish_transports(const Reason& reason) noexcept;

  // packets in (connection_packets.cpp)
  bool over() const noexcept { return stopping() || (held_ & hold_over) != 0; }
  void receive(BytesView bytes);
  void receive_rest_of_packet(BytesView bytes);
  void deliver_packets(BytesView bytes, const Cut& cut, bool kept);
  void deliver_message(BytesView packet);
  void leave_uncut(BytesView bytes, const Cut& cut, bool kept);
  Duration deliver_one(Packet packet);
  Duration deliver_counted(Packet packet);
  void deliver_kept();
  void keep(BytesView bytes, bool kept);
  void drop_kept() noexcept;
  void await_rest(const Cut& cut);

  // packets out (connection_sending.cpp)
  void transmit(Next& next);
  void trace_answer(Next& next);
  template <class Bytes>
  Result<void> transmit_one(const Bytes& packet, detail::WriteDone* done);
  template <class Bytes>
  Result<void> append_one(const Bytes& packet, detail::WriteDone* done);
  Result<void> check_packet(const Payload& packet);
  Result<void> transmit_diverted(Payload packet, detail::WriteDone* done);
  void divert_answer(Next& next);
  void send_rest() noexcept;
  Result<void> encode_one(const Next::Outgoing& outgoing, SendQueue& queue) const;
  bool transmit_message(BytesView packet);
  SendQueue* open_queue();
  void queued(std::size_t before, SendQueue& queue, std::uint64_t packets);
  void settle_sent(std::size_t before, SendQueue& queue, std::uint64_t packets);
  void sent(std::size_t before, std::size_t after, std::uint64_t packets);
  void send_waiting();
  bool diverts() const noexcept {
    return diverted_ != 0 && (diverted_ != divert_closed || !delivering_);
  }
  void add_receipt(std::uint64_t position, detail::WriteDone done);
  void resolve_receipts();
  void watch_unsent();
  std::uint64_t bytes_gone() const;

  // files out (connection_files.cpp)
  bool sends_file() const noexcept;
  void read_file();
  void file_read(detail::FileTransfer& transfer);
  void end_file();

  // deadlines (connection_deadlines.cpp)
  void fire() override;
  void arm_deadline(Instant at) noexcept;
  bool packet_unfinished() const noexcept { return !kept_.empty() && !uncut_ && held_ == 0; }

  AnswerBatch* batch_ = nullptr;  // while packets of one chunk are handled
  SocketId socket_;
  std::uint8_t held_ = 0;
  std::uint8_t diverted_ = 0;
  bool attached_ = false;
  bool started_ = false;     // init came through
  bool delivering_ = false;  // handle_packet runs
  bool sending_ended_ = false;
  // In bits: an idle connection is to stay small.
  bool handshaking_ : 1 = false;    // since packet_begun_
  bool hibernate_ : 1 = false;      // when the callback is over
  bool uncut_ : 1 = false;          // kept_ may hold whole packets: it was cut off by a hold
  bool reset_ : 1 = false;          // it ends with a reset
  bool failed_ : 1 = false;         // the socket is of no use any more
  bool end_told_ : 1 = false;       // nothing will come, and the handler lives on
  bool end_waits_ : 1 = false;      // our half-close, for packets that cannot be sent yet
  bool begun_ : 1 = false;          // it lives: its end is no failed spawn
  std::uint32_t credit_;            // packets until it is passive
  std::uint32_t turn_packets_ = 0;  // that came through transports in this turn
  std::shared_ptr<ConnectionGroup> group_;
  const Framing* framing_;  // the group's, or one of its own
  std::unique_ptr<detail::TransportStack> stack_;
  std::unique_ptr<Rare> rare_;  // what most connections never have
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
