// What a STOMP client is asked for, by its own handler (stomp::client()) and by every other process
// or coroutine (ClientRef), and what it answers. Public; plain values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/stomp/client_session.hpp>
#include <hawser/stomp/frame.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp {

// ---- sending
// ------------------------------------------------------------------------------------------

/// How sure a sender wants to be.
enum class Confirm : std::uint8_t {
  none,           ///< it was handed to the connection
  receipt,        ///< the broker has processed it; sent at most once
  at_least_once,  ///< the same, and it is sent again after a lost connection until that is so
};

/// Names an open transaction of a client; 0 is none.
enum class TransactionId : std::uint64_t {};

/// A message to send. As a cast nobody is told how it fared but the counters; as a call the answer
/// is: handed over (Confirm::none), processed by the broker, or an error:
///   overloaded        the outbox is full, or the message was dropped from it for a newer one
///   timeout           `deadline` passed; if it had been sent, nobody knows what became of it
///   closed            the connection was lost before the receipt: nobody knows
///   protocol_error    the broker answered ERROR
///   cancelled         its transaction's session is over
///   invalid_argument  it cannot be sent as it is
struct Send {
  Send() = default;
  Send(std::string to, BytesView octets, std::vector<Header> more = {})
      : destination(std::move(to)), body(octets), headers(std::move(more)) {}
  Send(std::string to, Payload octets, std::vector<Header> more = {})
      : destination(std::move(to)), body(std::move(octets)), headers(std::move(more)) {}

  Send&& with(std::string name, std::string value) && {
    headers.push_back({std::move(name), std::move(value)});
    return std::move(*this);
  }
  Send&& with_receipt() && {
    confirm = Confirm::receipt;
    return std::move(*this);
  }
  Send&& at_least_once() && {
    confirm = Confirm::at_least_once;
    return std::move(*this);
  }
  Send&& within(Duration length) && {
    deadline = length;
    return std::move(*this);
  }
  Send&& in(TransactionId open) && {
    transaction = open;
    return std::move(*this);
  }

  std::string destination{};
  Payload body{};
  std::vector<Header> headers{};
  Confirm confirm = Confirm::none;
  /// From now until the receipt, the time in the outbox included; zero: receipt_timeout of the
  /// session from when it is sent, and as long as it takes before.
  Duration deadline{};
  TransactionId transaction{};
  using Reply = bool;
};

// ---- subscriptions
// ------------------------------------------------------------------------------------

/// A subscription that is wanted: made after each login, until it is taken back.
struct Subscription {
  Subscription() = default;
  Subscription(std::string to, AckMode mode = AckMode::automatic, std::vector<Header> more = {})
      : destination(std::move(to)), ack(mode), headers(std::move(more)) {}

  std::string destination{};
  AckMode ack = AckMode::automatic;
  std::vector<Header> headers{};
  std::string id{};            ///< its name on the wire, the same in every session; "": a number
  std::string durable{};       ///< a durable subscription of that name (topics)
  std::uint32_t prefetch = 0;  ///< unsettled messages at once; 0: as the broker likes
  std::uint64_t prefetch_bytes = 0;
  std::string selector{};

  friend bool operator==(const Subscription&, const Subscription&) = default;
};

enum class SubscriptionId : std::uint64_t {};

/// call: answered when the subscription is live, that is, at the broker's receipt (at once where
/// there are none). Errors: invalid_argument (this dialect cannot express it), overloaded (setting
/// subscriptions), protocol_error (the broker's ERROR; it stays wanted), timeout, closed.
struct Subscribe {
  explicit Subscribe(Subscription what) : subscription(std::move(what)) {}
  Subscription subscription;
  using Reply = SubscriptionId;
};
/// call: no message of it is told any more; answered when the broker has confirmed. `forget` takes
/// a durable subscription away for good.
struct Unsubscribe {
  explicit Unsubscribe(SubscriptionId which, bool forget_durable = false)
      : id(which), forget(forget_durable) {}
  SubscriptionId id;
  bool forget;
  using Reply = bool;
};

// ---- settling
// ----------------------------------------------------------------------------------------------

/// Names one delivered message, to settle it later and from anywhere.
struct DeliveryTicket {
  std::uint64_t session = 0;  ///< ids die with their session
  SubscriptionId subscription{};
  std::uint64_t number = 0;  ///< within the subscription, from 1
  friend bool operator==(const DeliveryTicket&, const DeliveryTicket&) = default;
};

/// What an ACK or NACK came to.
enum class Settled : std::uint8_t {
  sent,          ///< the frame is on its way
  shared,        ///< other consumers have yet to settle it
  before,        ///< it was settled before, be it by a cumulative one
  session_over,  ///< the connection has been lost since: the broker will deliver it again
  automatic,     ///< nothing was to be settled
};

/// call (answers Settled) or cast.
struct Settle {
  Settle(DeliveryTicket which, bool is_good = true, TransactionId in = {})
      : ticket(which), good(is_good), transaction(in) {}
  /// Answered only when the broker has confirmed it (where nothing is sent: at once).
  Settle&& with_receipt() && {
    confirmed = true;
    return std::move(*this);
  }
  DeliveryTicket ticket;
  bool good;  ///< ACK; else NACK
  TransactionId transaction;
  bool confirmed = false;
  using Reply = Settled;
};

