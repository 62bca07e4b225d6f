// A broker's side of one STOMP connection, as a state machine without I/O: octets and the bus's
// answers go in, octets and requests to the bus come out through a Port. Public; belongs to the
// process that owns it.
//
// By idea: session.cpp has the way in and out and the faults; session_login.cpp CONNECT and
// DISCONNECT; session_send.cpp SEND; session_subscriptions.cpp SUBSCRIBE, UNSUBSCRIBE and MESSAGE;
// session_acks.cpp ACK and NACK; session_transactions.cpp BEGIN, COMMIT and ABORT;
// session_clock.cpp time-outs and heart-beats.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/bus/client.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/stomp/access.hpp>
#include <hawser/stomp/destination.hpp>
#include <hawser/stomp/detail/fifo.hpp>
#include <hawser/stomp/detail/receipt_ledger.hpp>
#include <hawser/stomp/detail/send_headers.hpp>
#include <hawser/stomp/detail/subscribe_headers.hpp>
#include <hawser/stomp/detail/unsettled.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/heartbeat.hpp>
#include <hawser/stomp/parser.hpp>
#include <hawser/stomp/session_options.hpp>
#include <hawser/stomp/version.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hawser::stomp {

/// What is known of a peer before it has said anything.
struct SessionOrigin {
  std::string peer{};                 ///< its address
  std::string certificate_subject{};  ///< of a verified TLS client certificate
  std::string login{};                ///< of the HTTP request (Basic); used when CONNECT has none
  std::string passcode{};
  std::optional<Version> version{};  ///< what the WebSocket's sub-protocol stands for (W-01)
};

class BrokerSession {
 public:
  /// What a session needs from around it. Calls come only from inside the session's own methods.
  class Port {
   public:
    /// Octets for the peer are appended here; what is in it is sent when the method that was called
    /// returns. Always the same object.
    virtual Bytes& output() = 0;
    /// Behind what is in output(), by reference.
    virtual void write(const Payload& octets) = 0;
    /// False once the peer reads slower than we write: deliveries then wait until writable() is
    /// told.
    virtual bool has_room() = 0;
    /// Whether more is to be read from the peer. What was read already may still come.
    virtual void read(bool on) = 0;
    /// Whether so few octets as less than `least` can be left unread, until more come: then they
    /// are from here on. It costs a system call.
    virtual bool read_from(int least) = 0;
    /// When octets last came, also those that were left unread.
    virtual std::optional<Instant> last_arrival() = 0;
    /// Sends what is queued and ends the connection. Nothing is written after it.
    virtual void end(Reason reason) = 0;
    /// Asks SessionOptions::access; logged_in() answers, perhaps before this returns.
    virtual void log_in(LoginRequest request) = 0;
    /// Milliseconds since 1970.
    virtual std::int64_t wall_ms() = 0;
    /// Letters and digits that nobody can guess, others each time.
    virtual std::string secret() = 0;
    /// An ERROR with that `message` is on its way; for who counts them.
    virtual void told_error(std::string_view message) = 0;

    // As bus::Client has them.
    virtual bus::Sender sender(const bus::Destination& to) = 0;
    virtual bool publish(bus::Sender to, bus::MessagePtr& message, std::uint64_t token) = 0;
    virtual void declare_temporary(const bus::Destination& queue) = 0;
    virtual void remove(const bus::Destination& queue, std::uint64_t token) = 0;
    virtual void subscribe(std::uint64_t number, bus::Subscription subscription,
                           std::uint64_t token) = 0;
    virtual void unsubscribe(std::uint64_t number, std::uint64_t last_seen,
                             std::uint64_t token) = 0;
    virtual void settle(const bus::Settlement& settlement, std::uint64_t token) = 0;
    virtual void commit(bus::Transaction transaction, std::uint64_t token) = 0;

   protected:
    ~Port() = default;
  };

  /// `number` tells this session from all others, also of brokers before this one: it is in its
  /// `session` header and message ids, which others may see. No '-' in it.
  BrokerSession(const SessionOptions& options, Port& port, std::string number, Instant now,
                SessionOrigin origin = {});
  BrokerSession(const BrokerSession&) = delete;
  BrokerSession& operator=(const BrokerSession&) = delete;
  ~BrokerSession();

