// Calls: a request that is answered exactly once, whatever happens to the callee. The answer is a
// message of its own; an answer that nobody gave (the callee ended, refused, dropped its From)
// tells the caller so. Public: From<R>; the rest serves ref.hpp.
#pragma once

#include <hawser/base/check.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

namespace hawser {

inline constexpr Duration default_call_timeout = 5s;

/// The error a caller gets when its callee ended or refused: not_found, overloaded, timeout or
/// closed.
Error call_error(const Reason& reason);

template <class R>
class From;

namespace detail {
template <class R>
class AnswerMessage;

/// Where a plain thread waits for its answer. Shared, since the thread may give up first.
template <class R>
struct BlockingAnswer {
  Gate gate;
  std::optional<Result<R>> result;
};

/// What a coroutine waits in: a place for the answer, and the deadline.
class CallWaiterBase : public Timer {
 public:
  Waiter waiter;

 protected:
  ~CallWaiterBase() = default;
  virtual void time_out() = 0;

 private:
  static void tell_timed_out(Process& caller);
  void fire() final {
    Process* process = waiter.process();
    if (process == nullptr) return;
    if (process->suspended()) {
      auto& scheduler = process->scheduler();
      scheduler.timers().arm(*this, scheduler.now() + Process::suspended_recheck);
      return;
    }
    tell_timed_out(*process);
    process->run_callback("call time-out", [this] { time_out(); });
  }
};

template <class R>
class CallWaiter : public CallWaiterBase {
 public:
  std::optional<Result<R>> result;
  /// Puts the running process's coroutine to wait; what is answered to the From wakes it.
  From<R> begin(std::coroutine_handle<> coroutine, Duration timeout) {
    Process* caller = Process::current();
    check(caller != nullptr,
          "co_await of a call runs in a task of a process; a plain thread has the blocking form");
    this->waiter.enlist(*caller, coroutine, static_cast<CallWaiter*>(this));
    caller->scheduler().timers().arm(*this, caller->scheduler().now() + timeout);
    return From<R>(std::make_unique<AnswerMessage<R>>(caller->pid(), this->waiter.id()));
  }
  void complete(Result<R>&& answer) {
    cancel();
    result.emplace(std::move(answer));
    waiter.resume();
  }

 private:
  void time_out() final {
    complete(
        std::unexpected(Error{ErrorKind::timeout, 0, "call", "no answer within the time-out"}));
  }
};

/// The answer on its way back; made together with the request, so that answering cannot fail.
template <class R>
class AnswerMessage final : public Message {
 public:
  AnswerMessage(Pid caller, std::uint64_t waiter) noexcept : caller_(caller), waiter_(waiter) {}
  explicit AnswerMessage(std::shared_ptr<BlockingAnswer<R>> blocking) noexcept
      : blocking_(std::move(blocking)) {}

  void deliver(Process& receiver) override {
    receiver.enter_callback("task");
    if (Waiter* waiter = receiver.find_waiter(waiter_)) {
      auto* call = static_cast<CallWaiter<R>*>(waiter->context());
      call->complete(std::move(*result_));
    }
  }
  std::string_view describe() const noexcept override { return "answer to a call"; }
  TraceKind trace_kind() const noexcept override { return TraceKind::answer; }
  bool is_refusable() const noexcept override { return false; }

  Pid caller() const noexcept { return caller_; }

  static void answer(std::unique_ptr<AnswerMessage> message, Result<R> result) {
    if (message->blocking_ != nullptr) {
      const auto blocking = message->blocking_;
      blocking->result.emplace(std::move(result));
      blocking->gate.open();
      return;
    }
    message->result_.emplace(std::move(result));
    const Pid caller = message->caller_;
    Scheduler::send(caller, std::move(message));
  }

 private:
  Pid caller_;
  std::uint64_t waiter_ = 0;
  std::shared_ptr<BlockingAnswer<R>> blocking_;
  std::optional<Result<R>> result_;
};

}  // namespace detail

/// The right, and the duty, to answer one call. Move-only; may be kept and answered later, from
/// any process. Dropped unanswered, the caller gets an error.
template <class R>
class From {
 public:
  From() noexcept = default;
  explicit From(std::unique_ptr<detail::AnswerMessage<R>> answer) noexcept
      : answer_(std::move(answer)) {}
  From(From&&) noexcept = default;
  From& operator=(From&& other) noexcept {
    if (this != &other) {
      give_up();
      answer_ = std::move(other.answer_);
    }
    return *this;
  }
  ~From() { give_up(); }