// ---- transactions
// --------------------------------------------------------------------------------------

/// call: BEGIN. Errors: closed (there is no session: a transaction cannot be put off), overloaded
/// (setting transactions), unsupported.
struct Begin {
  using Reply = TransactionId;
};
/// call: answered at the receipt. Errors: cancelled (its session is over: nothing of it happened),
/// closed (lost while it was awaited: nobody knows), not_found, timeout, protocol_error.
struct Commit {
  explicit Commit(TransactionId which) : id(which) {}
  TransactionId id;
  using Reply = bool;
};
struct Abort {
  explicit Abort(TransactionId which) : id(which) {}
  TransactionId id;
  using Reply = bool;
};

// ---- consumers in other processes
// --------------------------------------------------------------------

enum class ConsumerId : std::uint64_t {};

/// call: `consumer` gets each message as an Arrival (handle_info) from here on. Equal subscriptions
/// of one client are one on the wire (S-35). It ends with EndConsume or with the process.
struct Consume {
  Consume(Subscription what, Pid whose, std::uint32_t unprocessed = 1'000)
      : subscription(std::move(what)), consumer(whose), window(unprocessed) {}
  Subscription subscription;
  Pid consumer;
  /// So many Arrivals may be unprocessed; then the client stops reading until half are processed.
  std::uint32_t window;
  using Reply = ConsumerId;
};
/// Settling counts as processing; where nothing is to be settled, cast Processed.
struct Arrival {
  Pid client;
  ConsumerId consumer{};
  DeliveryTicket ticket;
  std::shared_ptr<const Frame> message;  ///< shared with the other consumers of the subscription
};
/// cast: `count` more Arrivals have been dealt with.
struct Processed {
  ConsumerId consumer{};
  std::uint32_t count = 1;
};
/// cast: the same, and settles one: a shared message is settled when all its consumers have.
struct Finish {
  ConsumerId consumer{};
  DeliveryTicket ticket;
  bool good = true;
};
/// cast.
struct EndConsume {
  ConsumerId consumer{};
};

// ---- around
// ------------------------------------------------------------------------------------------------

/// cast: no more is read (what is under way stays with the broker and in the kernel), and nothing
/// is subscribed to, in later sessions too; and again. See Client::pause().
struct Pause {};
struct Resume {};
/// cast: flushes, says DISCONNECT, and ends the process.
struct Close {};

/// cast, raw mode: these frames in one write, as they are.
struct WriteFrames {
  explicit WriteFrames(std::vector<Frame> what) : frames(std::move(what)) {}
  std::vector<Frame> frames;
};

/// Of one client since it was started (S-38).
struct ClientCounters {
  std::uint64_t logins = 0;
  std::uint64_t refused_logins = 0;
  std::uint64_t lost = 0;           ///< connections that had stood
  std::uint64_t messages = 0;       ///< MESSAGE frames told to somebody
  std::uint64_t message_bytes = 0;  ///< their bodies
  std::uint64_t batches = 0;        ///< calls of handle_messages
  std::uint64_t sends = 0;          ///< SEND frames written
  std::uint64_t sent_again = 0;     ///< those of them that had been written before
  std::uint64_t sent_bytes = 0;     ///< their bodies
  std::uint64_t receipts = 0;       ///< frames that the broker confirmed
  std::uint64_t failures = 0;       ///< frames whose receipt failed
  std::uint64_t dropped = 0;        ///< messages that left the outbox unsent
  std::uint64_t errors = 0;         ///< ERROR frames
  std::uint64_t acks = 0;
  std::uint64_t nacks = 0;
  std::uint64_t unsettled_lost = 0;     ///< deliveries that their session's end left unsettled
  std::uint64_t transactions_lost = 0;  ///< open when their session ended
  std::uint64_t heartbeats = 0;         ///< written
  std::uint64_t pauses = 0;             ///< times that reading stopped for slow consumers
};

/// call of Ref<stomp::Client>.
struct GetStatus {};
struct Status {
  /// Logged in, and every wanted subscription is live; not in a session that began paused.
  bool connected = false;
  Version version = Version::v1_2;
  std::string server;
  std::string target;
  std::size_t waiting = 0;  ///< messages in the outbox
  std::size_t waiting_bytes = 0;
  std::size_t unconfirmed = 0;    ///< sent, and their receipts not there
  std::size_t unsettled = 0;      ///< delivered in modes that want an ACK
  std::size_t subscriptions = 0;  ///< wanted
  std::size_t consumers = 0;
  std::size_t transactions = 0;
  bool paused = false;
  ClientCounters counters;
};

/// What handle_disconnect may take instead of the reason alone.
struct Lost {
  Reason reason;  ///< the first cause
  /// Delivered and not settled: the broker will deliver them again, with other ids.
  std::vector<DeliveryTicket> unsettled;
  std::size_t sent_again = 0;    ///< sends that will be repeated
  std::size_t unknown = 0;       ///< sends whose fate nobody knows; their senders were told
  std::size_t transactions = 0;  ///< that were open
};

}  // namespace hawser::stomp
