// What clients and shards tell each other. Internal to the bus; plain values.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/store.hpp>
#include <hawser/bus/subscription.hpp>
#include <hawser/bus/transaction.hpp>
#include <hawser/process/pid.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace hawser::bus::detail {

/// Which of `count` shards has it.
std::uint32_t shard_index(const Destination& to, std::uint32_t count) noexcept;

// ---- client to shard
// ----------------------------------------------------------------------------------

/// From now on `slot` of this client stands for the destination, or for none.
struct Attach {
  std::uint32_t slot = 0;
  bool detach = false;
  Destination to;
};
struct PublishOp {
  std::uint32_t slot = 0;
  MessagePtr message;
  std::uint64_t token = 0;
};
struct SettleOp {
  Settlement what;
  std::uint64_t token = 0;
};
/// What one turn of a client brought. Settlements are done first: they make room.
struct Batch {
  Pid from;
  std::vector<Attach> attaches;
  std::vector<SettleOp> settlements;
  std::vector<PublishOp> publishes;
  std::uint64_t echo = 0;  // not 0: to be sent back when the batch is done
};
struct Declare {
  Pid from;
  Destination to;
  QueueOptions options;
  bool temporary = false;
  std::uint64_t token = 0;
};
struct Remove {
  Pid from;
  Destination to;
  bool force = false;
  std::uint64_t token = 0;
};
struct Subscribe {
  Pid from;
  std::uint64_t number = 0;
  Subscription what;
  std::uint64_t token = 0;
  bool duplicate = false;  // its number is in use: to be refused
};
struct Unsubscribe {
  Pid from;
  std::uint64_t number = 0;
  std::uint64_t last_seen = 0;
  std::uint64_t token = 0;
};
/// A transaction's part for one shard. With one part it is decided at once, and confirmed or
/// refused by `token`; else the answer is a Prepared, and a Decide follows.
struct Prepare {
  Pid from;
  std::uint64_t id = 0;
  std::uint32_t parts = 1;
  std::vector<Transaction::Publish> publishes;
  std::vector<Settlement> settlements;
  std::uint64_t token = 0;
};
struct Decide {
  Pid from;
  std::uint64_t id = 0;
  bool commit = false;
};

// ---- shard to client
// ----------------------------------------------------------------------------------

struct Answer {
  std::uint64_t token = 0;
  std::unique_ptr<const Error> error{};  // none: it is done
};
struct Notice {
  enum class Kind : std::uint8_t {
    ended,         // subscription `number`
    not_joined,    // subscription `number` was refused
    browse_ended,  // subscription `number`
    hold,          // a queue of this shard is full: pause
    go_on,         // and no longer
    prepared,      // transaction `number`
    committed,     // transaction `number`: this shard's part is done, and safe
  };
  Kind kind = Kind::ended;
  std::uint64_t number = 0;
  std::unique_ptr<const Error> error{};
};
/// What one turn of a shard has for one client, in this order.
struct FromShard {
  Pid shard;
  std::vector<Answer> answers;
  std::vector<Delivery> deliveries;
  std::vector<Notice> notices;
  std::uint64_t echo = 0;
};

// ---- shard to shard
// -----------------------------------------------------------------------------------

/// A dead letter for a queue that lives elsewhere.
struct Relay {
  Pid from;
  std::uint64_t token = 0;
  Destination to;
  MessagePtr message;
};
struct Relayed {
  std::uint64_t token = 0;
  bool taken = false;
};

// ---- shards and the store's writer
// ----------------------------------------------------------------------

/// Names a transaction whose parts come from several shards and are written together.
struct TransactionKey {
  Pid owner;
  std::uint64_t id = 0;
  friend bool operator==(const TransactionKey&, const TransactionKey&) noexcept = default;
  friend auto operator<=>(const TransactionKey&, const TransactionKey&) noexcept = default;
};
struct WriteChanges {
  Pid from;
  std::uint64_t token = 0;
  StoreBatch batch;
  TransactionKey transaction{};
  std::uint32_t parts = 1;  // of the transaction; with 1 there is none
};
/// Everything up to this token is safe.
struct Stored {
  std::uint64_t token = 0;
};
/// The store cannot be written, and why; with none, it can again.
struct StoreTrouble {
  std::shared_ptr<const Error> error;
};
/// Which queues are there for shard `number` of `count`?
struct Recover {
  Pid from;
  std::uint32_t number = 0;
  std::uint32_t count = 1;
};
struct RecoveredState {
  Recovered recovered;
};

}  // namespace hawser::bus::detail
