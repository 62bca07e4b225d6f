// A supervised STOMP client: one call makes a process that logs in at a broker, and again whenever
// the connection was lost, with its subscriptions made again and its unsent messages sent. Public.
//
//   struct Feed {
//     void handle_message(const stomp::Delivery& message) { use(message.body()); message.ack(); }
//     void handle_disconnect(const Reason& reason) { … }
//   };
//   system.start(stomp::client<Feed>("feed", {
//       .targets = "broker:61613", .session = {.login = "me", .passcode = "…"},
//       .subscriptions = {{"/topic/a", stomp::AckMode::client}}}));
//
// What a handler may define, beside what any handler may (handler.hpp); each answers void or Next
// (keep or stop), and none is called from within another:
//   handle_open()                               the transport is up, before CONNECT (S-03)
//   handle_connect_failed(const Reason&)        it could not be made (S-04)
//   handle_connected([const FrameView&])        logged in: the CONNECTED frame (S-08)
//   handle_ready()                              and every subscription is live
//   handle_message(const Delivery&)             one message; or, taking stomp::Frame and
//                                               DeliveryTicket, a Task<>
//   handle_messages(std::span<const Delivery>)  instead: all that came at once (S-07)
//   handle_body_part(const Delivery&, BytesView part, bool last)
//                                               instead, for bodies from `stream_from` on: pieces
//   handle_error(const FrameView&)              the broker's ERROR (S-11); raw mode: const Frame&
//   handle_disconnect([const Reason& | const Lost&])
//                                               once for each connection that had stood (S-09)
//   handle_state(const ClientChange&)           as any client's
//   handle_frames(std::span<const Frame>)       raw mode
// The callbacks run on the connection's own thread: one that computes long delays the heart-beats
// of its scheduler. Such work belongs to a process elsewhere: see Consume.
#pragma once

#include <hawser/net/client.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/system.hpp>
#include <hawser/stomp/client_messages.hpp>
#include <hawser/stomp/client_options.hpp>
#include <hawser/stomp/client_process.hpp>
#include <hawser/stomp/delivery.hpp>

#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>

namespace hawser::stomp {

template <class H>
concept HasOpen = requires(H& handler) { handler.handle_open(); };
template <class H>
concept HasConnectFailed =
    requires(H& handler, const Reason& reason) { handler.handle_connect_failed(reason); };
template <class H>
concept HasConnected = requires(H& handler) { handler.handle_connected(); };
template <class H>
concept HasConnectedFrame =
    requires(H& handler, const FrameView& frame) { handler.handle_connected(frame); };
template <class H>
concept HasReady = requires(H& handler) { handler.handle_ready(); };
template <class H>
concept HasMessage =
    requires(H& handler, const Delivery& delivery) { handler.handle_message(delivery); };
template <class H>
concept HasMessageTask = requires(H& handler, Frame frame, DeliveryTicket ticket) {
  handler.handle_message(std::move(frame), ticket);
};
template <class H>
concept HasMessages =
    requires(H& handler, std::span<const Delivery> batch) { handler.handle_messages(batch); };
template <class H>
concept HasBodyPart = requires(H& handler, const Delivery& delivery, BytesView part) {
  handler.handle_body_part(delivery, part, true);
};
template <class H>
concept HasError = requires(H& handler, const FrameView& frame) { handler.handle_error(frame); };
template <class H>
concept HasErrorFrame = requires(H& handler, const Frame& frame) { handler.handle_error(frame); };
template <class H>
concept HasLost = requires(H& handler, const Lost& lost) { handler.handle_disconnect(lost); };
template <class H>
concept HasFrames =
    requires(H& handler, std::span<const Frame> frames) { handler.handle_frames(frames); };

template <class H, class Make>
class ClientProcess final : public HandlerProcess<H, Make, Client> {
  using Base = HandlerProcess<H, Make, Client>;

