// Everything a server can be told, with its defaults; and what it answers about itself. Public;
// plain values.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/connection_counters.hpp>
#include <hawser/net/connection_options.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/server_events.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/supervisor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

class SocketExchange;

/// An Address or its text ("127.0.0.1:7007", "[::]:0", "unix:/run/x.sock"; see Address::parse), or
/// a socket that somebody else has bound and ServerOptions::sockets holds: "systemd:NAME", "fd:3".
class ListenAddress {
 public:
  ListenAddress(const char* text) : ListenAddress(std::string(text)) {}
  ListenAddress(const std::string& text) : inherited_(inherited_name(text)) {
    if (inherited_.empty()) address_ = Address::parse(text);
  }
  ListenAddress(Address address) : address_(std::move(address)) {}
  /// No address for an inherited socket: its own tells.
  const Result<Address>& parsed() const noexcept { return address_; }
  /// The name of the inherited socket ("NAME", "fd:3"); "" for an address.
  const std::string& inherited() const noexcept { return inherited_; }

 private:
  static std::string inherited_name(const std::string& text) {
    constexpr std::string_view systemd = "systemd:";
    if (text.starts_with(systemd)) return text.substr(systemd.size());
    return text.starts_with("fd:") ? text : std::string{};
  }

  Result<Address> address_;
  std::string inherited_;
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
  shed,              ///< new ones get the few bytes that ServerOptions::shed answers, then a close
};

/// What becomes of the listening socket while the server is suspended.
enum class SuspendMode : std::uint8_t {
  keep_socket,   ///< clients connect and wait in the kernel's backlog
  close_socket,  ///< clients are refused; resuming takes the same port again
};

/// A socket that has just been bound and listens, and from which nothing has been accepted yet.
struct BoundListener {
  Address address;         ///< with the real port
  int descriptor = -1;     ///< for setsockopt; under sim a number of the simulated kernel
  unsigned listener = 0;   ///< which one of the server's, from 0
  unsigned scheduler = 0;  ///< where its connections are accepted
};

/// What a hook on a bound socket answers.
class ListenAnswer {
 public:
  static ListenAnswer go_on() { return ListenAnswer(Kind::go_on, {}); }
  /// The server (or this acceptor, if it is not the first) shall not be there; nothing is wrong.
  static ListenAnswer decline() { return ListenAnswer(Kind::decline, {}); }
  /// Starting it fails with this text.
  static ListenAnswer fail(std::string why) { return ListenAnswer(Kind::fail, std::move(why)); }

  bool declines() const noexcept { return kind_ == Kind::decline; }
  bool fails() const noexcept { return kind_ == Kind::fail; }
  const std::string& why() const noexcept { return why_; }

 private:
  enum class Kind : std::uint8_t { go_on, decline, fail };
  ListenAnswer(Kind kind, std::string why) : kind_(kind), why_(std::move(why)) {}
  Kind kind_;
  std::string why_;
};

/// Sent to ConnectionKeeper::pid.
struct ConnectionStarted {
  std::string server;
  ConnectionInfo info;
};
struct ConnectionEnded {
  std::string server;
  ConnectionInfo info;  ///< its last figures
  Reason reason;
};

/// Whoever keeps a list of connections outside of the server: functions, a process, or a child of
/// the server's own tree. Without one nothing is kept but what the server itself knows.
struct ConnectionKeeper {
  /// Called on the connection's scheduler, in its connection supervisor. What they throw is logged.
  std::function<void(const ConnectionInfo&)> started{};
  std::function<void(const ConnectionInfo&, const Reason&)> ended{};
  /// Gets a ConnectionStarted and a ConnectionEnded of each connection, in that order.
  Pid pid{};
  /// The same for a process that the server starts first and ends last.
  std::optional<ChildSpec> child{};

  bool wanted() const noexcept { return started || ended || pid || child.has_value(); }
};

/// What a server may be told to do otherwise while it runs. All but the limit is for connections
/// that come from now on; those that are there keep what they started with.
struct SetServerOptions {
  std::optional<std::size_t> max_connections{};  ///< what is open beyond it stays
  std::optional<ConnectionOptions> connection{};
  std::optional<Framing> framing{};
  std::optional<TransportMakers> transports{};
  std::optional<MailboxLimit> mailbox{};
  std::optional<bool> trace_connections{};
  using Reply = bool;

  std::vector<std::string> faults() const;
};

