// One listening socket with the user's word on it, which may be bound before its listener is there:
// so a server that cannot listen, or declines to, is known before anything of it runs. Internal to
// the net layer; belongs to its scheduler's thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/scheduler.hpp>

#include <memory>
#include <string>

namespace hawser::detail {

class ListeningSocket final : private AcceptEvents {
 public:
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  /// Closes it; from another thread (a server that fell apart while it started) by a message home.
  ~ListeningSocket();

  /// Binds (or takes the socket that options.sockets has), without accepting yet, and asks
  /// options.on_listening. Errors: the kernel's, failed with the hook's words, cancelled when it
  /// declines.
  static Result<std::unique_ptr<ListeningSocket>> open(Scheduler& scheduler,
                                                       const std::string& server,
                                                       const Address& address,
                                                       const ServerOptions& options,
                                                       unsigned listener);

  Scheduler& scheduler() const noexcept { return scheduler_; }
  const Address& address() const noexcept { return address_; }
  /// From now on `events` is told.
  void belong_to(AcceptEvents& events) noexcept { events_ = &events; }
  void accept(bool on);

 private:
  explicit ListeningSocket(Scheduler& scheduler) noexcept : scheduler_(scheduler) {}
  void on_accepted(NativeSocket socket) override;
  void on_accept_failed(const Error& error, bool paused) override;

  Scheduler& scheduler_;
  AcceptEvents* events_ = nullptr;
  SocketId id_;
  Address address_;
};

}  // namespace hawser::detail
