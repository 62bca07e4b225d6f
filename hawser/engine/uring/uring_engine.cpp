// The backend on io_uring: what the core asks for becomes submission entries, what completes is
// reported to the core.
//
// User data is the operation's kind (8 bits), the socket's index (24) and its generation (32), so
// that nothing of an entry's former life reaches its successor. One operation of a kind is held per
// socket at a time, and the core begins the next only after the final completion of the one before;
// entries are taken in order, so a cancel can never meet the successor of what it was meant for.
#include <hawser/base/check.hpp>
#include <hawser/engine/detail/calm_watch.hpp>
#include <hawser/engine/detail/datagram_receiver.hpp>
#include <hawser/engine/detail/engine_core.hpp>
#include <hawser/engine/detail/interface_list.hpp>
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/uring/detail/buffer_ring.hpp>
#include <hawser/engine/uring/detail/ring.hpp>
#include <hawser/engine/uring/uring_engine.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <deque>
#include <utility>
#include <vector>

namespace hawser::detail {

namespace {

enum class Kind : std::uint8_t {
  receive = receive_operation,
  send = send_operation,
  accept = accept_operation,
  connect = connect_operation,
  datagram,     // readiness of a datagram socket
  silent_send,  // a send that only speaks up when it fails, see begin_send()
  wake,
  cancel,
};

std::uint64_t user_data(Kind kind, SocketId id) noexcept {
  return std::uint64_t{id.generation} << 32 | std::uint64_t{id.index} << 8 |
         static_cast<std::uint64_t>(kind);
}
Kind kind_of(std::uint64_t data) noexcept { return static_cast<Kind>(data & 0xff); }
SocketId id_of(std::uint64_t data) noexcept {
  return {static_cast<std::uint32_t>(data >> 8) & 0xffffff, static_cast<std::uint32_t>(data >> 32)};
}

// Socket::backend_bits
constexpr std::uint32_t silent = 1;     // a silent send is not known to be over
constexpr std::uint32_t starving = 4;   // in starving_: its receive waits for a buffer
constexpr std::uint32_t must_wait = 2;  // the last send found no room: the next one waits for it

/// More than this rarely fits into a socket's buffer at once.
constexpr std::size_t most_silent_bytes = 256 * 1024;

class UringEngine final : public EngineCore {
 public:
  UringEngine(BlockingPool& pool, std::uint64_t seed, std::string reason)
      : EngineCore(seed), reason_(std::move(reason)), blocking_(pool, [this] { wake(); }) {}
  ~UringEngine() override;

  Result<void> open(const UringOptions& options);

  EngineInfo info() const override { return {"uring", reason_}; }
  Instant read_clock() noexcept override;
  std::chrono::system_clock::time_point wall_clock() noexcept override {
    return std::chrono::system_clock::now();
  }
  void start() override;
  void wake() noexcept override;
  void resolve(std::string host, std::uint16_t port, ResolveDone done) override {
    blocking_.resolve(std::move(host), port, std::move(done));
  }
  void run_blocking(std::move_only_function<void()> work,
                    std::move_only_function<void()> done) override {
    blocking_.run(std::move(work), std::move(done));
  }
  void close_native(int number) noexcept override { ::close(number); }

 private:
  Result<OpenedSocket> open_listener(const Address& address,
                                     const ListenOptions& options) override {
    return open_listening_socket(address, options);
  }
  Result<int> open_stream(const Address& to, const StreamOptions& options,
                          const std::optional<Address>& from) override {
    return open_stream_socket(to, options, from);
  }
  Result<OpenedSocket> open_datagram_socket(const Address& bind,
                                            const DatagramOptions& options) override {
    return detail::open_datagram_socket(bind, options);
  }
  Result<void> attach(Socket&) override { return {}; }
  void detach(Socket&) noexcept override {}

