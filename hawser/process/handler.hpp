// From a user's handler to a process: which callbacks a type has is found by concepts, and what
// they answer (nothing, a Next, a Task) is carried out the same way for each. Public.
//
// A handler of a plain process may define any of
//   init()                         -> void | Next             first of all, inside spawn
//   handle_cast(Message)           -> void | Next | Task<>    overload by message type
//   handle_call(Message)           -> Reply | Task<Reply> | Replied<Reply>
//   handle_call(Message, From<R>)  -> void | Next | Task<>    answers later; Message::Reply names R
//   handle_info(Info&)             -> void | Next             what send_info sent, and Exit, Down
//   handle_event(const T&)         -> void | Next | Task<>    what is published to a group it has
//                                                             joined; may take a const Event& too.
//                                                             Several: list the types in
//                                                             `using Events = EventTypes<T, U>`
//   handle_event(Event&)           -> void | Next | Task<>    events of any other type
//   timeout()                      -> void | Next             after keep().timeout(…)
//   handle_timer(std::string_view) -> void | Next             a timer of start_timer, by its name
//   handle_timer(std::string)      -> void | Next | Task<>    the same, with the name to keep
//   handle_shutdown(const Reason&) -> void | Next | Task<>    its parent asks it to end (or has
//                                                             ended); it stops itself when it is
//                                                             ready. Without it: stops at once.
//                                                             A suspended process is resumed first
//   terminate(const Reason&)       -> void | Reason           last of all, unless killed by force;
//                                                             a Reason is what links, monitors and
//                                                             supervisors are told in place of the
//                                                             one there was
//   describe() const               -> std::string             its state in words, for the observer
//                                                             and the crash report; hidden there by
//                                                             static constexpr bool redact_state
#pragma once

#include <hawser/process/detail/event_delivery.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/task.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hawser {

template <class H>
concept HasInit = requires(H& handler) { handler.init(); };
template <class H>
concept HasInfo = requires(H& handler, Info& info) { handler.handle_info(info); };
template <class H>
concept HasTimeout = requires(H& handler) { handler.timeout(); };
template <class H>
concept HasTimer = requires(H& handler, std::string_view name) { handler.handle_timer(name); };
template <class H>
concept HasTimerCopy =
    requires(H& handler, std::string name) { handler.handle_timer(std::move(name)); };
template <class H>
concept HasShutdown =
    requires(H& handler, const Reason& reason) { handler.handle_shutdown(reason); };
template <class H>
concept HasTerminate = requires(H& handler, const Reason& reason) { handler.terminate(reason); };
template <class H>
concept HasDescribe = requires(const H& handler) {
  { handler.describe() } -> std::convertible_to<std::string>;
};
/// `static constexpr bool redact_state = true;`: describe() is kept from logs and the observer.
template <class H>
concept RedactsState = requires { requires H::redact_state; };
template <class H, class M>
concept HandlesCast = requires(H& handler, M message) { handler.handle_cast(std::move(message)); };

/// A reply together with what the handler does next: `return Replied{value, stop()}`.
template <class R>
struct Replied {
  R reply;
  Next next;
};
template <class R>
Replied(R, Next) -> Replied<R>;

namespace detail {
template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

/// Carries out whatever a callback that answers nothing, a Next or a Task<> answered.
template <class Call>
void carry_out(Process& process, Call&& call) {
  using Answer = std::invoke_result_t<Call>;
  if constexpr (std::is_void_v<Answer>) {
    call();
  } else if constexpr (std::is_same_v<std::remove_cvref_t<Answer>, Task<void>>) {
    process.start(call());
  } else {
    static_assert(std::is_same_v<std::remove_cvref_t<Answer>, Next>,
                  "a callback answers void, hawser::Next or hawser::Task<>");
    process.apply(call());
  }
}
}  // namespace detail

/// The handler's place in a process: absent before init and after the end, without a heap block.
template <class H>
class HandlerPlace {
 public:
  HandlerPlace() noexcept {}
  HandlerPlace(const HandlerPlace&) = delete;
  HandlerPlace& operator=(const HandlerPlace&) = delete;
  ~HandlerPlace() { reset(); }

