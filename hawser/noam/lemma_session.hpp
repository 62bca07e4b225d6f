// A lemma's side of Noam as a state machine without I/O: datagrams, frames, losses and the user's
// events go in; datagrams, connections, frames and what was heard come out through a Port. Public;
// belongs to the process that owns it. It lives through all connections (noam.md 14.1, 14.2).
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/random.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/net/reconnect_policy.hpp>
#include <hawser/noam/lemma_options.hpp>
#include <hawser/noam/message.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

namespace hawser::noam {

class LemmaSession {
 public:
  /// What a session needs from around it, and whom it tells. Calls come only from inside the
  /// session's own methods.
  class Port {
   public:
    /// A datagram to every place where hosts may be. Best effort.
    virtual void send_marco(BytesView marco) = 0;
    /// Listens for the host's connection; answers the port. Nothing when it cannot (it says why to
    /// the log). Not called for WebSocket.
    virtual std::optional<std::uint16_t> open_callback() = 0;
    /// Connects to the host; connected() or link_lost() follows.
    virtual void connect(const Address& host) = 0;
    /// Queues one frame, its six digits included; written() tells when the network has taken it.
    virtual void write(const Payload& frame) = 0;
    /// Ends whatever there is: both connections, the attempt to make one, the listening. Nothing
    /// of them is told any more.
    virtual void close_links() = 0;

    /// An event that we hear. Borrowed.
    virtual void heard(const EventView& event, BytesView topic) = 0;
    virtual void changed(const LemmaChange& change) = 0;
    virtual void lost(const EventLoss& loss) = 0;
    virtual void odd(Oddity oddity) = 0;

   protected:
    ~Port() = default;
  };

  /// `options` outlives the session.
  LemmaSession(const LemmaOptions& options, Port& port, Random& random);
  LemmaSession(const LemmaSession&) = delete;
  LemmaSession& operator=(const LemmaSession&) = delete;

  /// Begins to look for a host; also again, after stop().
  void start(Instant now);
  /// Connections end, which is all that a host is told; what waits in the queue goes on waiting.
  void stop();

  // ---- in from the network
  // -----------------------------------------------------------------------

  /// Something came to the socket that sends marcos.
  void datagram(const Address& from, BytesView bytes, Instant now);
  /// The connection to the host stands; over WebSocket the only one.
  void connected(Instant now);
  /// Somebody has connected to our callback port: false, it is not the host (or not now), and is
  /// to be closed. True: it takes the place of an earlier one, which is to be closed.
  bool reversed(const Address& peer, Instant now);
  /// One frame's content came over the host's connection.
  void received(BytesView json, Instant now);
  /// One of the connections, or the attempt to make it, has ended.
  void link_lost(const Reason& reason, Instant now);
  /// So many bytes of frames have been taken by the network.
  void written(std::size_t bytes);

  // ---- in from the user
  // --------------------------------------------------------------------------

  /// Takes a framed event (encode_event, frame): sent at once or later, after all before it; also
  /// while stopped. Answers its number. overloaded: the queue is full, or it alone is too large for
  /// it; Port::lost has been told then.
  Result<std::uint64_t> speak(Payload frame);
  /// Connected: a heart-beat leaves now, and not only when the next one is due.
  void confirm(Instant now);
  /// The machine is on other networks now: hosts there are asked at once.
  void network_changed(Instant now);

  /// Looks at the clock: marcos, deadlines, heart-beats, the watchdog. Answers when it wants to
  /// look again; ask again after every other call.
  Instant tick(Instant now);
  Instant next_tick() const noexcept;

  LemmaState state() const noexcept { return state_; }
  const Address& host() const noexcept { return host_; }
  LemmaStatus status() const;

 private:
  void search(Instant now);
  void send_marco(Instant now);
  void connect_to(const Address& host, Instant now);
  void stand(Instant now);
  void beat(Instant now);
  void lose(const Reason& reason, Instant now);
  void change(LemmaState state);
  void change(LemmaState state, Reason reason, Duration wait);
  void doubt();
  void drain();
  void drop_oldest();

  const LemmaOptions* options_;
  Port* port_;
  Random* random_;
  ReconnectPolicy policy_;
  Payload marco_;
  Payload heartbeat_;
  std::set<std::string, std::less<>> hears_;
  LemmaState state_ = LemmaState::waiting;
  bool running_ = false;
  Address host_;
  std::uint16_t callback_port_ = 0;

  Instant due_ = Instant::never();       // marco, deadline of an attempt, end of a wait
  Instant beat_due_ = Instant::never();  // connected: our next heart-beat
  Instant heard_at_;                     // connected: last frame of the host
  struct Waiting {
    Payload frame;
    std::uint64_t number = 0;
  };
  std::deque<Waiting> queue_;
  std::size_t queue_bytes_ = 0;
  std::size_t outstanding_ = 0;      // bytes written and not taken by the network
  std::deque<std::uint64_t> beats_;  // heart-beats on their way: number of the event before each
  std::uint64_t spoken_ = 0;
  std::uint64_t sent_ = 0;       // number of the last event handed to a connection, or dropped
  std::uint64_t confirmed_ = 0;  // of the last that the host has seen, or that was reported
  LemmaStatus counts_;
};

}  // namespace hawser::noam
