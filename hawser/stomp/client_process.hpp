// The process of a STOMP client, below its handler: a connection that gets its socket back, the
// session on it, and all that outlives a session: the wanted subscriptions, the outbox, the
// consumers. Public: handlers reach theirs with stomp::client(), others through ClientRef. Belongs
// to its scheduler's thread.
#pragma once

#include <hawser/net/client_connection.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/timer_wheel.hpp>
#include <hawser/stomp/client_messages.hpp>
#include <hawser/stomp/client_options.hpp>
#include <hawser/stomp/client_session.hpp>
#include <hawser/stomp/delivery.hpp>
#include <hawser/stomp/detail/outbox.hpp>
#include <hawser/stomp/detail/unsettled_deliveries.hpp>
#include <hawser/stomp/raw_session.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace hawser::stomp {

class Client : public hawser::Client, private ClientSession::Port, private RawSession::Port {
 public:
  // ---- for the handler; others cast and call the messages of client_messages.hpp
  // ---------------------

  /// Takes the message over: it is sent, or waits its turn. Errors: overloaded (the outbox is
  /// full; with OutboxOverflow::wait too, which only a call can), closed (the client is ending),
  /// cancelled, not_found, unsupported, invalid_argument.
  Result<void> send(Send message);
  /// Wanted from here on, and made as soon as there is a session (S-36). invalid_argument,
  /// overloaded.
  Result<SubscriptionId> subscribe(Subscription subscription);
  Result<void> unsubscribe(SubscriptionId id, bool forget = false);
  Result<Settled> settle(DeliveryTicket ticket, bool good = true, TransactionId transaction = {});
  /// BEGIN is written; whether the broker likes it shows at the end. Errors as Begin.
  Result<TransactionId> begin();
  Result<void> commit(TransactionId id);
  Result<void> abort(TransactionId id);

  /// No more is read after the message that is being told; what is under way stays in the kernel
  /// and at the broker. Heart-beats go on, and the broker is not taken for dead. No SUBSCRIBE is
  /// sent while paused: subscribe() waits for resume(). It holds through reconnections: a session
  /// that begins paused is read, and takes sends and transactions, but has no subscriptions, and
  /// becomes ready only after resume(). An answer to a temporary reply queue, which no SUBSCRIBE
  /// precedes, is told there. Raw mode knows no pause.
  void pause();
  void resume();
  bool paused() const noexcept { return paused_; }
  /// Sends what waits, says DISCONNECT, and ends the process (at once when not connected).
  void close() { close(Reason::normal()); }

  /// Raw mode: these frames in one write. closed when there is no connection.
  Result<void> write_frames(std::span<const Frame> frames);

  /// Logged in, every wanted subscription confirmed; not while a new session waits for resume().
  bool ready() const noexcept { return ready_; }
  const ClientOptions& stomp_options() const noexcept { return *options_; }
  const ClientCounters& counters() const noexcept { return counters_; }
  Status stomp_status() const;
  /// Of the session there is.
  std::optional<AckMode> ack_mode(SubscriptionId id) const noexcept;

  // ---- messages
  // --------------------------------------------------------------------------------------

  void handle_cast(Send message);
  void handle_call(Send message, From<bool> from);
  void handle_call(Subscribe request, From<SubscriptionId> from);
  void handle_call(Unsubscribe request, From<bool> from);
  void handle_cast(Settle message);
  void handle_call(Settle request, From<Settled> from);
  void handle_call(Begin request, From<TransactionId> from);
  void handle_call(Commit request, From<bool> from);
  void handle_call(Abort request, From<bool> from);
  void handle_call(Consume request, From<ConsumerId> from);
  void handle_cast(Processed message);
  void handle_cast(Finish message);
  void handle_cast(EndConsume message);
  void handle_cast(Pause) { pause(); }
  void handle_cast(Resume) { resume(); }
  void handle_cast(Close) { close(); }
  void handle_cast(WriteFrames message);
  Status handle_call(GetStatus) const { return stomp_status(); }
  using hawser::Client::handle_call;
  using hawser::Client::handle_cast;

  std::string describe_state() override;

 protected:
  Client(std::shared_ptr<ConnectionGroup> group, std::shared_ptr<const ClientOptions> options);

  // ---- the handler's side (client.hpp)

