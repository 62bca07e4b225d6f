// How bytes move between a connection's packets and its socket: TLS, WebSocket, PROXY protocol, or
// a transport of the user's own. A plain connection has none. Public: derive from Transport to
// write one; users of a transport only name its maker in their options. Belongs to the connection's
// thread.
//
// Transports of one connection stand on each other, the lowest next to the socket:
//
//   .transports = {proxy_protocol(…), tls_server(…), websocket_server(…)}
//
//   handler ── packets ── WebSocket ── TLS ── PROXY ── socket
//
// Bytes travel up by received() → Link::deliver(), down by send() → Link::below(). A transport does
// no I/O, knows no socket and cuts no packets; all it holds goes with it, whenever that is.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/send_queue.hpp>
#include <hawser/process/reason.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

class Process;
class Scheduler;

class Transport {
 public:
  /// What a transport may ask of the connection it serves. Valid from start() until the transport
  /// is destroyed. The connection may end within any of these (then stopping() is true, and nothing
  /// more needs to be done), but the transport object stays until its own function has returned.
  class Link {
   public:
    // ---- upwards -------------------------------------------------------------------------------

    /// The handshake is through: what is above begins. Once, at any time from start() on.
    virtual void ready() = 0;
    /// Bytes for what is above, borrowed for the call. While holding(), nothing may be delivered:
    /// keep what is left (of what came from below, rather than what was made of it) until resume().
    virtual void deliver(BytesView bytes) = 0;
    /// The peer will send no more, in a way that this transport vouches for.
    virtual void deliver_end() = 0;
    virtual bool holding() const = 0;
    /// Ends the connection. What lies in below() is still sent.
    virtual void fail(Reason reason) = 0;
    virtual bool stopping() const = 0;

    // ---- downwards -----------------------------------------------------------------------------

    /// Where this transport's bytes go: append to it, then call flush(). nullptr when nothing can
    /// be sent any more. Ask anew in each call; never keep it.
    virtual SendQueue* below() = 0;
    virtual void flush() = 0;

    // ---- around --------------------------------------------------------------------------------

    virtual Scheduler& scheduler() const = 0;
    virtual Process& process() const = 0;
    /// Runs `body` as a callback of the connection's process: for timers of the transport's own. An
    /// exception in it ends the connection.
    virtual void run(const char* callback, const std::function<void()>& body) = 0;
    /// PROXY protocol: what the connection calls its peer from now on.
    virtual void set_peer(const Address& peer) = 0;
    virtual Address peer() const = 0;
    /// A client: the host that was asked for ("broker.example"); a server: "".
    virtual std::string_view host() const = 0;

   protected:
    ~Link() = default;
  };

  Transport() noexcept = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// First of all, once what is below is ready. May send, and may be ready() at once.
  virtual void start(Link& link) = 0;
  /// Bytes from below, borrowed, never empty. All of them are taken: what cannot be delivered while
  /// holding is kept here. Comes before ready() too.
  virtual void received(BytesView bytes) = 0;
  /// The hold is over: deliver what was kept, until there is a new hold.
  virtual void resume() {}
  /// Below, the peer's bytes have ended. A transport with an ending of its own that has not come
  /// fails, since somebody may have cut the connection; by default this is the end above, too.
  virtual void received_end() = 0;
  /// Takes every byte of `plain` (consumes it empty) to below(). Only between ready() and finish().
  virtual void send(SendQueue& plain) = 0;
  /// The short way of one packet, for a transport that keeps them: does what send() of just these
  /// bytes would do and answers true. False: it cannot now, and nothing has happened; send() will
  /// be called. Through a queue of its own a short packet would cost twice as much.
  virtual bool send_packet(BytesView) { return false; }
  /// Says goodbye in the transport's own way (close_notify, a close frame that fits the reason).
  /// Last of all, also before ready(); then the socket is shut down or closed.
  virtual void finish(const Reason& reason) = 0;

  /// True: each packet is sent by a send() of its own, and each deliver() is one whole packet for
  /// framing `whole()` (WebSocket messages).
  virtual bool keeps_packets() const noexcept { return false; }
  /// True: it has done its work (PROXY's header) and may be taken out; asked after received().
  virtual bool finished() const noexcept { return false; }
  /// Bytes that are held in here and wait for nothing but the end of a hold.
  virtual std::size_t kept() const noexcept { return 0; }
  /// Nothing happens for a while: give memory back.
  virtual void hibernate() {}
  /// "TLS 1.3, TLS_AES_128_GCM_SHA256", for the observer and logs.
  virtual std::string describe() const = 0;
};

/// Makes a new connection's transport; called on all schedulers, from options that never change.
using TransportMaker = std::function<std::unique_ptr<Transport>()>;
/// The lowest, next to the socket, first.
using TransportMakers = std::vector<TransportMaker>;

}  // namespace hawser
