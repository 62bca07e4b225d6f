// Everything that waits, behind one interface: clock, sockets, datagrams, name look-up, blocking
// work, chance. Public; one engine belongs to one thread, and only wake() may come from another.
//
// A backend can be written from this file alone. The three that exist (uring, epoll, sim) share
// detail/engine_core.hpp, which holds the socket table and the one closing state machine.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/random.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/engine/native_socket.hpp>
#include <hawser/engine/network_interface.hpp>
#include <hawser/engine/send_queue.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A socket of one engine: index into its table and the generation of that entry. A stale id is an
/// ordinary miss everywhere: calls with it do nothing.
struct SocketId {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;
  explicit operator bool() const noexcept { return index != UINT32_MAX; }
  friend bool operator==(SocketId, SocketId) noexcept = default;
};

/// What happens on a stream. The engine calls these only from inside poll(), one at a time, never
/// one inside another, and none after close() or release() of the socket. They must not throw. A
/// callback may close its own or any other socket and may destroy the object it runs on.
class StreamEvents {
 public:
  /// connect() came through. Never called for adopted sockets.
  virtual void on_connected() {}
  /// Bytes arrived, in order. Borrowed: they are gone when this returns. Never empty.
  virtual void on_received(BytesView bytes) = 0;
  /// The peer will send no more (half-close); comes once, after every byte, and only while
  /// receiving. Sending still works until the owner closes.
  virtual void on_end_of_stream() = 0;
  /// The queue fell to the mark set by notify_below(); once per call of it.
  virtual void on_drained() {}
  /// Connecting, receiving or sending failed. Comes at most once, may come while not receiving
  /// (bytes that were held back meanwhile are lost then), and nothing follows it. The socket is the
  /// owner's to close() all the same.
  virtual void on_failed(const Error& error) = 0;

 protected:
  ~StreamEvents() = default;
};

/// What happens on a listening socket; the same rules as for StreamEvents.
class AcceptEvents {
 public:
  /// A new connection. Its options are set; nobody reads it until it is adopted.
  virtual void on_accepted(NativeSocket socket) = 0;
  /// An accept failed. `paused` tells that the machine is out of something (EMFILE, ENFILE,
  /// ENOBUFS, ENOMEM) and accepting has stopped until resume_accepting(): retrying at once would
  /// spin. Otherwise accepting goes on by itself (accept_errors.hpp has the table).
  virtual void on_accept_failed(const Error& error, bool paused) = 0;

 protected:
  ~AcceptEvents() = default;
};

/// One datagram as it arrived.
struct Datagram {
  Address from;                       ///< who sent it
  Address to;                         ///< the local address it was sent to, where the kernel tells
  std::uint32_t interface_index = 0;  ///< the interface it came in on, 0 when unknown
  BytesView bytes;                    ///< borrowed, as in on_received; may be empty
};

class DatagramEvents {
 public:
  virtual void on_datagram(const Datagram& datagram) = 0;
  /// The socket cannot be used further (an error that one datagram causes, such as an unreachable
  /// peer, is not reported here: datagrams may be lost).
  virtual void on_failed(const Error& error) = 0;

 protected:
  ~DatagramEvents() = default;
};

/// Who is at the other end of a Unix stream: the program that connected, or the one that began to
/// listen, as the kernel noted it at that moment. The pid may be another's by now.
struct PeerCredentials {
  std::int32_t pid = 0;  ///< 0: out of sight, in another pid namespace
  std::uint32_t uid = UINT32_MAX;
  std::uint32_t gid = UINT32_MAX;
  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

struct StreamOptions {
  bool no_delay = true;  ///< TCP_NODELAY: small writes leave at once; the engine gathers by turns
  /// SO_KEEPALIVE: the kernel asks a silent peer whether it is still there, so that one who only
  /// receives notices a peer that went without a word. With the defaults after two minutes.
  bool keep_alive = false;
  /// Silence before the first question, time between questions, and how many may stay unanswered
  /// before the connection fails with a timeout. Whole seconds (1 … 32767 s, 1 … 127 questions).
  Duration keep_alive_idle = 60s;
  Duration keep_alive_interval = 10s;
  int keep_alive_probes = 6;
  /// TCP_USER_TIMEOUT: bytes that the peer does not acknowledge, or has no room for, and questions
  /// that it does not answer, fail the connection with a timeout after so long (milliseconds); it
  /// then replaces keep_alive_probes. 0 = the kernel's own patience, about a quarter of an hour.
  Duration user_timeout = 0s;
  int send_buffer = 0;     ///< SO_SNDBUF in bytes, 0 = the kernel's own tuning
  int receive_buffer = 0;  ///< SO_RCVBUF in bytes, 0 = the kernel's own tuning

