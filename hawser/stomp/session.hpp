// A broker's side of one STOMP connection, as a state machine without I/O: octets and the bus's
// answers go in, octets and requests to the bus come out through a Port. Public; belongs to the
// process that owns it.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/heartbeat.hpp>
#include <hawser/stomp/parser.hpp>
#include <hawser/stomp/version.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::stomp {

/// Bounds and offers of a broker's sessions. One object serves all of them and outlives them.
struct SessionOptions {
  ParserOptions parser{};
  VersionSet versions = VersionSet::all();
  /// How long a peer may take from connecting to a whole CONNECT.
  Duration login_timeout = 10s;
  /// What the broker offers as `heart-beat`.
  Heartbeat heartbeat{std::chrono::milliseconds(10'000), std::chrono::milliseconds(10'000)};
  /// Heart-beats leave after this part of the agreed interval, counted from the last octet written.
  double send_factor = 0.5;
  /// A peer is dead after this many agreed intervals without an octet, plus the grace.
  double receive_factor = 2.0;
  Duration receive_grace = 500ms;
  std::uint32_t subscriptions = 1'000;    ///< per session
  std::uint32_t subscription_id = 1'024;  ///< octets of a subscription's id
  std::uint32_t destination = 1'024;      ///< octets of a destination
  std::uint32_t receipt = 1'024;          ///< octets of a receipt's name
  std::uint32_t awaited_receipts =
      10'000;  ///< SENDs with a receipt that the bus has not answered yet
  /// Messages the bus may have on their way to one subscription; it is told of room in halves.
  std::uint32_t window = 64;
  std::string server = "hawser/0.1.0";  ///< the `server` header of CONNECTED
};

class BrokerSession {
 public:
  /// What a session needs from around it. Calls come only from inside the session's own methods.
  class Port {
   public:
    /// Queues octets; they leave in the order written.
    virtual void write(BytesView octets) = 0;
    virtual void write(const Payload& octets) = 0;
    /// False once the peer reads slower than we write: deliveries then wait until writable() is
    /// told.
    virtual bool has_room() = 0;
    /// Sends what is queued and ends the connection. Nothing is written after it.
    virtual void end(Reason reason) = 0;

    virtual void publish(const bus::Destination& to, bus::MessagePtr message,
                         std::uint64_t token) = 0;
    virtual void subscribe(const bus::Destination& to, std::uint64_t number, std::uint32_t credit,
                           std::uint64_t token) = 0;
    /// `taken` of the deliveries since the last grant have been written.
    virtual void unsubscribe(const bus::Destination& to, std::uint64_t number, std::uint32_t taken,
                             std::uint64_t token) = 0;
    virtual void grant(const bus::Destination& to, std::uint64_t number, std::uint32_t credit) = 0;

   protected:
    ~Port() = default;
  };

  /// `number` tells this session from others in its `session` header and message ids.
  BrokerSession(const SessionOptions& options, Port& port, std::string number, Instant now);

  void received(BytesView octets, Instant now);
  void delivered(const bus::Delivery& delivery);
  void confirmed(std::uint64_t token);
  void refused(std::uint64_t token, const Error& error);
  void subscription_ended(std::uint64_t number, const Error& error);
  /// The peer has caught up: what waited is written.
  void writable();
  /// The bus went away under the session, or is not there; `why` is for the log.
  void bus_lost(std::string why = "the bus ended");

  /// Looks at the clock: login time-out, heart-beats. Answers when it wants to look again; never()
  /// when nothing is to be watched.
  Instant tick(Instant now);
  /// Octets have left for the peer: the next heart-beat of ours is counted from here.
  void wrote(Instant now) noexcept { last_written_ = now; }
  /// The peer is known to live although nothing of it was read: while we do not read because it
  /// does not, its heart-beats lie unread in the kernel.
  void not_reading(Instant now) noexcept { last_received_ = now; }

  /// The connection ends: what was on its way to it goes back to the queues. Last of all.
  void leave();

  /// leaving: DISCONNECT came, and the bus has yet to answer frames before it.
  enum class State : std::uint8_t { login, open, leaving, ended };
  State state() const noexcept { return state_; }
  Version version() const noexcept { return version_; }
  const HeartbeatPlan& heartbeats() const noexcept { return heartbeats_; }
  std::size_t subscriptions() const noexcept { return by_name_.size(); }
  std::string describe() const;

 private:
  struct Subscription {
    bus::Destination to;
    std::string name;             // the client's id, as it came
    std::string head{};           // "MESSAGE\nsubscription:…\nmessage-id:…-", escaped and ready
    std::uint32_t taken = 0;      // deliveries written since the last grant
    std::size_t taken_bytes = 0;  // and what they weigh: the bus holds them until they are granted
  };
  /// A frame the bus has yet to answer.
  struct Awaited {
    std::string receipt;
  };
  struct Waiting {
    std::uint64_t subscription = 0;
    bus::MessagePtr message;
  };

  void handle(const FrameView& frame);
  void connect(const FrameView& frame);
  void send(const FrameView& frame);
  void subscribe(const FrameView& frame);
  void unsubscribe(const FrameView& frame);
  void disconnect(const FrameView& frame);
  void say_goodbye();

  /// ERROR with these words, then the end. `receipt` is echoed when the frame at fault had one.
  void fail(std::string_view message, std::string_view detail, std::optional<BytesView> receipt,
            Reason reason);
  void fail_frame(const FrameView& frame, std::string_view message, std::string_view detail = {});
  void write_receipt(BytesView name);
  void write_message(const Subscription& subscription, const bus::Message& message);
  void take(std::uint64_t number, Subscription& subscription, const bus::Message& message);
  std::optional<std::string> required(const FrameView& frame, BytesView name, std::uint32_t limit);
  /// 0 when the frame asks for no receipt; nothing when it asked wrongly (the session has ended).
  std::optional<std::uint64_t> token_for(const FrameView& frame);
  std::optional<bus::Destination> destination_of(const FrameView& frame);
  Subscription* find_subscription(std::uint64_t number);
  void unescaped_header(Bytes& out, BytesView name, BytesView value) const;

  const SessionOptions* options_;
  Port* port_;
  Parser parser_;
  std::string number_;
  State state_ = State::login;
  Version version_ = Version::v1_0;  // until one is agreed: what an early ERROR says is not escaped
  HeartbeatPlan heartbeats_{};
  Instant opened_;
  Instant last_received_;
  Instant last_written_;
  std::uint64_t last_number_ = 0;
  std::uint64_t last_token_ = 0;
  std::uint64_t last_message_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_name_;
  std::map<std::uint64_t, Subscription> subscriptions_;
  std::map<std::uint64_t, Awaited> awaited_;
  std::deque<Waiting> waiting_;
  std::optional<std::string> goodbye_;  // the receipt that DISCONNECT asked for
};

/// "/topic/a" and "/queue/a" to the bus's own form; invalid_argument tells what is wrong.
Result<bus::Destination> parse_destination(BytesView text);

}  // namespace hawser::stomp
