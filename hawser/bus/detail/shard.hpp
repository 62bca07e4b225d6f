// The process that owns a part of a bus's queues, or its topics. Internal: Client is the way in.
//
// What one turn asks for is gathered: each client is told once a turn, the store's writer too.
#pragma once

#include <hawser/bus/bus.hpp>
#include <hawser/bus/detail/protocol.hpp>
#include <hawser/bus/detail/queue.hpp>
#include <hawser/bus/detail/topic_table.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/process.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hawser::bus::detail {

/// A name that exists here: somebody uses it, or something is kept under it.
struct Place {
  Destination to;
  std::uint32_t users = 0;  // senders and transactions that hold on to it
  std::unique_ptr<Queue> queue;
  std::unique_ptr<Topic> topic;
  bool touched = false;  // its queue is to be looked at before the turn ends
  // Of a durable subscription:
  struct Target : TopicTarget {
    Place* place = nullptr;
  };
  Target target;
  std::string pattern;
  FilterPtr filter;
  std::vector<std::uint64_t> blocked;  // publishes that wait until the queue has room
};

/// A publish whose confirmation waits until all that was full when it came has room (`block`).
struct BlockedPublish {
  Pid publisher;
  std::uint64_t token = 0;
  bool stored = false;
  bool holds = false;  // its publisher was told to pause
  std::size_t waits_for = 0;
};

/// A transaction that waits for its decision.
struct Prepared {
  struct Held {
    std::uint64_t queue = 0;
    HeldDelivery delivery;
  };
  struct Reserved {
    std::uint64_t queue = 0;
    std::uint64_t bytes = 0;
  };
  struct Publish {
    Place* place = nullptr;
    MessagePtr message;
  };
  std::vector<Held> held;
  std::vector<Reserved> reserved;       // one for each message to a queue or durable subscription
  std::uint32_t retained_messages = 0;  // and of what topics may keep
  std::uint64_t retained_bytes = 0;
  std::uint32_t delayed = 0;
  std::vector<Publish> publishes;
  std::vector<Settlement> others;  // of topics' deliveries: they have nothing to be atomic about
  std::uint32_t parts = 1;
};

/// A process that uses the shard.
struct Peer {
  Pid pid;
  MonitorId monitor{};
  std::vector<Place*> senders;  // by slot
  std::unordered_map<std::uint64_t, std::unique_ptr<Subscriber>> subscriptions;
  std::vector<Destination> temporary;
  std::map<std::uint64_t, Prepared> transactions;
  std::uint32_t holds = 0;  // its messages whose queue was full
  FromShard out;
  bool dirty = false;
};

struct PidHash {
  std::size_t operator()(const Pid& pid) const noexcept {
    return (std::size_t{pid.generation} << 32) ^ (std::size_t{pid.index} * 0x9E3779B97F4A7C15ULL) ^
           reinterpret_cast<std::uintptr_t>(pid.scheduler);
  }
};

struct Flush {};
struct Wake {};
struct GetStatistics {};
struct GetDestinations {
  Destination after;
  std::uint32_t limit = 100;
};

class Shard final : public QueueHost {
 public:
  Shard(std::string bus, unsigned number, unsigned count, std::shared_ptr<const BusOptions> options)
      : bus_(std::move(bus)), number_(number), count_(count), options_(std::move(options)) {}
  Shard(Shard&&) = delete;

  void init();
  void handle_cast(Batch batch);
  void handle_cast(Declare declare);
  void handle_cast(Remove remove);
  void handle_cast(Subscribe subscribe);
  void handle_cast(Unsubscribe unsubscribe);
  void handle_cast(Prepare prepare);
  void handle_cast(Decide decide);
  void handle_cast(Relay relay);
  void handle_cast(Relayed relayed);
  void handle_cast(Stored stored);
  void handle_cast(StoreTrouble trouble) { store_trouble_ = std::move(trouble.error); }
  void handle_cast(RecoveredState state);
  void handle_cast(Flush flush);
  BusStatistics handle_call(GetStatistics);
  std::vector<DestinationStatistics> handle_call(GetDestinations request);
  void handle_info(Info& info);
  std::string describe() const;

 private:
  using Places = std::unordered_map<std::string, std::unique_ptr<Place>>;

  // ---- turns (shard.cpp)
  /// True when the request was put aside: the store has not told yet what is there.
  template <class Request>
  bool later(Request& request);
  void begin_turn();
  void end_turn();
  void settle_touched();
  void flush();
  void arm_timer();
  void tick();
  Peer& peer(Pid pid);
  Peer* find_peer(Pid pid) noexcept;
  void peer_gone(Peer& peer);
  FromShard& out(Peer& peer);
  void answer(Pid whom, std::uint64_t token);
  void refuse(Pid whom, std::uint64_t token, Error error);
  void notice(Pid whom, Notice::Kind kind, std::uint64_t number, std::unique_ptr<Error> error = {});