  /// "name: what is wrong" for each setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// What shall be otherwise on a stream that is open; what is not set stays.
struct StreamChanges {
  std::optional<bool> no_delay{};
  std::optional<bool> keep_alive{};
  std::optional<Duration> keep_alive_idle{};
  std::optional<Duration> keep_alive_interval{};
  std::optional<int> keep_alive_probes{};
  std::optional<Duration> user_timeout{};
  std::optional<int> send_buffer{};
  std::optional<int> receive_buffer{};
  /// SO_RCVLOWAT: fewer bytes than this (1 … 1 GiB, 1 unless said) wake nobody; they lie in the
  /// kernel until more come, last_arrival() tells of them, or less is asked for here: then they are
  /// told at once. The end and failures always are. Counts what the socket carries (records of TLS,
  /// not what is in them), and may tell fewer bytes after a pause. A Unix stream tells all of them.
  std::optional<int> receive_low_water{};

  std::vector<std::string> faults() const;
};

struct ListenOptions {
  int backlog = 1024;         ///< connections the kernel keeps ready (capped by somaxconn)
  bool reuse_port = false;    ///< several listeners on one port, the kernel spreads (SO_REUSEPORT)
  bool ipv6_only = false;     ///< for "[::]": leave IPv4 alone
  bool start_paused = false;  ///< bound, listening, but not accepting until resume_accepting()
  std::uint32_t unix_mode = 0600;  ///< permission bits of a Unix socket's file
  StreamOptions accepted{};        ///< set on every accepted socket
  /// See set_leave_at_close().
  bool leave_at_close = false;
};

struct DatagramOptions {
  bool broadcast = false;      ///< may send to broadcast addresses
  bool reuse_address = false;  ///< several sockets on one port, each gets every broadcast
  std::vector<Address> multicast_groups{};  ///< joined on the interface of the address's scope
  bool ipv6_only = false;
};

enum class CloseMode : std::uint8_t {
  /// What is queued is sent first; then the write side is shut down and what the peer still sends
  /// is read and dropped until it closes too, so that no reset destroys our last bytes on their
  /// way. Ends at the deadline at the latest.
  graceful,
  /// At once; queued bytes are dropped.
  immediate,
  /// At once with a reset (SO_LINGER 0): for peers that broke a limit and must not linger.
  reset,
};

/// What an engine is, for the log line at the start and for the observer.
struct EngineInfo {
  std::string name;    ///< "uring", "epoll" or "sim"
  std::string reason;  ///< why this one was chosen, in a few words
};

/// Counters since the engine's start. Plain numbers, read on the engine's thread.
struct EngineCounters {
  std::uint64_t polls = 0;  ///< calls of poll()
  std::uint64_t waits = 0;  ///< those that went to sleep
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t receives = 0;  ///< on_received calls
  std::uint64_t sends = 0;     ///< write operations given to the kernel
  std::uint64_t accepts = 0;
  std::uint64_t buffer_starvations = 0;  ///< times the receive pool ran dry (and recovered)
};

class Engine : public NativeSocket::Closer {
 public:
  virtual ~Engine() = default;

  virtual EngineInfo info() const = 0;
  const EngineCounters& counters() const noexcept { return counters_; }

  // ---- time and chance -------------------------------------------------------------------------

  /// The monotonic clock, standing still between two polls.
  Instant now() const noexcept { return now_; }
  /// The monotonic clock read now: for measuring how long a callback held the thread.
  virtual Instant read_clock() noexcept = 0;
  /// Time of day, for timestamps that people and peers see. May jump.
  virtual std::chrono::system_clock::time_point wall_clock() noexcept = 0;
  Random& random() noexcept { return random_; }
  /// 64 bits that nobody can guess, from the kernel; under `sim` from random(), so that a seed
  /// replays. For names that are keys: see make_secret().
  virtual std::uint64_t secret_bits() = 0;

  // ---- the loop --------------------------------------------------------------------------------

  /// Called once, first of all, on the thread that will poll.
  virtual void start() = 0;

