// A client's side of one STOMP connection, as a state machine without I/O: octets and the user's
// wishes go in, octets, messages and outcomes come out through a Port. Public; belongs to the
// process that owns it. Reconnecting is the owner's: a session lives as long as its connection.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/stomp/ack_mode.hpp>
#include <hawser/stomp/body_sink.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/heartbeat.hpp>
#include <hawser/stomp/liveness.hpp>
#include <hawser/stomp/parser.hpp>
#include <hawser/stomp/version.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::stomp {

/// What becomes of a session whose broker sent an ERROR. 1.2 says that the broker closes anyway.
enum class ErrorPolicy : std::uint8_t {
  end,        ///< the session ends, whatever the version
  keep_open,  ///< a 1.0 or 1.1 session goes on; the frame's receipt fails, the others still wait
};

/// What a client says of itself, and its bounds. One object may serve many sessions and outlives
/// them.
struct ClientSessionOptions {
  ParserOptions parser{.limits = {.body = std::size_t{64} << 20U}};
  VersionSet versions = VersionSet::all();  ///< what is offered; not empty
  std::string host{};                       ///< the `host` header: the virtual host
  std::optional<std::string> login{};
  std::optional<std::string> passcode{};  ///< never in a log, an error or describe()
  std::vector<Header> connect_headers{};  ///< further headers of CONNECT, such as client-id
  Heartbeat heartbeat{std::chrono::milliseconds(10'000), std::chrono::milliseconds(10'000)};
  Duration login_timeout = 5s;          ///< from start() to CONNECTED
  Duration receipt_timeout = 30s;       ///< for each RECEIPT; the session goes on without it
  Duration disconnect_timeout = 5s;     ///< for the RECEIPT of DISCONNECT
  LivenessOptions liveness{};           ///< when heart-beats leave, and when silence means the end
  std::uint32_t subscriptions = 1'000;  ///< at once
  std::uint32_t awaited_receipts = 10'000;  ///< outcomes asked for and not there yet
  ErrorPolicy on_error = ErrorPolicy::end;
  /// Write content-length on every body; off for brokers that take it as the mark of a binary
  /// message. A body with a NUL in it is then refused.
  bool content_length = true;
  /// The broker gives receipts (some do not know them); else the goodbye waits for none.
  bool receipts = true;
  /// Refuse bodies that are not UTF-8: for a WebSocket that carries text messages (W-03).
  bool text = false;
};

/// What is asked of a frame beyond sending it: a token other than 0 asks for a receipt, and for
/// Port::completed with that token; `timeout` is the time for it (zero: receipt_timeout).
struct Ask {
  Ask(std::uint64_t told = 0, Duration within = Duration::zero()) noexcept
      : token(told), timeout(within) {}
  std::uint64_t token;
  Duration timeout;
};

class ClientSession final : private BodySink {
 public:
  /// What a session needs from around it, and whom it tells. Calls come only from inside the
  /// session's own methods; they may call the session's methods, but must not destroy it.
  class Port {
   public:
    /// Queues octets; they leave in the order written.
    virtual void write(BytesView octets) = 0;
    virtual void write(const Payload& octets) = 0;
    /// Sends what is queued and ends the connection. Nothing is written and nobody told after it.
    virtual void end(Reason reason) = 0;

    /// The broker has let us in. The frame is borrowed.
    virtual void connected(const FrameView& frame) = 0;
    /// A message of a live subscription. The frame is borrowed.
    virtual void message(std::uint64_t subscription, const FrameView& frame) = 0;
    /// What became of a frame sent with a token other than 0: the broker has processed it, or
    /// protocol_error (an ERROR names it), timeout (no RECEIPT in time), closed (the session ended
    /// first, so that nobody knows). Exactly once a token.
    virtual void completed(std::uint64_t token, Result<void> outcome) = 0;
    /// The broker sent an ERROR; end() may follow. The frame is borrowed.
    virtual void error(const FrameView& frame) = 0;

    // What a simple owner leaves as it is.

    /// True while no more messages are wanted: what has been received already waits for resume().
    virtual bool holding() { return false; }
    /// Where the next frame is parsed to; whoever keeps messages past message() answers another
    /// each time. They hold until received() or resume() returns.
    virtual FrameView& frame();
    /// The head of a MESSAGE is there, whose body has `length` octets if that is known. True: the
    /// body comes in pieces to body_part(), then to body_end() instead of message().
    virtual bool body_begins(std::uint64_t subscription, const FrameView& head,
                             std::optional<std::uint64_t> length);
    virtual void body_part(BytesView octets);
    virtual void body_ends(std::uint64_t subscription, const FrameView& head);

   protected:
    ~Port() = default;
  };

  ClientSession(const ClientSessionOptions& options, Port& port, Instant now);
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  enum class State : std::uint8_t { idle, login, open, closing, ended };

  /// Writes CONNECT; once, first of all. invalid_argument when the options hold something that
  /// CONNECT cannot carry (a NUL or LF; nothing escapes it, P-16).
  Result<void> start(Instant now);

  // ---- what the user wants; all need State::open, else the error is `closed`
  // ------------------------

  /// Sends a message. `headers` are the user's own, content-type among them; destination, receipt
  /// and content-length are the session's to write (elsewhere also id and ack). A token other than
  /// 0 asks for a receipt: see Port::completed. Errors (nothing is written then): invalid_argument,
  /// overloaded.
  Result<void> send(BytesView destination, const Payload& body, std::span<const Header> headers,
                    Ask ask, Instant now);