  virtual void tell_open() = 0;
  virtual void tell_connect_failed(const Reason& reason) = 0;
  virtual void tell_connected(const FrameView& frame) = 0;
  virtual void tell_ready() = 0;
  virtual void tell_message(const Delivery& delivery) = 0;
  virtual bool takes_batches() const noexcept = 0;
  virtual void tell_messages(std::span<const Delivery> batch) = 0;
  virtual bool takes_parts() const noexcept = 0;
  virtual void tell_part(const Delivery& delivery, BytesView part, bool last) = 0;
  virtual void tell_error(const FrameView& frame) = 0;
  virtual void tell_lost(const Lost& lost) = 0;
  virtual void tell_state(const ClientChange& change) = 0;
  virtual void tell_frames(std::span<const Frame> frames) = 0;
  virtual void tell_error_frame(const Frame& frame) = 0;

  /// A coroutine of the handler has begun to work on a message, or has ended.
  void message_begun();
  void message_done();
  /// True when it was for the client itself.
  bool take_info(Info& info);
  void close(Reason reason);
  void* kind_handler(const TypeInfo& type) noexcept override;

 private:
  static constexpr std::uint64_t send_token = std::uint64_t{1} << 63U;

  struct Consumer {
    Pid pid;
    SubscriptionId subscription{};
    std::uint32_t window = 0;
    std::uint32_t unprocessed = 0;
    MonitorId monitor{};
    bool slow = false;
  };
  /// A message whose consumers have yet to settle it.
  struct Shared {
    std::set<ConsumerId> left;
    bool good = true;
  };
  struct Wanted {
    Subscription what;
    bool by_handler = false;
    std::vector<ConsumerId> consumers{};
    std::uint64_t live = 0;  // its number in the session; 0: none
    bool confirmed = false;  // the broker has said so
    bool put_off = false;    // asked for in a session that was paused
    detail::UnsettledDeliveries unsettled{};
    std::map<std::uint64_t, Shared> shared{};
    std::vector<detail::Outcome> waiting{};  // whoever wants to know that it is live
  };
  struct Blocked {
    Send message;
    detail::Outcome done;
    Instant deadline;
  };
  class TickTimer final : public hawser::Timer {
   public:
    explicit TickTimer(Client& client) noexcept : client_(client) {}

   private:
    void fire() override;
    Client& client_;
  };
  class ResumeMessage;

  // of the connection (client_process.cpp)
  void deliver_connect() override;
  void deliver_state(const ClientChange& change) override;
  bool serves_when_reached() const noexcept override { return options_->raw; }
  void deliver_disconnect(const Reason& reason) override;
  Duration deliver_packet(Packet packet) override;
  bool handles_end() const noexcept override { return false; }
  void deliver_end() override {}
  bool handles_packet_timeout() const noexcept override { return false; }
  void deliver_packet_timeout(BytesView /*partial*/) override {}
  bool handles_drained() const noexcept override { return true; }
  void deliver_drained() override;
  void give_up(Reason reason, bool by_reset) override;
  void deliver_upgrade() override {}
  void deliver_passive() override {}
  void release_resources(const Reason& reason) noexcept override;

  // of the session
  void write(BytesView octets) override;
  void write(const Payload& octets) override;
  void end(Reason reason) override;
  void connected(const FrameView& frame) override;
  void message(std::uint64_t subscription, const FrameView& frame) override;
  void completed(std::uint64_t token, Result<void> outcome) override;
  void error(const FrameView& frame) override;
  bool holding() override;
  FrameView& frame() override;
  bool body_begins(std::uint64_t subscription, const FrameView& head,
                   std::optional<std::uint64_t> length) override;
  void body_part(BytesView octets) override;
  void body_ends(std::uint64_t subscription, const FrameView& head) override;
  void frames(std::span<const Frame> frames) override;

  void tick();
  /// Looks at the clock then, if not sooner.
  void due(Instant at);
  void update_hold();
  void resume_reading();
  bool in_session() const noexcept {
    return session_ && !gone_ && session_->state() == ClientSession::State::open;
  }
  /// Nothing is to be read now.
  bool holds() const noexcept;
  /// There are subscriptions that waited for the end of a pause.
  bool owes_subscriptions() const noexcept {
    return owed_ && !paused_ && !closing_ && in_session();
  }
  void flush_batch();
  void become_ready();
  void go_on_closing();
  void trace(Direction direction, BytesView octets);
  bool subprotocol_agrees() const;