  // ---- places (places.cpp)
  Places& places(Destination::Kind kind) noexcept;
  Place* find_place(const Destination& to) noexcept;
  /// Made when it is not there; nullptr when there are too many.
  Place* place(const Destination& to);
  Error too_many_places() const;
  void release_place(Place& place);
  void drop_place_if_unused(Place& place);
  Queue& queue(Place& place);
  Queue& make_queue(Place& place, const QueueOptions& options);
  const QueueOptions& default_options(const Destination& to) const;
  void delete_queue(Place& place, const Error& why);
  Place* by_number(std::uint64_t queue) noexcept;
  void touch(Place& place);
  void note_idle(Place& place);

  // ---- publishing (publishing.cpp)
  void attach(Peer& from, Attach attach);
  void publish(Peer* from, Place& place, MessagePtr message, std::uint64_t token);
  void publish_to_queue(Peer* from, Place& place, MessagePtr message, std::uint64_t token);
  void publish_to_topic(Peer* from, Place& place, MessagePtr message, std::uint64_t token);
  /// Why the topic's message cannot be kept as it asks, or not by a durable subscription that must
  /// have it; nothing has been done then.
  std::optional<Error> obstacle(Place& place, const Message& message, std::string_view operation);
  std::optional<Error> obstacle_at_durables(Place& place, const Message& message,
                                            std::string_view operation);
  Error full(const Place& place, std::string_view operation) const;
  void route(const Peer* from, const std::string& name, Topic& topic, const MessagePtr& message);
  enum class Put : std::uint8_t {
    usual,
    moved,  ///< it is stored elsewhere already: whether the store is behind does not matter
  };
  bool put(const Peer* from, Place& place, MessagePtr message, Put how = Put::usual);
  static bool consumes(const Peer* peer, const Queue& queue) noexcept;
  void record_add(Place& place, const MessagePtr& message);
  void offer(const Peer* from, Subscriber& subscriber, const Message& message,
             std::uint32_t& references);
  void pump(Subscriber& subscriber);
  void end_slow();
  /// The publish of this moment waits for what it has found full.
  void block(Peer& from, std::uint64_t token, bool stored);
  void unblock(std::vector<std::uint64_t>& waiting);

  // ---- what topics keep (keeping.cpp)
  void retain(Place& place, const MessagePtr& message);
  void forget_retained(Place& place);
  void apply_retain(Place& place, const MessagePtr& message, Retain what);
  void send_retained(Subscriber& subscriber);
  void delay(Place& place, MessagePtr message);
  void deliver_delayed();
  std::uint64_t keep(Place& place, const MessagePtr& message, std::uint32_t kind);
  void unkeep(Place& place, std::uint64_t sequence);
  void restore_topic(RecoveredQueue recovered);

  // ---- subscriptions (subscribing.cpp)
  Result<void> join(Peer& from, Subscriber& subscriber);
  Result<void> join_topic(Subscriber& subscriber);
  Result<void> join_queue(Peer& from, Subscriber& subscriber);
  Result<void> join_durable(Subscriber& subscriber);
  void leave(Subscriber& subscriber, std::uint64_t last_seen);
  void end_subscription(Subscriber& subscriber, const Error& why);
  void settle(Peer& from, const SettleOp& op);
  void forget(Peer& peer, std::uint64_t number);

  // ---- transactions (transactions.cpp)
  Result<Prepared> prepare(Peer& from, Prepare& request);
  std::optional<Error> prepare_topic(Place& place, const Message& message, Prepared& prepared);
  void unreserve(const Prepared& prepared);
  void commit(Peer& from, Prepared prepared);
  void abort(Peer& from, Prepared prepared);

  // ---- what queues ask for (QueueHost; places.cpp)
  void deliver(Subscriber& consumer, Delivery delivery) override;
  void browse_ended(Subscriber& browser) override;
  void stored_gone(Queue& queue, std::uint64_t sequence) override;
  void stored_delivered(Queue& queue, const Entry& entry) override;
  void dead_letter(Queue& queue, Entry entry, DeadLetterReason reason) override;
  void wants_tick(Queue& queue, std::int64_t wall_ms) override;

