// A queue: each message goes to one consumer, and stays until that one has settled it. Pure data,
// no I/O, no process and no clock, so that a model can check it. Internal to the bus.
#pragma once

#include <hawser/bus/detail/subscriber.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hawser::bus::detail {

class Queue;

/// Why a message goes to the dead-letter queue; the text of its property dead-letter-reason.
enum class DeadLetterReason : std::uint8_t { rejected, deliveries, expired, overflow };
std::string_view to_string(DeadLetterReason reason) noexcept;

/// What a queue needs of its shard. Called from inside the queue's own functions.
class QueueHost {
 public:
  virtual void deliver(Subscriber& consumer, Delivery delivery) = 0;
  /// A browser has been given all there was; it is no longer the queue's.
  virtual void browse_ended(Subscriber& browser) = 0;
  /// A stored message is gone, or has been given out once more.
  virtual void stored_gone(Queue& queue, std::uint64_t sequence) = 0;
  virtual void stored_delivered(Queue& queue, const Entry& entry) = 0;
  /// `entry` has left the queue (its store has not been told yet) and is to go elsewhere.
  virtual void dead_letter(Queue& queue, Entry entry, DeadLetterReason reason) = 0;
  /// tick() is wanted at that time.
  virtual void wants_tick(Queue& queue, std::int64_t wall_ms) = 0;

 protected:
  ~QueueHost() = default;
};

/// A delivery that a transaction settles: it is the transaction's until that is decided.
struct HeldDelivery {
  Entry entry;
  std::uint64_t subscription = 0;
  std::uint64_t id = 0;
  Outcome outcome = Outcome::accepted;
};

class Queue {
 public:
  /// `number` is the queue's for ever, in its shard.
  Queue(std::uint64_t number, std::string name, const QueueOptions& options, QueueHost& host);

  enum class Room : std::uint8_t {
    yes,
    over,  ///< to be taken, but its sender is to wait (overflow block)
    no,
  };
  /// Whether there is room for a message of that size; what must go for it goes now.
  Room make_room(std::size_t size);
  /// What make_room() would say, but for a queue that lets something go: that takes whatever comes.
  Room room(std::size_t size) const noexcept;
  /// Puts a message at the end, for which there is room. It gets next_sequence().
  void push(MessagePtr message, bool stored, std::int64_t now);
  /// One that was there before a restart; by rising sequence, before anything else.
  /// `expires`: what expiry() was when it came, 0 for never.
  void restore(MessagePtr message, std::uint64_t sequence, std::uint32_t deliveries,
               std::int64_t expires, std::int64_t now);
  /// Positions below this were given out before the restart, also those of messages long gone.
  void continue_at(std::uint64_t sequence) noexcept {
    next_sequence_ = std::max(next_sequence_, sequence);
  }
  /// When a message that arrives now expires, by its own word or the queue's; 0: never.
  std::int64_t expiry(const Message& message, std::int64_t now) const noexcept;

  void subscribe(Subscriber& consumer);
  /// It goes; what it has not settled comes back, up to `last_seen` as delivered.
  void unsubscribe(Subscriber& consumer, std::uint64_t last_seen, std::int64_t now);
  void settle(Subscriber& consumer, std::uint64_t first, std::uint64_t last, Outcome outcome,
              std::int64_t now);
  /// Gives out what it can: as long as there are messages and consumers that want them.
  void dispatch(std::int64_t now);
  /// Drops what has expired, brings forth what was delayed. dispatch() is the caller's.
  void tick(std::int64_t now);

  // ---- transactions
  // ------------------------------------------------------------------------------

  /// Takes deliveries out of the consumer's hands; false, and nothing taken, when one of them is
  /// settled or unknown.
  bool hold(Subscriber& consumer, const Settlement& settlement, std::vector<HeldDelivery>& held);
  /// It is settled as it says. `consumer`: who had it, if it is still there.
  void finish(HeldDelivery held, Subscriber* consumer, std::int64_t now);
  /// It is unsettled again in the hands of `consumer`, or, if it is gone, back in the queue.
  void give_back(HeldDelivery held, Subscriber* consumer, std::int64_t now);
  /// Keeps room for so much; false when there is none.
  bool reserve(std::uint64_t messages, std::uint64_t bytes) noexcept;
  void unreserve(std::uint64_t messages, std::uint64_t bytes) noexcept {
    reserved_messages_ -= messages;
    reserved_bytes_ -= bytes;
  }

  // ---- what it is
  // --------------------------------------------------------------------------------

