// What all engines have in common: the socket table, sending by turns, pausing, and the one closing
// state machine. A backend derives from it, gives the primitives below and reports completions.
// Internal to the engines; belongs to the engine's thread.
//
// One poll():
//   1. flush      for each socket on which something changed: begin_send, shutdown_write,
//                 begin_receive/accept/connect, cancel
//   2. wait       wait_and_collect(until), with `until` cut to the next close deadline, and to
//   now()
//                 when callbacks are already due
//   3. dispatch   dispatch_completions(): the backend calls *_completed for each; callbacks run
//   here
//   4. notices    callbacks that need no kernel: on_drained, on_failed, stashed bytes, held ends
//   5. deadlines  graceful closes that took too long are cut
//
// Life of a stream:
//   connecting → open → (failed) → close():  flushing → draining → cancelling → vacant
// `flushing` ends when the queue is empty and no send is in flight: then the FIN is sent.
// `draining` ends with the peer's FIN. Any error, the deadline, and the other two close modes lead
// straight to `cancelling`, which ends when the kernel holds no operation: then the descriptor is
// closed.
//
// Rules for a backend
//   - Each begin_* is answered by exactly one final completion (more = false), also when it is
//     cancelled, unless cancel() returned its bit. At most one operation of a kind is held at a
//     time; begin_* is only called again after the final completion of the one before.
//   - send_completed() may be called at any time, also from inside begin_send(); the other
//     *_completed only from inside dispatch_completions(), since they run callbacks.
//   - Any *_completed may close, release and erase any socket: hold ids over it, no Socket&.
//   - A primitive other than wait/dispatch never runs a callback and never blocks.
#pragma once

