// What a process asks of a topic or queue, and what it is given. Public; plain values.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/message.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::bus {

/// Which messages a subscription wants. Asked on the bus's threads, several at a time: immutable.
class MessageFilter {
 public:
  MessageFilter() = default;
  MessageFilter(const MessageFilter&) = delete;
  MessageFilter& operator=(const MessageFilter&) = delete;
  virtual ~MessageFilter() = default;
  virtual bool accepts(const Message& message) const = 0;
  /// What BusOptions::make_filter makes the same filter of again, after a restart.
  virtual std::string_view text() const = 0;
};
using FilterPtr = std::shared_ptr<const MessageFilter>;

/// What happens when a topic's subscriber is slower than the topic.
enum class SlowSubscriber : std::uint8_t {
  end,          ///< its subscription ends, and it is told so: nobody is left to believe it has all
  drop_oldest,  ///< what waited longest is dropped and counted
  drop_newest,  ///< what comes now is dropped and counted
  /// It gets everything; who publishes to the topic is confirmed, and told to pause meanwhile, only
  /// once less waits for it. Past twice the limits its subscription ends. Nobody waits for itself.
  block,
};

struct TopicLimits {
  std::uint32_t waiting_messages = 10'000;            ///< per subscriber, beyond its prefetch
  std::uint64_t waiting_bytes = 64ULL * 1024 * 1024;  ///< the same in bytes
  SlowSubscriber slow = SlowSubscriber::end;
};

/// What happens when a queue is full.
enum class QueueOverflow : std::uint8_t {
  reject,       ///< the sender is told: overloaded. Of a durable subscription: the topic's sender
  drop_oldest,  ///< the oldest that waits makes room and is counted
  dead_letter,  ///< the oldest that waits goes to the dead-letter queue
  /// The sender is confirmed, and told to pause meanwhile, only once there is room again. Past
  /// twice the limits it is refused.
  block,
};

struct QueueOptions {
  std::uint32_t messages = 100'000;            ///< kept, delivered but unsettled ones included
  std::uint64_t bytes = 256ULL * 1024 * 1024;  ///< the same in bytes
  QueueOverflow overflow = QueueOverflow::reject;
  /// Persistent messages in it are stored, if the bus has a store.
  bool durable = true;
  /// How often a message is given out before it goes to the dead-letter queue, at least 1.
  std::uint32_t deliveries = 7;
  /// A released message waits so long before it is given out again. At most 24 h.
  Duration requeue_delay{0};
  /// No message lives longer, whatever it says itself; zero: no such bound.
  Duration message_ttl{0};
  /// The queue that gets what was rejected or could not be delivered; "": dead_letter_prefix and
  /// the name.
  std::string dead_letter{};
  /// Or none: such messages are dropped and counted.
  bool dead_letters = true;
  /// What expired goes there too.
  bool dead_letter_expired = false;
  /// Without messages, consumers and requests for so long it is forgotten; zero: never. (One that
  /// was not declared keeps to BusOptions::undeclared_expiry.)
  Duration expires{0};
  /// A durable subscription takes one consumer at a time: a second one is refused (already_exists).
  bool single_consumer = false;
  friend bool operator==(const QueueOptions&, const QueueOptions&) = default;
};

/// A subscription as its subscriber wants it.
struct Subscription {
  /// A topic or pattern, a queue, or a durable subscription by its name.
  Destination to{};
  /// For a durable subscription: what fills it, from its first subscriber on. Empty: it must exist.
  std::string pattern{};
  /// For a durable subscription that is new. Its filter (below) decides what is put into it. Its
  /// overflow counts for whoever publishes to its topics: with `reject` and `block` they are
  /// refused or wait as if they had sent to a queue.
  QueueOptions queue{};
  /// At most so many deliveries are unsettled at a time; 0 is no bound.
  std::uint32_t prefetch = 1'024;
  /// The same in bytes; one message may always be.
  std::uint64_t prefetch_bytes = 16ULL * 1024 * 1024;
  FilterPtr filter{};
  /// Of a queue's exclusive consumers the first has all messages; the others stand by.
  bool exclusive = false;
  /// Reads what is in a queue now, takes nothing, and ends.
  bool browse = false;
  /// Nothing that this process publishes itself (topics).
  bool no_local = false;
  /// Of a queue or durable subscription: only messages at this position (Delivery::position) and
  /// beyond; those before stay for the others. 0: all. Topics know `from_now` alone.
  std::uint64_t from = 0;
  /// Only what comes from here on; of a topic also not what it retains.
  static constexpr std::uint64_t from_now = UINT64_MAX;
  /// Topics: other limits than the bus's.
  std::optional<TopicLimits> limits{};
};

/// A message for one subscription. Deliveries of one subscription are numbered 1, 2, 3 …
struct Delivery {
  std::uint64_t subscription = 0;  ///< the number the subscriber chose
  std::uint64_t id = 0;
  MessagePtr message{};
  /// How often it has been given out, this time included.
  std::uint32_t count = 1;
  /// It may have been seen before: somebody had it and did not settle it.
  bool redelivered = false;
  /// Its place in its queue or durable subscription: rises with each message, from 1, with gaps,
  /// and is the same whenever and to whomever it is given out, also after a restart. 0 from topics.
  std::uint64_t position = 0;
};

/// What became of deliveries. For a topic's subscriber and a browser all mean the same: it can take
/// so many more.
enum class Outcome : std::uint8_t {
  accepted,   ///< done with
  released,   ///< back to its place in the queue, counted as delivered once more
  unread,     ///< the same, but nobody has seen it: not counted
  rejected,   ///< to the dead-letter queue
  discarded,  ///< dropped
};

/// Deliveries `first` to `last` of a subscription; those of them that are settled already, or were
/// never made, are passed over.
struct Settlement {
  std::uint64_t subscription = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  Outcome outcome = Outcome::accepted;
};

}  // namespace hawser::bus