  // client_sending.cpp
  Result<void> accept(Send message, detail::Outcome done, bool may_wait);
  Result<void> enqueue(Send message, detail::Outcome done, Instant deadline);
  void flush_outbox();
  void unblock();
  /// Sends may leave: after the subscriptions, or while those wait for the end of a pause.
  bool serves() const noexcept { return in_session() && (ready_ || paused_); }
  bool may_send();
  Result<void> write_send(detail::Outbox::Entry entry);
  Result<void> write_entry(detail::Outbox::Entry entry);
  void tear_outbox(Lost& lost);
  void drop_overdue();
  Result<void> check_transaction(TransactionId id) const;
  Result<TransactionId> begin(detail::Outcome done);
  Result<void> end_transaction(TransactionId id, bool commits, detail::Outcome done);
  void transaction_over(TransactionId id, bool committed);
  std::uint64_t ask(detail::Outcome done);

  // client_subscriptions.cpp
  Result<SubscriptionId> want(Subscription subscription, bool by_handler, detail::Outcome done);
  std::vector<Header> headers_of(const Subscription& subscription) const;
  /// Asks for what the session is still to have.
  void make_all_live();
  void make_live(SubscriptionId id, Wanted& wanted);
  void made_live(SubscriptionId id, Result<void> outcome);
  Result<void> unwant(SubscriptionId id, bool forget, detail::Outcome done);
  Wanted* wanted(SubscriptionId id) noexcept;
  Wanted* live(std::uint64_t number, SubscriptionId& id) noexcept;
  DeliveryTicket ticket_for(SubscriptionId id, Wanted* wanted, const FrameView& frame);
  Result<Settled> settle(DeliveryTicket ticket, bool good, TransactionId transaction,
                         detail::Outcome done);
  /// Its own `client` mode, by ACKs that reach no other subscription (Dialect::acks_reach_across).
  bool settles_one_by_one(AckMode mode) const noexcept;
  Result<void> write_settle(Wanted& of, std::uint64_t number, bool good, TransactionId transaction,
                            std::uint64_t token);
  void lose_deliveries(Lost& lost);

  // client_consumers.cpp
  void hand_out(SubscriptionId id, Wanted& wanted, const DeliveryTicket& ticket,
                const FrameView& frame);
  void processed(ConsumerId id, std::uint32_t count);
  void finished(ConsumerId consumer, const DeliveryTicket& ticket, bool good);
  void settle_shared(SubscriptionId id, Wanted& wanted);
  void end_consumer(ConsumerId id);

  std::shared_ptr<const ClientOptions> options_;  // shared with the child spec, and never changed
  ClientSessionOptions session_options_;          // with the host that was dialled
  std::optional<ClientSession> session_;
  std::optional<RawSession> raw_;
  TickTimer timer_{*this};
  ClientCounters counters_;

  std::uint64_t sessions_ = 0;  // logins so far: what tickets and transactions belong to
  bool gone_ = false;           // the connection is given up, and the session is about to be told
  bool ready_ = false;
  bool closing_ = false;
  Reason close_reason_;
  Instant close_deadline_ = Instant::never();
  std::uint32_t refusals_ = 0;  // in a row
  bool passing_refusal_ = false;
  std::optional<Reason> final_;  // it ends when this connection has
  bool just_lost_ = false;
  bool subscribed_ = false;  // the session's subscriptions have been asked for
  bool owed_ = false;        // a pause holds some of them back
  Instant confirm_by_ = Instant::never();

  // reading
  bool paused_ = false;
  bool held_ = false;
  bool resume_sent_ = false;
  std::uint32_t unfinished_ = 0;  // coroutines that work on messages
  std::size_t slow_consumers_ = 0;
  std::deque<FrameView> pool_;
  std::vector<Delivery> batch_;
  std::optional<Frame> streaming_;
  DeliveryTicket streaming_ticket_;

  // sending
  detail::Outbox outbox_;
  std::deque<Blocked> blocked_;
  std::string key_prefix_;
  std::map<std::uint64_t, detail::Outcome> asked_;
  std::uint64_t last_token_ = 0;
  std::map<TransactionId, std::string> transactions_;
  std::uint64_t last_transaction_ = 0;
  bool flushing_ = false;

  // subscriptions
  std::map<SubscriptionId, Wanted> wanted_;  // in the order they were asked for
  std::map<std::uint64_t, SubscriptionId> live_;
  std::uint64_t last_subscription_ = 0;
  std::set<SubscriptionId> awaited_;  // of this login
  std::map<ConsumerId, Consumer> consumers_;
  std::uint64_t last_consumer_ = 0;
};

/// The client whose handler's callback or task runs now.
Client& client();

}  // namespace hawser::stomp
