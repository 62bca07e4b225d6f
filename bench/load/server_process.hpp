// A server program under measurement: started, pinned, waited for until it is ready, and stopped in
// every case. Public; one thread (the kernel ends the server when that thread does).
#pragma once

#include <bench/load/command.hpp>
#include <bench/load/sockets.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <string>

namespace hawser::bench {

struct ServerOptions {
  int cpu = -1;                        ///< the CPU it may run on; below 0: any
  Duration start_limit = 15s;          ///< to print its ready line
  std::string ready_field = "packet";  ///< of the ready line: where the load goes
  Duration stop_limit = 5s;            ///< to end after SIGTERM, before SIGKILL
};

class ServerProcess {
 public:
  /// Starts the program in a process group of its own and waits for its ready line. It dies with
  /// the calling thread. Errors: invalid_argument (command or ready line), not_found, refused (no
  /// such program), closed (it ended first), timeout; the text holds its last words on stderr.
  static Result<ServerProcess> start(const Command& command, const ServerOptions& options);

  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&& other) noexcept;
  ~ServerProcess();

  const Ready& ready() const noexcept { return ready_; }

  /// Throws away what the server printed, so that it never waits for a reader.
  void drain_output() noexcept;

  /// False when the program has ended.
  bool running() noexcept;

  /// Its last line on stderr, or an empty one.
  std::string last_words() const;

  /// SIGTERM, then SIGKILL after the limit; returns when it has ended. Once is enough.
  void stop() noexcept;

 private:
  ServerProcess() = default;
  Result<void> await_ready();

  ServerOptions options_{};
  pid_t child_ = 0;
  bool reaped_ = true;
  Descriptor output_{};
  Descriptor errors_{};
  Ready ready_{};
};

}  // namespace hawser::bench
