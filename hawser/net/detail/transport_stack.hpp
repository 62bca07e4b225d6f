// The transports of one connection, standing on each other between its packets and its socket.
// Internal to the net layer; belongs to the connection's thread.
#pragma once

#include <hawser/engine/send_queue.hpp>
#include <hawser/net/transport.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace hawser::detail {

class TransportStack {
 public:
  /// What the stack needs of its connection.
  class Owner {
   public:
    virtual void transports_ready() = 0;
    virtual void transport_delivered(BytesView bytes) = 0;
    virtual void transport_ended() = 0;
    virtual void transport_failed(Reason reason) = 0;
    virtual bool transport_holding() const = 0;
    virtual bool transport_stopping() const = 0;
    /// The socket's queue, or nullptr.
    virtual SendQueue* wire() = 0;
    /// The wire's queue has grown from `before` to `after` bytes.
    virtual void wire_grown(std::size_t before, std::size_t after) = 0;
    virtual Process& transport_process() = 0;
    virtual void transport_callback(const char* name, const std::function<void()>& body) = 0;
    virtual void transport_peer(const Address& peer) = 0;
    virtual Address transport_peer() const = 0;
    virtual std::string_view transport_host() const = 0;

   protected:
    ~Owner() = default;
  };

  /// `pool` lends the memory of bytes that wait to be converted; it must outlive the stack.
  TransportStack(Owner& owner, SendPool& pool) noexcept;
  TransportStack(const TransportStack&) = delete;
  TransportStack& operator=(const TransportStack&) = delete;
  ~TransportStack();

  /// Puts a transport on top; it is started when it is its turn (see start()).
  void push(std::unique_ptr<Transport> transport);
  /// Starts the lowest transport that is not started; each one that is ready starts the next.
  void start();
  /// Every transport is through its handshake.
  bool ready() const noexcept;
  bool empty() const noexcept { return layers_.empty(); }
  /// Some function of a transport is running.
  bool entered() const noexcept { return depth_ != 0; }

  void received(BytesView wire);
  void received_end();
  /// Bytes that had passed all transports but the top one before that was pushed.
  void received_on_top(BytesView bytes);
  /// The hold is over; what lies nearest to the handler comes first.
  void resume();

  /// Where the packets layer appends; flush() takes it from there to the wire, as far as handshakes
  /// allow. With keeps_packets(), flush() comes after each packet, and only when ready().
  SendQueue& staging() noexcept;
  void flush();
  /// The same for one packet that needs no frame, without the staging. False: take the long way.
  bool send_packet(BytesView packet);
  /// The top transport sends each packet by itself.
  bool keeps_packets() const noexcept;
  /// Bytes that were given to us and are not yet on the wire.
  std::size_t staged() const noexcept;
  /// Bytes received that wait for the end of a hold.
  std::size_t kept() const noexcept;

  /// What was flushed goes down to the wire now, and the owner is told what that has grown by, and
  /// not only when the call that runs is over.
  void settle();

  /// Each transport, the top one first, says goodbye.
  void finish(const Reason& reason);
  /// The connection has lost its socket: no transport reaches it any more.
  void retire() noexcept {
    retired_ = true;
    wire_ = nullptr;
  }
  void hibernate();
  std::string describe() const;
  /// From the top downwards; nullptr past the lowest.
  Transport* at(std::size_t from_top) const noexcept;

 private:
  class Layer;
  class Inside;
  template <class Body>
  void enter(const Body& body);
  void start_layer(std::size_t level);
  void ready_at(Layer& layer);
  void delivered_from(Layer& layer, BytesView bytes);
  void ended_at(Layer& layer);
  SendQueue* below(Layer& layer);
  void flush_below(Layer& layer);
  void count_wire();
  /// Takes out what has done its work, once no frame of it is on the stack.
  void tidy();

  Owner& owner_;
  SendPool& pool_;
  std::vector<std::unique_ptr<Layer>> layers_;  // the lowest first
  std::size_t depth_ = 0;                       // entries from the connection that are on the stack
  // The wire since it was last counted, while a call runs: to ask for it each time, and to count
  // each message, would be a good part of what a short message costs.
  SendQueue* wire_ = nullptr;
  std::size_t wire_before_ = 0;
  bool retired_ = false;
};

}  // namespace hawser::detail