  /// Flushes what was queued since the last poll (one gathered write a socket), waits until
  /// something completes, wake() was called, or `until` has come (not at all when it is not after
  /// now()), moves the clock, collects every completion, then runs their callbacks one by one.
  virtual void poll(Instant until) = 0;

  /// Makes a waiting or the next poll() return without waiting. Any thread; cheap to repeat.
  virtual void wake() noexcept = 0;

  // ---- streams ---------------------------------------------------------------------------------

  struct Listening {
    SocketId id;
    Address bound;  ///< with the real port
  };
  /// Starts listening (and accepting, unless start_paused). `events` must outlive close(id). A Unix
  /// path that a dead program left behind is removed first; one that answers is "already exists".
  virtual Result<Listening> listen(const Address& address, const ListenOptions& options,
                                   AcceptEvents& events) = 0;
  /// Listens on a socket that was bound and made to listen elsewhere: by systemd, by a program that
  /// hands its work over, by another engine. Of `options` only start_paused, accepted and
  /// leave_at_close count. A socket that does not listen is "invalid_argument", and is closed.
  virtual Result<Listening> adopt_listener(NativeSocket socket, const ListenOptions& options,
                                           AcceptEvents& events) = 0;
  /// One more handle of the listening socket, for another program; both may accept. Unsupported by
  /// the simulator.
  virtual Result<NativeSocket> share_listener(SocketId id) = 0;
  /// Somebody else holds the listening socket too: close() closes our handle only, and leaves the
  /// address, the connections that wait, and the file of a Unix socket to them. Without this it
  /// ends the listening for all who hold it. Say `false` when the other holder has let go: clients
  /// that the kernel woke it for, and that it did not come to accept, are then accepted here.
  virtual void set_leave_at_close(SocketId id, bool leave) = 0;
  /// Connections wait in the kernel's backlog until resumed. May still deliver accepts that the
  /// kernel had completed. Constant time; a paused listener costs nothing.
  virtual void pause_accepting(SocketId id) = 0;
  virtual void resume_accepting(SocketId id) = 0;

  /// Takes a connected socket in. Receiving starts paused.
  virtual Result<SocketId> adopt(NativeSocket socket, StreamEvents& events) = 0;
  /// Gives a socket away to be adopted elsewhere, on this or another engine of the family. Only
  /// right after accept, or while paused and with nothing queued or held back; otherwise an error.
  /// After pause_receiving() at least one poll() must have passed, so that the kernel has let go.
  /// The same goes for listening sockets and pause_accepting(): clients go on to connect and wait,
  /// the file of a Unix socket stays. A released listening socket that nobody adopts is closed, its
  /// file left behind.
  virtual Result<NativeSocket> release(SocketId id) = 0;
  /// Begins to connect; on_connected or on_failed follows (also when it failed at once). Receiving
  /// starts paused. `from` binds the local side when given.
  virtual Result<SocketId> connect(const Address& to, const StreamOptions& options,
                                   StreamEvents& events,
                                   const std::optional<Address>& from = std::nullopt) = 0;

  /// From now on `events` is told. For a transport that is swapped under a live connection.
  virtual void set_events(SocketId id, StreamEvents& events) = 0;

  /// After pause_receiving() returns there is no on_received and no on_end_of_stream until
  /// resume_receiving(); bytes the kernel had already delivered are kept (copied) meanwhile.
  virtual void pause_receiving(SocketId id) = 0;
  virtual void resume_receiving(SocketId id) = 0;

  /// The socket's queue, to append to; what is in it at the next poll() leaves in one gathered
  /// write. Valid until the next call on this engine. nullptr when the id is stale, the write side
  /// is shut down, or the socket failed: the bytes would go nowhere.
  virtual SendQueue* outgoing(SocketId id) = 0;
  /// Bytes queued and not yet taken by the kernel; 0 for a stale id.
  virtual std::size_t unsent(SocketId id) const = 0;
  /// Calls on_drained once when unsent() is at most `bytes` (at the next poll if it already is).
  virtual void notify_below(SocketId id, std::size_t bytes) = 0;
  /// Sends what is queued, then the FIN; receiving goes on (half-close).
  virtual void shutdown_sending(SocketId id) = 0;

