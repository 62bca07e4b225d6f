// Addressing by name wherever a Ref is used: the name is resolved anew at each use, so that it
// reaches whoever has it then, also after a restart. Public; a value; any thread.
#pragma once

#include <hawser/process/ref.hpp>
#include <hawser/process/registry_scope.hpp>
#include <hawser/process/send.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace hawser {

namespace detail {

/// The registry of the System whose process or scheduler runs on this thread; nullptr elsewhere.
const RegistryScope* current_registry() noexcept;
/// The registry of `system`.
const RegistryScope& registry_of(System& system) noexcept;
Result<Pid> resolve(const RegistryScope* scope, std::string_view name);

/// co_await named.call(…): as that of a Ref, but for the error when nobody has the name.
template <class H, class M>
class NamedCallAwaiter final : public CallWaiter<typename CallReply<H, M>::Type> {
 public:
  using R = typename CallReply<H, M>::Type;
  NamedCallAwaiter(Result<Pid> target, M request, Duration timeout)
      : target_(std::move(target)), request_(std::move(request)), timeout_(timeout) {}

  bool await_ready() {
    if (target_) return false;
    this->result.emplace(std::unexpected(std::move(target_.error())));
    return true;
  }
  void await_suspend(std::coroutine_handle<> coroutine) {
    From<R> from = this->begin(coroutine, timeout_);
    Scheduler::send(*target_,
                    std::make_unique<CallMessage<H, M, R>>(std::move(request_), std::move(from)));
  }
  Result<R> await_resume() { return std::move(*this->result); }

 private:
  Result<Pid> target_;
  M request_;
  Duration timeout_;
};

}  // namespace detail

/// Made by named<H>(…).
template <class H>
class Named {
 public:
  Named(std::shared_ptr<const RegistryScope> scope, const RegistryScope* unowned, std::string name)
      : scope_(std::move(scope)), unowned_(unowned), name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  /// Who has the name now. Errors: not_found; invalid_argument when no System was given and the
  /// thread runs no process.
  Result<Ref<H>> resolve() const {
    auto pid = find();
    if (!pid) return std::unexpected(std::move(pid.error()));
    return Ref<H>(*pid);
  }

  /// As Ref::cast. Errors: those of resolve(), and closed when it is known not to arrive (it has
  /// just ended, or its mailbox refused it).
  template <class M>
    requires HandlesCast<H, std::remove_cvref_t<M>>
  Result<void> cast(M&& message) const {
    auto ref = resolve();
    if (!ref) return std::unexpected(std::move(ref.error()));
    if (ref->cast(std::forward<M>(message))) return {};
    return std::unexpected(refused());
  }

  /// As Ref::call: `Result<Reply> answer = co_await named<Clock>("clock").call(message)`. Resolved
  /// when call() is called.
  template <class M>
  auto call(M&& message, Duration timeout = default_call_timeout) const {
    static_assert(
        std::is_lvalue_reference_v<M> || detail::survives_co_await<std::remove_cvref_t<M>>,
        "g++ 12 destroys an aggregate twice that is a temporary in a co_await expression: "
        "name the message first, or give it a constructor");
    return detail::NamedCallAwaiter<H, std::remove_cvref_t<M>>(find(), std::forward<M>(message),
                                                               timeout);
  }

  /// As Ref::call_blocking.
  template <class M>
  auto call_blocking(Environment& environment, M&& message,
                     Duration timeout = default_call_timeout) const
      -> Result<typename detail::CallReply<H, std::remove_cvref_t<M>>::Type> {
    auto ref = resolve();
    if (!ref) return std::unexpected(std::move(ref.error()));
    return ref->call_blocking(environment, std::forward<M>(message), timeout);
  }

  /// As send_info(pid, value); errors as of cast.
  template <class T>
  Result<void> send_info(T&& value) const {
    auto pid = find();
    if (!pid) return std::unexpected(std::move(pid.error()));
    if (hawser::send_info(*pid, std::forward<T>(value))) return {};
    return std::unexpected(refused());
  }

 private:
  Result<Pid> find() const {
    const RegistryScope* scope = scope_ != nullptr ? scope_.get() : unowned_;
    return detail::resolve(scope != nullptr ? scope : detail::current_registry(), name_);
  }
  Error refused() const {
    return {ErrorKind::closed, 0, "cast", "\"" + name_ + "\" has ended or refuses messages"};
  }

  std::shared_ptr<const RegistryScope> scope_;  // shared with the processes named in it
  const RegistryScope* unowned_;                // the registry of a System, which outlives this
  std::string name_;
};

/// In the System whose process uses it.
template <class H>
Named<H> named(std::string name) {
  return Named<H>(nullptr, nullptr, std::move(name));
}
/// In a System, for plain threads too. It must outlive what is answered.
template <class H>
Named<H> named(System& system, std::string name) {
  return Named<H>(nullptr, &detail::registry_of(system), std::move(name));
}
/// In a scope of your own.
template <class H>
Named<H> named(std::shared_ptr<const RegistryScope> scope, std::string name) {
  return Named<H>(std::move(scope), nullptr, std::move(name));
}

}  // namespace hawser