  /// Still to be answered.
  explicit operator bool() const noexcept { return answer_ != nullptr; }
  /// Who asked; no Pid for a plain thread.
  Pid caller() const noexcept { return answer_ == nullptr ? Pid{} : answer_->caller(); }

  void reply(R value) { answer(Result<R>(std::move(value))); }
  void fail(Error error) { answer(std::unexpected(std::move(error))); }
  void answer(Result<R> result) {
    if (answer_ != nullptr)
      detail::AnswerMessage<R>::answer(std::exchange(answer_, nullptr), std::move(result));
  }

 private:
  void give_up() noexcept {
    if (answer_ != nullptr)
      fail(Error{ErrorKind::closed, 0, "call", "the callee ended without an answer"});
  }
  std::unique_ptr<detail::AnswerMessage<R>> answer_;
};

/// For calls that answer nothing but that they were carried out.
template <>
class From<void>;  // use a reply type such as bool: an answer has a value

namespace detail {

/// Sends a request made by `ask(From<R>)` and waits for its answer on a plain thread.
template <class R, class Ask>
Result<R> wait_for_answer(Environment& environment, Duration timeout, Ask&& ask) {
  const auto answer = std::make_shared<BlockingAnswer<R>>();
  ask(From<R>(std::make_unique<AnswerMessage<R>>(answer)));
  if (!environment.wait(answer->gate, timeout))
    return std::unexpected(Error{ErrorKind::timeout, 0, "call", "no answer within the time-out"});
  return std::move(*answer->result);
}

template <class H, class M>
concept CallsLater = requires { typename M::Reply; } &&
                     requires(H& handler, M message, From<typename M::Reply> from) {
                       handler.handle_call(std::move(message), std::move(from));
                     };
template <class H, class M>
concept CallsNow = requires(H& handler, M message) { handler.handle_call(std::move(message)); };

template <class T>
struct ReplyOf {
  using Type = T;
};
template <class T>
struct ReplyOf<Task<T>> {
  using Type = T;
};
template <class T>
struct ReplyOf<Replied<T>> {
  using Type = T;
};

template <class H, class M>
struct CallReply;
template <class H, class M>
  requires CallsLater<H, M>
struct CallReply<H, M> {
  using Type = typename M::Reply;
};
template <class H, class M>
  requires(CallsNow<H, M> && !CallsLater<H, M>)
struct CallReply<H, M> {
  using Type = typename ReplyOf<
      std::remove_cvref_t<decltype(std::declval<H&>().handle_call(std::declval<M>()))>>::Type;
};

/// Answers when the handler's coroutine comes to its end; when it does not, From tells the caller.
template <class R>
Task<void> answer_when_done(Task<R> task, From<R> from) {
  from.reply(co_await task);
}

template <class H, class M, class R>
class CallMessage final : public Message {
 public:
  CallMessage(M request, From<R> from) : request_(std::move(request)), from_(std::move(from)) {}

  void deliver(Process& receiver) override {
    auto* handler = static_cast<H*>(receiver.handler(type_info<H>));
    if (handler == nullptr) {
      from_.fail(
          Error{ErrorKind::invalid_argument, 0, "call", "the process has another handler type"});
      return;
    }
    receiver.enter_callback("handle_call");
    if constexpr (CallsLater<H, M>) {
      carry_out(receiver,
                [&] { return handler->handle_call(std::move(request_), std::move(from_)); });
    } else {
      auto answer = handler->handle_call(std::move(request_));
      using Answer = decltype(answer);
      if constexpr (is_task<Answer>) {
        receiver.start(answer_when_done<R>(std::move(answer), std::move(from_)));
      } else if constexpr (std::is_same_v<Answer, Replied<R>>) {
        from_.reply(std::move(answer.reply));
        receiver.apply(std::move(answer.next));
      } else {
        from_.reply(std::move(answer));
      }
    }
  }
  void undelivered(Pid, const Reason& reason) noexcept override { from_.fail(call_error(reason)); }
  std::string_view describe() const noexcept override { return type_info<M>.name; }
  TraceKind trace_kind() const noexcept override { return TraceKind::call; }

 private:
  M request_;
  From<R> from_;
};

}  // namespace detail

}  // namespace hawser
