// Taking the listening sockets over from the program that runs now, so that a new version of it
// starts without one refused connection. Public; the new program's side. The old one's side is
// ListenerHandover (hawser/net/listener_handover.hpp).
//
// The old program serves a Unix socket that only its user can open. Lines of text, version 1:
//
//   new → old   HANDOVER 1
//   old → new   SOCKET own NAME     for each listening socket, the descriptor with the line; "own":
//               SOCKET leave NAME   whoever has it last ends it; "leave": somebody else (systemd)
//   old → new   END COUNT           holds it too. Both programs may accept from here on
//   new → old   TAKEN               it accepts; the old one must stop
//   old → new   STOPPED             it accepts no more, and drains; then it closes
//
// Instead of SOCKET or END the old one may say REFUSED and why. If the new one closes without
// TAKEN, nothing has happened. Lines end with LF and have at most 1024 bytes.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/inherited_sockets.hpp>
#include <hawser/engine/native_socket.hpp>

#include <string>
#include <utility>
#include <vector>

namespace hawser {

class TakeOver {
 public:
  struct Options {
    /// The longest wait for each answer of the old program.
    Duration limit = 10s;
    /// Sockets that are taken at most.
    std::size_t sockets = 4096;
  };

  /// Asks the program that serves `path` for its listening sockets. Blocks: call it before the
  /// System starts, or by Engine::run_blocking. Both programs must have the same user (or the old
  /// one be root's). Errors: not_found and refused (nobody serves the path: start as usual),
  /// refused (with the old program's words), protocol_error, timeout, closed.
  static Result<TakeOver> begin(const std::string& path, Options options);
  static Result<TakeOver> begin(const std::string& path) { return begin(path, Options{}); }

  /// All sockets, each with its server's name. To be kept until the servers have them.
  std::vector<InheritedSocket> take_sockets() noexcept { return std::exchange(sockets_, {}); }

  /// Our servers accept: the old program stops accepting and drains. Blocks until it says that it
  /// has stopped. After an error it may still accept, or be gone.
  Result<void> confirm();

 private:
  explicit TakeOver(NativeSocket stream) noexcept : stream_(std::move(stream)) {}
  Result<void> ask(Options options);
  Result<std::string> next_line();
  Result<void> say(const std::string& line);

  NativeSocket stream_;
  std::string unread_;
  std::vector<NativeSocket> unnamed_;
  std::vector<InheritedSocket> sockets_;
};

}  // namespace hawser
