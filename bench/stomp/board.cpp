// Shared memory and the children that use it.
#include <bench/stomp/board.hpp>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

namespace hawser::bench {

void Board::complain(std::string_view text) noexcept {
  if (!sound.exchange(false)) return;
  const std::size_t size = std::min(text.size(), complaint.size() - 1);
  std::copy_n(text.begin(), size, complaint.begin());
  std::replace(complaint.begin(), complaint.begin() + static_cast<std::ptrdiff_t>(size), '\n', ' ');
}

Result<SharedBoard> SharedBoard::make() {
  SharedBoard shared;
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(system_error(errno, "share memory"));
  shared.board_ = std::construct_at(static_cast<Board*>(memory));
  shared.wake_ = Descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!shared.wake_) return std::unexpected(system_error(errno, "share memory", "eventfd"));
  return shared;
}

SharedBoard::SharedBoard(SharedBoard&& other) noexcept
    : board_(std::exchange(other.board_, nullptr)), wake_(std::move(other.wake_)) {}

SharedBoard::~SharedBoard() {
  if (board_ != nullptr) munmap(board_, sizeof(Board));
}

Result<Worker> Worker::start(const std::function<void()>& work) {
  Worker worker;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return std::unexpected(system_error(errno, "start a worker"));
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) work();
    _exit(0);
  }
  worker.child_ = child;
  worker.handle_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (!worker.handle_) return std::unexpected(system_error(errno, "start a worker"));
  return worker;
}

Worker::Worker(Worker&& other) noexcept
    : child_(std::exchange(other.child_, 0)), handle_(std::move(other.handle_)) {}

Worker& Worker::operator=(Worker&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(handle_, other.handle_);
  return *this;
}

Worker::~Worker() {
  if (child_ == 0) return;
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace hawser::bench