  void begin_connect(Socket& socket, const Address& to) override;
  void begin_accept(Socket& socket) override;
  void begin_receive(Socket& socket) override;
  void begin_receive_datagrams(Socket& socket) override;
  void begin_send(Socket& socket, SendQueue& queue) override;
  Operations cancel(Socket& socket, Operations operations) override;
  void stop_listening(Socket& socket) noexcept override { stop_listening_socket(socket.number); }
  int shutdown_write(Socket& socket) noexcept override {
    // Directly: as an operation of the ring it would go to a kernel worker thread.
    return ::shutdown(socket.number, SHUT_WR) == 0 ? 0 : -errno;
  }
  void close_socket(Socket& socket, bool reset) noexcept override {
    close_descriptor(socket.number, reset);
  }
  NativeSocket::Closer& family_closer() noexcept override { return descriptor_closer(); }
  Result<void> transmit_datagram(Socket& socket, const Address& to, BytesView bytes,
                                 std::uint32_t interface_index) override {
    return send_datagram_to(socket.number, to, bytes, interface_index);
  }
  Result<void> join_datagram_group(Socket& socket, const Address& group,
                                   std::uint32_t interface_index) override {
    return join_multicast_group(socket.number, group, interface_index);
  }
  Result<int> open_interface_watch() override { return detail::open_interface_watch(); }
  Result<std::vector<NetworkInterface>> interfaces() override { return list_interfaces(); }
  Result<Address> native_peer(int number) const override { return peer_address(number); }
  Result<Address> native_local(int number) const override { return local_address(number); }
  Result<void> native_change(int number, const StreamChanges& changes) override {
    return change_stream_options(number, changes);
  }
  Result<Duration> native_silence(int number) const override { return time_since_arrival(number); }
  Result<PeerCredentials> native_credentials(int number) const override {
    return detail::peer_credentials(number);
  }
  Result<Address> prepare_listener(int number, const ListenOptions& options) override {
    return prepare_listening_socket(number, options);
  }
  Result<int> duplicate_listener(int number) const override { return duplicate_descriptor(number); }
  Result<void> transmit_sockets(Socket& socket, BytesView bytes,
                                std::span<const NativeSocket> sockets) override {
    return send_descriptors(socket.number, bytes, sockets);
  }

  void wait_and_collect(Instant until) override;
  void dispatch_completions() override;

  /// What an entry points to until the kernel has taken it.
  struct Message {
    static constexpr std::size_t max_vectors = 64;
    msghdr header;
    std::array<iovec, max_vectors> vectors;
  };

  Message& message();
  void watch_wakes();
  void dispatch(const io_uring_cqe& completion);
  void feed_starving();
  void receive_ended(SocketId id, int result, bool more);
  void sent(SocketId id, int result);
  void silent_send_failed(SocketId id, int result);
  void settle_silent_sends();
  Duration clean_when_calm() noexcept;
  void receive_datagrams(SocketId id, int result);

  std::string reason_;
  // The order matters: the ring is closed before the buffers that it lends go.
  BufferRing buffers_;
  Ring ring_;
  std::vector<std::unique_ptr<Message>> messages_;
  std::size_t messages_used_ = 0;
  std::vector<std::unique_ptr<SocketAddress>> targets_;
  std::vector<SocketId> silent_sends_;
  bool unsettled_ = false;  // they wait for the next look, which must not wait for anything else
  unsigned collected_ = 0;
  bool starved_ = false;  // in this batch of completions
  std::deque<SocketId> starving_;
  std::size_t returned_ = 0;  // buffers, in the last batch
  CalmWatch calm_;

  enum class State : std::uint8_t { awake, asleep, woken };
  std::atomic<State> state_{State::awake};
  int wake_number_ = -1;
  bool watching_wakes_ = false;

