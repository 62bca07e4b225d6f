// Edge-triggered: each socket is told to epoll once, and what it said last is kept as bits. A write
// is tried at once and waits only after the kernel refused it; a read ends with a short read, since
// the next byte then makes a new edge.
#include <hawser/base/check.hpp>
#include <hawser/engine/detail/calm_watch.hpp>
#include <hawser/engine/detail/datagram_message.hpp>
#include <hawser/engine/detail/descriptor.hpp>
#include <hawser/engine/detail/engine_core.hpp>
#include <hawser/engine/detail/interface_list.hpp>
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/epoll/epoll_engine.hpp>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>
#include <vector>

namespace hawser::detail {

namespace {

// Socket::backend_bits
constexpr std::uint32_t readable = 1;   // epoll said so and no read has proved otherwise
constexpr std::uint32_t writable = 2;   // no write has been refused since
constexpr std::uint32_t hung_up = 4;    // a FIN or an error waits behind the bytes: read to the end
constexpr std::uint32_t receiving = 8;  // begin_receive, begin_accept, begin_receive_datagrams
constexpr std::uint32_t sending = 16;   // begin_send, refused so far
constexpr std::uint32_t connecting = 32;  // begin_connect, not answered so far
constexpr std::uint32_t connected = 64;  // begin_connect, answered at once: backend_number is errno
constexpr std::uint32_t in_ready = 128;  // in ready_

/// No datagram is longer, so none is cut.
constexpr std::size_t datagram_bytes = 64 * 1024;
/// More segments than this leave in a second write.
constexpr std::size_t vectors_per_send = 128;
/// epoll's user data of the descriptor that wake() writes to; no SocketId has this index.
constexpr std::uint64_t wake_data = UINT64_MAX;

std::uint64_t to_data(SocketId id) noexcept {
  return std::uint64_t{id.generation} << 32 | id.index;
}

SocketId from_data(std::uint64_t data) noexcept {
  return {static_cast<std::uint32_t>(data), static_cast<std::uint32_t>(data >> 32)};
}

struct DescriptorCloser final : NativeSocket::Closer {
  void close_native(int number) noexcept override { ::close(number); }
};

class EpollEngine final : public EngineCore {
 public:
  EpollEngine(BlockingPool& pool, std::uint64_t seed, std::string reason, EpollOptions options,
              Descriptor epoll, Descriptor waker)
      : EngineCore(seed),
        options_(options),
        reason_(std::move(reason)),
        epoll_(std::move(epoll)),
        waker_(std::move(waker)),
        events_(options.events),
        buffer_(std::make_unique_for_overwrite<char[]>(
            std::max(options.receive_buffer, datagram_bytes))),
        blocking_(pool, [this] { wake(); }) {
    set_now(read_clock());
  }
  ~EpollEngine() override { abandon_all(); }

  EngineInfo info() const override { return {"epoll", reason_}; }
  Instant read_clock() noexcept override {
    return Instant{std::chrono::steady_clock::now().time_since_epoch()};
  }
  std::chrono::system_clock::time_point wall_clock() noexcept override {
    return std::chrono::system_clock::now();
  }
  void start() override { set_now(read_clock()); }
  void wake() noexcept override;
  void close_native(int number) noexcept override { ::close(number); }
  void resolve(std::string host, std::uint16_t port, ResolveDone done) override {
    blocking_.resolve(std::move(host), port, std::move(done));
  }
  void run_blocking(std::move_only_function<void()> work,
                    std::move_only_function<void()> done) override {
    blocking_.run(std::move(work), std::move(done));
  }

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
  Result<void> attach(Socket& socket) override;
  void detach(Socket& socket) noexcept override;
  void begin_connect(Socket& socket, const Address& to) override;
  void begin_accept(Socket& socket) override { begin_reading(socket); }
  void begin_receive(Socket& socket) override { begin_reading(socket); }
  void begin_receive_datagrams(Socket& socket) override { begin_reading(socket); }
  void begin_send(Socket& socket, SendQueue& queue) override;
  Operations cancel(Socket& socket, Operations operations) override;
  void stop_listening(Socket& socket) noexcept override { stop_listening_socket(socket.number); }
  int shutdown_write(Socket& socket) noexcept override {
    return ::shutdown(socket.number, SHUT_WR) == 0 ? 0 : -errno;
  }
  void close_socket(Socket& socket, bool reset) noexcept override {
    close_descriptor(socket.number, reset);  // epoll forgets it by that
  }
  NativeSocket::Closer& family_closer() noexcept override {
    static DescriptorCloser closer;  // without state; outlives every engine
    return closer;
  }
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

