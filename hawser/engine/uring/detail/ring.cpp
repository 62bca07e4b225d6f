// Set-up, submission and waiting. The system call is made here and not by liburing's helpers, which
// in the version we build with cannot run deferred work without waiting.
#include <hawser/base/check.hpp>
#include <hawser/engine/uring/detail/ring.hpp>

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace hawser::detail {

namespace {

Error refused(int code) {
  std::string_view why;
  switch (code) {
    case EPERM:
      why = "a container's seccomp profile or sysctl kernel.io_uring_disabled does that";
      break;
    case ENOSYS:
      why = "this kernel is built without it, or a sandbox hides it";
      break;
    case EINVAL:
      why = "this kernel is older than 6.1 and has no deferred task run";
      break;
    case ENOMEM:
      why = "no memory, or the limit of locked memory (ulimit -l) is reached";
      break;
    case EMFILE:
    case ENFILE:
      why = "no descriptor is left (ulimit -n)";
      break;
    default:
      why = "the kernel gives no reason";
      break;
  }
  const char* name = strerrorname_np(code);
  Error error = system_error(code, "io_uring");
  error.kind = code == EINVAL || code == ENOSYS ? ErrorKind::unsupported : error.kind;
  error.detail = "io_uring refused: ";
  error.detail += name == nullptr ? std::to_string(code) : std::string(name);
  error.detail += "; ";
  error.detail += why;
  return error;
}

}  // namespace

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

Result<void> Ring::open(const UringOptions& options) {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED |
                     IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  parameters.cq_entries = std::max(options.completion_entries, options.submission_entries);
  const int made = io_uring_queue_init_params(options.submission_entries, &ring_, &parameters);
  if (made < 0) return std::unexpected(refused(-made));
  open_ = true;
  constexpr unsigned needed =
      IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_CQE_SKIP;
  if ((parameters.features & needed) != needed) return std::unexpected(refused(EINVAL));
  // Entry i of the queue is always entry i of the array: publishing is then one store.
  for (unsigned i = 0; i < ring_.sq.ring_entries; ++i) ring_.sq.array[i] = i;
  return {};
}

Result<void> Ring::enable() {
  // By number: the library declares a function for this and forgets to export it.
  if (::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) !=
      0) {
    return std::unexpected(refused(errno));
  }
  // Spares a reference to the file in every call; it works without.
  registered_ = io_uring_register_ring_fd(&ring_) == 1;
  return {};
}

io_uring_sqe* Ring::next() {
  io_uring_sqe* entry = nullptr;
  if (backlog_.empty()) [[likely]] {
    entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      submit();
      entry = io_uring_get_sqe(&ring_);
    }
  }
  if (entry == nullptr) entry = &backlog_.emplace_back();
  std::memset(entry, 0, sizeof *entry);
  return entry;
}

void Ring::fill_from_backlog() {
  while (!backlog_.empty()) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return;
    *entry = backlog_.front();
    backlog_.pop_front();
  }
}

void Ring::publish() noexcept {
  ring_.sq.sqe_head = ring_.sq.sqe_tail;
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
}

int Ring::call(unsigned min_complete, unsigned flags, const __kernel_timespec* limit) noexcept {
  publish();
  io_uring_getevents_arg argument{};
  argument.sigmask_sz = _NSIG / 8;
  argument.ts = reinterpret_cast<std::uint64_t>(limit);
  flags |= IORING_ENTER_EXT_ARG;
  if (registered_) flags |= IORING_ENTER_REGISTERED_RING;
  // By number: the library's function takes a sigset_t where this flag wants another struct.
  return static_cast<int>(::syscall(__NR_io_uring_enter, ring_.enter_ring_fd, unsubmitted(),
                                    min_complete, flags, &argument, sizeof argument));
}

void Ring::submit() noexcept {
  if (unsubmitted() != 0) call(0, IORING_ENTER_GETEVENTS, nullptr);
}

void Ring::enter(bool wait, Duration limit) noexcept {
  while (!backlog_.empty()) {  // rounds that wait for nothing, as long as the kernel takes some
    fill_from_backlog();
    const unsigned before = unsubmitted();
    if (backlog_.empty()) break;
    submit();
    if (unsubmitted() == before) break;
  }
  const unsigned state = IO_URING_READ_ONCE(*ring_.sq.kflags);
  const bool owed = (state & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  wait = wait && ready() == 0 && backlog_.empty();
  if (!wait) {
    if (unsubmitted() != 0 || owed) call(0, IORING_ENTER_GETEVENTS, nullptr);
    return;
  }
  if (limit == Duration::max()) {
    call(1, IORING_ENTER_GETEVENTS, nullptr);
    return;
  }
  __kernel_timespec length{};
  length.tv_sec = limit / 1s;
  length.tv_nsec = (limit % 1s).count();
  call(1, IORING_ENTER_GETEVENTS, &length);
}

}  // namespace hawser::detail