 public:
  ClientProcess(Make make, std::shared_ptr<ConnectionGroup> group,
                std::shared_ptr<const ClientOptions> options)
      : Base(std::move(make), std::move(group), std::move(options)) {}

  void* handler(const TypeInfo& type) noexcept override {
    if (void* kind = this->kind_handler(type)) return kind;
    return Base::handler(type);
  }
  void deliver_info(Info& info) override {
    if (this->take_info(info)) return;
    this->made() ? Base::deliver_info(info) : this->count_unexpected(info.type_name());
  }
  std::string describe_state() override {
    std::string text = Client::describe_state();
    if constexpr (HasDescribe<H>)
      if (std::string own = Base::describe_state(); !own.empty()) text += "; " + own;
    return text;
  }

 protected:
  void initialise() override { this->begin_kind(); }
  void make_handler() override { Base::initialise(); }
  void terminate_handler(Reason& reason) override {
    if (this->made()) Base::terminate_handler(reason);
  }
  /// It says goodbye to its broker, whatever the handler does (F-04).
  bool ends_in_its_own_time() const noexcept override { return this->made(); }
  void deliver_shutdown(const Reason& reason) override {
    if constexpr (HasShutdown<H>) {
      Base::deliver_shutdown(reason);
    } else {
      this->enter_callback("handle_shutdown");
      this->close(Reason::shutdown());
    }
  }

  void tell_open() override {
    if constexpr (HasOpen<H>) notify("handle_open", [&] { return this->hosted().handle_open(); });
  }
  void tell_connect_failed(const Reason& reason) override {
    if constexpr (HasConnectFailed<H>)
      notify("handle_connect_failed", [&] { return this->hosted().handle_connect_failed(reason); });
  }
  void tell_connected(const FrameView& frame) override {
    if constexpr (HasConnectedFrame<H>) {
      notify("handle_connected", [&] { return this->hosted().handle_connected(frame); });
    } else if constexpr (HasConnected<H>) {
      notify("handle_connected", [&] { return this->hosted().handle_connected(); });
    }
  }
  void tell_ready() override {
    if constexpr (HasReady<H>)
      notify("handle_ready", [&] { return this->hosted().handle_ready(); });
  }
  void tell_message(const Delivery& delivery) override {
    if constexpr (HasMessage<H>) {
      using Answer = decltype(this->hosted().handle_message(delivery));
      static_assert(!hawser::detail::is_task<std::remove_cvref_t<Answer>>,
                    "a coroutine outlives the borrowed message: let handle_message take a "
                    "stomp::Frame and a stomp::DeliveryTicket");
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_message(delivery); });
    } else if constexpr (HasMessageTask<H>) {
      this->message_begun();
      this->start(work(this->hosted().handle_message(delivery.to_frame(), delivery.ticket())));
    }
  }
  bool takes_batches() const noexcept override { return HasMessages<H>; }
  void tell_messages(std::span<const Delivery> batch) override {
    if constexpr (HasMessages<H>)
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_messages(batch); });
  }
  bool takes_parts() const noexcept override { return HasBodyPart<H>; }
  void tell_part(const Delivery& delivery, BytesView part, bool last) override {
    if constexpr (HasBodyPart<H>)
      hawser::detail::carry_out(
          *this, [&] { return this->hosted().handle_body_part(delivery, part, last); });
  }
  void tell_error(const FrameView& frame) override {
    if constexpr (HasError<H>) {
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_error(frame); });
    } else if constexpr (HasErrorFrame<H>) {
      tell_error_frame(frame.to_frame());
    }
  }
  void tell_error_frame(const Frame& frame) override {
    if constexpr (HasErrorFrame<H>)
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_error(frame); });
  }
  void tell_lost(const Lost& lost) override {
    if constexpr (HasLost<H>) {
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_disconnect(lost); });
    } else if constexpr (HasDisconnectReason<H>) {
      hawser::detail::carry_out(*this,
                                [&] { return this->hosted().handle_disconnect(lost.reason); });
    } else if constexpr (HasDisconnect<H>) {
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_disconnect(); });
    }
  }
  void tell_state(const ClientChange& change) override {
    if constexpr (HasState<H>)
      notify("handle_state", [&] { return this->hosted().handle_state(change); });
  }
  void tell_frames(std::span<const Frame> frames) override {
    if constexpr (HasFrames<H>)
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_frames(frames); });
  }

 private:
  template <class Call>
  void notify(const char* name, Call&& call) {
    this->enter_callback(name);
    hawser::detail::carry_out(*this, std::forward<Call>(call));
  }
  Task<void> work(Task<void> task) {
    co_await task;
    this->message_done();
  }
};