  bool watch(Socket& socket, std::uint32_t events) noexcept;
  int wait_for_events(Instant until) noexcept;
  int wait_once(Instant until) noexcept;
  void begin_reading(Socket& socket);
  void list(Socket& socket);
  void serve(SocketId id, std::uint32_t events);
  void read_on(SocketId id);
  bool read_stream(Socket& socket);
  bool accept_batch(Socket& socket);
  bool read_datagrams(Socket& socket);

  const EpollOptions options_;
  const std::string reason_;
  const Descriptor epoll_;
  const Descriptor waker_;
  std::atomic<bool> woken_{false};
  std::vector<epoll_event> events_;
  std::size_t collected_ = 0;    // of events_
  std::vector<SocketId> ready_;  // to be served without waiting for an event
  std::vector<SocketId> serving_;
  std::unique_ptr<char[]> buffer_;
  bool precise_ = true;
  CalmWatch calm_;
  BlockingClient blocking_;  // last: its threads may call wake() until it is gone
};

// ---- waiting
// -------------------------------------------------------------------------------------

void EpollEngine::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  // Watched by edges, so the counter is never read; it cannot overflow in any lifetime.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(waker_.get(), &one, sizeof one);
}

int EpollEngine::wait_once(Instant until) noexcept {
  const auto capacity = static_cast<int>(events_.size());
  if (until <= now() || !ready_.empty()) {
    return ::epoll_wait(epoll_.get(), events_.data(), capacity, 0);
  }
  if (until == Instant::never()) {
    return ::epoll_wait(epoll_.get(), events_.data(), capacity, -1);
  }
  const std::int64_t rest = std::max<std::int64_t>((until - read_clock()).count(), 0);
  if (options_.precise_waits && precise_) {
    const timespec timeout{.tv_sec = static_cast<time_t>(rest / 1'000'000'000),
                           .tv_nsec = static_cast<long>(rest % 1'000'000'000)};
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), capacity, &timeout, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    precise_ = false;
  }
  // Rounded up: to return too early would spin until the time has come.
  constexpr std::int64_t longest = 1'000'000'000;  // ms; longer waits just return and come again
  const std::int64_t milliseconds = std::min(rest / 1'000'000 + (rest % 1'000'000 != 0), longest);
  return ::epoll_wait(epoll_.get(), events_.data(), capacity, static_cast<int>(milliseconds));
}

int EpollEngine::wait_for_events(Instant until) noexcept {
  while (true) {
    const int count = wait_once(until);
    if (count >= 0) return count;
    check(errno == EINTR, "epoll_wait failed");
  }
}

void EpollEngine::wait_and_collect(Instant until) {
  if (until > now() && send_pool_swollen()) {
    if (calm_.over(now(), [] { return true; })) give_memory_back();
    until = std::min(until, now() + calm_.left(now()));
  }
  collected_ = static_cast<std::size_t>(wait_for_events(until));
  set_now(read_clock());
}

void EpollEngine::dispatch_completions() {
  serving_.swap(ready_);  // what is listed from here on is for the next poll
  for (std::size_t index = 0; index < collected_; ++index) {
    const epoll_event& event = events_[index];
    if (event.data.u64 == wake_data) {
      // Whoever called wake() before this sees the poll return; whoever calls it after writes
      // again.
      woken_.exchange(false, std::memory_order_acq_rel);
    } else {
      serve(from_data(event.data.u64), event.events);
    }
  }
  collected_ = 0;
  for (const SocketId id : serving_) {
    if (Socket* socket = find_socket(id)) {
      socket->backend_bits &= ~in_ready;
      serve(id, 0);
    }
  }
  serving_.clear();
  blocking_.run_completed();
}

void EpollEngine::serve(SocketId id, std::uint32_t events) {
  Socket* socket = find_socket(id);
  if (socket == nullptr) return;  // closed by an earlier callback of this poll
  if ((events & EPOLLIN) != 0) socket->backend_bits |= readable;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    socket->backend_bits |= readable | hung_up;
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    socket->backend_bits |= writable;
    if ((socket->backend_bits & connecting) != 0) {
      int code = 0;
      socklen_t length = sizeof code;
      if (::getsockopt(socket->number, SOL_SOCKET, SO_ERROR, &code, &length) != 0) code = errno;
      socket->backend_bits = (socket->backend_bits & ~connecting) | connected;
      socket->backend_number = static_cast<std::uint32_t>(code);
    }
  }
  if ((socket->backend_bits & connected) != 0) {
    socket->backend_bits &= ~connected;
    connect_completed(id, -static_cast<int>(socket->backend_number));
    if ((socket = find_socket(id)) == nullptr) return;
  }
  if ((socket->backend_bits & (sending | writable)) == (sending | writable)) {
    begin_send(*socket, socket->queue);
  }
  read_on(id);
}

// ---- sockets come, go and change
// ------------------------------------------------------------------

bool EpollEngine::watch(Socket& socket, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = to_data(socket.id());
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.number, &event) == 0;
}

Result<void> EpollEngine::attach(Socket& socket) {
  if (socket.phase == SocketPhase::connecting) return {};  // watched from begin_connect on
  const bool stream = socket.kind == SocketKind::stream;
  socket.backend_bits = writable;
  if (!watch(socket, stream ? EPOLLIN | EPOLLOUT | EPOLLRDHUP : EPOLLIN)) {
    return std::unexpected(system_error(errno, "adopt", "epoll does not take the socket in"));
  }
  return {};
}

void EpollEngine::detach(Socket& socket) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket.number, nullptr);
}

