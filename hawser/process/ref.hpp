// A typed reference to a process: what its handler can be told and asked is checked when compiling.
// Public; a small value, valid for ever (a process that has ended is a plain miss); from any
// thread.
#pragma once

#include <hawser/process/call.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace hawser {

namespace detail {

template <class H, class M>
class CastMessage final : public Message {
 public:
  explicit CastMessage(M message) : message_(std::move(message)) {}
  void deliver(Process& receiver) override {
    auto* handler = static_cast<H*>(receiver.handler(type_info<H>));
    if (handler == nullptr) {
      receiver.count_unexpected(describe());
      return;
    }
    receiver.enter_callback("handle_cast");
    carry_out(receiver, [&] { return handler->handle_cast(std::move(message_)); });
  }
  std::string_view describe() const noexcept override { return type_info<M>.name; }
  TraceKind trace_kind() const noexcept override { return TraceKind::cast; }

 private:
  M message_;
};

/// Whether a temporary of this type may stand in a co_await expression. With g++ 12 an aggregate
/// that needs its destructor may not: its bytes are copied into the coroutine's frame, and both
/// copies are destroyed.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
template <class M>
inline constexpr bool survives_co_await =
    !std::is_aggregate_v<M> || std::is_trivially_destructible_v<M>;
#else
template <class M>
inline constexpr bool survives_co_await = true;
#endif

/// co_await ref.call(…)
template <class H, class M>
class CallAwaiter final : public CallWaiter<typename CallReply<H, M>::Type> {
 public:
  using R = typename CallReply<H, M>::Type;
  CallAwaiter(Pid target, M request, Duration timeout)
      : target_(target), request_(std::move(request)), timeout_(timeout) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    From<R> from = this->begin(coroutine, timeout_);
    Scheduler::send(target_,
                    std::make_unique<CallMessage<H, M, R>>(std::move(request_), std::move(from)));
  }
  Result<R> await_resume() { return std::move(*this->result); }

 private:
  Pid target_;
  M request_;
  Duration timeout_;
};

}  // namespace detail

template <class H>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(Pid pid) noexcept : pid_(pid) {}

  Pid pid() const noexcept { return pid_; }
  explicit operator bool() const noexcept { return static_cast<bool>(pid_); }
  friend bool operator==(const Ref&, const Ref&) noexcept = default;

  /// Tells without waiting: the handler's handle_cast(message). False when it is known not to
  /// arrive.
  template <class M>
    requires HandlesCast<H, std::remove_cvref_t<M>>
  bool cast(M&& message) const {
    using Value = std::remove_cvref_t<M>;
    return Scheduler::send(
        pid_, std::make_unique<detail::CastMessage<H, Value>>(std::forward<M>(message)));
  }

  /// Asks, from a coroutine of a process: `Result<Reply> answer = co_await ref.call(message)`.
  /// Errors: not_found (no such process), closed (it ended first), overloaded (its mailbox is
  /// full), timeout (the answer, should it still come, is dropped).
  template <class M>
  auto call(M&& message, Duration timeout = default_call_timeout) const {
    static_assert(
        std::is_lvalue_reference_v<M> || detail::survives_co_await<std::remove_cvref_t<M>>,
        "g++ 12 destroys an aggregate twice that is a temporary in a co_await expression: "
        "name the message first, or use ref.call_new<Message>(members…), or give it a "
        "constructor");
    return detail::CallAwaiter<H, std::remove_cvref_t<M>>(pid_, std::forward<M>(message), timeout);
  }

  /// call(M{arguments…}) with the default time-out, for any compiler and any message.
  template <class M, class... Arguments>
  auto call_new(Arguments&&... arguments) const {
    return detail::CallAwaiter<H, M>(pid_, M{std::forward<Arguments>(arguments)...},
                                     default_call_timeout);
  }

  /// Asks from a plain thread (main, a test) and waits. Never from inside a callback.
  template <class M>
  auto call_blocking(Environment& environment, M&& message,
                     Duration timeout = default_call_timeout) const
      -> Result<typename detail::CallReply<H, std::remove_cvref_t<M>>::Type> {
    using Value = std::remove_cvref_t<M>;
    using R = typename detail::CallReply<H, Value>::Type;
    return detail::wait_for_answer<R>(environment, timeout, [&](From<R> from) {
      Scheduler::send(pid_, std::make_unique<detail::CallMessage<H, Value, R>>(
                                std::forward<M>(message), std::move(from)));
    });
  }

 private:
  Pid pid_;
};

}  // namespace hawser