struct ServerOptions {
  /// Where to listen. Port 0 asks the kernel for one; server_status() tells which.
  ListenAddress listen = "127.0.0.1:0";
  /// Sockets from elsewhere, and the means to pass ours on (socket_exchange.hpp). One that is
  /// called as this server, and bound where `listen` says, is used instead of binding anew. With
  /// per_scheduler each listener takes one; a program with more schedulers binds the others anew,
  /// one with fewer leaves some unused(), and their waiting clients with them.
  std::shared_ptr<SocketExchange> sockets{};
  Framing framing = length_prefixed(2);
  /// What stands between socket and packets, the lowest first: {tls_server(…)}. None: plain.
  TransportMakers transports{};
  /// Deadlines and bounds of each connection.
  ConnectionOptions connection{};
  /// Connections on all schedulers together.
  std::size_t max_connections = 10'000;
  AtLimit at_limit = AtLimit::leave_in_backlog;
  /// AtLimit::shed: what a client is told that finds no room ("busy\n"), at most 4096 bytes. Called
  /// in the listener; what it throws is logged, and the client is closed without a word.
  std::function<std::string(const Address& peer)> shed{};
  /// Those bytes get so long to leave, and so many clients at once get them; others are just
  /// closed.
  Duration shed_deadline = 1s;
  std::size_t shed_at_once = 256;
  AcceptSpread spread = AcceptSpread::hand_over;
  /// AcceptSpread::per_scheduler: on how many schedulers to listen, the server's own first; 0 = on
  /// all.
  unsigned acceptors = 0;
  /// How long connections get to end when the server is stopped; then they are killed.
  Duration drain_deadline = 10s;
  /// A drain ends those who have not yet sent a packet so much later than the others (at most half
  /// of its deadline): who has only just come would be as good as refused, and in a hand-over
  /// nobody is refused. Best some round trips; zero: they end at once, too.
  Duration newcomers_grace = 50ms;
  /// Bound and listening, but not accepting until resume_server().
  bool start_suspended = false;
  /// A resumed server whose address somebody else has taken meanwhile tries again so often; zero:
  /// it stays suspended.
  Duration listen_retry = 1s;
  /// Connections that the kernel keeps ready (capped by its somaxconn).
  int backlog = 4096;
  bool ipv6_only = false;          ///< for "[::]": leave IPv4 alone
  std::uint32_t unix_mode = 0600;  ///< permission bits of a Unix socket's file
  StreamOptions socket{};          ///< of each connection: no_delay, keep_alive, buffers
  MailboxLimit mailbox{};          ///< of each connection
  /// After an accept that failed for want of descriptors or memory, the next one waits so long.
  Duration accept_pause = 100ms;
  /// Hold one descriptor in reserve: when there are no others left, it is given up for the length
  /// of the pause, and clients are accepted and closed at once instead of hanging in the backlog.
  bool spare_descriptor = false;
  /// Called with each listening socket before anything is accepted from it; also when a listener is
  /// restarted or resumed with a new socket. For options of the socket (SO_INCOMING_CPU,
  /// TCP_DEFER_ACCEPT), or a last word on whether to be there at all.
  std::function<ListenAnswer(const BoundListener&)> on_listening{};
  std::vector<Alarm> alarms{};
  ConnectionKeeper keeper{};
  /// Registers each connection as "NAME/SCHEDULER.NUMBER": that is then its label in logs and
  /// traces. Costs a connection about 200 bytes and its start a lock.
  bool name_connections = false;
  /// Traces each connection from its start on, as sys::trace does.
  bool trace_connections = false;
  /// The log line of a connection whose handler throws. Off: that it crashed is still in its reason
  /// and in ServerStatus::ended.
  bool crash_reports = true;
  /// How the server's parts are restarted: not simple_one_for_one.
  Strategy strategy = Strategy::one_for_one;
  /// Restarts of the listener (it never ends for what a peer does) before the server gives up.
  unsigned intensity = 10;
  Duration period = 10s;

  /// "field: what is wrong" for every setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// One acceptor of a server.
struct AcceptorStatus {
  std::string name;
  Pid pid;
  unsigned scheduler = 0;
  bool accepting = false;
  std::string not_accepting_because;
  std::uint64_t accepted = 0;
  std::uint64_t errors = 0;
  std::uint64_t refused = 0;
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
  std::uint64_t refused = 0;      ///< closed at the limit, or for want of descriptors
  std::uint64_t started = 0;      ///< those whose init came through
  std::uint64_t not_started = 0;  ///< those whose init ended them, or for which there was no room
  std::uint64_t handshake_failures = 0;  ///< of those: ended before all transports were ready
  std::array<std::uint64_t, ConnectionCounters::reason_kinds> ended{};  ///< by Reason::Kind
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t pauses = 0;   ///< times a connection stopped reading at its high-water mark
  std::uint64_t cut_off = 0;  ///< ends whose last bytes did not leave within the flush deadline
  /// Bytes that were queued on connections and never left: of those cut off, and of those that were
  /// killed or reset, or whose peer had gone.
  std::uint64_t bytes_lost = 0;

  std::size_t uncounted = 0;  ///< open, but taken out of the count
  std::uint64_t shed = 0;     ///< of those refused: got the answer of ServerOptions::shed
  bool draining = false;
  std::vector<AcceptorStatus> acceptors;
  std::vector<std::string> alarms;  ///< names of those that are raised now

  std::uint64_t ended_by(Reason::Kind kind) const noexcept {
    return ended[static_cast<std::size_t>(kind)];
  }
};

}  // namespace hawser