void EpollEngine::begin_connect(Socket& socket, const Address& to) {
  const Result<SocketAddress> target = to_sockaddr(to);
  int code = EINVAL;
  if (target) {
    code = ::connect(socket.number, target->get(), target->length) == 0 ? 0 : errno;
  }
  if ((code == 0 || code == EINPROGRESS) && !watch(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP)) {
    code = errno;
  }
  if (code == EINPROGRESS) {
    socket.backend_bits = connecting;
    return;
  }
  socket.backend_bits = connected | writable;
  socket.backend_number = static_cast<std::uint32_t>(code);
  list(socket);
}

Operations EpollEngine::cancel(Socket& socket, Operations operations) {
  // The kernel holds nothing of ours between two polls.
  if ((operations & (receive_operation | accept_operation)) != 0) {
    socket.backend_bits &= ~receiving;
  }
  if ((operations & send_operation) != 0) socket.backend_bits &= ~sending;
  if ((operations & connect_operation) != 0) socket.backend_bits &= ~(connecting | connected);
  return operations;
}

void EpollEngine::list(Socket& socket) {
  if ((socket.backend_bits & in_ready) != 0) return;
  socket.backend_bits |= in_ready;
  ready_.push_back(socket.id());
}

// ---- sending
// -------------------------------------------------------------------------------------