  // ---- the store (storing.cpp)
  bool storing() const noexcept { return options_->store != nullptr; }
  bool stores(const Queue& queue, const Message& message) const noexcept {
    return storing() && message.persistent() && queue.options().durable && queue.owner == nullptr;
  }
  void define(Place& place);
  void undefine(Queue& queue);
  /// The store learns in time how far its sequences have come: as many are still to come until it
  /// must know more.
  static constexpr std::uint64_t sequences_ahead = 1ULL << 20;
  void keep_sequence(Place& place);
  void record(StoreChange change);
  bool store_is_behind() const noexcept {
    return unstored_ >= options_->unstored_changes || store_trouble_ != nullptr;
  }
  /// Why nothing more is taken for it, when it is behind.
  Error store_behind(std::string operation) const;
  /// Confirms once everything recorded so far is safe.
  void confirm_when_stored(Pid whom, std::uint64_t token);
  /// How much there was to be stored at a moment of this turn.
  struct Mark {
    std::size_t changes = 0;
    std::uint64_t relay = 0;  // the last dead letter that left for another shard
  };
  Mark mark() const noexcept { return {changes_.changes.size(), last_stored_relay_}; }
  /// The same, if something has been recorded since `before`; else at once.
  void confirm_change(const Mark& before, Pid whom, std::uint64_t token);
  void flush_store(TransactionKey transaction = {}, std::uint32_t parts = 1);
  void restore(RecoveredQueue recovered);
  void log_not_restored(const Destination& what, std::string_view why) const;

  std::string bus_;
  unsigned number_;
  unsigned count_;
  std::shared_ptr<const BusOptions> options_;

  // Looked up on the way of a message at most; walked only for listings.
  Places topics_;
  Places queues_;
  Places durables_;
  TopicTable patterns_;
  std::unordered_map<Pid, std::unique_ptr<Peer>, PidHash> peers_;
  std::unordered_map<std::uint64_t, Place*> numbers_;
  std::uint64_t last_queue_ = 0;

  // This turn's.
  std::int64_t now_ = 0;  // wall clock, ms
  std::vector<Place*> touched_;
  std::vector<Subscriber*> slow_;
  std::vector<Peer*> dirty_;
  std::size_t gathered_ = 0;
  bool flush_asked_ = false;

  // What falls due.
  struct Due {
    std::int64_t at = 0;
    std::uint64_t queue = 0;
  };
  std::vector<Due> due_;  // a heap
  struct DelayedPublish {
    std::int64_t at = 0;
    std::uint64_t order = 0;
    std::string topic;
    MessagePtr message;
    Retain retain = Retain::none;
    std::uint64_t sequence = 0;  // in the store; 0: it is not there
  };
  void push_delayed(DelayedPublish publish);
  std::vector<DelayedPublish> delayed_;  // a heap
  std::uint32_t delayed_reserved_ = 0;   // by transactions
  std::uint64_t delayed_order_ = 0;
  std::int64_t timer_at_ = 0;
  std::optional<Process::TimerId> timer_;

  // Retained messages, in the order of names.
  std::map<std::string, Place*, std::less<>> retained_;
  std::uint64_t retained_bytes_ = 0;
  std::uint32_t retained_reserved_ = 0;  // by transactions
  std::uint64_t retained_reserved_bytes_ = 0;

  // Publishes that wait for room, and what the one of this moment has found full.
  std::map<std::uint64_t, BlockedPublish> blocked_;
  std::uint64_t last_blocked_ = 0;
  std::vector<std::vector<std::uint64_t>*> full_;
  bool full_is_own_ = false;  // one of them is a queue that the publisher itself takes from

  struct Confirmation {
    Pid whom;
    std::uint64_t token = 0;
    Notice::Kind kind = Notice::Kind::committed;
    bool is_notice = false;
  };

  // Dead letters on their way to another shard.
  struct UnderWay {
    std::uint64_t queue = 0;  // stored id
    std::uint64_t sequence = 0;
    bool stored = false;
    /// Of who settled it, and others since `after`, which may be on their way to other shards.
    struct Waiting {
      Confirmation confirmation;
      std::uint64_t after = 0;
    };
    std::vector<Waiting> waiting{};
  };
  /// Confirms once those that left after `after`, up to `last`, are on disk where they went to.
  void confirm_when_moved(const Confirmation& confirmation, std::uint64_t after,
                          std::uint64_t last);
  std::map<std::uint64_t, UnderWay> under_way_;
  std::uint64_t last_relay_ = 0;
  std::uint64_t last_stored_relay_ = 0;

  // The store.
  struct InFlight {
    std::uint64_t token = 0;
    std::size_t changes = 0;
    std::vector<Confirmation> confirmations;
  };
  void confirm(const Confirmation& confirmation);
  void confirm_when_stored(Confirmation confirmation);
  Pid writer_;
  bool ready_ = true;
  std::vector<std::function<void()>> put_aside_;
  StoreBatch changes_;
  std::vector<Confirmation> confirmations_;
  std::deque<InFlight> in_flight_;
  std::uint64_t last_write_ = 0;
  std::size_t unstored_ = 0;
  std::shared_ptr<const Error> store_trouble_;
  bool committing_ = false;  // what is published now has been promised
  std::uint64_t queue_id_base_ = 0;
  std::uint64_t queue_ids_ = 0;

  std::uint64_t subscriptions_ = 0;
  std::uint64_t topic_waiting_bytes_ = 0;
  BusStatistics totals_;  // of what is not counted by a queue that is there
};

}  // namespace hawser::bus::detail