  void received(BytesView octets, Instant now);
  /// The user's name, or why there is none.
  void logged_in(Result<std::string> user);
  /// The peer has caught up: what waited is written.
  void writable();

  // What the bus says; as bus::ClientEvents.
  void delivered(std::span<bus::Delivery> deliveries);
  void confirmed(std::uint64_t token);
  void refused(std::uint64_t token, const Error& error);
  void subscription_ended(std::uint64_t subscription, const Error& error);
  void browse_ended(std::uint64_t subscription);
  void pause_changed(bool paused);
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

  /// The connection ends: what was on its way to it goes back to the queues, open transactions are
  /// aborted. Last of all.
  void leave();

  /// checking: CONNECT came, and log_in() is asked. leaving: DISCONNECT came, and the bus has yet
  /// to answer frames before it.
  enum class State : std::uint8_t { login, checking, open, leaving, ended };
  State state() const noexcept { return state_; }
  Version version() const noexcept { return version_; }
  const std::string& user() const noexcept { return user_; }
  const HeartbeatPlan& heartbeats() const noexcept { return heartbeats_; }
  std::size_t subscriptions() const noexcept { return by_name_.size(); }
  std::size_t transactions() const noexcept { return transactions_.size(); }
  /// Input is held back: for a login, for the bus, for receipts.
  bool holding() const noexcept { return held_ != 0; }
  /// What a WebSocket's close frame should say of the end (W-08): 1009 for what was too long, 1008
  /// for who may not; 0 where the Reason tells.
  std::uint16_t close_code() const noexcept { return close_code_; }
  std::string describe() const;

 private:
  enum Hold : std::uint8_t { hold_login = 1, hold_receipts = 2, hold_bus = 4 };

  struct Subscription {
    std::uint64_t number = 0;
    std::string name;  // the client's id, as it came
    AckMode ack = AckMode::automatic;
    std::string head{};           // "MESSAGE\nsubscription:…\nmessage-id:…-", escaped and ready
    std::string ack_head{};       // "ack:…-" where the version has it
    std::string position_head{};  // "NAME:" where include-seq asked for it
    bool plain = false;           // neither, and settled as soon as it is written
    std::optional<bus::Destination> durable{};
    std::string temporary{};  // "/temp-queue/X" if it reads that one
    std::uint64_t last_written = 0;
    std::uint64_t last_settled = 0;  // automatic only
    detail::Unsettled unsettled{};   // all other modes
  };
  /// A destination that was sent to before, taken apart and allowed.
  struct Target {
    bus::Destination to;
    bus::Sender sender;
    bool reply = false;  // another session's temporary queue
  };
  struct Claim {
    std::uint64_t subscription;
    std::uint64_t first;
    std::uint64_t last;
  };
  struct OpenTransaction {
    bus::Transaction actions;
    std::vector<Bytes> receipts;  // owed at the commit
    std::vector<Claim> claims;
    std::uint32_t frames = 0;
    std::size_t bytes = 0;  // of its messages
  };
  using Transactions = std::map<std::string, OpenTransaction, std::less<>>;

  // session.cpp
  void work(BytesView octets);
  void watch_calmly(bool calm);
  void handle(const FrameView& frame);
  void hold(Hold why);
  void let_go(Hold why);
  bool reading() const noexcept {
    return held_ == 0 && (state_ == State::login || state_ == State::open);
  }
  /// ERROR with these words, then the end. `receipt` is echoed when the frame at fault had one.
  void fail(std::string_view message, std::string_view detail, std::optional<BytesView> receipt,
            Reason reason, std::optional<BytesView> subscription = {});
  void fail_frame(const FrameView& frame, std::string_view message, std::string_view detail = {});
  void fail_refused(const FrameView& frame, std::string_view what, BytesView destination);
  void write_receipt(BytesView name);
  /// The receipt that a frame asks for: "" for none; nothing when it asked wrongly (the session has
  /// ended).
  std::optional<BytesView> receipt_of(const FrameView& frame);
  /// A token under which the bus will answer; 0 for no receipt.
  std::uint64_t owe(BytesView receipt);
  std::uint64_t owe(std::vector<Bytes> receipts);
  bool within(const FrameView& frame, BytesView value, std::uint32_t limit, const char* what);

