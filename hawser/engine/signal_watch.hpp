// SIGTERM, SIGINT and SIGHUP as calls on a thread of their own. Public; one at a time in a program.
#pragma once

#include <hawser/base/time.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace hawser {

/// While it lives, the signals given are taken by its thread and do not end the program: they are
/// blocked in the thread that made it (and in those started from there on). The old mask comes back
/// with the destructor.
class SignalWatch {
 public:
  /// A signal this close after the same one is taken for the same wish: timeout(1), shells and
  /// container runtimes signal a program and then its group, and the program sees both. Not so
  /// SIGHUP: a file may have changed between two of them, and reading it once more does no harm.
  static constexpr Duration echo = 100ms;

  /// `on_signal(number)` runs on the watch's own thread, one call at a time.
  SignalWatch(const std::vector<int>& signals, std::move_only_function<void(int)> on_signal);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hawser
