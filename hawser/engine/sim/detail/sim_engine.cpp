// The simulated backend of the shared core: begun, held, completed, cancelled.
#include <hawser/engine/sim/detail/sim_engine.hpp>

#include <hawser/base/check.hpp>
#include <hawser/engine/sim/detail/universe.hpp>

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace hawser::sim::detail {

using hawser::detail::accept_operation;
using hawser::detail::connect_operation;
using hawser::detail::Operations;
using hawser::detail::receive_operation;
using hawser::detail::send_operation;
using hawser::detail::Socket;
using hawser::detail::SocketKind;

namespace {

// Socket::backend_bits: three sets of operations.
constexpr unsigned held_shift = 0;        // the kernel has it
constexpr unsigned scheduled_shift = 8;   // a completion is on its way
constexpr unsigned cancelled_shift = 16;  // the completion on its way is that of a cancel
constexpr unsigned late_shift = 24;       // … which comes too late to stop the effect

bool has(const Socket& socket, unsigned shift, Operations operation) noexcept {
  return ((socket.backend_bits >> shift) & operation) != 0;
}
void set(Socket& socket, unsigned shift, Operations operation) noexcept {
  socket.backend_bits |= static_cast<std::uint32_t>(operation) << shift;
}
void unset(Socket& socket, unsigned shift, Operations operation) noexcept {
  socket.backend_bits &= ~(static_cast<std::uint32_t>(operation) << shift);
}
void over(Socket& socket, Operations operation) noexcept {
  for (const unsigned shift : {held_shift, scheduled_shift, cancelled_shift, late_shift}) {
    unset(socket, shift, operation);
  }
}

// An engine event is a completion (index 24 bits, generation 32, operation 8) or a job.
constexpr std::uint64_t job_mark = 0xff;
constexpr std::uint64_t pack(SocketId id, Operations operation) noexcept {
  return (static_cast<std::uint64_t>(id.index) << 40U) |
         (static_cast<std::uint64_t>(id.generation) << 8U) | operation;
}

}  // namespace

SimEngine::SimEngine(Universe& universe, HostIndex host, std::uint64_t seed)
    : EngineCore(seed),
      universe_(universe),
      host_(host),
      id_(universe.add_engine(*this)),
      buffer_(receive_bytes) {
  set_now(universe.ground.now);
}

SimEngine::~SimEngine() {
  for (std::uint32_t index = 0; index < table().used(); ++index) table().at(index).backend_bits = 0;
  abandon_all();
  universe_.remove_engine(id_);
}

EngineInfo SimEngine::info() const {
  return {"sim", fmt::format("simulated host {}, seed {}", universe_.ground.host(host_).name(),
                             universe_.seed())};
}

Instant SimEngine::read_clock() noexcept { return universe_.ground.now; }
std::chrono::system_clock::time_point SimEngine::wall_clock() noexcept {
  return universe_.wall_clock();
}
void SimEngine::start() { set_now(universe_.ground.now); }

void SimEngine::begin_turn() noexcept {
  // The poll in which the loop was waiting ends now; a turn that does not poll wants another one.
  set_now(universe_.ground.now);
  wanted_at_ = universe_.ground.now;
}

void SimEngine::die() noexcept {
  dead_ = true;
  for (std::uint32_t index = 0; index < table().used(); ++index) table().at(index).backend_bits = 0;
  due_.clear();
  jobs_.clear();
  vacant_jobs_.clear();
  finished_jobs_.clear();
}

// ---- blocking work
// -------------------------------------------------------------------------------

std::uint32_t SimEngine::add_job(Job job) {
  if (vacant_jobs_.empty()) {
    vacant_jobs_.push_back(static_cast<std::uint32_t>(jobs_.size()));
    jobs_.emplace_back();
  }
  const std::uint32_t place = vacant_jobs_.back();
  vacant_jobs_.pop_back();
  jobs_[place] = std::make_unique<Job>(std::move(job));
  return place;
}

void SimEngine::run_blocking(std::move_only_function<void()> work,
                             std::move_only_function<void()> done) {
  if (dead_) return;
  Ground& ground = universe_.ground;
  const Faults& faults = ground.links.host_faults(host_);
  const std::uint32_t place = add_job({std::move(work), std::move(done)});
  const bool slow = ground.strikes(faults.slow_blocking, FaultKind::slow_blocking, id_);
  // The pool has few threads: a job waits for the one that is free first.
  auto& threads = ground.host(host_).blocking_threads;
  const auto thread = std::ranges::min_element(threads);
  *thread = std::max(*thread, ground.now) +
            ground.drawn(slow ? faults.blocking_slow : faults.blocking_usual);
  ground.events.add(*thread, EventKind::engine, id_, 0,
                    (static_cast<std::uint64_t>(place) << 8U) | job_mark);
}

void SimEngine::resolve(std::string host, std::uint16_t port, ResolveDone done) {
  auto answer = std::make_unique<Result<std::vector<Address>>>();
  auto* const place = answer.get();
  run_blocking(
      [this, place, name = std::move(host), port] { *place = universe_.look_up(name, port); },
      [answer = std::move(answer), done = std::move(done)]() mutable { done(std::move(*answer)); });
}

void SimEngine::fall_due(std::uint64_t what) {
  if (dead_) return;
  if ((what & 0xffU) == job_mark) {
    const auto place = static_cast<std::uint32_t>(what >> 8U);
    if (place >= jobs_.size() || !jobs_[place]) return;
    if (jobs_[place]->work) jobs_[place]->work();
    finished_jobs_.push_back(place);
    wake();
    return;
  }
  const SocketId id{static_cast<std::uint32_t>(what >> 40U),
                    static_cast<std::uint32_t>(what >> 8U)};
  due_.push_back({id, static_cast<Operations>(what & 0xffU)});
}

// ---- sockets
// -------------------------------------------------------------------------------------

namespace {
std::unexpected<Error> host_is_down(const char* operation) {
  return std::unexpected(
      Error{ErrorKind::closed, EIO, operation, "the simulated host has crashed"});
}
}  // namespace

Result<SimEngine::OpenedSocket> SimEngine::open_listener(const Address& address,
                                                         const ListenOptions& options) {
  if (dead_) return host_is_down("listen");
  const auto number = universe_.streams.listen(host_, address, options);
  if (!number) return std::unexpected(number.error());
  return OpenedSocket{*number, *universe_.streams.local(host_, *number)};
}

Result<int> SimEngine::open_stream(const Address& to, const StreamOptions& options,
                                   const std::optional<Address>& from) {
  if (dead_) return host_is_down("connect");
  return universe_.streams.open(host_, to, options, from);
}

Result<SimEngine::OpenedSocket> SimEngine::open_datagram_socket(const Address& bind,
                                                                const DatagramOptions& options) {
  if (dead_) return host_is_down("open_datagram");
  const auto number = universe_.datagrams.open(host_, bind, options);
  if (!number) return std::unexpected(number.error());
  return OpenedSocket{*number, *universe_.streams.local(host_, *number)};
}

Result<void> SimEngine::attach(Socket& socket) {
  if (dead_) return host_is_down("adopt");
  Descriptor* descriptor = universe_.ground.host(host_).find(socket.number);
  if (descriptor == nullptr) return std::unexpected(system_error(EBADF, "adopt"));
  descriptor->watcher = this;
  descriptor->watched_as = socket.id();
  return {};
}

void SimEngine::detach(Socket& socket) noexcept {
  if (dead_) return;
  if (Descriptor* descriptor = universe_.ground.host(host_).find(socket.number)) {
    descriptor->watcher = nullptr;
  }
}

void SimEngine::close_socket(Socket& socket, bool reset) noexcept {
  check((socket.backend_bits & 0xffU) == 0,
        "sim: a descriptor was closed while the kernel held an operation on it");
  socket.backend_bits = 0;
  if (dead_) return;
  if (socket.kind == SocketKind::datagram) {
    universe_.datagrams.close(host_, socket.number);
    return;
  }
  universe_.streams.close(host_, socket.number, reset);
}

void SimEngine::close_native(int number) noexcept {
  if (!dead_) universe_.streams.close(host_, number, false);
}
NativeSocket::Closer& SimEngine::family_closer() noexcept { return universe_.closer(host_); }

void SimEngine::stop_listening(Socket& socket) noexcept {
  if (!dead_) universe_.streams.stop_listening(host_, socket.number);
}

int SimEngine::shutdown_write(Socket& socket) noexcept {
  return dead_ ? -EIO : universe_.streams.shutdown(host_, socket.number);
}

void SimEngine::configure_accepted(int number, const StreamOptions& options) noexcept {
  if (!dead_) universe_.streams.configure(host_, number, options);
}

Result<void> SimEngine::transmit_datagram(Socket& socket, const Address& to, BytesView bytes,
                                          std::uint32_t interface_index) {
  if (dead_) return host_is_down("send_datagram");
  return universe_.datagrams.send(host_, socket.number, to, bytes, interface_index);
}

Result<void> SimEngine::join_datagram_group(Socket& socket, const Address& group,
                                            std::uint32_t interface_index) {
  if (dead_) return host_is_down("join group");
  return universe_.datagrams.join(host_, socket.number, group, interface_index);
}

Result<int> SimEngine::open_interface_watch() {
  if (dead_) return host_is_down("watch interfaces");
  return universe_.datagrams.open_watch(host_);
}

Result<std::vector<NetworkInterface>> SimEngine::interfaces() {
  if (dead_) return host_is_down("interfaces");
  return universe_.ground.host(host_).list_interfaces();
}

Result<Address> SimEngine::native_peer(int number) const {
  if (dead_) return host_is_down("peer");
  return universe_.streams.peer(host_, number);
}
Result<Address> SimEngine::native_local(int number) const {
  if (dead_) return host_is_down("local");
  return universe_.streams.local(host_, number);
}

Result<void> SimEngine::native_change(int number, const StreamChanges& changes) {
  if (dead_) return host_is_down("change stream");
  return universe_.streams.change(host_, number, changes);
}

Result<Duration> SimEngine::native_silence(int number) const {
  if (dead_) return host_is_down("last arrival");
  return universe_.streams.silence(host_, number);
}

Result<PeerCredentials> SimEngine::native_credentials(int number) const {
  if (dead_) return host_is_down("peer credentials");
  return universe_.streams.credentials(host_, number);
}

Result<Address> SimEngine::prepare_listener(int number, const ListenOptions& options) {
  if (dead_) return host_is_down("adopt listener");
  return universe_.streams.relisten(host_, number, options);
}

// ---- operations
// ----------------------------------------------------------------------------------

void SimEngine::schedule(Socket& socket, Operations operation) {
  if (has(socket, scheduled_shift, operation)) return;
  set(socket, scheduled_shift, operation);
  Ground& ground = universe_.ground;
  const Duration most = ground.links.host_faults(host_).completion_delay;
  if (most <= Duration::zero()) {
    due_.push_back({socket.id(), operation});
    return;
  }
  ground.after(ground.drawn({Duration{0}, most}), EventKind::engine, id_, 0,
               pack(socket.id(), operation));
}

void SimEngine::begin(Socket& socket, Operations operation, bool ready_now) {
  check(!has(socket, held_shift, operation), "sim: an operation was begun twice");
  if (dead_) return;
  set(socket, held_shift, operation);
  if (ready_now) schedule(socket, operation);
}

void SimEngine::begin_connect(Socket& socket, const Address& to) {
  if (dead_) return;
  const int result = universe_.streams.connect(host_, socket.number, to);
  socket.backend_number = static_cast<std::uint32_t>(-result);
  begin(socket, connect_operation, result != 0);
}

void SimEngine::begin_accept(Socket& socket) {
  begin(socket, accept_operation, !dead_ && universe_.streams.has_accepts(host_, socket.number));
}

void SimEngine::begin_receive(Socket& socket) {
  begin(socket, receive_operation,
        !dead_ && universe_.streams.receive(host_, socket.number).result != -EAGAIN);
}

void SimEngine::begin_receive_datagrams(Socket& socket) {
  begin(socket, receive_operation,
        !dead_ && universe_.datagrams.front(host_, socket.number) != nullptr);
}

void SimEngine::begin_send(Socket& socket, SendQueue& queue) {
  socket.backend_pointer = &queue;
  begin(socket, send_operation, !dead_ && universe_.streams.writable(host_, socket.number));
}

void SimEngine::ready(SocketId id, Readiness what) {
  Socket* socket = find_socket(id);
  if (socket == nullptr || dead_) return;
  constexpr Operations reading = receive_operation | accept_operation;
  constexpr Operations writing = send_operation | connect_operation;
  const unsigned wanted = (what == Readiness::readable ? reading : writing) & socket->backend_bits;
  for (unsigned operation = 1; operation <= connect_operation; operation <<= 1U) {
    if ((wanted & operation) != 0) schedule(*socket, static_cast<Operations>(operation));
  }
}

Operations SimEngine::cancel(Socket& socket, Operations operations) {
  if (dead_) {
    socket.backend_bits = 0;
    return operations;
  }
  Ground& ground = universe_.ground;
  const double late = ground.links.host_faults(host_).late_cancels;
  Operations over_now = 0;
  for (unsigned bit = 1; bit <= connect_operation; bit <<= 1U) {
    const auto operation = static_cast<Operations>(bit);
    if ((operations & operation) == 0) continue;
    // Three orders: the cancel is over at once, its completion comes later, or it comes too late.
    const bool too_late = late > 0 && ground.random.chance(late);
    const bool at_once = !too_late && ground.random.chance(0.5);
    ground.trace.add(ground.now, TraceKind::cancelled, id_,
                     static_cast<std::uint64_t>(socket.number),
                     too_late  ? 2
                     : at_once ? 0
                               : 1);
    if (at_once) {
      over(socket, operation);
      over_now = static_cast<Operations>(over_now | operation);
      continue;
    }
    set(socket, cancelled_shift, operation);
    if (too_late) set(socket, late_shift, operation);
    schedule(socket, operation);
  }
  return over_now;
}

// ---- completions
// ---------------------------------------------------------------------------------

void SimEngine::complete(SocketId id, Operations operation) {
  Socket* socket = find_socket(id);
  if (socket == nullptr || !has(*socket, held_shift, operation) ||
      !has(*socket, scheduled_shift, operation)) {
    return;
  }
  unset(*socket, scheduled_shift, operation);
  universe_.ground.trace.add(universe_.ground.now, TraceKind::completed, id_,
                             static_cast<std::uint64_t>(socket->number), operation);
  const bool cancelled = has(*socket, cancelled_shift, operation);
  const bool last_chance = cancelled && has(*socket, late_shift, operation);
  if (cancelled && !last_chance) {
    over(*socket, operation);
    switch (operation) {
      case receive_operation:
        if (socket->kind == SocketKind::datagram) {
          datagram_completed(id, nullptr, -ECANCELED, false);
        } else {
          receive_completed(id, -ECANCELED, nullptr, false);
        }
        return;
      case accept_operation:
        accept_completed(id, -ECANCELED, false);
        return;
      case send_operation:
        send_completed(id, -ECANCELED);
        return;
      case connect_operation:
        connect_completed(id, -ECANCELED);
        return;
      default:
        return;
    }
  }
  switch (operation) {
    case receive_operation:
      if (socket->kind == SocketKind::datagram) {
        complete_datagram(*socket, last_chance);
      } else {
        complete_receive(*socket, last_chance);
      }
      return;
    case accept_operation:
      complete_accept(*socket, last_chance);
      return;
    case send_operation:
      complete_send(*socket, last_chance);
      return;
    case connect_operation:
      complete_connect(*socket, last_chance);
      return;
    default:
      return;
  }
}

void SimEngine::complete_receive(Socket& socket, bool last_chance) {
  Ground& ground = universe_.ground;
  const Faults& faults = ground.links.host_faults(host_);
  const SocketId id = socket.id();
  const int number = socket.number;
  const auto received = universe_.streams.receive(host_, number);
  if (received.result == -EAGAIN) {
    if (!last_chance) return;  // still waiting
    over(socket, receive_operation);
    receive_completed(id, -ECANCELED, nullptr, false);
    return;
  }
  if (received.result <= 0) {
    over(socket, receive_operation);
    receive_completed(id, received.result, nullptr, false);
    return;
  }
  if (ground.strikes(faults.receive_starvation, FaultKind::receive_starvation, id_)) {
    ++counters_.buffer_starvations;
    over(socket, receive_operation);
    receive_completed(id, -ENOBUFS, nullptr, false);
    return;
  }
  std::size_t count = std::min(received.bytes.size(), receive_bytes);
  if (count > 1 && ground.strikes(faults.split_reads, FaultKind::split_read, id_)) {
    count = 1 + ground.random.below(ground.random.chance(0.5) ? std::min<std::size_t>(count, 4)
                                                              : count);
  }
  std::memcpy(buffer_.data(), received.bytes.data(), count);
  universe_.streams.consume(host_, number, count);
  ground.trace.add(ground.now, TraceKind::read, id_, count, static_cast<std::uint64_t>(number));
  if (last_chance) {  // the effect first, then the cancel
    unset(socket, late_shift, receive_operation);
    schedule(socket, receive_operation);
  } else if (universe_.streams.receive(host_, number).result != -EAGAIN) {
    schedule(socket, receive_operation);
  }
  receive_completed(id, static_cast<int>(count), buffer_.data(), true);
  // Borrowed bytes are gone now: whoever kept a view of them shall see it.
  std::memset(buffer_.data(), 0xdd, count);
}

void SimEngine::complete_datagram(Socket& socket, bool last_chance) {
  const SocketId id = socket.id();
  const int number = socket.number;
  DatagramSocket::Waiting* waiting = universe_.datagrams.front(host_, number);
  if (waiting == nullptr) {
    if (!last_chance) return;
    over(socket, receive_operation);
    datagram_completed(id, nullptr, -ECANCELED, false);
    return;
  }
  const DatagramSocket::Waiting taken = std::move(*waiting);
  waiting->bytes.resize(taken.bytes.size());  // what pop() counts
  universe_.datagrams.pop(host_, number);
  if (last_chance) unset(socket, late_shift, receive_operation);
  if (last_chance || universe_.datagrams.front(host_, number) != nullptr) {
    schedule(socket, receive_operation);
  }
  const Datagram datagram{taken.from, taken.to, taken.interface_index, taken.bytes};
  datagram_completed(id, &datagram, static_cast<int>(taken.bytes.size()), true);
}

void SimEngine::complete_accept(Socket& socket, bool last_chance) {
  constexpr unsigned at_once = 16;  // a kernel completes several between two polls
  const SocketId id = socket.id();
  for (unsigned count = 0; count < at_once; ++count) {
    // A callback may have closed the listener, or the host may have crashed in it.
    Socket* listener = find_socket(id);
    if (listener == nullptr || !has(*listener, held_shift, accept_operation)) return;
    const int accepted = universe_.streams.accept(host_, listener->number);
    if (accepted == -EAGAIN && !last_chance) return;
    if (accepted < 0) {
      over(*listener, accept_operation);
      accept_completed(id, accepted == -EAGAIN ? -ECANCELED : accepted, false);
      return;
    }
    universe_.ground.trace.add(universe_.ground.now, TraceKind::accepted, id_,
                               static_cast<std::uint64_t>(accepted));
    const bool last = last_chance || count + 1 == at_once;
    if (last_chance) unset(*listener, late_shift, accept_operation);
    if (last && (last_chance || universe_.streams.has_accepts(host_, listener->number))) {
      schedule(*listener, accept_operation);
    }
    accept_completed(id, accepted, true);
    if (last) return;
  }
}

void SimEngine::complete_send(Socket& socket, bool last_chance) {
  Ground& ground = universe_.ground;
  const SocketId id = socket.id();
  const auto* queue = static_cast<const SendQueue*>(socket.backend_pointer);
  std::array<iovec, 64> vectors;
  const std::size_t filled = queue->gather(vectors);
  std::size_t total = 0;
  for (std::size_t index = 0; index < filled; ++index) total += vectors[index].iov_len;
  std::size_t most = total;
  if (total > 1 &&
      ground.strikes(ground.links.host_faults(host_).short_writes, FaultKind::short_write, id_)) {
    most = 1 +
           ground.random.below(ground.random.chance(0.5) ? std::min<std::size_t>(total, 4) : total);
  }
  int sent = universe_.streams.send(host_, socket.number, std::span(vectors.data(), filled), most);
  if (sent == -EAGAIN) {
    if (!last_chance) return;  // waits until there is room
    sent = -ECANCELED;
  }
  if (sent > 0) {
    ground.trace.add(ground.now, TraceKind::written, id_, static_cast<std::uint64_t>(sent),
                     static_cast<std::uint64_t>(socket.number));
  }
  over(socket, send_operation);
  send_completed(id, sent);
}

void SimEngine::complete_connect(Socket& socket, bool last_chance) {
  const SocketId id = socket.id();
  int result = -static_cast<int>(socket.backend_number);
  if (result == 0) result = universe_.streams.connect_result(host_, socket.number);
  if (result == -EINPROGRESS) {
    if (!last_chance) return;
    result = -ECANCELED;
  }
  over(socket, connect_operation);
  connect_completed(id, result);
}

// ---- the loop
// ------------------------------------------------------------------------------------

void SimEngine::wait_and_collect(Instant until) {
  if (universe_.in_turn()) {
    // Inside a turn nothing blocks. Where a real engine would sleep, the loop is not runnable until
    // there is something or `until` has come; else it gets its next turn at once.
    const bool returns =
        !due_.empty() || woken_.load(std::memory_order_acquire) || until <= universe_.ground.now;
    wanted_at_ = returns ? universe_.ground.now : until;
    if (!returns) ++counters_.waits;
  } else if (!dead_) {
    const auto satisfied = [this] {
      return !due_.empty() || woken_.load(std::memory_order_acquire);
    };
    // Also without waiting: what lies between the last poll and now is due.
    while (universe_.ground.events.next() <= universe_.ground.now) {
      universe_.step(universe_.ground.now);
    }
    if (!satisfied() && until > universe_.ground.now) {
      ++counters_.waits;
      if (!universe_.run_until(satisfied, until) && until == Instant::never()) {
        throw std::runtime_error("sim: a poll without a limit would wait for ever (" +
                                 universe_.place() + ")");
      }
    }
  }
  woken_.store(false, std::memory_order_release);
  set_now(universe_.ground.now);
  working_.swap(due_);
  running_jobs_.swap(finished_jobs_);
}

void SimEngine::dispatch_completions() {
  for (const Due& due : working_) {
    if (dead_) break;
    complete(due.id, due.operation);
  }
  working_.clear();
  for (const std::uint32_t place : running_jobs_) {
    if (dead_) break;
    const std::unique_ptr<Job> job = std::move(jobs_[place]);
    vacant_jobs_.push_back(place);
    universe_.ground.trace.add(universe_.ground.now, TraceKind::job, id_, place);
    if (job->done) job->done();
  }
  running_jobs_.clear();
}

}  // namespace hawser::sim::detail