#include <hawser/engine/detail/deadline_heap.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/detail/socket_table.hpp>
#include <hawser/engine/engine.hpp>

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace hawser::detail {

class EngineCore : public Engine {
 public:
  ~EngineCore() override;

  void poll(Instant until) final;
  std::uint64_t secret_bits() override;

  Result<Listening> listen(const Address& address, const ListenOptions& options,
                           AcceptEvents& events) final;
  Result<Listening> adopt_listener(NativeSocket socket, const ListenOptions& options,
                                   AcceptEvents& events) final;
  Result<NativeSocket> share_listener(SocketId id) final;
  void set_leave_at_close(SocketId id, bool leave) final;
  void pause_accepting(SocketId id) final;
  void resume_accepting(SocketId id) final;

  Result<SocketId> adopt(NativeSocket socket, StreamEvents& events) final;
  Result<NativeSocket> release(SocketId id) final;
  Result<SocketId> connect(const Address& to, const StreamOptions& options, StreamEvents& events,
                           const std::optional<Address>& from = std::nullopt) final;

  void set_events(SocketId id, StreamEvents& events) final;
  void pause_receiving(SocketId id) final;
  void resume_receiving(SocketId id) final;
  SendQueue* outgoing(SocketId id) final;
  std::size_t unsent(SocketId id) const final;
  void notify_below(SocketId id, std::size_t bytes) final;
  void shutdown_sending(SocketId id) final;
  void close(SocketId id, CloseMode mode, Instant deadline) final;

  Result<Address> peer(SocketId id) const final;
  Result<Address> local(SocketId id) const final;
  Result<void> change_stream(SocketId id, const StreamChanges& changes) final;
  Result<Instant> last_arrival(SocketId id) const final;
  Result<PeerCredentials> peer_credentials(SocketId id) const final;
  Result<void> send_sockets(SocketId id, BytesView bytes,
                            std::span<const NativeSocket> sockets) final;
  int descriptor(SocketId id) const final;
  std::size_t open_sockets() const noexcept final { return table_.size(); }

  Result<Listening> open_datagram(const Address& bind, const DatagramOptions& options,
                                  DatagramEvents& events) final;
  Result<void> send_datagram(SocketId id, const Address& to, BytesView bytes,
                             std::uint32_t interface_index) final;
  Result<void> join_group(SocketId id, const Address& group, std::uint32_t interface_index) final;
  Result<SocketId> watch_interfaces(DatagramEvents& events) final;

 protected:
  explicit EngineCore(std::uint64_t seed) noexcept;

  // ---- primitives: the backend's side ----------------------------------------------------------

  using OpenedSocket = BoundSocket;
  /// Makes a listening socket (bound and listening, not accepting).
  virtual Result<OpenedSocket> open_listener(const Address& address,
                                             const ListenOptions& options) = 0;
  /// Makes a socket that listens already fit for this engine, with the options of accepted sockets;
  /// answers where it is bound. It stays the caller's to close.
  virtual Result<Address> prepare_listener(int number, const ListenOptions& options);
  /// One more handle of a listening socket. This and the three others with a body are "unsupported"
  /// where a backend does not say more.
  virtual Result<int> duplicate_listener(int number) const;
  /// Makes an unconnected stream socket of `to`'s family with its options set, bound to `from`.
  virtual Result<int> open_stream(const Address& to, const StreamOptions& options,
                                  const std::optional<Address>& from) = 0;
  virtual Result<OpenedSocket> open_datagram_socket(const Address& bind,
                                                    const DatagramOptions& options) = 0;
  /// A socket that reads like a datagram socket and tells of changes of the interfaces.
  virtual Result<int> open_interface_watch() = 0;

  /// A socket came into the table (socket.number, kind and phase are set). On an error the core
  /// closes it again.
  virtual Result<void> attach(Socket& socket) = 0;
  /// A socket with no operation pending leaves the table open, by release(), or is closed while
  /// others hold it too.
  virtual void detach(Socket& socket) noexcept = 0;

  /// `to` holds only during the call.
  virtual void begin_connect(Socket& socket, const Address& to) = 0;
  /// Accepts until cancelled, or until a completion without `more`.
  virtual void begin_accept(Socket& socket) = 0;
  /// Receives bytes until cancelled, or until a completion without `more`.
  virtual void begin_receive(Socket& socket) = 0;
  virtual void begin_receive_datagrams(Socket& socket) = 0;
  /// Sends from the front of `queue` (not empty) in one write; the queue and its memory stay until
  /// send_completed(). A short write is fine: the core begins again with the rest.
  virtual void begin_send(Socket& socket, SendQueue& queue) = 0;

  /// Asks back `operations` (all pending, none asked back before). Returns those that are over at
  /// once, for which no completion will come; 0 is always allowed. Never fails: a full submission
  /// queue is flushed. A listener whose accept or whole self is cancelled stays bound unless
  /// stop_listening() says otherwise.
  virtual Operations cancel(Socket& socket, Operations operations) = 0;
  /// A listener is being closed: its address is free for another as soon as this returns, even if
  /// an accept is still held by the kernel; the file of a Unix socket is removed.
  virtual void stop_listening(Socket& socket) noexcept = 0;
  /// Sends the FIN now, nothing being queued or in flight. 0 or a negative errno.
  virtual int shutdown_write(Socket& socket) noexcept = 0;
  /// Closes the descriptor; nothing is pending. With `reset`, by SO_LINGER 0.
  virtual void close_socket(Socket& socket, bool reset) noexcept = 0;

  /// Sets the options of a socket that was just accepted, where it does not inherit them from its
  /// listener as Linux's do.
  virtual void configure_accepted(int, const StreamOptions&) noexcept {}
  /// Who closes sockets in transit; must outlive them all. By default this engine.
  virtual NativeSocket::Closer& family_closer() noexcept { return *this; }
  virtual Result<void> transmit_datagram(Socket& socket, const Address& to, BytesView bytes,
                                         std::uint32_t interface_index) = 0;
  virtual Result<void> join_datagram_group(Socket& socket, const Address& group,
                                           std::uint32_t interface_index) = 0;
  virtual Result<Address> native_peer(int number) const = 0;
  virtual Result<Address> native_local(int number) const = 0;
  /// `changes` have been checked.
  virtual Result<void> native_change(int number, const StreamChanges& changes) = 0;
  /// How long ago bytes last arrived on a TCP stream.
  virtual Result<Duration> native_silence(int number) const = 0;
  virtual Result<PeerCredentials> native_credentials(int number) const;
  virtual Result<void> transmit_sockets(Socket& socket, BytesView bytes,
                                        std::span<const NativeSocket> sockets);

  /// Submits what was begun, waits until a completion, a wake() or `until` (not at all when that is
  /// not after now()), collects what has completed, and moves the clock by set_now().
  virtual void wait_and_collect(Instant until) = 0;
  /// Reports what was collected, in the kernel's order, through the calls below; then runs the
  /// `done`s of blocking work.
  virtual void dispatch_completions() = 0;

  // ---- completions: the core's side ------------------------------------------------------------
  // A stale id is ignored everywhere, but an accepted number is closed even then. `result` is what
  // the kernel says: a negative errno on failure.

  /// `result` > 0: so many bytes at `bytes`, which may be reused when this returns; 0: the peer's
  /// FIN; negative: EAGAIN, EINTR, ENOBUFS and ECANCELED mean "begin again if still wanted", others
  /// fail the socket. `more`: the operation goes on. Returns whether the socket is alive and would
  /// take more bytes at once (for backends that read in a loop).
  bool receive_completed(SocketId id, int result, const char* bytes, bool more);
  /// `result` >= 0: so many bytes were taken from the queue's front.
  void send_completed(SocketId id, int result);
  /// `result` >= 0: the number of the accepted socket. Returns as receive_completed.
  bool accept_completed(SocketId id, int result, bool more);
  /// `result` 0: connected.
  void connect_completed(SocketId id, int result);
  /// One datagram, or (with null and a negative `result`) an error; errors that one datagram causes
  /// are swallowed here. Returns as receive_completed.
  bool datagram_completed(SocketId id, const Datagram* datagram, int result, bool more);

  // ---- for backends ----------------------------------------------------------------------------

  /// The socket with this generation, also a closing one; nullptr when stale. For user data that
  /// comes back from the kernel.
  Socket* find_socket(SocketId id) noexcept { return table_.find(id); }
  SocketTable& table() noexcept { return table_; }

  /// For the backend's destructor, after it has made the kernel let go of everything: closes all
  /// sockets at once, without callbacks.
  void abandon_all() noexcept;
  /// More memory lies unused in the send pool than is kept there in calm times.
  bool send_pool_swollen() const noexcept { return send_pool_.idle_bytes() > calm_send_bytes; }
  /// After a burst: what send queues and everybody else on this heap left behind goes back to the
  /// system.
  void give_memory_back() noexcept;

 private:
  static constexpr std::size_t calm_send_bytes = std::size_t{64} << 10;

  Socket* find_owned(SocketId id) const noexcept;
  Socket* find_owned(SocketId id, SocketKind kind) const noexcept;
  Result<Socket*> take_in(SocketKind kind, SocketPhase phase, int number, void* events);
  Listening listed(Socket& socket, Address bound);
  Result<Listening> take_listener(OpenedSocket opened, const ListenOptions& options,
                                  AcceptEvents& events);
  Result<NativeSocket> release_listener(Socket& socket);
  NativeSocket give_away(Socket& socket);
  void stop_listening_unless_left(Socket& socket) noexcept;

  // flush
  void mark_dirty(Socket& socket);
  void flush();
  void advance(Socket& socket);
  void advance_stream(Socket& socket);
  void begin_or_cancel(Socket& socket, bool wanted, Operations operation);

  // notices
  void mark_noticed(Socket& socket);
  void run_notices();
  void notice(Socket& socket);
  void report_failure(Socket& socket);
  void check_drained(Socket& socket);
  void fail(Socket& socket, Operations operation, int code);

  // completions and closing (closing.cpp)
  static void operation_ended(Socket& socket, Operations operation) noexcept {
    socket.pending = static_cast<Operations>(socket.pending & ~operation);
    socket.cancelled = static_cast<Operations>(socket.cancelled & ~operation);
  }
  bool received_while_closing(Socket& socket, int result, bool more);
  void begin_graceful(Socket& socket, Instant deadline);
  void begin_cancelling(Socket& socket);
  void cancel_pending(Socket& socket);
  void finish_if_idle(Socket& socket);
  bool is_graceful(SocketId id) noexcept;
  void run_deadlines();

  SendPool send_pool_;
  mutable SocketTable table_{send_pool_};
  std::vector<std::uint32_t> dirty_;
  std::vector<std::uint32_t> flushing_;  // the list being worked on, kept for its memory
  std::vector<std::uint32_t> notices_;
  std::vector<std::uint32_t> running_notices_;
  DeadlineHeap deadlines_;
  std::size_t graceful_ = 0;     // sockets with an entry in deadlines_ that still counts
  Socket* advancing_ = nullptr;  // the one that flush() is at
  bool polling_ = false;
};

}  // namespace hawser::detail