  DatagramReceiver datagrams_;
  BlockingClient blocking_;
};

UringEngine::~UringEngine() {
  // This may be another thread than the one that polled, and then the ring cannot be asked for
  // anything any more. Closing it makes the kernel let go of every operation; shutting the streams
  // down first lets the peers know now, whenever the kernel comes to that.
  for (std::uint32_t index = 0; index < table().used(); ++index) {
    const Socket& socket = table().at(index);
    if (socket.phase != SocketPhase::vacant && socket.kind == SocketKind::stream) {
      ::shutdown(socket.number, SHUT_RDWR);
    }
  }
  abandon_all();
  if (wake_number_ >= 0) ::close(wake_number_);
}

Result<void> UringEngine::open(const UringOptions& options) {
  if (Result<void> opened = ring_.open(options); !opened) return opened;
  if (Result<void> opened = buffers_.open(ring_, options); !opened) return opened;
  wake_number_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_number_ < 0) return std::unexpected(system_error(errno, "io_uring", "eventfd"));
  set_now(read_clock());
  return {};
}

Instant UringEngine::read_clock() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant{std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
}

void UringEngine::start() {
  const Result<void> enabled = ring_.enable();
  check(enabled.has_value(), "io_uring: a ring that could be made could not be enabled");
  set_now(read_clock());
}

// ---- waking
// --------------------------------------------------------------------------------------

void UringEngine::wake() noexcept {
  // Only who finds the engine asleep pays for a system call.
  if (state_.exchange(State::woken, std::memory_order_acq_rel) != State::asleep) return;
  const std::uint64_t one = 1;
  // It can only fail when the count is at its end, and then the engine is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_number_, &one, sizeof one);
}

void UringEngine::watch_wakes() {
  // Each write makes one completion. Nobody reads the count: a poll that repeats goes by events,
  // not by level.
  io_uring_sqe* made = ring_.next();
  io_uring_prep_poll_multishot(made, wake_number_, POLLIN);
  made->user_data = static_cast<std::uint64_t>(Kind::wake);
  watching_wakes_ = true;
}

// ---- operations
// ----------------------------------------------------------------------------------

UringEngine::Message& UringEngine::message() {
  // A very busy turn submits in between rather than hold a message for each of its sends.
  constexpr std::size_t most = 128;
  if (messages_used_ >= most) {
    ring_.submit();
    if (ring_.all_submitted()) messages_used_ = 0;
  }
  if (messages_used_ == messages_.size()) messages_.push_back(std::make_unique<Message>());
  return *messages_[messages_used_++];
}

void UringEngine::begin_connect(Socket& socket, const Address& to) {
  // open_stream() has converted it before, so it can be converted.
  targets_.push_back(std::make_unique<SocketAddress>(to_sockaddr(to).value()));
  const SocketAddress& target = *targets_.back();
  io_uring_sqe* made = ring_.next();
  io_uring_prep_connect(made, socket.number, target.get(), target.length);
  made->user_data = user_data(Kind::connect, socket.id());
}

void UringEngine::begin_accept(Socket& socket) {
  io_uring_sqe* made = ring_.next();
  io_uring_prep_multishot_accept(made, socket.number, nullptr, nullptr,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
  made->user_data = user_data(Kind::accept, socket.id());
}

void UringEngine::begin_receive(Socket& socket) {
  io_uring_sqe* made = ring_.next();
  io_uring_prep_recv_multishot(made, socket.number, nullptr, 0, 0);
  made->flags |= IOSQE_BUFFER_SELECT;
  // Most sockets have nothing to read when they are armed; and tried at once, a receive would ask
  // for a buffer it does not need and end when there is none.
  made->ioprio |= IORING_RECVSEND_POLL_FIRST;
  made->buf_group = BufferRing::group;
  made->user_data = user_data(Kind::receive, socket.id());
}

// When many sockets find no buffer, beginning all their receives again would end most of them the
// same way, round after round. So they queue up here, and each round begins as many as there are
// buffers for. The core sees one operation that goes on.
void UringEngine::feed_starving() {
  // What the kernel keeps back holds buffers, nobody knows how many.
  std::size_t places = ring_.overflown() ? std::max(returned_, std::size_t{1}) : buffers_.count();
  for (; places > 0 && !starving_.empty(); --places) {
    Socket* socket = find_socket(starving_.front());
    starving_.pop_front();
    if (socket == nullptr || (socket->backend_bits & starving) == 0) continue;
    socket->backend_bits &= ~starving;
    begin_receive(*socket);
  }
}

void UringEngine::begin_receive_datagrams(Socket& socket) {
  // Readiness only: a buffer that a datagram of 64 KiB fits in would else be held per socket, and
  // after one wait a burst is read without another.
  io_uring_sqe* made = ring_.next();
  io_uring_prep_poll_add(made, socket.number, POLLIN);
  made->user_data = user_data(Kind::datagram, socket.id());
}

// Most sends fit into the socket's buffer and are over before the submitting call goes on to wait.
// A completion for each would end that wait at once, and every turn would cost a second system call
// just to learn that all is well. So such a send is silent: it says nothing when it took
// everything, and when it did not, it completes with what it took or with EAGAIN; the rest is then
// sent again with leave to wait. Sends whose end somebody waits for are never silent.
void UringEngine::begin_send(Socket& socket, SendQueue& queue) {
  iovec first[2];
  Message* sent = nullptr;
  std::size_t length = 0;
  if (queue.gather(first) == 1) [[likely]] {
    length = first[0].iov_len;
  } else {
    sent = &message();
    sent->header = {};
    sent->header.msg_iov = sent->vectors.data();
    sent->header.msg_iovlen = queue.gather(sent->vectors);
    for (std::size_t i = 0; i < sent->header.msg_iovlen; ++i) length += sent->vectors[i].iov_len;
  }
  const bool quiet = length <= most_silent_bytes && (socket.backend_bits & must_wait) == 0 &&
                     length == queue.size() && socket.phase == SocketPhase::open &&
                     !socket.shutdown_wanted && !socket.notify;
  const int flags = quiet ? MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL : MSG_NOSIGNAL;
  io_uring_sqe* made = ring_.next();
  if (sent == nullptr) {
    io_uring_prep_send(made, socket.number, first[0].iov_base, length, flags);
  } else {
    io_uring_prep_sendmsg(made, socket.number, &sent->header, static_cast<unsigned>(flags));
  }
  if (quiet) {
    made->flags |= IOSQE_CQE_SKIP_SUCCESS;
    made->user_data = user_data(Kind::silent_send, socket.id());
    socket.backend_bits |= silent;
    socket.backend_number = static_cast<std::uint32_t>(length);
    silent_sends_.push_back(socket.id());
  } else {
    made->user_data = user_data(Kind::send, socket.id());
  }
}

void UringEngine::silent_send_failed(SocketId id, int result) {
  Socket* socket = find_socket(id);
  if (socket == nullptr || (socket->backend_bits & silent) == 0) return;
  socket->backend_bits = (socket->backend_bits & ~silent) | must_wait;
  send_completed(id, result);
}

/// Tells the core how the silent sends of the last submission ended: first those that failed.
void UringEngine::settle_silent_sends() {
  if (silent_sends_.empty()) return;
  // With entries left behind or completions kept back, a failure may still be to come.
  unsettled_ = !ring_.all_submitted() || ring_.overflown();
  if (unsettled_) return;
  for (unsigned index = 0; index < collected_; ++index) {
    const io_uring_cqe& completion = ring_.completion(index);
    if (kind_of(completion.user_data) == Kind::silent_send) {
      silent_send_failed(id_of(completion.user_data), completion.res);
    }
  }
  for (const SocketId id : silent_sends_) {
    Socket* socket = find_socket(id);
    if (socket == nullptr || (socket->backend_bits & silent) == 0) continue;
    socket->backend_bits &= ~silent;
    send_completed(id, static_cast<int>(socket->backend_number));
  }
  silent_sends_.clear();
}

Operations UringEngine::cancel(Socket& socket, Operations operations) {
  Operations over = 0;
  if ((socket.backend_bits & starving) != 0 && (operations & receive_operation) != 0) {
    socket.backend_bits &= ~starving;  // the kernel has nothing of it
    over = receive_operation;
    operations &= static_cast<Operations>(~receive_operation);
  }
  for (const Operations operation :
       {receive_operation, send_operation, accept_operation, connect_operation}) {
    if ((operations & operation) == 0) continue;
    const Kind kind =
        socket.kind == SocketKind::datagram ? Kind::datagram : static_cast<Kind>(operation);
    io_uring_sqe* made = ring_.next();
    io_uring_prep_cancel64(made, user_data(kind, socket.id()), 0);
    made->flags |= IOSQE_CQE_SKIP_SUCCESS;
    made->user_data = static_cast<std::uint64_t>(Kind::cancel);
  }
  return over;
}

// ---- the loop
// ------------------------------------------------------------------------------------

void UringEngine::wait_and_collect(Instant until) {
  if (!watching_wakes_) watch_wakes();
  if (!starving_.empty()) feed_starving();
  bool wait = until > now() && !unsettled_ && starving_.empty();
  Duration limit = Duration::max();
  if (wait && until != Instant::never()) {
    limit = until - read_clock();  // callbacks may have taken their time since now()
    wait = limit > Duration::zero();
  }
  if (wait && (buffers_.soiled() || send_pool_swollen()))
    limit = std::min(limit, clean_when_calm());
  if (wait) {
    State expected = State::awake;
    wait = state_.compare_exchange_strong(expected, State::asleep, std::memory_order_acq_rel);
  }
  ring_.enter(wait, limit);
  state_.exchange(State::awake, std::memory_order_acq_rel);
  if (ring_.all_submitted()) {
    messages_used_ = 0;
    targets_.clear();
  }
  collected_ = ring_.ready();
  set_now(read_clock());
  settle_silent_sends();
}

/// A pool that grew for a burst keeps its buffers but not their memory. The kernel fills buffers
/// only while this thread waits for completions, so none is filled when there is no completion.
/// Answers how long it is until the next look.
Duration UringEngine::clean_when_calm() noexcept {
  const bool over = calm_.over(now(), [this] {
    return buffers_.take_used() <= buffers_.count() / 4 && ring_.ready() == 0 && !ring_.overflown();
  });
  if (over) {
    buffers_.clean();
    give_memory_back();
  }
  return calm_.left(now());
}

void UringEngine::dispatch_completions() {
  returned_ = 0;
  for (unsigned index = 0; index < collected_; ++index) dispatch(ring_.completion(index));
  ring_.reaped(collected_);
  if (std::exchange(starved_, false)) {
    ++counters_.buffer_starvations;
    buffers_.grow();
  }
  buffers_.publish();
  blocking_.run_completed();
}

void UringEngine::dispatch(const io_uring_cqe& completion) {
  const SocketId id = id_of(completion.user_data);
  const int result = completion.res;
  const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
  switch (kind_of(completion.user_data)) {
    case Kind::receive:
      if ((completion.flags & IORING_CQE_F_BUFFER) != 0) [[likely]] {
        const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
        receive_completed(id, result, buffers_.bytes(buffer), more);
        buffers_.give_back(buffer);
        ++returned_;
      } else {
        receive_ended(id, result, more);
      }
      break;
    case Kind::send:
      sent(id, result);
      break;
    case Kind::silent_send:
      silent_send_failed(id, result);  // unless it was settled before
      break;
    case Kind::accept:
      accept_completed(id, result, more);
      break;
    case Kind::connect:
      connect_completed(id, result);
      break;
    case Kind::datagram:
      receive_datagrams(id, result);
      break;
    case Kind::wake:
      watching_wakes_ = more;
      break;
    case Kind::cancel:
      break;  // what was cancelled reports itself, or had ended before
  }
}

void UringEngine::receive_ended(SocketId id, int result, bool more) {
  Socket* socket = find_socket(id);
  if (result != -ENOBUFS || more || socket == nullptr) {
    receive_completed(id, result, nullptr, more);
    return;
  }
  starved_ = true;
  if ((socket->cancelled & receive_operation) != 0) {
    receive_completed(id, -ECANCELED, nullptr, false);
    return;
  }
  socket->backend_bits |= starving;
  starving_.push_back(id);
}

void UringEngine::sent(SocketId id, int result) {
  if (Socket* socket = find_socket(id)) {
    if (result >= 0) socket->backend_bits &= ~must_wait;
    send_completed(id, result);
  }
}

void UringEngine::receive_datagrams(SocketId id, int result) {
  if (result >= 0) {
    Socket* socket = find_socket(id);
    // A turn's worth: a peer that sends without end must not hold the thread.
    for (int budget = 64; socket != nullptr && budget > 0; --budget) {
      Datagram datagram;
      const int code = datagrams_.receive(socket->number, socket->extra->address.port(), datagram);
      if (code == -EAGAIN) break;
      const bool again = datagram_completed(id, code < 0 ? nullptr : &datagram, code, true);
      socket = again ? find_socket(id) : nullptr;
    }
    result = -EAGAIN;
  }
  datagram_completed(id, nullptr, result, false);
}

}  // namespace

Result<std::unique_ptr<Engine>> make_uring_engine(BlockingPool& pool, std::uint64_t seed,
                                                  std::string reason, const UringOptions& options) {
  auto engine = std::make_unique<UringEngine>(pool, seed, std::move(reason));
  if (Result<void> opened = engine->open(options); !opened) {
    return std::unexpected(std::move(opened).error());
  }
  return engine;
}

}  // namespace hawser::detail
