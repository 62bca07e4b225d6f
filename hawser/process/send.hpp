// Plain messages: any value to any process, which finds it in handle_info. Public; from any thread.
#pragma once

#include <hawser/process/info.hpp>
#include <hawser/process/message.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace hawser {

/// A value on its way to handle_info.
template <class T>
class InfoMessage final : public Message {
 public:
  explicit InfoMessage(T value) : value_(std::move(value)) {}
  void deliver(Process& receiver) override {
    Info info(type_info<T>, value_);
    receiver.deliver_info(info);
  }
  std::string_view describe() const noexcept override { return type_info<T>.name; }
  TraceKind trace_kind() const noexcept override { return TraceKind::info; }

 private:
  T value_;
};

/// Sends `value` to `target`'s handle_info. False when it is known not to arrive: the process is
/// dead or its mailbox refused it (only known when it lives on the caller's scheduler).
template <class T>
bool send_info(Pid target, T&& value) {
  using Value = std::remove_cvref_t<T>;
  return Scheduler::send(target, std::make_unique<InfoMessage<Value>>(std::forward<T>(value)));
}

/// An exit signal from outside of any process, as OTP's exit/2. A process without a parent that
/// traps exits takes it as its parent's: it ends. Any thread.
void send_exit(Pid target, Reason reason);

}  // namespace hawser
