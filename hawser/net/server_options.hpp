// Everything a server can be told, with its defaults; and what it answers about itself. Public;
// plain values.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection_counters.hpp>
#include <hawser/net/connection_options.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/process.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

/// An Address or its text ("127.0.0.1:7007", "[::]:0", "unix:/run/x.sock"; see Address::parse).
class ListenAddress {
 public:
  ListenAddress(const char* text) : address_(Address::parse(text)) {}
  ListenAddress(const std::string& text) : address_(Address::parse(text)) {}
  ListenAddress(Address address) : address_(std::move(address)) {}
  const Result<Address>& parsed() const noexcept { return address_; }

 private:
  Result<Address> address_;
};

/// How connections come to their schedulers.
enum class AcceptSpread : std::uint8_t {
  /// One listener; each connection goes to the scheduler that has the fewest.
  hand_over,
  /// A listener on each scheduler (SO_REUSEPORT): the kernel spreads, and a connection stays where
  /// it was accepted. Not for Unix sockets.
  per_scheduler,
};

/// What happens when there are max_connections.
enum class AtLimit : std::uint8_t {
  leave_in_backlog,  ///< accepting pauses: clients wait in the kernel's backlog until one ends
  close,             ///< new ones are accepted and closed at once
};

struct ServerOptions {
  /// Where to listen. Port 0 asks the kernel for one; server_status() tells which.
  ListenAddress listen = "127.0.0.1:0";
  Framing framing = length_prefixed(2);
  /// What stands between socket and packets, the lowest first: {tls_server(…)}. None: plain.
  TransportMakers transports{};
  /// Deadlines and bounds of each connection.
  ConnectionOptions connection{};
  /// Connections on all schedulers together.
  std::size_t max_connections = 10'000;
  AtLimit at_limit = AtLimit::leave_in_backlog;
  AcceptSpread spread = AcceptSpread::hand_over;
  /// How long connections get to end when the server is stopped; then they are killed.
  Duration drain_deadline = 10s;
  /// Bound and listening, but not accepting until resume_server().
  bool start_suspended = false;
  /// Connections that the kernel keeps ready (capped by its somaxconn).
  int backlog = 4096;
  bool ipv6_only = false;          ///< for "[::]": leave IPv4 alone
  std::uint32_t unix_mode = 0600;  ///< permission bits of a Unix socket's file
  StreamOptions socket{};          ///< of each connection: no_delay, keep_alive, buffers
  MailboxLimit mailbox{};          ///< of each connection
  /// After an accept that failed for want of descriptors or memory, the next one waits so long.
  Duration accept_pause = 100ms;
  /// Restarts of the listener (it never ends for what a peer does) before the server gives up.
  unsigned intensity = 10;
  Duration period = 10s;

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// A server's figures, since it was started.
struct ServerStatus {
  std::string name;
  Address address;  ///< where it listens, with the real port
  bool accepting = false;
  std::string not_accepting_because;  ///< "suspended", "at max_connections", "out of descriptors…"
  std::size_t connections = 0;        ///< open now, those on their last bytes included
  std::size_t max_connections = 0;
  std::vector<std::size_t> per_scheduler;
  std::uint64_t accepted = 0;
  std::uint64_t accept_errors = 0;
  std::uint64_t refused = 0;      ///< closed at once at the limit (AtLimit::close)
  std::uint64_t started = 0;      ///< those whose init came through
  std::uint64_t not_started = 0;  ///< those whose init ended them, or for which there was no room
  std::array<std::uint64_t, ConnectionCounters::reason_kinds> ended{};  ///< by Reason::Kind
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t pauses = 0;   ///< times a connection stopped reading at its high-water mark
  std::uint64_t cut_off = 0;  ///< ends whose last bytes did not leave within the flush deadline

  std::uint64_t ended_by(Reason::Kind kind) const noexcept {
    return ended[static_cast<std::size_t>(kind)];
  }
};

}  // namespace hawser