  /// Subscribes and answers the subscription's number. `id` is its name on the wire; empty: its
  /// number. Errors as send(); unsupported for client_individual in 1.0; already_exists.
  Result<std::uint64_t> subscribe(BytesView destination, AckMode mode,
                                  std::span<const Header> headers, Ask ask, Instant now,
                                  std::string_view id = {});

  /// After this no message of it is told any more. not_found when there is no such subscription.
  Result<void> unsubscribe(std::uint64_t subscription, std::span<const Header> headers, Ask ask,
                           Instant now);

  /// Settles a message by the header that names it in the session's version: the MESSAGE's `ack` in
  /// 1.2, its `message-id` before. Errors as send(); unsupported: NACK in 1.0.
  Result<void> ack(std::uint64_t subscription, BytesView id, Ask ask, Instant now,
                   std::string_view transaction = {});
  Result<void> nack(std::uint64_t subscription, BytesView id, Ask ask, Instant now,
                    std::string_view transaction = {});
  /// The octets of `message` that ack() wants, or nothing when it is not to be acknowledged.
  std::optional<BytesView> ack_id(const FrameView& message) const noexcept;

  /// Any other frame without a body that a client may send: BEGIN, COMMIT, ABORT, or the
  /// UNSUBSCRIBE that takes a durable subscription away. Errors as send().
  Result<void> control(Command command, std::span<const Header> headers, Ask ask, Instant now);

  /// Says goodbye: what was sent before is processed, then the broker's receipt ends the session
  /// (reason normal), or the time-out does. At once when not logged in. Repeating it does nothing.
  void disconnect(Instant now);

  // ---- in from the connection
  // -----------------------------------------------------------------------

  void received(BytesView octets, Instant now);
  /// The hold is over: what was received meanwhile is looked at, until there is a new one.
  void resume(Instant now);
  /// Octets that were received and wait for resume().
  std::size_t held() const noexcept { return held_.size(); }
  /// The broker closed the connection, or it broke: every outcome still awaited is told `closed`.
  /// Answers the reason to end with: normal when we had said goodbye.
  Reason lost(Reason reason);
  /// Octets have left: the next heart-beat of ours is counted from here.
  void wrote(Instant now) noexcept { liveness_.wrote(now); }
  /// We do not read, and the broker's heart-beats lie in the kernel: that is no silence of its.
  void not_reading(Instant now) noexcept { liveness_.received(now); }
  /// Looks at the clock: login, receipts, heart-beats, goodbye. Answers when it wants to look
  /// again; never() when nothing is to be watched. Ask again after every call with a token.
  Instant tick(Instant now);

  State state() const noexcept { return state_; }
  Version version() const noexcept { return version_; }
  const HeartbeatPlan& heartbeats() const noexcept { return liveness_.plan(); }
  /// Heart-beats written so far.
  std::uint64_t beats() const noexcept { return liveness_.beats(); }
  /// The broker refused the login itself: trying again with the same options will not help.
  bool login_refused() const noexcept { return login_refused_; }
  /// The `server` header of CONNECTED.
  const std::string& server() const noexcept { return server_; }
  std::size_t subscriptions() const noexcept { return subscriptions_.size(); }
  std::size_t awaited() const noexcept { return awaited_.size(); }
  std::string describe() const;

 private:
  struct Known {
    std::string id;
    std::string destination;
  };
  struct Awaited {
    std::uint64_t token = 0;
    Instant deadline;
    Duration timeout{};
  };

  void read(BytesView octets);
  bool wants_body(const FrameView& head, std::optional<std::uint64_t> length) override;
  void body_part(BytesView octets) override { port_->body_part(octets); }
  void handle(const FrameView& frame);
  void handle_connected(const FrameView& frame);
  void handle_message(const FrameView& frame);
  void handle_receipt(const FrameView& frame);
  void handle_error(const FrameView& frame);
  /// The subscription that a MESSAGE is for; 0 when it is none of ours.
  std::uint64_t subscription_of(const FrameView& frame) const;
  std::optional<std::uint64_t> take_awaited(BytesView receipt);
  void fail_awaited(const Error& error);
  void finish(Reason reason);
  Result<void> ready(std::string_view operation, std::uint64_t token) const;
  Result<void> settle(Command command, std::uint64_t subscription, BytesView id, Ask ask,
                      Instant now, std::string_view transaction);
  /// Writes the frame that `headers` and the user's headers make, with a receipt for the token.
  Result<void> write_frame(Command command, std::span<const HeaderView> own,
                           std::span<const Header> users, const Payload& body, Ask ask,
                           Instant now);
  void write_octets(BytesView octets, Instant now);

  const ClientSessionOptions* options_;
  Port* port_;
  Parser parser_;
  State state_ = State::idle;
  Version version_ = Version::v1_2;
  bool login_refused_ = false;
  std::string server_;
  Liveness liveness_;
  Instant started_;
  Instant goodbye_deadline_ = Instant::never();
  std::uint64_t last_receipt_ = 0;
  std::uint64_t goodbye_receipt_ = 0;
  std::uint64_t last_subscription_ = 0;
  std::uint64_t streaming_ = 0;  // the subscription whose message's body comes in pieces
  std::map<std::uint64_t, Known> subscriptions_;
  std::map<std::string, std::uint64_t, std::less<>> by_id_;
  std::map<std::uint64_t, Awaited> awaited_;  // by receipt number
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;
  Bytes held_;  // received, and not wanted yet
};

}  // namespace hawser::stomp
