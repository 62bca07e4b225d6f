// Which handle_event of a handler takes an event. Publisher and handler know nothing of each
// other's types, so the types must be read off the handler: from the one handle_event it has, or
// from its list. Internal to the process layer.
#pragma once

#include <hawser/process/event.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/task.hpp>

#include <type_traits>
#include <utility>

namespace hawser::detail {

template <class T>
inline constexpr bool is_event_types = false;
template <class... T>
inline constexpr bool is_event_types<EventTypes<T...>> = true;
/// The name alone does not say so: a handler may be called Events itself.
template <class H>
concept ListsEvents = requires { typename H::Events; } && is_event_types<typename H::Events>;
template <class H>
concept HasOneEvent = requires { &H::handle_event; };
template <class H>
concept HasCatchAllEvent = requires(H& handler, Event& event) { handler.handle_event(event); };

// A name that two bases have is ambiguous, overloaded or not: so H has it when this fails.
struct NamedHandleEvent {
  int handle_event;
};
template <class H>
struct WithSecond : H, NamedHandleEvent {};
template <class H>
inline constexpr bool names_handle_event = [] {
  if constexpr (HasOneEvent<H>) {
    return true;
  } else if constexpr (std::is_class_v<H> && !std::is_final_v<H>) {
    return !requires { &WithSecond<H>::handle_event; };
  } else {
    return false;
  }
}();

template <class Member>
struct EventOf;
template <class R, class H, class Argument, class... More>
struct EventOf<R (H::*)(Argument, More...)> {
  using Type = std::remove_cvref_t<Argument>;
};
template <class R, class H, class Argument, class... More>
struct EventOf<R (H::*)(Argument, More...) const> : EventOf<R (H::*)(Argument, More...)> {};
template <class R, class H, class Argument, class... More>
struct EventOf<R (H::*)(Argument, More...) noexcept> : EventOf<R (H::*)(Argument, More...)> {};
template <class R, class H, class Argument, class... More>
struct EventOf<R (H::*)(Argument, More...) const noexcept> : EventOf<R (H::*)(Argument, More...)> {
};

/// Keeps what the coroutine's parameters refer to for as long as it runs.
inline Task<> holding(Event event, Task<> task) {
  static_cast<void>(event);
  co_await task;
}

template <class Call>
void carry_out_event(Process& process, const Event& event, Call&& call) {
  using Answer = std::remove_cvref_t<std::invoke_result_t<Call>>;
  if constexpr (std::is_same_v<Answer, Task<void>>) {
    process.start(holding(event, call()));
  } else if constexpr (std::is_void_v<Answer>) {
    call();
  } else {
    static_assert(std::is_same_v<Answer, Next>,
                  "handle_event answers void, hawser::Next or hawser::Task<>");
    process.apply(call());
  }
}

/// True when the event is of type T, and has been handled.
template <class T, class H>
bool deliver_event_as(Process& process, H& handler, Event& event) {
  const T* value = event.get<T>();
  if (value == nullptr) return false;
  if constexpr (requires { handler.handle_event(*value, std::as_const(event)); }) {
    carry_out_event(process, event,
                    [&] { return handler.handle_event(*value, std::as_const(event)); });
  } else {
    carry_out_event(process, event, [&] { return handler.handle_event(*value); });
  }
  return true;
}

template <class H, class T>
concept TakesEvent = requires(H& handler, const T& value, const Event& event) {
  handler.handle_event(value, event);
} || requires(H& handler, const T& value) { handler.handle_event(value); };

template <class H, class... T>
bool deliver_listed(Process& process, H& handler, Event& event, EventTypes<T...>) {
  static_assert(
      (TakesEvent<H, T> && ...),
      "each type of `using Events = hawser::EventTypes<…>` needs a handle_event(const T&)");
  return (deliver_event_as<T>(process, handler, event) || ...);
}

/// False when the handler has nothing for an event of this type.
template <class H>
bool deliver_event_to(Process& process, H& handler, Event& event) {
  if constexpr (ListsEvents<H>) {
    if (deliver_listed(process, handler, event, typename H::Events{})) return true;
  } else if constexpr (HasOneEvent<H>) {
    using T = typename EventOf<decltype(&H::handle_event)>::Type;
    if constexpr (!std::is_same_v<T, Event>) return deliver_event_as<T>(process, handler, event);
  } else {
    static_assert(!names_handle_event<H> || HasCatchAllEvent<H>,
                  "a handler with several handle_event lists their types: "
                  "`using Events = hawser::EventTypes<A, B>;`");
  }
  if constexpr (HasCatchAllEvent<H>) {
    carry_out_event(process, event, [&] { return handler.handle_event(event); });
    return true;
  }
  return false;
}

}  // namespace hawser::detail