  /// Built in place from a function's answer: the handler need not be movable.
  template <class Make>
  void emplace(Make&& make) {
    ::new (static_cast<void*>(&handler_)) H(std::forward<Make>(make)());
    there_ = true;
  }
  void reset() noexcept {
    if (std::exchange(there_, false)) handler_.~H();
  }
  bool there() const noexcept { return there_; }
  H& operator*() noexcept { return handler_; }
  H* operator->() noexcept { return &handler_; }

 private:
  union {
    H handler_;
  };
  bool there_ = false;
};

/// Puts handler H into a process. `Base` is Process, or a layer's own kind of process (a
/// connection), which adds the handler's other callbacks. `Make` answers the handler by value and
/// runs inside the new process, so that a constructor may already use self().
template <class H, class Make, class Base = Process>
class HandlerProcess : public Base {
 public:
  template <class... BaseArguments>
  explicit HandlerProcess(Make make, BaseArguments&&... base)
      : Base(std::forward<BaseArguments>(base)...), make_(std::move(make)) {}

  const TypeInfo& handler_type() const noexcept override { return type_info<H>; }
  void* handler(const TypeInfo& type) noexcept override {
    return place_.there() && same_type(type, type_info<H>) ? &*place_ : nullptr;
  }

  void deliver_info(Info& info) override {
    if constexpr (HasInfo<H>) {
      this->enter_callback("handle_info");
      detail::carry_out(*this, [&] { return place_->handle_info(info); });
    } else {
      this->count_unexpected(info.type_name());
    }
  }

  bool redacts() const noexcept override { return RedactsState<H>; }

  void deliver_event(Event& event) override {
    this->enter_callback("handle_event");
    if (!detail::deliver_event_to(*this, *place_, event)) this->count_unexpected(event.type_name());
  }

  std::string describe_state() override {
    if constexpr (HasDescribe<H> && RedactsState<H>) {
      return place_.there() ? "(redacted)" : std::string{};
    } else if constexpr (HasDescribe<H>) {
      return place_.there() ? place_->describe() : std::string{};
    } else {
      return Base::describe_state();
    }
  }

 protected:
  void initialise() override {
    place_.emplace(make_);
    if constexpr (HasInit<H>) detail::carry_out(*this, [&] { return place_->init(); });
  }
  void deliver_timeout() override {
    if constexpr (HasTimeout<H>) {
      detail::carry_out(*this, [&] { return place_->timeout(); });
    } else {
      this->stop(Reason::timeout("nothing came, and the handler has no timeout()"));
    }
  }
  void deliver_timer(std::string_view name) override {
    if constexpr (HasTimer<H>) {
      using Answer = decltype(place_->handle_timer(name));
      static_assert(!detail::is_task<std::remove_cvref_t<Answer>>,
                    "a coroutine outlives the view of its timer's name: let handle_timer take a "
                    "std::string");
      detail::carry_out(*this, [&]() -> Answer { return place_->handle_timer(name); });
    } else if constexpr (HasTimerCopy<H>) {
      detail::carry_out(*this, [&] { return place_->handle_timer(std::string(name)); });
    } else {
      Base::deliver_timer(name);
    }
  }
  bool ends_in_its_own_time() const noexcept override { return HasShutdown<H>; }
  void deliver_shutdown(const Reason& reason) override {
    if constexpr (HasShutdown<H>) {
      this->enter_callback("handle_shutdown");
      detail::carry_out(*this, [&] { return place_->handle_shutdown(reason); });
    }
  }
  void terminate_handler(Reason& reason) override {
    if constexpr (HasTerminate<H>) {
      if (!place_.there()) return;
      const Reason given = reason;
      using Answer = decltype(place_->terminate(given));
      if constexpr (std::is_void_v<Answer>) {
        place_->terminate(given);
      } else {
        static_assert(std::is_same_v<std::remove_cvref_t<Answer>, Reason>,
                      "terminate answers void, or the hawser::Reason that others are told");
        reason = place_->terminate(given);
      }
    }
  }
  void destroy_handler() noexcept override { place_.reset(); }

  H& hosted() noexcept { return *place_; }

 private:
  [[no_unique_address]] Make make_;
  HandlerPlace<H> place_;
};

}  // namespace hawser