  std::uint64_t number() const noexcept { return number_; }
  const std::string& name() const noexcept { return name_; }
  const QueueOptions& options() const noexcept { return options_; }
  void set_options(const QueueOptions& options) { options_ = options; }
  std::uint64_t next_sequence() const noexcept { return next_sequence_; }
  std::uint64_t messages() const noexcept { return messages_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t unsettled() const noexcept { return unsettled_; }
  std::uint64_t unsettled_bytes() const noexcept { return unsettled_bytes_; }
  std::uint64_t delayed() const noexcept { return delayed_.size(); }
  std::size_t consumers() const noexcept { return consumers_.size(); }
  const std::vector<Subscriber*>& consumer_list() const noexcept { return consumers_; }
  const std::vector<Subscriber*>& browsers() const noexcept { return browsers_; }
  /// Below its limits.
  bool has_room() const noexcept {
    return messages_ + reserved_messages_ < options_.messages &&
           bytes_ + reserved_bytes_ < options_.bytes;
  }
  /// Nothing in it and nobody at it.
  bool idle() const noexcept {
    return messages_ == 0 && consumers_.empty() && browsers_.empty() && reserved_messages_ == 0;
  }
  /// When the oldest message came, wall clock in ms; 0 without one that waits.
  std::int64_t oldest() const noexcept;

  struct Counters {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::uint64_t settled = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t dropped = 0;
    std::uint64_t expired = 0;
    std::uint64_t dead_lettered = 0;
  };
  const Counters& counters() const noexcept { return counters_; }

  // ---- the shard's notes on it
  // -------------------------------------------------------------------

  Place* place = nullptr;
  std::uint64_t stored_id = 0;  ///< its definition is in the store under this; 0: it is not
  /// What the store knows of next_sequence(): after a restart it goes on here.
  std::uint64_t stored_next = 0;
  bool declared = false;
  Peer* owner = nullptr;  ///< of a temporary queue
  bool idle_noted = false;
  std::int64_t idle_since = 0;
  std::int64_t tick_at = 0;  ///< the earliest tick() the shard has noted; 0 for none

 private:
  struct Delayed {
    std::int64_t at = 0;
    Entry entry;
  };
  struct Expiry {
    std::int64_t at = 0;
    std::uint64_t sequence = 0;
    std::uint8_t priority = 0;
  };
  struct Group {
    Subscriber* owner = nullptr;
    std::uint64_t messages = 0;  // of it, in the queue
  };
  static constexpr std::size_t idle_groups = 1'024;
  /// Marks the place of a delivery that a transaction has taken out of its consumer's hands.
  static constexpr std::uint32_t in_transaction = UINT32_MAX;

  std::uint64_t room_factor() const noexcept {
    return options_.overflow == QueueOverflow::block ? 2 : 1;
  }
  std::int64_t expiry_of(const Entry& entry) const noexcept {
    return expiry(*entry.message, entry.arrived);
  }
  bool fits(std::size_t size, std::uint64_t factor) const noexcept {
    return messages_ + reserved_messages_ + 1 <= factor * options_.messages &&
           bytes_ + reserved_bytes_ + size <= factor * options_.bytes;
  }
  bool expired(const Entry& entry, std::int64_t now) const noexcept {
    const std::int64_t at = expiry_of(entry);
    return at != 0 && at <= now;
  }
  /// Back, or new (`fresh`), among those that wait.
  void enqueue(Entry&& entry, bool fresh = false);
  void delay(Entry entry, std::int64_t at);
  void requeue(Entry entry, bool seen, bool wait, std::int64_t now);
  void expire(Entry entry);
  /// The message is no longer the queue's concern.
  void forget(const Entry& entry);
  void drop(const Entry& entry);
  void kill(Entry entry, DeadLetterReason reason);
  Entry take_oldest();
  void give(Subscriber& consumer, Entry&& entry);
  void settle_one(Subscriber& consumer, Entry&& entry, Outcome outcome, std::int64_t now);
  static void trim_held(Subscriber& consumer) noexcept;
  static bool leave_transaction(const HeldDelivery& held, Subscriber* consumer) noexcept;
  Subscriber* next_consumer() noexcept;
  void dispatch_simply(std::int64_t now);
  void dispatch_picking(std::int64_t now);
  bool give_one_to(Subscriber& consumer, std::int64_t now);
  Entry take_at(std::uint8_t priority, std::size_t index);
  std::size_t find(const Ring<Entry>& ring, std::uint64_t sequence) const noexcept;
  void trim(std::uint8_t priority) noexcept;
  void pump_browser(Subscriber& browser, std::int64_t now);
  void release_groups_of(const Subscriber& consumer);
  void want(std::int64_t at);

  std::uint64_t number_;
  std::string name_;
  QueueOptions options_;
  QueueHost* host_;
  std::array<Ring<Entry>, highest_priority + 1> ready_{};  // by sequence
  std::array<std::uint32_t, highest_priority + 1> holes_{};
  std::uint32_t present_ = 0;     // a bit for each priority that has entries (or holes)
  std::vector<Delayed> delayed_;  // a heap, the earliest first
  std::vector<Expiry> expiries_;  // a heap, the earliest first; some are of messages long gone
  std::vector<Subscriber*> consumers_;
  std::vector<Subscriber*> browsers_;
  std::unordered_map<std::string, Group> groups_;  // looked up; walked only to release
  std::uint64_t next_sequence_ = 1;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t ready_count_ = 0;
  std::uint64_t unsettled_ = 0;
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t reserved_messages_ = 0;
  std::uint64_t reserved_bytes_ = 0;
  std::uint64_t grouped_ = 0;  // messages with a group, in the queue
  std::uint32_t choosy_ = 0;   // consumers that do not want every message
  std::uint32_t exclusives_ = 0;
  std::size_t turn_ = 0;  // the consumer asked first for the next message
  bool busy_ = false;     // nobody had room when last asked, and nothing has changed since
  Counters counters_;
};

}  // namespace hawser::bus::detail
