// What a coroutine of a connection can wait for: the next packet, room for one more, its packet on
// the wire. Public through connection(); only inside the connection's own tasks.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/net/file_to_send.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <coroutine>
#include <optional>
#include <string_view>
#include <utility>

namespace hawser {

class Connection;

/// See Connection::receive().
class [[nodiscard]] ReceiveAwaiter final : private Timer {
 public:
  ReceiveAwaiter(Connection& connection, Duration timeout) noexcept
      : connection_(connection), timeout_(timeout) {}
  ~ReceiveAwaiter();

  bool await_ready();
  void await_suspend(std::coroutine_handle<> coroutine);
  Result<Bytes> await_resume() { return std::move(*result_); }

 private:
  friend class Connection;
  void fire() override;
  /// Resumes the coroutine; this object may be gone afterwards.
  void complete(Result<Bytes> result);

  Connection& connection_;
  Duration timeout_;
  Waiter waiter_;
  std::optional<Result<Bytes>> result_;
};

/// See Connection::send() and write().
class [[nodiscard]] SendAwaiter final {
 public:
  enum class Until : std::uint8_t { room, written };
  SendAwaiter(Connection& connection, Payload packet, Until until) noexcept
      : connection_(connection), packet_(std::move(packet)), until_(until) {}
  SendAwaiter(const SendAwaiter&) = delete;
  SendAwaiter& operator=(const SendAwaiter&) = delete;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> coroutine);
  Result<void> await_resume() { return std::move(result_); }

 private:
  Connection& connection_;
  Payload packet_;
  Until until_;
  Waiter waiter_;
  Result<void> result_;
};

/// See Connection::send_file().
class [[nodiscard]] FileAwaiter final {
 public:
  FileAwaiter(Connection& connection, FileToSend file) noexcept
      : connection_(connection), file_(std::move(file)) {}
  FileAwaiter(const FileAwaiter&) = delete;
  FileAwaiter& operator=(const FileAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine);
  Result<void> await_resume() { return std::move(result_); }

 private:
  Connection& connection_;
  FileToSend file_;
  Waiter waiter_;
  Result<void> result_;
};

}  // namespace hawser
