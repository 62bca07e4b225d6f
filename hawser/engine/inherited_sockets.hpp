// Listening sockets that somebody else made: systemd (socket activation), a parent process, or the
// program whose work this one takes over (take_over.hpp); and telling systemd that we are ready.
// Public. Environment variables are read, and removed, by one call at the start of main; the rest
// may be called from any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/native_socket.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

struct InheritedSocket {
  /// systemd: FileDescriptorName=; a hand-over: the server's name; a descriptor: "fd:3".
  std::string name{};
  Address address{};
  NativeSocket socket{};
  /// Somebody else holds it too and will go on to: our end must not end the listening, nor remove
  /// the file of a Unix socket (ListenOptions::leave_at_close).
  bool leave_at_close = true;
};

/// What systemd says by environment variables; "" where it says nothing.
struct ServiceEnvironment {
  std::string listen_pid{};      ///< LISTEN_PID: whom the descriptors are for
  std::string listen_fds{};      ///< LISTEN_FDS: how many, from 3 on
  std::string listen_fdnames{};  ///< LISTEN_FDNAMES: their names, with ':' between
  std::string notify_socket{};   ///< NOTIFY_SOCKET: where to say READY=1
};

/// Reads the variables and removes them, so that programs we start do not take them for theirs.
/// Once, at the start of main: no other thread may read or write the environment meanwhile.
ServiceEnvironment take_service_environment();

/// The sockets that systemd passes, in its order, made close-on-exec; none when it passes none to
/// process `pid` (ours). A socket without a name is called "unknown", as systemd itself does.
/// Errors: invalid_argument for variables that contradict themselves, or for a descriptor that is
/// closed or no listening stream socket; the text names it, and nothing is taken then.
Result<std::vector<InheritedSocket>> systemd_sockets(const ServiceEnvironment& environment,
                                                     int pid);

/// The listening socket behind a descriptor number that the caller was told ("fd:3" on the command
/// line). It is owned from now on. Errors: invalid_argument, as above.
Result<InheritedSocket> inherited_descriptor(int number);

/// The user whose rights this program has: whose Unix peers are its own (PeerCredentials::uid).
std::uint32_t effective_user() noexcept;

/// Tells systemd (sd_notify): "READY=1", "STOPPING=1", "STATUS=…", "RELOADING=1"; one a line. At
/// once; does nothing when there is no notify_socket. Errors: what sending a datagram can fail
/// with.
Result<void> notify_service(const ServiceEnvironment& environment, std::string_view state);

}  // namespace hawser