namespace detail {
/// What a client shares with its successors; the error names every fault.
Result<std::shared_ptr<ConnectionGroup>> client_group(Scheduler& scheduler, const std::string& name,
                                                      const ClientOptions& options);
}  // namespace detail

/// The child spec of a STOMP client whose handler is H, made from copies of `arguments`. Starting
/// it fails with invalid_argument (every wrong option is named) or already_exists (the name is
/// taken); it does not wait for a connection (S-02). It is transient: a login that was refused, or
/// a close(), ends it for good. When it is asked to end it says DISCONNECT and waits for the
/// broker.
template <class H, class... Arguments>
ChildSpec client(std::string name, ClientOptions options, Arguments... arguments) {
  ChildSpec spec;
  spec.id = name;
  spec.restart = Restart::transient;
  spec.shutdown = 2 * options.session.disconnect_timeout + 1s;
  // Shared: by all starts of the spec, and never changed.
  const auto shared = std::make_shared<const ClientOptions>(std::move(options));
  spec.start = [name, shared, kept = std::make_tuple(std::move(arguments)...)](
                   const StartContext& context) -> Result<Pid> {
    auto group = detail::client_group(context.scheduler, name, *shared);
    if (!group) return std::unexpected(std::move(group.error()));
    auto make = [kept] { return std::apply([](const auto&... each) { return H{each...}; }, kept); };
    const SpawnOptions where{.name = name, .parent = context.parent, .mailbox = shared->mailbox};
    return context.scheduler.spawn(
        std::make_unique<ClientProcess<H, decltype(make)>>(std::move(make), *group, shared), where);
  };
  return spec;
}

/// A STOMP client from elsewhere: other processes, coroutines, and (blocking) plain threads.
///
///   auto feed = stomp::client_named(self().system(), "feed");
///   feed.cast(stomp::Send("/queue/a", "hi"));
///   auto sent = co_await feed.ask(stomp::Send("/queue/a", "hi").at_least_once().within(10s));
class ClientRef {
 public:
  ClientRef() noexcept = default;
  explicit ClientRef(Pid pid) noexcept : ref_(pid) {}

  Pid pid() const noexcept { return ref_.pid(); }
  Ref<Client> ref() const noexcept { return ref_; }
  explicit operator bool() const noexcept { return static_cast<bool>(ref_); }

  template <class M>
  bool cast(M&& message) const {
    return ref_.cast(std::forward<M>(message));
  }
  /// co_await: answers as the message's own text says. A Send with a deadline is waited for that
  /// long, all else `timeout`.
  template <class M>
  auto ask(M message, Duration timeout = 35s) const {
    if constexpr (std::is_same_v<M, Send>) {
      // The client itself tells that the deadline has passed; a second is for its answer.
      if (message.deadline > Duration::zero()) timeout = message.deadline + 1s;
    }
    return ref_.call(std::move(message), timeout);
  }

 private:
  Ref<Client> ref_;
};

/// Nobody when there is none of that name now.
inline ClientRef client_named(System& system, std::string_view name) {
  return ClientRef(system.whereis(name));
}

}  // namespace hawser::stomp
