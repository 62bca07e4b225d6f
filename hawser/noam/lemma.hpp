// A supervised lemma: one call makes a process that finds its host, registers, hears and speaks,
// and does all that again whenever the host is lost. Public.
//
//   struct Lamp {
//     void handle_heard(const noam::Event& event) { … }            // sender, topic, value (JSON)
//     void handle_state(const noam::LemmaChange& change) { … }     // optional, and so are the next
//     void handle_loss(const noam::EventLoss& loss) { … }          // events that did not arrive
//     void handle_oddity(noam::Oddity what) { … }                  // what a host should not send
//   };
//   system.start(noam::lemma<Lamp>("lamp", {.guest = "lamp", .room = "lab", .hears = {"light"}}));
//   …
//   noam::lemma().speak("light/state", "true");                    // inside its callbacks
//   Ref<noam::Lemma>(pid).cast(noam::Speak("light/state", "true"));  // from elsewhere
//
//   supervisor NAME (rest_for_one)
//   ├── NAME/link    the connection and the queue of events
//   └── NAME         the handler
// The queue is not the handler's: when a callback throws, the supervisor makes a new handler, the
// lemma registers again, and what waited is sent then, in order.
#pragma once

#include <hawser/noam/lemma_options.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/scheduler.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace hawser::noam {

/// An event as a lemma hears it.
struct Event {
  std::string sender;  ///< whatever its publisher wrote there
  std::string topic;
  std::string value;  ///< JSON; see json.hpp for what it means
};

/// cast to Ref<Lemma>: speaks an event. call: answered with its number once the queue has taken
/// it; invalid_argument (the value is no JSON), overloaded (too long, or the queue is full).
struct Speak {
  Speak() = default;
  Speak(std::string on_topic, std::string json_value)
      : topic(std::move(on_topic)), value(std::move(json_value)) {}
  std::string topic;
  std::string value;
  using Reply = std::uint64_t;
};
/// call of Ref<Lemma>.
struct GetLemmaStatus {
  using Reply = LemmaStatus;
};
/// cast: a heart-beat leaves at once, so that what was spoken is confirmed as soon as can be.
struct Confirm {};
/// cast: gives the host up, if there is one, and searches again.
struct Rediscover {};

/// The process that a lemma's handler lives in.
class Lemma : public Process {
 public:
  /// Speaks an event: sent when connected, after all that was spoken before. `value` is any JSON.
  /// Errors: invalid_argument, overloaded (it is too long for a frame). A full queue is told by
  /// handle_loss.
  Result<void> speak(BytesView topic, BytesView value);

  const LemmaOptions& options() const noexcept { return *options_; }
  /// As the handler was told last.
  LemmaState state() const noexcept { return state_; }

  void handle_cast(Speak message);
  void handle_cast(Confirm message);
  void handle_cast(Rediscover message);
  void handle_call(Speak message, From<std::uint64_t> from);
  void handle_call(GetLemmaStatus message, From<LemmaStatus> from);

  // ---- used by the link

  virtual void deliver_heard(const Event& event) = 0;
  virtual void deliver_state(const LemmaChange& change) = 0;
  virtual void deliver_loss(const EventLoss& loss) = 0;
  virtual void deliver_oddity(Oddity oddity) = 0;
  void state_changed(const LemmaChange& change);

 protected:
  Lemma(std::shared_ptr<const LemmaOptions> options, Pid link)
      : options_(std::move(options)), link_(link) {}
  /// The handler is made: tells the link, which begins to search.
  void attach();

 private:
  std::shared_ptr<const LemmaOptions> options_;
  Pid link_;
  LemmaState state_ = LemmaState::waiting;
};

/// The lemma whose callback or task runs now.
Lemma& lemma();

template <class H>
concept HasHeard = requires(H& handler, const Event& event) { handler.handle_heard(event); };
template <class H>
concept HasLemmaState =
    requires(H& handler, const LemmaChange& change) { handler.handle_state(change); };
template <class H>
concept HasLoss = requires(H& handler, const EventLoss& loss) { handler.handle_loss(loss); };
template <class H>
concept HasOddity = requires(H& handler, Oddity oddity) { handler.handle_oddity(oddity); };

template <class H, class Make>
class LemmaProcess final : public HandlerProcess<H, Make, Lemma> {
  using Base = HandlerProcess<H, Make, Lemma>;

 public:
  using Base::Base;

  void* handler(const TypeInfo& type) noexcept override {
    if (same_type(type, type_info<Lemma>)) return static_cast<Lemma*>(this);
    return Base::handler(type);
  }
  void deliver_heard(const Event& event) override {
    if constexpr (HasHeard<H>) {
      this->enter_callback("handle_heard");
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_heard(event); });
    }
  }
  void deliver_state(const LemmaChange& change) override {
    if constexpr (HasLemmaState<H>) {
      this->enter_callback("handle_state");
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_state(change); });
    }
  }
  void deliver_loss(const EventLoss& loss) override {
    if constexpr (HasLoss<H>) {
      this->enter_callback("handle_loss");
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_loss(loss); });
    }
  }
  void deliver_oddity(Oddity oddity) override {
    if constexpr (HasOddity<H>) {
      this->enter_callback("handle_oddity");
      hawser::detail::carry_out(*this, [&] { return this->hosted().handle_oddity(oddity); });
    }
  }

 protected:
  void initialise() override {
    Base::initialise();
    if (!this->stopping()) this->attach();
  }
};

namespace detail {
/// Starts the handler's process, given the link's.
using StartLemma = std::function<Result<Pid>(
    const StartContext& context, std::shared_ptr<const LemmaOptions> options, Pid link)>;
ChildSpec lemma_spec(std::string name, LemmaOptions options, StartLemma start);
}  // namespace detail

/// The child spec of a lemma whose handler is H, made from copies of `arguments`, anew after each
/// crash. Starting it fails with invalid_argument (every wrong option is named) or already_exists
/// (the name is taken); it does not wait for a host. As many lemmas as you like, under any names.
template <class H, class... Arguments>
ChildSpec lemma(std::string name, LemmaOptions options, Arguments... arguments) {
  return detail::lemma_spec(
      name, std::move(options),
      [name, kept = std::make_tuple(std::move(arguments)...)](
          const StartContext& context, std::shared_ptr<const LemmaOptions> shared,
          Pid link) -> Result<Pid> {
        const auto make = [kept] {
          return std::apply([](const auto&... each) { return H{each...}; }, kept);
        };
        return context.scheduler.spawn(
            std::make_unique<LemmaProcess<H, std::remove_const_t<decltype(make)>>>(
                make, std::move(shared), link),
            {.name = name, .parent = context.parent});
      });
}

}  // namespace hawser::noam