void EpollEngine::begin_send(Socket& socket, SendQueue& queue) {
  socket.backend_bits |= sending;
  if ((socket.backend_bits & writable) == 0) return;
  std::array<iovec, vectors_per_send> vectors;  // NOLINT: filled by gather
  const std::size_t count = queue.gather(vectors);
  std::size_t offered = 0;
  for (std::size_t index = 0; index < count; ++index) offered += vectors[index].iov_len;
  ssize_t sent = -1;
  do {
    if (count == 1) {
      sent = ::send(socket.number, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      sent = ::sendmsg(socket.number, &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  const int code = errno;
  if (sent < static_cast<ssize_t>(offered)) {
    socket.backend_bits &= ~writable;  // an edge tells when there is room again
    if (sent < 0 && code == EAGAIN) return;
  }
  socket.backend_bits &= ~sending;
  send_completed(socket.id(), sent < 0 ? -code : static_cast<int>(sent));
}

// ---- receiving
// -----------------------------------------------------------------------------------

void EpollEngine::begin_reading(Socket& socket) {
  socket.backend_bits |= receiving;
  if ((socket.backend_bits & readable) != 0) list(socket);
}

void EpollEngine::read_on(SocketId id) {
  constexpr std::uint32_t both = receiving | readable;
  Socket* socket = find_socket(id);
  if (socket == nullptr || (socket->backend_bits & both) != both) return;
  bool exhausted = false;
  switch (socket->kind) {
    case SocketKind::stream:
      exhausted = read_stream(*socket);
      break;
    case SocketKind::listener:
      exhausted = accept_batch(*socket);
      break;
    case SocketKind::datagram:
      exhausted = read_datagrams(*socket);
      break;
  }
  if (exhausted) return;
  // Stopped by the bound or by a callback: the next poll looks again whether it is still wanted.
  socket = find_socket(id);
  if (socket != nullptr && (socket->backend_bits & both) == both) list(*socket);
}

// The three below answer whether everything there was is read. After a completion the socket may be
// gone, so only its id is used from then on, unless the core says that it wants more.

bool EpollEngine::read_stream(Socket& socket) {
  const SocketId id = socket.id();
  for (unsigned count = 0; count < options_.reads_per_socket; ++count) {
    const ssize_t size = ::recv(socket.number, buffer_.get(), options_.receive_buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      socket.backend_bits &= ~(readable | hung_up);
      return true;
    }
    if (size <= 0) {
      const int result = size == 0 ? 0 : -errno;
      socket.backend_bits &= ~receiving;  // readable stays: it would answer the same again
      receive_completed(id, result, nullptr, false);
      return true;
    }
    const bool last = static_cast<std::size_t>(size) < options_.receive_buffer &&
                      (socket.backend_bits & hung_up) == 0;
    if (last) socket.backend_bits &= ~readable;
    const bool wanted = receive_completed(id, static_cast<int>(size), buffer_.get(), true);
    if (last) return true;
    if (!wanted) return false;
  }
  return false;
}

bool EpollEngine::accept_batch(Socket& socket) {
  const SocketId id = socket.id();
  for (unsigned count = 0; count < options_.accepts_per_listener; ++count) {
    const int number = ::accept4(socket.number, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (number < 0 && errno == EINTR) continue;
    if (number < 0 && errno == EAGAIN) {
      socket.backend_bits &= ~readable;
      return true;
    }
    if (!accept_completed(id, number < 0 ? -errno : number, true)) return false;
  }
  return false;
}

bool EpollEngine::read_datagrams(Socket& socket) {
  const SocketId id = socket.id();
  const std::uint16_t port = socket.extra ? socket.extra->address.port() : std::uint16_t{0};
  for (unsigned count = 0; count < options_.datagrams_per_socket; ++count) {
    sockaddr_storage from{};
    alignas(cmsghdr) std::array<char, datagram_control_bytes> control;  // NOLINT: filled below
    iovec vector{buffer_.get(), datagram_bytes};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket.number, &message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      socket.backend_bits &= ~readable;
      return true;
    }
    bool wanted = false;
    if (size < 0) {
      wanted = datagram_completed(id, nullptr, -errno, true);
    } else {
      const Datagram datagram =
          to_datagram(message, BytesView(buffer_.get(), static_cast<std::size_t>(size)), port);
      wanted = datagram_completed(id, &datagram, 0, true);
    }
    if (!wanted) return false;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Engine>> make_epoll_engine(BlockingPool& pool, std::uint64_t seed,
                                                  std::string reason, EpollOptions options) {
  if (options.receive_buffer == 0 || options.events == 0 || options.reads_per_socket == 0 ||
      options.accepts_per_listener == 0 || options.datagrams_per_socket == 0) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "make epoll engine",
                                 "every bound must be at least 1"});
  }
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (epoll.get() < 0) return std::unexpected(system_error(errno, "make epoll engine", "epoll"));
  Descriptor waker(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = wake_data;
  if (waker.get() < 0 || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, waker.get(), &event) != 0) {
    return std::unexpected(system_error(errno, "make epoll engine", "eventfd"));
  }
  return std::make_unique<EpollEngine>(pool, seed, std::move(reason), options, std::move(epoll),
                                       std::move(waker));
}

}  // namespace hawser::detail