  // session_login.cpp
  void connect(const FrameView& frame);
  void disconnect(const FrameView& frame);
  void write_connected();
  void say_goodbye();

  // session_send.cpp
  void send(const FrameView& frame);
  void send_composite(const FrameView& frame, const detail::SendHeaders& headers,
                      OpenTransaction* transaction, BytesView receipt);
  bool targets_are_stale() const noexcept;
  Target* last_target_for(BytesView text) const noexcept;
  Target* target_for(const FrameView& frame, BytesView text);
  bool read_target(const FrameView& frame, BytesView text, Target& target);
  bus::MessagePtr make_message(const FrameView& frame, const detail::SendHeaders& headers,
                               BytesView destination, const Target& target, const Payload& body);
  bool offer_temporary(const FrameView& frame, BytesView destination);
  bool own_temporary(const FrameView& frame, BytesView name);
  const std::string& reply_secret();
  std::string reply_name(BytesView temporary);

  // session_subscriptions.cpp
  void subscribe(const FrameView& frame);
  void unsubscribe(const FrameView& frame);
  bool read_source(const FrameView& frame, const detail::SubscribeHeaders& headers, BytesView name,
                   bus::Subscription& wanted, Subscription& made);
  bool read_positions(const FrameView& frame, const detail::SubscribeHeaders& headers,
                      bus::Subscription& wanted, Subscription& made);
  bool room_for_subscription(const FrameView& frame);
  Subscription& add_subscription(Subscription made, bool named_by_id);
  void end_subscription(Subscription& subscription, std::uint64_t token);
  std::string durable_name(BytesView name) const;
  void write_message(Subscription& subscription, const bus::Delivery& delivery);
  void settle_written(Subscription& subscription);
  Subscription* find_subscription(std::uint64_t number);

  // session_acks.cpp
  void acknowledge(const FrameView& frame, bool positive);
  Subscription* find_delivery(const FrameView& frame, std::uint64_t& id, bool& malformed);

  // session_transactions.cpp
  void begin(const FrameView& frame);
  void commit(const FrameView& frame);
  void abort(const FrameView& frame);
  Transactions::iterator required_transaction(const FrameView& frame, BytesView name);
  /// Counts one more frame in it; false when that is too many (the session has ended).
  bool join(const FrameView& frame, OpenTransaction& transaction);
  /// The same of what a message in it weighs.
  bool charge(const FrameView& frame, OpenTransaction& transaction, std::size_t bytes);
  void drop(OpenTransaction& transaction);

  const SessionOptions* options_;
  Port* port_;
  Bytes* out_;
  Parser parser_;
  std::string number_;
  SessionOrigin origin_;
  State state_ = State::login;
  std::uint8_t held_ = 0;
  bool working_ = false;
  bool calm_ = false;  // heart-beats are left unread
  std::uint16_t close_code_ = 0;
  Version version_ = Version::v1_0;  // until one is agreed: what an early ERROR says is not escaped
  HeartbeatPlan heartbeats_{};
  Instant opened_;
  Instant last_received_;
  Instant last_written_;
  std::string user_;
  std::string client_id_;
  Bytes held_input_;
  std::uint64_t last_number_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_name_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Subscription>> subscriptions_;
  Subscription* last_found_ = nullptr;
  detail::ReceiptLedger owed_;
  detail::Fifo<bus::Delivery> waiting_;
  Transactions transactions_;
  std::size_t transaction_bytes_ = 0;
  std::map<std::string, Target, std::less<>> targets_;
  Target* last_target_ = nullptr;
  BytesView last_target_text_;
  std::uint64_t targets_generation_ = 0;
  std::set<std::string, std::less<>> temporaries_;
  std::string reply_secret_;  // in the names of its temporary queues; made when first needed
  std::optional<std::string> goodbye_;  // the receipt that DISCONNECT asked for
};

}  // namespace hawser::stomp
