// A process's access to a bus: gathers what one turn asked for, tells each shard in one message,
// and takes the shards' answers apart. Public; a member of the handler whose process uses the bus,
// used on its thread only.
//
//   void handle_packet(Packet p) { …client_.publish(to, message, token)…; client_.flush(); }
//   void handle_info(Info& info) { if (client_.handle(info)) client_.flush(); else … }
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/bus/destination.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/bus/subscription.hpp>
#include <hawser/bus/transaction.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hawser::bus {

/// Kept by the client per destination it publishes to, so that nobody hashes a name per message.
struct Sender {
  std::uint32_t slot = UINT32_MAX;
  std::uint32_t generation = 0;
};

struct ClientOptions {
  /// Messages on their way to one shard, which has not looked at them yet, before paused().
  std::uint32_t window_messages = 8'192;
  std::uint64_t window_bytes = 8ULL * 1024 * 1024;  ///< the same in bytes
  /// Destinations it keeps a Sender for; the one that came first makes room.
  std::uint32_t senders = 256;
};

/// What the bus tells. Called from inside Client::handle only. A token is what the request came
/// with; requests with token 0 are not confirmed, but refused they are.
class ClientEvents {
 public:
  /// In the order of each subscription. Messages may be moved out.
  virtual void delivered(std::span<Delivery> deliveries) = 0;
  /// What was asked is done; what is persistent of it, is on disk.
  virtual void confirmed(std::uint64_t token) = 0;
  /// What was asked could not be done, and nothing of it was.
  virtual void refused(std::uint64_t token, const Error& error) = 0;
  /// The bus ended a subscription by itself: its subscriber was too slow (overloaded), or its queue
  /// was removed (not_found). Its deliveries need not be settled any more.
  virtual void subscription_ended(std::uint64_t subscription, const Error& error) = 0;
  /// The browser has been given all there was.
  virtual void browse_ended(std::uint64_t subscription) = 0;
  /// paused() has changed.
  virtual void pause_changed(bool paused) = 0;

 protected:
  ~ClientEvents() = default;
};

class Client {
 public:
  /// Inside a callback of the process that will use it. `events` must outlive it.
  Client(Bus bus, ClientEvents& events, ClientOptions options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // ---- publishing ------------------------------------------------------------------------------

  /// For many messages to one destination.
  Sender sender(const Destination& to);
  /// Confirmed once the message is where it is sent to: in the topic's subscribers' hands or
  /// limits, in the queue, and on disk if it is persistent and the queue durable. Refused when the
  /// queue is full, or too many destinations exist (overloaded). A topic without subscribers drops.
  /// False when the sender has made room for others: ask for it again. The message, which it takes
  /// otherwise, is left alone then.
  bool publish(Sender to, MessagePtr& message, std::uint64_t token = 0);
  void publish(const Destination& to, MessagePtr message, std::uint64_t token = 0);

  /// The bus has enough of this process for now: a shard lags behind, or a queue with overflow
  /// `block` is full. It should stop reading its peer until pause_changed(false).
  bool paused() const noexcept { return pauses_ > 0; }

  // ---- queues ----------------------------------------------------------------------------------

  /// Makes a queue or changes its options. `temporary`: it belongs to this process, which alone may
  /// subscribe to it (refused: refused), is never stored, and goes with it.
  void declare(const Destination& queue, const QueueOptions& options, bool temporary,
               std::uint64_t token);
  /// Removes a queue or durable subscription and what is in it. Refused (refused) while somebody is
  /// subscribed to it, unless `force` ends those; not_found.
  void remove(const Destination& queue, bool force, std::uint64_t token);

  // ---- subscriptions ---------------------------------------------------------------------------

  /// `number`, of this process's choice, names the subscription from now on. Confirmed before its
  /// first delivery (a new durable one when it is on disk, which may be later). Refused:
  /// already_exists (the number; a durable subscription with another pattern or filter; one that
  /// takes one consumer and has it), not_found, overloaded, invalid_argument (the pattern), refused
  /// (another's temporary queue).
  void subscribe(std::uint64_t number, Subscription subscription, std::uint64_t token);
  /// No delivery follows that was not already on its way; that one is to be dropped. What is
  /// unsettled goes back to its place in the queue: up to `last_seen` as redelivered, what came or
  /// comes after it as never seen.
  void unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::uint64_t token);
  /// Confirmed (if token is not 0) when it is done, and on disk where that matters. Unknown numbers
  /// are passed over.
  void settle(const Settlement& settlement, std::uint64_t token = 0);

  // ---- transactions ----------------------------------------------------------------------------

  /// All of it or nothing, at all shards at once, visible to nobody before. Refused: what the
  /// publishes say; not_found when a delivery is no longer this process's to settle. Then
  /// everything is as it was before: a new transaction may try again.
  void commit(Transaction transaction, std::uint64_t token);

  // ---- turns -----------------------------------------------------------------------------------

  /// Sends what has been gathered: at the end of each callback that used it.
  void flush();
  /// True when it came from the bus; then the events have been called.
  bool handle(Info& info);
  /// Subscriptions it has.
  std::size_t subscriptions() const noexcept;

 private:
  struct State;
  template <class Request>
  void send(std::uint32_t shard, Request request);
  void flush_shard(std::uint32_t index);
  void prepared(std::uint64_t id, std::uint32_t shard, const Error* error);
  void committed(std::uint64_t id);
  void add_pause();
  void remove_pause();

  std::unique_ptr<State> state_;
  std::uint32_t pauses_ = 0;
  bool gathered_ = false;  // something for flush(): most callbacks have nothing
};

}  // namespace hawser::bus