  /// Ends a stream, listener or datagram socket. No callback after this call; the id is stale at
  /// once; buffers and kernel operations are looked after until the kernel has let go of them, and
  /// only then is the descriptor closed. `deadline` bounds a graceful close (never() is allowed for
  /// tests only); ignored otherwise.
  virtual void close(SocketId id, CloseMode mode, Instant deadline) = 0;
  void close_now(SocketId id) { close(id, CloseMode::immediate, now()); }

  virtual Result<Address> peer(SocketId id) const = 0;
  virtual Result<Address> local(SocketId id) const = 0;
  /// Changes options of an open stream: all of them or, on an error, none that follow the one it
  /// names. What a Unix stream does not have is passed over. Errors: invalid_argument with the
  /// name of each setting that cannot be used (then nothing was changed), closed.
  virtual Result<void> change_stream(SocketId id, const StreamChanges& changes) = 0;
  /// When the last bytes came from the peer of a TCP stream, also those that nobody has read yet
  /// (TCP_INFO; to the millisecond); before the first ones when it was connected. "unsupported" for
  /// all other sockets.
  virtual Result<Instant> last_arrival(SocketId id) const = 0;
  /// Who is at the other end of a connected Unix stream; "unsupported" for all other sockets.
  virtual Result<PeerCredentials> peer_credentials(SocketId id) const = 0;
  /// Sends `bytes` (not empty, at most 1024) on a connected Unix stream, and with them handles of
  /// `sockets` (at most 64), which stay the caller's. At once and all or nothing; only while
  /// nothing is queued. Errors: invalid_argument, overloaded (the peer does not read), closed;
  /// unsupported by the simulator and by other sockets.
  virtual Result<void> send_sockets(SocketId id, BytesView bytes,
                                    std::span<const NativeSocket> sockets) = 0;
  /// The kernel's number of an open stream, listener or datagram socket, for options that this
  /// interface does not know (setsockopt); -1 for a stale id. The engine goes on owning it. Under
  /// sim it is the simulated kernel's number, which no call of the real one understands.
  virtual int descriptor(SocketId id) const = 0;

  /// Sockets that exist, those still closing included. 0 after everything is closed: what tests
  /// assert at their end.
  virtual std::size_t open_sockets() const noexcept = 0;

  // ---- datagrams -------------------------------------------------------------------------------

  /// Binds a datagram socket (port 0: any) and starts receiving. `events` must outlive close(id).
  virtual Result<Listening> open_datagram(const Address& bind, const DatagramOptions& options,
                                          DatagramEvents& events) = 0;
  /// Sends at once, best effort: a full socket buffer drops the datagram ("overloaded"). With an
  /// interface's index it leaves there, whatever the routes say: that is how a limited broadcast
  /// (255.255.255.255) or a multicast reaches the hosts of each network. not_found: no such one.
  virtual Result<void> send_datagram(SocketId id, const Address& to, BytesView bytes,
                                     std::uint32_t interface_index = 0) = 0;

  /// Makes the socket a member of a multicast group through one interface; once more is no error.
  /// Memberships end with their interface or the socket. not_found: no such interface.
  virtual Result<void> join_group(SocketId id, const Address& group,
                                  std::uint32_t interface_index) = 0;

  /// The machine's interfaces as they are now, by index.
  virtual Result<std::vector<NetworkInterface>> interfaces() = 0;
  /// From now on `events` gets a datagram, whose content means nothing, whenever an interface or
  /// one of its addresses may have come, gone or changed: ask interfaces() then. Ended by
  /// close(id).
  virtual Result<SocketId> watch_interfaces(DatagramEvents& events) = 0;

  // ---- names and blocking work -----------------------------------------------------------------

  /// Looks a host name (or address literal) up on the blocking pool; `done` runs in a later poll().
  /// Addresses come in the order in which they should be tried (RFC 6724), each with `port`.
  using ResolveDone = std::move_only_function<void(Result<std::vector<Address>>)>;
  virtual void resolve(std::string host, std::uint16_t port, ResolveDone done) = 0;

  /// Runs `work` on the blocking pool (under sim: at once, with virtual delay) and `done` in a
  /// later poll() of this engine. Never cancelled; both are destroyed unrun if the engine goes
  /// first.
  virtual void run_blocking(std::move_only_function<void()> work,
                            std::move_only_function<void()> done) = 0;

 protected:
  explicit Engine(std::uint64_t seed) noexcept : random_(seed) {}
  void set_now(Instant now) noexcept { now_ = now; }
  EngineCounters counters_;

 private:
  Instant now_{};
  Random random_;
};

}  // namespace hawser
