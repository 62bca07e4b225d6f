// The observer: a Unix socket that only the program's own user can open, on which `hawser observe`
// (or any program that speaks its JSON, docs/observation.md) sees a running System and gives a few
// orders. Public; started from a plain thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace hawser {
class System;
}

namespace hawser::hub {

struct ObserverOptions {
  /// "unix:/run/user/1000/hawser/4242.sock". Its file has mode 0600; whoever connects must also be
  /// of this program's user, or root. A file that a program has left behind is taken over.
  std::string listen{};
  /// Who may look at once; the next one is closed at once.
  std::size_t max_observers = 8;
  /// Buses whose figures are shown.
  std::vector<std::string> buses{};
  /// What the program calls itself, and its version, in the answer to "program".
  std::string program = "hawser";
  std::string version{};
};

/// Starts it under the root supervisor as the server "observer": first, so that it is the last to
/// end and a drain can be watched. Errors: invalid_argument (no Unix address), and those of any
/// server (already_exists, refused).
Result<Address> start_observer(System& system, const ObserverOptions& options);

/// Where the observer of process `process` of this user is looked for, its folder made on the way:
/// $XDG_RUNTIME_DIR/hawser/PID.sock, else /tmp/hawser-UID/PID.sock. Error: refused when the folder
/// is there and somebody else's, or open to others.
Result<std::string> default_observer_path(int process);
/// Folder of the above; it need not be there.
std::string observer_folder();

}  // namespace hawser::hub
